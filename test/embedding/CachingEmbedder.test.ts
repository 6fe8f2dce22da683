import { assert, describe, it } from "@effect/vitest"
import * as CachingEmbedder from "causeway-mcp/embedding/CachingEmbedder"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Scripted from "./scripted.js"

const settle = TestClock.adjust(0)

/** Lets others go on so many times. */
const turns = (count: number) => Effect.repeatN(Effect.yieldNow(), count)

describe("CachingEmbedder.make", () => {
  it.effect("asks for a text once, and gives each asker a vector of its own", () =>
    Effect.gen(function*() {
      const { calls, embedder } = Scripted.immediate()
      const cached = CachingEmbedder.make(embedder)
      const [a, b, again] = yield* cached.embed(["a", "bb", "a"])
      assert.deepStrictEqual(a, Scripted.vectorOf("a"))
      assert.deepStrictEqual(b, Scripted.vectorOf("bb"))
      assert.deepStrictEqual(again, a)
      a?.fill(9)
      assert.deepStrictEqual(again, Scripted.vectorOf("a"))
      assert.deepStrictEqual(yield* cached.embed(["a"]), [Scripted.vectorOf("a")])
      assert.deepStrictEqual(yield* cached.embed(["c", "bb"]), ["c", "bb"].map(Scripted.vectorOf))
      assert.deepStrictEqual(calls, [["a", "bb"], ["c"]])
    }))

  it.effect("is not damaged by an embedder that uses its vectors again", () =>
    Effect.gen(function*() {
      const one = Float32Array.of(1, 2, 3)
      const cached = CachingEmbedder.make({ id: "x", dimensions: 3, embed: () => Effect.succeed([one]) })
      yield* cached.embed(["a"])
      one.fill(0)
      assert.deepStrictEqual(yield* cached.embed(["a"]), [Float32Array.of(1, 2, 3)])
    }))

  it.effect("asks nobody about no texts, and says what the embedder says of itself", () =>
    Effect.gen(function*() {
      const { asked, embedder } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      assert.deepStrictEqual(yield* cached.embed([]), [])
      assert.deepStrictEqual(asked, [])
      assert.deepInclude(cached, { id: "scripted", dimensions: 3, lexicalWeight: 0.25 })
    }))

  it.effect("lets the vector go that was used longest ago", () =>
    Effect.gen(function*() {
      const { calls, embedder } = Scripted.immediate()
      const cached = CachingEmbedder.make(embedder, { capacity: 2 })
      yield* cached.embed(["a"])
      yield* cached.embed(["b"])
      yield* cached.embed(["a"])
      yield* cached.embed(["c"])
      yield* cached.embed(["a"])
      assert.strictEqual(calls.length, 3)
      yield* cached.embed(["b"])
      assert.deepStrictEqual(calls.at(-1), ["b"])
    }))

  it.effect("gives every vector of a call that has more texts than are kept", () =>
    Effect.gen(function*() {
      const { calls, embedder } = Scripted.immediate()
      const cached = CachingEmbedder.make(embedder, { capacity: 1 })
      const texts = ["a", "b", "c", "a"]
      assert.deepStrictEqual(yield* cached.embed(texts), texts.map(Scripted.vectorOf))
      assert.deepStrictEqual(calls, [["a", "b", "c"]])
    }))

  it.effect("tells texts apart by every unit, halves of characters too", () =>
    Effect.gen(function*() {
      const { calls, embedder } = Scripted.immediate()
      const cached = CachingEmbedder.make(embedder)
      const texts = ["\ud83d", "\ud83e", "\ufffd", "é", "e\u0301", "", " "]
      assert.deepStrictEqual(yield* cached.embed(texts), texts.map(Scripted.vectorOf))
      assert.strictEqual(calls[0]?.length, texts.length)
    }))

  it.effect("asks once for what several callers want at the same time", () =>
    Effect.gen(function*() {
      const { answer, embedder, texts } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      const first = yield* Effect.fork(cached.embed(["a", "b"]))
      yield* settle
      const second = yield* Effect.fork(cached.embed(["b", "c"]))
      const third = yield* Effect.fork(cached.embed(["a"]))
      yield* settle
      assert.deepStrictEqual(texts(), ["a b", "c"])
      yield* answer(0)
      assert.deepStrictEqual(yield* Fiber.join(first), ["a", "b"].map(Scripted.vectorOf))
      assert.deepStrictEqual(yield* Fiber.join(third), ["a"].map(Scripted.vectorOf))
      assert.isNull(second.unsafePoll())
      yield* answer(1)
      assert.deepStrictEqual(yield* Fiber.join(second), ["b", "c"].map(Scripted.vectorOf))
    }))

  it.effect("goes on for the others when whoever asked first goes away", () =>
    Effect.gen(function*() {
      const { answer, asked, embedder } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      const first = yield* Effect.fork(cached.embed(["a"]))
      yield* settle
      const second = yield* Effect.fork(cached.embed(["a"]))
      yield* settle
      yield* Fiber.interrupt(first)
      yield* settle
      assert.isFalse(asked[0]?.isInterrupted)
      yield* answer(0)
      assert.deepStrictEqual(yield* Fiber.join(second), [Scripted.vectorOf("a")])
      assert.strictEqual(asked.length, 1)
    }))

  it.effect("stops the embedder when the last caller has gone, and asks anew after that", () =>
    Effect.gen(function*() {
      const { answer, asked, embedder } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      const both = yield* Effect.fork(Effect.all([cached.embed(["a"]), cached.embed(["a"])], { concurrency: 2 }))
      yield* settle
      yield* Fiber.interrupt(both)
      yield* settle
      assert.isTrue(asked[0]?.isInterrupted)
      const later = yield* Effect.fork(cached.embed(["a"]))
      yield* settle
      yield* answer(1)
      assert.deepStrictEqual(yield* Fiber.join(later), [Scripted.vectorOf("a")])
    }))

  it.effect("fails for all who wanted the same texts, and remembers no failure", () =>
    Effect.gen(function*() {
      const { answer, asked, embedder, fail } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      const both = yield* Effect.fork(
        Effect.all([Effect.either(cached.embed(["a"])), Effect.either(cached.embed(["a"]))], { concurrency: 2 })
      )
      yield* settle
      yield* fail(0, true)
      const [one, two] = yield* Fiber.join(both)
      assert.strictEqual((yield* Effect.flip(one)).description, "scripted failure")
      assert.strictEqual((yield* Effect.flip(two)).description, "scripted failure")
      assert.strictEqual(asked.length, 1)
      const again = yield* Effect.fork(cached.embed(["a"]))
      yield* settle
      yield* answer(1)
      assert.deepStrictEqual(yield* Fiber.join(again), [Scripted.vectorOf("a")])
    }))

  it.effect("does not let another's bad text spoil a text that is wanted with it", () =>
    Effect.gen(function*() {
      const { answer, embedder, fail, texts } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      const first = yield* Effect.fork(Effect.flip(cached.embed(["good", "bad"])))
      yield* settle
      const second = yield* Effect.fork(cached.embed(["good"]))
      yield* settle
      yield* fail(0, false)
      assert.isFalse((yield* Fiber.join(first)).isRetryable)
      yield* settle
      assert.deepStrictEqual(texts(), ["good bad", "good"])
      yield* answer(1)
      assert.deepStrictEqual(yield* Fiber.join(second), [Scripted.vectorOf("good")])
    }))

  it.effect("does not let a second bad text of another's spoil it either", () =>
    Effect.gen(function*() {
      const { answer, embedder, fail, texts } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      // Fails, and at once asks for the same text with another bad one, before those who waited go on.
      yield* Effect.fork(
        Effect.catchAll(cached.embed(["good", "bad"]), () => Effect.ignore(cached.embed(["good", "worse"])))
      )
      yield* settle
      const other = yield* Effect.fork(cached.embed(["good"]))
      yield* settle
      yield* fail(0, false)
      yield* settle
      assert.deepStrictEqual(texts(), ["good bad", "good worse", "good"])
      yield* fail(1, false)
      yield* settle
      yield* answer(2)
      assert.deepStrictEqual(yield* Fiber.join(other), [Scripted.vectorOf("good")])
    }))

  it.effect("asks again only once for whoever joined a call that failed", () =>
    Effect.gen(function*() {
      const { asked, embedder, fail } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      yield* Effect.fork(Effect.ignore(cached.embed(["a", "x"])))
      yield* settle
      const others = yield* Effect.fork(
        Effect.all(Array.from({ length: 5 }, () => Effect.flip(cached.embed(["a"]))), { concurrency: "unbounded" })
      )
      yield* settle
      yield* fail(0, false)
      yield* settle
      yield* fail(1, false)
      assert.strictEqual((yield* Fiber.join(others)).length, 5)
      assert.strictEqual(asked.length, 2)
    }))

  it.effect("does not let another's shorter time spoil a text", () =>
    Effect.gen(function*() {
      const { answer, asked, embedder, fail } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      const hurried = yield* Effect.fork(Effect.flip(TimeLimit.within(cached.embed(["a"]), "1 second")))
      yield* settle
      const patient = yield* Effect.fork(TimeLimit.within(cached.embed(["a"]), "1 minute"))
      yield* settle
      yield* fail(0, true, "no time for another try")
      assert.isTrue((yield* Fiber.join(hurried)).isRetryable)
      yield* settle
      assert.strictEqual(asked.length, 2)
      yield* answer(1)
      assert.deepStrictEqual(yield* Fiber.join(patient), [Scripted.vectorOf("a")])
    }))

  it.effect("lets nobody wait beyond the own time for another's call", () =>
    Effect.gen(function*() {
      const { answer, embedder } = Scripted.make()
      const cached = CachingEmbedder.make(embedder)
      const patient = yield* Effect.fork(cached.embed(["a"]))
      yield* settle
      const hurried = yield* Effect.fork(Effect.flip(TimeLimit.within(cached.embed(["a"]), "1 second")))
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(hurried)
      assert.isTrue(error.isRetryable)
      assert.strictEqual(error.message, "Embedder scripted: no vector came within the time left for this call")
      yield* answer(0)
      assert.deepStrictEqual(yield* Fiber.join(patient), [Scripted.vectorOf("a")])
    }))

  it.effect("lets the embedder see the time that its caller has", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const cached = CachingEmbedder.make({
        id: "x",
        dimensions: 3,
        embed: (texts) =>
          Effect.map(TimeLimit.remaining, (left) => {
            seen.push(left)
            return texts.map(Scripted.vectorOf)
          })
      })
      yield* TimeLimit.within(cached.embed(["a"]), "3 seconds")
      assert.deepStrictEqual(seen, [3000])
    }))

  for (const count of [0, 1, 3]) {
    it.effect(`fails, and keeps nothing, when ${count} vectors come for two texts`, () =>
      Effect.gen(function*() {
        let given = count
        const cached = CachingEmbedder.make({
          id: "x",
          dimensions: 3,
          embed: () => Effect.succeed(Array.from({ length: given }, () => Float32Array.of(1, 2, 3)))
        })
        const error = yield* Effect.flip(cached.embed(["a", "b"]))
        assert.isFalse(error.isRetryable)
        assert.strictEqual(error.description, `${count} vectors came for 2 texts`)
        given = 1
        assert.strictEqual((yield* cached.embed(["a"])).length, 1)
      }))
  }

  it.effect("passes a defect on, and fails as retryable when the embedder interrupts itself", () =>
    Effect.gen(function*() {
      const broken = CachingEmbedder.make({ id: "x", dimensions: 3, embed: () => Effect.die("bug") })
      const exit = yield* Effect.exit(broken.embed(["a"]))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDieType(exit.cause))
      const stopped = CachingEmbedder.make({ id: "x", dimensions: 3, embed: () => Effect.interrupt })
      assert.isTrue((yield* Effect.flip(stopped.embed(["a"]))).isRetryable)
    }))

  it.effect("gives whoever asks the own vectors, in any order of asking, answering and leaving", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(
            FastCheck.record({
              texts: FastCheck.array(FastCheck.constantFrom("a", "b", "c", "d", "e"), { maxLength: 4 }),
              start: FastCheck.nat(20),
              stay: FastCheck.option(FastCheck.nat(20), { nil: undefined })
            }),
            { minLength: 1, maxLength: 12 }
          ),
          FastCheck.array(FastCheck.nat(10), { minLength: 1, maxLength: 5 }),
          FastCheck.integer({ min: 1, max: 4 }),
          (callers, delays, capacity) =>
            Effect.runPromise(Effect.gen(function*() {
              let calls = 0
              const cached = CachingEmbedder.make({
                id: "x",
                dimensions: 3,
                embed: (texts) =>
                  Effect.suspend(() =>
                    Effect.as(turns(delays[calls++ % delays.length] ?? 0), texts.map(Scripted.vectorOf))
                  )
              }, { capacity })
              const exits = yield* Effect.forEach(callers, ({ start, stay, texts }) =>
                Effect.gen(function*() {
                  yield* turns(start)
                  const fiber = yield* Effect.fork(cached.embed(texts))
                  if (stay === undefined) return { texts, exit: yield* Fiber.await(fiber) }
                  yield* turns(stay)
                  return { texts, exit: yield* Fiber.interrupt(fiber) }
                }), { concurrency: "unbounded" })
              for (const [at, { exit, texts }] of exits.entries()) {
                if (Exit.isSuccess(exit)) assert.deepStrictEqual(exit.value, texts.map(Scripted.vectorOf))
                else assert.isTrue(callers[at]?.stay !== undefined && Exit.isInterrupted(exit))
              }
            }))
        ),
        { numRuns: 300 }
      )
    ))

  it("refuses a capacity that is no whole number above zero", () => {
    for (const capacity of [0, -1, 1.5, NaN, Infinity]) {
      assert.throws(() => CachingEmbedder.make(Scripted.immediate().embedder, { capacity }), RangeError)
    }
  })
})

describe("CachingEmbedder.layer", () => {
  it.effect("provides the embedder of a layer with a cache", () =>
    Effect.gen(function*() {
      const { calls, embedder } = Scripted.immediate()
      yield* Effect.gen(function*() {
        const cached = yield* Embedder.Embedder
        yield* cached.embed(["a"])
        yield* cached.embed(["a"])
      }).pipe(Effect.provide(CachingEmbedder.layer(Layer.succeed(Embedder.Embedder, embedder))))
      assert.deepStrictEqual(calls, [["a"]])
    }))
})
