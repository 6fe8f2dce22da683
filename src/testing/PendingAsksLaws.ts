/**
 * What every exchange of answers must obey, as checks that run against any layer
 * and under any test runner.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import * as PendingAsks from "../ask/PendingAsks.js"
import * as ServiceLaw from "./internal/ServiceLaw.js"

/**
 * One promise of the contract, and the check that fails or dies when it is
 * broken. Each check uses keys of its own, so that all may run at once and again
 * against the same service.
 *
 * @since 0.1.0
 * @category models
 */
export type Law = ServiceLaw.Law<PendingAsks.PendingAsks>

/**
 * A promise between instances: its check builds instances of its own. Those of
 * one prefix belong together.
 *
 * @since 0.1.0
 * @category models
 */
export type SharedLaw = ServiceLaw.SharedLaw<PendingAsks.PendingAsks>

type Service = PendingAsks.PendingAsks["Type"]

const anything: ReadonlyArray<unknown> = [
  { result: { action: "accept", content: { name: "Ada", age: 36, tags: ["a", "b"] } } },
  { error: { code: -1, message: "no" } },
  { "": null, __proto: { deep: [[[1.5]]] } },
  [1, [2, []]],
  "text\nof \"two\" lines \u2028 🙂",
  "",
  0,
  -1.5e300,
  true,
  false,
  null
]

const keys: ReadonlyArray<string> = [
  ...["", " ", "a", "a\nb", "\n", "a\r\nPUBLISH x y", "\"", "\\", "\u0000", "🙂", "\ud800", "__proto__", "toString"],
  "x".repeat(1000)
].map((key) => `${randomUUID()}${key}`)

/** Waits, and is answered from within `send`: an answer must not be lost however soon it comes. */
const exchange = (here: Service, there: Service, key: string, response: unknown) =>
  here.wait(key, Effect.orDie(there.answer(key, response)))

const law = ServiceLaw.law(PendingAsks.PendingAsks)

const sharedLaw = ServiceLaw.sharedLaw(PendingAsks.PendingAsks)

/** Begins to wait, and goes on when `send` has been run. */
const begun = (asks: Service, key: string) =>
  Effect.gen(function*() {
    const sent = yield* Deferred.make<void>()
    const waiting = yield* Effect.fork(asks.wait(key, Effect.asVoid(Deferred.succeed(sent, undefined))))
    yield* Effect.raceFirst(Deferred.await(sent), Fiber.join(waiting))
    return waiting
  })

/**
 * The laws that one instance obeys.
 *
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("gives the answer, any JSON, to the call that waits for it", (asks) =>
    Effect.gen(function*() {
      for (const response of anything) {
        const key = randomUUID()
        const waiting = yield* begun(asks, key)
        yield* asks.answer(key, response)
        assert.deepEqual(yield* Fiber.join(waiting), response)
      }
    })),

  law("takes an answer that comes while the question is being sent", (asks) =>
    Effect.gen(function*() {
      for (const response of anything) {
        assert.deepEqual(yield* exchange(asks, asks, randomUUID(), response), response)
      }
    })),

  law("sends the question once", (asks) =>
    Effect.gen(function*() {
      let sent = 0
      const key = randomUUID()
      yield* asks.wait(
        key,
        Effect.suspend(() => {
          sent += 1
          return Effect.orDie(asks.answer(key, "yes"))
        })
      )
      assert.equal(sent, 1)
    })),

  law("keeps a hundred calls apart, whatever the order of the answers", (asks) =>
    Effect.gen(function*() {
      const own = Array.from({ length: 100 }, () => randomUUID())
      const fibers = yield* Effect.forEach(own, (key) => begun(asks, key))
      yield* Effect.forEach(own.toReversed(), (key) => asks.answer(key, { of: key }), { concurrency: "unbounded" })
      assert.deepEqual(yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber)), own.map((of) => ({ of })))
    })),

  law("tells keys apart whatever they are made of", (asks) =>
    Effect.gen(function*() {
      const fibers = yield* Effect.forEach(keys, (key) => begun(asks, key))
      yield* Effect.forEach(keys, (key, index) => asks.answer(key, index))
      assert.deepEqual(yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber)), keys.map((_, index) => index))
    })),

  law("forgets an answer that nobody waits for, also for whoever comes later", (asks) =>
    Effect.gen(function*() {
      const key = randomUUID()
      yield* asks.answer(key, "early")
      assert.equal(yield* exchange(asks, asks, key, "in time"), "in time")
    })),

  law("takes the first of two answers, and forgets the second", (asks) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const both = Effect.orDie(Effect.zipRight(asks.answer(key, "first"), asks.answer(key, "second")))
      assert.equal(yield* asks.wait(key, both), "first")
    })),

  law("forgets the key of a call that was interrupted", (asks) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const waiting = yield* begun(asks, key)
      yield* Fiber.interrupt(waiting)
      yield* asks.answer(key, "late")
      assert.equal(yield* exchange(asks, asks, key, "anew"), "anew")
    })),

  law("goes on after 10,000 calls were interrupted at once", (asks) =>
    Effect.gen(function*() {
      const own = Array.from({ length: 10_000 }, () => randomUUID())
      let sent = 0
      const waiting = yield* Effect.fork(Effect.forEach(
        own,
        (key) => asks.wait(key, Effect.sync(() => void sent++)),
        { concurrency: "unbounded", discard: true }
      ))
      yield* Effect.repeat(Effect.yieldNow(), { until: () => sent === own.length })
      yield* Fiber.interrupt(waiting)
      const key = own[5000] ?? ""
      yield* asks.answer(key, "late")
      assert.equal(yield* exchange(asks, asks, key, "anew"), "anew")
    }))
]

/**
 * The laws that instances obey together.
 *
 * @since 0.1.0
 * @category testing
 */
export const sharedLaws: ReadonlyArray<SharedLaw> = [
  sharedLaw(
    "brings an answer, any JSON, from the instance where it comes in",
    (open, prefix) =>
      Effect.gen(function*() {
        const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
        for (const response of anything) {
          assert.deepEqual(yield* exchange(here, there, randomUUID(), response), response)
          assert.deepEqual(yield* exchange(there, here, randomUUID(), response), response)
        }
      })
  ),

  sharedLaw(
    "sends the first question of a new instance only when its answer would be heard",
    (open, prefix) =>
      Effect.gen(function*() {
        const there = yield* open(prefix)
        for (let index = 0; index < 20; index++) {
          const answer = yield* Effect.scoped(
            Effect.flatMap(open(prefix), (here) => exchange(here, there, randomUUID(), index))
          )
          assert.equal(answer, index)
        }
      })
  ),

  sharedLaw("tells keys apart whatever they are made of", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
      const fibers = yield* Effect.forEach(keys, (key) => begun(here, key))
      yield* Effect.forEach(keys, (key, index) => there.answer(key, index))
      assert.deepEqual(yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber)), keys.map((_, index) => index))
    })),

  sharedLaw("brings 500 answers each way at once", (open, prefix) =>
    Effect.gen(function*() {
      const [left, right] = yield* Effect.all([open(prefix), open(prefix)])
      const answers = yield* Effect.forEach(
        Array.from({ length: 1000 }, (_, index) => index),
        (index) =>
          index % 2 === 0
            ? exchange(left, right, randomUUID(), index)
            : exchange(right, left, randomUUID(), index),
        { concurrency: "unbounded" }
      )
      assert.deepEqual(answers, Array.from({ length: 1000 }, (_, index) => index))
    })),

  sharedLaw("brings an answer of a megabyte", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
      const large = "x".repeat(1024 * 1024 - 2)
      assert.equal(yield* exchange(here, there, randomUUID(), large), large)
    })),

  sharedLaw("brings nothing to instances of another prefix", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there, elsewhere] = yield* Effect.all([open(prefix), open(prefix), open(`other-${prefix}`)])
      const key = randomUUID()
      const both = Effect.orDie(Effect.zipRight(elsewhere.answer(key, "foreign"), there.answer(key, "own")))
      assert.equal(yield* here.wait(key, both), "own")
    })),

  sharedLaw(
    "forgets an answer that nobody waits for, also for whoever comes later",
    (open, prefix) =>
      Effect.gen(function*() {
        const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
        const key = randomUUID()
        yield* exchange(here, there, randomUUID(), "both are connected")
        yield* there.answer(key, "early")
        assert.equal(yield* exchange(here, there, randomUUID(), "the early one has come"), "the early one has come")
        assert.equal(yield* exchange(here, there, key, "in time"), "in time")
      })
  )
]
