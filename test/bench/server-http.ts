/**
 * Serves the benchmark's tools over HTTP on 127.0.0.1 and the port in `PORT`;
 * with `POLICIES=standard` behind the standard policies, with
 * `POLICIES=production` for callers with a key, measured and traced too.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Layer from "effect/Layer"
import { createHash } from "node:crypto"
import { credentials } from "./data.js"
import { isProduction, Server } from "./tools.js"

const hash = createHash("sha256").update(credentials.authorization.slice("Bearer ".length)).digest("hex")
const Callers = isProduction ? ApiKeys.layer([{ hash, id: "bench", scopes: [] }]) : Layer.empty

HttpTransport.layer({ port: Number(process.env["PORT"] ?? 4100) }).pipe(
  Layer.provide([Server, Callers]),
  Layer.launch,
  NodeRuntime.runMain
)
