/**
 * Derives from what a user did of late which topics, companies and forms of
 * answer the user prefers.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as Moment from "../document/Moment.js"
import * as Tokenizer from "../document/Tokenizer.js"
import type { SessionEvent } from "../session/SessionStore.js"
import * as Vocabulary from "./internal/Vocabulary.js"

/**
 * A preference and how strong it is.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Preference = Schema.Struct({
  name: Schema.String,
  weight: Schema.NonNegative.annotations({
    description: "The number of events that mention it, each halved for every half-life of its age",
    examples: [2.44]
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Preference extends Schema.Schema.Type<typeof Preference> {}

/**
 * What a user prefers, the strongest first.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Preferences = Schema.Struct({
  topics: Schema.Array(Preference),
  companies: Schema.Array(Preference),
  formats: Schema.Array(Preference).annotations({ description: "Forms of answer, for example table or short" })
}).annotations({ description: "Derived from the events by counting words; a guess, not a statement of the user" })

/**
 * @since 0.1.0
 * @category models
 */
export interface Preferences extends Schema.Schema.Type<typeof Preferences> {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The age at which an event counts half; 7 days unless given. */
  readonly halfLife?: Duration.DurationInput | undefined
  /** The companies to look for, by name. Without it, sequences of capitalised words count as names. */
  readonly companies?: ReadonlyArray<string> | undefined
  /** Topics, each with the words and phrases that tell of it, in place of the built-in ones. */
  readonly topics?: { readonly [topic: string]: ReadonlyArray<string> } | undefined
  /** How many of each sort are given at most; 10 unless given. */
  readonly limit?: number | undefined
}

/** What is read of an event's text, so that a giant one takes no more time than a long one. */
const maxTextLength = 4000

/** Ends where a word does, or the last one would be taken for another. */
const beginning = (text: string): string => {
  if (text.length <= maxTextLength) return text
  const end = text.lastIndexOf(" ", maxTextLength)
  return text.slice(0, end > 0 ? end : maxTextLength)
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")

/** Finds a name as it is written, whatever its case, where no letter or digit adjoins. */
const nameFinder = (name: string): RegExp => new RegExp(`(?<![\\p{L}\\p{N}])${escape(name)}(?![\\p{L}\\p{N}])`, "iu")

const phrase = (text: string): string => ` ${Tokenizer.tokens(text).join(" ")} `

const finderOf = (entries: Iterable<readonly [string, ReadonlyArray<string>]>) => {
  const compiled = [...entries].map(([name, phrases]) =>
    [name, phrases.map(phrase).filter((words) => words.trim() !== "")] as const
  )
  return (words: string): ReadonlyArray<string> =>
    compiled.filter(([, phrases]) => phrases.some((wanted) => words.includes(wanted))).map(([name]) => name)
}

const sentenceStart = /(?:^|[.!?:\n]\s*|["'“(]\s*)$/u

/** Capitalised words in a row, `&` and `of` aside; at most four, or it is a headline. */
const capitalised = /\p{Lu}[\p{L}\p{N}&.'-]*(?: \p{Lu}[\p{L}\p{N}&.'-]*)*/gu

/** Without the possessive and the marks at its end, in one pass from there: a pattern would take quadratic time. */
const bare = (word: string): string => {
  let end = word.length
  for (;;) {
    if (word.endsWith("'s", end)) end -= 2
    else if (end > 0 && ".'-".includes(word.charAt(end - 1))) end--
    else return word.slice(0, end)
  }
}

const namesIn = (text: string): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (const match of text.matchAll(capitalised)) {
    const words = match[0].split(" ").map(bare)
    const first = words[0]
    if (first !== undefined && sentenceStart.test(text.slice(Math.max(0, match.index - 4), match.index))) {
      // The capital at the start of a sentence says nothing about an ordinary word.
      if (Vocabulary.isOrdinary(first) || (words.length === 1 && first !== first.toUpperCase())) words.shift()
    }
    const kept = words.filter((word) => !Vocabulary.isOrdinary(word))
    if (kept.length === 0 || kept.length > 4 || kept.length < words.length - 1) continue
    const name = kept.join(" ")
    if (name.length >= 2 && name.length <= 80) names.push(name)
  }
  return names
}

class Counter {
  readonly #weights = new Map<string, { readonly name: string; weight: number; events: number }>()

  /** Counts each name once per event, whatever its case; the first spelling stays. */
  add(names: Iterable<string>, weight: number, keyOf = (name: string): string => name.toLowerCase()): void {
    const seen = new Set<string>()
    for (const name of names) {
      const key = keyOf(name)
      if (seen.has(key)) continue
      seen.add(key)
      const entry = this.#weights.get(key)
      if (entry === undefined) this.#weights.set(key, { name, weight, events: 1 })
      else {
        entry.weight += weight
        entry.events++
      }
    }
  }

  best(limit: number, minEvents = 1): ReadonlyArray<Preference> {
    return [...this.#weights.values()]
      .filter((entry) => entry.events >= minEvents)
      .map(({ name, weight }) => ({ name, weight: Math.round(weight * 1000) / 1000 }))
      .filter((entry) => entry.weight > 0)
      .sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
      .slice(0, Math.max(0, limit))
  }
}

const written = /[\p{L}\p{M}\p{N}]+/gu
const onlyLetters = /^[\p{L}\p{M}]+$/u

/** The words of a text that may be topics by themselves, in lower case. */
const wordsIn = (text: string): ReadonlyArray<string> =>
  (text.toLowerCase().match(written) ?? []).filter((word) =>
    word.length >= 4 && word.length <= Tokenizer.maxTokenLength && onlyLetters.test(word)
  )

/** Remembers what it found out about each word: the same ones come back all the time. */
const once = <A>(find: (word: string) => A): (word: string) => A => {
  const found = new Map<string, A>()
  return (word) => {
    const before = found.get(word)
    if (before !== undefined) return before
    const now = find(word)
    found.set(word, now)
    return now
  }
}

/**
 * How much an event of this moment counts now: 1 when it happened now (or
 * later, or nobody knows when), half after each half-life.
 *
 * @since 0.1.0
 * @category combinators
 */
export const recency = (occurredAt: string, now: number, halfLife: Duration.DurationInput = "7 days"): number => {
  const at = Moment.millis(occurredAt)
  return at === undefined ? 1 : 2 ** (-Math.max(0, now - at) / Math.max(1, Duration.toMillis(halfLife)))
}

/**
 * Derives preferences from events; the same events at the same moment give the
 * same result. Each event adds its recency to every topic, company and form it
 * mentions, once. A topic is one of the lexicon, or a word of four letters or
 * more that is in two events or more, in whatever form, and in no company's name;
 * it is given as the first event has it. Of an event's text the first 4,000
 * UTF-16 units are read. Equal weights stand by name.
 *
 * @since 0.1.0
 * @category constructors
 */
export const derive = (
  events: ReadonlyArray<SessionEvent>,
  now: number,
  options: Options = {}
): Preferences => {
  const limit = options.limit ?? 10
  const topicsIn = finderOf(options.topics === undefined ? Vocabulary.topics : Object.entries(options.topics))
  const formatsIn = finderOf(Vocabulary.formats)
  const known = options.companies?.filter((name) => name.trim() !== "").map((name) => [name, nameFinder(name)] as const)
  const topics = new Counter()
  const companies = new Counter()
  const formats = new Counter()
  const frequent = new Counter()
  const taken = new Set<string>()

  // Forms of one word count together; a word of a script without spaces has no form.
  const stemOf = once((word) => {
    const [stem = "", ...others] = Tokenizer.tokens(word)
    return others.length === 0 ? stem : ""
  })
  const isTelling = once((word) => {
    const alone = ` ${stemOf(word)} `
    return alone.trim() !== "" && !Vocabulary.isOrdinary(word) && topicsIn(alone).length === 0 &&
      formatsIn(alone).length === 0
  })

  const sayings = events.map((event) => {
    const text = beginning(event.text)
    const named = known === undefined
      ? namesIn(text)
      : known.filter(([, finder]) => finder.test(text)).map(([name]) => name)
    for (const name of named) for (const word of Tokenizer.tokens(name)) taken.add(word)
    return { text, named, weight: recency(event.occurredAt, now, options.halfLife) }
  })
  for (const { named, text, weight } of sayings) {
    const joined = phrase(text)
    companies.add(named, weight)
    topics.add(topicsIn(joined), weight)
    formats.add(formatsIn(joined), weight)
    frequent.add(wordsIn(text).filter((word) => isTelling(word) && !taken.has(stemOf(word))), weight, stemOf)
  }
  const lexical = topics.best(limit)
  const rest = frequent.best(limit, 2).filter((word) => !lexical.some((topic) => topic.name === word.name))
  return {
    topics: [...lexical, ...rest].sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1)).slice(0, limit),
    companies: companies.best(limit),
    formats: formats.best(limit)
  }
}
