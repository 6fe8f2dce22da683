import { assert, describe, it } from "@effect/vitest"
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as MemoryChanges from "causeway-mcp/document/internal/MemoryChanges"
import * as MemoryStore from "causeway-mcp/document/internal/MemoryStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

const memory = Layer.provideMerge(DocumentStore.layerMemory, Embedder.layerHash)

const note = (id: string, text: string, version?: number): Document => ({ id, text, version })

const briefly = (changes: Iterable<MemoryChanges.Change>) =>
  Array.from(changes, ({ documentId, kind, revision, version }) => [revision, documentId, kind, version])

/** Long enough for every fiber to come to where it waits. */
const everyoneElse = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const statuses = (outcomes: ReadonlyArray<DocumentStore.Outcome>) => outcomes.map(({ status }) => status)

describe("DocumentStore.layerMemory with versions", () => {
  it.effect("takes a higher version, skips a lower one and refuses the same with other content", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const index = (document: Document) => store.index("t", [document])
      const version = Effect.map(store.get("t", "a"), ([passage]) => passage?.version)
      assert.deepStrictEqual(statuses(yield* index(note("a", "Three.", 3))), ["indexed"])
      assert.deepStrictEqual(yield* index(note("a", "Two.", 2)), [{ id: "a", status: "outdated", passages: 1 }])
      assert.deepStrictEqual(yield* index(note("a", "Another three.", 3)), [
        { id: "a", status: "refused", reason: "version 3 is stored with other content; raise the version" }
      ])
      assert.deepStrictEqual(statuses(yield* index(note("a", "Three.", 7))), ["unchanged"])
      assert.strictEqual(yield* version, 7)
      assert.deepStrictEqual(statuses(yield* index(note("a", "Five.", 5))), ["outdated"])
      assert.strictEqual((yield* store.size("t")).revision, 1)
      assert.deepStrictEqual(statuses(yield* index(note("a", "Whatever."))), ["indexed"])
      assert.isUndefined(yield* version)
      assert.deepStrictEqual(statuses(yield* index(note("a", "One.", 1))), ["indexed"])
      assert.strictEqual((yield* store.list("t", { limit: 1 }))[0]?.version, 1)
      const [hit] = yield* store.search({ tenant: "t", text: "one", limit: 1 })
      assert.strictEqual(hit?.passage.version, 1)
      assert.deepStrictEqual(hit?.passage.span, { start: 0, end: 4 })
    }).pipe(Effect.provide(memory)))

  it.effect("takes of one id in a batch the highest version, and the last of equal ones", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      yield* store.index("t", [
        note("a", "Two.", 2),
        note("a", "Four.", 4),
        note("a", "Also four.", 4),
        note("a", "3.", 3)
      ])
      assert.deepStrictEqual((yield* store.get("t", "a")).map(({ text, version }) => [text, version]), [[
        "Also four.",
        4
      ]])
    }).pipe(Effect.provide(memory)))

  it.effect("lets a late version lose even while it is being embedded", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const slow = Layer.succeed(Embedder.Embedder, {
        id: "slow-1",
        dimensions: 1,
        embed: (texts) =>
          Effect.as(
            texts[0] === "Old." ? Deferred.await(gate) : Effect.void,
            texts.map(() => new Float32Array([1]))
          )
      })
      yield* Effect.gen(function*() {
        const store = yield* DocumentStore.DocumentStore
        const old = yield* Effect.fork(store.index("t", [note("a", "Old.", 1)]))
        yield* Effect.yieldNow()
        yield* store.index("t", [note("a", "New.", 2)])
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(statuses(yield* Fiber.join(old)), ["outdated"])
        assert.strictEqual((yield* store.get("t", "a"))[0]?.text, "New.")
      }).pipe(Effect.provide(Layer.provide(DocumentStore.layerMemory, slow)))
    }))
})

describe("DocumentStore.layerMemory's changes", () => {
  it.effect("tell of every write of a tenant in order, once and without a gap", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      yield* store.index("t", [note("a", "One."), note("b", "Two.", 5)])
      yield* store.index("other", [note("a", "Another tenant's.")])
      yield* store.index("t", [note("a", "One.")])
      yield* store.remove("t", ["b", "unknown", "a"])
      const taken = yield* Stream.runCollect(Stream.take(store.changes({ tenant: "t", after: 0 }), 4))
      assert.deepStrictEqual(briefly(taken), [
        [1, "a", "indexed", undefined],
        [2, "b", "indexed", 5],
        [3, "b", "removed", undefined],
        [4, "a", "removed", undefined]
      ])
      assert.deepStrictEqual([...taken].map(({ changedAt }) => changedAt), Array(4).fill("1970-01-01T00:00:00.000Z"))
      assert.deepStrictEqual(yield* store.size("t"), { documents: 0, passages: 0, revision: 4 })
      yield* store.index("t", [note("c", "Three.")])
      const [next] = yield* Stream.runCollect(Stream.take(store.changes({ tenant: "t", after: 4 }), 1))
      assert.deepStrictEqual(next?.revision, 5)
    }).pipe(Effect.provide(memory)))

  it.effect("begin where the stream is run, wait for a tenant that is not there yet, and tell of all tenants", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      yield* store.index("t", [note("old", "Before.")])
      const follow = (changes: Stream.Stream<MemoryChanges.Change, unknown>, count: number) =>
        Effect.fork(
          Effect.map(Stream.runCollect(Stream.take(changes, count)), (found) =>
            [...found].map(({ documentId, tenant }) => `${tenant}/${documentId}`))
        )
      const one = yield* follow(store.changes({ tenant: "t" }), 1)
      const late = yield* follow(store.changes({ tenant: "late" }), 1)
      const all = yield* follow(store.changes(), 3)
      yield* everyoneElse
      yield* store.index("t", [note("a", "After.")])
      yield* store.index("late", [note("b", "After.")])
      yield* store.remove("t", ["old"])
      assert.deepStrictEqual(yield* Fiber.join(one), ["t/a"])
      assert.deepStrictEqual(yield* Fiber.join(late), ["late/b"])
      assert.deepStrictEqual(yield* Fiber.join(all), ["t/a", "late/b", "t/old"])
    }).pipe(Effect.provide(memory)))

  it.effect("can be seen by whoever was told of them", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const seen = yield* store.changes({ tenant: "t", after: 0 }).pipe(
        Stream.take(300),
        Stream.mapEffect(({ documentId }) => Effect.map(store.get("t", documentId), (passages) => passages.length)),
        Stream.runCollect,
        Effect.fork
      )
      for (let n = 0; n < 300; n++) yield* store.index("t", [note(`d${n}`, "There.")])
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Fiber.join(seen)), Array(300).fill(1))
    }).pipe(Effect.provide(memory)))

  it.effect("are refused after what is no revision, and expired after one that never was", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const reason = (after: number) =>
        Effect.map(Effect.flip(Stream.runHead(store.changes({ tenant: "t", after }))), (error) => error.reason)
      for (const after of [-1, 0.5, Number.NaN, 2 ** 60]) assert.strictEqual((yield* reason(after))._tag, "Invalid")
      yield* store.index("t", [note("a", "One.")])
      const expired = yield* reason(2)
      assert.strictEqual(expired._tag === "Expired" ? expired.oldest : Number.NaN, 0)
    }).pipe(Effect.provide(memory)))

  it.effect("wait for a slow follower, and expire for one that is slower than what is kept", () =>
    Effect.gen(function*() {
      const embedder = yield* Embedder.Embedder
      const store = DocumentStore.overMemory(MemoryStore.make({ embedder, keepChanges: 500 }))
      const index = (n: number) => store.index("t", [note(`d${n}`, "There.")])
      for (let n = 1; n <= 400; n++) yield* index(n)
      const taken: Array<number> = []
      const gate = yield* Deferred.make<void>()
      const reached = yield* Deferred.make<void>()
      const wait = Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(gate))
      const slow = yield* store.changes({ tenant: "t", after: 0 }).pipe(
        Stream.tap(({ revision }) => revision === 100 ? wait : Effect.void),
        Stream.runForEach(({ revision }) => Effect.sync(() => void taken.push(revision))),
        Effect.fork
      )
      yield* Deferred.await(reached)
      for (let n = 401; n <= 1_000; n++) yield* index(n)
      yield* Deferred.succeed(gate, undefined)
      const error = yield* Effect.flip(Fiber.join(slow))
      assert.strictEqual(error.reason._tag === "Expired" ? error.reason.oldest : Number.NaN, 500)
      assert.deepStrictEqual(taken, Array.from({ length: taken.length }, (_, n) => n + 1))
      assert.isAtLeast(taken.length, 100)
      const rest = yield* Stream.runCollect(Stream.take(store.changes({ tenant: "t", after: 500 }), 500))
      assert.deepStrictEqual([...rest].map(({ revision }) => revision), Array.from({ length: 500 }, (_, n) => n + 501))
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.effect("keep the last 100,000, and nothing of a tenant that was only waited for", () =>
    Effect.gen(function*() {
      const changes = MemoryChanges.make({ keep: 100_000, keepAll: 100_000 })
      const publish = (documentId: string) =>
        changes.publish("t", { documentId, kind: "indexed", changedAt: "2026-11-22T09:00:00.000Z" })
      for (let n = 1; n <= 100_007; n++) publish(`d${n}`)
      const error = yield* Effect.flip(Stream.runHead(changes.of("t", 6)))
      assert.deepStrictEqual(error, { _tag: "Expired", oldest: 7 })
      const kept = yield* Stream.runCollect(Stream.take(changes.of("t", 7), 100_000))
      assert.deepStrictEqual([kept.length, [...kept][0]?.documentId, [...kept].at(-1)?.revision], [
        100_000,
        "d8",
        100_007
      ])
      const waiting = yield* Effect.fork(Stream.runHead(changes.of("nobody", undefined)))
      yield* everyoneElse
      assert.deepStrictEqual([...changes.tenants()], ["t", "nobody"])
      yield* Fiber.interrupt(waiting)
      assert.deepStrictEqual([...changes.tenants()], ["t"])
    }))

  it.effect("reach a thousand followers each", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const followers = yield* Effect.forEach(Array.from({ length: 1_000 }), () =>
        Effect.fork(Stream.runCollect(Stream.take(store.changes({ tenant: "t", after: 0 }), 20))))
      for (let n = 0; n < 20; n++) {
        yield* store.index("t", [note(`d${n}`, "There.")])
      }
      for (const follower of followers) {
        assert.strictEqual((yield* Fiber.join(follower)).length, 20)
      }
    }).pipe(Effect.provide(memory)))
})

describe("DocumentStore.layerMemory under concurrent work", () => {
  it.effect("shows a document of several passages as it was or as it is, never half", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const paragraph = "It goes on for a while about other matters. ".repeat(30)
      const state = (n: number) =>
        `State${n} here.\n\n${paragraph}\n\nMarker state${n}.\n\n${paragraph}\n\nLast state${n}.`
      const writer = (id: string) =>
        Effect.gen(function*() {
          for (let n = 0; n < 40; n++) {
            if (n % 7 === 6) yield* store.remove("t", [id])
            else yield* store.index("t", [note(id, state(n), n), note(`${id}-x`, "Matters.")])
          }
        })
      let looks = 0
      const reader = Effect.gen(function*() {
        for (let n = 0; n < 300; n++) {
          const hits = yield* store.search({ tenant: "t", text: "matters marker", limit: 100 })
          const states = new Map<string, Set<unknown>>()
          for (const { passage } of hits) {
            const held = states.get(passage.documentId) ?? new Set()
            states.set(passage.documentId, held.add(passage.version))
          }
          for (const [id, versions] of states) {
            assert.strictEqual(versions.size, 1)
            const passages = yield* store.get("t", id)
            const all = new Set(passages.map(({ version }) => version))
            assert.isAtMost(all.size, 1)
          }
          looks += states.size
          yield* everyoneElse
        }
      })
      yield* Effect.all([writer("a"), writer("b"), writer("c"), reader], { concurrency: "unbounded", discard: true })
      assert.isAbove(looks, 300)
    }).pipe(Effect.provide(memory)))

  it.effect("says so when its vectors have no room left, keeps what it has, and goes on when there is room", () =>
    Effect.gen(function*() {
      const embedder = yield* Embedder.Embedder
      for (const simd of [true, false]) {
        const store = DocumentStore.overMemory(MemoryStore.make({ embedder, simd, maxVectorBytes: 2_000_000 }))
        const index = (n: number) => store.index("t", [note(`d${n}`, `Document number${n}.`)])
        let error: DocumentStore.DocumentStoreError | undefined
        let count = 0
        while (error === undefined && count < 3_000) {
          const done = yield* Effect.either(index(count))
          if (done._tag === "Left") error = done.left
          else count++
        }
        assert.strictEqual(error?.reason._tag, "Incompatible")
        assert.include(error?.message, "have taken all memory")
        assert.isAbove(count, 500)
        assert.strictEqual((yield* store.size("t")).documents, count)
        assert.strictEqual((yield* store.search({ tenant: "t", text: "number7", limit: 1 })).length, 1)
        yield* store.remove("t", ["d0", "d1"])
        assert.deepStrictEqual(statuses(yield* index(9_999)), ["indexed"])
      }
    }).pipe(Effect.provide(Embedder.layerHash)))
})
