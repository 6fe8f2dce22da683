/**
 * An application of somebody else's, on a Node server, with MCP on one of its paths.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import type { Server } from "node:http"

/** Takes the route's scope for its own: the server closes after it. */
export const start = (options?: HttpTransport.RouteOptions) =>
  Effect.gen(function*() {
    let node: Server | undefined
    const platform = yield* Layer.build(NodeHttpServer.layer(() => {
      node = createServer()
      return node
    }, { port: 0, host: "127.0.0.1" }))
    // The platform's server would wait for the clients to leave.
    yield* Effect.addFinalizer(() => Effect.sync(() => node?.closeAllConnections()))
    const mcp = yield* HttpTransport.route(options)
    const router = HttpRouter.empty.pipe(
      HttpRouter.all("/mcp", mcp),
      HttpRouter.all("/.well-known/*", yield* HttpTransport.routeMetadata),
      HttpRouter.get("/hello", HttpServerResponse.text("hello"))
    )
    yield* Effect.provide(HttpServer.serveEffect(router), platform)
    const { address } = Context.get(platform, HttpServer.HttpServer)
    const port = address._tag === "TcpAddress" ? address.port : 0
    return { port, url: `http://127.0.0.1:${port}/mcp` }
  })
