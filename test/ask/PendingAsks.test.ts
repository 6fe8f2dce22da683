import { assert, describe, it, layer } from "@effect/vitest"
import * as Waiting from "causeway-mcp/ask/internal/Waiting"
import * as PendingAsks from "causeway-mcp/ask/PendingAsks"
import * as PendingAsksLaws from "causeway-mcp/testing/PendingAsksLaws"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

layer(PendingAsks.layerMemory)("PendingAsks.layerMemory", (it) => {
  for (const { check, name } of PendingAsksLaws.laws) it.effect(name, () => check)
})

describe("PendingAsks.makeMemory", () => {
  it.effect("does not exchange answers with another", () =>
    Effect.gen(function*() {
      const [here, elsewhere] = yield* Effect.all([PendingAsks.makeMemory, PendingAsks.makeMemory])
      const both = Effect.orDie(Effect.zipRight(elsewhere.answer("key", "foreign"), here.answer("key", "own")))
      assert.strictEqual(yield* here.wait("key", both), "own")
    }))
})

describe("Waiting", () => {
  it.effect("keeps nothing of 10,000 calls that were interrupted", () =>
    Effect.gen(function*() {
      const waiting = Waiting.make()
      const calls = yield* Effect.fork(Effect.forEach(
        Array.from({ length: 10_000 }, (_, index) => `key-${index}`),
        (key) => waiting.wait(key, Effect.void),
        { concurrency: "unbounded", discard: true }
      ))
      yield* Effect.repeat(Effect.yieldNow(), { until: () => waiting.size() === 10_000 })
      yield* Fiber.interrupt(calls)
      assert.strictEqual(waiting.size(), 0)
    }))

  it.effect("keeps nothing of a call that was answered", () =>
    Effect.gen(function*() {
      const waiting = Waiting.make()
      yield* waiting.wait("key", Effect.sync(() => void waiting.answer("key", 1)))
      assert.strictEqual(waiting.size(), 0)
      assert.isFalse(waiting.answer("key", 2))
    }))

  it.effect("keeps nothing of a call whose question could not be sent", () =>
    Effect.gen(function*() {
      const waiting = Waiting.make()
      const exit = yield* Effect.exit(waiting.wait("key", Effect.fail("cut")))
      assert.deepStrictEqual(exit, Exit.fail("cut"))
      assert.strictEqual(waiting.size(), 0)
    }))

  it.effect("keeps nothing of a call that is interrupted while it sends", () =>
    Effect.gen(function*() {
      const waiting = Waiting.make()
      const call = yield* Effect.fork(waiting.wait("key", Effect.never))
      yield* Effect.repeat(Effect.yieldNow(), { until: () => waiting.has("key") })
      yield* Fiber.interrupt(call)
      assert.strictEqual(waiting.size(), 0)
    }))
})
