/**
 * A server with an evil tool that holds up the event loop, one tool of each
 * priority, and the guard that sees it. Run as a process of its own, by its port.
 */
import * as Health from "causeway-mcp/health/Health"
import * as Protect from "causeway-mcp/middleware/Protect"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import * as Overload from "causeway-mcp/policy/Overload"
import * as Policy from "causeway-mcp/policy/Policy"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { run } from "../../examples/program.js"

const [port = 0] = process.argv.slice(2).map(Number)

const text = (words: string): Tool.RawAnswer<never> => ({ content: [{ type: "text", text: words }] })

const tool = (name: string) => Tool.raw(name, { description: "Answers at once", safety: "readOnly" })

const tools = Toolkit.make(
  Tool.raw("evil_loop", {
    description: "Holds up everybody",
    safety: "readOnly",
    parameters: { ms: Schema.Number }
  }).implement(({ ms }) =>
    Effect.sync(() => {
      const end = performance.now() + ms
      while (performance.now() < end) { /* without a pause */ }
      return text("done")
    })
  ).pipe(Protect.by(Policy.priority("critical"))),
  tool("background_answer").implement(() => Effect.succeed(text("b"))).pipe(Protect.by(Policy.priority("background"))),
  tool("normal_answer").implement(() => Effect.succeed(text("n"))),
  tool("critical_answer").implement(() => Effect.succeed(text("c"))).pipe(Protect.by(Policy.priority("critical")))
)

run(
  Layer.unwrapEffect(Effect.map(OpsApp.make(), (app) => HttpTransport.layer({ port, app }))).pipe(
    Layer.provide(McpServer.layerTools(tools, { name: "pressed", version: "0.0.0" })),
    Layer.provide([Health.layer([]), Overload.layer()])
  )
)
