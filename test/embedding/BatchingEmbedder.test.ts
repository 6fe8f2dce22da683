import { assert, describe, it } from "@effect/vitest"
import * as BatchingEmbedder from "causeway-mcp/embedding/BatchingEmbedder"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
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

  it.scoped("fails for those whose texts were in the batch, and no others", () =>
    Effect.gen(function*() {
      const { answer, embedder, fail, texts } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, { maxTexts: 2, concurrency: 2 })
      const one = yield* Effect.fork(Effect.flip(batched.embed(["a"])))
      const two = yield* Effect.fork(Effect.flip(batched.embed(["b", "c", "e"])))
      const three = yield* Effect.fork(batched.embed(["d"]))
      yield* pass
      assert.deepStrictEqual(texts(), ["a b", "c e"])
      yield* fail(0, true)
      assert.isTrue((yield* Fiber.join(one)).isRetryable)
      assert.isTrue((yield* Fiber.join(two)).isRetryable)
      yield* pass
      assert.deepStrictEqual(texts(), ["a b", "c e", "d"])
      yield* answer(2)
      assert.deepStrictEqual(yield* Fiber.join(three), [Scripted.vectorOf("d")])
    }))

  it.scoped("does not ask for what is left of a call that has failed", () =>
    Effect.gen(function*() {
      const { asked, embedder, fail } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, { maxTexts: 1, concurrency: 2 })
      const call = yield* Effect.fork(Effect.flip(batched.embed(["a", "b", "c", "d"])))
      yield* pass
      yield* fail(0, true)
      yield* Fiber.join(call)
      yield* pass
      assert.deepStrictEqual(asked.map(({ isInterrupted }) => isInterrupted), [false, true])
    }))

  it.scoped("asks text by text for a batch that was refused, so that only the bad text fails", () =>
    Effect.gen(function*() {
      const calls: Array<string> = []
      const batched = yield* BatchingEmbedder.make({
        id: "x",
        dimensions: 3,
        embed: (texts) => {
          calls.push(texts.join(" "))
          return texts.some((text) => text.startsWith("bad"))
            ? Effect.fail(Scripted.error("refused", false))
            : Effect.succeed(texts.map(Scripted.vectorOf))
        }
      })
      const fiber = yield* Effect.fork(Effect.all([
        batched.embed(["a"]),
        Effect.flip(batched.embed(["b", "bad", "c"])),
        batched.embed(["d"]),
        Effect.flip(batched.embed(["bad2"])),
        batched.embed(["e", "f"])
      ], { concurrency: "unbounded" }))
      yield* pass
      const [a, bad, d, bad2, ef] = yield* Fiber.join(fiber)
      assert.deepStrictEqual([...a, ...d, ...ef], ["a", "d", "e", "f"].map(Scripted.vectorOf))
      assert.deepStrictEqual([bad.description, bad2.description], ["refused", "refused"])
      // Nobody wants "c" any more.
      assert.deepStrictEqual(calls, ["a b bad c d bad2 e f", "a", "b", "bad", "d", "bad2", "e", "f"])
    }))

  it.scoped("asks once for a single text that was refused", () =>
    Effect.gen(function*() {
      const { asked, embedder, fail } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder)
      const fiber = yield* Effect.fork(Effect.flip(batched.embed(["a"])))
      yield* pass
      yield* fail(0, false)
      assert.isFalse((yield* Fiber.join(fiber)).isRetryable)
      assert.strictEqual(asked.length, 1)
    }))

  it.scoped("does not ask text by text for what is no text's fault", () =>
    Effect.gen(function*() {
      const { asked, embedder, fail } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, {
        isOfOneText: ({ description }) => description === "bad text"
      })
      const all = yield* Effect.fork(
        Effect.all(["a", "b", "c"].map((text) => Effect.flip(batched.embed([text]))), { concurrency: "unbounded" })
      )
      yield* pass
      yield* fail(0, false, "bad text")
      yield* pass
      yield* fail(1, false, "bad key")
      assert.deepStrictEqual((yield* Fiber.join(all)).map(({ description }) => description), [
        "bad key",
        "bad key",
        "bad key"
      ])
      assert.deepStrictEqual(asked.map(({ texts }) => texts.join(" ")), ["a b c", "a"])
    }))

  it.scoped("takes out of the line what a caller who goes away had in it, and nothing else", () =>
    Effect.gen(function*() {
      const { answer, embedder, texts } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, { maxTexts: 2, concurrency: 1 })
      const gone = yield* Effect.fork(batched.embed(["a", "b", "c"]))
      const stays = yield* Effect.fork(batched.embed(["d", "e"]))
      yield* pass
      assert.deepStrictEqual(texts(), ["a b"])
      yield* Fiber.interrupt(gone)
      yield* pass
      assert.deepStrictEqual(texts(), ["a b", "d e"])
      yield* answer(1)
      assert.deepStrictEqual(yield* Fiber.join(stays), ["d", "e"].map(Scripted.vectorOf))
    }))

  it.scoped("goes on with a batch while anyone in it waits, and stops it when nobody does", () =>
    Effect.gen(function*() {
      const { answer, asked, embedder } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder)
      const one = yield* Effect.fork(batched.embed(["a"]))
      const two = yield* Effect.fork(batched.embed(["b"]))
      yield* pass
      yield* Fiber.interrupt(one)
      yield* pass
      assert.isFalse(asked[0]?.isInterrupted)
      yield* answer(0)
      assert.deepStrictEqual(yield* Fiber.join(two), [Scripted.vectorOf("b")])
      const three = yield* Effect.fork(batched.embed(["c"]))
      yield* pass
      yield* Fiber.interrupt(three)
      yield* pass
      assert.isTrue(asked[1]?.isInterrupted)
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

  it.scoped("ends each caller's wait by the own time, and gives a batch the longest", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const batched = yield* BatchingEmbedder.make({
        id: "x",
        dimensions: 3,
        embed: (texts) =>
          Effect.flatMap(TimeLimit.remaining, (left) => {
            seen.push(left)
            return Effect.delay(Effect.succeed(texts.map(Scripted.vectorOf)), "4 seconds")
          })
      })
      const hurried = yield* Effect.fork(Effect.flip(TimeLimit.within(batched.embed(["a"]), "1 second")))
      const patient = yield* Effect.fork(TimeLimit.within(batched.embed(["b"]), "10 seconds"))
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(hurried)
      assert.isTrue(error.isRetryable)
      assert.strictEqual(error.message, "Embedder x: no vector came within the time left for this call")
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(yield* Fiber.join(patient), [Scripted.vectorOf("b")])
      assert.deepStrictEqual(seen, [9995])
      assert.isTrue((yield* Effect.flip(TimeLimit.within(batched.embed(["c"]), 0))).isRetryable)
      yield* pass
      assert.strictEqual(seen.length, 1)
    }))

  it.effect("fails as retryable for all who wait when the scope closes, and leaves nothing running", () =>
    Effect.gen(function*() {
      const { asked, embedder } = Scripted.make()
      const scope = yield* Scope.make()
      const batched = yield* Scope.extend(BatchingEmbedder.make(embedder, { maxTexts: 2, concurrency: 2 }), scope)
      const waiting = yield* Effect.fork(
        Effect.all(numbered(7).map((text) => Effect.flip(batched.embed([text]))), { concurrency: "unbounded" })
      )
      yield* pass
      assert.strictEqual(asked.length, 2)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(asked.map(({ isInterrupted }) => isInterrupted), [true, true])
      const errors = yield* Fiber.join(waiting)
      assert.isTrue(errors.every(({ isRetryable }) => isRetryable))
      assert.strictEqual(errors[6]?.message, "Embedder scripted: the embedder is closed")
      assert.isTrue((yield* Effect.flip(batched.embed(["late"]))).isRetryable)
      yield* pass
      assert.strictEqual(asked.length, 2)
    }))

  for (const count of [0, 1, 3]) {
    it.scoped(`fails when ${count} vectors come for two texts`, () =>
      Effect.gen(function*() {
        const batched = yield* BatchingEmbedder.make({
          id: "x",
          dimensions: 3,
          embed: () => Effect.succeed(Array.from({ length: count }, () => Float32Array.of(1, 2, 3)))
        })
        const fiber = yield* Effect.fork(Effect.flip(batched.embed(["a", "b"])))
        yield* pass
        const error = yield* Fiber.join(fiber)
        assert.isFalse(error.isRetryable)
        assert.strictEqual(error.description, `${count} vectors came for 2 texts`)
      }))
  }

  it.scoped("passes a defect on, and goes on after it", () =>
    Effect.gen(function*() {
      let calls = 0
      const batched = yield* BatchingEmbedder.make({
        id: "x",
        dimensions: 3,
        embed: (texts) => {
          calls++
          if (calls === 1) throw new Error("bug")
          return calls === 2 ? Effect.interrupt : Effect.succeed(texts.map(Scripted.vectorOf))
        }
      }, { concurrency: 1, linger: 0 })
      const exit = yield* Effect.exit(batched.embed(["a"]))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDieType(exit.cause))
      assert.isTrue((yield* Effect.flip(batched.embed(["b"]))).isRetryable)
      assert.deepStrictEqual(yield* batched.embed(["c"]), [Scripted.vectorOf("c")])
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
