import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as Principal from "causeway-mcp/auth/Principal"
import * as CallKey from "causeway-mcp/middleware/CallKey"
import * as Policy from "causeway-mcp/policy/Policy"
import { ResultCache } from "causeway-mcp/policy/ResultCache"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

const minute = Policy.cache({ timeToLive: "1 minute", staleFor: "10 minutes" })

/** A tool that counts its runs, and does what it is told at each. */
const counting = (
  policy: Policy.Any = minute,
  step: (run: number) => Bench.Handled = (run) => Evidence.computed("count", run),
  options: Parameters<typeof Bench.tool>[0] = {}
) => {
  let runs = 0
  return Effect.map(
    Bench.registry([Bench.handler(policy, () => Effect.suspend(() => step(++runs)), options)]),
    (registry) => ({ registry, runs: () => runs })
  )
}

describe("Policy.cache", () => {
  it.scoped("answers an equal call without a run, until its time is over", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* counting()
      const call = Bench.answer(registry, { arguments: { text: "x" } })
      assert.strictEqual(Bench.dataOf(yield* call), 1)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(Bench.dataOf(yield* call), 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(Bench.dataOf(yield* call), 2)
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry, { arguments: { text: "y" } })), 3)
      assert.strictEqual(runs(), 3)
    }))

  it.scoped("says that an answer was kept, and trusts it less with age", () =>
    Effect.gen(function*() {
      const { registry } = yield* counting(Policy.cache({ timeToLive: "1 minute", halfLife: "30 seconds" }))
      const first = Bench.envelopeOf(yield* Bench.answer(registry))
      assert.deepStrictEqual([first.confidence, first.sources[0]?.cached], [1, false])
      yield* TestClock.adjust("30 seconds")
      const result = yield* Bench.answer(registry)
      const second = Bench.envelopeOf(result)
      assert.deepStrictEqual([second.confidence, second.sources[0]?.cached], [0.5, true])
      assert.deepStrictEqual(result.content, [{ type: "text", text: result.structuredJson ?? "" }])
    }))

  it.scoped("keeps no failure, no degraded answer and no answer that was cut", () =>
    Effect.gen(function*() {
      const degraded = Effect.map(Evidence.computed("x", 1), (evidence) =>
        Evidence.degrade(evidence, { reason: "half of it", missing: [] }))
      const ways: ReadonlyArray<(run: number) => Bench.Handled> = [
        () =>
          new ToolError({ code: "not_found", message: "No" }),
        () => degraded,
        () => Evidence.computed("x", Array.from({ length: 1000 }, () => "a long line"))
      ]
      for (const way of ways) {
        const { registry, runs } = yield* counting(Policy.all(minute, Policy.sizeLimit({ result: 2000 })), way)
        yield* Bench.answer(registry)
        yield* Bench.answer(registry)
        assert.strictEqual(runs(), 2)
      }
    }))

  it.scoped("asks anew when a kept answer has become less sure than asked for", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* counting(Policy.all(
        Policy.cache({ timeToLive: "1 minute", halfLife: "30 seconds" }),
        Policy.minConfidence(0.8)
      ))
      yield* Bench.answer(registry)
      yield* TestClock.adjust("5 seconds")
      yield* Bench.answer(registry)
      assert.strictEqual(runs(), 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry)), 2)
    }))

  it.scoped("never answers one caller with what another was told, or the same with other scopes", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(
            FastCheck.record({
              id: FastCheck.constantFrom("a", "b", "1:a", "", "a|0:"),
              tenant: FastCheck.constantFrom("t", "", "1:t", "t|1:a"),
              scopes: FastCheck.subarray(["read", "write", "readwrite"])
            }),
            { minLength: 2, maxLength: 8 }
          ),
          (callers) =>
            Effect.runPromise(Effect.scoped(Effect.gen(function*() {
              const { registry } = yield* counting()
              const told = new Map<unknown, string>()
              for (const caller of callers) {
                const data = Bench.dataOf(yield* Bench.answer(registry, { caller: Principal.make(caller) }))
                const who = JSON.stringify([caller.id, caller.tenant, [...caller.scopes].sort()])
                assert.strictEqual(told.get(data) ?? who, who)
                told.set(data, who)
              }
            })))
        ),
        { numRuns: 200 }
      )
    ))

  it.scoped("answers everybody alike when the tool is public", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* counting(minute, undefined, { isPublic: true })
      yield* Bench.answer(registry, { caller: Principal.make({ id: "x", tenant: "a" }) })
      yield* Bench.answer(registry, { caller: Principal.make({ id: "y", tenant: "b" }) })
      assert.strictEqual(runs(), 1)
    }))

  it.scoped("refuses a caller without the scopes before it looks for a kept answer", () =>
    Effect.gen(function*() {
      const { registry } = yield* counting(minute, undefined, { isPublic: true, scopes: ["read"] })
      yield* Bench.answer(registry)
      const refused = yield* Bench.answer(registry, { caller: Principal.make({ id: "x" }) })
      assert.strictEqual(Bench.bodyOf(refused).code, "insufficient_scope")
    }))

  it.scoped("neither keeps nor gives an answer that rests on what the user said", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* counting(minute, (run) =>
        Effect.flatMap(
          Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean }), { key: "sure" }),
          ({ sure }) => Evidence.computed("x", `${run} ${sure}`)
        ))
      const first = yield* registry.call(Bench.request())
      if (first._tag !== "Paused") return assert.fail("the call was not paused")
      const resume = Bench.answer(registry, {
        asking: {
          memo: first.memo,
          responses: { sure: { action: "accept", content: { sure: true } } },
          clientCapabilities: { elicitation: {} }
        }
      })
      assert.strictEqual(Bench.dataOf(yield* resume), "2 true")
      assert.strictEqual(Bench.dataOf(yield* resume), "3 true")
      assert.strictEqual((yield* registry.call(Bench.request()))._tag, "Paused")
      assert.strictEqual(runs(), 4)
    }))

  it.scoped("keeps raw answers whole, and says how old they are", () =>
    Effect.gen(function*() {
      let runs = 0
      const raw = Tool.withTerms({ policy: minute })(
        Tool.raw("raw_rows", {
          description: "Gives rows as they come",
          safety: "readOnly",
          success: Schema.Struct({ n: Schema.Number })
        }).implement(() =>
          Effect.sync(() => ({ structured: { n: ++runs }, content: [{ type: "text" as const, text: "a row" }] }))
        )
      )
      const registry = yield* Bench.registry([raw])
      const first = yield* Bench.answer(registry, { name: "raw_rows" })
      yield* TestClock.adjust("2 seconds")
      const second = yield* Bench.answer(registry, { name: "raw_rows" })
      assert.deepStrictEqual(second, { ...first, _meta: { "dev.causeway/cached": { ageMs: 2000 } } })
    }))

  it.scoped("is refused where no cache is provided, whatever the types said", () =>
    Effect.gen(function*() {
      const handler = Bench.handler(minute, () => Evidence.computed("x", 1))
      const error = yield* Effect.flip(ToolRegistry.make(Toolkit.make(handler)))
      assert.include(error.message, "tool \"echo_text\": its policy keeps answers, and no ResultCache is provided")
    }))

  it.scoped("lets an operator forget a tool's answers, or a tenant's", () =>
    Effect.gen(function*() {
      let runs = 0
      const cache = yield* ResultCache
      const handler = Bench.handler(minute, () => Effect.suspend(() => Evidence.computed("x", ++runs)))
      const registry = yield* ToolRegistry.make(Toolkit.make(handler))
      const other = Principal.make({ id: "x", tenant: "other" })
      const both = Effect.zipRight(Bench.answer(registry), Bench.answer(registry, { caller: other }))
      yield* both
      yield* cache.forget(CallKey.prefix("echo_text", "other"))
      yield* both
      assert.strictEqual(runs, 3)
      yield* cache.forget(CallKey.prefix("echo_text"))
      yield* both
      assert.strictEqual(runs, 5)
    }).pipe(Effect.provide(Bench.Stores)))
})

describe("Policy.fallback", () => {
  const failing = (code: ToolError["code"]) => (run: number): Bench.Handled =>
    run === 1 ? Evidence.computed("x", 1) : Effect.fail(new ToolError({ code, message: "Down", source: "exchange" }))

  it.scoped("gives an answer that was kept when the source fails, and says why and how old it is", () =>
    Effect.gen(function*() {
      const { registry } = yield* counting(
        Policy.all(minute, Policy.fallback("stale")),
        failing("temporarily_unavailable")
      )
      yield* Bench.answer(registry)
      yield* TestClock.adjust("5 minutes")
      const { confidence, data, degraded, sources } = Bench.envelopeOf(yield* Bench.answer(registry))
      assert.deepStrictEqual([data, sources[0]?.cached], [1, true])
      assert.approximately(confidence, 2 ** (-5 / 4), 1e-9)
      assert.deepStrictEqual(degraded, {
        reason: "exchange did not answer (temporarily unavailable); this answer was kept 5 minutes ago",
        missing: ["exchange"]
      })
    }))

  it.scoped("gives none that is too old, and none for a question that is wrong", () =>
    Effect.gen(function*() {
      const old = yield* counting(Policy.all(minute, Policy.fallback("stale")), failing("temporarily_unavailable"))
      yield* Bench.answer(old.registry)
      yield* TestClock.adjust("11 minutes")
      assert.strictEqual(Bench.bodyOf(yield* Bench.answer(old.registry)).code, "temporarily_unavailable")
      const wrong = yield* counting(Policy.all(minute, Policy.fallback("stale")), failing("not_found"))
      yield* Bench.answer(wrong.registry)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(Bench.bodyOf(yield* Bench.answer(wrong.registry)).code, "not_found")
    }))

  it.scoped("gives it when the time is over too, also in a shared run", () =>
    Effect.gen(function*() {
      const { registry } = yield* counting(
        Policy.all(Policy.timeout("2 seconds"), Policy.coalesce, minute, Policy.fallback("stale")),
        (run) => run === 1 ? Evidence.computed("x", 1) : Effect.never
      )
      yield* Bench.answer(registry)
      yield* TestClock.adjust("2 minutes")
      const fiber = yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("2 seconds")
      const { data, degraded } = Bench.envelopeOf(yield* Fiber.join(fiber))
      assert.strictEqual(data, 1)
      assert.include(degraded?.reason, "timed out")
    }))

  it.scoped("names another tool and why, unless the failure names one", () =>
    Effect.gen(function*() {
      const policy = Policy.fallback({ tool: "other_tool", why: "it needs no exchange" })
      const { registry } = yield* counting(policy, (run) =>
        Effect.fail(
          new ToolError({
            code: "temporarily_unavailable",
            message: "Down.",
            ...(run === 1 ? {} : { fallback: { tool: "mine", why: "it is near" } })
          })
        ))
      const body = Bench.bodyOf(yield* Bench.answer(registry))
      assert.deepStrictEqual(body.fallback, { tool: "other_tool", why: "it needs no exchange" })
      assert.strictEqual(body.message, "Down. Meanwhile, call other_tool: it needs no exchange.")
      assert.deepStrictEqual(Bench.bodyOf(yield* Bench.answer(registry)).fallback?.tool, "mine")
    }))
})

describe("CallKey.canonical", () => {
  it("is the same text for equal JSON alone", () => {
    FastCheck.assert(FastCheck.property(FastCheck.jsonValue(), FastCheck.jsonValue(), (one, other) => {
      assert.deepStrictEqual(JSON.parse(CallKey.canonical(one)), JSON.parse(JSON.stringify(one)))
      assert.strictEqual(
        CallKey.canonical(one) === CallKey.canonical(other),
        FastCheck.stringify(JSON.parse(CallKey.canonical(one))) ===
          FastCheck.stringify(JSON.parse(CallKey.canonical(other)))
      )
    }))
    assert.strictEqual(CallKey.canonical(JSON.parse(`{"b":1,"__proto__":{"a":2}}`)), `{"__proto__":{"a":2},"b":1}`)
    assert.strictEqual(CallKey.canonical({ b: undefined, a: [undefined] }), `{"a":[null]}`)
  })

  it("is hashed when it is long", () => {
    assert.strictEqual(CallKey.fingerprint({ a: 1 }), `{"a":1}`)
    assert.match(CallKey.fingerprint({ a: "x".repeat(100) }), /^#[\w-]{43}$/u)
    assert.notStrictEqual(CallKey.fingerprint({ a: "x".repeat(100) }), CallKey.fingerprint({ a: "x".repeat(101) }))
  })
})
