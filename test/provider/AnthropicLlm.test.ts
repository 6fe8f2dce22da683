import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Llm from "causeway-mcp/llm/Llm"
import * as AnthropicLlm from "causeway-mcp/provider/AnthropicLlm"
import * as AnthropicMessages from "causeway-mcp/provider/internal/AnthropicMessages"
import * as AnthropicModels from "causeway-mcp/provider/internal/AnthropicModels"
import * as AnthropicSchema from "causeway-mcp/provider/internal/AnthropicSchema"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

const key = "sk-ant-test-4f9a8b7c"

/** No request leaves these tests. */
const nowhere = HttpClient.make(() => Effect.die("a request was sent"))

const day = {
  type: "object",
  properties: { day: { type: "string" }, mm: { type: "number", minimum: 0 } },
  required: ["day"]
}

const encode = (
  request: Chat.Request | Llm.ObjectRequest,
  model: string,
  options: {
    readonly extraBody?: { readonly [field: string]: unknown }
    readonly json?: AnthropicModels.JsonMode
    readonly maxTokens?: number
  } = {}
): { readonly [field: string]: unknown } => {
  const contract = AnthropicModels.contractOf(model)
  return JSON.parse(
    AnthropicMessages.encode(request, {
      model,
      contract: { ...contract, json: options.json ?? contract.json },
      maxTokens: options.maxTokens,
      extraBody: options.extraBody ?? {},
      stream: false
    }).body
  )
}

const said = (...messages: ReadonlyArray<Chat.Message>): Chat.Request => ({ messages })
const hello: Chat.Message = { role: "user", text: "Hello." }

describe("a model's name", () => {
  const rows: ReadonlyArray<
    readonly [model: string, json: string, sampling: string, context: number | undefined, output: number | undefined]
  > = [
    ["claude-3-haiku-20240307", "tool", "both", 200_000, 4096],
    ["claude-3-5-sonnet-20241022", "tool", "both", 200_000, 8192],
    ["claude-3-7-sonnet-latest", "tool", "both", 200_000, 64_000],
    ["claude-opus-4-20250514", "tool", "both", 200_000, 32_000],
    ["claude-opus-4-1-20250805", "tool", "one", 200_000, 32_000],
    ["claude-sonnet-4-20250514", "tool", "both", 200_000, 64_000],
    ["claude-haiku-4-5", "schema", "one", 200_000, 64_000],
    ["claude-sonnet-4-5-20250929", "schema", "one", 200_000, 64_000],
    ["claude-opus-4-6", "schema", "one", 1_000_000, 128_000],
    ["claude-opus-4-7", "schema", "none", 1_000_000, 128_000],
    ["anthropic/claude-opus-4.8", "schema", "none", 1_000_000, 128_000],
    ["claude-sonnet-5", "schema", "none", 1_000_000, 128_000],
    ["claude-haiku-5-5", "schema", "none", 1_000_000, 128_000],
    ["claude-fable-5-1", "schema", "none", 1_000_000, 128_000],
    ["claude-next", "schema", "none", undefined, undefined],
    ["MiniMax-M2", "tool", "both", undefined, undefined]
  ]
  for (const [model, json, sampling, contextTokens, maxOutputTokens] of rows) {
    it(`tells what ${model} takes and can do`, () => {
      const contract = AnthropicModels.contractOf(model)
      assert.deepStrictEqual(
        [contract.json, contract.sampling, contract.contextTokens, contract.maxOutputTokens],
        [json, sampling, contextTokens, maxOutputTokens]
      )
    })
  }

  it("tells how thinking is kept off or low, where it is on by default", () => {
    const fields = (model: string) => AnthropicModels.contractOf(model).withoutThinking
    assert.deepStrictEqual(fields("claude-opus-4-8"), {})
    assert.deepStrictEqual(fields("claude-opus-5"), { thinking: { type: "disabled" } })
    assert.deepStrictEqual(fields("claude-haiku-5-5"), { thinking: { type: "disabled" } })
    assert.deepStrictEqual(fields("claude-sonnet-5-5"), { thinking: { type: "between_tools" } })
    assert.deepStrictEqual(fields("claude-opus-5-5"), { output_config: { effort: "low" } })
    assert.deepStrictEqual(fields("claude-fable-5"), { output_config: { effort: "low" } })
  })

  it("tells which models cannot be made to call a tool", () => {
    const takes = (model: string) => AnthropicModels.contractOf(model).takesForcedTool
    assert.deepStrictEqual(
      ["claude-opus-5", "claude-fable-5", "claude-haiku-5-5", "claude-3-opus-20240229"].map(takes),
      [true, true, true, true]
    )
    assert.deepStrictEqual(
      ["claude-opus-5-5", "claude-fable-5-1", "claude-sonnet-5-5", "claude-opus-6"].map(takes),
      [false, false, false, false]
    )
  })
})

describe("a request", () => {
  it("has a length always, and hoists what the system says from wherever it stands", () => {
    const body = encode(
      said({ role: "system", text: "Be brief." }, hello, { role: "system", text: "In English." }),
      "claude-haiku-4-5"
    )
    assert.deepStrictEqual(body, {
      model: "claude-haiku-4-5",
      max_tokens: 4096,
      system: "Be brief.\n\nIn English.",
      messages: [{ role: "user", content: "Hello." }]
    })
  })

  it("joins neighbours of one role, drops what is blank, and gives the user the first word and the last", () => {
    const body = encode(
      said(
        { role: "assistant", text: "Welcome." },
        hello,
        { role: "user", text: " " },
        { role: "user", text: "Are you there?" },
        { role: "assistant", text: "Yes, and" }
      ),
      "claude-haiku-4-5"
    )
    assert.deepStrictEqual(body.messages, [
      { role: "user", content: "Go on." },
      { role: "assistant", content: "Welcome." },
      { role: "user", content: "Hello.\n\nAre you there?" },
      { role: "assistant", content: "Yes, and" },
      { role: "user", content: "Go on." }
    ])
  })

  it("says something also when nobody has said anything", () => {
    assert.deepStrictEqual(encode(said(), "claude-haiku-4-5").messages, [{ role: "user", content: "Go on." }])
  })

  it("carries passages and the rules of citing", () => {
    const body = encode({ ...said(hello), context: [{ id: "a", text: "It rains." }] }, "claude-haiku-4-5")
    assert.include(String(body.system), "cite it by its id")
    assert.include(JSON.stringify(body.messages), "It rains.")
  })

  it("caps the temperature, and sends what the model takes of it and of top-p", () => {
    const request = { ...said(hello), temperature: 1.7, topP: 0.9, seed: 7, stop: ["END", " "] }
    const sent = (model: string) => {
      const { seed, stop_sequences, temperature, top_p } = encode(request, model)
      return { temperature, top_p, seed, stop_sequences }
    }
    const rest = { seed: undefined, stop_sequences: ["END"] }
    assert.deepStrictEqual(sent("claude-3-opus-20240229"), { temperature: 1, top_p: 0.9, ...rest })
    assert.deepStrictEqual(sent("claude-haiku-4-5"), { temperature: 1, top_p: undefined, ...rest })
    assert.deepStrictEqual(sent("claude-opus-5"), { temperature: undefined, top_p: undefined, ...rest })
  })

  it("lets the model think for the task of reasoning, and as further fields say", () => {
    const sonnet = (task: Chat.TaskClass, extraBody = {}) =>
      encode({ ...said(hello), task }, "claude-sonnet-5", { extraBody }).thinking
    assert.deepStrictEqual(sonnet("default"), { type: "disabled" })
    assert.isUndefined(sonnet("reasoning"))
    assert.deepStrictEqual(sonnet("default", { thinking: { type: "adaptive" } }), { type: "adaptive" })
  })

  it("asks a model that thinks for nothing that it refuses then: a temperature, a tool it has to call", () => {
    const map = { type: "object", additionalProperties: { type: "number" } }
    const request = { ...said(hello), schema: map, temperature: 0, topP: 0.5 }
    const sent = (body: { readonly [field: string]: unknown }) => [
      body.temperature,
      body.top_p,
      body.tool_choice === undefined ? "words" : "tool"
    ]
    const told = (thinking: object) => encode(request, "claude-haiku-4-5", { extraBody: { thinking } })
    assert.deepStrictEqual(sent(told({ type: "enabled", budget_tokens: 2000 })), [undefined, undefined, "words"])
    assert.deepStrictEqual(sent(told({ type: "disabled" })), [0, undefined, "tool"])
    assert.deepStrictEqual(sent(encode({ ...request, task: "reasoning" }, "claude-sonnet-5")), [
      undefined,
      undefined,
      "words"
    ])
    assert.deepStrictEqual(sent(encode(request, "claude-sonnet-5")), [undefined, undefined, "tool"])
  })

  it("leaves room to think beside the answer, and asks for no more than the model can write", () => {
    const length = (request: object, model: string, options = {}) =>
      encode({ ...said(hello), ...request }, model, options).max_tokens
    assert.strictEqual(length({}, "claude-sonnet-5"), 4096)
    assert.strictEqual(length({ task: "reasoning" }, "claude-sonnet-5"), 16_384)
    assert.strictEqual(length({ task: "reasoning" }, "claude-sonnet-5", { maxTokens: 4000 }), 4000)
    assert.strictEqual(length({}, "claude-opus-5-5"), 16_384)
    const thinking = { type: "enabled", budget_tokens: 3000 }
    assert.strictEqual(length({ maxTokens: 500 }, "claude-haiku-4-5", { extraBody: { thinking } }), 3500)
    assert.strictEqual(length({ maxTokens: 100_000 }, "claude-3-haiku-20240307"), 4096)
    assert.strictEqual(length({ maxTokens: 100_000 }, "MiniMax-M2"), 100_000)
  })

  it("asks for JSON by a schema that is enforced, beside the effort", () => {
    const body = encode({ ...said(hello), schema: day }, "claude-opus-5-5")
    assert.deepStrictEqual(body.output_config, {
      format: {
        type: "json_schema",
        schema: {
          type: "object",
          properties: { day: { type: "string" }, mm: { type: "number", description: "Also: {\"minimum\":0}" } },
          required: ["day"],
          additionalProperties: false
        }
      },
      effort: "low"
    })
    assert.isUndefined(body.tools)
  })

  it("asks older models for JSON by a tool they have to call", () => {
    const body = encode({ ...said(hello), schema: day, schemaName: "the day" }, "claude-3-5-sonnet-20241022")
    assert.deepStrictEqual(body.tools, [{ name: "the_day", description: "Gives the answer.", input_schema: day }])
    assert.deepStrictEqual(body.tool_choice, { type: "tool", name: "the_day", disable_parallel_tool_use: true })
    assert.isUndefined(body.output_config)
  })

  it("asks the next way where the schema is too much: a tool, or words where no tool can be forced", () => {
    const map = { type: "object", additionalProperties: { type: "number" } }
    assert.isDefined(encode({ ...said(hello), schema: map }, "claude-haiku-4-5").tool_choice)
    const words = encode({ ...said(hello), schema: map }, "claude-opus-5-5")
    assert.isUndefined(words.tool_choice)
    assert.include(String(words.system), JSON.stringify(map))
    assert.include(String(encode({ ...said(hello), schema: { type: "array" } }, "claude-haiku-4-5").system), "array")
    assert.include(String(encode({ ...said(hello), schema: day }, "claude-haiku-4-5", { json: "prompt" }).system), "mm")
  })
})

describe("a schema", () => {
  it("closes every object and keeps what is enforced", () => {
    assert.deepStrictEqual(
      AnthropicSchema.fit({
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        properties: {
          kind: { enum: ["a", "b"] },
          at: { type: "string", format: "date-time" },
          of: { oneOf: [{ type: "string", maxLength: 5 }, { type: "null" }] },
          items: { type: "array", items: { type: "object", properties: { n: { type: "integer" } } }, minItems: 1 }
        },
        required: ["kind"]
      }),
      {
        type: "object",
        properties: {
          kind: { enum: ["a", "b"] },
          at: { type: "string", format: "date-time" },
          of: { anyOf: [{ type: "string", description: "Also: {\"maxLength\":5}" }, { type: "null" }] },
          items: {
            type: "array",
            items: { type: "object", properties: { n: { type: "integer" } }, additionalProperties: false },
            minItems: 1
          }
        },
        required: ["kind"],
        additionalProperties: false
      }
    )
  })

  it("is none where it cannot be enforced", () => {
    const inside = (schema: unknown) => ({ type: "object", properties: { inner: schema }, required: ["inner"] })
    const many = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`f${at}`, { type: "string" }]))
    const deep = Array.from({ length: 40 }).reduce<object>((inner) => inside(inner), { type: "string" })
    for (
      const schema of [
        { type: "array", items: { type: "string" } },
        { anyOf: [day, day] },
        { ...day, anyOf: [day] },
        { type: "object" },
        inside({}),
        inside(true),
        inside({ type: "object", additionalProperties: { type: "number" } }),
        inside({ $ref: "#/$defs/node" }),
        inside({ not: { type: "string" } }),
        { type: "object", properties: many },
        { ...deep }
      ]
    ) assert.isUndefined(AnthropicSchema.fit(schema), JSON.stringify(schema).slice(0, 80))
  })
})

describe("usage", () => {
  it("counts what was cached and what was written to the cache as input", () => {
    assert.deepStrictEqual(
      AnthropicMessages.usageOf({
        input_tokens: 10,
        cache_read_input_tokens: 300,
        cache_creation_input_tokens: 50,
        output_tokens: 7
      }),
      { inputTokens: 360, outputTokens: 7, cachedInputTokens: 300, cacheWriteTokens: 50 }
    )
  })

  it("knows nothing of figures that are none", () => {
    assert.deepStrictEqual(AnthropicMessages.usageOf(null), {})
    assert.deepStrictEqual(AnthropicMessages.usageOf({ input_tokens: "5", output_tokens: -1 }), {})
    assert.deepStrictEqual(
      AnthropicMessages.usageOf({ input_tokens: 5, cache_read_input_tokens: null, output_tokens: 1 }),
      { inputTokens: 5, outputTokens: 1 }
    )
  })
})

describe("AnthropicLlm.make", () => {
  const make = (options: Partial<AnthropicLlm.Options>) =>
    AnthropicLlm.make({ model: "claude-haiku-4-5", apiKey: Redacted.make(key), ...options }).pipe(
      Effect.provideService(HttpClient.HttpClient, nowhere)
    )

  it.effect("knows who it is and what it can do", () =>
    Effect.gen(function*() {
      const model = yield* make({})
      assert.strictEqual(model.provider, "anthropic")
      assert.deepStrictEqual(model.traits, { contextTokens: 200_000, maxOutputTokens: 64_000, json: "schema" })
      const old = yield* make({ provider: "claude", model: "claude-3-haiku-20240307" })
      assert.strictEqual(old.provider, "claude")
      assert.strictEqual(old.traits?.json, "object")
    }))

  const wrong: ReadonlyArray<readonly [what: string, options: Partial<AnthropicLlm.Options>, option: string]> = [
    ["an empty key", { apiKey: Redacted.make(" ") }, "apiKey"],
    ["a URL that is none", { baseUrl: "api.anthropic.com" }, "baseUrl"],
    ["a URL down to the messages", { baseUrl: "https://api.anthropic.com/v1/messages/" }, "baseUrl"],
    ["a header that is none", { headers: { "a b": "c" } }, "headers"],
    ["a length of nothing", { maxTokens: 0 }, "maxTokens"],
    ["a length that is no number", { maxTokens: Number.NaN }, "maxTokens"],
    ["a time that has passed", { timeout: "0 seconds" }, "timeout"],
    ["a time between texts that is negative", { idleTimeout: -1 }, "idleTimeout"]
  ]
  for (const [what, options, option] of wrong) {
    it.effect(`refuses ${what} and shows no key`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(make(options))
        assert.strictEqual(error._op === "InvalidData" ? error.path[0] : "?", option)
        assert.notInclude(String(error), key)
      }))
  }

  it.effect("is provided by settings", () =>
    Effect.gen(function*() {
      const settings = ConfigProvider.fromMap(new Map([["MODEL", "claude-opus-5"], ["KEY", key]]))
      const model = yield* Effect.provide(
        Llm.Llm,
        AnthropicLlm.layerConfig({ model: Config.string("MODEL"), apiKey: Config.redacted("KEY") }).pipe(
          Layer.provide(Layer.succeed(HttpClient.HttpClient, nowhere)),
          Layer.provide(Layer.setConfigProvider(settings))
        )
      )
      assert.strictEqual(model.model, "claude-opus-5")
      assert.strictEqual(model.traits?.contextTokens, 1_000_000)
    }))
})
