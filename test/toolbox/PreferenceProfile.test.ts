import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as PreferenceProfile from "causeway-mcp/toolbox/PreferenceProfile"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { answer, caller, failure, leaks, sessionStoreDown } from "./harness.js"

const name = PreferenceProfile.defaultName
const withTool = (options?: PreferenceProfile.Options) =>
  ToolRegistry.layer(Toolkit.make(PreferenceProfile.make(options)))
const memory = Layer.provideMerge(withTool(), SessionStore.layerMemory)

const record = (userId: string, texts: ReadonlyArray<readonly [at: string, text: string]>) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(Date.parse("2026-11-22T12:00:00Z"))
    const store = yield* SessionStore.SessionStore
    yield* Effect.forEach(texts, ([occurredAt, text], n) =>
      store.append({ tenant: caller.tenant, userId }, { eventId: `e${n}`, type: "question", text, occurredAt }))
  })

describe("PreferenceProfile", () => {
  it.effect("returns recent events, newest first, and what they point to", () =>
    Effect.gen(function*() {
      yield* record("ada", [
        ["2026-11-08T12:00:00.000Z", "Summarise the dividend policy of Globex"],
        ["2026-11-22T11:00:00.000Z", "Show Acme Corp margins as a table"]
      ])
      const { confidence, data, sources } = yield* answer<PreferenceProfile.Data>(name, { userId: "ada" })
      assert.deepStrictEqual(data.events.map((event) => event.eventId), ["e1", "e0"])
      assert.strictEqual(data.preferences.companies[0]?.name, "Acme Corp")
      assert.deepStrictEqual(data.preferences.formats.map((format) => format.name), ["table"])
      assert.strictEqual(data.preferences.topics[0]?.name, "margins")
      assert.include(data.preferences.topics.map((topic) => topic.name), "dividends")
      assert.isUndefined(data.note)
      assert.isAbove(confidence, 0.3)
      assert.isBelow(confidence, 0.4)
      assert.deepInclude(sources[0], { id: "ada", kind: "session-store", publishedAt: "2026-11-22T11:00:00.000Z" })
    }).pipe(Effect.provide(memory)))

  it.effect("looks back as many days and events as asked", () =>
    Effect.gen(function*() {
      yield* record("ada", [
        ["2026-10-30T12:00:00.000Z", "old"],
        ["2026-11-20T12:00:00.000Z", "recent"],
        ["2026-11-21T12:00:00.000Z", "latest"]
      ])
      const texts = (args: object) =>
        Effect.map(answer<PreferenceProfile.Data>(name, { userId: "ada", ...args }), ({ data }) =>
          data.events.map((event) => event.text))
      assert.deepStrictEqual(yield* texts({ windowDays: 7 }), ["latest", "recent"])
      assert.deepStrictEqual(yield* texts({ windowDays: 60 }), ["latest", "recent", "old"])
      assert.deepStrictEqual(yield* texts({ limit: 1 }), ["latest"])
    }).pipe(Effect.provide(memory)))

  it.effect("knows nothing of a stranger and says so without failing", () =>
    Effect.gen(function*() {
      const { confidence, data, sources } = yield* answer<PreferenceProfile.Data>(name, { userId: "nobody" })
      assert.strictEqual(confidence, 0)
      assert.deepStrictEqual(data.events, [])
      assert.deepStrictEqual(data.preferences, { topics: [], companies: [], formats: [] })
      assert.include(data.note, "Nothing is on record")
      assert.strictEqual(sources[0]?.kind, "session-store")
    }).pipe(Effect.provide(memory)))

  it.effect("sees no other tenant's users", () =>
    Effect.gen(function*() {
      yield* record("ada", [["2026-11-22T11:00:00.000Z", "Acme margins"]])
      const other = Principal.make({ id: "spy", tenant: "globex", scopes: ["*"] })
      const { data } = yield* answer<PreferenceProfile.Data>(name, { userId: "ada" }, other)
      assert.lengthOf(data.events, 0)
    }).pipe(Effect.provide(memory)))

  it.effect("reads another's profile only with the scope for it", () =>
    Effect.gen(function*() {
      yield* record("ada", [["2026-11-22T11:00:00.000Z", "Acme margins"]])
      const as = (id: string, ...scopes: ReadonlyArray<string>) => Principal.make({ id, tenant: "acme", scopes })
      const refused = yield* failure(name, { userId: "ada" }, as("bob"))
      assert.strictEqual(refused.code, "insufficient_scope")
      assert.include(refused.message, "profiles:read")
      const own = yield* answer<PreferenceProfile.Data>(name, { userId: "ada" }, as("ada"))
      assert.lengthOf(own.data.events, 1)
      const allowed = yield* answer<PreferenceProfile.Data>(name, { userId: "ada" }, as("bob", "profiles:read"))
      assert.lengthOf(allowed.data.events, 1)
    }).pipe(Effect.provide(Layer.provideMerge(withTool({ scopes: ["profiles:read"] }), SessionStore.layerMemory))))

  it.effect("says that the session store is unavailable, and nothing from inside it", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { userId: "ada" })
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "session-store", retryable: true })
      assert.isFalse(leaks(body))
    }).pipe(Effect.provide(Layer.provide(withTool(), sessionStoreDown))))

  it.effect("says that trying again will not help when the store is set up wrongly", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { userId: "ada" })
      assert.deepInclude(body, { code: "degraded_only", source: "session-store", retryable: false })
    }).pipe(
      Effect.provide(Layer.provide(
        withTool(),
        Layer.effect(
          SessionStore.SessionStore,
          Effect.map(SessionStore.SessionStore, (store) => ({
            ...store,
            history: () =>
              new SessionStore.SessionStoreError({
                method: "history",
                reason: new SessionStore.Misconfigured({ description: "the URL cannot be read" })
              })
          }))
        ).pipe(Layer.provide(sessionStoreDown))
      ))
    ))
})
