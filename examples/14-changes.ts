/**
 * Telling clients what changed: a resource that was updated, a tool that was
 * added while the server runs.
 */
import * as Changes from "causeway-mcp/change/Changes"
import * as RedisChanges from "causeway-mcp/change/RedisChanges"
import * as McpResource from "causeway-mcp/resource/McpResource"
import * as ResourceRegistry from "causeway-mcp/resource/ResourceRegistry"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import { main } from "./program.js"

let price = 40

const Price = McpResource.make("market://price/acme", {
  name: "price_of_acme",
  mimeType: "application/json",
  read: () => Effect.sync(() => McpResource.json({ euros: price }))
})

// #region publish
const Correct = Tool.make("corrected_price", {
  description: "Corrects the price of acme, and gives it",
  parameters: { euros: Schema.Number },
  success: Schema.Struct({ euros: Schema.Number }),
  safety: "idempotent"
}).implement(({ euros }) =>
  Effect.gen(function*() {
    const changes = yield* Changes.Changes
    price = euros
    yield* changes.publish({ _tag: "ResourceUpdated", uri: "market://price/acme" })
    return yield* Evidence.computed("price-list", { euros })
  })
)
// #endregion publish

// #region server
const Registries = Layer.merge(ToolRegistry.layer(Toolkit.make(Correct)), ResourceRegistry.layer([Price]))

const Prices = McpServer.layer({ name: "prices", version: "1.0.0" }).pipe(Layer.provideMerge(Registries))

const Server = Prices.pipe(Layer.provide(Changes.layerMemory))

export const OneOfSeveral = Prices.pipe(
  Layer.provide(RedisChanges.layerConfig({ url: Config.redacted("REDIS_URL") }))
)
// #endregion server

const Forecast = Tool.handle("forecast_of_acme", {
  description: "Forecasts the price of acme a year ahead, in euros",
  success: Schema.Struct({ euros: Schema.Number }),
  safety: "readOnly",
  handler: () => Evidence.computed("forecast", { euros: price * 1.1 })
})

main(
  Effect.scoped(Effect.gen(function*() {
    const client = yield* MemoryTransport.make()
    const heard = yield* Effect.fork(Stream.runCollect(Stream.take(client.notifications, 3)))
    // #region listen
    const listening = yield* Effect.fork(
      client.request("subscriptions/listen", {
        notifications: { toolsListChanged: true, resourceSubscriptions: ["market://price/acme"] }
      })
    )
    // #endregion listen
    yield* Effect.yieldNow()
    yield* client.request("tools/call", { name: "corrected_price", arguments: { euros: 42 } })

    // #region add
    const registry = yield* ToolRegistry.ToolRegistry
    yield* registry.add(Toolkit.make(Forecast))
    // #endregion add

    // #region heard
    const [acknowledged, updated, added] = [...yield* Fiber.join(heard)]
    assert.equal(acknowledged?.method, "notifications/subscriptions/acknowledged")
    assert.equal(updated?.method, "notifications/resources/updated")
    assert.equal(updated.params.uri, "market://price/acme")
    assert.equal(added?.method, "notifications/tools/list_changed")
    // #endregion heard
    yield* Fiber.interrupt(listening)

    const { tools } = yield* client.request("tools/list")
    assert.equal(JSON.stringify(tools).includes("forecast_of_acme"), true)
    console.log("The client heard of a new price and of a new tool")
  })).pipe(Effect.provide(Server))
)
