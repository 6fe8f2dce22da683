/**
 * Serves the benchmark's tools on standard streams; with `POLICIES=standard`
 * behind the standard policies.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Layer from "effect/Layer"
import { Server } from "./tools.js"

StdioTransport.layer.pipe(Layer.provide(Server), Layer.launch, NodeRuntime.runMain)
