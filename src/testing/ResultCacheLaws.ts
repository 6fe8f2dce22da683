/**
 * What every cache of answers must obey, as checks that run against any layer
 * and under any test runner.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import * as ResultCache from "../policy/ResultCache.js"
import * as ServiceLaw from "./internal/ServiceLaw.js"
import * as TimedLaw_ from "./internal/TimedLaw.js"

/**
 * One promise of the contract, and the check that fails or dies when it is
 * broken. Each check uses keys of its own, so that all may run at once and again
 * against the same cache.
 *
 * @since 0.1.0
 * @category models
 */
export type Law = ServiceLaw.Law<ResultCache.ResultCache>

/**
 * A promise about time: its check is told how to let time pass.
 *
 * @since 0.1.0
 * @category models
 */
export type TimedLaw = TimedLaw_.TimedLaw<ResultCache.ResultCache>

/**
 * A promise between instances: its check builds instances of its own. Those of
 * one prefix belong together.
 *
 * @since 0.1.0
 * @category models
 */
export type SharedLaw = ServiceLaw.SharedLaw<ResultCache.ResultCache>

const law = ServiceLaw.law(ResultCache.ResultCache)
const timedLaw = TimedLaw_.timedLaw(ResultCache.ResultCache)
const sharedLaw = ServiceLaw.sharedLaw(ResultCache.ResultCache)

const minute = 60_000

const kept = (value: unknown, madeAt = 1_700_000_000_000): ResultCache.Kept => ({
  json: JSON.stringify(value),
  madeAt
})

const texts = ["", "\u0000", "\"\\\\\\n", "日本語 🙂 e\u0301", "\u2028", "\ud800", "x".repeat(60_000)]

/**
 * The laws that hold whatever the time.
 *
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("knows nothing of a key it never saw", (cache) =>
    Effect.gen(function*() {
      assert.deepEqual(yield* cache.get(randomUUID()), Option.none())
    })),

  law("gives back what it was given, and when that was made", (cache) =>
    Effect.gen(function*() {
      for (const value of [...texts, 0, -1.5e300, true, null, [1, [2]], { a: { b: [] } }]) {
        const [key, one] = [randomUUID(), kept(value, 1_700_000_000_123.5)]
        yield* cache.set(key, one, minute)
        assert.deepEqual(yield* cache.get(key), Option.some(one))
      }
    })),

  law("keeps the latest", (cache) =>
    Effect.gen(function*() {
      const key = randomUUID()
      yield* cache.set(key, kept(1), minute)
      yield* cache.set(key, kept(2), minute)
      assert.deepEqual(yield* cache.get(key), Option.some(kept(2)))
    })),

  law("tells keys apart whatever they are made of", (cache) =>
    Effect.gen(function*() {
      for (const isBefore of [true, false]) {
        const mark = randomUUID()
        const keys = TimedLaw_.hostileKeys.map((key) => isBefore ? `${mark}${key}` : `${key}${mark}`)
        for (const [index, key] of keys.entries()) yield* cache.set(key, kept(index), minute)
        for (const [index, key] of keys.entries()) {
          assert.deepEqual(yield* cache.get(key), Option.some(kept(index)), JSON.stringify(key))
        }
      }
    })),

  law("does not keep an answer of over a megabyte, nor the one before it", (cache) =>
    Effect.gen(function*() {
      const key = randomUUID()
      yield* cache.set(key, kept("x".repeat(1024 * 1024 - 2)), minute)
      assert.equal(Option.isSome(yield* cache.get(key)), true)
      yield* cache.set(key, kept("x".repeat(1024 * 1024 - 1)), minute)
      assert.deepEqual(yield* cache.get(key), Option.none())
    })),

  law("counts a character by the bytes it takes", (cache) =>
    Effect.gen(function*() {
      const key = randomUUID()
      yield* cache.set(key, kept("é".repeat(600_000)), minute)
      assert.deepEqual(yield* cache.get(key), Option.none())
    })),

  law("does not keep for no time", (cache) =>
    Effect.gen(function*() {
      const key = randomUUID()
      yield* cache.set(key, kept(1), 0)
      assert.deepEqual(yield* cache.get(key), Option.none())
    })),

  law("forgets every key that begins with a prefix, and no other", (cache) =>
    Effect.gen(function*() {
      const mark = randomUUID()
      const keys = ["search", "search:", "search:acme", "search:acme:1", "search:other", "Search:acme", "fetch:acme"]
        .map((key) => `${mark}${key}`)
      const found = () =>
        Effect.map(
          Effect.forEach(keys, (key) => cache.get(key)),
          (answers) => keys.filter((_, index) => Option.isSome(answers[index] ?? Option.none()))
        )
      for (const key of keys) yield* cache.set(key, kept(key), minute)
      yield* cache.forget(`${mark}search:acme`)
      assert.deepEqual(yield* found(), [0, 1, 4, 5, 6].map((index) => keys[index]))
      yield* cache.forget(`${mark}search:acme`)
      yield* cache.forget(`${mark}search`)
      assert.deepEqual(yield* found(), [5, 6].map((index) => keys[index]))
      yield* cache.forget(`${mark}nothing`)
      yield* cache.set(`${mark}search`, kept("new"), minute)
      assert.deepEqual(yield* cache.get(`${mark}search`), Option.some(kept("new")))
      assert.deepEqual(yield* found(), [0, 5, 6].map((index) => keys[index]))
    })),

  law("takes a prefix by its characters, whatever they are", (cache) =>
    Effect.gen(function*() {
      const mark = randomUUID()
      for (const prefix of ["*", "[a]", "{", "é", "🙂", "\u0000", "x".repeat(200)].map((one) => `${mark}${one}`)) {
        yield* cache.set(`${prefix}key`, kept(1), minute)
        yield* cache.set(`${mark}-${prefix}key`, kept(2), minute)
        yield* cache.forget(prefix)
        assert.deepEqual(yield* cache.get(`${prefix}key`), Option.none())
        assert.deepEqual(yield* cache.get(`${mark}-${prefix}key`), Option.some(kept(2)))
      }
    }))
]

/**
 * The laws about time. With a server they take a few seconds of it.
 *
 * @since 0.1.0
 * @category testing
 */
export const timedLaws: ReadonlyArray<TimedLaw> = [
  timedLaw("keeps an answer for its time, and no longer", (cache, pass) =>
    Effect.gen(function*() {
      const [brief, long] = [randomUUID(), randomUUID()]
      yield* cache.set(brief, kept(1), 400)
      yield* cache.set(long, kept(2), minute)
      assert.deepEqual(yield* cache.get(brief), Option.some(kept(1)))
      yield* pass("500 millis")
      assert.deepEqual(yield* cache.get(brief), Option.none())
      assert.deepEqual(yield* cache.get(long), Option.some(kept(2)))
    })),

  timedLaw("counts the time anew with each answer", (cache, pass) =>
    Effect.gen(function*() {
      const key = randomUUID()
      yield* cache.set(key, kept(1), 400)
      yield* cache.set(key, kept(2), minute)
      yield* pass("500 millis")
      assert.deepEqual(yield* cache.get(key), Option.some(kept(2)))
    }))
]

/**
 * The laws that instances with one store obey together.
 *
 * @since 0.1.0
 * @category testing
 */
export const sharedLaws: ReadonlyArray<SharedLaw> = [
  sharedLaw(
    "finds what another instance keeps, and forgets what another forgets",
    (open, prefix) =>
      Effect.gen(function*() {
        const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
        for (let round = 0; round < 5; round++) {
          yield* here.set("tool:a", kept(round), minute)
          assert.deepEqual(yield* there.get("tool:a"), Option.some(kept(round)))
          yield* there.set("tool:b", kept(round), minute)
          yield* there.forget(round % 2 === 0 ? "tool:" : `tool:${round % 3 === 0 ? "a" : ""}`)
          assert.deepEqual(yield* here.get("tool:a"), Option.none())
          assert.equal(Option.isSome(yield* here.get("tool:b")), round === 3)
        }
      })
  ),

  sharedLaw("keeps what has another prefix apart", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there] = yield* Effect.all([open(prefix), open(`${prefix}other:`)])
      yield* here.set("key", kept(1), minute)
      assert.deepEqual(yield* there.get("key"), Option.none())
      yield* there.forget("")
      assert.deepEqual(yield* here.get("key"), Option.some(kept(1)))
    }))
]
