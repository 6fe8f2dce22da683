/**
 * One server, carried in three ways. Give `stdio` or `http` to serve; without,
 * the program asks over memory and over HTTP and compares the answers.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import assert from "node:assert/strict"
import { Server } from "./01-first-tool.js"
import { main } from "./program.js"

// #region programs
const overStdio = StdioTransport.layer.pipe(Layer.provide(Server), Layer.launch)

const overHttp = HttpTransport.layer({ port: 3333 }).pipe(Layer.provide(Server), Layer.launch)
// #endregion programs

const call = { name: "fahrenheit_of_celsius", arguments: { celsius: 100 } }

// #region memory
const askInMemory = Effect.gen(function*() {
  const client = yield* MemoryTransport.make()
  return yield* client.request("tools/call", call)
})
// #endregion memory

// #region http
const askOverHttp = Effect.gen(function*() {
  const { url } = yield* HttpTransport.make({ port: 0 }) // any free port
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {}
  }
  const reply = yield* Effect.promise(() =>
    fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": call.name
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { ...call, _meta } })
    })
  )
  assert.equal(reply.status, 200)
  const message: unknown = yield* Effect.promise(() => reply.json())
  return Object(Object(message).result)
})
// #endregion http

const compare = Effect.scoped(Effect.gen(function*() {
  const answers = yield* Effect.all([askInMemory, askOverHttp])
  for (const { structuredContent } of answers) {
    assert.deepEqual(Object(structuredContent).data, { fahrenheit: 212 })
    assert.equal(Object(structuredContent).confidence, 1)
  }
  console.log("212 °F over memory and over HTTP")
})).pipe(Effect.provide(Server))

const [way] = process.argv.slice(2)
if (way === "stdio" || way === "http") NodeRuntime.runMain(way === "stdio" ? overStdio : overHttp)
else main(compare)
