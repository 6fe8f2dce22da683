import { assert, describe, it, vi } from "@effect/vitest"
import * as JsonLine from "causeway-mcp/telemetry/JsonLine"
import * as JsonLogger from "causeway-mcp/telemetry/JsonLogger"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Tracer from "effect/Tracer"

/** Characters that a terminal, a browser or a reader of lines may act on. */
const active = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b\ufeff]/u

/** The lines that an effect logs. */
const lines = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const written: Array<string> = []
    yield* effect.pipe(
      Effect.provide(
        Logger.replace(Logger.defaultLogger, Logger.map(JsonLogger.logger, (line) => void written.push(line)))
      ),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
    for (const line of written) assert.notMatch(line, active)
    return written.map((line): { readonly [name: string]: unknown } => JSON.parse(line))
  })

const hostile = [
  "one\r\ntwo",
  "\u001b[31mred\u001b[0m \u009b31m",
  "a\u2028b\u2029c",
  "right\u202eleft\u2066",
  "\u0000\u0007\u007f",
  "\ud800 half",
  "{\"level\":\"fatal\"}"
]

describe("JsonLogger", () => {
  it.effect("writes one object with time, level, message, trace and annotations", () =>
    Effect.gen(function*() {
      const span = Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b".repeat(16) })
      const [line] = yield* lines(
        Effect.logWarning("it is late").pipe(
          Effect.annotateLogs({ requestId: 7, level: "fatal" }),
          Effect.withLogSpan("wait"),
          Effect.withParentSpan(span)
        )
      )
      assert.deepStrictEqual(line, {
        time: "1970-01-01T00:00:00.000Z",
        level: "warning",
        message: "it is late",
        traceId: "a".repeat(32),
        spanId: "b".repeat(16),
        annotations: { level: "fatal", requestId: 7 },
        spans: { wait: 0 }
      })
    }))

  it.effect("writes one line for each event, whatever stands in it (SEC-28)", () =>
    Effect.gen(function*() {
      for (const text of hostile) {
        const [line, ...others] = yield* lines(
          Effect.logInfo(text, { [text]: text }).pipe(Effect.annotateLogs(text, text), Effect.withLogSpan(text))
        )
        assert.lengthOf(others, 0)
        assert.strictEqual(line?.level, "info")
        assert.deepStrictEqual(line?.annotations, { [text]: text })
      }
    }))

  it.effect("cuts a value of a megabyte, and says how long it was", () =>
    Effect.gen(function*() {
      const long = "ä".repeat(500_000)
      const [line] = yield* lines(Effect.annotateLogs(Effect.logInfo(long), "id", { inner: [long, long] }))
      for (const value of [line?.message, Object(line?.annotations).id]) {
        assert.isBelow(Buffer.byteLength(JSON.stringify(value)), 3 * JsonLine.maxValueBytes)
      }
      assert.match(String(line?.message), /ä… \(1000000 bytes\)$/u)
    }))

  it("makes no huge text of a value on its way to a short one", () => {
    const text = "x".repeat(8000)
    const many = Array.from({ length: 100_000 }, () => text)
    const written = vi.spyOn(JSON, "stringify")
    assert.isBelow(JsonLine.value(many).length, 3 * JsonLine.maxValueBytes)
    const lengths = written.mock.results.map(({ value }) => String(value).length)
    written.mockRestore()
    assert.isBelow(Math.max(...lengths), 1_000_000)
  })

  it.effect("keeps secrets, in whatever they stand", () =>
    Effect.gen(function*() {
      const secret = Redacted.make("canary-41")
      const written = yield* lines(
        Effect.logError("x", secret, { deep: [{ secret }] }, new Map([["k", secret]]), new Set([secret])).pipe(
          Effect.annotateLogs({ secret, list: [secret] })
        )
      )
      assert.notInclude(JSON.stringify(written), "canary-41")
      assert.include(JSON.stringify(written), "<redacted>")
    }))

  it.effect("writes what JSON has no word for, and never throws", () =>
    Effect.gen(function*() {
      const circle: { self?: unknown } = {}
      circle.self = circle
      const bad = {
        get member(): string {
          throw new Error("no")
        }
      }
      const proxy = new Proxy({}, {
        get: () => {
          throw new Error("no")
        },
        ownKeys: () => {
          throw new Error("no")
        }
      })
      for (const value of [10n, circle, bad, proxy, Symbol("s"), () => 1, undefined, NaN, new Error("words")]) {
        const [line] = yield* lines(Effect.logInfo(value))
        assert.property(line, "message")
      }
      for (
        const defect of [
          bad,
          proxy,
          Object.create(null),
          Object.defineProperty(new Error("x"), "stack", { get: () => bad.member })
        ]
      ) {
        const [line] = yield* lines(Effect.logError("failed", Cause.die(defect)))
        assert.strictEqual(line?.message, "failed")
      }
      const [line] = yield* lines(Effect.logError("failed", Cause.die(new Error("a\nb"))))
      assert.include(String(line?.cause), "a\nb")
    }))

  it("is one line of JSON for any value", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.anything({ withBigInt: true, withMap: true, withSet: true }), (value) => {
        const line = JsonLine.object([["value", [value]], ["none", undefined]])
        assert.notMatch(line, active)
        assert.property(JSON.parse(line), "value")
      })
    )
  })
})
