/**
 * Tells whether a text keeps to the passages it was given: by the ids it cites
 * and by its words.
 *
 * @since 0.1.0
 */
import type * as Chat from "../Chat.js"
import * as AnswerText from "./AnswerText.js"
import * as Writing from "./Writing.js"

/** What stands in brackets in any text and is no citation. */
const remarks: ReadonlySet<string> = new Set(["sic", "x", "note", "source", "edit", "edited", "redacted", "ref", "id"])

const maxBrackets = 200

interface Form {
  /** By this ids of one kind are known: their separators, and how they begin and end. */
  readonly key: string
  readonly isWord: boolean
  readonly isSingle: boolean
}

const classOf = (sign: string): string =>
  sign >= "0" && sign <= "9" ? "9" : /\p{Lu}/u.test(sign) ? "A" : /\p{L}/u.test(sign) ? "a" : sign

const formOf = (id: string): Form => {
  const signs = Array.from(id, classOf)
  const separators = signs.filter((sign) => sign !== "9" && sign !== "A" && sign !== "a").join("")
  const hasDigit = signs.includes("9")
  const hasLetter = signs.includes("a") || signs.includes("A")
  // Ids of many parts, like a UUID, begin and end as they like.
  const ends = separators.length > 1 ? "" : `${signs[0] ?? ""}${signs.at(-1) ?? ""}`
  return {
    key: `${separators}|${ends}|${hasDigit ? "9" : ""}${hasLetter ? "a" : ""}`,
    isWord: !hasDigit && separators === "",
    isSingle: separators === ""
  }
}

interface Lengths {
  least: number
  most: number
}

/** How long the ids of each form are. */
const lengthsOf = (ids: ReadonlyArray<string>): ReadonlyMap<string, Lengths> => {
  const lengths = new Map<string, Lengths>()
  for (const id of ids) {
    const { key } = formOf(id)
    const seen = lengths.get(key)
    lengths.set(key, {
      least: Math.min(seen?.least ?? id.length, id.length),
      most: Math.max(seen?.most ?? 0, id.length)
    })
  }
  return lengths
}

/** Whether a name in brackets looks like an id; `before` is what stands before the bracket. */
const looksLike = (name: string, before: string, lengths: ReadonlyMap<string, Lengths>): boolean => {
  if (name === "" || remarks.has(name.toLowerCase())) return false
  const form = formOf(name)
  const seen = lengths.get(form.key)
  if (seen === undefined) return false
  if (/^\d+$/u.test(name)) return !/[\p{L}\p{N}_)]/u.test(before) && name.length <= seen.most + 1
  if (form.isWord) return name.length >= seen.least && name.length <= seen.most
  const slack = form.isSingle ? 1 : Math.max(2, seen.most)
  return name.length >= seen.least - slack && name.length <= seen.most + slack
}

const citesOther = (text: string, isForeign: (name: string, before: string) => boolean): boolean => {
  let open = -1
  for (let at = text.indexOf("["); at !== -1 && at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === 91) open = at
    else if (unit === 93 && open !== -1) {
      const next = text.charAt(at + 1)
      const before = text.charAt(open - 1)
      if (at - open <= maxBrackets && next !== "(" && next !== ":" && before !== "!") {
        const inner = text.slice(open + 1, at).trim()
        if (isForeign(inner, before) && inner.split(/[,;]/u).some((name) => isForeign(name.trim(), before))) return true
      }
      open = -1
    }
  }
  return false
}

/**
 * Whether a text cites an id, as `[id]` or in a list in brackets, that is not
 * among `ids` but looks like them. Footnotes, links, remarks in brackets and
 * lists in code do not look like them, unless the ids are made that way. Takes
 * time linear in the text and the ids.
 *
 * @since 0.1.0
 * @category guards
 */
export const citesUnknown = (text: string, ids: ReadonlyArray<string>): boolean => {
  const read = AnswerText.part(text)
  const known = new Set(ids.map((id) => id.trim().toLowerCase()))
  const isUnknown = (name: string): boolean => !known.has(name.toLowerCase())
  // Most answers cite what they were given, and need no more than this.
  if (!citesOther(read, isUnknown)) return false
  const lengths = lengthsOf(ids)
  return citesOther(
    AnswerText.prose(read),
    (name, before) => isUnknown(name) && (/[,;]/u.test(name) || looksLike(name, before, lengths))
  )
}

/** A word counts by its beginning, so that its forms are one. */
const stem = 6
const minWords = 15
const minOverlap = 0.1
/** Of so much context at most the words are read, in UTF-16 units. */
const maxContext = 128 * 1024

/** English words that any text may share; shorter ones are not counted anyway. */
const common: ReadonlySet<string> = new Set(
  ("about above after again against almost along already although always among another anything around because been " +
    "before being below between both cannot could does doing down during each either enough even ever every first from " +
    "further given have having here however into itself just least less like made make many might more most much must " +
    "need neither never only other others otherwise over perhaps rather same several shall should since some something " +
    "still such than that their them themselves then there therefore these they thing things this those though through " +
    "thus together toward under until upon used uses using very well were what when where whether which while whole " +
    "whose will with within without would your answer question passage passages context document documents information")
    .split(" ").map((word) => word.slice(0, stem))
)

const token = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]{2}|[\p{L}\p{M}\p{N}]+/gu

/** Calls `each` with the beginning of every word, until it has had enough. */
const forEachWord = (text: string, each: (word: string, isShort: boolean) => boolean): void => {
  for (const [found] of text.matchAll(token)) {
    const word = found.toLowerCase()
    const isSign = word.charCodeAt(0) >= 0x3040 && word.length === 2
    const isShort = !isSign && word.length < 4 && !/\p{N}/u.test(word)
    if (!isSign && !isShort && common.has(word.slice(0, stem))) continue
    if (!each(word.slice(0, stem), isShort)) return
  }
}

/**
 * Whether fewer than a tenth of the content words of a text, of more than 15,
 * occur in the passages. Never when the two seem to be in different languages,
 * or the text says that the passages do not answer. Takes time linear in both,
 * and reads 128 KiB of the passages at most.
 *
 * @since 0.1.0
 * @category guards
 */
export const isApart = (text: string, context: ReadonlyArray<Chat.ContextPassage>): boolean => {
  const plain = AnswerText.prose(text)
  if (saysNothing.test(plain.slice(0, 300))) return false
  const words = new Set<string>()
  const shorts = new Set<string>()
  forEachWord(plain, (word, isShort) => {
    if (isShort) shorts.add(word)
    else words.add(word)
    return true
  })
  if (words.size <= minWords) return false
  const size = words.size
  const shortSize = shorts.size
  let left = maxContext
  for (const passage of context) {
    const read = `${passage.title ?? ""}\n${passage.text}`
    forEachWord(read.slice(0, left), (word, isShort) => {
      if (isShort) shorts.delete(word)
      else words.delete(word)
      return size - words.size < minOverlap * size
    })
    if (size - words.size >= minOverlap * size) return false
    left -= read.length
    if (left < 0) return false
  }
  const mine = Writing.main(Writing.count(plain, true), 1)
  const theirs = Writing.main(Writing.count(context.map((passage) => passage.text.slice(0, 500)).join("\n"), true), 1)
  if (mine === undefined || theirs === undefined || !Writing.isAlike(mine, theirs)) return false
  // Where the little words are others too, it is another language.
  return mine === "Hans" || mine === "Jpan" || mine === "Hani" ||
    (shortSize >= 3 && shortSize - shorts.size >= 0.5 * shortSize)
}

const saysNothing =
  /\b(?:not|no|nothing|cannot|can't|doesn't|don't|isn't|aren't|unable)\b[^.]{0,60}\b(?:answer|contain|mention|include|provide|information|find|found|state|available|cover|passage|context)/iu

/**
 * Whether an answer does not rest on the passages: it cites one that there is
 * not, or cites none and has its words from elsewhere.
 *
 * @since 0.1.0
 * @category guards
 */
export const isOff = (answer: Chat.TextAnswer, context: ReadonlyArray<Chat.ContextPassage>): boolean =>
  context.length > 0 &&
  (citesUnknown(answer.text, context.map((passage) => passage.id)) ||
    (answer.citations.length === 0 && isApart(answer.text, context)))
