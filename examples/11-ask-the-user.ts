/**
 * Tools that ask the user in the middle of a call, written once: clients of
 * 2026-07-28 get the question in the result, older ones in a request.
 */
import * as Ask from "causeway-mcp/ask/Ask"
import * as RedisPendingAsks from "causeway-mcp/ask/RedisPendingAsks"
import * as Sealer from "causeway-mcp/auth/Sealer"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as ToolError from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import { main } from "./program.js"

let quotes = 0
/** Prices change: two quotes of one order differ. */
const quote = (units: number) => Effect.sync(() => units * 10 + quotes++)

/** Filled by the page that the user signs in on. */
const calendars = new Map<string, string>()

// #region tool
const Order = Tool.make("order_of_units", {
  description: "Orders units of a good after the user has confirmed the price, and gives the order",
  parameters: { units: Schema.Int.pipe(Schema.between(1, 1000)).annotations({ description: "How many" }) },
  success: Schema.Struct({ units: Schema.Number, euros: Schema.Number }),
  safety: "effectful",
  isDestructive: false
}).implement(({ units }) =>
  Effect.gen(function*() {
    // The call is run again when the answer has come; a step is not.
    const euros = yield* Ask.step("quote", quote(units))
    const { confirmed } = yield* Ask.form(
      `Order ${units} units for ${euros} euros?`,
      Schema.Struct({ confirmed: Schema.Boolean.annotations({ title: "Order now" }) })
    )
    return yield* Evidence.computed("order-book", { units: confirmed ? units : 0, euros: confirmed ? euros : 0 })
  })
)
// #endregion tool

// #region link
const Connection = Tool.make("connected_calendar", {
  description: "Lets the user connect a calendar by signing in to it, and gives the name of the calendar",
  success: Schema.Struct({ calendar: Schema.String }),
  safety: "idempotent"
}).implement(() =>
  Effect.gen(function*() {
    const { id } = yield* ToolCall.caller
    if (!calendars.has(id)) {
      yield* Ask.url("Sign in to your calendar", "https://calendar.example/connect", { key: "sign-in" })
    }
    // The answer says that the user consents to open the link, not that the sign-in is done.
    const calendar = calendars.get(id)
    if (calendar === undefined) {
      return yield* ToolError.unavailable({
        source: "calendar",
        message: "The user has not finished signing in. Call again when that is done."
      })
    }
    return yield* Evidence.computed("calendars", { calendar })
  })
)
// #endregion link

const tools = Toolkit.make(Order, Connection)
const Server = McpServer.layerTools(tools, { name: "orders", version: "1.0.0" })

// #region instances
export const OneOfSeveral = Layer.unwrapEffect(Effect.gen(function*() {
  const secret = yield* Config.redacted("SEALER_SECRET")
  const sealer = yield* Sealer.make([secret])
  return McpServer.layerTools(tools, { name: "orders", version: "1.0.0", sealer })
})).pipe(Layer.provide(RedisPendingAsks.layerConfig({ url: Config.redacted("REDIS_URL") })))
// #endregion instances

const call = { name: "order_of_units", arguments: { units: 3 } }
const capabilities = { elicitation: { form: {}, url: {} } }

main(
  Effect.scoped(Effect.gen(function*() {
    // #region client
    const asked: Array<unknown> = []
    const confirm = (_method: string, params: { readonly [key: string]: unknown }) =>
      Effect.sync(() => {
        asked.push(params.message)
        return { action: "accept", content: { confirmed: true } }
      })

    for (const revision of ["2026-07-28", "2025-11-25"]) {
      const client = yield* MemoryTransport.make({ revision, capabilities, answer: confirm })
      const result = yield* client.request("tools/call", call)
      assert.equal(Object(Object(result.structuredContent).data).units, 3)
    }
    assert.deepEqual(asked, ["Order 3 units for 30 euros?", "Order 3 units for 31 euros?"])
    // #endregion client

    // #region declined
    const no = yield* MemoryTransport.make({ capabilities, answer: () => Effect.succeed({ action: "decline" }) })
    const refused = yield* no.request("tools/call", call)
    assert.equal(Object(Object(refused._meta)["dev.causeway/error"]).code, "declined")
    // #endregion declined

    const signIn = () => Effect.as(Effect.sync(() => calendars.set("local", "Ada's")), { action: "accept" })
    const guest = yield* MemoryTransport.make({ capabilities, answer: signIn })
    const { structuredContent } = yield* guest.request("tools/call", { name: "connected_calendar" })
    assert.deepEqual(Object(structuredContent).data, { calendar: "Ada's" })

    console.log("Asked in both eras, priced once for each call, and a no is a no")
  })).pipe(Effect.provide(Server))
)
