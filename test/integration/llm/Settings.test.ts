import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Budget from "causeway-mcp/llm/Budget"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as Target from "causeway-mcp/llm/Target"
import * as AnthropicLlm from "causeway-mcp/provider/AnthropicLlm"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderChain from "causeway-mcp/provider/ProviderChain"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import { ask, line, provider, question, well, world } from "./harness.js"

const secret = "sk-f4b1d0c9e8a7"

const model = TestLlm.make({ provider: "test", model: "m" })

const target = (options: Target.Options) => Effect.flatMap(model, (made) => Target.make(made, options))

const chain = (policy: ChainPolicy.Part) =>
  Effect.scoped(Effect.flatMap(model, (made) => LlmChain.make([made], { policy })))

/** Fails with one error that has this path, and a sentence. */
const refuses = (path: string, made: Effect.Effect<unknown, Target.InvalidTarget>) =>
  Effect.map(Effect.flip(made), (error) => {
    assert.strictEqual(error._tag, "InvalidTarget")
    assert.strictEqual(error.path.join("."), path)
    assert.isTrue(error.message.startsWith(`${path}: `), error.message)
    assert.isAbove(error.description.length, 10)
  })

const price = { provider: "p", model: "m", from: "2026-01-01", inputPerMillion: 1, outputPerMillion: 1 }

describe("settings of a chain that make no sense", () => {
  const wrong: ReadonlyArray<readonly [path: string, Effect.Effect<unknown, Target.InvalidTarget>]> = [
    ["limits.requestsPerMinute", target({ limits: { requestsPerMinute: -1 } })],
    ["limits.requestsPerMinute", target({ limits: { requestsPerMinute: Number.NaN } })],
    ["limits.tokensPerMinute", target({ limits: { tokensPerMinute: 0 } })],
    ["limits.tokensPerMinute", target({ limits: { tokensPerMinute: Infinity } })],
    ["limits.concurrency", target({ limits: { concurrency: 1.5 } })],
    ["limits.burst", target({ limits: { requestsPerMinute: 10, burst: 1 } })],
    ["weight", target({ weight: Number.NaN })],
    ["weight", target({ weight: 0 })],
    ["weight", target({ weight: -1 })],
    ["weight", target({ weight: Infinity })],
    ["id", target({ id: " " })],
    ["price.inputPerMillion", target({ price: { ...price, inputPerMillion: -1 } })],
    ["price.outputPerMillion", target({ price: { ...price, outputPerMillion: Number.NaN } })],
    ["breaker.failureRate", target({ breaker: { failureRate: 2 } })],
    ["breaker.consecutive", target({ breaker: { consecutive: 0 } })],
    ["retryBudget.ratio", target({ retryBudget: { ratio: -0.1 } })],
    ["traits.contextTokens", target({ traits: { contextTokens: 0 } })],
    ["policy.deadline", chain(ChainPolicy.deadline(0))],
    ["policy.deadline", chain(ChainPolicy.deadline(Infinity))],
    ["policy.timeouts.answer", chain(ChainPolicy.timeouts({ answer: 0 }))],
    ["policy.maxAttempts", chain(ChainPolicy.maxAttempts(0))],
    ["policy.maxAttempts", chain(ChainPolicy.maxAttempts(Number.NaN))],
    ["policy.repairs", chain(ChainPolicy.repairs(-1))],
    ["policy.hedge.maxLoad", chain(ChainPolicy.hedge({ maxLoad: 2 }))],
    ["policy.hedge.budget.ratio", chain(ChainPolicy.hedge({ budget: { ratio: Number.NaN } }))]
  ]
  for (const [index, [path, made]] of wrong.entries()) {
    it.effect(`are one error that names ${path} (${index + 1})`, () => refuses(path, made))
  }

  it.effect("are one error when no model is named, or one is named twice", () =>
    Effect.gen(function*() {
      const one = yield* model
      const none: ReadonlyArray<typeof one> = []
      const empty = Effect.scoped(Reflect.apply(LlmChain.make, undefined, [none])) as ReturnType<typeof chain>
      yield* refuses("tiers", empty)
      yield* refuses("tiers.1.id", Effect.scoped(LlmChain.make([one, one])))
    }))

  it.live("are told when a call needs a price that nobody gave", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [well], target: { price: undefined } })
      const second = yield* provider("second", { replies: [well] })
      const alone = yield* world([first], ChainPolicy.deadline("5 seconds"))
      const told = yield* ask(alone.chain)
      assert.strictEqual(told.error?.reason, "BudgetExceeded")
      assert.match(told.error?.description ?? "", /price/u)
      assert.deepStrictEqual(yield* first.server.requests, [])
      const both = yield* world([first, second], ChainPolicy.deadline("5 seconds"))
      assert.deepStrictEqual((yield* ask(both.chain)).attempts.map(line), ["first skipped budget", "second answered"])
    }).pipe(Effect.scoped))

  it("are thrown by a budget that is negative or no number", () => {
    assert.throws(() => Budget.make({ total: -1 }), /total/u)
    assert.throws(() => Budget.make({ perTenant: Number.NaN }), /perTenant/u)
    assert.throws(() => Budget.make({ tenants: { a: -1 } }), /tenants\.a/u)
  })
})

describe("settings of a model that make no sense", () => {
  const openAi = (options: Partial<OpenAiCompatible.Options>) =>
    OpenAiCompatible.make({
      provider: "test",
      model: "m",
      baseUrl: "https://api.example.com/v1",
      apiKey: Redacted.make(secret),
      ...options
    })
  const anthropic = (options: Partial<AnthropicLlm.Options>) =>
    AnthropicLlm.make({ model: "claude-haiku-4-5", apiKey: Redacted.make(secret), ...options })

  for (
    const [path, made] of [
      ["apiKey", openAi({ apiKey: Redacted.make("") })],
      ["apiKey", openAi({ apiKey: Redacted.make(`${secret} ${secret}`) })],
      ["apiKey", openAi({ apiKey: Redacted.make(`${secret}\r\nx: y`) })],
      ["baseUrl", openAi({ baseUrl: "api.example.com" })],
      ["baseUrl", openAi({ baseUrl: "ftp://api.example.com" })],
      ["baseUrl", openAi({ baseUrl: `https://user:${secret}@api.example.com` })],
      ["timeout", openAi({ timeout: 0 })],
      ["headers", openAi({ headers: { "bad header": secret } })],
      ["headers", openAi({ headers: { "x-tag": `${secret}\n` } })],
      ["apiKey", anthropic({ apiKey: Redacted.make(" ") })],
      ["baseUrl", anthropic({ baseUrl: "nowhere" })],
      ["maxTokens", anthropic({ maxTokens: 0 })]
    ] as const
  ) {
    it.effect(`are one error that names ${path} and shows no secret`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(made)
        assert.strictEqual(error._op, "InvalidData")
        assert.match(inspect(error), new RegExp(path, "u"))
        assert.notInclude(inspect(error, { depth: 9, showHidden: true }) + String(error), secret)
      }).pipe(Effect.provide(NodeHttpClient.layerUndici)))
  }
})

describe("variables that make no sense", () => {
  const gateway = { LLM_GATEWAY_URL: "https://gateway.example.com/v1", LLM_GATEWAY_KEY: secret, LLM_MODELS: "a,b" }

  for (
    const [name, variables] of [
      ["LLM_GATEWAY_VENDOR", { ...gateway, LLM_GATEWAY_VENDOR: "nobody" }],
      ["LLM_GATEWAY_KEY", { ...gateway, LLM_GATEWAY_KEY: "" }],
      ["LLM_GATEWAY_URL", { ...gateway, LLM_GATEWAY_URL: "gateway" }],
      ["LLM_MODELS", { ...gateway, LLM_MODELS: "," }],
      ["LLM_MODELS", { ...gateway, LLM_MODELS: "a,b,a" }],
      ["LLM_DEADLINE", { ...gateway, LLM_DEADLINE: "-3 seconds" }],
      ["LLM_ATTEMPT_TIMEOUT", { ...gateway, LLM_ATTEMPT_TIMEOUT: "soon" }],
      ["LLM_BUDGET_USD", { ...gateway, LLM_BUDGET_USD: "NaN" }],
      ["LLM_PRICES", { ...gateway, LLM_BUDGET_USD: "1" }],
      ["LLM_PRICES", { ...gateway, LLM_PRICES: "[{\"provider\":\"gateway\"}]" }],
      ["LLM_WIRE", { ...gateway, LLM_WIRE: "pigeon" }]
    ] as const
  ) {
    it.effect(`are one error that names ${name} and shows no secret`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(ProviderChain.make).pipe(
          Effect.scoped,
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))
        )
        assert.include(String(error), name)
        assert.notInclude(inspect(error, { depth: 9, showHidden: true }) + String(error), secret)
      }).pipe(Effect.provide(NodeHttpClient.layerUndici)))
  }
})

describe("requests that make no sense", () => {
  it.live("are refused before anyone is asked when their schema cannot be checked", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [well] })
      const one = yield* world([first], ChainPolicy.deadline("5 seconds"))
      const error = yield* Effect.flip(one.chain.generateObject({ ...question, schema: { type: "number-ish" } }))
      assert.strictEqual(error.reason, "RequestRejected")
      assert.deepStrictEqual(yield* first.server.requests, [])
    }).pipe(Effect.scoped))
})
