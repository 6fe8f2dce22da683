/**
 * One promise of a document store, and how it is written down.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
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
  /** How many documents and passages the law's tenant has stored. */
  readonly held: Effect.Effect<readonly [documents: number, passages: number], DocumentStore.DocumentStoreError>
  /** The next changes of the law's tenant after a revision, as many as wanted, within ten seconds. */
  readonly changes: (
    count: number,
    after: number
  ) => Effect.Effect<ReadonlyArray<DocumentStore.Change>, DocumentStore.DocumentStoreError>
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
    const changes: Bench["changes"] = (count, after) =>
      soon(Stream.runCollect(Stream.take(store.changes({ tenant, after }), count))).pipe(
        Effect.map(Chunk.toReadonlyArray)
      )
    yield* body({
      store,
      changes,
      held: Effect.map(store.size(tenant), ({ documents, passages }) => [documents, passages] as const),
      tenant,
      index: (...documents) => store.index(tenant, documents),
      search,
      ids: (text, query) => Effect.map(search(text, query), (hits) => hits.map((hit) => hit.passage.documentId)),
      vector: (text) => Effect.map(embedder.embed([text]), ([vector]) => vector ?? new Float32Array())
    })
    // A server does not wait for a test's clock.
  }).pipe(Effect.withClock(Clock.make()))
})

/**
 * Fails what is not done within ten seconds, as a defect.
 *
 * @since 0.1.0
 * @category testing
 */
export const soon = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.timeoutTo(effect, {
    duration: "10 seconds",
    onSuccess: Effect.succeed<A>,
    onTimeout: () => Effect.dieMessage("it was not done within 10 s")
  }).pipe(Effect.flatten)

/**
 * The statuses of outcomes, in order.
 *
 * @since 0.1.0
 * @category testing
 */
export const statuses = (outcomes: ReadonlyArray<DocumentStore.Outcome>): ReadonlyArray<string> =>
  outcomes.map((outcome) => outcome.status)

/**
 * Fails unless an effect fails as `Invalid`, by the method that was called, with
 * a sentence that names what is wrong.
 *
 * @since 0.1.0
 * @category testing
 */
export const invalid = (
  effect: Effect.Effect<unknown, DocumentStore.DocumentStoreError>,
  method: DocumentStore.DocumentStoreError["method"],
  named: string
): Effect.Effect<void> =>
  Effect.match(effect, {
    onSuccess: () => assert.fail(`${method} took a wrong ${named}`),
    onFailure: (error) => {
      assert.equal(error.reason._tag, "Invalid")
      assert.equal(error.method, method)
      assert.ok(error.message.includes(named), error.message)
      assert.equal(error.isRetryable, false)
    }
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

/**
 * Four documents that share a word, with facts of every type.
 *
 * @since 0.1.0
 * @category testing
 */
export const zoo: ReadonlyArray<Document> = [
  note("fox", "The quick brown fox jumps over the lazy dog.", { metadata: { kind: "fable", year: 2020, real: false } }),
  note("bond", "Bond yields rose after the central bank's decision.", {
    metadata: { kind: "news", year: 2026, real: true }
  }),
  note("fund", "The fund bought bonds and sold shares.", { metadata: { kind: "news", year: 2025, real: true } }),
  note("text", "A bond of another kind.", { metadata: { kind: "note", year: "2026", real: "true" } })
]
