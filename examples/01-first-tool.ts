/**
 * One tool, one server. Run it with `--stdio` to serve a desktop client; without,
 * it asks itself and checks the answer.
 */
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { fileURLToPath } from "node:url"
import { main } from "./program.js"
// #region server
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

const ToFahrenheit = Tool.handle("fahrenheit_of_celsius", {
  description: "Converts a temperature from degrees Celsius to degrees Fahrenheit",
  parameters: { celsius: Schema.Number.annotations({ description: "Degrees Celsius", examples: [21] }) },
  success: Schema.Struct({ fahrenheit: Schema.Number }),
  safety: "readOnly",
  handler: ({ celsius }) => Evidence.computed("celsius-to-fahrenheit", { fahrenheit: celsius * 1.8 + 32 })
})

export const Server = McpServer.layerTools(Toolkit.make(ToFahrenheit), { name: "thermometer", version: "1.0.0" })

if (process.argv.includes("--stdio")) {
  StdioTransport.layer.pipe(
    Layer.provide(Server),
    Layer.provide(StdioTransport.layerLogger),
    Layer.launch,
    NodeRuntime.runMain
  )
}
// #endregion server

if (process.argv[1] === fileURLToPath(import.meta.url) && !process.argv.includes("--stdio")) {
  main(
    Effect.scoped(Effect.gen(function*() {
      const client = yield* MemoryTransport.make()
      const result = yield* client.request("tools/call", { name: "fahrenheit_of_celsius", arguments: { celsius: 100 } })
      assert.deepEqual(result.structuredContent, { ...Object(result.structuredContent), data: { fahrenheit: 212 } })
      console.log("100 °C is 212 °F, says the server, and names its source")
    })).pipe(Effect.provide(Server))
  )
}
