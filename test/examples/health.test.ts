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
import { HealthLayer } from "../../examples/health.js"

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

describe("the checks of the reference server", () => {
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
