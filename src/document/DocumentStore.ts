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
import * as Embedder from "../embedding/Embedder.js"
import type { Document, MetadataValue, Passage } from "./Document.js"
import * as Filter_ from "./internal/Filter.js"
import * as Fusion from "./internal/Fusion.js"
import * as Ingestion from "./internal/Ingestion.js"
import * as MemoryIndex from "./internal/MemoryIndex.js"
import * as Tokenizer from "./Tokenizer.js"

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
 * @since 0.1.0
 * @category errors
 */
export class DocumentStoreError extends Schema.TaggedError<DocumentStoreError>(
  "causeway/DocumentStore/DocumentStoreError"
)("DocumentStoreError", {
  method: Schema.Literal("open", "index", "remove", "search", "get", "list", "size", "ping"),
  reason: Schema.Union(Unavailable, Incompatible)
}) {
  get isRetryable() {
    return this.reason.isRetryable
  }
  override get message() {
    return `DocumentStore.${this.method}: ${this.reason.message}`
  }
}

/**
 * What became of one document of a batch. `refused` names why in `reason` and
 * never fails the others.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly id: string; readonly status: "indexed" | "unchanged"; readonly passages: number }
  | { readonly id: string; readonly status: "refused"; readonly reason: string }

/**
 * Which passages may be found. Every field narrows; none given means all.
 *
 * @since 0.1.0
 * @category models
 */
export interface Filter {
  /** Metadata that must be equal; a list means any of these. */
  readonly metadata?: { readonly [key: string]: MetadataValue | ReadonlyArray<MetadataValue> } | undefined
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
 * @since 0.1.0
 * @category models
 */
export interface Hit {
  readonly passage: Passage
  /** The fused score of this search alone, 0 to 1: it ranks, it is no confidence. */
  readonly score: number
  readonly signals: Signals
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
}

/**
 * @since 0.1.0
 * @category tags
 */
export class DocumentStore extends Context.Tag("causeway/DocumentStore")<DocumentStore, {
  /**
   * Indexes documents of one tenant. Durable when it returns. A document that
   * cannot be indexed is `refused` by name; an empty batch is no error. Outcomes
   * stand in the order of the documents; of one id given twice the last wins.
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
   * without a date last, those of one date by id. At most `limit`, 1 to 1,000.
   */
  readonly list: (
    tenant: string,
    options: { readonly filter?: Filter | undefined; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<Listed>, DocumentStoreError>
  /** How much one tenant has stored. */
  readonly size: (
    tenant: string
  ) => Effect.Effect<{ readonly documents: number; readonly passages: number }, DocumentStoreError>
  /** Succeeds when the store can answer. */
  readonly ping: Effect.Effect<void, DocumentStoreError>
}>() {}

const incompatible = (method: DocumentStoreError["method"], description: string): DocumentStoreError =>
  new DocumentStoreError({ method, reason: new Incompatible({ description }) })

/**
 * Keeps everything in this process and forgets it at the end. Searches exactly:
 * a millisecond or two for 10,000 passages with `Embedder.layerHash`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<DocumentStore, never, Embedder.Embedder> = Layer.effect(
  DocumentStore,
  Effect.map(Embedder.Embedder, (embedder) => {
    const tenants = new Map<string, MemoryIndex.MemoryIndex>()
    const lexicalWeight = Fusion.lexicalWeight(embedder.id)

    const index = Effect.fnUntraced(function*(tenant: string, documents: ReadonlyArray<Document>) {
      const plan = yield* Ingestion.plan(tenant, documents, embedder.id, (id) => tenants.get(tenant)?.get(id))
      const entries = yield* Ingestion.entries(plan, embedder).pipe(Effect.mapError((error) =>
        error._tag === "Misfit"
          ? incompatible(
            "index",
            `the embedder ${embedder.id} did not give one vector of ${embedder.dimensions} dimensions per passage`
          )
          : error.isRetryable
          ? new DocumentStoreError({ method: "index", reason: new Unavailable({ cause: error }) })
          : incompatible("index", error.message)
      ))
      if (entries.length === 0) return plan.outcomes
      let own = tenants.get(tenant)
      if (own === undefined) tenants.set(tenant, own = MemoryIndex.make(embedder.dimensions))
      for (const entry of entries) {
        // in one turn: a search sees a document old or new, never half
        own.put(entry)
        yield* Ingestion.giveWay
      }
      return plan.outcomes
    })

    const search = (query: Query): Effect.Effect<ReadonlyArray<Hit>, DocumentStoreError> => {
      const filter = Filter_.compile(query.filter)
      if (query.vector !== undefined && query.vector.length !== embedder.dimensions) {
        return incompatible(
          "search",
          `the query's vector has ${query.vector.length} dimensions, those stored with ${embedder.id} have ${embedder.dimensions}`
        )
      }
      return Effect.sync(() =>
        filter === undefined ? [] : tenants.get(query.tenant)?.search({
          terms: Tokenizer.terms(query.text),
          vector: query.vector,
          filter,
          limit: query.limit,
          lexicalWeight
        }) ?? []
      )
    }

    return DocumentStore.of({
      index,
      search,
      remove: (tenant, ids) => Effect.sync(() => ids.filter((id) => tenants.get(tenant)?.remove(id) === true).length),
      get: (tenant, id) =>
        Effect.sync(() => tenants.get(tenant)?.get(id)?.passages.map(({ passage }) => passage) ?? []),
      list: (tenant, { filter, limit }) =>
        Effect.sync(() => {
          const compiled = Filter_.compile(filter)
          return compiled === undefined ? [] : tenants.get(tenant)?.list(compiled, Filter_.listLimitOf(limit)) ?? []
        }),
      size: (tenant) => Effect.sync(() => tenants.get(tenant)?.size() ?? { documents: 0, passages: 0 }),
      ping: Effect.void
    })
  })
)
