import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as WatchedEmbedder from "causeway-mcp/embedding/WatchedEmbedder"
import * as Health from "causeway-mcp/health/Health"
import * as ExtractiveLlm from "causeway-mcp/provider/ExtractiveLlm"
import * as ProviderChain from "causeway-mcp/provider/ProviderChain"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { degraded, HealthLayer } from "../../examples/health.js"

const report = (
  ...sources: ReadonlyArray<readonly [name: string, kind: string, status: "up" | "down"]>
): Health.Report => ({
  status: "degraded",
  sources: sources.map(([name, kind, status]) => ({ name, kind, status, since: "2026-11-23T00:00:00Z", latencyMs: 1 }))
})

const up = [["documents", "document-store", "up"], ["embedder", "embedder", "up"], [
  "sessions",
  "session-store",
  "up"
]] as const

const refusing = WatchedEmbedder.make({
  id: "remote",
  dimensions: 3,
  embed: () =>
    new Embedder.EmbedderError({
      embedder: "remote",
      description: "the key was refused",
      isRetryable: false,
      isRefusal: false
    })
})

const health = (embedder: Embedder.Embedding) =>
  HealthLayer.pipe(
    Layer.provide(Layer.mock(DocumentStore.DocumentStore, { ping: Effect.void })),
    Layer.provide(SessionStore.layerMemory),
    Layer.provide(Layer.succeed(Embedder.Embedder, embedder)),
    Layer.provide(Layer.succeed(ProviderChain.ProviderChain, {
      model: ExtractiveLlm.model,
      models: [ExtractiveLlm.model],
      endpoints: [ExtractiveLlm.model],
      status: Effect.succeed([]),
      budget: undefined,
      description: ""
    })),
    Layer.provide(Logger.remove(Logger.defaultLogger))
  )

const seen = Effect.flatMap(Health.Health, ({ report }) => report)

describe("the pages of the reference server", () => {
  it("name the tools that rest on what is down, and what that is", () => {
    assert.deepStrictEqual(degraded(report(...up)), [])
    assert.deepStrictEqual(degraded(report(up[0], ["embedder", "embedder", "down"], up[2])), [
      { tool: "answer_market_question", without: ["embedder"] },
      { tool: "search_relevant_market_intel", without: ["embedder"] },
      { tool: "index_document", without: ["embedder"] }
    ])
    assert.deepStrictEqual(
      degraded(report(["documents", "document-store", "down"], ["embedder", "embedder", "down"], up[2]))
        .find(({ tool }) => tool === "index_document"),
      { tool: "index_document", without: ["documents", "embedder"] }
    )
  })

  it("do not call a tool degraded while another model can answer", () => {
    const one = report(...up, ["deepseek", "model", "down"], ["mistral", "model", "up"])
    assert.deepStrictEqual(degraded(one), [])
    const none = report(...up, ["deepseek", "model", "down"], ["mistral", "model", "down"])
    assert.deepStrictEqual(degraded(none).map(({ tool }) => tool), [
      "answer_market_question",
      "generate_structured_output",
      "summarize_document_batch"
    ])
  })

  it.effect("name an embedder that refuses its key, and say so", () =>
    Effect.gen(function*() {
      const { sources, status } = yield* seen
      assert.strictEqual(status, "degraded")
      assert.deepInclude(sources.find(({ name }) => name === "embedder"), {
        kind: "embedder",
        status: "down",
        description: "Embedder remote: the key was refused"
      })
    }).pipe(Effect.provide(health(refusing))))

  it.effect("find the embedded embedder up without asking it", () =>
    Effect.gen(function*() {
      const { sources, status } = yield* seen
      assert.strictEqual(status, "up")
      assert.include(sources.map(({ name }) => name), "embedder")
    }).pipe(Effect.provide(health({ id: "local", dimensions: 3, embed: () => Effect.dieMessage("asked") }))))
})
