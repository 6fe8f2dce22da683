import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Measure from "causeway-mcp/middleware/Measure"
import type * as Observer from "causeway-mcp/middleware/Observer"
import * as ObserverLayer from "causeway-mcp/middleware/Observer"
import * as Policy from "causeway-mcp/policy/Policy"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as Instrument from "causeway-mcp/telemetry/Instrument"
import * as Prometheus from "causeway-mcp/telemetry/Prometheus"
import * as Evidence from "causeway-mcp/tool/Evidence"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

const valueOf = (series: string): number | undefined => {
  const line = Prometheus.render().split("\n").find((one) => one.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

const calls = (tool: string, outcome: string, code: string) =>
  valueOf(`causeway_tool_calls_total{code="${code}",outcome="${outcome}",tool="${tool}"}`)

const Measured = ObserverLayer.layer(Measure.observer)

const begun = (name: string): Observer.Begun => ({
  ...{ tool: undefined, name, caller: Principal.local, requestId: 1, meta: {}, arguments: {}, isTask: false }
})

const ended: Observer.Ended = { outcome: "error", code: "-32602", isDegraded: false, isCached: false, millis: 0 }

describe("Measure.observer", () => {
  it.scoped("counts calls by how they ended, and times them", () =>
    Effect.gen(function*() {
      const registry = yield* Bench.registry([
        Bench.handler(Policy.none, ({ text }) => {
          if (text === "no") return Effect.fail(new ToolError({ code: "not_found", message: "There is none." }))
          return text === "bug" ? Effect.die("bug") : Evidence.computed("t", text)
        }, { name: "count_ends" })
      ]).pipe(Effect.provide(Measured))
      for (const text of ["a", "b", "no", "bug"]) {
        yield* Bench.answer(registry, { name: "count_ends", arguments: { text } })
      }
      yield* Bench.answer(registry, { name: "count_ends", arguments: { text: 7 } })
      assert.deepStrictEqual([
        calls("count_ends", "answered", "none"),
        calls("count_ends", "failed", "not_found"),
        calls("count_ends", "failed", "internal"),
        calls("count_ends", "failed", "invalid_input")
      ], [2, 1, 1, 1])
      const name = "causeway_tool_call_duration_seconds_count"
      assert.strictEqual(valueOf(`${name}{outcome="answered",tool="count_ends"}`), 2)
      assert.strictEqual(valueOf(`${name}{outcome="failed",tool="count_ends"}`), 3)
      assert.strictEqual(valueOf("causeway_tool_confidence_bucket{tool=\"count_ends\",le=\"0.95\"}"), 0)
      assert.strictEqual(valueOf("causeway_tool_confidence_count{tool=\"count_ends\"}"), 2)
      assert.strictEqual(
        valueOf("causeway_policy_events_total{doing=\"refused\",step=\"validate\",tool=\"count_ends\"}"),
        1
      )
    }))

  it.scoped("knows how many are under way, and how long they waited for a place", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const registry = yield* Bench.registry([
        Bench.handler(
          Policy.concurrency(1),
          () => Effect.zipRight(Deferred.await(gate), Evidence.computed("t", 1)),
          { name: "wait_turn" }
        )
      ]).pipe(Effect.provide(Measured))
      const call = Effect.suspend(() => Bench.answer(registry, { name: "wait_turn" }))
      const fibers = yield* Effect.fork(Effect.all([call, call, call], { concurrency: 3 }))
      yield* Effect.replicateEffect(Effect.yieldNow(), 20)
      assert.strictEqual(valueOf("causeway_tool_calls_in_flight{tool=\"wait_turn\"}"), 3)
      yield* TestClock.adjust("3 seconds")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fibers)
      assert.strictEqual(valueOf("causeway_tool_calls_in_flight{tool=\"wait_turn\"}"), 0)
      assert.strictEqual(valueOf("causeway_queue_wait_seconds_sum{tool=\"wait_turn\"}"), 6)
    }))

  it.scoped("counts interrupted calls, and takes tasks out of the times", () =>
    Effect.gen(function*() {
      const registry = yield* Bench.registry([
        Bench.handler(Policy.none, ({ text }) => text === "long" ? Effect.never : Evidence.computed("t", 1), {
          name: "long_work"
        })
      ]).pipe(Effect.provide(Measured))
      const fiber = yield* Effect.fork(Bench.answer(registry, { name: "long_work", arguments: { text: "long" } }))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(calls("long_work", "interrupted", "none"), 1)
      assert.strictEqual(valueOf("causeway_tool_calls_in_flight{tool=\"long_work\"}"), 0)
      yield* Bench.answer(registry, { name: "long_work", isTask: true })
      assert.strictEqual(calls("long_work", "answered", "none"), 1)
      assert.strictEqual(
        valueOf("causeway_tool_call_duration_seconds_count{outcome=\"answered\",tool=\"long_work\"}"),
        0
      )
    }))

  it.scoped("counts calls that nobody counts, also where they are refused for it, from naught", () =>
    Effect.gen(function*() {
      let counted: RateLimiter.Verdict["counted"] = "shared"
      const limiter: typeof RateLimiter.RateLimiter.Service = {
        take: () =>
          Exit.succeed({
            ...{ isAllowed: counted === "shared", retryAfterMs: 1000, counted },
            buckets: [{ remaining: 0, fullAfterMs: 0 }]
          }),
        give: () => Effect.void
      }
      const registry = yield* ToolRegistry.make(
        Toolkit.make(
          Bench.handler(Policy.rateLimit({ limit: 5, window: "1 second" }), () => Evidence.computed("t", 1), {
            name: "count_limits"
          })
        )
      ).pipe(Effect.provide(Measured), Effect.provideService(RateLimiter.RateLimiter, limiter))
      const uncounted = () =>
        valueOf("causeway_policy_events_total{doing=\"uncounted\",step=\"rateLimit\",tool=\"count_limits\"}")
      yield* Bench.answer(registry, { name: "count_limits" })
      assert.strictEqual(uncounted(), 0)
      counted = "none"
      const refused = yield* Bench.answer(registry, { name: "count_limits" })
      assert.strictEqual(Bench.bodyOf(refused).code, "temporarily_unavailable")
      assert.strictEqual(uncounted(), 1)
    }))

  it.effect("has as many series after 100,000 invented tools, clients and codes as before (SEC-29)", () =>
    Effect.gen(function*() {
      const observer = yield* Measure.observer
      const call = (name: string) => observer.begin(begun(name))?.end(ended)
      call("first")
      const before = Prometheus.render().split("\n").length
      for (let n = 0; n < 100_000; n++) call(`name-${n}`)
      assert.strictEqual(Prometheus.render().split("\n").length, before)
      assert.strictEqual(calls("other", "error", "-32602"), 100_001)
      const known = observer.begin(begun("x"))
      for (let n = 0; n < 1000; n++) known?.end({ ...ended, code: String(n) })
      assert.isBelow(Prometheus.render().split("\n").length, before + 40)
    }))

  it("counts refusals by their reason", () => {
    const observer = Effect.runSync(Measure.refusals)
    for (const reason of ["missing", "invalid", "missing"] as const) {
      observer.refused({ reason, status: 401, peer: "127.0.0.1", caller: undefined })
    }
    assert.strictEqual(valueOf("causeway_auth_refusals_total{reason=\"missing\"}"), 2)
  })
})

describe("Instrument.keepAtMost", () => {
  it("makes no more values than it may, and one for the rest", () => {
    const made: Array<string> = []
    const kept = Instrument.keepAtMost(2, "other", (key) => made.push(key))
    for (const key of ["a", "b", "c", "d", "a", "c"]) kept(key)
    assert.deepStrictEqual(made, ["a", "b", "other"])
  })
})
