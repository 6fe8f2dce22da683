import { assert, describe, it } from "@effect/vitest"
import * as Health from "causeway-mcp/health/Health"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as Answer from "causeway-mcp/toolbox/Answer"
import * as IndexDocument from "causeway-mcp/toolbox/IndexDocument"
import * as PreferenceProfile from "causeway-mcp/toolbox/PreferenceProfile"
import * as RecordEvent from "causeway-mcp/toolbox/RecordEvent"
import * as SemanticSearch from "causeway-mcp/toolbox/SemanticSearch"
import * as StructuredOutput from "causeway-mcp/toolbox/StructuredOutput"
import * as SummarizeBatch from "causeway-mcp/toolbox/SummarizeBatch"
import * as Plan from "causeway-mcp/toolkit/Plan"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import * as Bench from "../middleware/bench.js"

const tools = Toolkit.make(
  Answer.make(),
  IndexDocument.make(),
  PreferenceProfile.make(),
  RecordEvent.make(),
  SemanticSearch.make(),
  StructuredOutput.make(),
  SummarizeBatch.make()
)

const report = (...down: ReadonlyArray<string>): Health.Report => ({
  status: down.length === 0 ? "up" : "degraded",
  sources: [
    ["documents", "document-store"],
    ["copy", "document-store"],
    ["sessions", "session-store"],
    ["embedder", "embedder"],
    ["mistral", "model"]
  ].map(([name = "", kind = ""]) => ({
    name,
    kind,
    status: down.includes(name) ? "down" as const : "up" as const,
    since: "2026-01-01T00:00:00Z",
    latencyMs: 1
  }))
})

describe("The plans of the ready-made tools", () => {
  it("say what they cannot do without and what they use, as the operator's pages take it", () => {
    const plans = Plan.ofToolkit(tools)
    const unavailable = (...down: ReadonlyArray<string>) =>
      OpsApp.unavailable(report(...down), plans).map(({ tool }) => tool)
    const degraded = (...down: ReadonlyArray<string>) => OpsApp.degraded(report(...down), plans).map(({ tool }) => tool)
    assert.deepStrictEqual(unavailable("documents"), [])
    assert.deepStrictEqual(unavailable("documents", "copy"), [
      "index_document",
      "search_relevant_market_intel",
      "summarize_document_batch"
    ])
    assert.deepStrictEqual(degraded("documents", "copy"), ["answer_market_question"])
    assert.deepStrictEqual(unavailable("sessions"), ["fetch_user_preference_profile", "record_session_event"])
    assert.deepStrictEqual(unavailable("mistral", "embedder"), [])
    assert.deepStrictEqual(degraded("mistral"), [
      "answer_market_question",
      "generate_structured_output",
      "summarize_document_batch"
    ])
    assert.deepStrictEqual(degraded("embedder"), [
      "answer_market_question",
      "index_document",
      "search_relevant_market_intel"
    ])
    assert.include(
      Plan.render(plans),
      "index_document (idempotent; scopes documents:write; requires document-store; uses embedder)"
    )
  })

  it.scoped("keep calls from a kind of source that is away, whatever its checks are called, until one is back", () =>
    Effect.gen(function*() {
      let isUp = false
      const check = Effect.suspend(() => isUp ? Effect.void : Effect.fail("away"))
      const health = yield* Health.make([
        { name: "first", kind: "session-store", check: Effect.fail("away") },
        { name: "second", kind: "session-store", check }
      ])
      assert.strictEqual(health.status("session-store"), "unknown")
      yield* TestClock.adjust("1 second")
      const registry = yield* ToolRegistry.make(Toolkit.make(PreferenceProfile.make())).pipe(
        Effect.provideService(Health.Health, health)
      )
      const call = () => Bench.answer(registry, { name: "fetch_user_preference_profile", arguments: { userId: "ada" } })
      assert.deepInclude(Bench.bodyOf(yield* call()), { code: "temporarily_unavailable", source: "session-store" })
      isUp = true
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([health.status("session-store"), health.status("first")], ["up", "down"])
      assert.isFalse((yield* call()).isError)
    }).pipe(Effect.provide([SessionStore.layerMemory, Logger.remove(Logger.defaultLogger)])))
})
