/**
 * Cuts text into the units that passages are made of: sentences, headings, and
 * pieces of what is too long.
 *
 * @since 0.1.0
 */
import * as Abbreviation from "../Abbreviation.js"

/**
 * A stretch of text, `[start, end)` in UTF-16 units, without white space at
 * either end and never empty.
 *
 * @since 0.1.0
 * @category models
 */
export interface Unit {
  readonly start: number
  readonly end: number
  /** A Markdown heading: it belongs to the unit after it. */
  readonly isHeading: boolean
}

/** What ends a unit: a blank line, a line of its own, or a sentence's last mark with a space behind it. */
const ends =
  /\n[^\S\n]*\n\s*|\n(?=[^\S\n]{0,8}(?:#{1,6}\s|[-*+•]\s|\d{1,3}[.)]\s|\|))|(?<=[.!?…]["'”’)\]]{0,2})\s+(?=["'“‘([]{0,2}[\p{Lu}\p{N}\p{Lo}])|(?<=[。！？])/gu

const heading = /^#{1,6}\s/

/**
 * The units of a text in order, none longer than `maxLength`. Takes linear time.
 *
 * @since 0.1.0
 * @category combinators
 */
export const split = (text: string, maxLength: number): ReadonlyArray<Unit> => {
  const units: Array<Unit> = []
  let start = 0
  const close = (end: number): void => {
    if (!heading.test(text.slice(start, start + 8).trimStart())) return add(units, text, start, end, maxLength, false)
    const from = start + (text.slice(start, start + 8).length - text.slice(start, start + 8).trimStart().length)
    const line = text.indexOf("\n", from)
    const headingEnd = line === -1 || line > end ? end : line
    add(units, text, from, headingEnd, maxLength, true)
    add(units, text, headingEnd, end, maxLength, false)
  }
  for (const match of text.matchAll(ends)) {
    const isLine = match[0].includes("\n")
    const mark = match.index - 1
    if (!isLine && text.charAt(mark) === "." && Abbreviation.holdsStop(text, mark)) continue
    close(match.index)
    start = match.index + match[0].length
  }
  close(text.length)
  return units
}

const blank = /\s/

const add = (
  units: Array<Unit>,
  text: string,
  from: number,
  to: number,
  maxLength: number,
  isHeading: boolean
): void => {
  let start = from
  let end = to
  while (start < end && blank.test(text.charAt(start))) start++
  while (end > start && blank.test(text.charAt(end - 1))) end--
  while (end - start > maxLength) {
    const at = cutAt(text, start, maxLength)
    let close = at
    while (close > start && blank.test(text.charAt(close - 1))) close--
    units.push({ start, end: close, isHeading: false })
    start = at
    while (start < end && blank.test(text.charAt(start))) start++
  }
  if (end > start) units.push({ start, end, isHeading })
}

/** The last good place to cut within `maxLength`: a line end in its second half, a space there, or no place at all. */
const cutAt = (text: string, start: number, maxLength: number): number => {
  const window = text.slice(start, start + maxLength + 1)
  const line = window.lastIndexOf("\n")
  if (line > maxLength / 2) return start + line
  for (let at = window.length - 1; at > maxLength / 2; at--) {
    if (blank.test(window.charAt(at))) return start + at
  }
  const code = window.charCodeAt(maxLength - 1)
  // not between the halves of a surrogate pair
  return start + (code >= 0xd800 && code < 0xdc00 ? maxLength - 1 : maxLength)
}
