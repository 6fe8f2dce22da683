import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as ProviderChain from "causeway-mcp/provider/ProviderChain"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Nobody is asked over the network: every key is refused. */
const offline = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, new Response("{}", { status: 401 }))))
)

const key = "sk-secret-0123"

const choose = (settings: Record<string, string>) =>
  ProviderChain.make.pipe(
    Effect.provide(offline),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(settings))))
  )

const gateway = { LLM_GATEWAY_URL: "https://gateway.example/v1", LLM_GATEWAY_KEY: key }

describe("ProviderChain.make", () => {
  it.scoped("chooses the extractive model when nothing is set, or only empty variables", () =>
    Effect.gen(function*() {
      for (const settings of [{}, { LLM_GATEWAY_URL: "", DEEPSEEK_API_KEY: " ", LLM_MODELS: "", LLM_DEADLINE: "" }]) {
        const choice = yield* choose(settings)
        assert.strictEqual(choice.model.model, "extractive")
        assert.deepStrictEqual(choice.models.map(LlmChain.idOf), ["extractive/extractive"])
        assert.include(choice.description, "no model provider is configured")
      }
    }))

  it.scoped("chains the default models through a gateway", () =>
    Effect.gen(function*() {
      const choice = yield* choose(gateway)
      assert.deepStrictEqual(choice.models.map(LlmChain.idOf), [
        "gateway/deepseek-flash",
        "gateway/mistral-small-latest",
        "gateway/qwen-plus"
      ])
      assert.strictEqual(choice.endpoints.length, 1)
      assert.strictEqual(
        choice.description,
        "gateway/deepseek-flash, then gateway/mistral-small-latest, then gateway/qwen-plus at gateway.example"
      )
    }))

  it.scoped("takes the models that are named, and knows a gateway by its host or by its setting", () =>
    Effect.gen(function*() {
      const named = yield* choose({ ...gateway, LLM_MODELS: " a , b,", LLM_GATEWAY_VENDOR: "LiteLLM" })
      assert.deepStrictEqual(named.models.map(LlmChain.idOf), ["litellm/a", "litellm/b"])
      const known = yield* choose({ ...gateway, LLM_GATEWAY_URL: "https://openrouter.ai/api/v1" })
      assert.strictEqual(known.models[0].provider, "openrouter")
    }))

  it.scoped("sends everything through the gateway, whatever other keys are set", () =>
    Effect.gen(function*() {
      const choice = yield* choose({ ...gateway, OPENAI_API_KEY: key, LLM_MODELS: "m" })
      assert.deepStrictEqual(choice.models.map(LlmChain.idOf), ["gateway/m"])
    }))

  it.scoped("chains the vendors whose keys are set, in one order, with their own models and addresses", () =>
    Effect.gen(function*() {
      const choice = yield* choose({
        OPENAI_API_KEY: key,
        MISTRAL_API_KEY: key,
        DEEPSEEK_API_KEY: key,
        DEEPSEEK_MODEL: "x,y",
        QWEN_API_KEY: key,
        QWEN_BASE_URL: "https://dashscope.aliyuncs.com/compatible-mode/v1"
      })
      assert.deepStrictEqual(choice.models.map(LlmChain.idOf), [
        "deepseek/x",
        "deepseek/y",
        "mistral/mistral-small-latest",
        "qwen/qwen-plus",
        "openai/gpt-4o"
      ])
      assert.deepStrictEqual(choice.endpoints.map((model) => model.provider), ["deepseek", "mistral", "qwen", "openai"])
      assert.include(choice.description, "qwen/qwen-plus at dashscope.aliyuncs.com")
      assert.notInclude(choice.description, key)
    }))

  it.scoped("asks each vendor first for what it is best at, each model as one target", () =>
    Effect.gen(function*() {
      const choice = yield* choose({
        DEEPSEEK_API_KEY: key,
        OPENAI_API_KEY: key,
        ANTHROPIC_API_KEY: key,
        GEMINI_API_KEY: key
      })
      const asked = (task: Chat.TaskClass) =>
        choice.model.generateText({ task, messages: [{ role: "user", text: "?" }] }).pipe(
          Effect.flip,
          Effect.map((error) => error.attempts?.[0]?.provider)
        )
      assert.strictEqual(yield* asked("default"), "deepseek")
      assert.strictEqual(yield* asked("strictJson"), "openai")
      assert.strictEqual(yield* asked("reasoning"), "anthropic")
      assert.strictEqual(yield* asked("longContextBatch"), "gemini")
      assert.strictEqual((yield* choice.status).length, 4)
    }))

  it.scoped("gives a gateway's kinds of work models of their own, and counts money", () =>
    Effect.gen(function*() {
      const choice = yield* choose({
        ...gateway,
        LLM_MODELS: "small",
        LLM_MODELS_STRICT_JSON: "strict",
        LLM_BUDGET_USD: "5",
        LLM_UNPRICED: "allow"
      })
      assert.deepStrictEqual(choice.models.map(LlmChain.idOf), ["gateway/small"])
      assert.sameMembers((yield* choice.status).map((status) => status.id), ["gateway/small", "gateway/strict"])
      assert.strictEqual(yield* choice.budget?.left() ?? Effect.succeed(0), 5)
    }))

  const wrong: ReadonlyArray<readonly [what: string, settings: Record<string, string>, variable: string]> = [
    ["a gateway without its key", { LLM_GATEWAY_URL: "https://gateway.example" }, "LLM_GATEWAY_KEY"],
    ["a gateway's key without its URL", { LLM_GATEWAY_KEY: key }, "LLM_GATEWAY_URL"],
    ["a gateway URL that is none", { ...gateway, LLM_GATEWAY_URL: `gateway.example?k=${key}` }, "LLM_GATEWAY_URL"],
    ["a gateway URL of another protocol", { ...gateway, LLM_GATEWAY_URL: "ftp://gateway.example" }, "LLM_GATEWAY_URL"],
    ["a key with a line break", { ...gateway, LLM_GATEWAY_KEY: `${key}\n${key}` }, "LLM_GATEWAY_KEY"],
    ["a gateway nobody knows", { ...gateway, LLM_GATEWAY_VENDOR: "acme" }, "LLM_GATEWAY_VENDOR"],
    ["a list without a name", { ...gateway, LLM_MODELS: " , " }, "LLM_MODELS"],
    ["a list with a name twice", { ...gateway, LLM_MODELS: "a,b,a" }, "LLM_MODELS"],
    ["a vendor's key with a space", { DEEPSEEK_API_KEY: `${key} ${key}` }, "DEEPSEEK_API_KEY"],
    ["a vendor's URL that is none", { QWEN_API_KEY: key, QWEN_BASE_URL: "here" }, "QWEN_BASE_URL"],
    ["a vendor's model twice", { QWEN_API_KEY: key, QWEN_MODEL: "a,a" }, "QWEN_MODEL"],
    ["a time limit that is none", { LLM_ATTEMPT_TIMEOUT: "soon" }, "LLM_ATTEMPT_TIMEOUT"],
    ["a time limit of zero", { LLM_DEADLINE: "0 seconds" }, "LLM_DEADLINE"],
    ["a time limit of a class that is none", { LLM_DEADLINE_REASONING: "-1 second" }, "LLM_DEADLINE_REASONING"],
    [
      "a rate that is no number",
      { MISTRAL_API_KEY: key, MISTRAL_REQUESTS_PER_MINUTE: "many" },
      "MISTRAL_REQUESTS_PER_MINUTE"
    ],
    ["a negative rate", { ...gateway, LLM_GATEWAY_TOKENS_PER_MINUTE: "-5" }, "LLM_GATEWAY_TOKENS_PER_MINUTE"],
    ["half a call at once", { ...gateway, LLM_GATEWAY_CONCURRENCY: "0.5" }, "LLM_GATEWAY_CONCURRENCY"],
    [
      "less than one request a minute",
      { ...gateway, LLM_GATEWAY_REQUESTS_PER_MINUTE: "0.5" },
      "LLM_GATEWAY_REQUESTS_PER_MINUTE"
    ],
    ["more calls at once than can be counted", { QWEN_API_KEY: key, QWEN_CONCURRENCY: "1e300" }, "QWEN_CONCURRENCY"],
    ["a budget that is none", { ...gateway, LLM_BUDGET_USD: "NaN" }, "LLM_BUDGET_USD"],
    ["prices that are none", { ...gateway, LLM_PRICES: "[{}]" }, "LLM_PRICES"],
    ["a budget over models without a price", { ...gateway, LLM_MODELS: "m", LLM_BUDGET_USD: "5" }, "LLM_PRICES"],
    ["a wire nobody knows", { ...gateway, LLM_WIRE: "pigeon" }, "LLM_WIRE"],
    ["Anthropic's key with a space", { ANTHROPIC_API_KEY: `${key} ${key}` }, "ANTHROPIC_API_KEY"]
  ]
  for (const [what, settings, variable] of wrong) {
    it.scoped(`refuses ${what} with one error that names ${variable} and shows no key`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(choose(settings))
        assert.isTrue(error._op === "InvalidData" || error._op === "MissingData")
        assert.isTrue("path" in error && error.path.join(".") === variable, String(error))
        assert.notInclude(String(error), key)
      }))
  }
})
