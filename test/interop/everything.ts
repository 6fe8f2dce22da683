/**
 * Every reference tool, called through an official client, each answer checked
 * against the tool's own output schema.
 */
import { assert } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import * as Effect from "effect/Effect"
import { refusal } from "./Law.js"
import type { Official } from "./official.js"

const calls: ReadonlyArray<readonly [name: string, args: Record<string, unknown>]> = [
  ["record_session_event", { userId: "ada", eventId: "e1", type: "question", text: "What about batteries?" }],
  ["fetch_user_preference_profile", { userId: "ada" }],
  [
    "index_document",
    {
      id: "interop-1",
      title: "Quillfeather opens a plant",
      text: "Quillfeather Instruments opened a plant for telescopes in Vellmar on 3 November 2026.",
      publishedAt: "2026-11-03T08:00:00Z",
      metadata: { company: "Quillfeather Instruments", type: "news" }
    }
  ],
  ["search_relevant_market_intel", { query: "Quillfeather telescopes plant", limit: 3 }],
  ["answer_market_question", { question: "Where did Quillfeather open a plant for telescopes?", userId: "ada" }],
  ["summarize_document_batch", { documentIds: ["interop-1"] }],
  [
    "generate_structured_output",
    {
      instruction: "Extract the company and the price",
      text: "Company: Quillfeather Instruments\nPrice: 12.50",
      schema: {
        type: "object",
        properties: { company: { type: "string" }, price: { type: "number" } },
        required: ["company", "price"]
      }
    }
  ]
]

const record = (value: unknown): Record<string, unknown> => Object(value)

/** Lists the tools, calls each, and asks wrongly. */
export const callEverything = (client: Official) =>
  Effect.promise(async () => {
    const tools = await client.all("tools")
    assert.sameMembers(tools.map((tool) => tool["name"]), calls.map(([name]) => name))
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    const data = new Map<string, Record<string, unknown>>()
    for (const [name, args] of calls) {
      const result = await client.call(name, args)
      assert.isNotTrue(result["isError"], `${name}: ${JSON.stringify(result["content"])}`)
      const validate = ajv.compile(record(tools.find((tool) => tool["name"] === name)?.["outputSchema"]))
      assert.isTrue(validate(result["structuredContent"]), `${name}: ${JSON.stringify(validate.errors)}`)
      const envelope = record(result["structuredContent"])
      assert.isNotEmpty(envelope.sources, name)
      assert.isNumber(envelope.confidence, name)
      data.set(name, record(envelope.data))
    }
    const passages = data.get("search_relevant_market_intel")?.passages as ReadonlyArray<Record<string, unknown>>
    assert.strictEqual(passages[0]?.documentId, "interop-1")
    assert.include(String(data.get("answer_market_question")?.answer), "Vellmar")
    assert.deepInclude(data.get("generate_structured_output"), {
      value: { company: "Quillfeather Instruments", price: 12.5 }
    })

    const wrong = await client.call("search_relevant_market_intel", { query: "", limit: 500 })
    assert.isTrue(wrong["isError"])
    assert.include(JSON.stringify(wrong["content"]), "invalid_input")
    assert.strictEqual((await refusal(client.call("no_such_tool")))["code"], -32602)
  })
