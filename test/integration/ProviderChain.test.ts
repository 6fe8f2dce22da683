import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, layer } from "@effect/vitest"
import * as Llm from "causeway-mcp/llm/Llm"
import * as ProviderChain from "causeway-mcp/provider/ProviderChain"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const question = { messages: [{ role: "user" as const, text: "What now?" }] }

layer(Layer.merge(FakeProvider.layer, NodeHttpClient.layerUndici), { excludeTestServices: true })(
  "ProviderChain.layerConfig",
  (it) => {
    it.effect("asks the gateway's models in order, within the time set, and says what was chosen", () =>
      Effect.gen(function*() {
        const server = yield* FakeProvider.FakeProvider
        yield* server.script("first", FakeProvider.hang())
        yield* server.script("second", FakeProvider.status(429))
        yield* server.script("third", FakeProvider.text("hello"))
        const settings = ConfigProvider.fromMap(
          new Map([
            ["LLM_GATEWAY_URL", server.baseUrl],
            ["LLM_GATEWAY_KEY", "sk-test"],
            ["LLM_MODELS", "first,second,third"],
            ["LLM_ATTEMPT_TIMEOUT", "150 millis"]
          ])
        )
        const asked = Effect.all({
          answer: Effect.flatMap(Llm.Llm, (llm) => llm.generateText(question)),
          description: ProviderChain.describe
        })
        const { answer, description } = yield* asked.pipe(
          Effect.provide(Layer.provide(ProviderChain.layerConfig, Layer.setConfigProvider(settings)))
        )
        assert.strictEqual(answer.text, "hello")
        assert.deepStrictEqual(
          answer.attempts.map((attempt) => [attempt.model, attempt.reason]),
          [["first", "TimedOut"], ["second", "RateLimited"], ["third", undefined]]
        )
        assert.isTrue(description.startsWith("gateway/first, then gateway/second, then gateway/third at 127.0.0.1:"))
      }))

    it.effect("lets a deadline that is set stretch how long each model may be silent", () =>
      Effect.gen(function*() {
        const server = yield* FakeProvider.FakeProvider
        yield* server.script("late", FakeProvider.text("late, but here", { delayMs: 1000 }))
        const settings = ConfigProvider.fromMap(
          new Map([
            ["LLM_GATEWAY_URL", server.baseUrl],
            ["LLM_GATEWAY_KEY", "sk-test"],
            ["LLM_MODELS", "late,third"],
            ["LLM_DEADLINE", "9 seconds"]
          ])
        )
        const answer = yield* Effect.flatMap(Llm.Llm, (llm) => llm.generateText(question)).pipe(
          Effect.provide(Layer.provide(ProviderChain.layerConfig, Layer.setConfigProvider(settings)))
        )
        assert.deepStrictEqual(
          answer.attempts.map((attempt) => [attempt.model, attempt.outcome]),
          [["late", "answered"]]
        )
      }))
  }
)
