import { assert, describe, it } from "@effect/vitest"
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Ingestion from "causeway-mcp/document/Ingestion"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const memory = Layer.provide(DocumentStore.layerMemory, Embedder.layerHash)

const note = (n: number, text = `Note ${n}.`): Document => ({ id: `d${n}`, text })

const notes = (count: number) => Array.from({ length: count }, (_, n) => note(n))

const unavailable = new DocumentStore.DocumentStoreError({
  method: "index",
  reason: new DocumentStore.Unavailable({})
})

type Index = DocumentStore.DocumentStore["Type"]["index"]

/** A store that only indexes, and remembers the ids of every batch it was given. */
const scripted = (answer: (call: number, documents: ReadonlyArray<Document>) => ReturnType<Index>) => {
  const batches: Array<ReadonlyArray<string>> = []
  const layer = Layer.mock(DocumentStore.DocumentStore, {
    index: (_, documents) =>
      Effect.suspend(() => {
        batches.push(documents.map(({ id }) => id))
        return answer(batches.length - 1, documents)
      })
  })
  return { batches, layer }
}

const taken = (documents: ReadonlyArray<Document>): ReadonlyArray<DocumentStore.Outcome> =>
  documents.map(({ id }) => ({ id, status: "indexed", passages: 1 }))

const willing = () => scripted((_, documents) => Effect.succeed(taken(documents)))

/** Counts how far a stream is read. */
const counted = <A>(items: ReadonlyArray<A>) => {
  const state = { read: 0 }
  const stream = Stream.mapEffect(Stream.fromIterable(items), (item) =>
    Effect.sync(() => {
      state.read++
      return item
    })).pipe(Stream.rechunk(1))
  return { state, stream }
}

const ids = (outcomes: Iterable<DocumentStore.Outcome>) => Array.from(outcomes, ({ id }) => id)

/** Lets all fibers run until none can go on without time passing. */
const settle = Effect.repeatN(Effect.yieldNow(), 200)

describe("Ingestion.run", () => {
  it.effect("gives the outcome of every document, in order, of batches of 50", () =>
    Effect.gen(function*() {
      const store = willing()
      const outcomes = yield* Stream.runCollect(Ingestion.run("t")(Stream.fromIterable(notes(120)))).pipe(
        Effect.provide(store.layer)
      )
      assert.deepStrictEqual(ids(outcomes), notes(120).map(({ id }) => id))
      assert.deepStrictEqual(store.batches.map((batch) => batch.length), [50, 50, 20])
    }))

  it.effect("gives none for none", () =>
    Effect.gen(function*() {
      const store = willing()
      assert.lengthOf(
        yield* Stream.runCollect(Ingestion.run("t")(Stream.empty)).pipe(Effect.provide(store.layer)),
        0
      )
      assert.deepStrictEqual(store.batches, [])
    }))

  it.effect("writes a batch early when its texts are long", () =>
    Effect.gen(function*() {
      const store = willing()
      const long = Array.from({ length: 7 }, (_, n) => note(n, "x".repeat(40)))
      yield* Stream.runDrain(Ingestion.run("t", { batchLength: 100 })(Stream.fromIterable(long))).pipe(
        Effect.provide(store.layer)
      )
      assert.deepStrictEqual(store.batches.map((batch) => batch.length), [3, 3, 1])
    }))

  it.effect("makes a batch size that is out of range fit 1 to 500", () =>
    Effect.gen(function*() {
      for (const [batch, expected] of [[0, 1], [2.9, 2], [1e9, 500], [Number.NaN, 50]] as const) {
        const store = willing()
        yield* Stream.runDrain(Ingestion.run("t", { batch })(Stream.fromIterable(notes(600)))).pipe(
          Effect.provide(store.layer)
        )
        assert.strictEqual(store.batches[0]?.length, expected)
      }
    }))

  it.effect("writes what has waited for the linger time, counted from the first of the batch", () =>
    Effect.gen(function*() {
      const store = willing()
      const source = yield* Queue.unbounded<Document>()
      const outcomes: Array<string> = []
      yield* Stream.fromQueue(source).pipe(
        Ingestion.run("t", { linger: "100 millis" }),
        Stream.runForEach(({ id }) => Effect.sync(() => outcomes.push(id))),
        Effect.provide(store.layer),
        Effect.fork
      )
      yield* TestClock.adjust("5 seconds")
      yield* source.offer(note(0))
      yield* TestClock.adjust("60 millis")
      yield* source.offer(note(1))
      yield* TestClock.adjust("39 millis")
      assert.deepStrictEqual(store.batches, [])
      yield* TestClock.adjust("1 millis")
      yield* settle
      assert.deepStrictEqual(outcomes, ["d0", "d1"])
      yield* source.offer(note(2))
      yield* TestClock.adjust("100 millis")
      yield* settle
      assert.deepStrictEqual(store.batches, [["d0", "d1"], ["d2"]])
    }))

  it.effect("waits no longer than the linger time when the clock is set back", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const store = scripted((call, documents) =>
        Effect.as(call === 0 ? Deferred.await(gate) : Effect.void, taken(documents))
      )
      const source = yield* Queue.unbounded<Document>()
      yield* TestClock.setTime(3_600_000)
      yield* Stream.fromQueue(source).pipe(
        Ingestion.run("t", { linger: "100 millis" }),
        Stream.runDrain,
        Effect.provide(store.layer),
        Effect.fork
      )
      yield* source.offer(note(0))
      yield* settle
      yield* TestClock.adjust("100 millis")
      yield* settle
      yield* source.offer(note(1))
      yield* settle
      yield* TestClock.setTime(0)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      yield* TestClock.adjust("100 millis")
      yield* settle
      assert.deepStrictEqual(store.batches, [["d0"], ["d1"]])
    }))

  it.effect("lets the next batch fill while one is written, so that a slow store gets larger ones", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const store = scripted((call, documents) =>
        Effect.as(call === 0 ? Deferred.await(gate) : Effect.void, taken(documents))
      )
      const source = yield* Queue.unbounded<Document>()
      yield* Stream.fromQueue(source).pipe(
        Ingestion.run("t"),
        Stream.runDrain,
        Effect.provide(store.layer),
        Effect.fork
      )
      yield* source.offer(note(0))
      yield* TestClock.adjust("100 millis")
      for (let n = 1; n < 6; n++) {
        yield* source.offer(note(n))
        yield* TestClock.adjust("1 second")
      }
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(store.batches, [["d0"], ["d1", "d2", "d3", "d4", "d5"]])
    }))

  it.effect("reads no further than two batches ahead of a slow store", () =>
    Effect.gen(function*() {
      const gates = yield* Effect.all(Array.from({ length: 3 }, () => Deferred.make<void>()))
      const store = scripted((call, documents) =>
        Effect.as(gates[call] === undefined ? Effect.void : Deferred.await(gates[call]), taken(documents))
      )
      const { state, stream } = counted(notes(100))
      let acknowledged = 0
      const running = yield* Ingestion.run("t", { batch: 10 })(stream).pipe(
        Stream.runForEach(() => Effect.sync(() => acknowledged++)),
        Effect.provide(store.layer),
        Effect.fork
      )
      for (const [n, gate] of gates.entries()) {
        yield* settle
        assert.strictEqual(acknowledged, n * 10)
        assert.strictEqual(state.read, acknowledged + 20)
        yield* Deferred.succeed(gate, undefined)
      }
      yield* Fiber.join(running)
      assert.strictEqual(acknowledged, 100)
    }))

  it.effect("reads and writes nothing more when nobody takes the outcomes", () =>
    Effect.gen(function*() {
      const store = willing()
      const { state, stream } = counted(notes(100))
      const first = yield* Ingestion.run("t", { batch: 10 })(stream).pipe(
        Stream.mapEffect(({ id }) => Effect.map(settle, () => `${id}, ${state.read} read`)),
        Stream.take(1),
        Stream.runCollect,
        Effect.provide(store.layer)
      )
      assert.deepStrictEqual([...first], ["d0, 20 read"])
      assert.lengthOf(store.batches, 1)
    }))

  it.effect("asks a store again that did not answer twice, and gives each outcome once", () =>
    Effect.gen(function*() {
      const store = scripted((call, documents) =>
        call === 1 || call === 2 ? Effect.fail(unavailable) : Effect.succeed(taken(documents))
      )
      const running = yield* Stream.runCollect(Ingestion.run("t", { batch: 3 })(Stream.fromIterable(notes(9)))).pipe(
        Effect.provide(store.layer),
        Effect.fork
      )
      yield* settle
      assert.lengthOf(store.batches, 2)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(ids(yield* Fiber.join(running)), notes(9).map(({ id }) => id))
      assert.deepStrictEqual(store.batches.map((batch) => batch[0]), ["d0", "d3", "d3", "d3", "d6"])
    }))

  it.effect("fails as the store does when it stays away, after as many tries as wanted", () =>
    Effect.gen(function*() {
      for (const [retries, tries] of [[undefined, 5], [0, 1], [2, 3]] as const) {
        const store = scripted((call, documents) => call === 0 ? Effect.succeed(taken(documents)) : unavailable)
        const acknowledged: Array<string> = []
        const running = yield* Ingestion.run("t", { batch: 2, retries })(Stream.fromIterable(notes(6))).pipe(
          Stream.runForEach(({ id }) => Effect.sync(() => acknowledged.push(id))),
          Effect.either,
          Effect.provide(store.layer),
          Effect.fork
        )
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Fiber.join(running), Either.left(unavailable))
        assert.deepStrictEqual(acknowledged, ["d0", "d1"])
        assert.lengthOf(store.batches, 1 + tries)
      }
    }))

  it.effect("does not ask a store again whose answer will stay the same", () =>
    Effect.gen(function*() {
      const incompatible = new DocumentStore.DocumentStoreError({
        method: "index",
        reason: new DocumentStore.Incompatible({ description: "other vectors" })
      })
      const store = scripted(() => incompatible)
      const result = yield* Stream.runDrain(Ingestion.run("t")(Stream.fromIterable(notes(3)))).pipe(
        Effect.either,
        Effect.provide(store.layer)
      )
      assert.deepStrictEqual(result, Either.left(incompatible))
      assert.lengthOf(store.batches, 1)
    }))

  it.effect("gives the outcomes of all that came before the source failed, then fails as the source did", () =>
    Effect.gen(function*() {
      const store = willing()
      const acknowledged: Array<string> = []
      const source = Stream.concat(Stream.fromIterable(notes(25)), Stream.fail("the source broke"))
      const result = yield* Ingestion.run("t", { batch: 10 })(source).pipe(
        Stream.runForEach(({ id }) => Effect.sync(() => acknowledged.push(id))),
        Effect.either,
        Effect.provide(store.layer)
      )
      assert.deepStrictEqual(result, Either.left("the source broke"))
      assert.deepStrictEqual(acknowledged, notes(25).map(({ id }) => id))
    }))

  it.effect("passes on a defect of the source as one", () =>
    Effect.gen(function*() {
      const exit = yield* Stream.runDrain(Ingestion.run("t")(Stream.die("a bug"))).pipe(
        Effect.provide(willing().layer),
        Effect.exit
      )
      assert.deepStrictEqual(exit, Exit.die("a bug"))
    }))

  it.effect("names the one document among many that is refused, and keeps the others", () =>
    Effect.gen(function*() {
      const documents = notes(120).map((document) => document.id === "d77" ? { ...document, text: "\0" } : document)
      const outcomes = Chunk.toReadonlyArray(
        yield* Stream.runCollect(Ingestion.run("t")(Stream.fromIterable(documents)))
      )
      assert.deepStrictEqual(ids(outcomes), documents.map(({ id }) => id))
      assert.deepStrictEqual(outcomes.flatMap(({ id, status }) => status === "indexed" ? [] : [[id, status]]), [
        ["d77", "refused"]
      ])
      const store = yield* DocumentStore.DocumentStore
      assert.strictEqual((yield* store.size("t")).documents, 119)
    }).pipe(Effect.provide(memory)))

  it.effect("writes documents of one id in their order, in one batch or several", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      for (const batch of [1, 2, 5, 50]) {
        const documents = Array.from({ length: 9 }, (_, n) => note(n % 2, `State ${n} of ${batch}.`))
        const outcomes = yield* Stream.runCollect(Ingestion.run("t", { batch })(Stream.fromIterable(documents)))
        assert.deepStrictEqual(ids(outcomes), documents.map(({ id }) => id))
        assert.strictEqual((yield* store.get("t", "d0"))[0]?.text, `State 8 of ${batch}.`)
        assert.strictEqual((yield* store.get("t", "d1"))[0]?.text, `State 7 of ${batch}.`)
      }
    }).pipe(Effect.provide(memory)))

  it.effect("stops at once when it is interrupted, the source and the store too", () =>
    Effect.gen(function*() {
      const stopped: Array<string> = []
      const onInterrupt = (name: string) => Effect.onInterrupt(() => Effect.sync(() => stopped.push(name)))
      const store = scripted(() => onInterrupt("store")(Effect.never))
      const source = Stream.concat(
        Stream.fromIterable(notes(2)),
        Stream.fromEffect(onInterrupt("source")(Effect.never))
      )
      const running = yield* Stream.runDrain(Ingestion.run("t")(source)).pipe(Effect.provide(store.layer), Effect.fork)
      yield* TestClock.adjust("100 millis")
      yield* settle
      assert.lengthOf(store.batches, 1)
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(stopped.sort(), ["source", "store"])
    }))

  it.effect("takes a document without text as one to refuse, not as a failure", () =>
    Effect.gen(function*() {
      // what a program without types hands in
      const outcomes = yield* Stream.runCollect(Ingestion.run("t")(Stream.make({ id: "a" } as Document, note(1))))
      assert.deepStrictEqual(Array.from(outcomes, ({ status }) => status), ["refused", "indexed"])
    }).pipe(Effect.provide(memory)))
})

describe("Ingestion.inBatches", () => {
  it.effect("gives what each batch gave, be it more or less than the items", () =>
    Effect.gen(function*() {
      const sums = yield* Stream.range(1, 10).pipe(
        Ingestion.inBatches({
          batch: 4,
          lengthOf: () => 0,
          write: (items) => Effect.succeed([items.length, items.reduce((sum, item) => sum + item, 0)])
        }),
        Stream.runCollect
      )
      assert.deepStrictEqual([...sums], [4, 10, 4, 26, 2, 19])
    }))
})
