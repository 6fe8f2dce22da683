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
    assert.strictEqual(Capabilities.forModel("openai", "gpt-4o"), Capabilities.table.openai)
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
    assert.isTrue(sent.messages[0].content.startsWith("Be brief.\n\nAnswer with one JSON value"))
  })
})
