import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, layer } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { choice, connect, eventually, question, watch } from "./providerModel.js"

const environment = Layer.merge(FakeProvider.layer, NodeHttpClient.layerUndici)

layer(environment, { excludeTestServices: true })("OpenAiCompatible", (it) => {
  describe("usage", () => {
    const reports: ReadonlyArray<readonly [what: string, usage: object, expected: Chat.Usage]> = [
      ["OpenAI's cached tokens", {
        prompt_tokens: 9,
        completion_tokens: 0,
        prompt_tokens_details: { cached_tokens: 4 }
      }, { inputTokens: 9, outputTokens: 0, cachedInputTokens: 4 }],
      ["DeepSeek's", { prompt_tokens: 9, prompt_cache_hit_tokens: 8 }, { inputTokens: 9, cachedInputTokens: 8 }],
      ["OpenRouter's cost and cache writes", {
        prompt_tokens: 9,
        prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 5 },
        cost: 0.25
      }, { inputTokens: 9, cachedInputTokens: 0, cacheWriteTokens: 5, reportedUsd: 0.25 }],
      ["more cached than there were", { prompt_tokens: 9, prompt_tokens_details: { cached_tokens: 10 } }, {
        inputTokens: 9
      }]
    ]
    for (const [what, usage, expected] of reports) {
      it.effect(`reads ${what}`, () =>
        Effect.gen(function*() {
          const { model } = yield* connect([FakeProvider.status(200, { ...choice({ content: "x" }), usage })])
          assert.deepStrictEqual((yield* model.generateText(question)).usage, expected)
        }))
    }

    it.effect("takes LiteLLM's cost from its header, unless it is nothing", () =>
      Effect.gen(function*() {
        for (const [told, expected] of [["0.0021", 0.0021], ["0.0", undefined], ["x", undefined]] as const) {
          const { model } = yield* connect([
            FakeProvider.status(200, choice({ content: "x" }), { "x-litellm-response-cost": told })
          ])
          assert.strictEqual((yield* model.generateText(question)).usage.reportedUsd, expected)
        }
      }))
  })

  describe("with an observer", () => {
    const limits = { "x-ratelimit-remaining-requests": "9", "x-ratelimit-remaining-tokens": "800" }

    it.effect("tells that the answer is awaited and what is left of the limits, also with a failure", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([
          FakeProvider.status(200, choice({ content: "x" }), limits),
          FakeProvider.status(429, undefined, { ...limits, "x-ratelimit-remaining-requests": "0" })
        ])
        const { observer, seen } = watch()
        yield* model.generateText(question, observer)
        yield* Effect.flip(model.generateText(question, observer))
        assert.deepStrictEqual(seen, ["answer", "9 requests, 800 tokens", "answer", "0 requests, 800 tokens"])
      }))

    for (const wire of ["whole", "stream"] as const) {
      it.effect(`keeps no time of its own, on the wire as ${wire}`, () =>
        Effect.gen(function*() {
          const slow = FakeProvider.text("at last", { delayMs: 200 })
          const { model } = yield* connect([slow], {
            wire,
            timeout: "50 millis",
            firstTextTimeout: "50 millis",
            idleTimeout: "50 millis",
            streamTimeout: "50 millis"
          })
          assert.strictEqual((yield* Effect.flip(model.generateText(question))).reason, "TimedOut")
          assert.strictEqual((yield* model.generateText(question, watch().observer)).text, "at last")
        }))
    }

    it.effect("continues the trace of a caller that has one and lets it", () =>
      Effect.gen(function*() {
        const { model, requests } = yield* connect([FakeProvider.text("x")])
        const asked = model.generateText(question, watch().observer)
        const span = yield* Effect.withSpan(Effect.zipRight(asked, Effect.currentSpan), "caller")
        yield* asked
        yield* asked.pipe(Effect.withSpan("caller"), Effect.locally(HttpClient.currentTracerPropagation, false))
        assert.deepStrictEqual((yield* requests).map((request) => request.headers.traceparent), [
          `00-${span.traceId}-${span.spanId}-01`,
          undefined,
          undefined
        ])
      }))

    it.effect("ends when it is interrupted, and closes the connection", () =>
      Effect.gen(function*() {
        for (const wire of ["whole", "stream"] as const) {
          const { model, requests, server } = yield* connect([FakeProvider.hang("half")], { wire })
          const before = yield* server.aborted
          const fiber = yield* Effect.fork(model.generateText(question, watch().observer))
          yield* eventually(Effect.map(requests, (seen) => seen.length === 1))
          yield* Fiber.interrupt(fiber)
          yield* eventually(Effect.map(server.aborted, (aborted) => aborted === before + 1))
        }
      }))
  })
})
