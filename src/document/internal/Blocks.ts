/**
 * Finds what in a text is not prose: fenced code, tables in Markdown and HTML,
 * and headings that are underlined.
 *
 * @since 0.1.0
 */

/**
 * A stretch of whole lines, `[start, end)` in UTF-16 units; an HTML table may
 * begin and end within a line.
 *
 * @since 0.1.0
 * @category models
 */
export interface Block {
  readonly kind: "code" | "table" | "heading"
  readonly start: number
  readonly end: number
}

type Find = (text: string, start: number, end: number) => Block | undefined

const fence = /^[ \t]*(`{3,}|~{3,})/
const closer = /^[ \t]*(`{3,}|~{3,})[ \t\r]*$/gm

/**
 * Fenced code that is closed somewhere; a fence that nothing closes is no code,
 * or one stray mark would hide the rest of a document from the cutting of prose.
 */
const fences = (text: string): Find => {
  const closers: Array<
    { readonly at: number; readonly end: number; readonly isTilde: boolean; readonly mark: number }
  > = []
  for (const { 0: line, 1: mark = "", index } of text.matchAll(closer)) {
    closers.push({ at: index, end: index + line.length, isTilde: mark.startsWith("~"), mark: mark.length })
  }
  // how long a fence the closers from here on can close: without it, many that stay open would each be searched for
  const ticks = new Uint32Array(closers.length + 1)
  const tildes = new Uint32Array(closers.length + 1)
  for (let n = closers.length - 1; n >= 0; n--) {
    const { isTilde = false, mark = 0 } = closers[n] ?? {}
    ticks[n] = Math.max(ticks[n + 1] ?? 0, isTilde ? 0 : mark)
    tildes[n] = Math.max(tildes[n + 1] ?? 0, isTilde ? mark : 0)
  }
  let next = 0
  return (text, start, end) => {
    const line = text.slice(start, end)
    const [opened = "", mark] = fence.exec(line) ?? []
    if (mark === undefined) return undefined
    const isTilde = mark.startsWith("~")
    if (!isTilde && line.includes("`", opened.length)) return undefined
    while ((closers[next]?.at ?? Infinity) <= start) next++
    if (((isTilde ? tildes : ticks)[next] ?? 0) < mark.length) return undefined
    for (let close = closers[next]; close !== undefined; close = closers[++next]) {
      if (close.isTilde === isTilde && close.mark >= mark.length) return { kind: "code", start, end: close.end }
    }
    return undefined
  }
}

const opening = /<table[\s>]/gi
const closing = /<\/table\s*>/gi

/** HTML tables that are closed, in order; one within another ends the outer one early. */
const htmlTables = (text: string): ReadonlyArray<Block> => {
  const found: Array<Block> = []
  let from = 0
  for (;;) {
    opening.lastIndex = from
    const open = opening.exec(text)
    if (open === null) return found
    closing.lastIndex = open.index
    const close = closing.exec(text)
    if (close === null) return found
    from = close.index + close[0].length
    found.push({ kind: "table", start: open.index, end: from })
  }
}

const lineEnd = (text: string, start: number): number => {
  const end = text.indexOf("\n", start)
  return end === -1 ? text.length : end
}

const delimiter = /^[\s|:+-]+$/
const isDelimiter = (line: string): boolean => delimiter.test(line) && line.includes("|") && line.includes("-")

const led = /^[ \t]*\|/

/** Two lines or more that begin with a bar, or a line with bars, the rule below it, and what follows with bars. */
const pipeTable: Find = (text, start, end) => {
  const first = text.slice(start, end)
  if (!first.includes("|") || end >= text.length) return undefined
  const isLed = led.test(first)
  if (!isLed && !isDelimiter(text.slice(end + 1, lineEnd(text, end + 1)))) return undefined
  let close = end
  while (close < text.length) {
    const next = lineEnd(text, close + 1)
    const line = text.slice(close + 1, next)
    if (isLed ? !led.test(line) : !line.includes("|")) break
    close = next
  }
  return close === end ? undefined : { kind: "table", start, end: close }
}

const underline = /^ {0,3}(?:=+|-{2,})\s*$/
const other = /^[ \t]*(?:[-*+•>#|=]|\d{1,3}[.)]\s)/
const maxHeading = 200

/**
 * The blocks of a text in order; none overlaps another. Takes linear time.
 *
 * @since 0.1.0
 * @category combinators
 */
export const find = (text: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  const code = fences(text)
  const tables = htmlTables(text)
  let table = 0
  /** Where the line before begins, when it stands alone and may be a heading. */
  let heading: number | undefined
  let isAfterBlank = true
  let start = 0
  let end = -1
  while (start < text.length) {
    if (end < start) end = lineEnd(text, start)
    while ((tables[table]?.start ?? Infinity) < start) table++
    const html = tables[table]
    const found = html !== undefined && html.start <= end
      ? (html.start > start ? code(text, start, end) : undefined) ?? html
      : code(text, start, end) ?? pipeTable(text, start, end)
    if (found !== undefined) {
      blocks.push(found)
      heading = undefined
      isAfterBlank = true
      start = found.end
      if (text.charAt(start) === "\n") start++
      continue
    }
    const line = text.slice(start, end)
    if (heading !== undefined && underline.test(line)) {
      blocks.push({ kind: "heading", start: heading, end })
      heading = undefined
      isAfterBlank = true
    } else {
      const isBlank = line.trim() === ""
      heading = isAfterBlank && !isBlank && line.length <= maxHeading && !other.test(line) ? start : undefined
      isAfterBlank = isBlank
    }
    start = end + 1
  }
  return blocks
}

const row = /<tr[\s>]/gi

/**
 * Where the rows of a table begin but for the first, in order. What heads a
 * table stays with the first row below it.
 */
const htmlRows = (text: string, { end, start }: Block): ReadonlyArray<number> =>
  Array.from(text.slice(start, end).matchAll(row), (match) => start + match.index).slice(2)

const lines = (text: string, { end, start }: Block): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let at = lineEnd(text, start) + 1; at < end; at = lineEnd(text, at) + 1) found.push(at)
  return found
}

/**
 * Where a block may be cut when it is too long for a passage: between its lines
 * or rows. A table's head stays with the first row below it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const cuts = (text: string, block: Block): ReadonlyArray<number> => {
  if (block.kind === "heading") return []
  const rows = lines(text, block)
  if (block.kind === "code") return rows
  if (/^<table/i.test(text.slice(block.start, block.start + 6))) return htmlRows(text, block)
  const [second, third] = rows
  return second !== undefined && isDelimiter(text.slice(second, third ?? block.end)) ? rows.slice(2) : rows
}
