/**
 * Picks from a passage the stretch that speaks of a query, and marks the words it
 * shares with it.
 *
 * @since 0.1.0
 */
import type { Span } from "./Document.js"
import * as Words from "./internal/Words.js"
import * as Tokenizer from "./Tokenizer.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Snippet {
  /** A slice of the passage's text, cut between words, else between characters as readers see them; without an ellipsis. */
  readonly text: string
  /** Where it stands in the passage's text. */
  readonly span: Span
  /** The query's words in `text`, `[start, end)` in UTF-16 units of it; rising, apart from each other. */
  readonly highlights: ReadonlyArray<Span>
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The longest snippet in UTF-16 units; 300 unless given, at least 40. */
  readonly maxLength?: number | undefined
}

const defaultLength = 300
const leastLength = 40

const lengthOf = ({ maxLength = defaultLength }: Options): number =>
  maxLength >= leastLength ? Math.trunc(maxLength) : leastLength

interface Match extends Span {
  /** Which of the query's words it is. */
  readonly terms: ReadonlyArray<string>
}

/** The first of the shortest stretches of `length` at most in which most of the query's words occur, and its matches. */
const densest = (matches: ReadonlyArray<Match>, length: number): ReadonlyArray<Match> => {
  const counts = new Map<string, number>()
  let best = { from: 0, to: 0, terms: 0, width: 0 }
  for (let from = 0, to = 0; to < matches.length; to++) {
    for (const term of matches[to]?.terms ?? []) counts.set(term, (counts.get(term) ?? 0) + 1)
    const end = matches[to]?.end ?? 0
    for (; from <= to; from++) {
      const first = matches[from]
      const isTooFar = end - (first?.start ?? 0) > length
      // a word at the beginning that comes again adds nothing
      const isSpare = from < to && (first?.terms.every((term) => (counts.get(term) ?? 0) > 1) ?? false)
      if (!isTooFar && !isSpare) break
      for (const term of first?.terms ?? []) {
        const left = (counts.get(term) ?? 0) - 1
        if (left > 0) counts.set(term, left)
        else counts.delete(term)
      }
    }
    const width = end - (matches[from]?.start ?? end)
    if (counts.size > best.terms || (counts.size === best.terms && width < best.width)) {
      best = { from, to: to + 1, terms: counts.size, width }
    }
  }
  return matches.slice(best.from, best.to)
}

const isSpace = (text: string, at: number): boolean => /\s/u.test(text.charAt(at))

/** Whether the position is inside a character of two units. */
const splits = (text: string, at: number): boolean => {
  const [before, after] = [text.charCodeAt(at - 1), text.charCodeAt(at)]
  return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000
}

/** Whether a text may be cut here: beside a space, or in a script that is written without. */
const isCut = (text: string, at: number): boolean =>
  at <= 0 || at >= text.length || isSpace(text, at - 1) || isSpace(text, at) ||
  (!splits(text, at) && !Words.isMark(text, at) && Words.isUnspaced(text.slice(at - 1, at)) &&
    Words.isUnspaced(text.slice(at, at + 1)))

let graphemes: Intl.Segmenter | undefined

/** A character of more units than these may be cut. */
const context = 128

/** Where the character, as a reader sees it, begins that a position is within; the position itself between two. */
const charactersStart = (text: string, at: number): number => {
  if (at <= 0 || at >= text.length || (isPlain(text, at - 1) && isPlain(text, at))) return at
  const from = Math.max(0, at - context)
  graphemes ??= new Intl.Segmenter("und", { granularity: "grapheme" })
  const found = graphemes.segment(text.slice(from, at + 2)).containing(at - from)
  return found === undefined ? at : from + found.index
}

/** One that never joins the characters beside it. */
const isPlain = (text: string, at: number): boolean => text.charCodeAt(at) > 31 && text.charCodeAt(at) < 127

/** A sentence begins behind a space that follows its end, or on a new line. */
const beginsSentence = (text: string, at: number): boolean =>
  at <= 0 || text[at - 1] === "\n" || (isSpace(text, at - 1) && /[.!?]/u.test(text.charAt(at - 2)))

/** How much of the room that matches leave is before them, unless a sentence begins nearer. */
const before = 0.5

/** The best place to begin in `[earliest, latest]`: a sentence's beginning, else between words, else anywhere. */
const begin = (text: string, earliest: number, latest: number): number => {
  for (let at = latest; at >= earliest; at--) if (beginsSentence(text, at)) return at
  for (let at = earliest; at < latest; at++) if (isCut(text, at)) return at
  return latest
}

/** The last place to end in `[earliest, latest]` that is between words; `latest` when there is none behind `from`. */
const end = (text: string, from: number, earliest: number, latest: number): number => {
  for (let at = latest; at >= earliest && at > from; at--) if (isCut(text, at)) return at
  const whole = charactersStart(text, latest)
  return whole >= earliest && whole > from ? whole : splits(text, latest) ? latest - 1 : latest
}

const slice = (text: string, chosen: ReadonlyArray<Match>, length: number): Span => {
  const first = chosen[0]?.start ?? Math.max(0, text.search(/\S/u))
  const last = chosen.at(-1)?.end ?? first
  const room = length - (last - first)
  const whole = text.length - length
  const earliest = Math.max(0, Math.min(Math.ceil(first - before * room), whole))
  let from = begin(text, splits(text, earliest) ? earliest + 1 : earliest, first)
  while (from < first && isSpace(text, from)) from++
  const start = charactersStart(text, from)
  if (last - start <= length) from = start
  const latest = Math.min(text.length, from + length)
  let to = latest === text.length ? latest : last < latest ? end(text, from, last, latest) : last
  while (to > Math.max(from, last) && isSpace(text, to - 1)) to--
  return { start: from, end: to }
}

/**
 * `make` for many texts and one query, whose words are found but once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const forQuery = (query: string, options: Options = {}): (text: string) => Snippet => {
  const length = lengthOf(options)
  const wanted = new Set(Tokenizer.terms(query))
  const termsIn = Words.finder(wanted)
  return (text) => {
    const matches = wanted.size === 0 ? [] : termsIn(text).filter(({ end, start }) => end - start <= length)
    const span = slice(text, densest(matches, length), length)
    return {
      text: text.slice(span.start, span.end),
      span,
      highlights: matches
        .filter((match) => match.start >= span.start && match.end <= span.end)
        .map((match) => ({ start: match.start - span.start, end: match.end - span.start }))
    }
  }
}

/**
 * The stretch of a text that holds most of a query's words, the rarer ones
 * counting as much as the others; its beginning when it holds none. Words count
 * as equal when `Tokenizer` makes them equal. Linear in the text's length.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (query: string, text: string, options: Options = {}): Snippet => forQuery(query, options)(text)
