import { assert, describe, it } from "@effect/vitest"
import * as Coalescer from "causeway-mcp/policy/Coalescer"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"

const key = "same"

/** A run that is counted and ends when the gate is opened. */
const counted = Effect.map(Deferred.make<string, string>(), (gate) => {
  const seen = { begun: 0, interrupted: 0 }
  const effect = Effect.suspend(() => {
    seen.begun++
    return Deferred.await(gate)
  }).pipe(Effect.onInterrupt(() => Effect.sync(() => seen.interrupted++)))
  return { gate, seen, effect }
})

const settled = TestClock.adjust(0)

describe("Coalescer", () => {
  it.scoped("makes one run of 200 callers at the same time", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<string, string, string>()
      const { effect, gate, seen } = yield* counted
      const fibers = yield* Effect.forEach(
        Array.from({ length: 200 }),
        () => Effect.fork(coalescer.run(key, effect))
      )
      yield* settled
      assert.deepStrictEqual([seen.begun, coalescer.size], [1, 1])
      yield* Deferred.succeed(gate, "answer")
      assert.deepStrictEqual(new Set(yield* Fiber.joinAll(fibers)), new Set(["answer"]))
      assert.deepStrictEqual([seen.begun, coalescer.size], [1, 0])
    }))

  it.scoped("runs each key by itself", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<number, number, never>()
      const answers = yield* Effect.forEach(
        [1, 2, 1, 2, 3],
        (key) => coalescer.run(key, Effect.as(Effect.yieldNow(), key * 10)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(answers, [10, 20, 10, 20, 30])
      assert.strictEqual(coalescer.size, 0)
    }))

  it.scoped("goes on for those who wait when the one who began leaves", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<string, string, string>()
      const { effect, gate, seen } = yield* counted
      const leader = yield* Effect.fork(coalescer.run(key, effect))
      yield* settled
      const follower = yield* Effect.fork(coalescer.run(key, effect))
      yield* settled
      yield* Fiber.interrupt(leader)
      yield* settled
      assert.deepStrictEqual([seen.begun, seen.interrupted, coalescer.size], [1, 0, 1])
      yield* Deferred.succeed(gate, "answer")
      assert.strictEqual(yield* Fiber.join(follower), "answer")
      assert.strictEqual(coalescer.size, 0)
    }))

  it.scoped("is interrupted when the last one leaves, and begun anew by whoever comes then", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<string, string, string>()
      const { effect, gate, seen } = yield* counted
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(coalescer.run(key, effect)))
      yield* settled
      yield* Effect.forEach(fibers, Fiber.interrupt)
      assert.strictEqual(coalescer.size, 0)
      const next = yield* Effect.fork(coalescer.run(key, effect))
      yield* settled
      assert.deepStrictEqual([seen.begun, seen.interrupted], [2, 1])
      yield* Deferred.succeed(gate, "answer")
      assert.strictEqual(yield* Fiber.join(next), "answer")
      assert.strictEqual(coalescer.size, 0)
    }))

  it.scoped("does not make the last one wait for a run that is slow to stop, nor the next one join it", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<string, string, string>()
      const first = yield* Effect.fork(
        coalescer.run(key, Effect.onInterrupt(Effect.never, () => Effect.sleep("1 minute")))
      )
      yield* settled
      yield* Fiber.interrupt(first)
      const { effect, gate, seen } = yield* counted
      const second = yield* Effect.fork(coalescer.run(key, effect))
      yield* TestClock.adjust("1 minute")
      const third = yield* Effect.fork(coalescer.run(key, effect))
      yield* settled
      assert.deepStrictEqual([seen.begun, coalescer.size], [1, 1])
      yield* Deferred.succeed(gate, "anew")
      assert.deepStrictEqual(yield* Fiber.joinAll([second, third]), ["anew", "anew"])
      assert.strictEqual(coalescer.size, 0)
    }))

  it.scoped("shares a failure with those who wait, and keeps it for nobody", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<string, string, string>()
      const { effect, gate, seen } = yield* counted
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(coalescer.run(key, effect)))
      yield* settled
      yield* Deferred.fail(gate, "no")
      for (const fiber of fibers) assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("no"))
      assert.deepStrictEqual([seen.begun, coalescer.size], [1, 0])
      assert.strictEqual(yield* coalescer.run(key, Effect.succeed("yes")), "yes")
    }))

  it.scoped("shares a defect as a defect", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<string, string, string>()
      const broken = Effect.zipRight(Effect.yieldNow(), Effect.die("bug"))
      const exits = yield* Effect.forEach([1, 2], () => Effect.exit(coalescer.run(key, broken)), {
        concurrency: "unbounded"
      })
      for (const exit of exits) {
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) assert.deepStrictEqual(Chunk.toArray(Cause.defects(exit.cause)), ["bug"])
      }
      assert.strictEqual(coalescer.size, 0)
    }))

  it.scoped("works for what ends at once", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<string, number, string>()
      let runs = 0
      const sync = Effect.sync(() => ++runs)
      assert.deepStrictEqual(yield* Effect.all([coalescer.run(key, sync), coalescer.run(key, sync)]), [1, 2])
      assert.strictEqual(yield* coalescer.run(key, Effect.succeed(7)), 7)
      assert.deepStrictEqual(yield* Effect.exit(coalescer.run(key, Effect.fail("no"))), Exit.fail("no"))
      assert.strictEqual(coalescer.size, 0)
    }))

  it.scoped("shows the run no time limit, neither that of the one who began nor another", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<string, number, never>()
      const run = coalescer.run(key, Effect.zipRight(Effect.yieldNow(), TimeLimit.remaining))
      const [inRun, own] = yield* TimeLimit.within(Effect.all([run, TimeLimit.remaining]), "1 second")
      assert.deepStrictEqual([inRun, own], [Infinity, 1000])
    }))

  it.scoped("lets a caller whose time is over go alone", () =>
    Effect.gen(function*() {
      const coalescer = yield* Coalescer.make<string, string, string>()
      const { effect, gate, seen } = yield* counted
      const hasty = yield* Effect.fork(Effect.timeoutOption(coalescer.run(key, effect), "1 second"))
      const patient = yield* Effect.fork(Effect.timeoutOption(coalescer.run(key, effect), "1 minute"))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(hasty), Option.none())
      yield* Deferred.succeed(gate, "answer")
      assert.deepStrictEqual(yield* Fiber.join(patient), Option.some("answer"))
      assert.deepStrictEqual([seen.begun, seen.interrupted], [1, 0])
    }))

  it.effect("interrupts what is under way when its scope closes, wherever it was begun", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const coalescer = yield* Scope.extend(Coalescer.make<string, string, string>(), scope)
      const { effect, seen } = yield* counted
      const fiber = yield* Effect.fork(Effect.uninterruptible(coalescer.run(key, effect)))
      yield* settled
      yield* Scope.close(scope, Exit.void)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual([seen.interrupted, coalescer.size], [1, 0])
      assert.isTrue(Exit.isInterrupted(yield* Effect.exit(coalescer.run(key, effect))))
      assert.deepStrictEqual([seen.begun, coalescer.size], [1, 0])
    }))
})
