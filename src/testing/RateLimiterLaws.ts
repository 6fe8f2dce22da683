/**
 * What every rate limiter must obey, as checks that run against any layer and
 * under any test runner.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import * as RateLimiter from "../policy/RateLimiter.js"
import * as ServiceLaw from "./internal/ServiceLaw.js"
import * as TimedLaw_ from "./internal/TimedLaw.js"

/**
 * One promise of the contract, and the check that fails or dies when it is
 * broken. Each check uses buckets of its own, so that all may run at once and
 * again against the same limiter.
 *
 * @since 0.1.0
 * @category models
 */
export type Law = ServiceLaw.Law<RateLimiter.RateLimiter>

/**
 * A promise about time: its check is told how to let time pass.
 *
 * @since 0.1.0
 * @category models
 */
export type TimedLaw = TimedLaw_.TimedLaw<RateLimiter.RateLimiter>

/**
 * A promise between instances: its check builds instances of its own. Those of
 * one prefix belong together.
 *
 * @since 0.1.0
 * @category models
 */
export type SharedLaw = ServiceLaw.SharedLaw<RateLimiter.RateLimiter>

type Service = RateLimiter.RateLimiter["Type"]

const law = ServiceLaw.law(RateLimiter.RateLimiter)
const timedLaw = TimedLaw_.timedLaw(RateLimiter.RateLimiter)
const sharedLaw = ServiceLaw.sharedLaw(RateLimiter.RateLimiter)

/** A take from a bucket of ten that fills so slowly that no check lives to see a token of it. */
const slow = (key: string, amount = 1): RateLimiter.Take => ({ key, amount, capacity: 10, perSecond: 1e-4 })

const allowed = (limiter: Service, ...takes: readonly [RateLimiter.Take, ...ReadonlyArray<RateLimiter.Take>]) =>
  Effect.map(limiter.take(takes), ({ isAllowed }) => isAllowed)

/** Whole tokens left; a take of nothing asks. */
const left = (limiter: Service, take: RateLimiter.Take) =>
  Effect.map(limiter.take([{ ...take, amount: 0 }]), ({ buckets }) => Math.floor(buckets[0].remaining))

/**
 * The laws that hold whatever the time.
 *
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law(
    "lets as much through as a full bucket holds, and then tells when there is more",
    (limiter) =>
      Effect.gen(function*() {
        const key = randomUUID()
        for (let taken = 1; taken <= 10; taken++) {
          const verdict = yield* limiter.take([slow(key)])
          assert.equal(verdict.isAllowed, true)
          assert.equal(verdict.retryAfterMs, 0)
          assert.equal(verdict.refusedBy, undefined)
          assert.equal(verdict.counted, "shared")
          assert.equal(verdict.buckets.length, 1)
          assert.equal(Math.floor(verdict.buckets[0].remaining), 10 - taken)
          assert.ok(Math.abs(verdict.buckets[0].fullAfterMs - taken * 1e7) < 60_000)
        }
        const verdict = yield* limiter.take([slow(key)])
        assert.equal(verdict.isAllowed, false)
        assert.equal(verdict.refusedBy, 0)
        assert.ok(verdict.retryAfterMs > 1e7 - 60_000 && verdict.retryAfterMs <= 1e7, String(verdict.retryAfterMs))
        assert.equal(Math.floor(verdict.buckets[0].remaining), 0)
      })
  ),

  law("takes from all buckets or from none, and names the one that refuses", (limiter) =>
    Effect.gen(function*() {
      const [one, two, three] = [randomUUID(), randomUUID(), randomUUID()]
      assert.equal(yield* allowed(limiter, slow(two, 8)), true)
      const verdict = yield* limiter.take([slow(one, 5), slow(two, 5), slow(three, 5)])
      assert.equal(verdict.isAllowed, false)
      assert.equal(verdict.refusedBy, 1)
      assert.deepEqual(verdict.buckets.map(({ remaining }) => Math.floor(remaining)), [10, 2, 10])
      assert.equal(yield* allowed(limiter, slow(one, 10), slow(two, 2), slow(three, 10)), true)
    })),

  law("names the bucket that refuses longest, and its wait", (limiter) =>
    Effect.gen(function*() {
      const [one, two] = [randomUUID(), randomUUID()]
      assert.equal(yield* allowed(limiter, slow(one, 10), slow(two, 10)), true)
      const verdict = yield* limiter.take([slow(one, 1), slow(two, 3)])
      assert.equal(verdict.refusedBy, 1)
      assert.ok(verdict.retryAfterMs > 2.9e7 && verdict.retryAfterMs <= 3e7, String(verdict.retryAfterMs))
    })),

  law("counts both when one bucket is asked twice in a take", (limiter) =>
    Effect.gen(function*() {
      const key = randomUUID()
      assert.equal(yield* allowed(limiter, slow(key, 6), slow(key, 6)), false)
      assert.equal(yield* left(limiter, slow(key)), 10)
      assert.equal(yield* allowed(limiter, slow(key, 6), slow(key, 4)), true)
      assert.equal(yield* left(limiter, slow(key)), 0)
    })),

  law("gives more than a bucket holds when it is full, which leaves it in debt", (limiter) =>
    Effect.gen(function*() {
      const key = randomUUID()
      assert.equal(yield* allowed(limiter, slow(key, 25)), true)
      const verdict = yield* limiter.take([slow(key)])
      assert.equal(verdict.isAllowed, false)
      assert.equal(verdict.buckets[0].remaining, 0)
      assert.ok(verdict.retryAfterMs > 1.59e8 && verdict.retryAfterMs <= 1.6e8, String(verdict.retryAfterMs))
      const other = randomUUID()
      assert.equal(yield* allowed(limiter, slow(other, 1)), true)
      assert.equal(yield* allowed(limiter, slow(other, 25)), false)
      assert.equal(yield* left(limiter, slow(other)), 9)
    })),

  law("lets pass who takes nothing, also from a bucket in debt", (limiter) =>
    Effect.gen(function*() {
      const key = randomUUID()
      assert.equal(yield* allowed(limiter, slow(key, 25)), true)
      assert.equal(yield* allowed(limiter, slow(key, 0)), true)
    })),

  law("gives back what was not used, never more than is missing", (limiter) =>
    Effect.gen(function*() {
      const key = randomUUID()
      yield* limiter.take([slow(key, 8)])
      yield* limiter.give(slow(key, 5))
      assert.equal(yield* left(limiter, slow(key)), 7)
      yield* limiter.give(slow(key, 50))
      assert.equal(yield* left(limiter, slow(key)), 10)
      yield* limiter.give(slow(randomUUID(), 5))
      assert.equal(yield* allowed(limiter, slow(key, 10)), true)
      assert.equal(yield* allowed(limiter, slow(key)), false)
    })),

  law("takes afterwards what was used beyond, into debt", (limiter) =>
    Effect.gen(function*() {
      const key = randomUUID()
      yield* limiter.take([slow(key, 8)])
      yield* limiter.give(slow(key, -7))
      assert.equal(yield* left(limiter, slow(key)), 0)
      yield* limiter.give(slow(key, 5))
      assert.equal(yield* left(limiter, slow(key)), 0)
      yield* limiter.give(slow(key, 3))
      assert.equal(yield* left(limiter, slow(key)), 3)
    })),

  law("counts parts of a token exactly", (limiter) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const take = { key, amount: 0.1, capacity: 1, perSecond: 1e-6 }
      for (let taken = 0; taken < 10; taken++) assert.equal(yield* allowed(limiter, take), true)
      assert.equal(yield* allowed(limiter, { ...take, amount: 0.01 }), false)
    })),

  law("changes a bucket's size for all, and keeps what is missing of it", (limiter) =>
    Effect.gen(function*() {
      const key = randomUUID()
      yield* limiter.take([slow(key, 8)])
      assert.equal(yield* left(limiter, { ...slow(key), capacity: 100 }), 92)
      assert.equal(yield* left(limiter, { ...slow(key), capacity: 5 }), 0)
      assert.equal(yield* left(limiter, { ...slow(key), perSecond: 1e-5 }), 2)
    })),

  law("tells buckets apart whatever their keys are made of", (limiter) =>
    Effect.gen(function*() {
      for (const isBefore of [true, false]) {
        const mark = randomUUID()
        const keys = TimedLaw_.hostileKeys.map((key) => isBefore ? `${mark}${key}` : `${key}${mark}`)
        for (const key of keys) assert.equal(yield* allowed(limiter, slow(key, 10)), true, JSON.stringify(key))
        for (const key of keys) assert.equal(yield* allowed(limiter, slow(key)), false, JSON.stringify(key))
      }
    })),

  law("lets no more than ten through though a thousand come at the same time", (limiter) =>
    Effect.gen(function*() {
      const [key, other] = [randomUUID(), randomUUID()]
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 1000 }, (_, index) => index),
        (index) => allowed(limiter, slow(key), slow(`${other}${index % 2}`)),
        { concurrency: "unbounded" }
      )
      assert.equal(outcomes.filter((isAllowed) => isAllowed).length, 10)
      assert.equal((yield* left(limiter, slow(`${other}0`))) + (yield* left(limiter, slow(`${other}1`))), 10)
    })),

  law("is a defect for what cannot be taken, and nothing is taken then", (limiter) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const wrong: ReadonlyArray<Partial<RateLimiter.Take>> = [
        ...[-1, NaN, Infinity].map((amount) => ({ amount })),
        ...[0, -1, NaN, Infinity].flatMap((size) => [{ capacity: size }, { perSecond: size }])
      ]
      for (const one of wrong) {
        const exit = yield* Effect.exit(limiter.take([slow(key, 10), { ...slow(key), ...one }]))
        assert.equal(exit._tag === "Failure" && exit.cause._tag === "Die", true, JSON.stringify(one))
      }
      assert.equal(yield* left(limiter, slow(key)), 10)
    }))
]

/**
 * The laws about time. With a server they take a few seconds of it.
 *
 * @since 0.1.0
 * @category testing
 */
export const timedLaws: ReadonlyArray<TimedLaw> = [
  timedLaw("lets through who keeps to the wait it was told", (limiter, pass) =>
    Effect.gen(function*() {
      const take = { key: randomUUID(), amount: 3, capacity: 5, perSecond: 20 }
      for (let round = 0; round < 10; round++) {
        const verdict = yield* limiter.take([take])
        if (!verdict.isAllowed) {
          assert.ok(verdict.retryAfterMs > 0 && verdict.retryAfterMs <= 150, String(verdict.retryAfterMs))
          yield* pass(verdict.retryAfterMs)
          assert.equal(yield* allowed(limiter, take), true)
        }
      }
    })),

  timedLaw(
    "is full again when it said, and holds no more however long it rests",
    (limiter, pass) =>
      Effect.gen(function*() {
        const take = { key: randomUUID(), amount: 4, capacity: 4, perSecond: 10 }
        const { buckets } = yield* limiter.take([take])
        assert.ok(buckets[0].fullAfterMs > 0 && buckets[0].fullAfterMs <= 400, String(buckets[0].fullAfterMs))
        yield* pass(buckets[0].fullAfterMs)
        assert.equal(yield* left(limiter, take), 4)
        yield* pass("500 millis")
        assert.equal(yield* left(limiter, take), 4)
      })
  ),

  timedLaw("fills at the old rate until someone comes with a new one", (limiter, pass) =>
    Effect.gen(function*() {
      const take = { key: randomUUID(), amount: 100, capacity: 100, perSecond: 50 }
      yield* limiter.take([take])
      yield* pass("1 second")
      const filled = yield* left(limiter, { ...take, perSecond: 1e-3 })
      assert.ok(filled >= 50 && filled < 100, String(filled))
      yield* pass("500 millis")
      assert.equal(yield* left(limiter, { ...take, perSecond: 1e-3 }), filled)
    }))
]

/**
 * The laws that instances with one store obey together.
 *
 * @since 0.1.0
 * @category testing
 */
export const sharedLaws: ReadonlyArray<SharedLaw> = [
  sharedLaw("counts for all instances together", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, index) => index),
        (index) => allowed(index % 2 === 0 ? here : there, slow("shared")),
        { concurrency: "unbounded" }
      )
      assert.equal(outcomes.filter((isAllowed) => isAllowed).length, 10)
    })),

  sharedLaw("keeps what has another prefix apart", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there] = yield* Effect.all([open(prefix), open(`${prefix}other:`)])
      assert.equal(yield* allowed(here, slow("key", 10)), true)
      assert.equal(yield* allowed(there, slow("key", 10)), true)
    }))
]
