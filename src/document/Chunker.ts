/**
 * Cuts a document into passages a search can find, and says which documents no
 * store takes.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import type { Document, Span } from "./Document.js"
import * as Sentences from "./internal/Sentences.js"
import * as Moment from "./Moment.js"

/**
 * A piece of a document's text.
 *
 * @since 0.1.0
 * @category models
 */
export interface Chunk {
  /** Counts from 0. */
  readonly position: number
  /** Never blank; a slice of the document's text without white space around it. */
  readonly text: string
  /** Where that slice stands: `document.text.slice(span.start, span.end) === text`. */
  readonly span: Span
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The longest passage in UTF-16 units; 1600 unless given, at least 100. */
  readonly maxLength?: number | undefined
  /** The longest last sentence that the next passage repeats; 150 unless given, 0 for none. */
  readonly overlap?: number | undefined
}

/**
 * The passages of a document in order: whole sentences up to `maxLength`, a
 * heading with the text it heads, the last short sentence repeated in the
 * next passage. Markdown is understood as far as it tells where not to cut: a
 * table (also one in HTML) and fenced code stay whole when they fit into a passage and
 * are cut between rows or lines when they do not, lists between lines. A sentence or
 * row that is too long is cut at a line end, else between words, else anywhere but
 * inside a surrogate pair. The same text gives the same passages, in linear time;
 * nothing but white space is lost.
 *
 * @since 0.1.0
 * @category combinators
 */
export const chunk = (document: Pick<Document, "text">, options: Options = {}): ReadonlyArray<Chunk> => {
  const { text } = document
  const { maxLength: wanted = 1600 } = options
  const maxLength = wanted >= 100 ? Math.trunc(wanted) : 100
  const overlap = Math.min(options.overlap ?? 150, maxLength / 8)
  const units = Sentences.split(text, maxLength)
  const total = (units.at(-1)?.end ?? 0) - (units[0]?.start ?? 0)
  // passages of about equal length: a short last one would rank by its shortness
  const target = Math.ceil(total / Math.ceil(total / maxLength))
  const passages: Array<Chunk> = []
  let open = 0
  for (let first = units[open]; first !== undefined; first = units[open]) {
    let close = open
    let last = first
    for (let unit = units[close]; unit !== undefined; unit = units[close]) {
      const reached = close === open ? 0 : last.end - first.start
      const isFull = reached >= target && !last.isHeading
      if (isFull || unit.end - first.start > maxLength || (unit.isHeading && reached >= maxLength / 2)) break
      last = unit
      close++
    }
    const following = units[close]
    if (following !== undefined) close = withoutHeadings(units, open, close, maxLength / 4)
    last = units[close - 1] ?? last
    const span = { start: first.start, end: last.end }
    passages.push({ position: passages.length, text: text.slice(span.start, span.end), span })
    const isRepeated = following !== undefined && close - 1 > open && !last.isHeading && units[close] === following &&
      !following.isHeading && last.end - last.start <= overlap && following.end - last.start <= maxLength
    open = isRepeated ? close - 1 : close
  }
  return passages
}

/** Leaves headings at the end of a passage to the next one, if they are few. */
const withoutHeadings = (
  units: ReadonlyArray<Sentences.Unit>,
  open: number,
  close: number,
  most: number
): number => {
  const end = units[close - 1]?.end ?? 0
  let kept = close
  for (let unit = units[kept - 1]; unit?.isHeading === true; unit = units[kept - 1]) {
    kept--
    if (kept <= open || end - unit.start > most) return close
  }
  return kept
}

/**
 * The text a passage's vector is made of.
 *
 * @since 0.1.0
 * @category combinators
 */
export const embedded = (title: string | undefined, text: string): string =>
  title === undefined || title === "" ? text : `${title}\n${text}`

const maxBytes = 2 * 1024 * 1024
const control = /[\x01-\x08\x0e-\x1f\x7f\ufffd]/g // eslint-disable-line no-control-regex
const visible = /[^\s\p{C}\p{Z}\p{M}]/u
const unstorable = /[\0\p{Cs}]/u

/** What is wrong with a text that must fit into every store; `name` says which of the document's it is. */
const checkText = (name: string, text: unknown, maxLength: number): string | undefined => {
  if (typeof text !== "string") return `${name} is not text: give it as a string`
  if (text.length > maxLength) return `${name} is longer than ${maxLength} characters: shorten it`
  const at = text.search(unstorable)
  return at === -1 ? undefined : `${name} holds a NUL or half a surrogate pair at offset ${at}: remove it`
}

/**
 * Why no store takes a document, as a sentence that says what to do about it;
 * `undefined` when it may be indexed. Refused are: an id that is blank or longer
 * than 512 characters; text that is blank, over 2 MiB in UTF-8 or looks binary (one
 * character in twenty is a control character or stands for a byte that was none); a title
 * over 2,000 characters or a uri over 4,096; NUL or half a surrogate pair anywhere; a
 * `publishedAt` that is no ISO 8601 date of the years 1 to 9999; a `version` that is no
 * whole number from 0 to 2^53 - 1; more than 64 metadata entries, more than 64 Ki
 * characters of them, or one that is no text, finite number or boolean. Looks at types too: a
 * document may come from outside the compiler's reach, and must not fail those
 * beside it.
 *
 * @since 0.1.0
 * @category guards
 */
export const check = (document: Document): string | undefined => {
  const { id, publishedAt, text, title, uri, version } = document
  const named = checkText("the id", id, 512)
  if (named !== undefined) return named
  if (id.trim() === "") return "the id is empty: give each document one of its own"
  if (typeof text === "string" && (text.length > maxBytes || Buffer.byteLength(text) > maxBytes)) {
    return "the text is larger than 2 MiB: index it in parts"
  }
  const broken = checkText("the text", text, maxBytes)
  if (broken !== undefined) return broken
  if (!visible.test(text)) return "the text is empty: leave the document out, or remove it by its id"
  if ((text.match(control)?.length ?? 0) * 20 > text.length) {
    return "the text looks binary: extract its words, or decode it with the encoding it was written in"
  }
  const labelled = (title === undefined ? undefined : checkText("the title", title, 2000)) ??
    (uri === undefined ? undefined : checkText("the uri", uri, 4096))
  if (labelled !== undefined) return labelled
  if (publishedAt !== undefined && (typeof publishedAt !== "string" || Moment.millis(publishedAt) === undefined)) {
    return "publishedAt is not an ISO 8601 date of the years 1 to 9999: write it like 2026-11-22T09:00:00Z"
  }
  if (version !== undefined && !(Number.isSafeInteger(version) && version >= 0)) {
    return "the version is not a whole number from 0 to 2^53 - 1: count the document's states, or leave it out"
  }
  return checkMetadata(document.metadata)
}

/** An index of a database holds no more in one entry than 2,704 bytes. */
const longestTenant = 2_000

/**
 * Why no store takes documents of a tenant of this name, as a sentence;
 * `undefined` when it does. Refused are names over 2,000 bytes in UTF-8, and NUL or
 * half a surrogate pair in them.
 *
 * @since 0.1.0
 * @category guards
 */
export const checkTenant = (tenant: string): string | undefined =>
  unstorable.test(tenant)
    ? "the tenant's name holds a NUL or a broken character"
    : Buffer.byteLength(tenant) > longestTenant
    ? `the tenant's name is longer than ${longestTenant.toLocaleString("en")} bytes`
    : undefined

const checkMetadata = (metadata: unknown): string | undefined => {
  if (metadata === undefined) return undefined
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) {
    return "the metadata is no object: give values by name"
  }
  const entries: ReadonlyArray<readonly [string, unknown]> = Object.entries(metadata)
  if (entries.length > 64) return `there are ${entries.length} metadata entries: give at most 64`
  let size = 0
  for (const [key, value] of entries) {
    // cut, so that a hostile name does not fill the log
    const name = `metadata ${JSON.stringify(key.slice(0, 60))}`
    if (unstorable.test(key)) return `the name of ${name} holds a NUL or half a surrogate pair: remove it`
    switch (typeof value) {
      case "boolean":
        break
      case "number":
        if (!Number.isFinite(value)) return `${name} is not a finite number: leave it out`
        break
      case "string": {
        const broken = checkText(name, value, Infinity)
        if (broken !== undefined) return broken
        break
      }
      default:
        return `${name} is no text, number, true or false: give one of these, or leave it out`
    }
    size += key.length + (typeof value === "string" ? value.length : 8)
  }
  return size > 65_536 ? "the metadata is longer than 65536 characters: keep what searches filter by" : undefined
}

/**
 * A digest of everything that indexing a document depends on, so that a store
 * sees whether anything changed. Differs between embedders.
 *
 * @since 0.1.0
 * @category combinators
 */
export const fingerprint = (document: Document, embedderId: string): string =>
  createHash("sha256").update(JSON.stringify([
    "causeway-chunk-1",
    embedderId,
    document.text,
    document.title ?? "",
    document.uri ?? null,
    document.publishedAt === undefined ? null : Moment.millis(document.publishedAt),
    Object.entries(document.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  ])).digest("base64url")
