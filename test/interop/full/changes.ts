/**
 * The full server's tools that change what it offers while it runs, and tell
 * that something changed.
 */
import { Changes } from "causeway-mcp/change/Changes"
import * as McpPrompt from "causeway-mcp/prompt/McpPrompt"
import { PromptRegistry } from "causeway-mcp/prompt/PromptRegistry"
import * as McpResource from "causeway-mcp/resource/McpResource"
import { ResourceRegistry } from "causeway-mcp/resource/ResourceRegistry"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import { ToolRegistry } from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { said } from "../../conformance/fixture/media.js"

const Kind = Schema.Literal("tool", "resource", "prompt")
const Item = { kind: Kind, name: Schema.String }

const update = Tool.raw("update_of_resource", {
  description: "Tells that the content of a resource is another now",
  safety: "idempotent",
  parameters: { uri: Schema.String }
}).implement(({ uri }) =>
  Effect.gen(function*() {
    const changes = yield* Changes
    yield* changes.publish({ _tag: "ResourceUpdated", uri })
    return said("told")
  })
)

const added = Tool.raw("item_added", {
  description: "Offers one thing more of a kind",
  safety: "idempotent",
  parameters: Item
}).implement(({ kind, name }) =>
  Effect.gen(function*() {
    const tools = yield* ToolRegistry
    const resources = yield* ResourceRegistry
    const prompts = yield* PromptRegistry
    switch (kind) {
      case "tool":
        yield* tools.add(Toolkit.make(
          Tool.raw(name, { description: "A tool of a moment", safety: "readOnly" }).implement(() =>
            Effect.succeed(said(name))
          )
        ))
        break
      case "resource":
        yield* resources.add(
          McpResource.make(`full://${name}`, { name, read: () => Effect.succeed(McpResource.text(name)) })
        )
        break
      case "prompt":
        yield* prompts.add(
          McpPrompt.make(name, {
            description: "A prompt of a moment",
            messages: () => Effect.succeed(McpPrompt.user(name))
          })
        )
    }
    return said("added")
  }).pipe(Effect.orDie)
)

const removed = Tool.raw("item_removed", {
  description: "Takes away what was added",
  safety: "idempotent",
  parameters: Item
}).implement(({ kind, name }) =>
  Effect.gen(function*() {
    const tools = yield* ToolRegistry
    const resources = yield* ResourceRegistry
    const prompts = yield* PromptRegistry
    switch (kind) {
      case "tool":
        yield* tools.remove(name)
        break
      case "resource":
        yield* resources.remove(`full://${name}`)
        break
      case "prompt":
        yield* prompts.remove(name)
    }
    return said("removed")
  })
)

/** These need the registries that they are in, so they are added when those are there. */
export const toolkit = Toolkit.make(update, added, removed)
