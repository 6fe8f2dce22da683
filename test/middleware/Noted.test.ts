import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Measure from "causeway-mcp/middleware/Measure"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Policy from "causeway-mcp/policy/Policy"
import { RateLimiter } from "causeway-mcp/policy/RateLimiter"
import * as Quota from "causeway-mcp/protocol/Quota"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

const noted = (): Quota.Noted => ({ counted: undefined, retryAfterMs: undefined })

const echo = (policy: Policy.Any) => Bench.handler(policy, ({ text }) => Evidence.computed("echo", text ?? ""))

/** The headers of one call. */
const headersOf = (
  registry: Parameters<typeof Bench.answer>[0],
  more: Partial<ToolRegistry.Request> = {}
) => {
  const notes = noted()
  return Effect.map(Bench.answer(registry, { ...more, noted: notes }), () => Quota.headers(notes))
}

describe("A call that is counted", () => {
  it.scoped("notes what is left of every limit, and when to come again", () =>
    Effect.gen(function*() {
      const registry = yield* Bench.registry([echo(Policy.all(
        Policy.rateLimit({ limit: 3, window: "1 minute" }),
        Policy.rateLimit({ limit: 100, burst: 10, window: "1 hour", per: ["tenant"] }),
        Policy.rateLimit({ name: "dollars", limit: 2.5, window: "1 day", per: [], cost: () => 0.2 })
      ))])
      const policies = "\"calls\";q=3;w=60, \"calls-2\";q=100;w=3600, \"dollars\";q=3;qu=\"dollars\";w=86400"
      assert.deepStrictEqual(yield* headersOf(registry), [
        "ratelimit-policy",
        policies,
        "ratelimit",
        "\"calls\";r=2;t=20, \"calls-2\";r=9;t=36, \"dollars\";r=2;t=6912"
      ])
      yield* Bench.answer(registry)
      yield* Bench.answer(registry)
      assert.deepStrictEqual(yield* headersOf(registry), [
        "ratelimit-policy",
        policies,
        "ratelimit",
        "\"calls\";r=0;t=60, \"calls-2\";r=7;t=108, \"dollars\";r=1;t=20736",
        "retry-after",
        "20"
      ])
      yield* TestClock.adjust("19100 millis")
      assert.deepStrictEqual((yield* headersOf(registry)).slice(-2), ["retry-after", "1"])
      yield* TestClock.adjust("900 millis")
      assert.lengthOf(yield* headersOf(registry), 4)
    }))

  it.scoped("notes the limits of its caller too", () =>
    Effect.gen(function*() {
      const caller = Principal.make({
        id: "key",
        limits: [{ limit: 5, windowSeconds: 1 }, { limit: 60, windowSeconds: 60 }]
      })
      const alone = yield* Bench.registry([echo(Policy.none)])
      assert.deepStrictEqual(yield* headersOf(alone, { caller }), [
        "ratelimit-policy",
        "\"caller\";q=5;w=1, \"caller-2\";q=60;w=60",
        "ratelimit",
        "\"caller\";r=4;t=1, \"caller-2\";r=59;t=1"
      ])
      const both = yield* Bench.registry([echo(Policy.rateLimit({ name: "caller", limit: 9, window: "1 second" }))])
      const [, policies] = yield* headersOf(both, { caller })
      assert.strictEqual(policies, "\"caller\";q=9;w=1, \"caller-2\";q=5;w=1, \"caller-3\";q=60;w=60")
    }))

  it.scoped("notes nothing where nothing is limited, and of a limiter that knows nothing only when to come again", () =>
    Effect.gen(function*() {
      const plain = yield* Bench.registry([echo(Policy.standard)])
      const notes = noted()
      yield* Bench.answer(plain, { noted: notes })
      assert.deepStrictEqual(notes, noted())
      assert.strictEqual(Quota.headers(notes), Quota.headers(noted()), "nothing is made for it")
      const closed = {
        take: () =>
          Effect.succeed({
            isAllowed: false,
            retryAfterMs: 1000,
            buckets: [{ remaining: 0, fullAfterMs: 0 }] as const,
            counted: "none" as const
          }),
        give: () => Effect.void
      }
      const registry = yield* ToolRegistry.make(
        Toolkit.make(echo(Policy.rateLimit({ limit: 3, window: "1 minute" })))
      ).pipe(Effect.provideService(RateLimiter, closed))
      assert.deepStrictEqual(yield* headersOf(registry), ["retry-after", "1"])
    }))

  it.scoped("notes when to come again whatever refused it", () =>
    Effect.gen(function*() {
      const busy = Bench.handler(
        Policy.none,
        () => Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "No", retryAfterMs: 2500 }))
      )
      assert.deepStrictEqual(yield* headersOf(yield* Bench.registry([busy])), ["retry-after", "3"])
      const final = Bench.handler(Policy.none, () => Effect.fail(new ToolError({ code: "not_found", message: "No" })))
      assert.deepStrictEqual(yield* headersOf(yield* Bench.registry([final])), [])
    }))

  it.scoped("of several in one message is told of when it was refused", () =>
    Effect.gen(function*() {
      const registry = yield* Bench.registry([echo(Policy.rateLimit({ limit: 2, window: "1 minute" }))])
      const notes = noted()
      const call = (text: string) => Bench.answer(registry, { noted: notes, arguments: { text } })
      yield* call("a")
      yield* call("b")
      assert.include(Quota.headers(notes)[3], "r=1")
      yield* call("c")
      assert.include(Quota.headers(notes)[3], "r=0")
    }))
})

describe("Quota.headers", () => {
  it("are structured fields whatever the names and the numbers are", () => {
    const of = (quota: Partial<Quota.Quota>, remaining: number, fullAfterMs: number) =>
      Quota.headers({
        counted: {
          quotas: [{ name: "calls", limit: 1, windowSeconds: 1, ...quota }],
          left: [{ remaining, fullAfterMs }]
        },
        retryAfterMs: undefined
      })
    assert.deepStrictEqual(of({ name: "a\"b\\c\r\nx: y é" }, 0.99, 0.1), [
      "ratelimit-policy",
      "\"a\\\"b\\\\c??x: y ?\";q=1;w=1",
      "ratelimit",
      "\"a\\\"b\\\\c??x: y ?\";r=0;t=1"
    ])
    assert.deepStrictEqual(of({ name: "x".repeat(500), limit: 1e300, windowSeconds: 0.001 }, 1e300, Infinity), [
      "ratelimit-policy",
      `"${"x".repeat(64)}";q=999999999999999;w=1`,
      "ratelimit",
      `"${"x".repeat(64)}";r=999999999999999;t=999999999999999`
    ])
  })

  it("tell nobody to stay away for more than a day, or for no time", () => {
    const after = (retryAfterMs: number) => Quota.headers({ counted: undefined, retryAfterMs })
    assert.deepStrictEqual([after(0), after(1e12)], [["retry-after", "1"], ["retry-after", "86400"]])
  })
})

describe("A call that a transport turned away", () => {
  const message = (params: unknown, method = "tools/call") => ({ jsonrpc: "2.0", id: 3, method, params })

  it.effect("reaches who observes calls, as far as it is known", () => {
    const notes = Bench.notes()
    let unread = 0
    const counting: Observer.Observer = { begin: () => undefined, turnedAway: () => void unread++ }
    const both = Layer.map(notes.layer, (context) => context)
    return Effect.gen(function*() {
      const server = yield* McpServer.McpServer
      server.turnedAway(message({ name: "echo_text", arguments: { text: "x" }, _meta: { a: 1 } }), Bench.ada)
      server.turnedAway(message({ name: "x".repeat(500), _meta: 7 }), Bench.eve)
      for (const other of [message({}), message({ name: 7 }), message({ uri: "x" }, "resources/read"), 7, null, []]) {
        server.turnedAway(other, Bench.ada)
      }
      assert.deepStrictEqual(notes.steps, ["overload refused", "overload refused"])
      assert.deepStrictEqual(notes.ended.map(({ code, outcome }) => [outcome, code]), [
        ["failed", "temporarily_unavailable"],
        ["failed", "temporarily_unavailable"]
      ])
      const [first, second] = notes.begun
      assert.deepInclude(first, {
        name: "echo_text",
        caller: Bench.ada,
        requestId: 3,
        meta: { a: 1 },
        arguments: { text: "x" },
        isTask: false
      })
      assert.strictEqual(first?.tool?.name, "echo_text")
      assert.deepInclude(second, { tool: undefined, name: "x".repeat(128), meta: {} })
      server.turnedAway()
      server.turnedAway(message({ name: "echo_text" }))
      const joined = Observer.merge(counting, { begin: () => undefined }, counting)
      joined.turnedAway?.()
      assert.strictEqual(unread, 2)
      assert.isUndefined(Observer.merge({ begin: () => undefined }, { begin: () => undefined }).turnedAway)
    }).pipe(Effect.provide(
      Layer.provide(McpServer.layerTools(Toolkit.make(echo(Policy.none)), { name: "t", version: "1" }), both)
    ))
  })

  it.scoped("is counted where nothing of it was read, with what has no name", () =>
    Effect.gen(function*() {
      const observer = yield* Measure.observer
      const registry = yield* ToolRegistry.make(Toolkit.make(echo(Policy.none))).pipe(
        Effect.provideService(Observer.CallObserver, observer)
      )
      const before = yield* eventsOfOther
      registry.turnedAway()
      registry.turnedAway()
      assert.strictEqual((yield* eventsOfOther) - before, 2)
    }))
})

/** How many were turned away that had no name. */
const eventsOfOther = Effect.map(
  Effect.promise(() => import("effect/Metric")),
  (Metric) =>
    Metric.unsafeSnapshot().reduce((sum, { metricKey, metricState }) => {
      const labels = metricKey.tags.map(({ value }) => value)
      return labels.includes("overload") && labels.includes("other") && "count" in metricState
        ? sum + Number(metricState.count)
        : sum
    }, 0)
)
