import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import * as OtelTelemetry from "causeway-mcp/telemetry/OtelTelemetry"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"

interface Sent {
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}

/** A collector behind a client: keeps what it is sent, answers as it is told. */
const collector = (answer: () => number | "nothing" | "hang" = () => 200) => {
  const sent: Array<Sent> = []
  const client = HttpClient.make((request) => {
    const { body } = request
    sent.push({
      url: request.url,
      headers: { ...request.headers },
      body: body._tag === "Uint8Array" ? Buffer.from(body.body).toString() : ""
    })
    const status = answer()
    if (status === "hang") return Effect.never
    return status === "nothing"
      ? Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport" }))
      : Effect.succeed(
        HttpClientResponse.fromWeb(request, new Response("{}", { status, headers: { "retry-after": "86400" } }))
      )
  })
  return { sent, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

const options = { url: "http://collector.test:4318/", serviceName: "t", encoding: "json", signals: ["traces"] } as const

const run = <A>(
  effect: Effect.Effect<A>,
  { layer }: ReturnType<typeof collector>,
  more: Partial<OtelTelemetry.Options> = {}
) => effect.pipe(Effect.provide(Layer.provide(OtelTelemetry.layer({ ...options, ...more }), layer)), Effect.orDie)

const spansOf = (sent: ReadonlyArray<Sent>): ReadonlyArray<{ readonly [member: string]: unknown }> =>
  sent.flatMap(({ body }) => JSON.parse(body).resourceSpans[0].scopeSpans[0].spans)

const outside = (isSampled: boolean, traceId = "a".repeat(32)) =>
  Effect.withParentSpan(Tracer.externalSpan({ traceId, spanId: "b".repeat(16), sampled: isSampled }))

describe("OtelTelemetry.layer", () => {
  it.effect("sends spans with their trace, the service and the headers, when it ends at the latest", () =>
    Effect.gen(function*() {
      const one = collector()
      yield* run(Effect.withSpan(Effect.void, "work").pipe(outside(true)), one, {
        headers: { "X-Key": Redacted.make("k") },
        resource: { "deployment.environment.name": "test" },
        serviceVersion: "1.2.3"
      })
      assert.lengthOf(one.sent, 1)
      assert.strictEqual(one.sent[0]?.url, "http://collector.test:4318/v1/traces")
      assert.strictEqual(one.sent[0]?.headers["x-key"], "k")
      assert.include(one.sent[0]?.body ?? "", "deployment.environment.name")
      assert.deepInclude(spansOf(one.sent)[0], { name: "work", traceId: "a".repeat(32), parentSpanId: "b".repeat(16) })
    }))

  it.effect("keeps the traces that their senders keep, and the given share of its own", () =>
    Effect.gen(function*() {
      const one = collector()
      const work = (name: string) => Effect.withSpan(Effect.withSpan(Effect.void, `${name} inner`), name)
      yield* run(Effect.all([outside(true)(work("kept")), outside(false)(work("left")), work("own")]), one, {
        sampleRatio: 0
      })
      assert.deepStrictEqual(spansOf(one.sent).map(({ name }) => name), ["kept inner", "kept"])
      const two = collector()
      const low = outside(false, "0".repeat(31) + "1")
      const high = outside(true, "f".repeat(32))
      yield* run(Effect.all([low(work("low")), high(work("high"))]), two, { sampleRatio: 0.5, followsParents: false })
      assert.deepStrictEqual(spansOf(two.sent).map(({ name }) => name), ["low inner", "low"])
      const three = collector()
      yield* run(Effect.replicateEffect(Effect.withSpan(Effect.void, "own"), 400), three, { sampleRatio: 0.5 })
      assert.approximately(spansOf(three.sent).length, 200, 80)
    }))

  it.effect("sends no message, stack or cause of a foreign error, and calls nothing interrupted that was not", () =>
    Effect.gen(function*() {
      const one = collector()
      const failing = (error: unknown) => Effect.exit(Effect.withSpan(Effect.fail(error), "failing"))
      const cause = new Error("canary-cause")
      yield* run(
        Effect.all([
          failing(new TypeError("redis://user:canary@host", { cause })),
          failing({ _tag: "SqlError", message: "canary" }),
          failing("canary in words"),
          failing("rate_limited"),
          Effect.exit(Effect.withSpan(Effect.die(cause), "dying"))
        ]),
        one
      )
      const text = one.sent.map(({ body }) => body).join()
      assert.notInclude(text, "canary")
      assert.notInclude(text, "interrupted")
      assert.notInclude(text, ".ts:")
      for (const word of ["TypeError", "SqlError", "rate_limited"]) assert.include(text, word)
    }))

  it.effect("sends no query, no header and no credential of an address", () =>
    Effect.gen(function*() {
      const one = collector()
      const attributes = {
        ...{ "url.full": "https://user:canary@host.test:8443/path?key=canary#canary", "url.query": "key=canary" },
        ...{ "http.request.header.x-token": "canary", "http.response.header.set-cookie": "canary" },
        ...{ "http.request.method": "GET", "url.path": "/path" }
      }
      yield* run(
        Effect.withSpan(Effect.annotateCurrentSpan(attributes), "http"),
        one
      )
      yield* run(Effect.withSpan(Effect.annotateCurrentSpan("url.full", "canary:"), "odd"), one)
      const text = one.sent.map(({ body }) => body).join()
      assert.notInclude(text, "canary")
      for (const word of ["https://host.test:8443/path\"", "GET", "url.path", "unknown"]) assert.include(text, word)
    }))

  it.effect("costs nothing while the collector is down: logs one line, rests, and goes on afterwards", () =>
    Effect.gen(function*() {
      let isDown = true
      const one = collector(() => (isDown ? "nothing" : 200))
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      yield* run(
        Effect.gen(function*() {
          for (let n = 0; n < 50; n++) {
            yield* Effect.withSpan(Effect.void, "lost")
            yield* TestClock.adjust("1 second")
          }
          const tries = one.sent.length
          // Three tries after the first, and rest.
          assert.strictEqual(tries, 4)
          isDown = false
          yield* TestClock.adjust("1 minute")
          yield* Effect.withSpan(Effect.void, "again")
          yield* TestClock.adjust("10 seconds")
        }),
        one
      ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      assert.include(spansOf(one.sent.slice(4)).map(({ name }) => name), "again")
      assert.deepStrictEqual(lines, [
        "The OpenTelemetry collector at collector.test:4318 does not take what it is sent (no answer); it is lost until it does",
        "The OpenTelemetry collector at collector.test:4318 takes what it is sent again"
      ])
    }))

  it.effect("does not wait for as long as a collector says that has had enough", () =>
    Effect.gen(function*() {
      const one = collector(() => 429)
      yield* run(
        Effect.gen(function*() {
          yield* Effect.withSpan(Effect.void, "first")
          yield* TestClock.adjust("10 seconds")
          assert.lengthOf(one.sent, 1)
          yield* TestClock.adjust("1 minute")
          yield* Effect.withSpan(Effect.void, "second")
          yield* TestClock.adjust("10 seconds")
          assert.lengthOf(one.sent, 2)
        }),
        one
      )
    }))

  it.live("ends within its time when the collector hangs", () =>
    Effect.gen(function*() {
      const one = collector(() => "hang")
      const began = performance.now()
      yield* run(Effect.withSpan(Effect.void, "last"), one, { shutdownTimeout: "200 millis" })
      assert.lengthOf(one.sent, 1)
      assert.isBelow(performance.now() - began, 5000)
    }))

  it.effect("refuses options out of their range, by name", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [string, Partial<OtelTelemetry.Options>]> = [
        ["url", { url: "collector:4318" }],
        ["url", { url: "http://user:canary@collector" }],
        ["sampleRatio", { sampleRatio: 2 }],
        ["headers", { headers: { "a b": Redacted.make("x") } }],
        ["headers", { headers: { a: Redacted.make("canary\r\nb: c") } }]
      ]
      for (const [option, more] of cases) {
        const error = yield* Effect.flip(
          Effect.scoped(Layer.build(Layer.provide(OtelTelemetry.layer({ ...options, ...more }), collector().layer)))
        )
        assert.isTrue(ConfigError.isInvalidData(error) && error.path[0] === option)
        assert.notInclude(error.message, "canary")
      }
    }))
})

describe("OtelTelemetry.settings", () => {
  const read = (variables: { readonly [name: string]: string }) =>
    Effect.withConfigProvider(OtelTelemetry.settings, ConfigProvider.fromMap(new Map(Object.entries(variables))))

  it.effect("is nothing where no collector is named, or telemetry is switched off", () =>
    Effect.gen(function*() {
      const url = "http://c:4318"
      assert.isUndefined(yield* read({}))
      assert.isUndefined(yield* read({ OTEL_EXPORTER_OTLP_ENDPOINT: " " }))
      assert.isUndefined(yield* read({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SDK_DISABLED: "TRUE" }))
      assert.isUndefined(
        yield* read({
          ...{ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_EXPORTER: "none" },
          ...{ OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" }
        })
      )
    }))

  it.effect("reads the standard variables", () =>
    Effect.gen(function*() {
      const found = yield* read({
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://c:4318",
        OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b, other=1",
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_TIMEOUT: "2000",
        OTEL_METRICS_EXPORTER: "none",
        OTEL_TRACES_SAMPLER: "traceidratio",
        OTEL_TRACES_SAMPLER_ARG: "0.25",
        OTEL_RESOURCE_ATTRIBUTES: "service.name=ignored,service.version=2,zone=a",
        OTEL_SERVICE_NAME: "market"
      })
      assert.deepInclude(found, {
        ...{ url: "https://c:4318", signals: ["traces", "logs"], serviceName: "market", serviceVersion: "2" },
        ...{ resource: { zone: "a" }, sampleRatio: 0.25, followsParents: false, encoding: "json", timeout: 2000 }
      })
      assert.strictEqual(Redacted.value(found?.headers?.["x-key"] ?? Redacted.make("")), "a b")
      assert.deepInclude(yield* read({ OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "http://l/x" }), {
        ...{ url: "http://l/x", signals: ["logs"], serviceName: "causeway", sampleRatio: 1, followsParents: true }
      })
    }))

  it.effect("names the variable that is wrong, and not its secret", () =>
    Effect.gen(function*() {
      for (
        const [name, value] of [
          ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
          ["OTEL_TRACES_SAMPLER", "canary"],
          ["OTEL_TRACES_SAMPLER_ARG", "canary"],
          ["OTEL_EXPORTER_OTLP_HEADERS", "canary"],
          ["OTEL_EXPORTER_OTLP_TIMEOUT", "-1"]
        ] as const
      ) {
        const error = yield* Effect.flip(read({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", [name]: value }))
        assert.include(String(error), name)
        assert.notInclude(String(error), "canary")
      }
    }))
})
