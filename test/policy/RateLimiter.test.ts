import { assert, describe, it, layer } from "@effect/vitest"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as RateLimiterLaws from "causeway-mcp/testing/RateLimiterLaws"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as TestClock from "effect/TestClock"

layer(RateLimiter.layerMemory)("RateLimiter.layerMemory", (it) => {
  for (const { check, name } of RateLimiterLaws.laws) it.effect(name, () => check)
})

/** Takes of limits that a person would write, and the pauses before them. */
const traffic = FastCheck.record({
  limit: FastCheck.integer({ min: 1, max: 100_000 }),
  windowMillis: FastCheck.constantFrom(1, 7, 999, 1000, 60_000, 86_400_000),
  burst: FastCheck.integer({ min: 1, max: 2000 }),
  steps: FastCheck.array(
    FastCheck.record({
      pause: FastCheck.oneof(FastCheck.constant(0), FastCheck.nat(20), FastCheck.nat(3_600_000)),
      amount: FastCheck.integer({ min: -20, max: 2500 }),
      isGive: FastCheck.boolean()
    }),
    { maxLength: 150, size: "max" }
  )
})

describe("RateLimiter.make", () => {
  for (const { check, name } of RateLimiterLaws.timedLaws) {
    it.effect(name, () => Effect.provide(check(TestClock.adjust), RateLimiter.layerMemory))
  }

  it.effect("is an Exit already, so that no fiber is needed", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make()
      const take = { key: "a", amount: 1, capacity: 1, perSecond: 1 }
      assert.isTrue(Exit.isExit(limiter.take([take])))
      assert.isTrue(Exit.isExit(limiter.take([take, { ...take, amount: NaN }])))
    }))

  it.effect("is exact to the token over a million acquires", () =>
    Effect.gen(function*() {
      // 3,000 a minute is no whole number of microseconds a token times any power of two.
      for (const { limit, windowMillis } of [{ limit: 3000, windowMillis: 7000 }, { limit: 1e6, windowMillis: 1e3 }]) {
        const limiter = yield* RateLimiter.make()
        const take = { key: "a", amount: 1, capacity: 1000, perSecond: limit / (windowMillis / 1000) }
        let had = 0
        let asked = 0
        const start = yield* TestClock.currentTimeMillis
        while (asked < 1e6) {
          for (let index = 0; index < 5000; index++, asked++) {
            if (Effect.runSync(limiter.take([take])).isAllowed) had++
          }
          const passed = (yield* TestClock.currentTimeMillis) - start
          assert.strictEqual(had, 1000 + Math.floor(passed * limit / windowMillis), `after ${passed} ms`)
          yield* TestClock.adjust("1 millis")
        }
      }
    }))

  it("decides as whole numbers of any length would", () => {
    FastCheck.assert(
      FastCheck.property(traffic, ({ burst, limit, steps, windowMillis }) => {
        let now = 0
        const clock = Object.assign(Clock.make(), { unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n })
        const limiter = Effect.runSync(Effect.withClock(RateLimiter.make(), clock))
        const bucket = { key: "a", capacity: burst, perSecond: limit / (windowMillis / 1000) }
        // In units of which a token has `window`, so that `limit` of them flow in every millisecond.
        const [window, full] = [BigInt(windowMillis), BigInt(burst) * BigInt(windowMillis)]
        const atMostFull = (content: bigint) => content > full ? full : content
        let content = full
        for (const { amount, isGive, pause } of steps) {
          now += pause
          content = atMostFull(content + BigInt(pause) * BigInt(limit))
          if (isGive) {
            Effect.runSync(limiter.give({ ...bucket, amount }))
            content = atMostFull(content + BigInt(amount) * window)
            continue
          }
          const asked = Math.abs(amount)
          const verdict = Effect.runSync(limiter.take([{ ...bucket, amount: asked }]))
          const needed = BigInt(Math.min(asked, burst)) * window
          assert.strictEqual(verdict.isAllowed, asked === 0 || content >= needed)
          if (verdict.isAllowed) content -= BigInt(asked) * window
          else {
            const wait = (needed - content + BigInt(limit) - 1n) / BigInt(limit)
            assert.isAtMost(Math.abs(verdict.retryAfterMs - Number(wait)), 1)
          }
          const exact = Number(content > 0n ? content : 0n) / windowMillis
          assert.closeTo(verdict.buckets[0].remaining, exact, 1.1e-6)
        }
      }),
      { numRuns: 500 }
    )
  })

  it.effect("keeps no more buckets than it may, and lets the fullest go first", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ maxBuckets: 100 })
      const take = (key: string, amount: number) => limiter.take([{ key, amount, capacity: 10, perSecond: 1e-3 }])
      const left = (key: string) => Effect.map(take(key, 0), ({ buckets }) => Math.floor(buckets[0].remaining))
      yield* take("empty", 10)
      yield* take("half", 5)
      for (let index = 0; index < 1000; index++) yield* take(`other ${index}`, 1 + index / 1000)
      assert.strictEqual(yield* left("empty"), 0)
      assert.strictEqual(yield* left("half"), 5)
      assert.strictEqual(yield* left("other 0"), 10)
    }))

  it.effect("lets full buckets go before any other", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make({ maxBuckets: 3 })
      const take = (key: string, perSecond: number) => limiter.take([{ key, amount: 1, capacity: 10, perSecond }])
      yield* take("slow", 1e-3)
      yield* take("quick", 10)
      yield* take("other", 1e-3)
      yield* TestClock.adjust("1 second")
      yield* take("new", 1e-3)
      assert.strictEqual((yield* take("slow", 1e-3)).buckets[0].remaining, 8.001)
      assert.strictEqual((yield* take("other", 1e-3)).buckets[0].remaining, 8.001)
    }))

  it.effect("does not fill while the clock stands or goes back", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000)
      const limiter = yield* RateLimiter.make()
      const take = { key: "a", amount: 10, capacity: 10, perSecond: 1 }
      assert.isTrue((yield* limiter.take([take])).isAllowed)
      yield* TestClock.setTime(0)
      const verdict = yield* limiter.take([take])
      assert.isFalse(verdict.isAllowed)
      assert.strictEqual(verdict.retryAfterMs, 10_000)
      yield* TestClock.setTime(1_010_000)
      assert.isTrue((yield* limiter.take([take])).isAllowed)
    }))
})
