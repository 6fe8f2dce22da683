/**
 * MCP on one path of an application that is there already: the server, its port
 * and its other routes are yours.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import assert from "node:assert/strict"
import { createServer } from "node:http"
import { Server } from "./01-first-tool.js"
import { main } from "./program.js"

// #region mount
const App = Layer.unwrapScoped(Effect.gen(function*() {
  const mcp = yield* HttpTransport.route()
  return HttpServer.serve(HttpRouter.empty.pipe(
    HttpRouter.get("/orders", HttpServerResponse.unsafeJson({ orders: [] })),
    HttpRouter.all("/mcp", mcp)
  ))
})).pipe(Layer.provide(Server))

const Node = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })
// #endregion mount

const call = {
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: {
    name: "fahrenheit_of_celsius",
    arguments: { celsius: 100 },
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {}
    }
  }
}

main(
  HttpServer.addressWith((address) =>
    Effect.gen(function*() {
      const origin = `http://127.0.0.1:${address._tag === "TcpAddress" ? address.port : 0}`
      const ask = (path: string, init?: RequestInit) =>
        Effect.promise(async (): Promise<unknown> => (await fetch(`${origin}${path}`, init)).json())

      assert.deepEqual(yield* ask("/orders"), { orders: [] })

      const reply = yield* ask("/mcp", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": "tools/call",
          "mcp-name": "fahrenheit_of_celsius"
        },
        body: JSON.stringify(call)
      })
      assert.deepEqual(Object(Object(reply).result).structuredContent.data, { fahrenheit: 212 })

      console.log("Orders on one path, MCP on another")
    })
  ).pipe(Effect.provide(App.pipe(Layer.provideMerge(Node))))
)
