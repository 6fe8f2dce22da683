import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Policy from "causeway-mcp/policy/Policy"
import { RateLimiter } from "causeway-mcp/policy/RateLimiter"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

const twice: Policy.RateLimit = { limit: 2, window: "1 minute" }

const echo = (policy: Policy.Any, name = "echo_text") =>
  Bench.handler(policy, ({ text }) => Evidence.computed("echo", text ?? ""), { name })

const codeOf = (result: Parameters<typeof Bench.bodyOf>[0]): string =>
  result.isError ? Bench.bodyOf(result).code : "answered"

describe("Policy.rateLimit", () => {
  it.scoped("refuses what is over the limit, says for how long, and names the limit and nobody's key", () =>
    Effect.gen(function*() {
      const registry = yield* Bench.registry([echo(Policy.rateLimit({ ...twice, name: "searches" }))])
      yield* Bench.answer(registry)
      yield* Bench.answer(registry)
      const result = yield* Bench.answer(registry)
      const body = Bench.bodyOf(result)
      assert.deepInclude(body, {
        code: "rate_limited",
        retryable: true,
        retryAfterMs: 30_000,
        details: { limit: "searches" }
      })
      assert.strictEqual(
        body.message,
        "Too many calls: the limit \"searches\" allows 2 per 1m. Try again in 30 seconds."
      )
      assert.notInclude(JSON.stringify(result), "heronry")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(codeOf(yield* Bench.answer(registry)), "answered")
    }))

  it.scoped("counts by caller, tenant and tool as it is told", () =>
    Effect.gen(function*() {
      const counted = (per: ReadonlyArray<Policy.Dimension> | undefined) =>
        Effect.gen(function*() {
          const policy = Policy.rateLimit({ limit: 1, window: "1 hour", per })
          const registry = yield* Bench.registry([echo(policy), echo(policy, "other_text")])
          const call = (name: string, caller: Principal.Principal) => Bench.answer(registry, { name, caller })
          const stranger = Principal.make({ id: "ada", tenant: "elsewhere", scopes: ["*"] })
          yield* call("echo_text", Bench.ada)
          return [
            codeOf(yield* call("other_text", Bench.ada)),
            codeOf(yield* call("echo_text", Bench.eve)),
            codeOf(yield* call("echo_text", stranger))
          ]
        }).pipe(Effect.scoped)
      const refused = "rate_limited"
      const had = "answered"
      assert.deepStrictEqual(yield* counted(undefined), [had, had, had])
      assert.deepStrictEqual(yield* counted(["caller"]), [refused, had, had])
      assert.deepStrictEqual(yield* counted(["tenant"]), [refused, refused, had])
      assert.deepStrictEqual(yield* counted(["tool"]), [had, refused, refused])
      assert.deepStrictEqual(yield* counted([]), [refused, refused, refused])
    }))

  it.scoped("takes what a call costs by its input, and settles by its answer", () =>
    Effect.gen(function*() {
      const policy = Policy.rateLimit({
        limit: 10,
        window: "1 hour",
        cost: (input) => (input as { readonly n?: number }).n ?? 1,
        settle: (answer) => Evidence.isEvidence(answer) ? String(answer.data).length : 0
      })
      const registry = yield* Bench.registry([echo(policy)])
      const call = (n: number, text: string) => Effect.map(Bench.answer(registry, { arguments: { n, text } }), codeOf)
      assert.strictEqual(yield* call(8, "xx"), "answered")
      assert.strictEqual(yield* call(8, "xxxx"), "answered")
      assert.strictEqual(yield* call(5, ""), "rate_limited")
      assert.strictEqual(yield* call(4, ""), "answered")
    }))

  it.scoped("gives back what a kept answer has not cost", () =>
    Effect.gen(function*() {
      const policy = Policy.all(
        Policy.rateLimit({ limit: 2, window: "1 hour", settle: () => 1 }),
        Policy.cache({ timeToLive: "1 minute" })
      )
      const registry = yield* Bench.registry([echo(policy)])
      for (let call = 0; call < 10; call++) assert.strictEqual(codeOf(yield* Bench.answer(registry)), "answered")
    }))

  it.scoped("answers although the cost cannot be told", () =>
    Effect.gen(function*() {
      const settle = (): number => {
        throw new Error("no price")
      }
      const registry = yield* Bench.registry([echo(Policy.rateLimit({ ...twice, settle }))])
      assert.strictEqual(codeOf(yield* Bench.answer(registry)), "answered")
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None)))

  it.scoped("does not run the handler of a call that it refuses", () =>
    Effect.gen(function*() {
      let runs = 0
      const handler = Bench.handler(Policy.rateLimit({ limit: 1, window: "1 hour" }), () => {
        runs++
        return Evidence.computed("x", 1)
      })
      const registry = yield* Bench.registry([handler])
      yield* Bench.answer(registry)
      yield* Bench.answer(registry)
      assert.strictEqual(runs, 1)
    }))

  it.scoped("keeps to the caller's own limits, with and without a limiter", () =>
    Effect.gen(function*() {
      const caller = Principal.make({
        id: "key",
        limits: [{ limit: 5, windowSeconds: 1 }, { limit: 6, windowSeconds: 3600 }]
      })
      const alone = yield* ToolRegistry.make(Toolkit.make(echo(Policy.none), echo(Policy.none, "other_text")))
      for (let call = 0; call < 5; call++) yield* Bench.answer(alone, { caller })
      const body = Bench.bodyOf(yield* Bench.answer(alone, { caller, name: "other_text" }))
      assert.deepInclude(body, { code: "rate_limited", retryAfterMs: 200, details: { limit: "caller" } })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(codeOf(yield* Bench.answer(alone, { caller })), "answered")
      assert.strictEqual(codeOf(yield* Bench.answer(alone, { caller })), "rate_limited")
      assert.strictEqual(codeOf(yield* Bench.answer(alone, { caller: Bench.ada })), "answered")
    }))

  it.scoped("says that calls cannot be counted when the limiter says so", () =>
    Effect.gen(function*() {
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
      const registry = yield* ToolRegistry.make(Toolkit.make(echo(Policy.rateLimit(twice)))).pipe(
        Effect.provideService(RateLimiter, closed)
      )
      const body = Bench.bodyOf(yield* Bench.answer(registry))
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "rate-limiter", retryAfterMs: 1000 })
    }))

  it.scoped("is refused at the start when it is no limit", () =>
    Effect.gen(function*() {
      for (const limit of [0, -1, Infinity, NaN]) {
        const error = yield* Effect.flip(Bench.registry([echo(Policy.rateLimit({ limit, window: "1 second" }))]))
        assert.include(error.message, "the rate limit \"calls\" must have")
      }
    }))
})

describe("Policy.concurrency", () => {
  const gated = (policy: Policy.Any, name = "echo_text") => {
    const state = { running: 0, most: 0 }
    const open = Deferred.unsafeMake<void>(Fiber.id(Fiber.void))
    const handler = Bench.handler(policy, () =>
      Effect.suspend(() => {
        state.most = Math.max(state.most, ++state.running)
        return Deferred.await(open)
      }).pipe(
        Effect.ensuring(Effect.sync(() => state.running--)),
        Effect.zipRight(Evidence.computed("x", 1))
      ), { name })
    return { state, open, handler }
  }

  it.scoped("lets so many run at once, and refuses those who find no room to wait", () =>
    Effect.gen(function*() {
      const { handler, open, state } = gated(Policy.concurrency({ limit: 2, queue: 3 }))
      const registry = yield* Bench.registry([handler])
      const fibers = yield* Effect.forEach(Array.from({ length: 6 }), () => Effect.fork(Bench.answer(registry)))
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(open, undefined)
      const codes = (yield* Fiber.join(Fiber.all(fibers))).map(codeOf)
      assert.deepStrictEqual(codes.filter((code) => code !== "answered"), ["temporarily_unavailable"])
      assert.strictEqual(state.most, 2)
    }))

  it.scoped("lets nobody wait for longer than the call may take", () =>
    Effect.gen(function*() {
      const { handler } = gated(
        Policy.all(Policy.timeout("1 minute"), Policy.concurrency({ limit: 1, maxWait: "30 seconds" }))
      )
      const registry = yield* Bench.registry([handler])
      yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("1 millis")
      const hasty = yield* Effect.fork(Bench.answer(registry, { timeoutMs: 2000 }))
      const other = yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("2 seconds")
      const body = Bench.bodyOf(yield* Fiber.join(hasty))
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "echo_text" })
      assert.include(body.message, "its turn did not come in time")
      assert.strictEqual((yield* Fiber.status(other))._tag, "Suspended")
      yield* TestClock.adjust("28 seconds")
      assert.strictEqual(codeOf(yield* Fiber.join(other)), "temporarily_unavailable")
    }))

  it.scoped("shares the places of an upstream among the tools that name it alike", () =>
    Effect.gen(function*() {
      const policy = Policy.concurrency({ limit: 1, queue: 0, upstream: "exchange" })
      const one = gated(policy)
      const other = gated(policy, "other_text")
      const apart = gated(Policy.concurrency({ limit: 1, queue: 0 }), "third_text")
      const registry = yield* Bench.registry([one.handler, other.handler, apart.handler])
      yield* Effect.fork(Bench.answer(registry))
      yield* Effect.fork(Bench.answer(registry, { name: "third_text" }))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(codeOf(yield* Bench.answer(registry, { name: "other_text" })), "temporarily_unavailable")
      assert.strictEqual(apart.state.running, 1)
    }))

  it.scoped("gives the place back while the user is asked, and takes none for a task", () =>
    Effect.gen(function*() {
      const policy = Policy.concurrency({ limit: 1, queue: 0 })
      const asks = Bench.handler(policy, () =>
        Effect.flatMap(
          Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean })),
          () => Evidence.computed("x", 1)
        ))
      const registry = yield* Bench.registry([asks])
      for (const _ of [1, 2]) assert.strictEqual((yield* registry.call(Bench.request()))._tag, "Paused")
      const { handler, state } = gated(policy)
      const tasks = yield* Bench.registry([handler])
      yield* Effect.fork(Bench.answer(tasks, { isTask: true }))
      yield* Effect.fork(Bench.answer(tasks, { isTask: true }))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(state.running, 2)
    }))

  it.scoped("counts no call whose handler is done at once, which needs no fiber", () =>
    Effect.gen(function*() {
      const evidence = yield* Evidence.computed("x", 1)
      const handler = Bench.handler(Policy.standard, () => Effect.succeed(evidence))
      const registry = yield* Bench.registry([handler], Policy.standard)
      assert.isTrue(Exit.isExit(registry.call(Bench.request())))
      const limited = Bench.handler(Policy.rateLimit({ limit: 1, window: "1 second" }), () => Effect.succeed(evidence))
      assert.isTrue(Exit.isExit((yield* Bench.registry([limited])).call(Bench.request())))
    }))

  it.scoped("is refused at the start when it is none", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Bench.registry([echo(Policy.concurrency(0))]))
      assert.include(error.message, "limit must be a whole number of at least 1, but is 0")
    }))
})

describe("Tool.withTerms", () => {
  it("keeps what it is not given", () => {
    const handler = Tool.requires(echo(Policy.standard), ["store"])
    const changed = Tool.withTerms({ policy: Policy.none })(handler)
    assert.deepStrictEqual([changed.requires, changed.policy], [["store"], Policy.none])
    assert.strictEqual(changed.run, handler.run)
  })
})
