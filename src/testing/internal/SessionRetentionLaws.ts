/**
 * What a session store must keep to about how much it keeps, and for how long.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import * as SessionStore from "../../session/SessionStore.js"
import type { RetentionLaw, RetentionSubject } from "./SessionLaw.js"
import { event, freshUser, ids, retentionLaw } from "./SessionLaw.js"

const timeToLive = Duration.seconds(2)

/**
 * Waits until a user's history is empty: a server may take a moment over the
 * time to live, but not ten seconds.
 */
const expires = (
  store: SessionStore.SessionStore["Type"],
  user: SessionStore.User,
  pass: RetentionSubject["pass"],
  left = 200
): Effect.Effect<void, unknown> =>
  Effect.flatMap(store.history(user), (events) => {
    if (events.length === 0) return Effect.void
    if (left === 0) return Effect.dieMessage("the history did not expire")
    return Effect.zipRight(pass(Duration.millis(50)), expires(store, user, pass, left - 1))
  })

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<RetentionLaw> = [
  retentionLaw("drops the oldest above the cap", { maxEvents: 3 }, (store, user) =>
    Effect.gen(function*() {
      for (const id of ["a", "b", "c", "d", "e"]) yield* store.append(user, event(id))
      assert.deepEqual(ids(yield* store.history(user)), ["e", "d", "c"])
    })),

  retentionLaw("drops nothing for a duplicate", { maxEvents: 2 }, (store, user) =>
    Effect.gen(function*() {
      for (const id of ["a", "b", "b", "a"]) yield* store.append(user, event(id))
      assert.deepEqual(ids(yield* store.history(user)), ["b", "a"])
    })),

  retentionLaw("records a dropped event anew", { maxEvents: 2 }, (store, user) =>
    Effect.gen(function*() {
      for (const id of ["a", "b", "c"]) yield* store.append(user, event(id))
      assert.equal(yield* store.append(user, event("a")), "recorded")
      assert.deepEqual(ids(yield* store.history(user)), ["a", "c"])
    })),

  retentionLaw("keeps at least one event", { maxEvents: 0 }, (store, user) =>
    Effect.gen(function*() {
      for (const id of ["a", "b"]) yield* store.append(user, event(id))
      assert.deepEqual(ids(yield* store.history(user)), ["b"])
    })),

  retentionLaw(
    "refuses an event above its size, says so, and keeps what there was",
    { maxEventBytes: 2048 },
    (store, user) =>
      Effect.gen(function*() {
        yield* store.append(user, event("small"))
        const large = event("large", { text: "é".repeat(1000) })
        const bytes = Buffer.byteLength(SessionStore.toJson(large))
        const error = yield* Effect.flip(store.append(user, large))
        assert.ok(!error.isRetryable)
        assert.equal(
          error.message,
          `SessionStore.append: an event of ${bytes} bytes is more than the 2048 that the session store keeps; ` +
            "shorten its text, or raise retention.maxEventBytes"
        )
        assert.deepEqual(ids(yield* store.history(user)), ["small"])
        assert.equal(yield* store.append(user, event("large")), "recorded")
      })
  ),

  retentionLaw(
    "counts an event's size to the byte, as JSON",
    { maxEventBytes: 2048 },
    (store, user) =>
      Effect.gen(function*() {
        for (const sign of ["x", "\u0000", "🙂", "\""]) {
          const more = Buffer.byteLength(JSON.stringify(sign)) - 2
          const bare = Buffer.byteLength(SessionStore.toJson(event(sign, { text: "" })))
          const fits = event(sign, { text: sign.repeat(Math.floor((2048 - bare) / more)) })
          const error = yield* Effect.flip(store.append(user, { ...fits, text: fits.text + sign }))
          assert.equal(error.reason._tag, "TooLarge")
          assert.equal(yield* store.append(user, fits), "recorded")
        }
        assert.equal((yield* store.history(user)).length, 4)
      })
  ),

  retentionLaw(
    "forgets a user some time after the last event",
    { timeToLive },
    (store, user, pass) =>
      Effect.gen(function*() {
        yield* store.append(user, event("a"))
        assert.deepEqual(ids(yield* store.history(user)), ["a"])
        yield* pass(timeToLive)
        yield* expires(store, user, pass)
        assert.equal(yield* store.append(user, event("a")), "recorded")
        assert.deepEqual(ids(yield* store.history(user)), ["a"])
      })
  ),

  retentionLaw(
    "starts the time to live anew with every event",
    { timeToLive },
    (store, user, pass) =>
      Effect.gen(function*() {
        const most = Duration.times(timeToLive, 0.6)
        yield* store.append(user, event("a"))
        yield* pass(most)
        yield* store.append(user, event("b"))
        yield* pass(most)
        assert.deepEqual(ids(yield* store.history(user)), ["b", "a"])
        yield* expires(store, user, pass)
      })
  ),

  retentionLaw(
    "starts the time to live anew with a duplicate",
    { timeToLive },
    (store, user, pass) =>
      Effect.gen(function*() {
        const most = Duration.times(timeToLive, 0.6)
        yield* store.append(user, event("a"))
        yield* pass(most)
        assert.equal(yield* store.append(user, event("a")), "duplicate")
        yield* pass(most)
        assert.deepEqual(ids(yield* store.history(user)), ["a"])
      })
  ),

  retentionLaw(
    "does not lengthen the time to live by reading",
    { timeToLive },
    (store, user, pass) =>
      Effect.gen(function*() {
        yield* store.append(user, event("a"))
        yield* pass(Duration.times(timeToLive, 0.6))
        yield* store.history(user)
        yield* pass(Duration.times(timeToLive, 0.4))
        yield* expires(store, user, pass, 10)
      })
  ),

  retentionLaw("lets one user expire without the other", { timeToLive }, (store, user, pass) =>
    Effect.gen(function*() {
      const other = yield* freshUser
      yield* store.append(user, event("a"))
      yield* store.append(other, event("a"))
      yield* pass(Duration.times(timeToLive, 0.6))
      yield* store.append(user, event("b"))
      yield* pass(Duration.times(timeToLive, 0.4))
      yield* expires(store, other, pass, 10)
      assert.deepEqual(ids(yield* store.history(user)), ["b", "a"])
    })),

  retentionLaw(
    "keeps a user for ever when the time to live is infinite",
    { timeToLive: Duration.infinity },
    (store, user, pass) =>
      Effect.gen(function*() {
        yield* store.append(user, event("a"))
        yield* pass(timeToLive)
        assert.deepEqual(ids(yield* store.history(user)), ["a"])
      })
  )
]
