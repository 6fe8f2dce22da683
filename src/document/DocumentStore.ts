/**
 * Keeps passages and finds them by words and by meaning, behind one contract
 * that memory and Postgres both honour.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Embedder from "../embedding/Embedder.js"
import type { Document, MetadataValue, Passage } from "./Document.js"
import * as MemoryStore from "./internal/MemoryStore.js"

/**
 * The store did not answer; trying again may help.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Schema.TaggedError<Unavailable>("causeway/DocumentStore/Unavailable")("Unavailable", {
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  get isRetryable() {
    return true
  }
  override get message() {
    return "the document store did not answer"
  }
}

/**
 * What is stored and what is asked do not fit: another embedder's vectors, a
 * schema newer than this program.
 *
 * @since 0.1.0
 * @category errors
 */
export class Incompatible extends Schema.TaggedError<Incompatible>("causeway/DocumentStore/Incompatible")(
  "Incompatible",
  { description: Schema.String }
) {
  get isRetryable() {
    return false
  }
  override get message() {
    return this.description
  }
}

/**
 * The question cannot be asked: a date that is none, a limit that is no number.
 * Nothing was searched.
 *
 * @since 0.1.0
 * @category errors
 */
export class Invalid extends Schema.TaggedError<Invalid>("causeway/DocumentStore/Invalid")("Invalid", {
  description: Schema.String
}) {
  get isRetryable() {
    return false
  }
  override get message() {
    return this.description
  }
}

/**
 * The changes after this revision are no longer kept: read the documents anew
 * and follow from the revision that `size` gives.
 *
 * @since 0.1.0
 * @category errors
 */
export class Expired extends Schema.TaggedError<Expired>("causeway/DocumentStore/Expired")("Expired", {
  /** The oldest revision that can be followed. */
  oldest: Schema.Number
}) {
  get isRetryable() {
    return false
  }
  override get message() {
    return `changes are kept from revision ${this.oldest} on; read the documents anew and follow from there`
  }
}

/**
 * The embedder gave no vectors for documents that were to be indexed. The store
 * itself is well, and holds of each of them what it held.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unembedded extends Schema.TaggedError<Unembedded>("causeway/DocumentStore/Unembedded")("Unembedded", {
  embedder: Schema.String,
  description: Schema.String,
  /** Whether the embedder is expected to answer later. */
  isRetryable: Schema.Boolean,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return `the embedder ${this.embedder} gave no vectors: ${this.description}`
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export class DocumentStoreError extends Schema.TaggedError<DocumentStoreError>(
  "causeway/DocumentStore/DocumentStoreError"
)("DocumentStoreError", {
  method: Schema.Literal("open", "index", "remove", "search", "get", "list", "size", "changes", "ping"),
  reason: Schema.Union(Unavailable, Incompatible, Invalid, Expired, Unembedded)
}) {
  get isRetryable() {
    return this.reason.isRetryable
  }
  override get message() {
    return `DocumentStore.${this.method}: ${this.reason.message}`
  }
}

/**
 * What became of one document of a batch: `indexed`, `unchanged` because the
 * same content is stored, `outdated` because a later version is. `refused` names
 * why in `reason` and never fails the others. `passages` are those stored now.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly id: string; readonly status: "indexed" | "unchanged" | "outdated"; readonly passages: number }
  | { readonly id: string; readonly status: "refused"; readonly reason: string }

/**
 * Numbers from `min` to `max`, both included; a fact that is no number does not
 * match.
 *
 * @since 0.1.0
 * @category models
 */
export interface Range {
  readonly min?: number | undefined
  readonly max?: number | undefined
}

/**
 * What a fact must be: a value, one of several, or a number in a range.
 *
 * @since 0.1.0
 * @category models
 */
export type Condition = MetadataValue | ReadonlyArray<MetadataValue> | Range

/**
 * Which passages may be found. Every field narrows; none given means all. A date
 * or number that is none fails as `Invalid`; what merely cannot be stored, or an
 * empty list, matches nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Filter {
  /** By the fact's name; a fact that a document does not have matches nothing. */
  readonly metadata?: { readonly [key: string]: Condition } | undefined
  /** Published at or after, ISO 8601. Passages without a date do not match. */
  readonly since?: string | undefined
  /** Published before, ISO 8601. */
  readonly until?: string | undefined
  readonly documentIds?: ReadonlyArray<string> | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Query {
  readonly tenant: string
  readonly text: string
  /** The query's vector; without it the search goes by words alone. */
  readonly vector?: Float32Array | undefined
  /** 1 to 100. */
  readonly limit: number
  readonly filter?: Filter | undefined
}

/**
 * What the arms of the search saw in a passage: the features a confidence is
 * computed from.
 *
 * @since 0.1.0
 * @category models
 */
export interface Signals {
  /** BM25 over the query's terms. */
  readonly bm25: number
  /** BM25 over the most this query could reach anywhere: comparable across queries, 0 to 1. */
  readonly bm25Share: number
  /** Cosine of the vectors, -1 to 1; 0 without vectors. */
  readonly cosine: number
}

/**
 * Which of several copies of the store answered.
 *
 * @since 0.1.0
 * @category models
 */
export interface Origin {
  readonly region: string
  /** How far behind the primary what was read may be, milliseconds; 0 for the primary itself; absent when the primary was never seen. */
  readonly behindMillis?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Hit {
  readonly passage: Passage
  /** The fused score of this search alone, 0 to 1: it ranks, it is no confidence. */
  readonly score: number
  readonly signals: Signals
  /** Absent where there is but one copy. */
  readonly origin?: Origin | undefined
}

/**
 * A document as a list names it, without its text.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listed {
  readonly id: string
  /** Empty when it has none. */
  readonly title: string
  readonly publishedAt?: string | undefined
  /** How many passages it has. */
  readonly passages: number
  /** The document's version, if it was given one. */
  readonly version?: number | undefined
}

/**
 * The place in a list after which it goes on: the last document it gave.
 *
 * @since 0.1.0
 * @category models
 */
export type Place = Pick<Listed, "id" | "publishedAt">

/**
 * How much a tenant has stored, as of which of its revisions.
 *
 * @since 0.1.0
 * @category models
 */
export interface Size {
  readonly documents: number
  readonly passages: number
  /** Counts the tenant's changes from 0. */
  readonly revision: number
}

/**
 * A document that was indexed anew or removed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Change {
  readonly tenant: string
  /** Counts the tenant's changes from 1 without a gap, in the order in which they became visible. */
  readonly revision: number
  readonly documentId: string
  readonly kind: "indexed" | "removed"
  /** Of an indexed document that was given one. */
  readonly version?: number | undefined
  /** ISO 8601. */
  readonly changedAt: string
}

/**
 * @since 0.1.0
 * @category tags
 */
export class DocumentStore extends Context.Tag("causeway/DocumentStore")<DocumentStore, {
  /**
   * Indexes documents of one tenant. Durable when it returns. A document that
   * cannot be indexed, or of which the embedder refuses a text, is `refused` by
   * name; an empty batch is no error. Outcomes stand in the order of the
   * documents; of one id given twice the last wins. Fails as `Unembedded` when the
   * embedder does not answer.
   */
  readonly index: (
    tenant: string,
    documents: ReadonlyArray<Document>
  ) => Effect.Effect<ReadonlyArray<Outcome>, DocumentStoreError>
  /** Removes documents and says how many there were; an unknown id is no error. */
  readonly remove: (tenant: string, ids: ReadonlyArray<string>) => Effect.Effect<number, DocumentStoreError>
  /** The best passages first, equal scores by document id and position; none is no error. */
  readonly search: (query: Query) => Effect.Effect<ReadonlyArray<Hit>, DocumentStoreError>
  /** A document's passages in order; empty when unknown. */
  readonly get: (tenant: string, id: string) => Effect.Effect<ReadonlyArray<Passage>, DocumentStoreError>
  /**
   * The documents that pass a filter, whatever they say: the newest first, those
   * without a date last, those of one date by id; after a place, the next ones. At
   * most `limit`, 1 to 1,000.
   */
  readonly list: (
    tenant: string,
    options: { readonly filter?: Filter | undefined; readonly limit: number; readonly after?: Place | undefined }
  ) => Effect.Effect<ReadonlyArray<Listed>, DocumentStoreError>
  /** How much one tenant has stored; 0 of everything for a tenant that never stored. */
  readonly size: (tenant: string) => Effect.Effect<Size, DocumentStoreError>
  /**
   * The changes that are acknowledged, each once and in order, of one tenant or
   * of all (in order within each), `after` a revision of the one tenant or from
   * the moment the stream is run. Never ends; waits through outages of its source
   * and goes on where it was. Fails as `Expired` when what it would give next is no longer kept.
   * A change names the document; what it says is read with `get`.
   */
  readonly changes: (
    options?: { readonly tenant: string; readonly after?: number | undefined } | undefined
  ) => Stream.Stream<Change, DocumentStoreError>
  /** Succeeds when the store can answer. */
  readonly ping: Effect.Effect<void, DocumentStoreError>
}>() {}

const failed = (method: DocumentStoreError["method"]) => (trouble: MemoryStore.Trouble): DocumentStoreError => {
  switch (trouble._tag) {
    case "Unembedded": {
      const { _tag, ...why } = trouble
      return new DocumentStoreError({ method, reason: new Unembedded(why) })
    }
    case "Incompatible":
      return new DocumentStoreError({ method, reason: new Incompatible({ description: trouble.description }) })
    case "Invalid":
      return new DocumentStoreError({ method, reason: new Invalid({ description: trouble.description }) })
    case "Expired":
      return new DocumentStoreError({ method, reason: new Expired({ oldest: trouble.oldest }) })
  }
}

/**
 * The service over documents in memory.
 *
 * @internal
 */
export const overMemory = (memory: MemoryStore.MemoryStore): Context.Tag.Service<DocumentStore> => ({
  index: (tenant, documents) => Effect.mapError(memory.index(tenant, documents), failed("index")),
  remove: memory.remove,
  search: (query) => Effect.mapError(memory.search(query), failed("search")),
  get: memory.get,
  list: (tenant, options) => Effect.mapError(memory.list(tenant, options), failed("list")),
  size: memory.size,
  changes: (options) => Stream.mapError(memory.changes(options), failed("changes")),
  ping: Effect.void
})

/**
 * Keeps everything in this process and forgets it at the end. Searches exactly:
 * 100,000 passages in a few milliseconds, or a few tens of them where a query's
 * vector is not mostly zeros, as a model's is not. The vectors of all tenants
 * together take at most 4 GiB, which are 2.7 million of 384 dimensions: a document
 * too many fails as `Incompatible`, and so do all after it until some are
 * removed. Memory that vectors took is used again, and given back at the end. Of
 * each tenant the last 100,000 changes are kept.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<DocumentStore, never, Embedder.Embedder> = Layer.effect(
  DocumentStore,
  Effect.map(Embedder.Embedder, (embedder) => overMemory(MemoryStore.make({ embedder })))
)
