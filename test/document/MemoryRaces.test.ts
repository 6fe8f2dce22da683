import { assert, describe, it } from "@effect/vitest"
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

const makeRandom = (seed: number) => {
  let state = seed >>> 0
  return (most: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * most)
  }
}

/** Gives other fibers, timers and sockets a turn, as work on long texts does. */
const turn = Effect.async<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

const dimensions = 4

const vectorOf = (text: string): Float32Array =>
  Float32Array.from({ length: dimensions }, (_, d) => (text.charCodeAt(7 * d % text.length) || 1) % 5)

/** Takes some turns, so that others come between. */
const embedder = Layer.succeed(Embedder.Embedder, {
  id: "test-4",
  dimensions,
  embed: (texts) =>
    Effect.as(
      Effect.repeatN(turn, (texts[0]?.length ?? 0) % 3),
      texts.map(vectorOf)
    )
})

const memory = Layer.provide(DocumentStore.layerMemory, embedder)

const ids = Array.from({ length: 12 }, (_, n) => `d${n}`)

const documentOf = (random: (most: number) => number): Document => {
  const mark = `mark${random(40)}`
  return {
    id: ids[random(ids.length)] ?? "d0",
    text: `Otter ${mark}. ${random(3) === 0 ? `${mark} `.repeat(3_000) : ""}`,
    metadata: { mark },
    ...(random(3) === 0 ? { version: random(9) } : {})
  }
}

/** What must be true between any two steps of anybody's. */
const consistent = (store: DocumentStore.DocumentStore["Type"]) =>
  Effect.gen(function*() {
    const hits = yield* store.search({ tenant: "t", text: "otter", vector: vectorOf("Otter"), limit: 100 })
    const listed = yield* store.list("t", { limit: 100 })
    const size = yield* store.size("t")
    assert.strictEqual(size.documents, listed.length)
    assert.strictEqual(size.passages, listed.reduce((sum, { passages }) => sum + passages, 0))
    for (const { passage, score } of hits) {
      assert.include(passage.text, String(passage.metadata["mark"]))
      assert.isTrue(score >= 0 && score <= 1)
    }
    for (const { id, passages, version } of listed) {
      const held = yield* store.get("t", id)
      assert.lengthOf(held, passages)
      for (const passage of held) {
        assert.strictEqual(passage.version, version)
        assert.include(passage.text, String(held[0]?.metadata["mark"]))
      }
    }
  })

describe("DocumentStore.layerMemory, used by many at once", () => {
  it.effect("never shows half a write, whoever is interrupted when", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const random = makeRandom(11)
      const writer = Effect.gen(function*() {
        const batch = Array.from({ length: 1 + random(4) }, () => documentOf(random))
        yield* random(4) === 0
          ? store.remove("t", batch.map(({ id }) => id))
          : store.index("t", batch)
      })
      let interrupted = 0
      for (let round = 0; round < 150; round++) {
        const writers = yield* Effect.forEach(Array.from({ length: 4 }), () => Effect.fork(writer))
        for (let n = random(8); n > 0; n--) {
          yield* turn
          yield* consistent(store)
        }
        for (const fiber of writers) {
          if (random(3) > 0) continue
          yield* Fiber.interruptFork(fiber)
          interrupted++
        }
        yield* Effect.forEach(writers, Fiber.await)
        yield* consistent(store)
      }
      assert.isAbove(interrupted, 100)
      const { revision } = yield* store.size("t")
      assert.isAbove(revision, 300)
      const changes = yield* Stream.runCollect(Stream.take(store.changes({ tenant: "t", after: 0 }), revision))
      const last = new Map([...changes].map(({ documentId, kind, version }) => [documentId, { kind, version }]))
      const held = yield* store.list("t", { limit: 100 })
      const indexed = [...last].filter(([, { kind }]) => kind === "indexed").map(([id]) => id)
      assert.deepStrictEqual(held.map(({ id }) => id).sort(), indexed.sort())
    }).pipe(Effect.provide(memory)))

  it.effect("leaves the later version in place when the vectors of the earlier one come last", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const slow = Layer.succeed(Embedder.Embedder, {
        id: "test-4",
        dimensions,
        embed: (texts) =>
          Effect.as(
            texts.some((text) => text.includes("slow")) ? Deferred.await(gate) : Effect.void,
            texts.map(vectorOf)
          )
      })
      yield* Effect.gen(function*() {
        const store = yield* DocumentStore.DocumentStore
        const write = (text: string, version?: number) =>
          store.index("t", [{ id: "d", text, ...(version === undefined ? {} : { version }) }])
        const early = yield* Effect.fork(write("A slow otter.", 1))
        const same = yield* Effect.fork(write("A slow otter of state two.", 2))
        yield* turn
        yield* write("An otter.", 2)
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual((yield* Fiber.join(early)).map(({ status }) => status), ["outdated"])
        assert.deepStrictEqual((yield* Fiber.join(same)).map(({ status }) => status), ["refused"])
        assert.deepStrictEqual((yield* store.get("t", "d")).map(({ text }) => text), ["An otter."])
        assert.strictEqual((yield* store.size("t")).revision, 1)
      }).pipe(Effect.provide(Layer.provide(DocumentStore.layerMemory, slow)))
    }))

  it.effect("keeps a document whose tenant is emptied while it is embedded", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      for (let n = 0; n < 30; n++) {
        yield* store.index("t", [{ id: "a", text: "An otter." }])
        const writing = yield* Effect.fork(store.index("t", [{ id: "b", text: `Vole ${"x".repeat(n % 3)}.` }]))
        yield* Effect.repeatN(turn, n % 4)
        yield* store.remove("t", ["a"])
        yield* Fiber.join(writing)
        assert.deepStrictEqual((yield* store.list("t", { limit: 9 })).map(({ id }) => id), ["b"])
        assert.lengthOf(yield* store.search({ tenant: "t", text: "vole otter", limit: 9 }), 1)
        assert.strictEqual(yield* store.remove("t", ["b", "a"]), 1)
        assert.deepStrictEqual(yield* store.search({ tenant: "t", text: "vole otter", limit: 9 }), [])
      }
      assert.strictEqual((yield* store.size("t")).revision, 120)
    }).pipe(Effect.provide(memory)))
})
