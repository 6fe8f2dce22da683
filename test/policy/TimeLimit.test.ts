import { assert, describe, it } from "@effect/vitest"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as TestClock from "effect/TestClock"

describe("TimeLimit", () => {
  it.effect("leaves all the time there is where nobody set a limit", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* TimeLimit.remaining, Infinity)
      assert.strictEqual(yield* TimeLimit.within(TimeLimit.remaining, Infinity), Infinity)
    }))

  it.effect("tells the time left, down to none", () =>
    Effect.gen(function*() {
      const left = yield* Effect.all([
        TimeLimit.remaining,
        Effect.zipRight(TestClock.adjust("600 millis"), TimeLimit.remaining),
        Effect.zipRight(TestClock.adjust("400 millis"), TimeLimit.remaining),
        Effect.zipRight(TestClock.adjust("1 minute"), TimeLimit.remaining)
      ]).pipe(TimeLimit.within("1 second"))
      assert.deepStrictEqual(left, [1000, 400, 0, 0])
    }))

  it.effect("can be shortened on the way, not prolonged, and is as before afterwards", () =>
    Effect.gen(function*() {
      const inner = (duration: number) => TimeLimit.within(TimeLimit.remaining, duration)
      const left = yield* TimeLimit.within(Effect.all([inner(50), inner(5000), TimeLimit.remaining]), 1000)
      assert.deepStrictEqual(left, [50, 1000, 1000])
      assert.strictEqual(yield* FiberRef.get(TimeLimit.current), Infinity)
    }))

  it.effect("counts from when the effect is run, each time", () =>
    Effect.gen(function*() {
      const limited = TimeLimit.within(FiberRef.get(TimeLimit.current), 1000)
      const first = yield* limited
      yield* TestClock.adjust(250)
      assert.strictEqual(yield* limited, first + 250)
    }))

  it.effect("goes with what is forked inside", () =>
    Effect.gen(function*() {
      const fiber = yield* TimeLimit.within(Effect.fork(TimeLimit.remaining), 1000)
      assert.strictEqual(yield* Fiber.join(fiber), 1000)
    }))

  it.effect("ends nothing by itself", () =>
    Effect.gen(function*() {
      const done = yield* TimeLimit.within(Effect.as(TestClock.adjust(1000), "done"), 10)
      assert.strictEqual(done, "done")
    }))
})
