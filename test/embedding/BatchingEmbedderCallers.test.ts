import { assert, describe, it } from "@effect/vitest"
import * as BatchingEmbedder from "causeway-mcp/embedding/BatchingEmbedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Scripted from "./scripted.js"

/** Past the usual linger. */
const pass = TestClock.adjust("5 millis")

describe("BatchingEmbedder.make, when callers go away", () => {
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
        Effect.all(["a", "b", "c", "d", "e", "f", "g"].map((text) => Effect.flip(batched.embed([text]))), {
          concurrency: "unbounded"
        })
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
})
