import { assert, describe, it } from "@effect/vitest"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"

/** Fails every time, and gives the moments at which it was tried. */
const moments = (schedule: Schedule.Schedule<unknown, Backoff.Retryable>, error: Backoff.Retryable) =>
  Effect.gen(function*() {
    const tries: Array<number> = []
    const call = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      tries.push(now)
      return Effect.fail(error)
    })
    const fiber = yield* Effect.fork(Effect.exit(Effect.retry(call, schedule)))
    yield* TestClock.adjust("1 hour")
    yield* Fiber.join(fiber)
    return tries
  })

const delays = (tries: ReadonlyArray<number>): ReadonlyArray<number> =>
  tries.slice(1).map((now, index) => Math.round(now - (tries[index] ?? 0)))

describe("Backoff", () => {
  it.effect("quick tries three times in all, within a fifth of 100 and 200 ms", () =>
    Effect.gen(function*() {
      const [first = 0, second = 0, ...rest] = delays(yield* moments(Backoff.quick, { isRetryable: true }))
      assert.deepStrictEqual(rest, [])
      assert.isTrue(first >= 80 && first <= 120, `first ${first}`)
      assert.isTrue(second >= 160 && second <= 240, `second ${second}`)
    }))

  it.effect("patient tries five times in all", () =>
    Effect.gen(function*() {
      assert.lengthOf(yield* moments(Backoff.patient, { isRetryable: true }), 5)
    }))

  it.effect("never waits longer than its cap", () =>
    Effect.gen(function*() {
      const schedule = Backoff.make({ first: "1 second", cap: "2 seconds", times: 6 })
      const waits = delays(yield* moments(schedule, { isRetryable: true }))
      assert.lengthOf(waits, 6)
      assert.deepStrictEqual(waits.slice(2), [2000, 2000, 2000, 2000])
    }))

  it.effect("tries once when the error is not retryable", () =>
    Effect.gen(function*() {
      assert.lengthOf(yield* moments(Backoff.patient, { isRetryable: false }), 1)
    }))

  it.effect("waits exactly as long as the error asks", () =>
    Effect.gen(function*() {
      const waits = delays(
        yield* moments(Backoff.patient, { isRetryable: true, retryAfter: Duration.millis(7300) })
      )
      assert.deepStrictEqual(waits, [7300, 7300, 7300, 7300])
    }))

  it.effect("ends when the error asks for more than the cap", () =>
    Effect.gen(function*() {
      const error = { isRetryable: true, retryAfter: Duration.seconds(11) }
      assert.lengthOf(yield* moments(Backoff.patient, error), 1)
    }))

  it.effect("varies its delays", () =>
    Effect.gen(function*() {
      const runs = yield* Effect.all(
        Array.from({ length: 8 }, () => moments(Backoff.quick, { isRetryable: true }))
      )
      assert.isTrue(new Set(runs.map((tries) => delays(tries)[0])).size > 1)
    }))

  it.effect("full jitter waits anything up to a bound that doubles up to its cap, as often as told", () =>
    Effect.gen(function*() {
      const schedule = Backoff.fullJitter({ base: "100 millis", cap: "500 millis", times: 5 })
      const runs = yield* Effect.all(
        Array.from({ length: 40 }, () => moments(schedule, { isRetryable: true }))
      )
      for (const [index, bound] of [100, 200, 400, 500, 500].entries()) {
        const waits = runs.map((tries) => delays(tries)[index] ?? -1)
        assert.isTrue(waits.every((wait) => wait >= 0 && wait <= bound), `${index}: ${waits.join(" ")}`)
        assert.isTrue(waits.some((wait) => wait < bound / 4) && waits.some((wait) => wait > bound * 3 / 4))
      }
      assert.isTrue(runs.every((tries) => tries.length === 6))
    }))

  it.effect("full jitter draws its delays from Random, so that a seed gives the same ones", () =>
    Effect.gen(function*() {
      const schedule = Backoff.fullJitter({ base: "1 second", cap: "1 minute", times: 4 })
      const run = (seed: string) => Effect.withRandom(moments(schedule, { isRetryable: true }), Random.make(seed))
      const [one, same, other] = yield* Effect.all([run("a"), run("a"), run("b")])
      assert.deepStrictEqual(delays(one), delays(same))
      assert.notDeepEqual(delays(one), delays(other))
    }))

  it.effect("full jitter tries once when it may not try again", () =>
    Effect.gen(function*() {
      for (const times of [0, -1, 0.9]) {
        const schedule = Backoff.fullJitter({ base: 1, cap: 1, times })
        assert.lengthOf(yield* moments(schedule, { isRetryable: true }), 1)
      }
    }))

  it.effect("honours a retryAfter that is longer than the delay, and no other", () =>
    Effect.gen(function*() {
      const schedule = Backoff.honourRetryAfter(
        Schedule.intersect(Schedule.spaced("300 millis"), Schedule.recurs(2))
      )
      const waits = (retryAfter: Duration.Duration | undefined) =>
        Effect.map(moments(schedule, { isRetryable: true, retryAfter }), delays)
      assert.deepStrictEqual(yield* waits(Duration.millis(620)), [620, 620])
      assert.deepStrictEqual(yield* waits(Duration.millis(10)), [300, 300])
      assert.deepStrictEqual(yield* waits(undefined), [300, 300])
    }))

  it.effect("waits its own delay when the error asks for less", () =>
    Effect.gen(function*() {
      const [first = 0] = delays(yield* moments(Backoff.quick, { isRetryable: true, retryAfter: Duration.zero }))
      assert.isTrue(first >= 80 && first <= 120, `first ${first}`)
    }))

  it("knows a retryable error by its shape alone", () => {
    assert.isTrue(Backoff.isRetryable({ isRetryable: true }))
    assert.isFalse(Backoff.isRetryable({ isRetryable: false }))
    assert.isFalse(Backoff.isRetryable({ isRetryable: "yes" }))
    assert.isFalse(Backoff.isRetryable(undefined))
    assert.isFalse(Backoff.isRetryable("ECONNREFUSED"))
  })
})
