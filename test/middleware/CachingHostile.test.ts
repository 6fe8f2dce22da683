import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as CallKey from "causeway-mcp/middleware/CallKey"
import * as Policy from "causeway-mcp/policy/Policy"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as ResultCache from "causeway-mcp/policy/ResultCache"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

const minute = Policy.cache({ timeToLive: "1 minute", staleFor: "10 minutes" })

/** A cache that tells under which keys it was asked. */
const watched = Effect.map(ResultCache.make(), (cache) => {
  const keys: Array<string> = []
  return {
    cache: {
      ...cache,
      set: (key: string, kept: ResultCache.Kept, millis: number) => {
        keys.push(key)
        return cache.set(key, kept, millis)
      }
    },
    keys
  }
})

const served = (handler: Tool.ToolHandler<Tool.Any, unknown, never>, cache: ResultCache.ResultCache["Type"]) =>
  ToolRegistry.make(Toolkit.make(handler), { policy: Policy.none }).pipe(
    Effect.provideService(ResultCache.ResultCache, cache)
  )

const protect = Tool.withTerms({ policy: minute })

describe("A kept answer", () => {
  it.scoped("is not given by a version of the tool that takes or gives something else", () =>
    Effect.gen(function*() {
      const { cache } = yield* watched
      let runs = 0
      const version = (options: {
        readonly parameters?: { readonly text: Schema.Schema<string> | Schema.optional<Schema.Schema<string>> }
        readonly success: Schema.Schema<never, never> | Schema.Schema.AnyNoContext
      }) =>
        protect(
          Tool.make("echo_text", {
            description: "Gives back the text it was given",
            safety: "readOnly",
            ...options as { readonly success: Schema.Schema<unknown> }
          }).implement(() => Effect.suspend(() => Evidence.computed("x", { rows: [], n: ++runs })))
        )
      const rows = Schema.Array(Schema.Number)
      const first = version({ success: Schema.Struct({ rows, n: Schema.Number }) })
      const versions = [
        first,
        version({ success: Schema.Struct({ rows: Schema.Array(Schema.String), n: Schema.Number }) }),
        version({
          success: Schema.Struct({ rows, n: Schema.Number }),
          parameters: { text: Schema.optional(Schema.String) }
        }),
        version({
          success: Schema.Struct({ rows, n: Schema.Number }),
          parameters: { text: Schema.optional(Schema.String.annotations({ description: "In pounds from now on" })) }
        })
      ]
      for (const [index, handler] of versions.entries()) {
        const registry = yield* served(handler, cache)
        yield* Bench.answer(registry)
        yield* Bench.answer(registry)
        assert.strictEqual(runs, index + 1)
      }
      yield* Bench.answer(yield* served(first, cache))
      assert.strictEqual(runs, versions.length)
    }))

  it.scoped("is told from one of a raw tool whose schema is as short and ends alike", () =>
    Effect.gen(function*() {
      const { cache } = yield* watched
      let runs = 0
      const version = (name: string) =>
        protect(
          Tool.raw("echo_text", {
            description: "Gives what it is asked for",
            safety: "readOnly",
            outputSchema: { properties: { [name]: {} }, type: "object" }
          }).implement(() => Effect.sync(() => ({ structured: { [name]: ++runs } })))
        )
      yield* Bench.answer(yield* served(version("a"), cache))
      yield* Bench.answer(yield* served(version("b"), cache))
      assert.strictEqual(runs, 2)
    }))

  it.scoped("is asked for anew when what lies in its place is none", () =>
    Effect.gen(function*() {
      const { cache, keys } = yield* watched
      let runs = 0
      const handler = protect(
        Bench.tool().implement(() => Effect.suspend(() => Evidence.computed("x", ++runs)))
      )
      const registry = yield* served(handler, cache)
      yield* Bench.answer(registry)
      const [key = ""] = keys
      const junk = ["null", "7", "{}", "[]", "{\"structured\":\"null\"}", "{\"structured\":\"{}\"}"]
      for (const json of [...junk, "{\"structured\":\"no\"}", "{\"structured\":{}}", "no"]) {
        yield* cache.set(key, { json, madeAt: 0 }, 60_000)
        assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry)), runs, json)
      }
      assert.strictEqual(runs, 10)
    }))

  it.scoped("is worth something even if it is kept for failures alone", () =>
    Effect.gen(function*() {
      let runs = 0
      const policy = Policy.all(Policy.cache({ timeToLive: 0, staleFor: "1 hour" }), Policy.fallback("stale"))
      const handler = Bench.handler(policy, () =>
        Effect.suspend((): Bench.Handled =>
          ++runs === 1
            ? Evidence.computed("x", 1)
            : Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "Down" }))
        ))
      const registry = yield* Bench.registry([handler])
      yield* Bench.answer(registry)
      assert.strictEqual(Bench.envelopeOf(yield* Bench.answer(registry)).confidence, 1)
      yield* TestClock.adjust("30 minutes")
      assert.approximately(Bench.envelopeOf(yield* Bench.answer(registry)).confidence, 2 ** (-1 / 8), 1e-9)
      assert.strictEqual(runs, 3)
    }))

  it.scoped("does not stand in when it is too old, however long it was kept", () =>
    Effect.gen(function*() {
      const { cache, keys } = yield* watched
      let runs = 0
      const policy = Policy.all(minute, Policy.fallback("stale"))
      const handler = Bench.handler(policy, () =>
        Effect.suspend((): Bench.Handled =>
          ++runs === 1
            ? Evidence.computed("x", 1)
            : Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "Down" }))
        ))
      const registry = yield* served(handler as Tool.ToolHandler<Tool.Any, unknown, never>, cache)
      yield* Bench.answer(registry)
      const [key = ""] = keys
      const kept = Option.getOrThrow(yield* cache.get(key))
      // Another instance, whose policy keeps answers for longer, has kept it.
      yield* cache.set(key, kept, 86_400_000)
      yield* TestClock.adjust("10 minutes")
      assert.isFalse((yield* Bench.answer(registry)).isError)
      yield* TestClock.adjust("1 minute")
      assert.isTrue((yield* Bench.answer(registry)).isError)
    }))

  it.scoped("is the same for arguments that are equal as JSON, and for no others", () =>
    Effect.gen(function*() {
      let runs = 0
      const registry = yield* Bench.registry([
        Bench.handler(minute, () => Effect.suspend(() => Evidence.computed("x", ++runs)))
      ])
      const equal: ReadonlyArray<ReadonlyArray<string>> = [
        ["{\"n\":1,\"text\":\"a\"}", "{\"text\":\"a\",\"n\":1.0}", "{\"n\":1e0,\"text\":\"\\u0061\"}"],
        ["{\"n\":0}", "{\"n\":-0}"],
        ["{\"text\":\"\u00e9\"}"],
        ["{\"text\":\"e\u0301\"}"],
        ["{\"text\":\"\\ud800\"}"],
        ["{\"text\":\"\\udc00\"}"],
        [`{"text":"${"x".repeat(99)}\\ud800"}`],
        [`{"text":"${"x".repeat(99)}\\udc00"}`],
        ["{}"],
        ["{\"text\":\"1\"}"],
        ["{\"n\":1}"]
      ]
      for (const [index, texts] of equal.entries()) {
        for (const text of texts) {
          assert.strictEqual(
            Bench.dataOf(yield* Bench.answer(registry, { arguments: JSON.parse(text) })),
            index + 1,
            text
          )
        }
      }
    }))

  it("tells callers apart though their scopes are long and broken", () => {
    const scopes = Array.from({ length: 10 }, (_, index) => `long:scope:${index}`)
    const [one, other] = ["\ud800", "\ud801"].map((last) => Principal.make({ id: "a", scopes: [...scopes, last] }))
    if (one === undefined || other === undefined) return assert.fail("two were made")
    assert.notStrictEqual(CallKey.ofAnswer("t", false, one, {}), CallKey.ofAnswer("t", false, other, {}))
  })
})

describe("A policy's own functions", () => {
  const quiet = Logger.withMinimumLogLevel(LogLevel.None)
  const nasty = (): never => {
    throw new Error("secret")
  }

  it.scoped("may throw or answer nonsense, and the call ends as internal and tells nothing", () =>
    Effect.gen(function*() {
      const limit = { limit: 5, window: "1 hour" } as const
      const policies = [
        Policy.rateLimit({ ...limit, cost: nasty }),
        Policy.rateLimit({ ...limit, cost: () => NaN }),
        Policy.rateLimit({ ...limit, cost: () => -1 }),
        Policy.idempotent({ key: nasty }),
        Policy.idempotent({ key: (() => 7) as unknown as () => string }),
        Policy.all(Policy.idempotent({ key: () => "k" }), Policy.rateLimit({ ...limit, cost: nasty }))
      ]
      for (const policy of policies) {
        let runs = 0
        const handler = Bench.handler(policy, () => Effect.suspend(() => Evidence.computed("x", ++runs)))
        const registry = yield* Bench.registry([handler])
        const result = yield* Bench.answer(registry)
        assert.strictEqual(Bench.bodyOf(result).code, "internal")
        assert.notInclude(JSON.stringify(result), "secret")
        assert.strictEqual(runs, 0)
      }
    }).pipe(quiet))

  it.scoped("that fail take no token of a limit", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.make()
      let took = 0
      const counting: RateLimiter.RateLimiter["Type"] = {
        ...limiter,
        take: (takes) => {
          took++
          return limiter.take(takes)
        }
      }
      const policy = Policy.all(
        Policy.rateLimit({ limit: 5, window: "1 hour" }),
        Policy.rateLimit({ name: "cost", limit: 5, window: "1 hour", cost: nasty })
      )
      const registry = yield* ToolRegistry.make(
        Toolkit.make(Bench.handler(policy, () => Evidence.computed("x", 1)))
      ).pipe(Effect.provideService(RateLimiter.RateLimiter, counting))
      yield* Bench.answer(registry)
      assert.strictEqual(took, 0)
    }).pipe(quiet))
})
