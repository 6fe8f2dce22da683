import { assert, describe, it } from "@effect/vitest"
import * as BatchingEmbedder from "causeway-mcp/embedding/BatchingEmbedder"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Scripted from "./scripted.js"

/** Past the usual linger. */
const pass = TestClock.adjust("5 millis")

/** Lets others go on so many times. */
const turns = (count: number) => Effect.repeatN(Effect.yieldNow(), count)

const numbered = (count: number, of = "t") => Array.from({ length: count }, (_, at) => `${of}${at}`)

describe("BatchingEmbedder.make", () => {
  it.scoped("joins the texts of callers who come within the linger", () =>
    Effect.gen(function*() {
      const { answer, embedder, texts } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder)
      const first = yield* Effect.fork(batched.embed(["a", "b"]))
      yield* TestClock.adjust("4 millis")
      const second = yield* Effect.fork(batched.embed(["c"]))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(texts(), [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(texts(), ["a b c"])
      yield* answer(0)
      assert.deepStrictEqual(yield* Fiber.join(first), ["a", "b"].map(Scripted.vectorOf))
      assert.deepStrictEqual(yield* Fiber.join(second), [Scripted.vectorOf("c")])
    }))

  it.scoped("does not linger when a batch is full", () =>
    Effect.gen(function*() {
      const { embedder, texts } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, { maxTexts: 2, linger: "1 hour" })
      yield* Effect.fork(batched.embed(["a"]))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(texts(), [])
      yield* Effect.fork(batched.embed(["b", "c"]))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(texts(), ["a b"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(texts(), ["a b", "c"])
    }))

  it.scoped("asks in the order of the line, and keeps the order of each caller", () =>
    Effect.gen(function*() {
      const { answer, embedder, texts } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, { maxTexts: 3, concurrency: 2 })
      const long = yield* Effect.fork(batched.embed(numbered(7)))
      const short = yield* Effect.fork(batched.embed(["x", "y"]))
      yield* pass
      assert.deepStrictEqual(texts(), ["t0 t1 t2", "t3 t4 t5"])
      yield* answer(1)
      yield* pass
      assert.deepStrictEqual(texts().slice(2), ["t6 x y"])
      yield* answer(2)
      assert.deepStrictEqual(yield* Fiber.join(short), ["x", "y"].map(Scripted.vectorOf))
      assert.isNull(long.unsafePoll())
      yield* answer(0)
      assert.deepStrictEqual(yield* Fiber.join(long), numbered(7).map(Scripted.vectorOf))
    }))

  it.scoped("fits no more characters into a batch than allowed, but for a single long text", () =>
    Effect.gen(function*() {
      const { calls, embedder } = Scripted.immediate()
      const batched = yield* BatchingEmbedder.make(embedder, { maxLength: 10 })
      const texts = ["1234", "123456", "1", "12345678901234", "12", ""]
      const fiber = yield* Effect.fork(batched.embed(texts))
      yield* pass
      assert.deepStrictEqual(yield* Fiber.join(fiber), texts.map(Scripted.vectorOf))
      assert.deepStrictEqual(calls, [["1234", "123456"], ["1"], ["12345678901234"], ["12", ""]])
    }))

  it.scoped("has no more batches under way than allowed", () =>
    Effect.gen(function*() {
      let most = 0
      let now = 0
      const batched = yield* BatchingEmbedder.make({
        id: "x",
        dimensions: 3,
        embed: (texts) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              most = Math.max(most, ++now)
            }),
            () => Effect.delay(Effect.succeed(texts.map(Scripted.vectorOf)), "1 second"),
            () =>
              Effect.sync(() => {
                now--
              })
          )
      }, { maxTexts: 1, concurrency: 3 })
      const fiber = yield* Effect.fork(batched.embed(numbered(10)))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).length, 10)
      assert.strictEqual(most, 3)
    }))

  it.scoped("asks nobody about no texts, and says what the embedder says of itself", () =>
    Effect.gen(function*() {
      const { asked, embedder } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder)
      assert.deepStrictEqual(yield* batched.embed([]), [])
      assert.deepStrictEqual(asked, [])
      assert.deepInclude(batched, { id: "scripted", dimensions: 3, lexicalWeight: 0.25 })
    }))

  it.scoped("lets 10,000 texts wait, and fails at once as retryable with more", () =>
    Effect.gen(function*() {
      const { answer, embedder } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, { concurrency: 1, maxTexts: 1000 })
      const first = yield* Effect.fork(batched.embed(["a"]))
      yield* pass
      const many = yield* Effect.fork(batched.embed(numbered(9999)))
      const one = yield* Effect.fork(batched.embed(["b"]))
      yield* pass
      const error = yield* Effect.flip(batched.embed(["c"]))
      assert.isTrue(error.isRetryable)
      assert.strictEqual(error.description, "10000 texts wait already, and no more than 10000 may")
      assert.isNull(one.unsafePoll())
      yield* Fiber.interrupt(many)
      const room = yield* Effect.fork(batched.embed(["d"]))
      yield* answer(0)
      yield* pass
      yield* answer(1)
      yield* Fiber.join(first)
      assert.deepStrictEqual([...yield* Fiber.join(one), ...yield* Fiber.join(room)], ["b", "d"].map(Scripted.vectorOf))
    }))

  it.scoped("takes a single call of more texts than may wait", () =>
    Effect.gen(function*() {
      const { calls, embedder } = Scripted.immediate()
      const batched = yield* BatchingEmbedder.make(embedder, { maxTexts: 500 })
      const texts = numbered(10_500)
      const fiber = yield* Effect.fork(batched.embed(texts))
      yield* TestClock.adjust("1 second")
      const vectors = yield* Fiber.join(fiber)
      assert.deepStrictEqual(vectors.map((vector) => vector[1]), texts.map((text) => Scripted.vectorOf(text)[1]))
      assert.strictEqual(calls.length, 21)
    }))

  it.effect("gives each caller the own vectors, in any order of coming, answering, failing and leaving", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(
            FastCheck.record({
              texts: FastCheck.array(FastCheck.constantFrom("a", "bb", "ccc", "dddd", "bad"), { maxLength: 6 }),
              start: FastCheck.nat(30),
              stay: FastCheck.option(FastCheck.nat(30), { nil: undefined })
            }),
            { minLength: 1, maxLength: 12 }
          ),
          FastCheck.array(FastCheck.nat(15), { minLength: 1, maxLength: 5 }),
          FastCheck.integer({ min: 1, max: 4 }),
          FastCheck.integer({ min: 1, max: 12 }),
          FastCheck.integer({ min: 1, max: 3 }),
          (callers, delays, maxTexts, maxLength, concurrency) =>
            Effect.runPromise(Effect.scoped(Effect.gen(function*() {
              let calls = 0
              let most = 0
              let now = 0
              const oversized: Array<ReadonlyArray<string>> = []
              const batched = yield* BatchingEmbedder.make({
                id: "x",
                dimensions: 3,
                embed: (texts) =>
                  Effect.gen(function*() {
                    most = Math.max(most, ++now)
                    if (texts.length > maxTexts || (texts.length > 1 && texts.join("").length > maxLength)) {
                      oversized.push(texts)
                    }
                    yield* turns(delays[calls++ % delays.length] ?? 0)
                    if (texts.includes("bad")) return yield* Effect.fail(Scripted.error("refused", false))
                    return texts.map(Scripted.vectorOf)
                  }).pipe(Effect.ensuring(Effect.sync(() => now--)))
              }, { maxTexts, maxLength, concurrency, linger: 0 })
              const exits = yield* Effect.forEach(callers, ({ start, stay, texts }) =>
                Effect.gen(function*() {
                  yield* turns(start)
                  const fiber = yield* Effect.fork(batched.embed(texts))
                  if (stay === undefined) return yield* Fiber.await(fiber)
                  yield* turns(stay)
                  return yield* Fiber.interrupt(fiber)
                }), { concurrency: "unbounded" })
              for (const [at, exit] of exits.entries()) {
                const { stay, texts } = callers[at] ?? { texts: [] }
                if (Exit.isSuccess(exit)) {
                  assert.notInclude(texts, "bad")
                  assert.deepStrictEqual(exit.value, texts.map(Scripted.vectorOf))
                } else if (Exit.isInterrupted(exit)) assert.isDefined(stay)
                else assert.include(texts, "bad")
              }
              yield* turns(20)
              assert.deepStrictEqual({ now, oversized }, { now: 0, oversized: [] })
              assert.isAtMost(most, concurrency)
            })))
        ),
        { numRuns: 300 }
      )
    ))

  it.effect("is a defect with an option that is no whole number above zero", () =>
    Effect.gen(function*() {
      for (const options of [{ maxTexts: 0 }, { maxLength: -1 }, { concurrency: 1.5 }, { maxTexts: NaN }]) {
        const exit = yield* Effect.exit(Effect.scoped(BatchingEmbedder.make(Scripted.immediate().embedder, options)))
        assert(Exit.isFailure(exit))
        assert.instanceOf(Cause.squash(exit.cause), RangeError)
      }
    }))
})

describe("BatchingEmbedder.layer", () => {
  it.effect("provides the embedder of a layer in batches", () =>
    Effect.gen(function*() {
      const { calls, embedder } = Scripted.immediate()
      yield* Effect.gen(function*() {
        const batched = yield* Embedder.Embedder
        const both = yield* Effect.fork(
          Effect.all([batched.embed(["a"]), batched.embed(["b"])], { concurrency: "unbounded" })
        )
        yield* pass
        yield* Fiber.join(both)
      }).pipe(Effect.provide(BatchingEmbedder.layer(Layer.succeed(Embedder.Embedder, embedder))))
      assert.deepStrictEqual(calls, [["a", "b"]])
    }))
})
