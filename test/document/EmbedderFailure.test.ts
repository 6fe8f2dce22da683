import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as LazyDocumentStore from "causeway-mcp/document/LazyDocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as BatchingEmbedder from "causeway-mcp/embedding/BatchingEmbedder"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Directory from "./directory.js"
import * as Embedders from "./embedders.js"

const birds = Array.from(
  { length: 12 },
  (_, n) => ({ id: `d${n}`, text: `The heron number ${n} stands in the water.` })
)

/** The same documents, these of them with a word in their texts. */
const spoiled = (word: string, ...ids: ReadonlyArray<string>) =>
  birds.map((bird) => ids.includes(bird.id) ? { ...bird, text: `${bird.text} ${word}` } : bird)

const statuses = (outcomes: ReadonlyArray<DocumentStore.Outcome>) =>
  outcomes.map((outcome) => outcome.status === "refused" ? `${outcome.id} refused` : outcome.status)

const expected = (...ids: ReadonlyArray<string>) =>
  birds.map(({ id }) => ids.includes(id) ? `${id} refused` : "indexed")

type Opened = (embedder: Embedder.Embedding) => Effect.Effect<
  Context.Tag.Service<DocumentStore.DocumentStore>,
  unknown,
  Scope.Scope
>

const build = (layer: Layer.Layer<DocumentStore.DocumentStore, unknown, Embedder.Embedder>): Opened => (embedder) =>
  Effect.map(
    Layer.build(Layer.provide(layer, Layer.succeed(Embedder.Embedder, embedder))),
    Context.get(DocumentStore.DocumentStore)
  )

const onPglite = Layer.unwrapScoped(
  Effect.map(Directory.prepared, (dataDir) => PgDocumentStore.layer().pipe(Layer.provide(Pglite.layer({ dataDir }))))
)

const stores: ReadonlyArray<readonly [string, Opened]> = [
  ["in memory", build(DocumentStore.layerMemory)],
  ["opened in the background", build(LazyDocumentStore.layer(DocumentStore.layerMemory))],
  ["on PGlite", build(onPglite)]
]

for (const [where, open] of stores) {
  describe(`a store ${where}, when its embedder fails`, () => {
    it.scoped(
      "refuses the document whose text is refused, by name, and indexes the others",
      () =>
        Effect.gen(function*() {
          const { calls, embedder } = Embedders.make()
          const store = yield* open(embedder)
          const outcomes = yield* store.index("t", spoiled("poison", "d4", "d7"))
          assert.deepStrictEqual(statuses(outcomes), expected("d4", "d7"))
          assert.deepInclude(outcomes[4], {
            reason: "the embedder remote/model@384 refused the document \"d4\": the request was refused"
          })
          assert.deepStrictEqual(
            { ...(yield* store.size("t")), revision: undefined },
            { documents: 10, passages: 10, revision: undefined }
          )
          assert.deepStrictEqual(yield* store.get("t", "d4"), [])
          // Together, and then each of twelve.
          assert.isAtMost(calls.length, 13)
        }),
      60_000
    )

    it.scoped("keeps what it held of a document whose next state is refused", () =>
      Effect.gen(function*() {
        const { embedder } = Embedders.make()
        const store = yield* open(embedder)
        yield* store.index("t", birds)
        const [outcome] = yield* store.index("t", spoiled("poison", "d0").slice(0, 1))
        assert.strictEqual(outcome?.status, "refused")
        assert.strictEqual((yield* store.get("t", "d0"))[0]?.text, birds[0]?.text)
        assert.deepStrictEqual(statuses(yield* store.index("t", birds)), birds.map(() => "unchanged"))
      }), 60_000)

    it.scoped("finds out whose fault it is when the embedder does not say", () =>
      Effect.gen(function*() {
        const { embedder } = Embedders.make(Embedders.failure(false))
        const store = yield* open(embedder)
        assert.deepStrictEqual(statuses(yield* store.index("t", spoiled("poison", "d11"))), expected("d11"))
        const alone = yield* store.index("t", [{ id: "alone", text: "poison" }])
        assert.deepStrictEqual(statuses(alone), ["alone refused"])
      }), 60_000)

    it.scoped(
      "names the embedder when it takes no text at all, and asks no more of it than it must",
      () =>
        Effect.gen(function*() {
          const { calls, embedder, told } = Embedders.make()
          const store = yield* open(embedder)
          told.isDown = Embedders.failure(false)
          const error = yield* Effect.flip(store.index("t", birds))
          assert.strictEqual(
            error.message,
            "DocumentStore.index: the embedder remote/model@384 gave no vectors: the request was refused"
          )
          assert.isFalse(error.isRetryable)
          assert.lengthOf(calls, 14)
          told.isDown = Embedders.failure(false, false)
          assert.strictEqual((yield* Effect.flip(store.index("t", birds))).reason._tag, "Unembedded")
          assert.lengthOf(calls, 15)
          assert.strictEqual((yield* store.size("t")).documents, 0)
        }),
      60_000
    )

    it.scoped("asks little more for a refused text when the embedder works in batches", () =>
      Effect.gen(function*() {
        const { calls, embedder } = Embedders.make()
        const store = yield* open(yield* BatchingEmbedder.make(embedder, { linger: 0 }))
        assert.deepStrictEqual(statuses(yield* store.index("t", spoiled("poison", "d4"))), expected("d4"))
        assert.isAtMost(calls.length, 24)
      }), 60_000)

    it.scoped(
      "fails as retryable, by the embedder's name, while it is down, writes nothing, and logs that once",
      () => {
        const { layer, lines } = Embedders.collected()
        return Effect.gen(function*() {
          const { embedder, told } = Embedders.make()
          const store = yield* open(embedder)
          yield* store.index("t", birds.slice(0, 1))
          const before = yield* store.size("t")
          told.isDown = Embedders.failure(true, undefined, new Error("connect ECONNREFUSED"))
          for (let call = 0; call < 5; call++) {
            const error = yield* Effect.flip(store.index("t", spoiled("anew", "d0")))
            assert.strictEqual(
              error.message,
              "DocumentStore.index: the embedder remote/model@384 gave no vectors: the provider does not answer"
            )
            assert.deepInclude(error.reason, { _tag: "Unembedded", isRetryable: true, embedder: "remote/model@384" })
            yield* TestClock.adjust("2 minutes")
          }
          assert.deepStrictEqual(yield* store.size("t"), before)
          assert.strictEqual((yield* store.get("t", "d0"))[0]?.text, birds[0]?.text)
          told.isDown = undefined
          assert.strictEqual((yield* store.index("t", spoiled("anew", "d0")))[0]?.status, "indexed")
          assert.deepStrictEqual(lines.map((line) => line.split(" ")[0]), ["WARN", "INFO"])
          assert.include(lines[0], "The embedder remote/model@384 fails, and no document is indexed")
          assert.include(lines[0], "ECONNREFUSED")
        }).pipe(Effect.provide(layer))
      },
      60_000
    )

    it.scoped(
      "refuses the document for which no numbers come, and takes it for the embedder's fault when too few do",
      () =>
        Effect.gen(function*() {
          const { embedder } = Embedders.make()
          const store = yield* open(embedder)
          assert.deepStrictEqual(statuses(yield* store.index("t", spoiled("unnumbered", "d3"))), expected("d3"))
          for (const vectors of [[], [new Float32Array(3)]]) {
            const wrong = yield* open({ ...embedder, embed: () => Effect.succeed(vectors) })
            const error = yield* Effect.flip(wrong.index("t", [{ id: "x", text: "Text." }]))
            assert.deepInclude(error.reason, { _tag: "Unembedded", isRetryable: false })
          }
        }),
      60_000
    )

    it.scoped(
      "is searched by words alone, less surely, while no query can be embedded, and that is logged once",
      () => {
        const { layer, lines } = Embedders.collected()
        return Effect.gen(function*() {
          const { embedder, told } = Embedders.make()
          const store = yield* open(embedder)
          yield* store.index("t", [...birds, { id: "owl", text: "An owl hunts at night over the snow." }])
          const retriever = yield* Retriever.make().pipe(
            Effect.provideService(DocumentStore.DocumentStore, store),
            Effect.provideService(Embedder.Embedder, embedder)
          )
          const ask = retriever.retrieve({ tenant: "t", query: "the owl hunts at night", limit: 3 })
          const whole = yield* ask
          assert.isFalse(whole.lexicalOnly)
          const unusable: ReadonlyArray<Embedder.Embedding["embed"]> = [
            () => Effect.succeed([new Float32Array(3)]),
            () => Effect.succeed([new Float32Array(embedder.dimensions).fill(NaN)])
          ]
          for (const embed of unusable) {
            const broken = yield* Retriever.make().pipe(
              Effect.provideService(DocumentStore.DocumentStore, store),
              Effect.provideService(Embedder.Embedder, { ...embedder, embed })
            )
            const found = yield* broken.retrieve({ tenant: "t", query: "the owl hunts at night", limit: 3 })
            assert.isTrue(found.lexicalOnly)
            assert.strictEqual(found.passages[0]?.passage.documentId, "owl")
          }
          lines.length = 0
          for (const failure of [Embedders.failure(true), Embedders.failure(false), Embedders.failure(false, true)]) {
            told.isDown = failure
            for (let call = 0; call < 3; call++) {
              const found = yield* ask
              assert.isTrue(found.lexicalOnly)
              assert.strictEqual(found.passages[0]?.passage.documentId, "owl")
              assert.strictEqual(found.passages[0]?.signals.cosine, 0)
              assert.isBelow(found.passages[0]?.confidence ?? 1, whole.passages[0]?.confidence ?? 0)
              assert.isAtLeast(found.passages.at(-1)?.confidence ?? 0, 0.02)
            }
          }
          told.isDown = undefined
          assert.isFalse((yield* ask).lexicalOnly)
          assert.deepStrictEqual(lines.map((line) => line.split(" ")[0]), ["WARN", "INFO"])
          assert.include(lines[0], "queries are answered by words alone")
        }).pipe(Effect.provide(layer))
      },
      60_000
    )
  })
}
