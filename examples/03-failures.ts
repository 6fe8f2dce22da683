/**
 * Three ways for a call to fail, and what the agent sees of each: a failure the
 * tool declares, a source that is down, and a question that was wrong.
 */
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolError from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import { main } from "./program.js"

// #region tool
class UnknownCompany extends Schema.TaggedError<UnknownCompany>()("UnknownCompany", { symbol: Schema.String }) {
  override get message() {
    return `No company trades as ${this.symbol}. Look the symbol up and call again.`
  }
}

const SharePrice = Tool.make("share_price", {
  description: "Gives the present share price of a company, in euros",
  parameters: { symbol: Schema.String },
  success: Schema.Struct({ euros: Schema.Number }),
  failure: UnknownCompany,
  safety: "readOnly"
}).implement(({ symbol }) =>
  Effect.gen(function*() {
    if (symbol === "NONE") return yield* new UnknownCompany({ symbol })
    if (symbol === "OSKV") {
      return yield* ToolError.unavailable({
        source: "exchange",
        fallback: { tool: "last_closing_price", why: "it needs no exchange" },
        cause: new Error("connect ECONNREFUSED 10.0.0.7:443") // for the log; it never leaves the process
      })
    }
    return yield* Evidence.computed("share-price", { euros: 12.5 })
  })
)
// #endregion tool

const Server = McpServer.layerTools(Toolkit.make(SharePrice), { name: "exchange", version: "1.0.0" })

main(
  Effect.scoped(Effect.gen(function*() {
    const client = yield* MemoryTransport.make()
    const call = (name: string, args: object) => client.request("tools/call", { name, arguments: args })
    const body = (result: { readonly [key: string]: unknown }) => Object(Object(result._meta)["dev.causeway/error"])

    // #region declared
    const declared = yield* call("share_price", { symbol: "NONE" })
    assert.equal(declared.isError, true)
    assert.equal(declared.structuredContent, undefined)
    assert.deepEqual(body(declared), {
      code: "unknown_company",
      message: "No company trades as NONE. Look the symbol up and call again.",
      retryable: false,
      details: { _tag: "UnknownCompany", symbol: "NONE" }
    })
    // #endregion declared

    // #region unavailable
    const unavailable = yield* call("share_price", { symbol: "OSKV" })
    assert.equal(unavailable.isError, true)
    assert.deepEqual(body(unavailable), {
      code: "temporarily_unavailable",
      message: "Temporarily unavailable: exchange did not answer. Try again shortly, or call last_closing_price: " +
        "it needs no exchange.",
      retryable: true,
      source: "exchange",
      fallback: { tool: "last_closing_price", why: "it needs no exchange" }
    })
    assert(!JSON.stringify(unavailable).includes("10.0.0.7"))
    // #endregion unavailable

    // #region wrong
    const misfit = yield* call("share_price", { symbol: 7 })
    assert.equal(body(misfit).code, "invalid_input")

    const noSuchTool = yield* Effect.flip(call("share_prices", {}))
    assert.equal(noSuchTool.code, -32602) // an error of the protocol: the question itself was wrong
    // #endregion wrong

    console.log(JSON.stringify(unavailable, null, 2))
  })).pipe(Effect.provide(Server))
)
