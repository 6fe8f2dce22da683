import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import type { Outcome } from "causeway-mcp/document/DocumentStore"
import { DocumentStore, DocumentStoreError, Incompatible, Unavailable } from "causeway-mcp/document/DocumentStore"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import type * as Progress from "../../examples/ingest/progress.js"
import * as Reader from "../../examples/ingest/reader.js"
import { ingest, IngestError } from "../../examples/ingest/run.js"
import { folderOf, lines, makeStore, refusalsBelow, storeOf } from "./folders.js"

const tenant = "default"
const run = it.scoped

describe("ingest", () => {
  run(
    "refuses a version that is none, and counts what is older than what is stored apart",
    () =>
      Effect.gen(function*() {
        const root = yield* folderOf({
          "a.jsonl": ["1.5", "-1", `"2"`, "3", "1"].map((version, n) => `{"id":"${n}","text":"t","version":${version}}`)
            .join("\n")
        })
        const store = storeOf((documents) =>
          Effect.succeed(documents.map(({ id, version = 0 }): Outcome => ({
            id,
            status: version < 2 ? "outdated" : "indexed",
            passages: 1
          })))
        )
        const summary = yield* Effect.provide(ingest(root, { tenant }), store)
        assert.include(summary, { indexed: 1, unchanged: 0, outdated: 1, refused: 3 })
        assert.deepStrictEqual(refusalsBelow(root, summary), {
          "a.jsonl:1": `its "version" must be a whole number from 0`,
          "a.jsonl:2": `its "version" must be a whole number from 0`,
          "a.jsonl:3": `its "version" must be a whole number from 0`
        })
      }).pipe(Effect.provide(NodeContext.layer))
  )

  run("writes 50 documents at a time, fewer when they are large", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const root = yield* folderOf({ "a.jsonl": lines(120) })
      yield* Effect.provide(ingest(root, { tenant }), store.layer)
      assert.deepStrictEqual(store.batches, [50, 50, 20])

      const large = makeStore()
      const three = { "1.txt": "x".repeat(3_000_000), "2.txt": "y".repeat(3_000_000), "3.txt": "z".repeat(3_000_000) }
      yield* Effect.provide(ingest(yield* folderOf(three), { tenant }), large.layer)
      assert.deepStrictEqual(large.batches, [2, 1])
    }).pipe(Effect.provide(NodeContext.layer)))

  run("finds everything unchanged the second time, and a changed document again", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const store = makeStore()
      const root = yield* folderOf({ "a.jsonl": lines(60), "b.md": "# One" })
      const twice = Effect.provide(ingest(root, { tenant }), store.layer)
      assert.strictEqual((yield* twice).indexed, 61)
      assert.include(yield* twice, { indexed: 0, unchanged: 61, refused: 0 })
      yield* fs.writeFileString(`${root}/b.md`, "# Two")
      assert.include(yield* twice, { indexed: 1, unchanged: 60 })
    }).pipe(Effect.provide(NodeContext.layer)))

  run("finishes the batch in flight when asked to stop, and the next run does the rest", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const begun = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const stop = yield* Deferred.make<void>()
      const inner = yield* Effect.provide(DocumentStore, store.layer)
      const slow = storeOf((documents) =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.zipRight(Deferred.await(goOn)),
          Effect.zipRight(inner.index(tenant, documents))
        )
      )
      const root = yield* folderOf({ "a.jsonl": lines(120) })
      const running = yield* Effect.fork(
        Effect.provide(ingest(root, { tenant, stop: Deferred.await(stop) }), slow)
      )
      yield* Deferred.await(begun)
      yield* Deferred.succeed(stop, undefined)
      yield* Effect.yieldNow()
      yield* Deferred.succeed(goOn, undefined)
      const first = yield* Fiber.join(running)
      assert.include(first, { indexed: 50, isStopped: true })
      const second = yield* Effect.provide(ingest(root, { tenant }), store.layer)
      assert.include(second, { indexed: 70, unchanged: 50, isStopped: false })
    }).pipe(Effect.provide(NodeContext.layer)))

  run("finishes the batch in flight also when it is interrupted", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const begun = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const inner = yield* Effect.provide(DocumentStore, store.layer)
      const slow = storeOf((documents) =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.zipRight(Deferred.await(goOn)),
          Effect.zipRight(inner.index(tenant, documents))
        )
      )
      const root = yield* folderOf({ "a.jsonl": lines(120) })
      const running = yield* Effect.fork(Effect.provide(ingest(root, { tenant }), slow))
      yield* Deferred.await(begun)
      const ended = yield* Effect.fork(Fiber.interrupt(running))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(ended)
      assert.strictEqual(store.kept.size, 50)
    }).pipe(Effect.provide(NodeContext.layer)))

  run("tries a busy store again and goes on when it answers", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const inner = yield* Effect.provide(DocumentStore, store.layer)
      const busy = new DocumentStoreError({ method: "index", reason: new Unavailable({}) })
      const failed = yield* Deferred.make<void>()
      let failures = 0
      const flaky = storeOf((documents) =>
        Effect.suspend(() =>
          failures++ < 2
            ? Effect.zipRight(Deferred.succeed(failed, undefined), Effect.fail(busy))
            : inner.index(tenant, documents)
        )
      )
      const root = yield* folderOf({ "a.jsonl": lines(3) })
      const running = yield* Effect.fork(Effect.provide(ingest(root, { tenant }), flaky))
      yield* Deferred.await(failed)
      yield* TestClock.adjust("2 seconds")
      assert.include(yield* Fiber.join(running), { indexed: 3 })
    }).pipe(Effect.provide(NodeContext.layer)))

  run("fails with how far it got when the store refuses to go on", () =>
    Effect.gen(function*() {
      const store = makeStore()
      const inner = yield* Effect.provide(DocumentStore, store.layer)
      const reason = new Incompatible({ description: "the index was made by another embedder" })
      const broken = storeOf((documents) =>
        store.kept.size < 50 ? inner.index(tenant, documents) : new DocumentStoreError({ method: "index", reason })
      )
      const root = yield* folderOf({ "a.jsonl": lines(80) })
      const error = yield* Effect.flip(Effect.provide(ingest(root, { tenant }), broken))
      assert.instanceOf(error, IngestError)
      assert.strictEqual(
        error.message,
        "DocumentStore.index: the index was made by another embedder (so far 50 indexed, 0 unchanged, 0 refused)"
      )
    }).pipe(Effect.provide(NodeContext.layer)))

  run("counts as many bytes read as the survey promised", () =>
    Effect.gen(function*() {
      const states: Array<Progress.State> = []
      const root = yield* folderOf({ "a.jsonl": lines(70), "b.md": "# B", "c.txt": "c", "d.jsonl": "{\n\n" })
      const survey = yield* Reader.survey(root)
      yield* Effect.provide(
        ingest(root, {
          tenant,
          progress: { update: (state) => Effect.sync(() => void states.push(state)), finish: Effect.void }
        }),
        makeStore().layer
      )
      assert.strictEqual(survey.files, 4)
      assert.deepStrictEqual(states.map((state) => state.documents), [50, 73])
      // Blank lines are not counted: one byte is left over.
      assert.strictEqual(states.at(-1)?.bytes, survey.bytes - 1)
    }).pipe(Effect.provide(NodeContext.layer)))
})
