/**
 * Every reference tool, called through an official client, each answer checked
 * against the tool's own output schema.
 */
import { assert } from "@effect/vitest"
import * as V2 from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { Ajv2020 } from "ajv/dist/2020.js"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

interface Listed {
  readonly name: string
  readonly outputSchema?: { readonly [key: string]: unknown } | undefined
}

interface Result {
  readonly structuredContent?: unknown
  readonly isError?: boolean | undefined
  readonly content?: unknown
}

/** What the official clients have in common. */
interface Official {
  readonly listTools: () => Promise<{ readonly tools: ReadonlyArray<Listed> }>
  readonly callTool: (request: { name: string; arguments: Record<string, unknown> }) => Promise<Result>
  readonly close: () => Promise<void>
}

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
    const { tools } = await client.listTools()
    assert.sameMembers(tools.map((tool) => tool.name), calls.map(([name]) => name))
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    const data = new Map<string, Record<string, unknown>>()
    for (const [name, args] of calls) {
      const result = await client.callTool({ name, arguments: args })
      assert.isNotTrue(result.isError, `${name}: ${JSON.stringify(result.content)}`)
      const validate = ajv.compile(tools.find((tool) => tool.name === name)?.outputSchema ?? false)
      assert.isTrue(validate(result.structuredContent), `${name}: ${JSON.stringify(validate.errors)}`)
      const envelope = record(result.structuredContent)
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

    const wrong = await client.callTool({ name: "search_relevant_market_intel", arguments: { query: "", limit: 500 } })
    assert.isTrue(wrong.isError)
    assert.include(JSON.stringify(wrong.content), "invalid_input")
    await client.callTool({ name: "no_such_tool", arguments: {} }).then(
      () => assert.fail("an unknown tool was answered"),
      (error: unknown) => assert.strictEqual(record(error).code, -32602)
    )
  })

const connected = <C extends Official>(connect: () => Promise<C>): Effect.Effect<C, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.promise(connect), (client) => Effect.promise(() => client.close()))

/** Connects a client of SDK v1, which speaks 2025-11-25. */
export const v1 = (transport: Parameters<Client["connect"]>[0]) =>
  connected(async () => {
    const client = new Client({ name: "interop", version: "1.0.0" })
    await client.connect(transport)
    return client as Client & Official
  })

/** Connects a v2 client, which speaks 2026-07-28 when it is let. */
export const v2 = (transport: Parameters<V2.Client["connect"]>[0], mode: V2.VersionNegotiationMode) =>
  connected(async () => {
    const client = new V2.Client({ name: "interop", version: "1.0.0" }, { versionNegotiation: { mode } })
    await client.connect(transport)
    return client as V2.Client & Official
  })

/** How a v2 client may choose its revision, and which it ends with. */
export const modes = [
  ["auto", "auto", "2026-07-28"],
  ["pinned", { pin: "2026-07-28" }, "2026-07-28"],
  ["legacy", "legacy", "2025-11-25"]
] as const
