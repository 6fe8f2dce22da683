/**
 * Things to read and prompts to start from, beside tools: a fixed resource, a
 * family of resources under a template, and a prompt whose arguments complete
 * themselves.
 */
import * as McpPrompt from "causeway-mcp/prompt/McpPrompt"
import * as McpResource from "causeway-mcp/resource/McpResource"
import * as ResourceError from "causeway-mcp/resource/ResourceError"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import { main } from "./program.js"

const closing: ReadonlyMap<string, number> = new Map([["acme", 41.5], ["globex", 12.25]])

// #region resources
const Disclaimer = McpResource.make("market://disclaimer", {
  name: "disclaimer",
  description: "What these figures may be used for",
  mimeType: "text/plain",
  read: () => Effect.succeed(McpResource.text("Invented figures, for examples only."))
})

const Closing = McpResource.template("market://closing/{company}/{year}", {
  name: "closing_price",
  description: "The last closing price of a company in a year",
  mimeType: "application/json",
  parameters: { company: Schema.String, year: Schema.NumberFromString },
  read: ({ company, year }) => {
    const euros = closing.get(company)
    return euros === undefined
      ? Effect.fail(ResourceError.notFound())
      : Effect.succeed(McpResource.json({ company, year, euros }))
  },
  complete: { company: (typed) => Effect.succeed([...closing.keys()].filter((name) => name.startsWith(typed))) }
})
// #endregion resources

// #region prompt
const Compare = McpPrompt.make("compare_companies", {
  description: "Begins a comparison of two companies",
  arguments: {
    first: Schema.Literal("acme", "globex").annotations({ description: "The company to begin with" }),
    second: Schema.String.annotations({ description: "The company to compare it with" }),
    tone: Schema.optional(Schema.Literal("short", "thorough"))
  },
  messages: ({ first, second, tone = "short" }) =>
    Effect.succeed(McpPrompt.user(`Compare ${first} with ${second}. Be ${tone}, and name your sources.`))
})
// #endregion prompt

// #region server
const Server = McpServer.layerOf(
  { resources: [Disclaimer, Closing], prompts: [Compare] },
  { name: "market", version: "1.0.0" }
)
// #endregion server

main(
  Effect.scoped(Effect.gen(function*() {
    const client = yield* MemoryTransport.make()
    // #region read
    const { contents } = yield* client.request("resources/read", { uri: "market://closing/acme/2025" })
    assert.deepEqual(contents, [{
      uri: "market://closing/acme/2025",
      mimeType: "application/json",
      text: `{"company":"acme","year":2025,"euros":41.5}`
    }])
    const missing = yield* Effect.flip(client.request("resources/read", { uri: "market://closing/initech/2025" }))
    assert.equal(missing.code, -32602)
    // #endregion read

    const { messages } = yield* client.request("prompts/get", {
      name: "compare_companies",
      arguments: { first: "acme", second: "globex" }
    })
    assert.match(JSON.stringify(messages), /Compare acme with globex\. Be short/)

    const { completion } = yield* client.request("completion/complete", {
      ref: { type: "ref/resource", uri: "market://closing/{company}/{year}" },
      argument: { name: "company", value: "g" }
    })
    assert.deepEqual(Object(completion).values, ["globex"])

    console.log("Read, refused, prompted and completed")
  })).pipe(Effect.provide(Server))
)
