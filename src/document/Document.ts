/**
 * A document as it is handed in, and a passage as it is found.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * One fact about a document by which a search can filter.
 *
 * @since 0.1.0
 * @category schemas
 */
export const MetadataValue = Schema.Union(Schema.String, Schema.Number, Schema.Boolean)

/**
 * @since 0.1.0
 * @category models
 */
export type MetadataValue = typeof MetadataValue.Type

/**
 * @since 0.1.0
 * @category models
 */
export type Metadata = { readonly [key: string]: MetadataValue }

/**
 * A document to index. Its id is the caller's; indexing the same id again
 * replaces it, and the same id with the same content changes nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Document {
  readonly id: string
  readonly text: string
  readonly title?: string | undefined
  readonly uri?: string | undefined
  /** When it was published, ISO 8601; absent when unknown. */
  readonly publishedAt?: string | undefined
  /**
   * Which of the document's states this is, a whole number from 0 that the source
   * raises; 0 to 2^53 - 1. A lower one than is stored changes nothing, so that
   * what arrives late does no harm; the same one with other content is refused.
   * Absent: the last to arrive wins, and what is stored has no version then.
   */
  readonly version?: number | undefined
  readonly metadata?: Metadata | undefined
}

/**
 * Where a passage stands in its document's text, `[start, end)` in UTF-16 units.
 *
 * @since 0.1.0
 * @category models
 */
export interface Span {
  readonly start: number
  readonly end: number
}

/**
 * A piece of a document, as a search finds it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Passage {
  readonly documentId: string
  /** Counts the document's passages from 0. */
  readonly position: number
  readonly title: string
  readonly text: string
  readonly uri?: string | undefined
  readonly publishedAt?: string | undefined
  /** When it was indexed, ISO 8601; embedding it again does not change that. */
  readonly indexedAt: string
  /** The document's version, if it was given one. */
  readonly version?: number | undefined
  /** Absent for what was stored by a program that did not keep it yet. */
  readonly span?: Span | undefined
  readonly metadata: Metadata
}
