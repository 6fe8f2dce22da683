/**
 * What every session store must obey, as checks that run against any layer and
 * under any test runner.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import * as SessionStore from "../session/SessionStore.js"
import type {
  Law as Law_,
  RetentionLaw as RetentionLaw_,
  RetentionSubject as RetentionSubject_
} from "./internal/SessionLaw.js"
import { event, freshUser, ids, law } from "./internal/SessionLaw.js"
import * as SessionRetentionLaws from "./internal/SessionRetentionLaws.js"

/**
 * One promise of the contract, and the check that fails or dies when a store
 * breaks it. Each check works on users of its own, so that all may run at once
 * and again against the same store. `name` finishes the sentence "it …".
 *
 * @since 0.1.0
 * @category models
 */
export type Law = Law_

/**
 * A promise about retention: its check builds stores of its own.
 *
 * @since 0.1.0
 * @category models
 */
export type RetentionLaw = RetentionLaw_

/**
 * How to build the store under test, and how time passes for it.
 *
 * @since 0.1.0
 * @category models
 */
export type RetentionSubject = RetentionSubject_

const hostileIds: ReadonlyArray<string> = [
  ...["", " ", "{}", "{a}:{b}", "}{", ":", "a:b", "*", "?", "[a-z]", "a\nb", "a\r\nDEL *", "a\u0000b", "%7b", "%7b;"],
  ...["🙂", "e\u0301", "\u00e9", "\ud800", "\udc00", "\\ud800", "'; DROP TABLE users; --", "../../etc"],
  ...["__proto__", "constructor", "toString", "x".repeat(500), "🙂".repeat(250)]
]

/**
 * The laws that any store obeys with its default retention.
 *
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("answers a ping", (store) => store.ping),

  law("knows nothing of a user it never saw", (store, user) =>
    Effect.gen(function*() {
      assert.deepEqual(yield* store.history(user), [])
    })),

  law("gives back what it was given", (store, user) =>
    Effect.gen(function*() {
      const given = event("a", { type: "feedback", text: "good", occurredAt: "2026-03-04T05:06:07+02:00" })
      assert.equal(yield* store.append(user, given), "recorded")
      assert.deepEqual(yield* store.history(user), [given])
    })),

  law("gives the newest first, by arrival and not by when they happened", (store, user) =>
    Effect.gen(function*() {
      yield* store.append(user, event("late", { occurredAt: "2026-01-03T00:00:00Z" }))
      yield* store.append(user, event("early", { occurredAt: "2026-01-01T00:00:00Z" }))
      yield* store.append(user, event("middle", { occurredAt: "2026-01-02T00:00:00Z" }))
      assert.deepEqual(ids(yield* store.history(user)), ["middle", "early", "late"])
    })),

  law("gives no more than the limit, and none for a limit of 0 or less", (store, user) =>
    Effect.gen(function*() {
      for (const id of ["a", "b", "c"]) yield* store.append(user, event(id))
      assert.deepEqual(ids(yield* store.history(user, { limit: 2 })), ["c", "b"])
      assert.deepEqual(ids(yield* store.history(user, { limit: 100 })), ["c", "b", "a"])
      assert.deepEqual(yield* store.history(user, { limit: 0 }), [])
      assert.deepEqual(yield* store.history(user, { limit: -1 }), [])
    })),

  law("gives only what happened at or after a moment, whatever its offset", (store, user) =>
    Effect.gen(function*() {
      yield* store.append(user, event("at", { occurredAt: "2026-01-02T00:00:00Z" }))
      yield* store.append(user, event("before", { occurredAt: "2026-01-01T23:59:59.999Z" }))
      yield* store.append(user, event("after", { occurredAt: "2026-01-02T00:30:00-01:00" }))
      yield* store.append(user, event("earlier by its offset", { occurredAt: "2026-01-02T00:30:00+01:00" }))
      yield* store.append(user, event("at no time", { occurredAt: "yesterday" }))
      assert.deepEqual(ids(yield* store.history(user, { since: "2026-01-02T00:00:00Z" })), ["after", "at"])
      assert.deepEqual(ids(yield* store.history(user, { since: "2026-01-02T01:00:00+01:00", limit: 1 })), ["after"])
    })),

  law("counts the limit among what happened since, not among all", (store, user) =>
    Effect.gen(function*() {
      yield* store.append(user, event("new", { occurredAt: "2026-02-01T00:00:00Z" }))
      yield* store.append(user, event("old", { occurredAt: "2025-02-01T00:00:00Z" }))
      assert.deepEqual(ids(yield* store.history(user, { limit: 1, since: "2026-01-01T00:00:00Z" })), ["new"])
    })),

  law("gives only what happened before a moment, and between two", (store, user) =>
    Effect.gen(function*() {
      for (const day of ["01", "02", "03"]) {
        yield* store.append(user, event(day, { occurredAt: `2026-01-${day}T00:00:00Z` }))
      }
      yield* store.append(user, event("at no time", { occurredAt: "yesterday" }))
      const [since, until] = ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]
      assert.deepEqual(ids(yield* store.history(user, { until })), ["02", "01"])
      assert.deepEqual(ids(yield* store.history(user, { until, limit: 1 })), ["02"])
      assert.deepEqual(ids(yield* store.history(user, { since, until })), ["02"])
      assert.deepEqual(yield* store.history(user, { since: until, until: since }), [])
      assert.deepEqual(yield* store.history(user, { until: "some day" }), [])
    })),

  law("records an event once, and keeps the first and its place", (store, user) =>
    Effect.gen(function*() {
      const first = event("a")
      assert.equal(yield* store.append(user, first), "recorded")
      assert.equal(yield* store.append(user, event("b")), "recorded")
      assert.equal(yield* store.append(user, { ...first, text: "another" }), "duplicate")
      assert.deepEqual(yield* store.history(user), [event("b"), first])
    })),

  law("forgets a user, also twice and also one it never saw", (store, user) =>
    Effect.gen(function*() {
      yield* store.append(user, event("a"))
      yield* store.forget(user)
      assert.deepEqual(yield* store.history(user), [])
      yield* store.forget(user)
      yield* store.forget(yield* freshUser)
    })),

  law("records a forgotten event anew", (store, user) =>
    Effect.gen(function*() {
      yield* store.append(user, event("a"))
      yield* store.forget(user)
      assert.equal(yield* store.append(user, event("a")), "recorded")
      assert.deepEqual(ids(yield* store.history(user)), ["a"])
    })),

  law("keeps the same user of two tenants apart", (store, user) =>
    Effect.gen(function*() {
      const other = { ...user, tenant: randomUUID() }
      yield* store.append(user, event("a"))
      assert.deepEqual(yield* store.history(other), [])
      assert.equal(yield* store.append(other, event("a", { text: "theirs" })), "recorded")
      yield* store.forget(user)
      assert.deepEqual(yield* store.history(other), [event("a", { text: "theirs" })])
    })),

  law("does not take one tenant and user for another when joined they look alike", (store) =>
    Effect.gen(function*() {
      const mark = randomUUID()
      const pairs: ReadonlyArray<readonly [string, string]> = [
        [`${mark}:a`, "b"],
        [mark, "a:b"],
        [`${mark}}`, "{b"],
        [`${mark}`, "}{b"],
        [`${mark}","b`, "c"],
        [mark, `b","c`]
      ]
      for (const [index, [tenant, userId]] of pairs.entries()) {
        yield* store.append({ tenant, userId }, event(String(index)))
      }
      for (const [index, [tenant, userId]] of pairs.entries()) {
        assert.deepEqual(ids(yield* store.history({ tenant, userId })), [String(index)])
      }
    })),

  ...(["tenant", "userId"] as const).map((part) =>
    law(`keeps users apart whatever their ${part} is made of`, (store, user) =>
      Effect.gen(function*() {
        for (const text of hostileIds) {
          assert.equal(yield* store.append({ ...user, [part]: text }, event(user.userId, { text })), "recorded")
        }
        for (const text of hostileIds) {
          const found = yield* store.history({ ...user, [part]: text })
          assert.deepEqual(found, [event(user.userId, { text })])
        }
        yield* store.forget({ ...user, [part]: "*" })
        assert.equal((yield* store.history({ ...user, [part]: "*" })).length, 0)
        assert.equal((yield* store.history({ ...user, [part]: "a:b" })).length, 1)
      }))
  ),

  law("tells events apart whatever their ids are made of", (store, user) =>
    Effect.gen(function*() {
      const eventIds = hostileIds.filter((id) => id !== "")
      for (const id of eventIds) assert.equal(yield* store.append(user, event(id)), "recorded")
      for (const id of eventIds) assert.equal(yield* store.append(user, event(id)), "duplicate")
      assert.deepEqual(ids(yield* store.history(user)), eventIds.toReversed())
    })),

  law("keeps every character of a text", (store, user) =>
    Effect.gen(function*() {
      const texts = ["", "\u0000", "a\nb\r\n", "日本語 🙂 e\u0301", "\u2028\u2029", "\"\\", "x".repeat(60_000)]
      for (const [index, text] of texts.entries()) yield* store.append(user, event(String(index), { text }))
      assert.deepEqual((yield* store.history(user)).map(({ text }) => text), texts.toReversed())
    })),

  law(
    "records each of 200 events once though 1,000 appends come at the same time",
    (store, user) =>
      Effect.gen(function*() {
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, index) => event(`e${index % 200}`)),
          (given) => store.append(user, given),
          { concurrency: "unbounded" }
        )
        assert.equal(outcomes.filter((outcome) => outcome === "recorded").length, 200)
        assert.equal(outcomes.filter((outcome) => outcome === "duplicate").length, 800)
        assert.equal(new Set(ids(yield* store.history(user))).size, 200)
      })
  ),

  law("keeps a user whole while appends and erasures come at the same time", (store, user) =>
    Effect.gen(function*() {
      const given = Array.from({ length: 150 }, (_, index) => event(`e${index}`))
      yield* Effect.forEach(
        given.flatMap((one, index) => index % 10 === 9 ? [one, undefined] : [one]),
        (one) => one === undefined ? store.forget(user) : store.append(user, one),
        { concurrency: "unbounded", discard: true }
      )
      const left = ids(yield* store.history(user))
      assert.equal(new Set(left).size, left.length)
      for (const one of given) {
        const outcome = yield* store.append(user, one)
        assert.equal(outcome, left.includes(one.eventId) ? "duplicate" : "recorded")
      }
      assert.equal((yield* store.history(user)).length, given.length)
      yield* store.forget(user)
      assert.deepEqual(yield* store.history(user), [])
    })),

  law("refuses an event of more than 64 KiB, and keeps one of just as much", (store, user) =>
    Effect.gen(function*() {
      const bare = Buffer.byteLength(SessionStore.toJson(event("a", { text: "" })))
      const text = "x".repeat(65_536 - bare)
      const error = yield* Effect.flip(store.append(user, event("a", { text: `${text}x` })))
      assert.equal(error.reason._tag, "TooLarge")
      assert.equal(error.isRetryable, false)
      assert.deepEqual(yield* store.history(user), [])
      assert.equal(yield* store.append(user, event("a", { text })), "recorded")
      assert.deepEqual(yield* store.history(user), [event("a", { text })])
    })),

  law("keeps 200 events of a user", (store, user) =>
    Effect.gen(function*() {
      for (let index = 0; index < 201; index++) yield* store.append(user, event(String(index)))
      const kept = ids(yield* store.history(user))
      assert.equal(kept.length, 200)
      assert.equal(kept[0], "200")
      assert.equal(kept[199], "1")
    }))
]

/**
 * The laws about how much is kept and for how long. With a server they take some
 * ten seconds of real time.
 *
 * @since 0.1.0
 * @category testing
 */
export const retentionLaws: ReadonlyArray<RetentionLaw> = SessionRetentionLaws.laws
