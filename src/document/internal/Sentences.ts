/**
 * Cuts text into the units that passages are made of: sentences, headings,
 * tables, lines of lists and code, and pieces of what is too long.
 *
 * @since 0.1.0
 */
import * as Abbreviation from "../Abbreviation.js"
import * as Blocks from "./Blocks.js"

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
  /** A heading: it belongs to the unit after it. */
  readonly isHeading: boolean
}

/** What ends a unit: a blank line, a line of its own, or a sentence's last mark with a space behind it. */
const ends =
  /\n[^\S\n]*\n\s*|\n(?=[^\S\n]{0,8}(?:#{1,6}\s|[-*+•]\s|\d{1,3}[.)]\s|\|))|(?<=[.!?…]["'”’)\]]{0,2})\s+(?=["'“‘([]{0,2}[\p{Lu}\p{N}\p{Lo}])|(?<=[。！？])/gu

const heading = /^#{1,6}\s/
const item = /^(?:[-*+•]|\d{1,3}[.)])\s/
const blankLine = /\n[^\S\n]*\n/

/** The first few characters, enough to see a Markdown mark. */
const head = (text: string, start: number): string => text.slice(start, start + 8)

/**
 * The units of a text in order, none longer than `maxLength`. Code, tables and
 * headings that are underlined are one unit each; code and tables that do not fit
 * into a passage with the headings before them are one unit per line or row.
 * A list is cut at the ends of its lines. Takes linear time.
 *
 * @since 0.1.0
 * @category combinators
 */
export const split = (text: string, maxLength: number): ReadonlyArray<Unit> => {
  const units: Array<Unit> = []
  let start = 0
  for (const block of Blocks.find(text)) {
    prose(units, text, start, block.start, maxLength)
    start = block.end
    if (block.kind === "heading" || fits(units, block, maxLength)) {
      add(units, text, block.start, block.end, maxLength, block.kind === "heading")
      continue
    }
    let from = block.start
    for (const cut of [...Blocks.cuts(text, block), block.end]) {
      add(units, text, from, cut, maxLength, false)
      from = cut
    }
  }
  prose(units, text, start, text.length, maxLength)
  return units
}

/** Whether a block goes into one passage, with the headings that stand before it. */
const fits = (units: ReadonlyArray<Unit>, block: Blocks.Block, maxLength: number): boolean => {
  let start = block.start
  for (let n = units.length - 1; units[n]?.isHeading === true && block.end - start <= maxLength; n--) {
    start = units[n]?.start ?? start
  }
  return block.end - start <= maxLength
}

/** Adds the units of a stretch of prose. */
const prose = (units: Array<Unit>, whole: string, from: number, to: number, maxLength: number): void => {
  const text = whole.slice(from, to)
  let start = 0
  const close = (end: number): void => {
    const lead = head(text, start)
    const mark = start + (lead.length - lead.trimStart().length)
    if (!heading.test(lead.trimStart())) return add(units, whole, from + start, from + end, maxLength, false)
    const line = text.indexOf("\n", mark)
    const headingEnd = line === -1 || line > end ? end : line
    add(units, whole, from + mark, from + headingEnd, maxLength, true)
    add(units, whole, from + headingEnd, from + end, maxLength, false)
  }
  let isItem = item.test(head(text, 0).trimStart())
  /** The ends of sentences within a line of a list, for when it is too long. */
  let held: Array<readonly [end: number, next: number]> = []
  const closeItem = (end: number): void => {
    if (end - start > maxLength) {
      for (const [sentence, next] of held) {
        close(sentence)
        start = next
      }
    }
    held = []
    close(end)
  }
  for (const match of text.matchAll(ends)) {
    const isLine = match[0].includes("\n")
    const mark = match.index - 1
    if (!isLine && text.charAt(mark) === "." && Abbreviation.holdsStop(text, mark)) continue
    const next = match.index + match[0].length
    if (isItem && !isLine) {
      held.push([match.index, next])
      continue
    }
    closeItem(match.index)
    start = next
    if (isLine) isItem = item.test(head(text, start).trimStart()) || (isItem && !blankLine.test(match[0]))
  }
  closeItem(text.length)
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
