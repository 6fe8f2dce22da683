import { assert, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"

const Name = Tool.handle("name_of_user", {
  description: "Asks the user for a name, and gives it",
  success: Schema.Struct({ name: Schema.String }),
  safety: "readOnly",
  handler: () =>
    Effect.flatMap(
      Ask.form("What is your name?", Schema.Struct({ name: Schema.String })),
      (answer) => Evidence.computed("user", answer)
    )
})

const Server = McpServer.layerTools(Toolkit.make(Name), { name: "names", version: "1.0.0" })

// #region test
it.scoped("gives up when an older client is silent for ten minutes", () =>
  Effect.gen(function*() {
    const client = yield* MemoryTransport.make({
      revision: "2025-11-25",
      capabilities: { elicitation: {} },
      answer: () => Effect.never
    })
    const call = yield* Effect.fork(client.request("tools/call", { name: "name_of_user" }))
    yield* TestClock.adjust("10 minutes")
    const result = yield* Fiber.join(call)
    assert.isTrue(result.isError)
    assert.include(JSON.stringify(result.content), "did not answer the question in time")
  }).pipe(Effect.provide(Server)))
// #endregion test
