/**
 * A tool that needs a service of yours, knows who asks, tells how far it is, and
 * is hidden from callers who may not use it.
 */
import * as Principal from "causeway-mcp/auth/Principal"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import { main } from "./program.js"

// #region tool
class Ledger extends Context.Tag("Ledger")<Ledger, {
  readonly balance: (tenant: string, year: number) => Effect.Effect<number>
}>() {}

const Balance = Tool.make("account_balance_of_year", {
  title: "Account balance",
  description: "Gives the balance of your own account at the end of a year, in euros",
  parameters: {
    year: Schema.Int.pipe(Schema.between(2000, 2100)).annotations({ description: "A calendar year", examples: [2025] })
  },
  success: Schema.Struct({ euros: Schema.Number }),
  safety: "readOnly",
  scopes: ["ledger:read"]
}).implement(({ year }) =>
  Effect.gen(function*() {
    const ledger = yield* Ledger
    const { tenant } = yield* ToolCall.caller
    yield* ToolCall.progress({ progress: 1, total: 2, message: "Reading the ledger" })
    const euros = yield* ledger.balance(tenant, year)
    const source = yield* Evidence.source({ id: `ledger/${tenant}/${year}`, kind: "document-store" })
    return Evidence.make({ data: { euros }, confidence: 1, sources: [source] })
  })
)
// #endregion tool

// #region server
const Server = McpServer.layerTools(Toolkit.make(Balance), { name: "ledger", version: "1.0.0" })

const TestLedger = Layer.succeed(Ledger, { balance: (tenant) => Effect.succeed(tenant === "acme" ? 1200 : 0) })
// #endregion server

const call = { name: "account_balance_of_year", arguments: { year: 2025 } }

main(
  Effect.scoped(Effect.gen(function*() {
    // #region callers
    const reader = Principal.make({ id: "ada", tenant: "acme", scopes: ["ledger:read"] })
    const stranger = Principal.make({ id: "bob", tenant: "acme" })

    const ada = yield* MemoryTransport.make({ caller: reader })
    const progress = yield* Effect.fork(Stream.runCollect(Stream.take(ada.notifications, 1)))
    const balance = yield* ada.request("tools/call", { ...call, _meta: { progressToken: "t1" } })
    assert.deepEqual(Object(balance.structuredContent).data, { euros: 1200 })
    const [first] = Chunk.toReadonlyArray(yield* Fiber.join(progress))
    assert.equal(first?.params.message, "Reading the ledger")

    const bob = yield* MemoryTransport.make({ caller: stranger })
    const { tools } = yield* bob.request("tools/list")
    assert.deepEqual(tools, [])
    const refused = yield* bob.request("tools/call", call)
    assert.equal(Object(Object(refused._meta)["dev.causeway/error"]).code, "insufficient_scope")
    // #endregion callers

    console.log("Ada reads her balance; Bob does not even see the tool")
  })).pipe(Effect.provide(Server), Effect.provide(TestLedger))
)
