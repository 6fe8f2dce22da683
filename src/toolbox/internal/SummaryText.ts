/**
 * Cuts texts to the size that a model can read, and quotes what leads them.
 *
 * @since 0.1.0
 */
import * as Chunker from "../../document/Chunker.js"
import type * as Chat from "../../llm/Chat.js"
import * as TokenEstimate from "../../llm/TokenEstimate.js"

/** Neighbouring passages repeat at most this much, in UTF-16 units. */
const longestRepeat = 200
const shortestRepeat = 10

const repeated = (before: string, after: string): number => {
  for (let length = Math.min(longestRepeat, before.length, after.length); length >= shortestRepeat; length--) {
    if (before.endsWith(after.slice(0, length))) return length
  }
  return 0
}

/**
 * The text of a document from its passages in order, without what neighbours
 * repeat of each other.
 *
 * @since 0.1.0
 * @category constructors
 */
export const joined = (passages: ReadonlyArray<{ readonly text: string }>): string =>
  passages.map(({ text }, n) => text.slice(repeated(passages[n - 1]?.text ?? "", text)).trim())
    .filter((text) => text !== "").join("\n\n")

/**
 * The text in parts of at most `budget` tokens each by estimate: whole sentences,
 * about equally long, nothing but white space lost. A part of up to 100 UTF-16
 * units may hold more tokens.
 *
 * @since 0.1.0
 * @category combinators
 */
export const parts = (text: string, budget: number): ReadonlyArray<string> => {
  const tokens = TokenEstimate.ofText(text)
  if (tokens <= budget || text.length <= 100) return [text]
  // A little shorter than the mean would allow, since some parts are denser than others.
  const maxLength = Math.max(100, Math.floor(Math.min(0.9 * budget / tokens, 0.5) * text.length) + 1)
  return Chunker.chunk({ text }, { maxLength, overlap: 0 }).flatMap((chunk) =>
    chunk.text.length < text.length ? parts(chunk.text, budget) : [chunk.text]
  )
}

/**
 * Gathers texts in order into groups that hold `budget` tokens each, and at
 * least two texts, so that there are always fewer groups than texts.
 *
 * @since 0.1.0
 * @category combinators
 */
export const groups = (
  texts: ReadonlyArray<Chat.ContextPassage>,
  budget: number
): ReadonlyArray<ReadonlyArray<Chat.ContextPassage>> => {
  const all: Array<Array<Chat.ContextPassage>> = []
  let held = 0
  for (const item of texts) {
    const open = all.at(-1)
    const tokens = TokenEstimate.ofText(`${item.id} ${item.title ?? ""} ${item.text}`) + aroundPassage
    if (open === undefined || (open.length >= 2 && held + tokens > budget)) {
      all.push([item])
      held = tokens
    } else {
      open.push(item)
      held += tokens
    }
  }
  return all
}

/** What is put around a passage in a prompt, in tokens. */
const aroundPassage = 30

const countWords = (text: string): number => text.match(/\S+/gu)?.length ?? 0

/** Where words are not set apart by spaces, characters are counted, this many to a word. */
const lengthOfWord = 8

/**
 * The first sentences of a text, as many as `maxWords` allow, at least one; word
 * for word.
 *
 * @since 0.1.0
 * @category combinators
 */
export const leading = (text: string, maxWords: number): string => {
  const isShort = (start: string): boolean => countWords(start) <= maxWords && start.length <= maxWords * lengthOfWord
  if (isShort(text)) return text
  let quoted = ""
  // More than the quotation can hold, so that a book is not cut into sentences for its first few.
  const start = text.slice(0, maxWords * lengthOfWord + 1000)
  for (const { text: sentence } of Chunker.chunk({ text: start }, { maxLength: 200, overlap: 0 })) {
    const longer = quoted === "" ? sentence : `${quoted} ${sentence}`
    if (quoted !== "" && !isShort(longer)) break
    quoted = longer
  }
  return quoted
}

/**
 * A text without the ids it cites in brackets, one by one or as a list.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withoutCitations = (text: string, ids: ReadonlyArray<string>): string => {
  const known = new Set(ids)
  return text.replace(
    / ?\[([^[\]]*)\]/gu,
    (cited: string, inner: string) =>
      known.has(inner.trim()) || inner.split(/[,;]/u).every((id) => known.has(id.trim())) ? "" : cited
  ).trim()
}
