/**
 * A server of everything the library can serve, made of its public API: what the
 * official clients are tried against.
 */
import * as Changes from "causeway-mcp/change/Changes"
import * as PromptRegistry from "causeway-mcp/prompt/PromptRegistry"
import * as ResourceRegistry from "causeway-mcp/resource/ResourceRegistry"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Calls from "./full/calls.js"
import * as Growing from "./full/changes.js"
import * as Offered from "./full/offered.js"
import * as Questions from "./full/questions.js"
import * as Tasks from "./full/tasks.js"

/** Items in one page of each list: less than there are of any kind but templates. */
export const pageSize = 3

export const instructions = "Everything at once, for the official clients"

/** The tools that are always there, in the order of the list. */
const toolkit = Toolkit.merge(Calls.toolkit, Questions.toolkit, Tasks.toolkit)

export const toolNames: ReadonlyArray<string> = [...toolkit.handlers, ...Growing.toolkit.handlers].map(
  ({ tool }) => tool.name
)

const Registries = Layer.effectDiscard(
  Effect.flatMap(ToolRegistry.ToolRegistry, (registry) => registry.add(Growing.toolkit))
).pipe(
  Layer.provideMerge(Layer.mergeAll(
    ToolRegistry.layer(toolkit),
    ResourceRegistry.layer(Offered.resources),
    PromptRegistry.layer(Offered.prompts)
  ))
)

export const layer = McpServer.layer({
  name: "full",
  version: "1.0.0",
  title: "Everything",
  instructions,
  pageSize,
  logging: true,
  tasks: { pollInterval: "20 millis" }
}).pipe(
  Layer.provide(Registries),
  Layer.provide(Layer.merge(Changes.layerMemory, TaskStore.layerMemory))
)
