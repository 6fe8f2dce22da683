import { assert, describe, it } from "@effect/vitest"
import * as Annotate from "causeway-mcp/middleware/Annotate"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Trace from "causeway-mcp/middleware/Trace"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
import { Attribute } from "causeway-mcp/telemetry/Telemetry"
import * as TraceContext from "causeway-mcp/telemetry/TraceContext"
import * as Evidence from "causeway-mcp/tool/Evidence"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import * as Bench from "./bench.js"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const spanId = "b7ad6b7169203331"

/** Keeps its spans; samples as it is told. */
const recorder = (isSampled = true) => {
  const spans: Array<Tracer.Span & { readonly events: Array<string> }> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const events: Array<string> = []
      const span = {
        ...{ _tag: "Span", name, parent, context, kind, attributes, events, links: [...links] } as const,
        traceId: Option.isSome(parent) ? parent.value.traceId : "f".repeat(32),
        spanId: String(spans.length + 1).padStart(16, "0"),
        sampled: isSampled,
        status: { _tag: "Started", startTime } as Tracer.SpanStatus,
        end(endTime: bigint, exit: Extract<Tracer.SpanStatus, { _tag: "Ended" }>["exit"]) {
          span.status = { _tag: "Ended", startTime, endTime, exit }
        },
        attribute: (key: string, value: unknown) => void attributes.set(key, value),
        event: (event: string) => void events.push(event),
        addLinks: () => undefined
      }
      spans.push(span)
      return span
    },
    context: (f) => f()
  })
  return { spans, tracer }
}

const traced = (tracer: Tracer.Tracer) => Observer.layer(Effect.withTracer(Trace.observer, tracer))

const where = Effect.map(Effect.currentParentSpan, (span) => ({ traceId: span.traceId, spanId: span.spanId })).pipe(
  Effect.orElseSucceed(() => undefined)
)

describe("Trace.observer", () => {
  it.scoped("makes a span of a call, with what the conventions name and nothing of the arguments", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recorder()
      const registry = yield* Bench.registry([
        Bench.handler(Policy.none, () => Evidence.computed("t", "secret answer"), { name: "echo_text" })
      ]).pipe(Effect.provide(traced(tracer)))
      yield* Bench.answer(registry, { arguments: { text: "secret argument" }, requestId: "abc" })
      const [span] = spans
      assert.strictEqual(span?.name, "tools/call echo_text")
      assert.strictEqual(span?.kind, "server")
      assert.deepStrictEqual(Object.fromEntries(span?.attributes ?? []), {
        [Attribute.mcpMethod]: "tools/call",
        [Attribute.operation]: "execute_tool",
        [Attribute.tool]: "echo_text",
        [Attribute.requestId]: "abc",
        [Attribute.toolOutcome]: "answered",
        [Attribute.confidence]: 1
      })
      assert.strictEqual(span?.status._tag, "Ended")
      assert.isTrue(span !== undefined && Option.isNone(span.parent))
    }))

  it.scoped("goes on with the client's trace, and the handler within it", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recorder()
      const registry = yield* Bench.registry([
        Bench.handler(Policy.timeout("1 second"), () => Effect.flatMap(where, (at) => Evidence.computed("t", at)))
      ]).pipe(Effect.provide(traced(tracer)))
      const meta = { traceparent: `00-${traceId}-${spanId}-01`, tracestate: "a=1" }
      const data = Bench.dataOf(yield* Bench.answer(registry, { meta }))
      assert.deepStrictEqual(data, { traceId, spanId: spans[0]?.spanId })
      const context = TraceContext.fromSpan(spans[0] as Tracer.AnySpan)
      assert.strictEqual(context?.state, "a=1")
      const fresh = Bench.dataOf(yield* Bench.answer(registry, { meta: { traceparent: "00-0-0-01" } }))
      assert.deepInclude(fresh, { traceId: "f".repeat(32) })
    }))

  it.scoped("says what failed and what policies did, and ends when it is interrupted", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recorder()
      const registry = yield* Bench.registry([
        Bench.handler(Policy.retry(Backoff.quick), ({ text }) =>
          text === "wait"
            ? Effect.never
            : Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "It is away." })))
      ]).pipe(Effect.provide(traced(tracer)))
      const failing = yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(failing)
      const [failed] = spans
      assert.strictEqual(failed?.attributes.get(Attribute.errorType), "temporarily_unavailable")
      assert.includeMembers([...(failed?.events ?? [])], ["retry again", "retry exhausted"])
      assert.isTrue(failed?.status._tag === "Ended" && failed.status.exit._tag === "Failure")
      const waiting = yield* Effect.fork(Bench.answer(registry, { arguments: { text: "wait" } }))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(spans[1]?.attributes.get(Attribute.toolOutcome), "interrupted")
      assert.strictEqual(spans[1]?.status._tag, "Ended")
      yield* Effect.flip(registry.call(Bench.request({ name: "invented name" })))
      assert.strictEqual(spans[2]?.name, "tools/call")
    }))

  it.scoped("notes nothing on a span that is not kept, and lets its trace go on", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recorder(false)
      const registry = yield* Bench.registry([
        Bench.handler(Policy.timeout("1 second"), () => Effect.flatMap(where, (at) => Evidence.computed("t", at)))
      ]).pipe(Effect.provide(traced(tracer)))
      const meta = { traceparent: `00-${traceId}-${spanId}-00` }
      assert.deepInclude(Bench.dataOf(yield* Bench.answer(registry, { meta })), { traceId })
      assert.strictEqual(spans[0]?.attributes.size, 0)
    }))

  it.effect("does nothing where no tracer is", () =>
    Effect.gen(function*() {
      const observer = yield* Trace.observer
      const { begun, layer } = Bench.notes()
      const registry = yield* Effect.provide(
        Bench.registry([Bench.handler(Policy.none, () => Evidence.computed("t", 1))]),
        layer
      )
      yield* Bench.answer(registry)
      assert.isDefined(begun[0])
      assert.isUndefined(begun[0] && observer.begin(begun[0]))
    }).pipe(Effect.scoped))
})

describe("Annotate.observer", () => {
  it.scoped("puts the request's id, the tool and the tenant on what a handler logs, and the id on an incident", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const logger = Logger.make(({ annotations, message }) => {
        seen.push(`${String(message).slice(0, 12)} ${JSON.stringify(Object.fromEntries([...annotations].sort()))}`)
      })
      const registry = yield* Bench.registry([
        Bench.handler(Policy.none, () => Effect.zipRight(Effect.logInfo("hello"), Effect.die("bug")))
      ]).pipe(Effect.provide(Observer.layer(Annotate.observer)))
      yield* Effect.provide(
        Bench.answer(registry, { requestId: "r-1" }),
        Layer.merge(Logger.replace(Logger.defaultLogger, logger), Layer.empty)
      )
      assert.deepStrictEqual(seen, [
        "hello {\"requestId\":\"r-1\",\"tenant\":\"heronry\",\"tool\":\"echo_text\"}",
        "Tool echo_te {\"requestId\":\"r-1\"}"
      ])
    }))
})
