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
  metadata: Schema.optionalWith(Schema.Record({ key: Schema.String, value: MetadataValue }), absent)
})

const decodeLine = Schema.decodeUnknownEither(Line)

const decodeText = (bytes: Uint8Array): Either.Either<string, string> =>
  Either.try({
    // A decoder of its own for each text: a fatal one that has failed may keep bytes back.
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => "it is not valid UTF-8 text"
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
 * Reads one JSONL line: `{ id?, text, title?, uri?, publishedAt?, metadata? }`.
 * `fallbackId` names a line without an id.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromLine = (bytes: Uint8Array, fallbackId: string): Parsed =>
  Either.gen(function*() {
    const json = yield* Either.flatMap(decodeText(bytes), parseJson)
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
  const match = /^---[ \t]*\r?\n([\s\S]*?)(?:^|\r?\n)---[ \t]*(?:\r?\n|$)/.exec(text)
  const block = match?.[1]
  if (match === null || block === undefined) return { title: undefined, date: undefined, body: text }
  const field = (name: string): string | undefined => {
    const value = new RegExp(`^${name}:[ \\t]*(.+?)[ \\t]*\\r?$`, "m").exec(block)?.[1]
    return value === undefined ? undefined : unquote(value)
  }
  return { title: field("title"), date: field("date"), body: text.slice(match[0].length) }
}

/** A number sign inside a code fence opens a comment, not a heading. */
const firstHeading = (text: string): string | undefined => {
  let isCode = false
  for (const line of text.split("\n")) {
    if (/^\s{0,3}(```|~~~)/.test(line)) isCode = !isCode
    const heading = isCode ? undefined : /^\s{0,3}#{1,6}[ \t]+(.+?)[ \t#]*\r?$/.exec(line)?.[1]
    if (heading !== undefined) return heading
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
