/** A server that has something to log before its transport is there, and a tool with a vague name. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

const GetData = Tool.handle("get_data", {
  description: "Gets the data that the tests need",
  success: Schema.Null,
  safety: "readOnly",
  handler: () => Evidence.computed("nothing", null)
})

StdioTransport.layer.pipe(
  Layer.provide(McpServer.layerTools(Toolkit.make(GetData), { name: "vague", version: "1.0.0" })),
  Layer.provide(Layer.effectDiscard(Effect.logInfo("opening the data"))),
  Layer.provide(StdioTransport.layerLogger),
  Layer.launch,
  NodeRuntime.runMain
)
