import { assert, describe, it } from "@effect/vitest"
import * as Health from "causeway-mcp/health/Health"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as IdempotencyStore from "causeway-mcp/policy/IdempotencyStore"
import { Overload } from "causeway-mcp/policy/Overload"
import * as Policy from "causeway-mcp/policy/Policy"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as ResultCache from "causeway-mcp/policy/ResultCache"
import { invalidParams } from "causeway-mcp/protocol/McpError"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import * as Bench from "./bench.js"

/** Parts that all leave a mark in one call. */
const parts: ReadonlyArray<Policy.Any> = [
  Policy.priority("critical"),
  Policy.sizeLimit({ input: 1000, result: 2000 }),
  Policy.idempotent(),
  Policy.rateLimit({ limit: 100, window: "1 second" }),
  Policy.concurrency(1),
  Policy.coalesce,
  Policy.fallback("stale"),
  Policy.cache({ timeToLive: "1 minute", staleFor: "1 minute" }),
  Policy.circuitBreaker(),
  Policy.timeout("10 seconds"),
  Policy.retry(Backoff.quick),
  Policy.attemptTimeout("1 second"),
  Policy.minConfidence(0.9, "mark")
]

const marks = (log: Array<string>, observer: Observer.Observer) =>
  Layer.mergeAll(
    Layer.succeed(Observer.CallObserver, observer),
    Layer.succeed(Overload, {
      pressure: () => ({ level: 0, loopDelayMs: 0, heapRatio: 0 }),
      turnsAway: (priority) => {
        log.push(`overload ${priority}`)
        return 0
      }
    }),
    Layer.succeed(
      Health.Health,
      {
        report: Effect.succeed({ status: "up", sources: [] }),
        status: () => {
          log.push("requirements")
          return "up" as const
        }
      } as typeof Health.Health.Service
    ),
    Layer.effect(
      RateLimiter.RateLimiter,
      Effect.map(RateLimiter.make(), (limiter) => ({
        ...limiter,
        take: (takes) => {
          log.push("take")
          return limiter.take(takes)
        }
      }))
    ),
    Layer.effect(
      ResultCache.ResultCache,
      Effect.map(ResultCache.make(), (cache) => ({
        ...cache,
        get: (key) => {
          log.push("get")
          return cache.get(key)
        }
      }))
    ),
    Layer.effect(
      IdempotencyStore.IdempotencyStore,
      Effect.map(IdempotencyStore.make(), (store) => ({
        ...store,
        claim: (...args) => {
          log.push("claim")
          return store.claim(...args)
        },
        answer: (...args) => {
          log.push("answer")
          return store.answer(...args)
        }
      }))
    )
  )

const expected = [
  "begin",
  "overload critical",
  "requirements",
  "claim",
  "take",
  "rateLimit taken",
  "get",
  "cache miss",
  "run",
  "retry again",
  "run",
  "minConfidence marked",
  "sizeLimit cut",
  "answer",
  "end answered"
]

/** One call under these policies, given to the server, a toolkit and the tool in turn. */
const walk = (policies: ReadonlyArray<Policy.Any>, split: readonly [number, number]) =>
  Effect.gen(function*() {
    const log: Array<string> = []
    let runs = 0
    const [first, second] = split[0] <= split[1] ? split : [split[1], split[0]]
    const handler = Bench.handler(Policy.none, () =>
      Effect.suspend((): Bench.Handled => {
        log.push("run")
        return ++runs === 1
          ? Effect.zipRight(Effect.yieldNow(), new ToolError({ code: "temporarily_unavailable", message: "No" }))
          : Effect.map(Evidence.source({ id: "x", kind: "computation" }), (source) =>
            Evidence.make({ data: Array.from({ length: 500 }, () => "a line"), confidence: 0.5, sources: [source] }))
      }))
    const terms = Tool.withTerms({
      toolkitPolicy: Policy.all(...policies.slice(first, second)),
      policy: Policy.all(...policies.slice(second))
    })
    const registry = yield* ToolRegistry.make(
      Toolkit.make(Tool.requires(terms(handler), ["exchange"])),
      { policy: Policy.all(...policies.slice(0, first)) as Policy.Policy<Policy.Repeats> }
    ).pipe(Effect.provide(marks(log, {
      begin: () => {
        log.push("begin")
        return {
          step: (step, doing) =>
            void log.push(`${step} ${doing}`),
          end: ({ outcome }) =>
            void log.push(`end ${outcome}`)
        }
      }
    })))
    const fiber = yield* Effect.fork(Bench.answer(registry, { meta: { "dev.causeway/idempotencyKey": "k" } }))
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.join(fiber)
    return log
  }).pipe(Effect.scoped)

describe("Stack", () => {
  it.effect("stands in one order, whatever the order and the level at which its parts were written", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.shuffledSubarray(parts.map((_, index) => index), { minLength: parts.length }),
          FastCheck.tuple(FastCheck.nat(parts.length), FastCheck.nat(parts.length)),
          (order, split) =>
            Effect.runPromise(
              Effect.provide(
                Effect.map(
                  walk(order.flatMap((index) => parts[index] ?? []), split),
                  (log) => assert.deepStrictEqual(log, expected)
                ),
                TestContext.TestContext
              )
            )
        ),
        { numRuns: 40 }
      )
    ))

  it.scoped("repeats no effectful call, whatever the types said", () =>
    Effect.gen(function*() {
      let runs = 0
      const repeating = Policy.all(
        Policy.retry(Backoff.quick),
        Policy.coalesce,
        Policy.cache({ timeToLive: "1 minute" }),
        Policy.fallback("stale")
      )
      const handler = Bench.handler(repeating, () =>
        Effect.suspend((): Bench.Handled => {
          runs++
          return Effect.zipRight(
            Effect.sleep("1 second"),
            runs === 3
              ? Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "" }))
              : Evidence.computed("x", runs)
          )
        }), { safety: "effectful" })
      const registry = yield* Bench.registry([handler], repeating as Policy.Policy<Policy.Repeats>)
      const fibers = yield* Effect.forEach([1, 2], () => Effect.fork(Bench.answer(registry)))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(Fiber.all(fibers))
      assert.strictEqual(runs, 2)
      const third = yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(Bench.bodyOf(yield* Fiber.join(third)).code, "temporarily_unavailable")
      assert.strictEqual(runs, 3)
    }))
})

describe("CallObserver", () => {
  const told = (handler: ReturnType<typeof Bench.handler>, more: Partial<ToolRegistry.Request> = {}) =>
    Effect.gen(function*() {
      const notes = Bench.notes()
      const registry = yield* Bench.registry([handler]).pipe(Effect.provide(notes.layer))
      const fiber = yield* Effect.fork(Effect.exit(registry.call(Bench.request(more))))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.interrupt(fiber)
      return notes
    })

  it.scoped("is told once how each call ended", () =>
    Effect.gen(function*() {
      const sure = (run: Bench.Handled, policy: Policy.Any = Policy.none) => Bench.handler(policy, () => run)
      const slow = Effect.zipRight(Effect.sleep("2 seconds"), Evidence.computed("x", 1))
      const cases = [
        [sure(Evidence.computed("x", 1)), {}, "answered undefined"],
        [sure(slow), {}, "answered undefined"],
        [sure(slow, Policy.timeout("1 second")), {}, "failed timed_out"],
        [sure(new ToolError({ code: "not_found", message: "" })), {}, "failed not_found"],
        [sure(Effect.fail(invalidParams("no")) as unknown as Bench.Handled), {}, "error -32602"],
        [sure(Effect.never), {}, "interrupted undefined"],
        [sure(slow), { arguments: { text: 1 } }, "failed invalid_input"],
        [sure(slow), { name: "no_such_tool" }, "error -32602"]
      ] as const
      for (const [handler, more, expected] of cases) {
        const { begun, ended } = yield* told(handler, more)
        assert.deepStrictEqual([begun.length, ended.map(({ code, outcome }) => `${outcome} ${code}`)], [1, [expected]])
        assert.strictEqual(begun[0]?.tool === undefined, "name" in more)
      }
      const [first] = (yield* told(sure(slow))).ended
      const { sources, ...rest } = first ?? {}
      assert.deepStrictEqual(sources?.map(({ id, kind }) => `${kind}:${id}`), ["computation:x"])
      assert.deepStrictEqual(rest, {
        outcome: "answered",
        code: undefined,
        isDegraded: false,
        isCached: false,
        confidence: 1,
        millis: 2000
      })
    }))

  it.scoped("runs handlers inside of what it puts around them, but for those that are done at once", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const named = (name: string): Observer.Observer => ({
        begin: () => ({
          end: () => void log.push(`${name} end`),
          around: (effect) =>
            Effect.acquireUseRelease(
              Effect.sync(() => log.push(`${name} in`)),
              () => effect,
              () => Effect.sync(() => log.push(`${name} out`))
            )
        })
      })
      const both = Observer.layer(Effect.succeed(named("a")), Effect.succeed(named("b")))
      const evidence = yield* Evidence.computed("x", 1)
      const registry = yield* Bench.registry([
        Bench.handler(Policy.none, () => Effect.zipRight(Effect.yieldNow(), Effect.succeed(evidence))),
        Bench.handler(Policy.none, () => Effect.succeed(evidence), { name: "at_once" })
      ]).pipe(Effect.provide(both))
      yield* Bench.answer(registry)
      assert.deepStrictEqual(log, ["a in", "b in", "b out", "a out", "a end", "b end"])
      log.length = 0
      yield* Bench.answer(registry, { name: "at_once" })
      assert.deepStrictEqual(log, ["a end", "b end"])
    }))

  it("is none where nobody wants the call, and the only one where one does", () => {
    const begun: Observer.Begun = {
      tool: undefined,
      name: "x",
      caller: Bench.ada,
      requestId: 1,
      meta: {},
      arguments: {},
      isTask: false
    }
    const observation: Observer.Observation = { end: () => undefined }
    const no: Observer.Observer = { begin: () => undefined }
    const yes: Observer.Observer = { begin: () => observation }
    assert.strictEqual(Observer.merge(yes), yes)
    assert.isUndefined(Observer.merge().begin(begun))
    assert.isUndefined(Observer.merge(no, no).begin(begun))
    assert.strictEqual(Observer.merge(no, yes).begin(begun), observation)
    const two = Observer.merge(yes, yes).begin(begun)
    assert.deepStrictEqual([two?.step, two?.around], [undefined, undefined])
  })
})

describe("Policy.priority", () => {
  it.scoped("is told to whoever turns calls away, before anything is looked at", () =>
    Effect.gen(function*() {
      const busy = {
        pressure: () => ({ level: 1, loopDelayMs: 0, heapRatio: 0 }) as const,
        turnsAway: (priority: Policy.Priority) => (priority === "background" ? 2500 : 0)
      }
      const low = Bench.handler(Policy.priority("background"), () => Evidence.computed("x", 1))
      const high = Bench.handler(Policy.priority("critical"), () => Evidence.computed("x", 1), { name: "high" })
      const registry = yield* Bench.registry([low, high]).pipe(Effect.provideService(Overload, busy))
      const body = Bench.bodyOf(yield* Bench.answer(registry, { arguments: 7 }))
      assert.deepInclude(body, { code: "temporarily_unavailable", retryAfterMs: 2500 })
      assert.isFalse((yield* Bench.answer(registry, { name: "high" })).isError)
    }))
})

describe("Tool.requires", () => {
  it.scoped("fails at once while a source is down, and names it and what to use instead", () =>
    Effect.gen(function*() {
      let status: "up" | "down" | "unknown" = "down"
      let runs = 0
      const health = { report: Effect.succeed({ status: "up" as const, sources: [] }), status: () => status }
      const instead = { tool: "other_tool", why: "it needs no exchange" }
      const count = () => Effect.suspend(() => Evidence.computed("x", ++runs))
      const plain = Bench.handler(Policy.none, count).pipe(Tool.requires(["exchange"], instead))
      const kept = Tool.requires(
        Bench.handler(
          Policy.all(Policy.cache({ timeToLive: "1 minute", staleFor: "1 minute" }), Policy.fallback("stale")),
          count,
          {
            name: "kept_text"
          }
        ),
        ["exchange"]
      )
      const registry = yield* Bench.registry([plain, kept]).pipe(
        Effect.provideService(Health.Health, health as typeof Health.Health.Service)
      )
      const body = Bench.bodyOf(yield* Bench.answer(registry))
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "exchange", fallback: instead })
      assert.strictEqual(Bench.bodyOf(yield* Bench.answer(registry, { name: "kept_text" })).source, "exchange")
      assert.strictEqual(runs, 0)
      status = "unknown"
      yield* Bench.answer(registry)
      yield* Bench.answer(registry, { name: "kept_text" })
      assert.strictEqual(runs, 2)
      status = "down"
      assert.isUndefined(Bench.envelopeOf(yield* Bench.answer(registry, { name: "kept_text" })).degraded)
      yield* TestClock.adjust("90 seconds")
      const stale = Bench.envelopeOf(yield* Bench.answer(registry, { name: "kept_text" }))
      assert.deepStrictEqual(stale.degraded?.missing, ["exchange"])
      assert.strictEqual(runs, 2)
    }))
})
