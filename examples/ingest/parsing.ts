/**
 * Turns the bytes of a file or of one JSONL line into a document, or into a
 * sentence that says why it is none.
 *
 * @since 0.1.0
 */
import type { Document } from "causeway-mcp/document/Document"
import { MetadataValue } from "causeway-mcp/document/Document"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/**
 * The largest document that is read, in bytes: one JSONL line, or one whole
 * Markdown or text file.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxDocumentBytes = 4 * 1024 * 1024

/**
 * A document, or why there is none.
 *
 * @since 0.1.0
 * @category models
 */
export type Parsed = Either.Either<Document, string>

const absent = { nullable: true, exact: true } as const

const Line = Schema.Struct({
  id: Schema.optionalWith(Schema.Union(Schema.NonEmptyString, Schema.Number), absent),
  text: Schema.String,
  title: Schema.optionalWith(Schema.String, absent),
  uri: Schema.optionalWith(Schema.String, absent),
  publishedAt: Schema.optionalWith(Schema.String, absent),
  version: Schema.optionalWith(Schema.NonNegativeInt, absent),
  metadata: Schema.optionalWith(Schema.Record({ key: Schema.String, value: MetadataValue }), absent)
})

const decodeLine = Schema.decodeUnknownEither(Line)

/** Where the first byte stands that is no UTF-8: the first replacement character that the bytes do not spell out. */
const firstInvalid = (bytes: Uint8Array): number => {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
  let offset = 0
  let from = 0
  for (const { index } of text.matchAll(/\ufffd/g)) {
    offset += Buffer.byteLength(text.slice(from, index))
    if (bytes[offset] !== 0xef || bytes[offset + 1] !== 0xbf || bytes[offset + 2] !== 0xbd) break
    from = index
  }
  return offset
}

/** `offset` is where in its file the first of the bytes stands. */
const decodeText = (bytes: Uint8Array, offset = 0): Either.Either<string, string> =>
  Either.try({
    // A decoder of its own for each text: a fatal one that has failed may keep bytes back.
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => {
      const at = firstInvalid(bytes)
      const byte = bytes[at]?.toString(16).padStart(2, "0")
      return `it is not valid UTF-8 text: see the byte 0x${byte} at offset ${offset + at}; save it as UTF-8`
    }
  }).pipe(
    Either.filterOrLeft((text) => !text.includes("\u0000"), () => "it is a binary file, not text")
  )

const parseJson = (text: string): Either.Either<unknown, string> =>
  Either.try({ try: (): unknown => JSON.parse(text), catch: () => "it is not valid JSON" })

/** A date, or a date and a time as ISO 8601 or as front matter has it: a space before the time and the zone. */
const moment = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(?:Z|([+-]\d{2}):?(\d{2}))?)?$/

const toMoment = (text: string, name: string): Either.Either<string, string> => {
  const [, day, time = "00:00", hours = "+00", minutes = "00"] = moment.exec(text) ?? []
  const millis = Date.parse(`${day}T${time}${hours}:${minutes}`)
  // The engine reads 31 February as 3 March.
  const isReal = !Number.isNaN(millis) && new Date(`${day}T00:00:00Z`).toISOString().startsWith(String(day))
  return isReal
    ? Either.right(new Date(millis).toISOString())
    : Either.left(`its ${name} is not a date; write ISO 8601, for example 2026-11-22`)
}

const explain = (error: ParseResult.ParseError): string => {
  const issue = ParseResult.ArrayFormatter.formatErrorSync(error)[0]
  const field = issue?.path[0]
  if (field === undefined) return "it is not a JSON object"
  if (issue?._tag === "Missing") return `it has no "${String(field)}"`
  if (field === "version") return `its "version" must be a whole number from 0`
  return field === "metadata"
    ? `its "metadata" must be an object of text, numbers, true and false`
    : `its "${String(field)}" has the wrong type; text is needed`
}

/**
 * Whether a line holds nothing but white space, which is no error.
 *
 * @since 0.1.0
 * @category guards
 */
export const isBlank = (bytes: Uint8Array): boolean =>
  bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a)

/**
 * Reads one JSONL line: `{ id?, text, title?, uri?, publishedAt?, version?, metadata? }`.
 * `fallbackId` names a line without an id; `offset` is where the line begins in
 * its file, in bytes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromLine = (bytes: Uint8Array, fallbackId: string, offset: number): Parsed =>
  Either.gen(function*() {
    const json = yield* Either.flatMap(decodeText(bytes, offset), parseJson)
    const line = yield* Either.mapLeft(decodeLine(json), explain)
    if (line.text.trim() === "") return yield* Either.left(`its "text" is empty`)
    const { id, publishedAt, ...rest } = line
    return {
      ...rest,
      id: id === undefined ? fallbackId : String(id),
      ...(publishedAt === undefined ? {} : { publishedAt: yield* toMoment(publishedAt, "publishedAt") })
    }
  })

const unquote = (value: string): string => /^(["'])(.*)\1$/.exec(value)?.[2] ?? value

/** Splits `---` front matter off; only `title` and `date` are read from it. */
const splitFrontMatter = (text: string) => {
  const match = /^---[ \t]*\r?\n(?:([\s\S]*?)\r?\n)??---[ \t]*(?:\r?\n|$)/.exec(text)
  if (match === null) return { title: undefined, date: undefined, body: text }
  const [, block = ""] = match
  const field = (name: string): string | undefined => {
    const value = new RegExp(`^${name}:(.*)$`, "m").exec(block)?.[1]?.trim() ?? ""
    return value === "" ? undefined : unquote(value)
  }
  return { title: field("title"), date: field("date"), body: text.slice(match[0].length) }
}

/** A heading's words: number signs may close it. Step by step, since a pattern would take the square of their number. */
const withoutMarks = (heading: string): string => {
  let end = heading.length
  while (end > 0 && "# \t\r".includes(heading.charAt(end - 1))) end--
  return heading.slice(0, end).trim()
}

/** A number sign inside a code fence opens a comment, not a heading. */
const firstHeading = (text: string): string | undefined => {
  let isCode = false
  for (const line of text.split("\n")) {
    if (/^\s{0,3}(```|~~~)/.test(line)) isCode = !isCode
    const heading = isCode ? "" : withoutMarks(/^\s{0,3}#{1,6}[ \t](.*)/.exec(line)?.[1] ?? "")
    if (heading !== "") return heading
  }
  return undefined
}

/**
 * Reads a Markdown file: title from the front matter, else the first heading,
 * else the file's name; date from the front matter.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromMarkdown = (bytes: Uint8Array, id: string, name: string): Parsed =>
  Either.gen(function*() {
    const { body, date, title } = splitFrontMatter(yield* decodeText(bytes))
    if (body.trim() === "") return yield* Either.left("it is empty")
    return {
      id,
      title: title ?? firstHeading(body) ?? name,
      text: body.trim(),
      metadata: { path: id },
      ...(date === undefined ? {} : { publishedAt: yield* toMoment(date, "date") })
    }
  })

/**
 * Reads a text file whole; its title is the file's name.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromText = (bytes: Uint8Array, id: string, name: string): Parsed =>
  Either.flatMap(decodeText(bytes), (text) =>
    text.trim() === ""
      ? Either.left("it is empty")
      : Either.right({ id, title: name, text: text.trim(), metadata: { path: id } }))
