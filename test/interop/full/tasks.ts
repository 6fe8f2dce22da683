/**
 * The full server's tools that may be, or must be, tasks.
 */
import * as Ask from "causeway-mcp/ask/Ask"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { said } from "../../conformance/fixture/media.js"
import { Key } from "./calls.js"
import * as Journal from "./Journal.js"
import { Name } from "./questions.js"

const report = Tool.make("report_of_year", {
  description: "Writes the report of a year, which takes a while",
  parameters: { key: Key, year: Schema.Int },
  success: Schema.Struct({ report: Schema.String }),
  safety: "readOnly",
  task: "optional"
}).implement(({ key, year }) =>
  Effect.gen(function*() {
    yield* Effect.sleep("50 millis")
    yield* Journal.note(key, "written")
    return yield* Evidence.computed("report-writer", { report: `Nothing happened in ${year}.` })
  })
)

const signed = Tool.raw("report_with_name", {
  description: "Asks, as a task, who signs a report",
  parameters: { key: Key },
  safety: "readOnly",
  task: "required"
}).implement(({ key }) =>
  Effect.gen(function*() {
    const { name } = yield* Ask.form("Who signs?", Name)
    yield* Journal.note(key, `signed ${name}`)
    return said(`signed by ${name}`)
  })
)

const endless = Tool.raw("report_without_end", {
  description: "Never is finished, and notes when it is interrupted",
  parameters: { key: Key },
  safety: "readOnly",
  task: "required"
}).implement(({ key }) => Journal.endless(key))

export const toolkit = Toolkit.make(report, signed, endless)
