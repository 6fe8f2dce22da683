/**
 * A small server for those who mean ill, as a process of its own whose id a tool
 * tells: by its port over HTTP, or with `--stdio`.
 */
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { run } from "../../examples/program.js"

const text = (words: string): Tool.RawAnswer<never> => ({ content: [{ type: "text", text: words }] })

const about = { description: "Serves the hostile tests", safety: "readOnly" } as const

const tools = Toolkit.make(
  Tool.raw("echo", { ...about, parameters: { text: Schema.String } }).implement((input) =>
    Effect.succeed(text(`${input.text} of ${process.pid}`))
  ),
  Tool.raw("later", { ...about, parameters: { text: Schema.String } }).implement((input) =>
    Effect.as(Effect.sleep(Math.random() * 4), text(`${input.text} of ${process.pid}`))
  )
)

const Server = McpServer.layerTools(tools, { name: "hostile", version: "0.0.0" })

const isPipe = process.argv.includes("--stdio")

run(
  (isPipe
    ? StdioTransport.layer
    : HttpTransport.layer({
      port: Number(process.argv[2]),
      headersTimeout: "2 seconds",
      requestTimeout: "3 seconds",
      drain: "1 second"
    })).pipe(
      Layer.provide(Server),
      Layer.provide(isPipe ? StdioTransport.layerLogger : Logger.remove(Logger.defaultLogger))
    )
)
