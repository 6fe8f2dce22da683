import { assert, describe, it } from "@effect/vitest"
import * as Deadline from "causeway-mcp/policy/Deadline"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"

const late = (duration: number) => ({ duration, onTimeout: () => Effect.fail("late") })

/** Whether a fiber goes on now that everything that can run has run. */
const isRunning = (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
  Effect.map(Effect.zipRight(TestClock.adjust(0), Fiber.poll(fiber)), Option.isNone)

describe("Deadline.run", () => {
  it.scoped("gives what the effect gives: a value, a failure, a defect, its own interruption", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const soon = <A, E>(exit: Exit.Exit<A, E>) => Effect.zipRight(Effect.sleep(10), exit)
      for (const start of [Effect.void, Effect.yieldNow(), Effect.sleep(10)]) {
        for (
          const exit of [
            Exit.succeed(1),
            Exit.fail("no"),
            Exit.die("bug"),
            Exit.interrupt(FiberId.none)
          ]
        ) {
          const fiber = yield* Effect.fork(deadline.run(Effect.zipRight(start, soon(exit)), late(1000)))
          yield* TestClock.adjust(20)
          const got = yield* Fiber.await(fiber)
          assert.strictEqual(Exit.isSuccess(got), Exit.isSuccess(exit))
          if (Exit.isSuccess(got)) assert.strictEqual(got.value, 1)
          else if (Exit.isFailure(exit)) {
            assert.deepStrictEqual(Cause.failureOption(got.cause), Cause.failureOption(exit.cause))
            assert.deepStrictEqual(Chunk.toArray(Cause.defects(got.cause)), Chunk.toArray(Cause.defects(exit.cause)))
            assert.strictEqual(Cause.isInterrupted(got.cause), Cause.isInterrupted(exit.cause))
          }
        }
      }
      assert.strictEqual(deadline.watched, 0)
    }))

  it.scoped("gives what an effect without a wait gives at once", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.exit(deadline.run(effect, late(1000)))
      assert.deepStrictEqual(yield* run(Effect.sync(() => 1)), Exit.succeed(1))
      assert.deepStrictEqual(yield* run(Effect.suspend(() => Effect.fail("no"))), Exit.fail("no"))
      assert.strictEqual(deadline.watched, 0)
    }))

  it.scoped("returns an effect that is an Exit as it is", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const exit = Effect.succeed(1)
      assert.strictEqual(deadline.run(exit, late(0)), exit)
      assert.strictEqual(deadline.runIn(Context.empty(), exit, late(0)), exit)
    }))

  it.scoped("ends with onTimeout when the time is over, not a millisecond sooner", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const stopped = yield* Deferred.make<void>()
      const slow = Effect.onInterrupt(Effect.never, () => Deferred.succeed(stopped, undefined))
      const fiber = yield* Effect.fork(deadline.run(slow, late(2000)))
      yield* TestClock.adjust(1999)
      assert.isTrue(yield* isRunning(fiber))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      yield* Deferred.await(stopped)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual([deadline.watched, deadline.detached], [0, 0])
    }))

  it.scoped("ends each effect at its own time, whatever the order", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const ended: Array<number> = []
      for (const millis of [5000, 30, 200, 30_000, 30, 0]) {
        yield* Effect.fork(deadline.run(Effect.never, {
          duration: millis,
          onTimeout: () => Effect.sync(() => ended.push(millis))
        }))
        yield* Effect.yieldNow()
      }
      const after = (millis: number) => Effect.as(TestClock.adjust(millis), ended)
      assert.deepStrictEqual(yield* after(0), [0])
      assert.deepStrictEqual(yield* after(30), [0, 30, 30])
      assert.deepStrictEqual(yield* after(169), [0, 30, 30])
      assert.deepStrictEqual(yield* after(1), [0, 30, 30, 200])
      assert.deepStrictEqual(yield* after(30_000), [0, 30, 30, 200, 5000, 30_000])
    }))

  it.scoped("watches again after the last effect was ended at once", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      for (let round = 0; round < 3; round++) {
        const fiber = yield* Effect.fork(deadline.run(Effect.never, late(0)))
        assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
        const other = yield* Effect.fork(deadline.run(Effect.never, late(10)))
        yield* TestClock.adjust(10)
        assert.deepStrictEqual(yield* Fiber.await(other), Exit.fail("late"))
      }
    }))

  it.scoped("does not wait for an effect that cannot be interrupted, and counts it", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const release = yield* Deferred.make<void>()
      let told = 0
      const fiber = yield* Effect.fork(deadline.run(Effect.uninterruptible(Deferred.await(release)), {
        ...late(100),
        onDetach: () => Effect.sync(() => void told++)
      }))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      assert.deepStrictEqual([deadline.detached, deadline.watched, told], [1, 0, 1])
      yield* Deferred.succeed(release, undefined)
      yield* TestClock.adjust(0)
      assert.strictEqual(deadline.detached, 0)
    }))

  it.scoped("says nothing of an effect that stops at once", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const fiber = yield* Effect.fork(deadline.run(Effect.never, {
        ...late(100),
        onDetach: () => Effect.die("it has stopped")
      }))
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
    }))

  it.scoped("interrupts the effect, and waits for it, when it is interrupted itself", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const tidied = yield* Deferred.make<void>()
      let isTidy = false
      const slow = Effect.onInterrupt(
        Effect.never,
        () => Effect.zipRight(Deferred.await(tidied), Effect.sync(() => (isTidy = true)))
      )
      const fiber = yield* Effect.fork(deadline.run(slow, late(1000)))
      yield* Effect.yieldNow()
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      assert.isTrue(yield* isRunning(interrupting))
      yield* Deferred.succeed(tidied, undefined)
      const exit = yield* Fiber.join(interrupting)
      assert.isTrue(isTidy)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.strictEqual(deadline.watched, 0)
    }))

  it.scoped("waits no longer than the time for an effect that is interrupted and does not end", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const release = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(deadline.run(Effect.uninterruptible(Deferred.await(release)), late(1000)))
      yield* Effect.yieldNow()
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust(999)
      assert.isTrue(yield* isRunning(interrupting))
      yield* TestClock.adjust(1)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.join(interrupting)))
      assert.strictEqual(deadline.detached, 1)
      yield* Deferred.succeed(release, undefined)
    }))

  it.scoped("leaves nobody alone who is interrupted by the effect's own first step", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const stopped = yield* Deferred.make<void>()
      const begin = yield* Deferred.make<void>()
      const self: { fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined } = { fiber: undefined }
      const fiber = yield* Effect.fork(Effect.zipRight(
        Deferred.await(begin),
        deadline.run(
          // In one go with the start of the effect, before anybody waits for it.
          Effect.suspend(() => {
            self.fiber?.unsafeInterruptAsFork(self.fiber.id())
            return Effect.onInterrupt(Effect.never, () => Deferred.succeed(stopped, undefined))
          }),
          late(1000)
        )
      ))
      self.fiber = fiber
      yield* Deferred.succeed(begin, undefined)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(fiber)))
      yield* Deferred.await(stopped)
    }))

  it.scoped("is interruptible inside exactly where it is outside", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const inside = deadline.run(
        Effect.zipRight(Effect.yieldNow(), Effect.checkInterruptible(Effect.succeed)),
        late(1000)
      )
      assert.isTrue(yield* inside)
      assert.isFalse(yield* Effect.uninterruptible(inside))
      assert.isTrue(yield* Effect.uninterruptibleMask((restore) => restore(inside)))
      assert.isTrue(yield* Effect.uninterruptible(Effect.interruptible(inside)))
    }))

  it.scoped("times out also where nothing may be interrupted", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const release = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(Effect.uninterruptible(deadline.run(Deferred.await(release), late(50))))
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("late"))
      assert.strictEqual(deadline.detached, 1)
      yield* Deferred.succeed(release, undefined)
    }))

  it.scoped("hands fiber refs and services in, and changes of fiber refs back", () =>
    Effect.gen(function*() {
      class Name extends Context.Tag("Name")<Name, string>() {}
      const deadline = yield* Deadline.make()
      const ref = yield* FiberRef.make("initial")
      const effect = Effect.gen(function*() {
        const seen = yield* FiberRef.get(ref)
        yield* Effect.yieldNow()
        yield* FiberRef.set(ref, "inside")
        return [seen, yield* Name]
      })
      yield* FiberRef.set(ref, "outside")
      const around = Context.make(Name, "around")
      assert.deepStrictEqual(yield* Effect.provide(deadline.run(effect, late(10)), around), ["outside", "around"])
      assert.strictEqual(yield* FiberRef.get(ref), "inside")
      const within = deadline.runIn(Context.make(Name, "given"), effect, late(10))
      yield* FiberRef.set(ref, "outside")
      assert.deepStrictEqual(yield* Effect.provide(within, around), ["outside", "given"])
      assert.strictEqual(yield* FiberRef.get(ref), "outside")
      assert.isTrue(Option.isNone(yield* Effect.serviceOption(Name)))
    }))

  it.scoped("reports no failure as unhandled", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      yield* deadline.run(Effect.zipRight(Effect.yieldNow(), Effect.fail("no")), late(10)).pipe(
        Effect.either,
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Logger.withMinimumLogLevel(LogLevel.All)
      )
      assert.deepStrictEqual(lines, [])
    }))

  it.scoped("leaves nothing of 10,000 effects, however they end", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const release = yield* Deferred.make<void>()
      const ways = [Effect.never, Effect.fail("no"), Effect.void, Effect.never]
      const fibers = yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, index) =>
          Effect.zipRight(Deferred.await(release), ways[index % 4] ?? Effect.void)),
        (effect, index) =>
          Effect.fork(deadline.run(effect, late(300 + index % 7)))
      )
      yield* Effect.yieldNow()
      assert.strictEqual(deadline.watched, 10_000)
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.interruptAll(fibers.filter((_, index) => index % 4 === 3))
      yield* TestClock.adjust(310)
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      const count = (is: (exit: Exit.Exit<unknown, unknown>) => boolean) => exits.filter(is).length
      assert.deepStrictEqual([
        count((exit) => Exit.isFailure(exit) && Cause.contains(exit.cause, Cause.fail("late"))),
        count((exit) => Exit.isFailure(exit) && Cause.contains(exit.cause, Cause.fail("no"))),
        count(Exit.isSuccess),
        count(Exit.isInterrupted)
      ], [2500, 2500, 2500, 2500])
      yield* TestClock.adjust(2000)
      assert.deepStrictEqual([deadline.watched, deadline.detached], [0, 0])
      assert.strictEqual(Chunk.size(yield* TestClock.sleeps()), 0)
    }))
})

describe("Deadline.make", () => {
  it.scoped("has no timer while nothing is under way", () =>
    Effect.gen(function*() {
      const deadline = yield* Deadline.make()
      const timers = Effect.map(TestClock.sleeps(), Chunk.size)
      assert.strictEqual(yield* timers, 0)
      const release = yield* Deferred.make<void>()
      const fibers = yield* Effect.forEach(
        [1000, 20_000, 500],
        (millis) => Effect.fork(deadline.run(Deferred.await(release), late(millis)))
      )
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* timers, 1)
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.joinAll(fibers)
      yield* TestClock.adjust(1600)
      assert.strictEqual(yield* timers, 0)
    }))

  it.effect("watches no more when its scope has closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const deadline = yield* Scope.extend(Deadline.make(), scope)
      const before = yield* Effect.fork(deadline.run(Effect.never, late(10)))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      const after = yield* Effect.fork(deadline.run(Effect.never, late(10)))
      yield* TestClock.adjust(1000)
      assert.isTrue(yield* isRunning(before))
      assert.isTrue(yield* isRunning(after))
      assert.strictEqual(yield* Effect.map(TestClock.sleeps(), Chunk.size), 0)
      yield* Fiber.interruptAll([before, after])
    }))

  it.effect("ends effects in the order of their times, for any times and any of them done before", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(FastCheck.record({ at: FastCheck.nat(50), isDone: FastCheck.boolean() }), { maxLength: 40 }),
          (calls) =>
            Effect.runPromise(
              Effect.gen(function*() {
                const deadline = yield* Deadline.make()
                const ended: Array<number> = []
                const done = yield* Deferred.make<void>()
                const fibers = yield* Effect.forEach(calls, ({ at, isDone }) =>
                  Effect.fork(deadline.run(isDone ? Deferred.await(done) : Effect.never, {
                    duration: at + 1,
                    onTimeout: () => Effect.sync(() => void ended.push(at))
                  })))
                yield* Effect.yieldNow()
                yield* Deferred.succeed(done, undefined)
                yield* TestClock.adjust(100)
                yield* Fiber.joinAll(fibers)
                const expected = calls.filter(({ isDone }) =>
                  !isDone
                ).map(({ at }) => at).sort((a, b) => a - b)
                assert.deepStrictEqual(ended, expected)
              }).pipe(Effect.scoped, Effect.provide(TestContext.TestContext))
            )
        ),
        { numRuns: 40 }
      )
    ))
})
