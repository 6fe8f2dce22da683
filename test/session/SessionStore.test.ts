import { assert, describe, it, layer } from "@effect/vitest"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as SessionStoreLaws from "causeway-mcp/testing/SessionStoreLaws"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"

const user: SessionStore.User = { tenant: "acme", userId: "ada" }

const event: SessionStore.SessionEvent = {
  eventId: "1",
  type: "question",
  text: "how is the market?",
  occurredAt: "2026-01-01T00:00:00Z"
}

layer(SessionStore.layerMemory)("SessionStore.layerMemory", (it) => {
  for (const { check, name } of SessionStoreLaws.laws) it.effect(name, () => check)
})

describe("SessionStore.makeMemory", () => {
  for (const { check, name } of SessionStoreLaws.retentionLaws) {
    it.effect(name, () =>
      check({
        layer: (retention) => Layer.effect(SessionStore.SessionStore, SessionStore.makeMemory(retention)),
        pass: TestClock.adjust
      }))
  }

  it.effect("forgets at the very moment the time to live has passed, and not before", () =>
    Effect.gen(function*() {
      const store = yield* SessionStore.makeMemory({ timeToLive: "1 minute" })
      yield* store.append(user, event)
      yield* TestClock.adjust("59999 millis")
      assert.lengthOf(yield* store.history(user), 1)
      yield* TestClock.adjust("1 millis")
      assert.lengthOf(yield* store.history(user), 0)
    }))

  it.effect("keeps 30 days unless told otherwise", () =>
    Effect.gen(function*() {
      const store = yield* SessionStore.makeMemory()
      yield* store.append(user, event)
      yield* TestClock.adjust(Duration.subtract("30 days", "1 millis"))
      assert.lengthOf(yield* store.history(user), 1)
      yield* TestClock.adjust("1 millis")
      assert.lengthOf(yield* store.history(user), 0)
    }))

  it.effect("gives an expired user nothing though the clock went back in between", () =>
    Effect.gen(function*() {
      const store = yield* SessionStore.makeMemory({ timeToLive: "1 minute" })
      yield* TestClock.setTime(600_000)
      yield* store.append({ ...user, userId: "first" }, event)
      yield* TestClock.setTime(0)
      yield* store.append(user, event)
      yield* TestClock.setTime(60_000)
      assert.lengthOf(yield* store.history(user), 0)
      assert.strictEqual(yield* store.append(user, event), "recorded")
    }))

  it.effect("does not share its users with another store", () =>
    Effect.gen(function*() {
      const store = yield* SessionStore.makeMemory()
      const other = yield* SessionStore.makeMemory()
      yield* store.append(user, event)
      assert.lengthOf(yield* other.history(user), 0)
    }))
})

describe("SessionStore", () => {
  it("says in its error where it happened and whether to try again", () => {
    const away = new SessionStore.SessionStoreError({ method: "append", reason: new SessionStore.Unavailable({}) })
    assert.strictEqual(away.message, "SessionStore.append: the session store did not answer")
    assert.isTrue(away.isRetryable)
    const wrong = new SessionStore.SessionStoreError({
      method: "open",
      reason: new SessionStore.Misconfigured({ description: "the URL cannot be read" })
    })
    assert.strictEqual(wrong.message, "SessionStore.open: the URL cannot be read")
    assert.isFalse(wrong.isRetryable)
    const large = new SessionStore.SessionStoreError({
      method: "append",
      reason: new SessionStore.TooLarge({ bytes: 70_000, maxBytes: 65_536 })
    })
    assert.isFalse(large.isRetryable)
  })

  it("makes a retention usable", () => {
    const of = SessionStore.resolveRetention
    assert.deepStrictEqual(of(), { maxEventBytes: 65_536, maxEvents: 200, timeToLive: Duration.days(30) })
    assert.strictEqual(of({ maxEventBytes: 0 }).maxEventBytes, 1024)
    assert.strictEqual(of({ maxEventBytes: NaN }).maxEventBytes, 1024)
    assert.strictEqual(of({ maxEventBytes: Infinity }).maxEventBytes, 16_777_216)
    assert.strictEqual(of({ maxEvents: 2.9 }).maxEvents, 2)
    assert.strictEqual(of({ maxEvents: -5 }).maxEvents, 1)
    assert.strictEqual(of({ maxEvents: NaN }).maxEvents, 1)
    assert.strictEqual(of({ maxEvents: Infinity }).maxEvents, 1_000_000)
    assert.deepStrictEqual(of({ timeToLive: 0 }).timeToLive, Duration.millis(1))
  })
})
