import { assert, describe, it } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as AuthObserver from "causeway-mcp/auth/AuthObserver"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Health from "causeway-mcp/health/Health"
import * as Annotate from "causeway-mcp/middleware/Annotate"
import * as Audit from "causeway-mcp/middleware/Audit"
import * as Measure from "causeway-mcp/middleware/Measure"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Trace from "causeway-mcp/middleware/Trace"
import * as MetricsPage from "causeway-mcp/ops/MetricsPage"
import * as Readings from "causeway-mcp/ops/Readings"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as JsonLogger from "causeway-mcp/telemetry/JsonLogger"
import * as RuntimeMetrics from "causeway-mcp/telemetry/RuntimeMetrics"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as Promtool from "./promtool.js"

const Echo = Tool.make("echo_words", {
  description: "Gives back what it was given",
  parameters: { words: Schema.String },
  success: Schema.Struct({ words: Schema.String }),
  safety: "readOnly"
}).implement(({ words }) =>
  words.startsWith("fail")
    ? Effect.fail(new ToolError({ code: "not_found", message: "There is nothing of that name." }))
    : Effect.zipRight(Effect.logInfo("echoing"), Evidence.computed("echo", { words }))
)

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "0.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

interface Spans {
  readonly spans: Array<unknown>
  readonly tracer: Tracer.Tracer
}

/** Notes all that a span is told. */
const recorder = (): Spans => {
  const spans: Array<unknown> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const noted: Array<unknown> = [name, parent]
      spans.push(noted)
      const span: Tracer.Span = {
        ...{ _tag: "Span", name, parent, context, kind, links, sampled: true, attributes: new Map() } as const,
        ...{ traceId: parent._tag === "Some" ? parent.value.traceId : "c".repeat(32), spanId: "d".repeat(16) },
        status: { _tag: "Started", startTime },
        end: (_, exit) => void noted.push(exit),
        attribute: (...all) => void noted.push(all),
        event: (_name, _at, attributes) => void noted.push(_name, attributes),
        addLinks: () => undefined
      }
      return span
    },
    context: (f) => f()
  })
  return { spans, tracer }
}

const who = Authenticator.make(({ authorization }) =>
  authorization === "Bearer canary-token"
    ? Effect.succeed(Principal.make({ id: "ada", tenant: "heronry", scopes: ["*"] }))
    : Effect.fail(new Authenticator.Invalid({ description: "the credential is not valid here" }))
)

const serve = Effect.gen(function*() {
  const { spans, tracer } = recorder()
  const logged: Array<string> = []
  const audited: Array<Audit.Event> = []
  const log = Audit.layer((events) => Effect.sync(() => void audited.push(...events)))
  const observers = Layer.mergeAll(
    Observer.layer(Measure.observer, Audit.observer(), Trace.observer, Annotate.observer),
    AuthObserver.layer(Measure.refusals, Audit.refusals)
  ).pipe(Layer.provide(log))
  const program = Effect.gen(function*() {
    const context = yield* Layer.build(Layer.mergeAll(
      observers,
      Health.layer([
        { name: "docs", kind: "document-store", check: Effect.void },
        { name: "past", kind: "session-store", check: Effect.fail("canary-down") }
      ])
    ))
    return yield* Effect.gen(function*() {
      yield* Readings.make()
      yield* RuntimeMetrics.make({ version: "9.9.9" })
      const server = McpServer.layerTools(Toolkit.make(Echo), { name: "measured", version: "0.0.0" })
      return yield* HttpTransport.make({ port: 0, app: MetricsPage.app }).pipe(
        Effect.provide(server),
        Effect.provideService(Authenticator.Authenticator, who)
      )
    }).pipe(Effect.provide(context))
  })
  const { url } = yield* program.pipe(
    Effect.withTracer(tracer),
    Effect.provide(
      Logger.replace(Logger.defaultLogger, Logger.map(JsonLogger.logger, (line) => void logged.push(line)))
    ),
    Logger.withMinimumLogLevel(LogLevel.All)
  )
  const call = (
    words: string,
    more: {
      readonly name?: string
      readonly meta?: object
      readonly id?: string
      readonly headers?: { readonly [name: string]: string }
    } = {}
  ) =>
    Effect.promise(async () => {
      const name = more.name ?? "echo_words"
      const response = await fetch(url, {
        method: "POST",
        headers: {
          ...{ "content-type": "application/json", accept: "application/json, text/event-stream" },
          ...{ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name },
          authorization: "Bearer canary-token",
          ...more.headers
        },
        body: JSON.stringify({
          ...{ jsonrpc: "2.0", id: more.id ?? 1, method: "tools/call" },
          params: { name, arguments: { words }, _meta: { ...meta, ...more.meta } }
        })
      })
      await response.text()
      return response.status
    })
  const scrape = (accept = "text/plain", method = "GET") =>
    Effect.promise(async () => {
      const response = await fetch(new URL("/metrics", url), { method, headers: { accept } })
      return { status: response.status, type: response.headers.get("content-type"), text: await response.text() }
    })
  return { call, scrape, spans, logged, audited }
})

const canaries = (n: number): string => `canary-${n}`

describe("a server that is measured", () => {
  it.scopedLive("tells of its calls, refusals, sources and process", () =>
    Effect.gen(function*() {
      const { call, scrape } = yield* serve
      for (let n = 0; n < 5; n++) yield* call("good")
      yield* call("fail")
      yield* call("x", { name: "no_such_tool" })
      assert.strictEqual(yield* call("x", { headers: { authorization: "Bearer other" } }), 401)
      const { status, text, type } = yield* scrape()
      assert.strictEqual(status, 200)
      assert.strictEqual(type, "text/plain; version=0.0.4; charset=utf-8")
      for (
        const line of [
          "causeway_tool_calls_total{code=\"none\",outcome=\"answered\",tool=\"echo_words\"} 5",
          "causeway_tool_calls_total{code=\"not_found\",outcome=\"failed\",tool=\"echo_words\"} 1",
          "causeway_tool_calls_total{code=\"-32602\",outcome=\"error\",tool=\"other\"} 1",
          "causeway_tool_call_duration_seconds_bucket{outcome=\"answered\",tool=\"echo_words\",le=\"2.0\"} 5",
          "causeway_tool_calls_in_flight{tool=\"echo_words\"} 0",
          "causeway_http_refusals_total{status=\"401\"} 1",
          "causeway_auth_refusals_total{reason=\"invalid\"} 1",
          "causeway_source_up{kind=\"document-store\",source=\"docs\"} 1",
          "causeway_source_up{kind=\"session-store\",source=\"past\"} 0",
          "causeway_build_info{version=\"9.9.9\"} 1"
        ]
      ) assert.include(text.split("\n"), line)
    }))

  it.scopedLive("answers in the format that is liked best, and to GET and HEAD alone", () =>
    Effect.gen(function*() {
      const { scrape } = yield* serve
      const open = yield* scrape("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
      assert.strictEqual(open.type, "application/openmetrics-text; version=1.0.0; charset=utf-8")
      assert.isTrue(open.text.endsWith("# EOF\n"))
      assert.strictEqual((yield* scrape("*/*", "HEAD")).status, 200)
      assert.strictEqual((yield* scrape("*/*", "POST")).status, 405)
    }))

  it.scopedLive("joins the trace of the header, and that of _meta before it", () =>
    Effect.gen(function*() {
      const { audited, call } = yield* serve
      const header = (digit: string) => `00-${digit.repeat(32)}-${"b".repeat(16)}-01`
      yield* call("good", { headers: { traceparent: header("1") } })
      yield* call("good", { headers: { traceparent: header("1") }, meta: { traceparent: header("2") } })
      yield* call("good", { headers: { traceparent: "00-canary-01" } })
      yield* Effect.sleep("20 millis")
      assert.deepStrictEqual(audited.map((event) => event.event === "call" && event.traceId), [
        "1".repeat(32),
        "2".repeat(32),
        undefined
      ])
    }))

  it.scopedLive("lets no secret into metrics, traces, audit or logs, wherever it was put", () =>
    Effect.gen(function*() {
      const { audited, call, logged, scrape, spans } = yield* serve
      const planted: ReadonlyArray<Parameters<typeof call>> = [
        [canaries(1)],
        [`fail ${canaries(2)}`],
        ["good", { meta: { apiKey: canaries(3), baggage: `key=${canaries(4)}`, tracestate: `k=${canaries(5)}` } }],
        ["good", { headers: { "x-api-key": canaries(6), cookie: canaries(7), baggage: canaries(8) } }],
        ["good", { headers: { authorization: `Bearer ${canaries(9)}` } }],
        ["good", { headers: { traceparent: canaries(10), tracestate: canaries(11) } }],
        ["good", { headers: { "mcp-name": canaries(12) } }],
        ["good", { headers: { origin: `http://${canaries(13)}` } }]
      ]
      for (const one of planted) yield* call(...one)
      yield* Effect.sleep("50 millis")
      const { text } = yield* scrape()
      const outputs = {
        text,
        spans: JSON.stringify(spans),
        audited: JSON.stringify(audited),
        logged: logged.join("\n")
      }
      for (const [where, output] of Object.entries(outputs)) {
        assert.isAbove(output.length, 100, where)
        assert.notInclude(output, "canary", where)
      }
      for (const line of logged) assert.doesNotThrow(() => JSON.parse(line))
    }))
})

Promtool.suite("promtool", () => {
  it.scopedLive("finds nothing wrong with the metrics of a server", () =>
    Effect.gen(function*() {
      const { call, scrape } = yield* serve
      yield* call("good")
      yield* call("fail")
      const { text } = yield* scrape()
      const { code, text: said } = yield* Promtool.run(["check", "metrics"], text)
      assert.strictEqual(said.trim(), "")
      assert.strictEqual(code, 0)
    }))

  it.effect("finds nothing wrong with the rules, which fire and clear as they should", () =>
    Effect.gen(function*() {
      for (
        const args of [
          ["check", "rules", "examples/production/prometheus/alerts.yml"],
          ["test", "rules", "examples/production/prometheus/alerts.test.yml"],
          ["check", "config", "--syntax-only", "examples/production/prometheus/prometheus.yml"]
        ]
      ) {
        const { code, text } = yield* Promtool.run(args)
        assert.strictEqual(code, 0, text)
      }
    }))
})
