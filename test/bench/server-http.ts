/**
 * Serves the benchmark's tools over HTTP on 127.0.0.1 and the port in `PORT`;
 * with `POLICIES=standard` behind the standard policies.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Layer from "effect/Layer"
import { Server } from "./tools.js"

HttpTransport.layer({ port: Number(process.env["PORT"] ?? 4100) }).pipe(
  Layer.provide(Server),
  Layer.launch,
  NodeRuntime.runMain
)
