import { assert, describe, it } from "@effect/vitest"
import * as TimeBound from "causeway-mcp/provider/internal/TimeBound"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as TestClock from "effect/TestClock"

const late = () => "late"

describe("TimeBound.within", () => {
  it.effect("gives what comes in time, and leaves no timer", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* TimeBound.within(Effect.succeed(1), 100, late), 1)
      assert.strictEqual(yield* Effect.flip(TimeBound.within(Effect.fail("early"), 100, late)), "early")
      const fiber = yield* Effect.fork(TimeBound.within(Effect.as(Effect.sleep(50), 2), 100, late))
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(fiber), 2)
    }))

  it.effect("fails when the time is over, once what it ended has ended", () =>
    Effect.gen(function*() {
      let ended = false
      const slow = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          ended = true
        }))
      const fiber = yield* Effect.fork(Effect.flip(TimeBound.within(slow, 100, late)))
      yield* TestClock.adjust(99)
      assert.isFalse(ended)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(fiber), "late")
      assert.isTrue(ended)
    }))

  it.effect("is interrupted with its caller", () =>
    Effect.gen(function*() {
      const ended = yield* Deferred.make<void>()
      const slow = Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))
      const fiber = yield* Effect.fork(TimeBound.within(slow, 100, late))
      yield* Effect.yieldNow()
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assert.isTrue(yield* Deferred.isDone(ended))
    }))

  it.effect("passes defects on, and what the caller's fiber has set", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(TimeBound.within(Effect.die("bug"), 100, late))
      assert.deepStrictEqual(exit, Exit.die("bug"))
      const ref = yield* FiberRef.make(1)
      assert.strictEqual(yield* Effect.locally(TimeBound.within(FiberRef.get(ref), 100, late), ref, 2), 2)
    }).pipe(Effect.scoped))

  it.effect("is the effect itself without a limit", () =>
    Effect.sync(() => {
      const effect = Effect.succeed(1)
      assert.strictEqual(TimeBound.within(effect, Infinity, late), effect)
    }))
})
