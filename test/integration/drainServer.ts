/**
 * A small server as an operator runs it: two tools, announcements of changes, the
 * operator's pages on both ports. Run as a process of its own, by ports.
 */
import * as Changes from "causeway-mcp/change/Changes"
import * as Health from "causeway-mcp/health/Health"
import * as Lifecycle from "causeway-mcp/health/Lifecycle"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import * as OpsServer from "causeway-mcp/ops/OpsServer"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { run } from "../../examples/program.js"

const [port = 0, opsPort = 0, lameDuck = 0] = process.argv.slice(2).map(Number)

const parameters = { ms: Schema.Number }

const tools = Toolkit.make(
  Tool.raw("price_of_company", { description: "Waits, then says a price", safety: "readOnly", parameters }).implement(
    ({ ms }) => Effect.as(Effect.sleep(ms), { content: [{ type: "text", text: "42.00" }] })
  ),
  Tool.raw("order_of_shares", { description: "Waits, then orders", safety: "effectful", parameters }).implement(
    ({ ms }) => {
      process.stderr.write(`ordered ${ms}\n`)
      return Effect.as(Effect.sleep(ms), { content: [{ type: "text", text: "ordered" }] })
    }
  )
)

const Server = McpServer.layerTools(tools, { name: "drained", version: "0.0.0" }).pipe(
  Layer.provide(Changes.layerMemory)
)

run(
  Layer.unwrapEffect(Effect.map(OpsApp.make(), (app) =>
    HttpTransport.layer({ port, app, lameDuck }).pipe(
      Layer.provide(OpsServer.layer(app, { port: opsPort }))
    ))).pipe(
      Layer.provide([Server, Health.layer([]), Lifecycle.layer])
    )
)
