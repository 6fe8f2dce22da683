/**
 * Cuts a passage into sentences that are exact pieces of it.
 *
 * @since 0.1.0
 */
import * as Abbreviation from "../../document/Abbreviation.js"

/** A longer sentence (a table, a list without full stops) is cut at a space. */
const maxLength = 500

const isSpace = (unit: number): boolean => unit === 32 || unit === 9 || unit === 10 || unit === 13 || unit === 0xa0

const closers = /["'”’)\]]/u
const lowerCase = /\p{Ll}/u

/** Whether a sentence ends with the character at `at`; gives the index after its closing marks, or -1. */
const endAt = (text: string, at: number): number => {
  const mark = text[at]
  if (mark === "。" || mark === "！" || mark === "？") return at + 1
  if (mark !== "." && mark !== "!" && mark !== "?" && mark !== "…") return -1
  let end = at + 1
  while (end < text.length && end - at < 4 && closers.test(text.charAt(end))) end++
  if (end < text.length && !isSpace(text.charCodeAt(end))) return -1
  return mark === "." && Abbreviation.holdsStop(text, at) ? -1 : end
}

/** Whether the line break at `at` ends a sentence: a blank line, or a next line that does not go on in lower case. */
const breaksAt = (text: string, at: number): boolean => {
  let next = at + 1
  while (next < text.length && (text.charCodeAt(next) === 32 || text.charCodeAt(next) === 9)) next++
  return next >= text.length || !lowerCase.test(text.charAt(next))
}

/**
 * The sentences of a text in order, trimmed; each is an exact piece of the text
 * and at most 500 UTF-16 units long. Takes time linear in the text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const split = (text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  let start = 0
  const take = (end: number): void => {
    const sentence = text.slice(start, end).trim()
    if (sentence !== "") found.push(sentence)
    start = end
  }
  for (let at = 0; at < text.length; at++) {
    const end = text.charCodeAt(at) === 10 ? (breaksAt(text, at) ? at + 1 : -1) : endAt(text, at)
    if (end !== -1) {
      take(end)
      at = end - 1
    } else if (at - start >= maxLength - 1) {
      take(cutBefore(text, start, at + 1))
      at = Math.max(at, start - 1)
    }
  }
  take(text.length)
  return found
}

/** The last space before `end`, or `end` itself moved off the middle of a surrogate pair. */
const cutBefore = (text: string, start: number, end: number): number => {
  for (let at = end; at > start + 100; at--) if (isSpace(text.charCodeAt(at - 1))) return at
  const unit = text.charCodeAt(end - 1)
  return unit >= 0xd800 && unit < 0xdc00 ? end - 1 : end
}
