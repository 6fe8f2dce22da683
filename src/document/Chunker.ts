/**
 * Cuts a document into passages a search can find, and says which documents no
 * store takes.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import type { Document } from "./Document.js"
import * as Filter from "./internal/Filter.js"
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
 * next passage. A sentence that is too long is cut at a line end, else between words,
 * else anywhere but inside a surrogate pair. The same text gives the same
 * passages, in linear time; nothing but white space is lost.
 *
 * @since 0.1.0
 * @category combinators
 */
export const chunk = (document: Pick<Document, "text">, options: Options = {}): ReadonlyArray<Chunk> => {
  const { text } = document
  const maxLength = Math.max(100, Math.trunc(options.maxLength ?? 1600))
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
    passages.push({ position: passages.length, text: text.slice(first.start, last.end) })
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

/**
 * Why no store takes a document, as a sentence; `undefined` when it may be
 * indexed. Refused are: an id that is blank or longer than 512 characters; text
 * that is blank, over 2 MiB in UTF-8 or looks binary (one character in twenty is a control
 * character); a title over 2,000 characters or a uri over 4,096; NUL or half a surrogate
 * pair anywhere; a `publishedAt` that is no ISO 8601 date; more than 64 metadata
 * entries, more than 64 KiB of them, or a number that is not finite.
 *
 * @since 0.1.0
 * @category guards
 */
export const check = (document: Document): string | undefined => {
  if (document.id.trim() === "") return "the id is empty"
  if (document.id.length > 512) return "the id is longer than 512 characters"
  if (!Filter.isStorable(document.id)) return "the id holds a NUL or a broken character"
  if (document.text.length > maxBytes || Buffer.byteLength(document.text) > maxBytes) {
    return "the text is larger than 2 MiB; index it in parts"
  }
  if (!visible.test(document.text)) return "the text is empty"
  if (!Filter.isStorable(document.text)) return "the text holds a NUL or a broken character"
  if ((document.text.match(control)?.length ?? 0) * 20 > document.text.length) return "the text looks binary"
  if (document.title !== undefined) {
    if (document.title.length > 2000) return "the title is longer than 2000 characters"
    if (!Filter.isStorable(document.title)) return "the title holds a NUL or a broken character"
  }
  if (document.uri !== undefined) {
    if (document.uri.length > 4096) return "the uri is longer than 4096 characters"
    if (!Filter.isStorable(document.uri)) return "the uri holds a NUL or a broken character"
  }
  if (document.publishedAt !== undefined && Moment.millis(document.publishedAt) === undefined) {
    return "publishedAt is not an ISO 8601 date, for example 2026-11-22T09:00:00Z"
  }
  return checkMetadata(document)
}

const checkMetadata = ({ metadata = {} }: Document): string | undefined => {
  const entries = Object.entries(metadata)
  if (entries.length > 64) return "there are more than 64 metadata entries"
  let size = 0
  for (const [key, value] of entries) {
    if (!Filter.isStorable(key)) return "a metadata key holds a NUL or a broken character"
    if (typeof value === "number" && !Number.isFinite(value)) {
      return `metadata ${JSON.stringify(key)} is not a finite number`
    }
    if (typeof value === "string" && !Filter.isStorable(value)) {
      return `metadata ${JSON.stringify(key)} holds a NUL or a broken character`
    }
    size += key.length + (typeof value === "string" ? value.length : 8)
  }
  return size > 65_536 ? "the metadata is larger than 64 KiB" : undefined
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
