/**
 * One promise of a document store, and how it is written down.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import type { Document } from "../../document/Document.js"
import * as DocumentStore from "../../document/DocumentStore.js"
import * as Embedder from "../../embedding/Embedder.js"

/**
 * @since 0.1.0
 * @category testing
 */
export interface Law {
  readonly name: string
  readonly check: Effect.Effect<void, unknown, DocumentStore.DocumentStore | Embedder.Embedder>
}

/**
 * What a law has at hand: the store, and a tenant nobody used before.
 *
 * @since 0.1.0
 * @category testing
 */
export interface Bench {
  readonly store: DocumentStore.DocumentStore["Type"]
  readonly tenant: string
  /** Indexes into the law's tenant. */
  readonly index: (
    ...documents: ReadonlyArray<Document>
  ) => Effect.Effect<ReadonlyArray<DocumentStore.Outcome>, DocumentStore.DocumentStoreError>
  /** Searches the law's tenant by words; ten hits unless the query says otherwise. */
  readonly search: (
    text: string,
    query?: Partial<DocumentStore.Query>
  ) => Effect.Effect<ReadonlyArray<DocumentStore.Hit>, DocumentStore.DocumentStoreError>
  /** The ids of the documents such a search finds, in order. */
  readonly ids: (
    text: string,
    query?: Partial<DocumentStore.Query>
  ) => Effect.Effect<ReadonlyArray<string>, DocumentStore.DocumentStoreError>
  readonly vector: (text: string) => Effect.Effect<Float32Array, unknown>
}

/**
 * Writes a law.
 *
 * @since 0.1.0
 * @category testing
 */
export const law = (name: string, body: (bench: Bench) => Effect.Effect<void, unknown>): Law => ({
  name,
  check: Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const embedder = yield* Embedder.Embedder
    const tenant = `law-${randomUUID()}`
    const search: Bench["search"] = (text, query) => store.search({ tenant, text, limit: 10, ...query })
    yield* body({
      store,
      tenant,
      index: (...documents) => store.index(tenant, documents),
      search,
      ids: (text, query) => Effect.map(search(text, query), (hits) => hits.map((hit) => hit.passage.documentId)),
      vector: (text) => Effect.map(embedder.embed([text]), ([vector]) => vector ?? new Float32Array())
    })
  })
})

/**
 * A document of one short passage.
 *
 * @since 0.1.0
 * @category testing
 */
export const note = (id: string, text: string, more: Partial<Document> = {}): Document => ({ id, text, ...more })

/**
 * A text of several passages, each naming `word` with its number once.
 *
 * @since 0.1.0
 * @category testing
 */
export const long = (word: string, paragraphs: number): string =>
  Array.from(
    { length: paragraphs },
    (_, n) => `Paragraph ${n} is about ${word}${n}. ${"It goes on for a while about other matters. ".repeat(20)}`
  ).join("\n\n")
