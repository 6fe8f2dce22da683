/**
 * The full server's tools that need nothing but the call: structured answers,
 * every kind of content, failures, progress, the log, and waiting.
 */
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { audio, image, said, text } from "../../conformance/fixture/media.js"
import * as Journal from "./Journal.js"

export const Key = Schema.String.annotations({ description: "Under what to note in the journal" })

const sum = Tool.make("sum_of_numbers", {
  title: "Sum",
  description: "Adds numbers, and gives their sum and how many there were",
  parameters: { numbers: Schema.Array(Schema.Number) },
  success: Schema.Struct({ sum: Schema.Number, count: Schema.Int, first: Schema.optional(Schema.Number) }),
  safety: "readOnly"
}).implement(({ numbers }) =>
  Evidence.computed("adder", {
    sum: numbers.reduce((left, right) => left + right, 0),
    count: numbers.length,
    first: numbers[0]
  })
)

const blocks = Tool.raw("blocks_of_every_kind", {
  description: "Answers one block of each kind there is",
  safety: "readOnly"
}).implement(() =>
  Effect.succeed({
    content: [
      text("a text"),
      image,
      audio,
      { type: "resource_link", uri: "full://greeting", name: "greeting", mimeType: "text/plain" },
      { type: "resource", resource: { uri: "full://inside", mimeType: "text/plain", text: "inside" } }
    ]
  })
)

const failure = Tool.make("failure_in_words", {
  description: "Fails on every call, and says that there is no such thing",
  success: Schema.Struct({ never: Schema.String }),
  safety: "readOnly"
}).implement(() => Effect.fail(new ToolError({ code: "not_found", message: "There is no such thing here." })))

const region = Tool.raw("region_of_header", {
  description: "Takes a region that gateways can read in a header",
  safety: "readOnly",
  parameters: { key: Key, region: Schema.String },
  headers: { region: "Region" }
}).implement(({ key, region }) => Effect.as(Journal.note(key, `region ${region}`), said(region)))

const steps = Tool.raw("steps_with_progress", {
  description: "Takes some steps, and tells after each how far it has come",
  safety: "readOnly",
  parameters: { key: Key, steps: Schema.Int.pipe(Schema.between(1, 10)) }
}).implement(({ key, steps }) =>
  Effect.gen(function*() {
    for (let step = 1; step <= steps; step++) {
      yield* ToolCall.progress({ progress: step, total: steps, message: `step ${step}` })
      yield* Journal.note(key, `step ${step}`)
      yield* Effect.sleep("20 millis")
    }
    return said(`${steps} steps`)
  })
)

const log = Tool.raw("lines_in_the_log", {
  description: "Offers a line to the client's log at four levels",
  safety: "readOnly"
}).implement(() =>
  Effect.gen(function*() {
    yield* ToolCall.log("debug", "at debug")
    yield* ToolCall.log("info", { at: "info" })
    yield* ToolCall.log("warning", "at warning", "full")
    yield* ToolCall.log("error", "at error")
    return said("Four lines were offered.")
  })
)

const endless = Tool.raw("endless_wait", {
  description: "Never answers, and notes when it is interrupted",
  safety: "readOnly",
  parameters: { key: Key }
}).implement(({ key }) => Journal.endless(key))

const slow = Tool.raw("slow_words", {
  description: "Answers after some milliseconds, and notes that it did",
  safety: "readOnly",
  parameters: { key: Key, ms: Schema.Int.pipe(Schema.between(0, 10_000)) }
}).implement(({ key, ms }) =>
  Effect.gen(function*() {
    yield* Journal.note(key, "began")
    yield* Effect.onInterrupt(Effect.sleep(ms), () => Journal.note(key, "interrupted"))
    yield* Journal.note(key, "finished")
    return said("slowly")
  })
)

export const toolkit = Toolkit.make(sum, blocks, failure, region, steps, log, endless, slow)
