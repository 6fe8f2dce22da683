/**
 * Policies around a handler: tried again when that may help, ended when it takes
 * too long, and refused by the compiler where repeating would do harm.
 */
import * as Protect from "causeway-mcp/middleware/Protect"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
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

const success = Schema.Struct({ euros: Schema.Number })
let tries = 0

// #region retry
const patiently = Policy.all(Policy.retry(Backoff.quick), Policy.timeout("5 seconds"))

const Price = Tool.make("share_price_of_oskavolt", {
  description: "Gives the present share price of Oskavolt, in euros",
  success,
  safety: "readOnly"
}).implement(() =>
  Effect.suspend(() =>
    ++tries < 3 ? ToolError.unavailable({ source: "exchange" }) : Evidence.computed("price", { euros: 12.5 })
  )
).pipe(Protect.by(patiently))
// #endregion retry

// #region timeout
const Forecast = Tool.make("forecast_of_oskavolt", {
  description: "Forecasts the share price of Oskavolt a year ahead, in euros",
  success,
  safety: "readOnly"
}).implement(() => Effect.never).pipe(Protect.by(Policy.timeout("200 millis")))
// #endregion timeout

// #region effectful
const Buy = Tool.make("buy_share_of_oskavolt", {
  description: "Buys one share of Oskavolt at the present price",
  success,
  safety: "effectful"
}).implement(() => Evidence.computed("purchase", { euros: 12.5 }))

// @ts-expect-error: a tool that is not safe to repeat takes no policy that may run it twice
Buy.pipe(Protect.by(patiently))
// #endregion effectful

const Server = McpServer.layerTools(
  Toolkit.make(Price, Forecast, Buy.pipe(Protect.by(Policy.timeout("5 seconds")))),
  { name: "broker", version: "1.0.0" }
)

main(
  Effect.scoped(Effect.gen(function*() {
    const client = yield* MemoryTransport.make()
    const call = (name: string) => client.request("tools/call", { name, arguments: {} })

    const price = yield* call("share_price_of_oskavolt")
    assert.deepEqual(Object(price.structuredContent).data, { euros: 12.5 })
    assert.equal(tries, 3)

    const forecast = yield* call("forecast_of_oskavolt")
    assert.equal(Object(Object(forecast._meta)["dev.causeway/error"]).code, "timed_out")

    const bought = yield* call("buy_share_of_oskavolt")
    assert.equal(Object(bought.structuredContent).confidence, 1)

    console.log("answered at the third try; the forecast was ended after 200 ms")
  })).pipe(Effect.provide(Server))
)
