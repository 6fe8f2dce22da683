/**
 * What a server tells of its calls: figures, an audit, a trace that goes on with
 * the client's, and lines of JSON that nobody can break.
 */
import * as Annotate from "causeway-mcp/middleware/Annotate"
import * as Audit from "causeway-mcp/middleware/Audit"
import * as Measure from "causeway-mcp/middleware/Measure"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Trace from "causeway-mcp/middleware/Trace"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as JsonLogger from "causeway-mcp/telemetry/JsonLogger"
import * as Metered from "causeway-mcp/telemetry/Metered"
import * as Prometheus from "causeway-mcp/telemetry/Prometheus"
import * as TraceContext from "causeway-mcp/telemetry/TraceContext"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import assert from "node:assert/strict"
import { main } from "./program.js"

// #region metered
class Tides extends Context.Tag("example/Tides")<Tides, {
  readonly at: (port: string) => Effect.Effect<number, ToolError>
}>() {}

const heights = new Map([["Esbjerg", 1.7], ["Hamburg", 2.1]])

const TidesLayer = Layer.succeed(Tides, {
  at: (port) =>
    Effect.fromNullable(heights.get(port)).pipe(
      Effect.mapError(() => new ToolError({ code: "not_found", message: `There is no port ${port}.` }))
    )
}).pipe(Metered.layer(Tides, "tides"))
// #endregion metered

const seen: Array<TraceContext.TraceContext | undefined> = []

const Tide = Tool.make("tide_at_port", {
  description: "Gives the height of the tide at a port, in metres",
  parameters: { port: Schema.String },
  success: Schema.Struct({ metres: Schema.Number }),
  safety: "readOnly"
}).implement(({ port }) =>
  Effect.gen(function*() {
    const metres = yield* (yield* Tides).at(port)
    yield* Effect.logInfo("the tide is known")
    // #region onward
    const span = yield* Effect.option(Effect.currentParentSpan)
    const context = Option.getOrUndefined(Option.map(span, TraceContext.fromSpan))
    const meta = context === undefined ? {} : TraceContext.toMeta(context)
    // #endregion onward
    seen.push(TraceContext.fromMeta(meta))
    return yield* Evidence.computed("tide table", { metres })
  })
)

const events: Array<Audit.Event> = []

// #region audit
const AuditLayer = Audit.layer((batch) => Effect.sync(() => events.push(...batch)), { onFull: "refuse" })
// #endregion audit

// #region observers
const Observers = Observer.layer(Measure.observer, Audit.observer(), Trace.observer, Annotate.observer)
// #endregion observers

const Server = McpServer.layerTools(Toolkit.make(Tide), { name: "tides", version: "1.0.0" }).pipe(
  Layer.provide([TidesLayer, Observers.pipe(Layer.provide(AuditLayer))])
)

const lines: Array<string> = []

/** Stands for a collector: it gives spans ids, and keeps nothing. */
const tracer = Tracer.make({
  span: (name, parent, context, links, startTime, kind) => ({
    ...{ _tag: "Span", name, parent, context, kind, links, sampled: true, attributes: new Map() } as const,
    traceId: Option.match(parent, { onNone: () => "1".repeat(32), onSome: (span) => span.traceId }),
    ...{ spanId: "2".repeat(16), status: { _tag: "Started", startTime } as const },
    ...{ end: () => {}, attribute: () => {}, event: () => {}, addLinks: () => {} }
  }),
  context: (f) => f()
})

const program = Effect.gen(function*() {
  const client = yield* MemoryTransport.make()
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  const call = (port: string) =>
    client.request("tools/call", { name: "tide_at_port", arguments: { port }, _meta: { traceparent } })
  yield* call("Esbjerg")
  yield* call("Hamburg")
  yield* call("Atlantis")

  // #region metrics
  const metrics = Prometheus.render().split("\n")
  assert.ok(metrics.includes("causeway_tool_calls_total{code=\"none\",outcome=\"answered\",tool=\"tide_at_port\"} 2"))
  assert.ok(
    metrics.includes("causeway_tool_calls_total{code=\"not_found\",outcome=\"failed\",tool=\"tide_at_port\"} 1")
  )
  assert.ok(
    metrics.includes(
      "causeway_source_duration_seconds_count{method=\"at\",outcome=\"succeeded\",source=\"tides\"} 2"
    )
  )
  // #endregion metrics
  assert.equal(seen[0]?.traceId, "0af7651916cd43dd8448eb211c80319c")
  assert.equal(seen[0]?.spanId, "2".repeat(16))
}).pipe(Effect.scoped, Effect.provide(Server), Effect.withTracer(tracer))

// #region logger
const Logging = Logger.replace(
  Logger.defaultLogger,
  Logger.map(JsonLogger.logger, (line) => void lines.push(line))
)
// #endregion logger

main(program.pipe(
  Effect.provide(Logging),
  Effect.zipRight(Effect.sync(() => {
    // The audit is written behind the calls, and all of it when the server has ended.
    const calls = events.flatMap((event) => event.event === "call" ? [event] : [])
    assert.deepEqual(calls.map(({ code, outcome }) => code ?? outcome), ["answered", "answered", "not_found"])
    assert.deepEqual(calls.map(({ argumentsBytes }) => argumentsBytes), [18, 18, 19])
    const line = JSON.parse(lines.find((one) => one.includes("the tide is known")) ?? "{}")
    assert.equal(line.annotations.tool, "tide_at_port")
    assert.equal(line.traceId, "0af7651916cd43dd8448eb211c80319c")
    console.log("three calls were counted, written down and traced, and none of their arguments was")
  }))
))
