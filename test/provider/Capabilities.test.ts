import { assert, describe, it } from "@effect/vitest"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as Capabilities from "causeway-mcp/provider/Capabilities"
import * as ChatCompletions from "causeway-mcp/provider/internal/ChatCompletions"

const schema = {
  type: "object",
  properties: { price: { type: "number" } },
  required: ["price"],
  additionalProperties: false
}

const request: Llm.ObjectRequest = {
  messages: [{ role: "user", text: "The price?" }],
  schema,
  maxTokens: 50,
  temperature: 0
}

const body = (vendor: Capabilities.Vendor, stream = false, model = "m", asked: Llm.ObjectRequest = request) =>
  JSON.parse(
    ChatCompletions.encode(asked, { model, capabilities: Capabilities.forModel(vendor, model), stream })
  )

describe("Capabilities.table", () => {
  it("has a row for every vendor, with an https address or none", () => {
    assert.deepStrictEqual([...Capabilities.vendors].sort(), Object.keys(Capabilities.table).sort())
    for (const vendor of Capabilities.vendors) {
      const { baseUrl } = Capabilities.table[vendor]
      if (baseUrl !== undefined) assert.strictEqual(new URL(baseUrl).protocol, "https:")
    }
  })

  it("finds every vendor that has an address of its own by that address, and no one by a look-alike", () => {
    for (const vendor of Capabilities.vendors) {
      const { baseUrl } = Capabilities.table[vendor]
      if (baseUrl !== undefined) assert.strictEqual(Capabilities.vendorOf(baseUrl), vendor)
    }
    assert.strictEqual(Capabilities.vendorOf("https://api.openai.com.evil.example/v1"), "generic")
    assert.strictEqual(Capabilities.vendorOf("https://notopenrouter.ai/v1"), "generic")
    assert.strictEqual(Capabilities.vendorOf("no url"), "generic")
  })

  it("asks OpenAI by a strict schema and max_completion_tokens", () => {
    const sent = body("openai", true)
    assert.deepStrictEqual(sent.response_format, {
      type: "json_schema",
      json_schema: { name: "answer", schema, strict: true }
    })
    assert.strictEqual(sent.max_completion_tokens, 50)
    assert.isUndefined(sent.max_tokens)
    assert.deepStrictEqual(sent.stream_options, { include_usage: true })
    assert.strictEqual(sent.temperature, 0)
  })

  it("asks DeepSeek and Qwen for an object, with the word JSON and the schema in the prompt, and thinking off", () => {
    for (const vendor of ["deepseek", "qwen"] as const) {
      const sent = body(vendor)
      assert.deepStrictEqual(sent.response_format, { type: "json_object" })
      assert.match(sent.messages[0].content, /\bjson\b/u)
      assert.include(sent.messages[0].content, "JSON Schema")
      assert.include(sent.messages[0].content, JSON.stringify(schema))
    }
    assert.deepStrictEqual(body("deepseek").thinking, { type: "disabled" })
    assert.strictEqual(body("qwen").enable_thinking, false)
  })

  it("sends Mistral no field that it refuses", () => {
    const sent = body("mistral", true)
    assert.deepStrictEqual(
      Object.keys(sent).sort(),
      ["max_tokens", "messages", "model", "response_format", "stream", "temperature"]
    )
  })

  it("samples as each vendor can be told to", () => {
    const sampled = { ...request, topP: 0.5, seed: 7, stop: ["END"] }
    const sent = (vendor: Capabilities.Vendor, model = "m") => body(vendor, false, model, sampled)
    assert.strictEqual(sent("openai").seed, 7)
    assert.strictEqual(sent("openai").top_p, 0.5)
    assert.deepStrictEqual(sent("openai").stop, ["END"])
    assert.strictEqual(sent("mistral").random_seed, 7)
    assert.isUndefined(sent("mistral").seed)
    assert.isUndefined(sent("gemini").seed)
    assert.isUndefined(sent("deepseek").seed)
    assert.strictEqual(sent("qwen").seed, 7)
    assert.notProperty(body("openai", false, "m", { ...request, stop: [] }), "stop")
  })

  it("sends OpenAI's reasoning models no field that they refuse, wherever they are served", () => {
    const sampled = { ...request, topP: 0.5, stop: ["END"] }
    for (
      const [vendor, model] of [["openai", "o3-mini"], ["openai", "gpt-5.1"], ["portkey", "@openai/gpt-5"]] as const
    ) {
      const sent = body(vendor, false, model, sampled)
      for (const field of ["temperature", "top_p", "stop", "max_tokens"]) assert.notProperty(sent, field)
      assert.strictEqual(sent.max_completion_tokens, 50)
    }
    for (const model of ["gpt-4o", "gpt-5-chat-latest", "gpt-4.1", "qwen-o1like"]) {
      assert.strictEqual(body("openai", false, model, sampled).temperature, 0)
    }
  })

  it("switches thinking off where a model lets it, and leaves it alone where it does not", () => {
    assert.strictEqual(body("gemini", false, "gemini-2.5-flash").reasoning_effort, "none")
    assert.notProperty(body("gemini", false, "gemini-2.5-pro"), "reasoning_effort")
    assert.notProperty(body("deepseek", false, "deepseek-reasoner"), "thinking")
    assert.notProperty(body("qwen", false, "qwq-plus"), "enable_thinking")
    assert.notProperty(body("qwen", false, "qwen3-235b-thinking"), "enable_thinking")
    assert.strictEqual(body("qwen", false, "qwen3-max").enable_thinking, false)
  })

  it("tells windows and lengths of the models it knows, and none of others", () => {
    const known = (vendor: Capabilities.Vendor, model: string) => {
      const { contextTokens, maxOutputTokens } = Capabilities.forModel(vendor, model)
      return [contextTokens, maxOutputTokens]
    }
    assert.deepStrictEqual(known("openai", "gpt-4o"), [128_000, 16_384])
    assert.deepStrictEqual(known("openrouter", "openai/o3"), [200_000, 100_000])
    assert.deepStrictEqual(known("litellm", "gemini-2.5-flash"), [1_048_576, 65_536])
    assert.deepStrictEqual(known("openai", "my-fine-tune"), [undefined, undefined])
    assert.deepStrictEqual(known("generic", "m"), [undefined, undefined])
  })

  it("tells LiteLLM not to try again by itself, and OpenRouter to heed every field", () => {
    assert.strictEqual(Capabilities.table.litellm.headers["x-litellm-num-retries"], "0")
    assert.deepStrictEqual(body("openrouter").provider, { require_parameters: true })
  })

  it("takes [DONE] alone for an end only where finish reasons may be left out", () => {
    assert.deepStrictEqual(
      Capabilities.vendors.filter((vendor) => Capabilities.table[vendor].endsWithDone),
      ["gemini", "tokenmix", "generic"]
    )
  })

  it("asks an unknown endpoint by the prompt alone", () => {
    const sent = body("generic")
    assert.isUndefined(sent.response_format)
    assert.include(sent.messages[0].content, "JSON Schema")
  })

  it("asks a gateway in the weaker way of gateway and model", () => {
    assert.strictEqual(Capabilities.forModel("openrouter", "openai/gpt-4o").jsonMode, "schema")
    assert.strictEqual(Capabilities.forModel("openrouter", "deepseek/deepseek-chat").jsonMode, "object")
    assert.strictEqual(Capabilities.forModel("litellm", "claude-sonnet").jsonMode, "prompt")
    assert.strictEqual(Capabilities.forModel("generic", "deepseek-flash").jsonMode, "prompt")
    assert.deepStrictEqual(Capabilities.forModel("openai", "gpt-4o"), Capabilities.table.openai)
  })

  it("sends no temperature to a Claude that refuses one, also through a gateway", () => {
    const dropped = (model: string) => Capabilities.forModel("openrouter", model).dropParams
    for (const model of ["anthropic/claude-opus-4.7", "claude-sonnet-5", "claude-haiku-5-5", "claude-fable-5-1"]) {
      assert.deepStrictEqual(dropped(model), ["temperature", "top_p"], model)
    }
    for (const model of ["claude-haiku-4-5", "anthropic/claude-sonnet-4.6", "claude-opus-4-5-20251101"]) {
      assert.deepStrictEqual(dropped(model), [], model)
    }
  })

  it("carries Portkey's key in its own header", () => {
    assert.deepStrictEqual(Capabilities.table.portkey.auth, { header: "x-portkey-api-key" })
  })
})

describe("ChatCompletions.encode", () => {
  it("is strict only about schemas that close every object and require every property", () => {
    assert.isTrue(ChatCompletions.isStrict(schema))
    assert.isFalse(ChatCompletions.isStrict({ ...schema, required: [] }))
    assert.isFalse(ChatCompletions.isStrict({ ...schema, additionalProperties: true }))
    assert.isFalse(ChatCompletions.isStrict({
      ...schema,
      properties: { price: { type: "array", items: { type: "object", properties: {} } } }
    }))
  })

  it("asks for a root that is no object by the prompt alone", () => {
    const sent = body("openai", false, "m", { ...request, schema: { type: "array" } })
    assert.isUndefined(sent.response_format)
    assert.include(sent.messages[0].content, "{\"type\":\"array\"}")
  })

  it("makes a legal name of any schema name", () => {
    assert.strictEqual(
      body("openai", false, "m", { ...request, schemaName: "My schema/1!" }).response_format.json_schema.name,
      "My_schema_1_"
    )
  })

  it("adds the instruction to the system message that leads", () => {
    const sent = body("generic", false, "m", {
      ...request,
      messages: [{ role: "system", text: "Be brief." }, { role: "user", text: "?" }]
    })
    assert.strictEqual(sent.messages.length, 2)
    assert.isTrue(sent.messages[0].content.startsWith("Be brief.\n\nAnswer in json, with one JSON value"))
  })
})
