/**
 * What every store of idempotency keys must obey, as checks that run against any
 * layer and under any test runner.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import * as IdempotencyStore from "../policy/IdempotencyStore.js"
import * as ServiceLaw from "./internal/ServiceLaw.js"
import * as TimedLaw_ from "./internal/TimedLaw.js"

/**
 * One promise of the contract, and the check that fails or dies when it is
 * broken. Each check uses keys of its own, so that all may run at once and again
 * against the same store.
 *
 * @since 0.1.0
 * @category models
 */
export type Law = ServiceLaw.Law<IdempotencyStore.IdempotencyStore>

/**
 * A promise about time: its check is told how to let time pass.
 *
 * @since 0.1.0
 * @category models
 */
export type TimedLaw = TimedLaw_.TimedLaw<IdempotencyStore.IdempotencyStore>

/**
 * A promise between instances: its check builds instances of its own. Those of
 * one prefix belong together.
 *
 * @since 0.1.0
 * @category models
 */
export type SharedLaw = ServiceLaw.SharedLaw<IdempotencyStore.IdempotencyStore>

type Service = IdempotencyStore.IdempotencyStore["Type"]

const law = ServiceLaw.law(IdempotencyStore.IdempotencyStore)
const timedLaw = TimedLaw_.timedLaw(IdempotencyStore.IdempotencyStore)
const sharedLaw = ServiceLaw.sharedLaw(IdempotencyStore.IdempotencyStore)

const minute = 60_000

/** Claims what must be free, and gives the token. */
const claimed = (store: Service, key: string, leaseMillis = minute, fingerprint = "f") =>
  Effect.flatMap(
    store.claim(key, fingerprint, leaseMillis),
    (claim) => claim._tag === "Claimed" ? Effect.succeed(claim.token) : Effect.dieMessage(`the key is ${claim._tag}`)
  )

const tagOf = (store: Service, key: string, fingerprint = "f") =>
  Effect.map(store.claim(key, fingerprint, minute), ({ _tag }) => _tag)

/**
 * The laws that hold whatever the time.
 *
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("lets one of a hundred at once claim a key", (store) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const claims = yield* Effect.forEach(Array.from({ length: 100 }), () => store.claim(key, "f", minute), {
        concurrency: "unbounded"
      })
      assert.equal(claims.filter(({ _tag }) => _tag === "Claimed").length, 1)
      for (const claim of claims) {
        if (claim._tag === "Claimed") continue
        assert.ok(claim._tag === "Running" && claim.leaseMillis > 0 && claim.leaseMillis <= minute, claim._tag)
      }
    })),

  law("gives the answer to whoever comes after, as it was", (store) =>
    Effect.gen(function*() {
      for (const json of ["null", "\"日本語 🙂 \\u0000\"", JSON.stringify({ a: [1, { b: "x".repeat(60_000) }] })]) {
        const key = randomUUID()
        assert.equal(yield* store.answer(key, yield* claimed(store, key), json, minute), true)
        for (let again = 0; again < 2; again++) {
          assert.deepEqual(yield* store.claim(key, "f", minute), { _tag: "Answered", json })
        }
      }
    })),

  law("refuses other arguments, while the call is made and after", (store) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const token = yield* claimed(store, key)
      assert.deepEqual(yield* store.claim(key, "other", minute), { _tag: "Mismatch" })
      yield* store.answer(key, token, "1", minute)
      assert.deepEqual(yield* store.claim(key, "", minute), { _tag: "Mismatch" })
      assert.equal(yield* tagOf(store, key), "Answered")
    })),

  law("frees a key that is given back, also for other arguments", (store) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const token = yield* claimed(store, key)
      yield* store.release(key, token)
      assert.notEqual(yield* claimed(store, key, minute, "other"), token)
    })),

  law("lets nobody touch a key but who holds it", (store) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const token = yield* claimed(store, key)
      for (const wrong of ["", randomUUID(), `${token}x`]) {
        assert.equal(yield* store.extend(key, wrong, minute), false)
        assert.equal(yield* store.answer(key, wrong, "0", minute), false)
        yield* store.release(key, wrong)
        assert.equal(yield* tagOf(store, key), "Running")
      }
      assert.equal(yield* store.extend(key, token, minute), true)
      assert.equal(yield* store.answer(key, token, "1", minute), true)
    })),

  law("changes an answer no more, not even for who gave it", (store) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const token = yield* claimed(store, key)
      yield* store.answer(key, token, "1", minute)
      assert.equal(yield* store.answer(key, token, "2", minute), false)
      assert.equal(yield* store.extend(key, token, minute), false)
      yield* store.release(key, token)
      assert.deepEqual(yield* store.claim(key, "f", minute), { _tag: "Answered", json: "1" })
    })),

  law("knows nothing of a key that nobody claimed", (store) =>
    Effect.gen(function*() {
      const key = randomUUID()
      assert.equal(yield* store.extend(key, "token", minute), false)
      assert.equal(yield* store.answer(key, "token", "1", minute), false)
      yield* store.release(key, "token")
      assert.equal(yield* tagOf(store, key), "Claimed")
    })),

  law("keeps an answer of a megabyte, and gives the key of a longer one back", (store) =>
    Effect.gen(function*() {
      const [key, other] = [randomUUID(), randomUUID()]
      const json = JSON.stringify("x".repeat(1024 * 1024 - 2))
      assert.equal(yield* store.answer(key, yield* claimed(store, key), json, minute), true)
      assert.deepEqual(yield* store.claim(key, "f", minute), { _tag: "Answered", json })
      assert.equal(yield* store.answer(other, yield* claimed(store, other), `${json} `, minute), false)
      assert.equal(yield* tagOf(store, other), "Claimed")
    })),

  law("tells keys apart whatever they are made of", (store) =>
    Effect.gen(function*() {
      for (const isBefore of [true, false]) {
        const mark = randomUUID()
        const keys = TimedLaw_.hostileKeys.map((key) => isBefore ? `${mark}${key}` : `${key}${mark}`)
        for (const [index, key] of keys.entries()) {
          yield* store.answer(key, yield* claimed(store, key), String(index), minute)
        }
        for (const [index, key] of keys.entries()) {
          assert.deepEqual(yield* store.claim(key, "f", minute), { _tag: "Answered", json: String(index) })
        }
      }
    })),

  law("tells fingerprints apart whatever they are made of", (store) =>
    Effect.gen(function*() {
      for (const fingerprint of TimedLaw_.hostileKeys) {
        const key = randomUUID()
        yield* claimed(store, key, minute, fingerprint)
        assert.equal(yield* tagOf(store, key, fingerprint), "Running")
        assert.equal(yield* tagOf(store, key, `${fingerprint} `), "Mismatch")
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
  timedLaw(
    "frees a key when the lease is over, and the late holder changes nothing",
    (store, pass) =>
      Effect.gen(function*() {
        const key = randomUUID()
        const late = yield* claimed(store, key, 300)
        yield* pass("400 millis")
        assert.equal(yield* store.extend(key, late, minute), false)
        assert.equal(yield* store.answer(key, late, "\"late\"", minute), false)
        const token = yield* claimed(store, key, minute, "other")
        assert.equal(yield* store.extend(key, late, minute), false)
        assert.equal(yield* store.answer(key, late, "\"late\"", minute), false)
        yield* store.release(key, late)
        assert.equal(yield* store.answer(key, token, "\"right\"", minute), true)
        assert.deepEqual(yield* store.claim(key, "other", minute), { _tag: "Answered", json: "\"right\"" })
      })
  ),

  timedLaw("holds a key as long as its lease is prolonged", (store, pass) =>
    Effect.gen(function*() {
      const key = randomUUID()
      const token = yield* claimed(store, key, 1000)
      for (let round = 0; round < 4; round++) {
        yield* pass("400 millis")
        assert.equal(yield* store.extend(key, token, 1000), true)
      }
      assert.equal(yield* tagOf(store, key), "Running")
    })),

  timedLaw("forgets an answer when its time is over, and not with the lease", (store, pass) =>
    Effect.gen(function*() {
      const [brief, long] = [randomUUID(), randomUUID()]
      yield* store.answer(brief, yield* claimed(store, brief), "1", 300)
      yield* store.answer(long, yield* claimed(store, long, 300), "2", minute)
      yield* pass("400 millis")
      assert.equal(yield* tagOf(store, brief), "Claimed")
      assert.deepEqual(yield* store.claim(long, "f", minute), { _tag: "Answered", json: "2" })
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
    "lets one of many instances claim a key, and all of them read the answer",
    (open, prefix) =>
      Effect.gen(function*() {
        const stores = yield* Effect.all([open(prefix), open(prefix), open(prefix)])
        for (let round = 0; round < 20; round++) {
          const key = `key ${round}`
          const claims = yield* Effect.forEach([...stores, ...stores], (store) => store.claim(key, "f", minute), {
            concurrency: "unbounded"
          })
          const won = claims.findIndex(({ _tag }) => _tag === "Claimed")
          assert.equal(claims.filter(({ _tag }) => _tag === "Claimed").length, 1)
          const [claim, store] = [claims[won], stores[won % 3]]
          assert.ok(claim?._tag === "Claimed" && store !== undefined)
          assert.equal(yield* store.answer(key, claim.token, String(round), minute), true)
          for (const each of stores) {
            assert.deepEqual(yield* each.claim(key, "f", minute), { _tag: "Answered", json: String(round) })
          }
        }
      })
  ),

  sharedLaw("keeps what has another prefix apart", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there] = yield* Effect.all([open(prefix), open(`${prefix}other:`)])
      yield* claimed(here, "key")
      yield* claimed(there, "key")
    }))
]
