import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as ProviderChain from "causeway-mcp/provider/ProviderChain"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Choosing models must not touch the network. */
const offline = Layer.succeed(HttpClient.HttpClient, HttpClient.make(() => Effect.dieMessage("a request was made")))

const key = "sk-secret-0123"

const choose = (settings: Record<string, string>) =>
  ProviderChain.make.pipe(
    Effect.provide(offline),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(settings))))
  )

const gateway = { LLM_GATEWAY_URL: "https://gateway.example/v1", LLM_GATEWAY_KEY: key }

describe("ProviderChain.make", () => {
  it.effect("chooses the extractive model when nothing is set, or only empty variables", () =>
    Effect.gen(function*() {
      for (const settings of [{}, { LLM_GATEWAY_URL: "", DEEPSEEK_API_KEY: " ", LLM_MODELS: "", LLM_DEADLINE: "" }]) {
        const choice = yield* choose(settings)
        assert.strictEqual(choice.model.model, "extractive")
        assert.deepStrictEqual(choice.models.map(LlmChain.idOf), ["extractive/extractive"])
        assert.include(choice.description, "no model provider is configured")
      }
    }))

  it.effect("chains the default models through a gateway", () =>
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

  it.effect("takes the models that are named, and knows a gateway by its host or by its setting", () =>
    Effect.gen(function*() {
      const named = yield* choose({ ...gateway, LLM_MODELS: " a , b,", LLM_GATEWAY_VENDOR: "LiteLLM" })
      assert.deepStrictEqual(named.models.map(LlmChain.idOf), ["litellm/a", "litellm/b"])
      const known = yield* choose({ ...gateway, LLM_GATEWAY_URL: "https://openrouter.ai/api/v1" })
      assert.strictEqual(known.models[0].provider, "openrouter")
    }))

  it.effect("sends everything through the gateway, whatever other keys are set", () =>
    Effect.gen(function*() {
      const choice = yield* choose({ ...gateway, OPENAI_API_KEY: key, LLM_MODELS: "m" })
      assert.deepStrictEqual(choice.models.map(LlmChain.idOf), ["gateway/m"])
    }))

  it.effect("chains the vendors whose keys are set, in one order, with their own models and addresses", () =>
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
    ["a time limit of zero", { LLM_DEADLINE: "0 seconds" }, "LLM_DEADLINE"]
  ]
  for (const [what, settings, variable] of wrong) {
    it.effect(`refuses ${what} with one error that names ${variable} and shows no key`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(choose(settings))
        assert.isTrue(error._op === "InvalidData" || error._op === "MissingData")
        assert.isTrue("path" in error && error.path.join(".") === variable, String(error))
        assert.notInclude(String(error), key)
      }))
  }
})
