/**
 * The server that the official conformance suite is run against: every fixture
 * it asks for, on 127.0.0.1 and the port in `PORT`.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Changes from "causeway-mcp/change/Changes"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Layer from "effect/Layer"
import * as Content from "./fixture/content.js"
import * as Handshake from "./fixture/handshake.js"
import * as Offered from "./fixture/offered.js"
import * as Questions from "./fixture/questions.js"
import * as Stateless from "./fixture/stateless.js"
import * as Tasks from "./fixture/tasks.js"

const tools = Toolkit.merge(
  Content.toolkit,
  Handshake.toolkit,
  Stateless.toolkit,
  Questions.toolkit,
  Tasks.toolkit
)

const server = McpServer.layerOf({ tools, resources: Offered.resources, prompts: Offered.prompts }, {
  name: "causeway-conformance",
  version: "1.0.0",
  instructions: "Fixtures of the official conformance suite",
  logging: true
})

HttpTransport.layer({ port: Number(process.env["PORT"] ?? 3000) }).pipe(
  Layer.provide(server),
  Layer.provide(Layer.merge(Changes.layerMemory, TaskStore.layerMemory)),
  Layer.launch,
  // One line for each entry: the runner reads them.
  NodeRuntime.runMain({ disablePrettyLogger: true })
)
