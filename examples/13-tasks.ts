/**
 * Calls that take longer than anyone wants to wait: a client that knows tasks
 * gets an id at once and the result later; any other client waits.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as PgTaskStore from "causeway-mcp/task/PgTaskStore"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import { main } from "./program.js"

// #region tool
const Report = Tool.make("report_of_year", {
  description: "Writes the report of a year, which takes a while",
  parameters: { year: Schema.Int.annotations({ description: "A calendar year" }) },
  success: Schema.Struct({ report: Schema.String }),
  safety: "readOnly",
  task: "optional"
}).implement(({ year }) =>
  Effect.sleep("300 millis").pipe(
    Effect.zipRight(Evidence.computed("report-writer", { report: `Nothing happened in ${year}.` }))
  )
)
// #endregion tool

// #region told
const Sum = Tool.make("sum_of_entries", {
  description: "Adds up the entries of a ledger, which takes a while when there are many",
  parameters: { entries: Schema.Int.pipe(Schema.between(1, 1000)).annotations({ description: "How many" }) },
  success: Schema.Struct({ sum: Schema.Number }),
  safety: "readOnly",
  task: "optional",
  taskBegins: "whenTold"
}).implement(({ entries }) =>
  Effect.gen(function*() {
    if (entries > 100) yield* ToolCall.continueAsTask
    yield* Effect.sleep(`${entries} millis`)
    return yield* Evidence.computed("adding-up", { sum: entries * (entries + 1) / 2 })
  })
)
// #endregion told

// #region server
const Reports = McpServer.layerTools(Toolkit.make(Report, Sum), {
  name: "reports",
  version: "1.0.0",
  tasks: { timeToLive: "1 hour", pollInterval: "50 millis" }
})

const Server = Reports.pipe(Layer.provide(TaskStore.layerMemory))

export const OnPostgres = Reports.pipe(
  Layer.provide(PgTaskStore.layer),
  Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
)
// #endregion server

const call = { name: "report_of_year", arguments: { year: 1900 } }

main(
  Effect.scoped(Effect.gen(function*() {
    // #region client
    const capabilities = { extensions: { "io.modelcontextprotocol/tasks": {} } }
    const client = yield* MemoryTransport.make({ capabilities })
    const { resultType, status, taskId } = yield* client.request("tools/call", call)
    assert.deepEqual([resultType, status], ["task", "working"])

    const done = yield* client.request("tasks/get", { taskId }).pipe(
      Effect.filterOrFail((task) => task.status !== "working"),
      Effect.retry(Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(100)))
    )
    assert.equal(done.status, "completed")
    assert.match(JSON.stringify(done.result), /Nothing happened in 1900/)
    // #endregion client

    const patient = yield* MemoryTransport.make()
    const waited = yield* patient.request("tools/call", call)
    assert.match(JSON.stringify(waited.structuredContent), /Nothing happened in 1900/)

    const few = yield* client.request("tools/call", { name: "sum_of_entries", arguments: { entries: 10 } })
    assert.equal(Object(Object(few.structuredContent).data).sum, 55)
    const many = yield* client.request("tools/call", { name: "sum_of_entries", arguments: { entries: 200 } })
    assert.equal(many.resultType, "task")

    console.log("A task for the client that knows tasks, an answer for the one that waits")
  })).pipe(Effect.provide(Server))
)
