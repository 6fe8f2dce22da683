/**
 * The official SDK's client, version 1, asks this library's server over one of
 * the SDK's own transports.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import * as SdkTransport from "causeway-mcp/transport/SdkTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import assert from "node:assert/strict"
import { Server } from "./01-first-tool.js"
import { main } from "./program.js"

// #region client
const ask = Effect.gen(function*() {
  const [near, far] = InMemoryTransport.createLinkedPair()
  yield* Layer.build(SdkTransport.layer(far))

  const client = new Client({ name: "thermometer-reader", version: "1.0.0" })
  yield* Effect.acquireRelease(
    Effect.promise(() => client.connect(near)),
    () => Effect.promise(() => client.close())
  )
  const { tools } = yield* Effect.promise(() => client.listTools())
  const result = yield* Effect.promise(() =>
    client.callTool({ name: "fahrenheit_of_celsius", arguments: { celsius: -40 } })
  )
  return { names: tools.map((tool) => tool.name), result }
})
// #endregion client

main(
  Effect.scoped(Effect.gen(function*() {
    const { names, result } = yield* ask
    assert.deepEqual(names, ["fahrenheit_of_celsius"])
    assert.notEqual(result.isError, true)
    assert.deepEqual(Object(result.structuredContent).data, { fahrenheit: -40 })
    console.log("-40 °C is -40 °F, says the server to the SDK's client")
  })).pipe(Effect.provide(Server))
)
