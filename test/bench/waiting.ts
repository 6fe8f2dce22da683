/**
 * A server to be measured from inside: its tools wait, and a parent process can
 * have its garbage collected and its heap read. With `bare` it is `node:http`
 * alone, which answers a POST and holds a GET open.
 *
 * @since 0.1.0
 */
import * as Changes from "causeway-mcp/change/Changes"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { createServer } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"

/**
 * What the server knows of itself after a full collection. Sizes in bytes.
 *
 * @since 0.1.0
 */
export interface State {
  readonly heap: number
  readonly external: number
  readonly resident: number
  readonly begun: number
  readonly ended: number
  readonly interrupted: number
}

const calls = { begun: 0, ended: 0, interrupted: 0 }

const wait = Tool.raw("wait", {
  description: "Reports progress once and then waits as long as it is told",
  parameters: { millis: Schema.Number },
  safety: "readOnly"
}).implement(({ millis }) =>
  Effect.gen(function*() {
    calls.begun++
    yield* ToolCall.progress({ progress: 1 })
    yield* Effect.sleep(millis)
    calls.ended++
    return { content: [{ type: "text" as const, text: "waited" }] }
  }).pipe(Effect.onInterrupt(() => Effect.sync(() => calls.interrupted++)))
)

const server = (port: number) =>
  HttpTransport.layer({ port, idleTimeout: "1 hour" }).pipe(
    Layer.provide(McpServer.layerTools(Toolkit.make(wait), { name: "bench", version: "1.0.0" })),
    Layer.provide(Changes.layerMemory)
  )

const bare = (port: number): void => {
  const held = createServer((request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
      response.write(": open\n\n")
    } else request.resume().on("end", () => response.writeHead(202, { "content-length": 0 }).end())
  })
  held.keepAliveTimeout = 3_600_000
  held.listen(port, "127.0.0.1")
}

/** Collects until nothing more is freed: finalisers run between two collections. */
const settled = async (): Promise<State> => {
  let heap = Infinity
  for (let round = 0; round < 20; round++) {
    await sleep(100)
    globalThis.gc?.()
    const { heapUsed } = process.memoryUsage()
    if (round > 3 && heap - heapUsed < 10_000) break
    heap = heapUsed
  }
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, external, resident: rss, ...calls }
}

const [, , kind, port] = process.argv
if (kind === "bare") bare(Number(port))
else Effect.runFork(Layer.launch(server(Number(port))))

process.on("message", () => {
  void settled().then((state) => process.send?.(state))
})
process.on("disconnect", () => process.exit(0))
