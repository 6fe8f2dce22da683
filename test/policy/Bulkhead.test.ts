import { assert, describe, it } from "@effect/vitest"
import * as Bulkhead from "causeway-mcp/policy/Bulkhead"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as TestClock from "effect/TestClock"

const options: Bulkhead.Options = { limit: 2, queue: 100, maxWaitMillis: 10_000, perCaller: 2 }

const full = (reason: Bulkhead.Full) => Effect.fail(reason)

/** A call that runs until it is told to end. */
const held = (bulkhead: Bulkhead.Bulkhead, caller: string, onStart: () => void = () => undefined) =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    const call = bulkhead.run(caller, Effect.zipRight(Effect.sync(onStart), Deferred.await(gate)), full)
    const fiber = yield* Effect.fork(call)
    yield* Effect.yieldNow()
    return { fiber, end: Effect.zipRight(Deferred.succeed(gate, undefined), Fiber.await(fiber)) }
  })

describe("Bulkhead", () => {
  it.effect("runs so many at once, and gives their results", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make(options)
      let most = 0
      const results = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, index) => index),
        (index) =>
          bulkhead.run(
            `${index % 7}`,
            Effect.gen(function*() {
              most = Math.max(most, bulkhead.running)
              yield* Effect.yieldNow()
              return index % 2 === 0 ? index : yield* Effect.fail(index)
            }),
            full
          ).pipe(Effect.either),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(most, 2)
      for (const [index, result] of results.entries()) {
        assert.strictEqual(result._tag, index % 2 === 0 ? "Right" : "Left")
      }
      assert.deepStrictEqual([bulkhead.running, bulkhead.waiting], [0, 0])
    }))

  it.effect("serves those that wait caller by caller, and in order within one", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 1 })
      const order: Array<string> = []
      const first = yield* held(bulkhead, "first")
      const calls = yield* Effect.forEach(["a1", "a2", "a3", "a4", "b1", "b2", "c1"], (name) =>
        held(bulkhead, name.slice(0, 1), () => order.push(name)))
      yield* first.end
      for (
        const call of ["a1", "b1", "c1", "a2", "b2", "a3", "a4"].map((name) =>
          calls[["a1", "a2", "a3", "a4", "b1", "b2", "c1"].indexOf(name)]
        )
      ) {
        if (call !== undefined) {
          yield* call.end
        }
      }
      assert.deepStrictEqual(order, ["a1", "b1", "c1", "a2", "b2", "a3", "a4"])
      assert.deepStrictEqual([bulkhead.running, bulkhead.waiting], [0, 0])
    }))

  it.effect("leaves places to others though one caller has many calls", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 3, perCaller: 2 })
      const calls = yield* Effect.forEach(Array.from({ length: 5 }), () => held(bulkhead, "greedy"))
      assert.deepStrictEqual([bulkhead.running, bulkhead.waiting], [2, 3])
      const other = yield* held(bulkhead, "other")
      assert.deepStrictEqual([bulkhead.running, bulkhead.waiting], [3, 3])
      yield* other.end
      assert.deepStrictEqual([bulkhead.running, bulkhead.waiting], [2, 3])
      for (const call of calls) yield* call.end
      assert.deepStrictEqual([bulkhead.running, bulkhead.waiting], [0, 0])
    }))

  it.effect("turns away at once when too many wait", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 1, queue: 1 })
      const running = yield* held(bulkhead, "a")
      const waiting = yield* held(bulkhead, "a")
      const refused = yield* Effect.flip(bulkhead.run("b", Effect.never, full))
      assert.deepStrictEqual(refused, { reason: "queueFull", retryAfterMs: 1000 })
      yield* running.end
      yield* waiting.end
      assert.strictEqual(yield* bulkhead.run("b", Effect.suspend(() => Effect.succeed(1)), full), 1)
    }))

  it.effect("lets no caller fill the queue: who has most gives way, the last first", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 1, queue: 4 })
      const order: Array<string> = []
      const wait = (name: string) => held(bulkhead, name.slice(0, 1), () => order.push(name))
      const running = yield* wait("a0")
      const [a1, a2, a3, a4] = [yield* wait("a1"), yield* wait("a2"), yield* wait("a3"), yield* wait("a4")]
      const reasonOf = (call: typeof a1) => Effect.map(Effect.flip(Fiber.join(call.fiber)), ({ reason }) => reason)
      const b1 = yield* wait("b1")
      assert.strictEqual(yield* reasonOf(a4), "queueFull")
      const b2 = yield* wait("b2")
      assert.strictEqual(yield* reasonOf(a3), "queueFull")
      // Two and two: whoever of them comes now would have more than the other.
      assert.strictEqual(yield* reasonOf(yield* wait("b3")), "queueFull")
      assert.strictEqual(yield* reasonOf(yield* wait("a5")), "queueFull")
      const c1 = yield* wait("c1")
      assert.strictEqual(yield* reasonOf(a2), "queueFull")
      assert.strictEqual(bulkhead.waiting, 4)
      for (const call of [running, a1, b1, c1, b2]) yield* call.end
      assert.deepStrictEqual(order, ["a0", "a1", "b1", "c1", "b2"])
      assert.deepStrictEqual([bulkhead.running, bulkhead.waiting], [0, 0])
    }))

  it.effect("keeps room for everybody, as far as it goes, whoever comes and goes", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(
            FastCheck.oneof(
              FastCheck.record({ caller: FastCheck.nat(4) }),
              FastCheck.record({ leaves: FastCheck.nat(30) })
            ),
            { minLength: 1, maxLength: 60 }
          ),
          FastCheck.integer({ min: 0, max: 6 }),
          (steps, queue) =>
            Effect.gen(function*() {
              const bulkhead = Bulkhead.make({ ...options, limit: 1, queue })
              yield* held(bulkhead, "first")
              const calls: Array<{ readonly caller: string; readonly fiber: Fiber.RuntimeFiber<unknown, unknown> }> = []
              const waiting = () => calls.filter(({ fiber }) => fiber.unsafePoll() === null)
              const countOf = (caller: string) => waiting().filter((call) => call.caller === caller).length
              for (const step of steps) {
                if ("leaves" in step) {
                  const one = calls[step.leaves]
                  if (one !== undefined) yield* Fiber.interrupt(one.fiber)
                } else {
                  const caller = `${step.caller}`
                  const before = countOf(caller)
                  const others = Math.max(0, ...[0, 1, 2, 3, 4].map((other) => countOf(`${other}`)))
                  const isFull = waiting().length === queue
                  const call = yield* held(bulkhead, caller)
                  calls.push({ caller, fiber: call.fiber })
                  yield* Effect.yieldNow()
                  // Refused is who has most already; or would have, as one more than another.
                  assert.strictEqual(countOf(caller), isFull && before + 1 >= others ? before : before + 1)
                }
                assert.strictEqual(bulkhead.waiting, waiting().length)
                assert.isAtMost(bulkhead.waiting, queue)
              }
              for (const { fiber } of calls) yield* Fiber.interrupt(fiber)
              assert.strictEqual(bulkhead.waiting, 0)
            }).pipe(Effect.runPromise)
        ),
        { numRuns: 100 }
      )
    ))

  it.effect("turns away who has waited too long, at that very moment", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 1, maxWaitMillis: 3000 })
      const running = yield* held(bulkhead, "a")
      const one = yield* held(bulkhead, "b")
      yield* TestClock.adjust("1 second")
      const two = yield* held(bulkhead, "c")
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual(bulkhead.waiting, 2)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(bulkhead.waiting, 1)
      assert.strictEqual((yield* Effect.flip(Fiber.join(one.fiber))).reason, "waitedTooLong")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Effect.flip(Fiber.join(two.fiber))).reason, "waitedTooLong")
      yield* running.end
      assert.deepStrictEqual([bulkhead.running, bulkhead.waiting], [0, 0])
    }))

  it.effect("waits no longer than the call's own limit", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 1 })
      const running = yield* held(bulkhead, "a")
      const long = yield* held(bulkhead, "b")
      const call = yield* Effect.fork(TimeLimit.within(bulkhead.run("b", Effect.never, full), "50 millis"))
      yield* Effect.yieldNow()
      yield* TestClock.adjust("50 millis")
      assert.strictEqual((yield* Effect.flip(Fiber.join(call))).reason, "waitedTooLong")
      const late = yield* Effect.fork(TimeLimit.within(bulkhead.run("b", Effect.never, full), 0))
      yield* Effect.yieldNow()
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* Effect.flip(Fiber.join(late))).reason, "waitedTooLong")
      yield* running.end
      yield* long.end
    }))

  it.effect("guesses when to come again by how fast places became free", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 1, queue: 3, maxWaitMillis: 60_000 })
      const steady = (index: number) => bulkhead.run(`${index}`, Effect.sleep("200 millis"), full)
      const fibers = []
      for (let index = 0; index < 4; index++) fibers.push(yield* Effect.fork(steady(index)))
      for (let index = 4; index < 20; index++) {
        yield* TestClock.adjust("200 millis")
        fibers.push(yield* Effect.fork(steady(index)))
        yield* Effect.yieldNow()
      }
      const { retryAfterMs } = yield* Effect.flip(bulkhead.run("late", Effect.never, full))
      assert.isAtLeast(retryAfterMs, 780)
      assert.isAtMost(retryAfterMs, 820)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.joinAll(fibers)
    }))

  it.effect("takes no place for what has ended already", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 1, queue: 0 })
      const running = yield* held(bulkhead, "a")
      const exit = Exit.succeed(1)
      assert.strictEqual(bulkhead.run("b", exit, full), exit)
      yield* running.end
    }))

  it.effect("gives a place back however the call ends", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 1, queue: 0 })
      for (const one of [Effect.yieldNow(), Effect.fail("no"), Effect.die("bug"), Effect.interrupt]) {
        yield* Effect.exit(bulkhead.run("a", Effect.zipRight(Effect.yieldNow(), one), full))
        assert.strictEqual(bulkhead.running, 0)
      }
      const call = yield* held(bulkhead, "a")
      yield* Fiber.interrupt(call.fiber)
      assert.strictEqual(bulkhead.running, 0)
    }))

  it.effect("runs a call again and again, and brings back what it changed", () =>
    Effect.gen(function*() {
      const bulkhead = Bulkhead.make({ ...options, limit: 1, queue: 0 })
      const ref = FiberRef.unsafeMake(0)
      const call = bulkhead.run("a", Effect.flatMap(Effect.yieldNow(), () => FiberRef.update(ref, (n) => n + 1)), full)
      yield* Effect.repeatN(call, 4)
      assert.strictEqual(yield* FiberRef.get(ref), 5)
    }))

  it.effect("leaves nothing behind of calls that are interrupted, wherever they are", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(FastCheck.record({ caller: FastCheck.nat(3), interruptAfter: FastCheck.nat(8) }), {
            minLength: 1,
            maxLength: 40
          }),
          FastCheck.integer({ min: 1, max: 4 }),
          FastCheck.integer({ min: 1, max: 3 }),
          (calls, limit, perCaller) =>
            Effect.gen(function*() {
              const bulkhead = Bulkhead.make({ limit, perCaller, queue: 20, maxWaitMillis: 60_000 })
              const running = new Map<number, number>()
              let sum = 0
              const change = (caller: number, by: number) => {
                sum += by
                running.set(caller, (running.get(caller) ?? 0) + by)
                assert.isAtMost(sum, limit)
                assert.isAtMost(running.get(caller) ?? 0, perCaller)
              }
              const fibers = yield* Effect.forEach(calls, ({ caller, interruptAfter }) =>
                bulkhead.run(
                  `${caller}`,
                  Effect.acquireUseRelease(
                    Effect.sync(() => change(caller, 1)),
                    () => Effect.repeatN(Effect.yieldNow(), 3),
                    () => Effect.sync(() => change(caller, -1))
                  ),
                  full
                ).pipe(
                  Effect.fork,
                  Effect.tap((fiber) =>
                    interruptAfter === 8
                      ? Effect.void
                      : Effect.repeatN(Effect.yieldNow(), interruptAfter).pipe(
                        Effect.zipRight(Fiber.interrupt(fiber)),
                        Effect.forkDaemon
                      )
                  )
                ))
              for (const fiber of fibers) {
                const exit = yield* Fiber.await(fiber)
                assert.isTrue(
                  Exit.isSuccess(exit) || Exit.isInterrupted(exit) ||
                    (exit.cause._tag === "Fail" && exit.cause.error.reason === "queueFull")
                )
              }
              assert.deepStrictEqual([bulkhead.running, bulkhead.waiting, sum], [0, 0, 0])
            }).pipe(Effect.runPromise)
        ),
        { numRuns: 200 }
      )
    ))

  it("refuses options that are out of range, by name", () => {
    for (const wrong of [0, -1, 1.5, NaN, Infinity]) {
      assert.throws(() => Bulkhead.make({ ...options, limit: wrong }), RangeError, /^limit/u)
      assert.throws(() => Bulkhead.make({ ...options, perCaller: wrong }), RangeError, /^perCaller/u)
    }
    assert.throws(() => Bulkhead.make({ ...options, queue: -1 }), RangeError, /^queue/u)
    for (const wrong of [-1, NaN]) {
      assert.throws(() => Bulkhead.make({ ...options, maxWaitMillis: wrong }), RangeError, /^maxWaitMillis/u)
    }
  })
})
