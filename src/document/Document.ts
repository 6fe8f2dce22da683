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
  readonly metadata?: Metadata | undefined
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
  /** When it was indexed, ISO 8601. */
  readonly indexedAt: string
  readonly metadata: Metadata
}
