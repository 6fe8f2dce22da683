/**
 * The full server as a program: `--stdio` on standard streams, else over HTTP on
 * the port in `PORT`. Its journal goes to standard error.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Layer from "effect/Layer"
import * as FullServer from "./full-server.js"
import * as Journal from "./full/Journal.js"

process.on("exit", (code) => process.stderr.write(`${Journal.mark}process exited ${code}\n`))

const Transport = process.argv.includes("--stdio")
  ? StdioTransport.layer
  : HttpTransport.layer({ port: Number(process.env["PORT"] ?? 0) })

Transport.pipe(
  Layer.provide(FullServer.layer),
  Layer.provide(Journal.layerStderr),
  Layer.provide(StdioTransport.layerLogger),
  Layer.launch,
  NodeRuntime.runMain
)
