import { assert, describe, it } from "@effect/vitest"
import * as Deadline from "causeway-mcp/policy/Deadline"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"

const late = (duration: number) => ({ duration, onTimeout: () => Effect.fail("late") })

/** Whether a fiber goes on now that everything that can run has run. */
const isRunning = (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
  Effect.map(Effect.zipRight(TestClock.adjust(0), Fiber.poll(fiber)), Option.isNone)

/** An effect that never ends, begun with this limit, and its timer. */
const begin = (deadline: Deadline.Watch, duration: number) =>
  Effect.gen(function*() {
    const timers: Array<Deadline.Timer> = []
    const fiber = yield* Effect.fork(deadline.runArmed((timer) => {
      timers.push(timer)
      return Effect.never
    }, late(duration)))
    yield* Effect.yieldNow()
    const [timer] = timers
    if (timer === undefined) return yield* Effect.dieMessage("it has not begun")
    return { fiber, set: timer.set }
  })

describe("Deadline.runArmed", () => {
  it.scoped("ends with the limit it began with when nobody moves it", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const { fiber } = yield* begin(deadline, 100)
      yield* TestClock.adjust(99)
      assert.isTrue(yield* isRunning(fiber))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      assert.deepStrictEqual([deadline.watched, deadline.detached], [0, 0])
    }))

  it.scoped("counts a moved limit from when it was moved, later or sooner, as often as it is", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const { fiber, set } = yield* begin(deadline, 100)
      yield* TestClock.adjust(80)
      set(500)
      yield* TestClock.adjust(499)
      assert.isTrue(yield* isRunning(fiber))
      set(400)
      yield* TestClock.adjust(399)
      assert.isTrue(yield* isRunning(fiber))
      set(10_000)
      set(20)
      yield* TestClock.adjust(19)
      assert.isTrue(yield* isRunning(fiber))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
    }))

  it.scoped("can be without a limit and be given one again", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const { fiber, set } = yield* begin(deadline, Infinity)
      assert.strictEqual(deadline.watched, 0)
      yield* TestClock.adjust("1 hour")
      set(50)
      assert.strictEqual(deadline.watched, 1)
      set(Infinity)
      assert.strictEqual(deadline.watched, 0)
      yield* TestClock.adjust("1 hour")
      assert.isTrue(yield* isRunning(fiber))
      set(50)
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
    }))

  it.scoped("heeds what is set before there is anything to wait for", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      for (const [duration, set] of [[1000, 10], [10, 1000], [Infinity, 10]] as const) {
        const fiber = yield* Effect.fork(deadline.runArmed((timer) => {
          timer.set(5)
          return Effect.zipRight(Effect.sync(() => timer.set(set)), Effect.never)
        }, late(duration)))
        yield* Effect.yieldNow()
        yield* TestClock.adjust(set - 1)
        assert.isTrue(yield* isRunning(fiber))
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      }
    }))

  it.scoped("ends at once when no time is left", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      for (const none of [0, -1, -Infinity, NaN]) {
        const { fiber, set } = yield* begin(deadline, 1000)
        set(none)
        assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      }
      yield* TestClock.adjust(0)
      assert.deepStrictEqual([deadline.watched, deadline.detached], [0, 0])
    }))

  it.scoped("can be ended by the effect itself", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      let isPast = false
      const fiber = yield* Effect.fork(
        deadline.runArmed((timer) =>
          Effect.yieldNow().pipe(
            Effect.zipRight(Effect.sync(() => timer.set(0))),
            Effect.zipRight(Effect.yieldNow()),
            Effect.zipRight(Effect.sync(() => {
              isPast = true
            }))
          ), late(1000))
      )
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      assert.isFalse(isPast)
    }))

  it.scoped("is not watched any more once it has ended, whatever is set", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const gate = yield* Deferred.make<string>()
      const timers: Array<Deadline.Timer> = []
      const fiber = yield* Effect.fork(deadline.runArmed((timer) => {
        timers.push(timer)
        return Deferred.await(gate)
      }, late(1000)))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, "done")
      assert.strictEqual(yield* Fiber.join(fiber), "done")
      const sync = yield* deadline.runArmed((timer) => {
        timers.push(timer)
        return Effect.sync(() => "at once")
      }, late(1000))
      assert.strictEqual(sync, "at once")
      for (const timer of timers) timer.set(0)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual([timers.length, deadline.watched, deadline.detached], [2, 0, 0])
    }))

  it.scoped("gets no more time once its time is over", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const release = yield* Deferred.make<void>()
      const timers: Array<Deadline.Timer> = []
      const fiber = yield* Effect.fork(deadline.runArmed((timer) => {
        timers.push(timer)
        return Effect.uninterruptible(Deferred.await(release))
      }, late(100)))
      yield* Effect.yieldNow()
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      timers[0]?.set(1000)
      assert.deepStrictEqual([deadline.watched, deadline.detached], [0, 1])
      yield* Deferred.succeed(release, undefined)
      yield* TestClock.adjust(0)
      assert.strictEqual(deadline.detached, 0)
    }))

  it.scoped("gives what an effect that is an Exit gives, also when there is no time", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const run = <A>(exit: Exit.Exit<A, string>) =>
        Effect.exit(deadline.runArmed((timer) => {
          timer.set(0)
          return exit
        }, late(0)))
      assert.deepStrictEqual(yield* run(Exit.succeed(1)), Exit.succeed(1))
      assert.deepStrictEqual(yield* run(Exit.fail("no")), Exit.fail("no"))
    }))

  it.scoped("has a limit of its own each time it is run", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const timers: Array<Deadline.Timer> = []
      const run = deadline.runArmed((timer) => {
        timers.push(timer)
        return Effect.never
      }, late(100))
      const first = yield* Effect.fork(run)
      const second = yield* Effect.fork(run)
      yield* Effect.yieldNow()
      timers[0]?.set(10)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(yield* Fiber.await(first), Exit.fail("late"))
      assert.isTrue(yield* isRunning(second))
      yield* TestClock.adjust(90)
      assert.deepStrictEqual(yield* Fiber.await(second), Exit.fail("late"))
    }))

  it.scoped("hands on changes of FiberRefs, and interrupts the effect when it is interrupted", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const ref = FiberRef.unsafeMake("before")
      yield* deadline.runArmed(() => FiberRef.set(ref, "after"), late(1000))
      assert.strictEqual(yield* FiberRef.get(ref), "after")

      const tidied = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        deadline.runArmed(
          () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(tidied, undefined)),
          late(1000)
        )
      )
      yield* Effect.yieldNow()
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
      assert.isTrue(yield* Deferred.isDone(tidied))
      assert.strictEqual(deadline.watched, 0)
    }))

  it.effect("sets no limit any more when the watch is closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const deadline = yield* Scope.extend(Deadline.make(), scope)
      const { fiber, set } = yield* begin(deadline, 1000)
      yield* Scope.close(scope, Exit.void)
      set(10)
      yield* TestClock.adjust("1 minute")
      assert.isTrue(yield* isRunning(fiber))
      yield* Fiber.interrupt(fiber)
    }))

  it("ends at the last limit that was set, however often and in whatever order", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(
        FastCheck.array(
          FastCheck.record({
            wait: FastCheck.integer({ min: 1, max: 300 }),
            which: FastCheck.nat(3),
            millis: FastCheck.nat(2000)
          }),
          { maxLength: 16, size: "max" }
        ),
        (moves) =>
          Effect.runPromise(
            Effect.gen(function*() {
              const deadline = yield* Deadline.make()
              const due = [1000, 1000, 1000, 1000]
              const ended: Array<number> = []
              const calls = yield* Effect.forEach(due, (_, index) =>
                Effect.gen(function*() {
                  const call = yield* begin(deadline, 1000)
                  yield* Effect.fork(Effect.zipRight(
                    Fiber.await(call.fiber),
                    Effect.map(Clock.currentTimeMillis, (now) => {
                      ended[index] = now
                    })
                  ))
                  return call
                }))
              let now = 0
              for (const { millis, wait, which } of moves) {
                yield* TestClock.adjust(wait)
                now += wait
                calls[which]?.set(millis)
                if ((due[which] ?? 0) > now) due[which] = now + millis
              }
              yield* TestClock.adjust(5000)
              assert.deepStrictEqual(ended, due)
            }).pipe(Effect.scoped, Effect.provide(TestContext.TestContext))
          )
      ),
      { numRuns: 20 }
    ))
})
