/**
 * Finds in a text what is said about a named field: the value behind its label,
 * or the sentence that mentions it.
 *
 * @since 0.1.0
 */
import * as Sentences from "./Sentences.js"

/**
 * A text to read from, and the part of it that states facts: a message without
 * the sentences that only tell what to do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Source {
  readonly text: string
  readonly statements: string
}

/**
 * A field as a text may name it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Label {
  /** Finds the name with the sign that makes it a label. */
  readonly labelled: RegExp
  /** Finds the bare name. */
  readonly mentioned: RegExp
}

/**
 * What stands behind a label.
 *
 * @since 0.1.0
 * @category models
 */
export interface Labelled {
  /** The rest of the line, at most 500 UTF-16 units. */
  readonly rest: string
  /** Whether nothing but list marks stands before the label on its line. */
  readonly isOwnLine: boolean
  /** What follows the line, at most 2000 UTF-16 units. */
  readonly below: string
}

const maxMatches = 50

/**
 * The words of an identifier or a title: `closingPrice`, `closing_price` and
 * `Closing price` give the same two.
 *
 * @since 0.1.0
 * @category combinators
 */
export const words = (name: string): ReadonlyArray<string> =>
  name.slice(0, 100).replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, "$1 $2").split(/[^\p{L}\p{N}]+/u).filter((word) =>
    word !== ""
  )
    .slice(0, 8)

const escape = (word: string): string => word.replace(/[.*+?^${}()|[\]\\]/gu, "\\$&")

/**
 * A pattern for words in a row, whatever joins them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const phrase = (parts: ReadonlyArray<string>): RegExp =>
  new RegExp(`(?<![\\p{L}\\p{N}_])${parts.map(escape).join("[\\s_.-]{0,3}")}(?![\\p{L}\\p{N}_])`, "giu")

/**
 * The label of a name, or `undefined` when the name has no word in it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const label = (name: string): Label | undefined => {
  const parts = words(name)
  if (parts.length === 0) return undefined
  const source = parts.map(escape).join("[\\s_.-]{0,3}")
  return {
    labelled: new RegExp(
      `(?<![\\p{L}\\p{N}_])${source}["'*\`_]{0,4}[ \\t]{0,3}(?:\\([^()\\n]{0,30}\\)[ \\t]{0,3})?[:=：|]["'*\`_]{0,3}`,
      "giu"
    ),
    mentioned: phrase(parts)
  }
}

const instruction =
  /^["'(\s*-]{0,4}(?:please\s+)?(?:extract|return|give|list|find|output|provide|identify|parse|produce|generate|fill|convert|classify|determine|decide|summari[sz]e|answer|reply|respond|use|read|tell|what|which|who|whose|when|where|why|how|is|are|was|were|does|do|did|has|have|can|could|should)\b/iu

/**
 * A text of the user. A sentence that gives an order or asks a question states
 * nothing, save what follows its colon.
 *
 * @since 0.1.0
 * @category constructors
 */
export const message = (text: string): Source => ({
  text,
  statements: Sentences.split(text).flatMap((sentence) => {
    if (!instruction.test(sentence) && !sentence.endsWith("?")) return [sentence]
    const colon = sentence.search(/:\s/u)
    return colon === -1 ? [] : [sentence.slice(colon + 1)]
  }).join("\n")
})

/**
 * A passage: all of it states facts.
 *
 * @since 0.1.0
 * @category constructors
 */
export const passage = (text: string): Source => ({ text, statements: text })

/**
 * What stands behind each occurrence of a label, at most fifty.
 *
 * @since 0.1.0
 * @category combinators
 */
export const labelled = (source: Source, label: Label): ReadonlyArray<Labelled> => {
  const found: Array<Labelled> = []
  for (const match of source.text.matchAll(label.labelled)) {
    if (found.length === maxMatches) break
    const end = match.index + match[0].length
    const window = source.text.slice(end, end + 500)
    const line = window.indexOf("\n")
    const rest = line === -1 ? window : window.slice(0, line)
    const lineStart = source.text.lastIndexOf("\n", match.index - 1) + 1
    const before = match.index - lineStart > 12 ? "x" : source.text.slice(lineStart, match.index)
    found.push({
      rest,
      isOwnLine: match.index === 0 || /^[\s*#>|"'`•-]*(?:\d{1,2}[.)]\s*)?["'*`_]*$/u.test(before),
      below: line === -1 ? "" : source.text.slice(end + line + 1, end + line + 2001)
    })
  }
  return found
}

/**
 * A mention of a name inside its sentence.
 *
 * @since 0.1.0
 * @category models
 */
export interface Mention {
  /** The sentence up to the name, at most 160 UTF-16 units. */
  readonly before: string
  /** The sentence from the name on, at most 160 UTF-16 units. */
  readonly after: string
}

const sentenceEnd = /[.!?。！？](?=\s|$)|\n/gu

/**
 * The mentions of a name in what a source states, at most fifty.
 *
 * @since 0.1.0
 * @category combinators
 */
export const mentions = (source: Source, name: RegExp): ReadonlyArray<Mention> => {
  const found: Array<Mention> = []
  const text = source.statements
  for (const match of text.matchAll(name)) {
    if (found.length === maxMatches) break
    const end = match.index + match[0].length
    const after = text.slice(end, end + 160)
    const before = text.slice(Math.max(0, match.index - 160), match.index)
    const stop = after.search(/[.!?。！？](?=\s|$)|\n/u)
    const starts = [...before.matchAll(sentenceEnd)]
    const start = starts.at(-1)
    found.push({
      before: start === undefined ? before : before.slice(start.index + 1),
      after: stop === -1 ? after : after.slice(0, stop)
    })
  }
  return found
}

const quotes: { readonly [open: string]: string } = { "\"": "\"", "'": "'", "“": "”", "‘": "’", "`": "`" }
const keepsStop = /(?:^|[\s.])(?:inc|co|corp|ltd|jr|sr|plc|llc|\p{L})\.$/iu
const nextLabel = /(?:,|(?<=\.))\s+["'*]?\p{L}[\p{L}\p{N} _-]{0,30}["'*]?\s?[:=]/u
const nextSentence = /[.!?](?=\s+["'“(]?\p{Lu})/u

/**
 * The value at the beginning of what stands behind a label, a piece of the text
 * as it is; `undefined` when nothing does. A quoted value ends at its quotation
 * mark; any other at a bar, a semicolon, the next label, and inside running text
 * at the end of the sentence. `others` are the labels of other fields.
 *
 * @since 0.1.0
 * @category combinators
 */
export const value = (found: Labelled, others: ReadonlyArray<Label>): string | undefined => {
  const rest = found.rest.trimStart()
  const close = quotes[rest.charAt(0)]
  if (close !== undefined) {
    const end = rest.indexOf(close, 1)
    if (end > 1) return rest.slice(1, end).trim() || undefined
  }
  const stops = [rest.search(/[;|\t}]/u), rest.search(nextLabel), found.isOwnLine ? -1 : rest.search(nextSentence)]
  for (const other of others) stops.push(rest.search(other.labelled))
  const end = Math.min(...stops.map((stop) => stop === -1 ? rest.length : stop))
  const cut = rest.slice(0, end).replace(/[\s,"'*`_]{1,20}$/u, "")
  const plain = /[.]$/u.test(cut) && !keepsStop.test(cut) ? cut.slice(0, -1) : cut
  return plain.trim() === "" ? undefined : plain.trim()
}

/**
 * The items of a list behind a label: the line cut at commas, semicolons and a
 * last `and`, or the bullets below it. Items are pieces of the text as they are,
 * at most 200.
 *
 * @since 0.1.0
 * @category combinators
 */
export const items = (found: Labelled, others: ReadonlyArray<Label>): ReadonlyArray<string> => {
  const line = found.rest.trim()
  if (line === "") {
    const bullets: Array<string> = []
    for (const row of found.below.split("\n")) {
      const item = /^\s{0,8}(?:[-*•]|\d{1,3}[.)])\s+(\S.*)$/u.exec(row)?.[1]
      if (item === undefined) break
      bullets.push(bare(item))
    }
    return bullets.filter((item) => item !== "").slice(0, 200)
  }
  const stops = others.map((other) => line.search(other.labelled)).filter((stop) => stop !== -1)
  const bracket = line.startsWith("[") ? line.indexOf("]") : -1
  const list = bracket !== -1
    ? line.slice(1, bracket)
    : line.slice(0, Math.min(line.length, ...stops, ...sentenceStop(found, line), ...bar(line)))
  return list.split(/\s*[,;]\s*(?:and\s+|or\s+)?|\s+(?:and|&)\s+/u).map(bare).filter((item) => item !== "").slice(
    0,
    200
  )
}

const sentenceStop = (found: Labelled, line: string): ReadonlyArray<number> => {
  const stop = found.isOwnLine ? -1 : line.search(nextSentence)
  return stop === -1 ? [] : [stop]
}

const bar = (line: string): ReadonlyArray<number> => {
  const stop = line.search(/[|\t}]/u)
  return stop === -1 ? [] : [stop]
}

const bare = (item: string): string =>
  item.trim().replace(/^["'“‘`*]{1,3}/u, "").replace(/["'”’`*.,;]{1,3}$/u, "").trim()

/**
 * The part of a text that belongs to a labelled group: the indented or bulleted
 * lines below its label, or the braces behind it. `undefined` when there is none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const section = (source: Source, label: Label): Source | undefined => {
  for (const found of labelled(source, label)) {
    const rest = found.rest.trim()
    if (rest.startsWith("{")) {
      const all = `${found.rest}\n${found.below}`
      const end = all.indexOf("}")
      return passage(end === -1 ? all : all.slice(0, end))
    }
    if (rest !== "") continue
    const lines: Array<string> = []
    for (const row of found.below.split("\n")) {
      if (!/^(?:\s+\S|\s*[-*•]\s)/u.test(row)) break
      lines.push(row)
    }
    if (lines.length > 0) return passage(lines.join("\n"))
  }
  return undefined
}
