import { assert, describe, it } from "@effect/vitest"
import * as Attempts from "causeway-mcp/policy/Attempts"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"

class Busy extends Schema.TaggedError<Busy>()("Busy", {
  isRetryable: Schema.Boolean,
  retryAfterMs: Schema.optionalWith(Schema.Number, { exact: true })
}) {
  get retryAfter() {
    return this.retryAfterMs === undefined ? undefined : Duration.millis(this.retryAfterMs)
  }
}

class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", { ms: Schema.Number }) {
  get isRetryable() {
    return true
  }
}

const onTimeout = (ms: number) => new TimedOut({ ms })

/** Every second, without an end and without jitter. */
const everySecond = Schedule.spaced("1 second")

/** Counts its tries and fails the first `failures` of them. */
const flaky = (failures: number, error: Busy) =>
  Effect.map(Ref.make(0), (tries) => ({
    tries: Ref.get(tries),
    call: Effect.flatMap(
      Ref.updateAndGet(tries, (n) => n + 1),
      (n) => n <= failures ? Effect.fail(error) : Effect.succeed(n)
    )
  }))

const busy = new Busy({ isRetryable: true })

describe("Attempts.run", () => {
  it.effect("tries again until the call succeeds", () =>
    Effect.gen(function*() {
      const { call, tries } = yield* flaky(2, busy)
      const fiber = yield* Effect.fork(Attempts.run(Policy.retry(everySecond), call, { onTimeout }))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 3)
      assert.strictEqual(yield* tries, 3)
    }))

  it.effect("gives the last error when the schedule ends", () =>
    Effect.gen(function*() {
      const { call, tries } = yield* flaky(100, busy)
      const fiber = yield* Effect.fork(Attempts.run(Policy.retry(Backoff.patient), call, { onTimeout }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail(busy))
      assert.strictEqual(yield* tries, 5)
    }))

  it.effect("does not try again after an error that is not retryable", () =>
    Effect.gen(function*() {
      const error = new Busy({ isRetryable: false })
      const { call, tries } = yield* flaky(1, error)
      const exit = yield* Effect.exit(Attempts.run(Policy.retry(everySecond), call, { onTimeout }))
      assert.deepStrictEqual(exit, Exit.fail(error))
      assert.strictEqual(yield* tries, 1)
    }))

  it.effect("does not try again after an error that says nothing of retrying", () =>
    Effect.gen(function*() {
      const tries = yield* Ref.make(0)
      const call = Effect.zipRight(Ref.update(tries, (n) => n + 1), Effect.fail("no"))
      const exit = yield* Effect.exit(Attempts.run(Policy.retry(everySecond), call, { onTimeout }))
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.strictEqual(yield* Ref.get(tries), 1)
    }))

  it.effect("does not try again after a defect", () =>
    Effect.gen(function*() {
      const tries = yield* Ref.make(0)
      const call = Effect.zipRight(Ref.update(tries, (n) => n + 1), Effect.die("bug"))
      const exit = yield* Effect.exit(Attempts.run(Policy.retry(everySecond), call, { onTimeout }))
      assert.deepStrictEqual(exit, Exit.die("bug"))
      assert.strictEqual(yield* Ref.get(tries), 1)
    }))

  it.effect("waits as long as the error asks, not as the schedule says", () =>
    Effect.gen(function*() {
      const { call, tries } = yield* flaky(1, new Busy({ isRetryable: true, retryAfterMs: 5000 }))
      const fiber = yield* Effect.fork(Attempts.run(Policy.retry(everySecond), call, { onTimeout }))
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(yield* tries, 1)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 2)
    }))

  it.effect("does not come back sooner than the schedule says, however soon the error allows it", () =>
    Effect.gen(function*() {
      const { call, tries } = yield* flaky(1, new Busy({ isRetryable: true, retryAfterMs: 10 }))
      const fiber = yield* Effect.fork(Attempts.run(Policy.retry(everySecond), call, { onTimeout }))
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* tries, 1)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 2)
    }))

  it.effect("ends a call that takes too long, and interrupts it", () =>
    Effect.gen(function*() {
      const interrupted = yield* Ref.make(false)
      const call = Effect.onInterrupt(Effect.never, () => Ref.set(interrupted, true))
      const fiber = yield* Effect.fork(Attempts.run(Policy.timeout("2 seconds"), call, { onTimeout }))
      yield* TestClock.adjust("1999 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail(new TimedOut({ ms: 2000 })))
      assert.isTrue(yield* Ref.get(interrupted))
    }))

  it.effect("tries again after a single try ran out of time", () =>
    Effect.gen(function*() {
      const tries = yield* Ref.make(0)
      const call = Effect.flatMap(
        Ref.updateAndGet(tries, (n) => n + 1),
        (n) => n === 1 ? Effect.never : Effect.succeed(n)
      )
      const policy = Policy.all(Policy.attemptTimeout("3 seconds"), Policy.retry(everySecond))
      const fiber = yield* Effect.fork(Attempts.run(policy, call, { onTimeout }))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 2)
    }))

  it.effect("ends at the total time though single tries go on", () =>
    Effect.gen(function*() {
      const tries = yield* Ref.make(0)
      const call = Effect.zipRight(Ref.update(tries, (n) => n + 1), Effect.never)
      const policy = Policy.all(
        Policy.timeout("6 seconds"),
        Policy.attemptTimeout("3 seconds"),
        Policy.retry(everySecond)
      )
      const fiber = yield* Effect.fork(Attempts.run(policy, call, { onTimeout }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail(new TimedOut({ ms: 6000 })))
      assert.strictEqual(yield* Ref.get(tries), 2)
    }))

  it.effect("does not begin a wait that the total time would cut short", () =>
    Effect.gen(function*() {
      const error = new Busy({ isRetryable: true, retryAfterMs: 10_000 })
      const { call, tries } = yield* flaky(1, error)
      const policy = Policy.all(Policy.timeout("10 seconds"), Policy.retry(everySecond))
      const exit = yield* Effect.exit(Attempts.run(policy, call, { onTimeout }))
      assert.deepStrictEqual(exit, Exit.fail(error))
      assert.strictEqual(yield* tries, 1)
    }))

  it.effect("begins each call's retries anew", () =>
    Effect.gen(function*() {
      const policy = Policy.retry(Schedule.intersect(everySecond, Schedule.recurs(2)))
      const { call, tries } = yield* flaky(100, busy)
      const twice = Effect.exit(Attempts.run(policy, call, { onTimeout }))
      const fiber = yield* Effect.fork(Effect.zipRight(twice, twice))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* tries, 6)
    }))

  it("gives back an exit as it is", () => {
    const policy = Policy.all(Policy.standard, Policy.retry(Backoff.patient), Policy.attemptTimeout("1 second"))
    const success = Exit.succeed(1)
    const failure = Exit.fail(busy)
    assert.strictEqual<unknown>(Attempts.run(policy, success, { onTimeout }), success)
    assert.strictEqual<unknown>(Attempts.run(policy, failure, { onTimeout }), failure)
  })

  it("gives back the effect itself when it asks for nothing", () => {
    const call = Effect.sync(() => 1)
    assert.strictEqual<unknown>(Attempts.run(Policy.none, call, { onTimeout }), call)
  })

  it.effect("does not begin a wait that the limit which stands already would cut short", () =>
    Effect.gen(function*() {
      const error = new Busy({ isRetryable: true, retryAfterMs: 3000 })
      const { call, tries } = yield* flaky(1, error)
      const attempts = Attempts.run(Policy.retry(everySecond), call, { onTimeout })
      const exit = yield* Effect.exit(TimeLimit.within(attempts, "2 seconds"))
      assert.deepStrictEqual(exit, Exit.fail(error))
      assert.strictEqual(yield* tries, 1)
    }))

  it.effect("lets what it runs know how much time is left", () =>
    Effect.gen(function*() {
      const policy = Policy.all(Policy.timeout("5 seconds"), Policy.attemptTimeout("2 seconds"))
      const left = Effect.zipRight(Effect.yieldNow(), TimeLimit.remaining)
      assert.strictEqual(yield* Attempts.run(policy, left, { onTimeout }), 2000)
      assert.strictEqual(yield* Attempts.run(Policy.timeout("5 seconds"), left, { onTimeout }), 5000)
      assert.strictEqual(yield* TimeLimit.remaining, Infinity)
    }))

  it.effect("says when it tries again, and when it gives up", () =>
    Effect.gen(function*() {
      const said: Array<string> = []
      const { call } = yield* flaky(100, busy)
      const fiber = yield* Effect.fork(Effect.exit(
        Attempts.run(Policy.retry(Backoff.quick), call, {
          onTimeout,
          onAgain: () => void said.push("again"),
          onExhausted: () => void said.push("exhausted")
        })
      ))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(said, ["again", "again", "exhausted"])
    }))
})
