import { assert, describe, it } from "@effect/vitest"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as RecordEvent from "causeway-mcp/toolbox/RecordEvent"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { answer, caller, failure, leaks, sessionStoreDown } from "./harness.js"

const name = "record_session_event"
const tools = ToolRegistry.layer(Toolkit.make(RecordEvent.make()))
const memory = Layer.provideMerge(tools, SessionStore.layerMemory)
const event = { userId: "ada", eventId: "e1", type: "question", text: "How is Acme doing?" }

describe("RecordEvent", () => {
  it.effect("records an event under the caller's tenant, dated now", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.parse("2026-11-22T09:00:00Z"))
      const { confidence, data, sources } = yield* answer<RecordEvent.Data>(name, event)
      assert.deepStrictEqual(data, { outcome: "recorded", userId: "ada", eventId: "e1" })
      assert.strictEqual(confidence, 1)
      assert.deepStrictEqual(sources.map(({ id, kind, publishedAt }) => ({ id, kind, publishedAt })), [
        { id: "e1", kind: "session-store", publishedAt: "2026-11-22T09:00:00.000Z" }
      ])
      const store = yield* SessionStore.SessionStore
      const [kept] = yield* store.history({ tenant: caller.tenant, userId: "ada" })
      assert.deepStrictEqual(kept, {
        eventId: "e1",
        type: "question",
        text: "How is Acme doing?",
        occurredAt: "2026-11-22T09:00:00.000Z"
      })
      assert.lengthOf(yield* store.history({ tenant: "other", userId: "ada" }), 0)
    }).pipe(Effect.provide(memory)))

  it.effect("calls the same event a duplicate and keeps the first", () =>
    Effect.gen(function*() {
      yield* answer(name, { ...event, occurredAt: "2026-11-20" })
      const { data } = yield* answer<RecordEvent.Data>(name, { ...event, text: "changed" })
      assert.strictEqual(data.outcome, "duplicate")
      const store = yield* SessionStore.SessionStore
      const [kept] = yield* store.history({ tenant: caller.tenant, userId: "ada" })
      assert.strictEqual(kept?.text, event.text)
      assert.strictEqual(kept?.occurredAt, "2026-11-20T00:00:00.000Z")
    }).pipe(Effect.provide(memory)))

  it.effect("says that the session store is unavailable, and nothing from inside it", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, event)
      assert.strictEqual(body.code, "temporarily_unavailable")
      assert.strictEqual(body.source, "session-store")
      assert.isTrue(body.retryable)
      assert.isFalse(leaks(body))
    }).pipe(Effect.provide(Layer.provide(tools, sessionStoreDown))))

  it.effect("says by how much an event is more than the store keeps", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { ...event, text: "x".repeat(2000) })
      assert.strictEqual(body.code, "invalid_input")
      assert.match(body.message, /^The event is 2\d{3} bytes large, and the session history keeps at most 1024\. /u)
      assert.isFalse(body.retryable)
    }).pipe(Effect.provide(Layer.provide(
      tools,
      Layer.effect(SessionStore.SessionStore, SessionStore.makeMemory({ maxEventBytes: 1024 }))
    ))))

  it.effect("refuses arguments out of bounds and names each", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, {
        userId: " ",
        eventId: "x".repeat(201),
        type: "",
        text: "half \ud800",
        occurredAt: "yesterday"
      })
      assert.strictEqual(body.code, "invalid_input")
      for (const field of ["userId", "eventId", "type", "text", "occurredAt"]) {
        assert.include(body.message, `${field}: `)
      }
    }).pipe(Effect.provide(memory)))

  it.effect("is idempotent to clients and takes another name and scopes", () =>
    Effect.gen(function*() {
      const registry = yield* ToolRegistry.ToolRegistry
      const found = Option.getOrThrow(registry.find("note_user_action"))
      assert.deepInclude(found.annotations, { readOnlyHint: false, idempotentHint: true, destructiveHint: false })
      const body = yield* failure("note_user_action", event)
      assert.strictEqual(body.code, "insufficient_scope")
    }).pipe(
      Effect.provide(
        ToolRegistry.layer(Toolkit.make(RecordEvent.make({ name: "note_user_action", scopes: ["sessions:write"] })))
          .pipe(
            Layer.provide(SessionStore.layerMemory)
          )
      )
    ))
})
