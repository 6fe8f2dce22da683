/**
 * Serves three tools that compute for `WORK_MS`, one of each priority, and one
 * that answers at once, over HTTP on 127.0.0.1 and the port in `PORT`. With
 * `WAIT_MS` they wait first, as for a store. `OVERLOAD=off` leaves out the guard.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Protect from "causeway-mcp/middleware/Protect"
import * as Overload from "causeway-mcp/policy/Overload"
import * as Policy from "causeway-mcp/policy/Policy"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

const workMs = Number(process.env["WORK_MS"] ?? 5)
const waitMs = Number(process.env["WAIT_MS"] ?? 0)

const answer: Tool.RawAnswer<never> = { content: [{ type: "text", text: "done" }] }

const compute = Effect.sync(() => {
  const end = performance.now() + workMs
  while (performance.now() < end) { /* computes */ }
  return answer
})

const work = waitMs > 0 ? Effect.zipRight(Effect.sleep(waitMs), compute) : compute

const priorities = ["background", "normal", "critical"] as const

const [first, ...rest] = priorities.map((priority) =>
  Tool.raw(`sums_${priority}`, { description: "Computes for a while", safety: "readOnly" })
    .implement(() => work)
    .pipe(Protect.by(Policy.priority(priority)))
)
if (first === undefined) throw new Error("there are three")

const quick = Tool.raw("quick_answer", { description: "Answers at once", safety: "readOnly" })
  .implement(() => Effect.succeed(answer))

HttpTransport.layer({ port: Number(process.env["PORT"] ?? 4100) }).pipe(
  Layer.provide(
    McpServer.layerTools(Toolkit.make(first, ...rest, quick), {
      name: "pressed",
      version: "0.0.0",
      policy: Policy.standard
    })
  ),
  Layer.provide(process.env["OVERLOAD"] === "off" ? Layer.empty : Overload.layer()),
  Layer.provide(process.env["LOGS"] === "on" ? Layer.empty : Logger.remove(Logger.defaultLogger)),
  Layer.launch,
  NodeRuntime.runMain
)
