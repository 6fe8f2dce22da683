import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as MemoryStore from "causeway-mcp/document/internal/MemoryStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as DocumentStoreLaws from "causeway-mcp/testing/DocumentStoreLaws"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"

const memory = Layer.provideMerge(DocumentStore.layerMemory, Embedder.layerHash)

layer(memory)("DocumentStore.layerMemory", (it) => {
  for (const law of DocumentStoreLaws.laws) it.effect(law.name, () => law.check)
})

const withoutSimd = Layer.provideMerge(
  Layer.effect(
    DocumentStore.DocumentStore,
    Effect.map(Embedder.Embedder, (embedder) => DocumentStore.overMemory(MemoryStore.make({ embedder, simd: false })))
  ),
  Embedder.layerHash
)

layer(withoutSimd)("DocumentStore.layerMemory without SIMD", (it) => {
  for (const law of DocumentStoreLaws.laws) it.effect(law.name, () => law.check)
})

const withEmbedder = (embed: Embedder.Embedding["embed"]) =>
  Layer.provide(DocumentStore.layerMemory, Layer.succeed(Embedder.Embedder, { id: "test-2", dimensions: 2, embed }))

const broken = (isRetryable: boolean) =>
  withEmbedder(() =>
    Effect.fail(new Embedder.EmbedderError({ embedder: "test-2", description: "no answer", isRetryable }))
  )

describe("DocumentStore.layerMemory with another embedder", () => {
  it.effect("is unavailable, and unchanged, when the embedder does not answer", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const error = yield* Effect.flip(store.index("t", [{ id: "a", text: "Text." }]))
      assert.strictEqual(error.method, "index")
      assert.strictEqual(error.reason._tag, "Unembedded")
      assert.isTrue(error.isRetryable)
      assert.deepStrictEqual(yield* store.size("t"), { documents: 0, passages: 0, revision: 0 })
    }).pipe(Effect.provide(broken(true))))

  it.effect("is not retryable when trying the embedder again cannot help", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const error = yield* Effect.flip(store.index("t", [{ id: "a", text: "Text." }]))
      assert.strictEqual(error.reason._tag, "Unembedded")
      assert.isFalse(error.isRetryable)
    }).pipe(Effect.provide(broken(false))))

  it.effect("refuses vectors that are too few or too short", () =>
    Effect.gen(function*() {
      for (const vectors of [[], [new Float32Array(3)]]) {
        const error = yield* DocumentStore.DocumentStore.pipe(
          Effect.flatMap((store) => store.index("t", [{ id: "a", text: "Text." }])),
          Effect.provide(withEmbedder(() => Effect.succeed(vectors))),
          Effect.flip
        )
        assert.strictEqual(error.reason._tag, "Unembedded")
      }
    }))

  it.effect("shows a document old until its vectors are there, then new, and never both", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const slow = withEmbedder((texts) =>
        Effect.as(
          texts.some((text) => text.includes("tapir")) ? Deferred.await(gate) : Effect.void,
          texts.map(() => new Float32Array([1, 0]))
        )
      )
      yield* Effect.gen(function*() {
        const store = yield* DocumentStore.DocumentStore
        const find = (text: string) => Effect.map(store.search({ tenant: "t", text, limit: 9 }), (hits) => hits.length)
        yield* store.index("t", [{ id: "a", text: "An okapi." }])
        const writing = yield* Effect.fork(store.index("t", [{ id: "a", text: "A tapir." }]))
        yield* Effect.yieldNow()
        assert.deepStrictEqual([yield* find("okapi"), yield* find("tapir")], [1, 0])
        yield* store.index("t", [{ id: "b", text: "Another okapi." }])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(writing)
        assert.deepStrictEqual([yield* find("okapi"), yield* find("tapir")], [1, 1])
        assert.deepStrictEqual(yield* store.size("t"), { documents: 2, passages: 2, revision: 3 })
      }).pipe(Effect.provide(slow))
    }))

  it.effect("ranks as before after so many replacements that it made its index anew", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const fresh = yield* DocumentStore.DocumentStore.pipe(Effect.provide(Layer.fresh(memory)))
      const embedder = yield* Embedder.Embedder
      const documents = (turn: number) =>
        Array.from(
          { length: 100 },
          (_, n) => ({ id: `d${n}`, text: `Gecko ${n % 7} and newt ${(n * turn) % 11}, turn ${turn}.` })
        )
      for (let turn = 1; turn <= 15; turn++) yield* store.index("t", documents(turn))
      yield* fresh.index("t", documents(15))
      assert.deepStrictEqual(yield* store.size("t"), { documents: 100, passages: 100, revision: 1500 })
      const [vector] = yield* embedder.embed(["gecko 3 newt 5"])
      const query = { tenant: "t", text: "gecko 3 newt 5", vector, limit: 100 }
      const brief = (hits: ReadonlyArray<DocumentStore.Hit>) =>
        hits.map((
          { passage, score, signals }
        ) => [passage.documentId, passage.text, score.toFixed(9), signals.bm25.toFixed(9)])
      assert.deepStrictEqual(brief(yield* store.search(query)), brief(yield* fresh.search(query)))
      assert.deepStrictEqual(
        yield* store.search({ tenant: "t", text: "turn 14", limit: 100 }).pipe(
          Effect.map((hits) => hits.filter(({ passage }) => passage.text.includes("turn 14")))
        ),
        []
      )
    }).pipe(Effect.provide(memory)))

  it.effect("takes a document that is one word of a megabyte, and finds it by as much of it as a token holds", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const [outcome] = yield* store.index("t", [{ id: "word", text: "a".repeat(1_000_000) }, {
        id: "b",
        text: "Other."
      }])
      assert.strictEqual(outcome?.status, "indexed")
      const found = yield* store.search({ tenant: "t", text: "a".repeat(70), limit: 100 })
      assert.strictEqual(found.length, 100)
      assert.deepStrictEqual(yield* store.search({ tenant: "t", text: "a".repeat(63), limit: 1 }), [])
      assert.strictEqual(yield* store.remove("t", ["word"]), 1)
      assert.deepStrictEqual(yield* store.search({ tenant: "t", text: "a".repeat(70), limit: 1 }), [])
    }).pipe(Effect.provide(memory)))
})
