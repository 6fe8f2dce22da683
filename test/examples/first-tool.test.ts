// #region test
import { assert, it } from "@effect/vitest"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import { Server } from "../../examples/01-first-tool.js"

it.scoped("converts a temperature, with its source", () =>
  Effect.gen(function*() {
    const client = yield* MemoryTransport.make()
    const result = yield* client.request("tools/call", { name: "fahrenheit_of_celsius", arguments: { celsius: 100 } })
    assert.deepInclude(result.structuredContent, { data: { fahrenheit: 212 }, confidence: 1 })
  }).pipe(Effect.provide(Server)))
// #endregion test
