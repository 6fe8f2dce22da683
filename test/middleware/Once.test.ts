import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as IdempotencyStore from "causeway-mcp/policy/IdempotencyStore"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Evidence from "causeway-mcp/tool/Evidence"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

const quiet = Logger.withMinimumLogLevel(LogLevel.None)

/** A tool that changes something, and counts how often. */
const effectful = (
  step: (run: number) => Bench.Handled,
  policy: Policy.Any = Policy.idempotent(),
  safety: "effectful" | "idempotent" = "effectful"
) => {
  let runs = 0
  return Effect.map(
    Bench.registry([Bench.handler(policy, () => Effect.suspend(() => step(++runs)), { safety })]),
    (registry) => ({ registry, runs: () => runs })
  )
}

const keyed = (key: unknown, more: Partial<ToolRegistry.Request> = {}) => ({
  meta: { "dev.causeway/idempotencyKey": key },
  ...more
})

const slowly = (run: number) => Effect.zipRight(Effect.sleep("2 seconds"), Evidence.computed("x", run))

describe("Policy.idempotent", () => {
  it.scoped("runs a call once however many send it at once, and gives all the same answer", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* effectful(slowly)
      const fibers = yield* Effect.forEach(
        Array.from({ length: 50 }),
        () => Effect.fork(Bench.answer(registry, keyed("k")))
      )
      yield* TestClock.adjust("10 seconds")
      const results = yield* Fiber.join(Fiber.all(fibers))
      assert.strictEqual(runs(), 1)
      for (const result of results) assert.deepStrictEqual(result, results[0])
      assert.deepStrictEqual(yield* Bench.answer(registry, keyed("k")), results[0])
    }))

  it.effect("has one effect for each caller and key, in any order of sendings", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(
            FastCheck.record({
              caller: FastCheck.constantFrom(Bench.ada, Bench.eve),
              key: FastCheck.constantFrom("a", "b", "a|b", "x".repeat(200))
            }),
            { minLength: 1, maxLength: 12 }
          ),
          (sendings) =>
            Effect.runPromise(Effect.scoped(Effect.gen(function*() {
              const { registry, runs } = yield* effectful((run) =>
                Effect.as(Effect.yieldNow(), run).pipe(Effect.flatMap((n) => Evidence.computed("x", n)))
              )
              const answers = yield* Effect.forEach(
                sendings,
                ({ caller, key }) => Bench.answer(registry, keyed(key, { caller })),
                { concurrency: "unbounded" }
              )
              const distinct = new Map<string, unknown>()
              for (const [index, { caller, key }] of sendings.entries()) {
                const result = answers[index]
                const data = result && Bench.dataOf(result)
                const name = `${caller.id} ${key}`
                assert.strictEqual(distinct.get(name) ?? data, data)
                distinct.set(name, data)
              }
              assert.strictEqual(runs(), distinct.size)
            })))
        ),
        { numRuns: 50 }
      )
    ))

  it.scoped("runs every call without a key, and refuses a key that is none", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* effectful((run) => Evidence.computed("x", run))
      yield* Bench.answer(registry)
      yield* Bench.answer(registry)
      assert.strictEqual(runs(), 2)
      for (const key of [7, "", "x".repeat(257), null]) {
        assert.strictEqual(Bench.bodyOf(yield* Bench.answer(registry, keyed(key))).code, "invalid_input")
      }
      assert.strictEqual(runs(), 2)
    }))

  it.scoped("refuses a key that comes with other arguments", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* effectful((run) => Evidence.computed("x", run))
      yield* Bench.answer(registry, keyed("k", { arguments: { text: "a", n: 1 } }))
      const other = yield* Bench.answer(registry, keyed("k", { arguments: { text: "b" } }))
      assert.strictEqual(Bench.bodyOf(other).code, "invalid_input")
      yield* Bench.answer(registry, keyed("k", { arguments: { n: 1, text: "a" } }))
      assert.strictEqual(runs(), 1)
    }))

  it.scoped("takes the key from the input where it is told how", () =>
    Effect.gen(function*() {
      const key = (input: unknown) => (input as { readonly text?: string }).text
      const { registry, runs } = yield* effectful((run) => Evidence.computed("x", run), Policy.idempotent({ key }))
      yield* Bench.answer(registry, { arguments: { text: "a" } })
      yield* Bench.answer(registry, { arguments: { text: "a" } })
      yield* Bench.answer(registry, { arguments: {} })
      assert.strictEqual(runs(), 2)
    }))

  it.scoped("lets a call be sent again that came to nothing", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* effectful((run) =>
        run === 1
          ? Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "No" }))
          : Evidence.computed("x", run)
      )
      assert.strictEqual(Bench.bodyOf(yield* Bench.answer(registry, keyed("k"))).code, "temporarily_unavailable")
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry, keyed("k"))), 2)
      assert.strictEqual(runs(), 2)
    }))

  it.scoped("does not run an effectful call again of which nobody knows whether it took effect", () =>
    Effect.gen(function*() {
      const hangs = (run: number): Bench.Handled => run === 1 ? Effect.never : Evidence.computed("x", run)
      const policy = Policy.all(Policy.timeout("1 second"), Policy.idempotent())
      const late = yield* effectful(hangs, policy)
      const fiber = yield* Effect.fork(Bench.answer(late.registry, keyed("k")))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(Bench.bodyOf(yield* Fiber.join(fiber)).code, "timed_out")
      const again = Bench.bodyOf(yield* Bench.answer(late.registry, keyed("k")))
      assert.deepInclude(again, { code: "internal", retryable: false })
      assert.include(again.message, "nobody knows whether it took effect")
      assert.strictEqual(late.runs(), 1)

      const left = yield* effectful(hangs, policy)
      const leaving = yield* Effect.fork(Bench.answer(left.registry, keyed("k")))
      yield* TestClock.adjust("100 millis")
      yield* Fiber.interrupt(leaving)
      assert.strictEqual(Bench.bodyOf(yield* Bench.answer(left.registry, keyed("k"))).code, "internal")

      const dying = yield* effectful((run) => run === 1 ? Effect.die("bug") : Evidence.computed("x", run), policy)
      yield* Bench.answer(dying.registry, keyed("k"))
      assert.strictEqual(Bench.bodyOf(yield* Bench.answer(dying.registry, keyed("k"))).code, "internal")
      assert.strictEqual(dying.runs(), 1)
    }).pipe(quiet))

  it.scoped("runs a call again that is safe to repeat, whatever became of the first", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* effectful(
        (run) => run === 1 ? Effect.die("bug") : Evidence.computed("x", run),
        Policy.idempotent(),
        "idempotent"
      )
      yield* Bench.answer(registry, keyed("k"))
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry, keyed("k"))), 2)
      assert.strictEqual(runs(), 2)
    }).pipe(quiet))

  it.scoped("gives the key back while the user is asked", () =>
    Effect.gen(function*() {
      const { registry, runs } = yield* effectful((run) =>
        Effect.flatMap(
          Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean }), { key: "sure" }),
          () => Evidence.computed("x", run)
        )
      )
      const first = yield* registry.call(Bench.request(keyed("k")))
      if (first._tag !== "Paused") return assert.fail("the call was not paused")
      const asking = {
        memo: first.memo,
        responses: { sure: { action: "accept", content: { sure: true } } },
        clientCapabilities: { elicitation: {} }
      }
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry, keyed("k", { asking }))), 2)
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry, keyed("k", { asking }))), 2)
      assert.strictEqual(runs(), 2)
    }))

  it.scoped("holds the key for as long as the call runs", () =>
    Effect.gen(function*() {
      const open = yield* Deferred.make<void>()
      const { registry, runs } = yield* effectful((run) =>
        Effect.zipRight(Deferred.await(open), Evidence.computed("x", run))
      )
      const first = yield* Effect.fork(Bench.answer(registry, keyed("k")))
      yield* TestClock.adjust("5 minutes")
      const second = yield* Effect.fork(Bench.answer(registry, keyed("k")))
      yield* TestClock.adjust("1 minute")
      yield* Deferred.succeed(open, undefined)
      assert.deepStrictEqual(yield* Fiber.join(second), yield* Fiber.join(first))
      assert.strictEqual(runs(), 1)
    }))

  it.scoped("waits no longer than the call may take", () =>
    Effect.gen(function*() {
      const { registry } = yield* effectful(() => Effect.never, Policy.idempotent())
      yield* Effect.fork(Bench.answer(registry, keyed("k")))
      yield* TestClock.adjust("1 second")
      const meta = { ...keyed("k").meta, "dev.causeway/timeoutMs": 3000 }
      const waiting = yield* Effect.fork(Bench.answer(registry, { meta }))
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(Bench.bodyOf(yield* Fiber.join(waiting)).code, "timed_out")
    }))

  it.scoped("makes no call when the store does not answer, unless it was told to", () =>
    Effect.gen(function*() {
      const down = Effect.fail(new IdempotencyStore.Unavailable({}))
      const away = { claim: () => down, extend: () => down, answer: () => down, release: () => down }
      let runs = 0
      const make = (policy: Policy.Any) =>
        ToolRegistry.make(Toolkit.make(
          Bench.handler(policy, () => Effect.suspend(() => Evidence.computed("x", ++runs)), { safety: "effectful" })
        )).pipe(Effect.provideService(IdempotencyStore.IdempotencyStore, away))
      const strict = yield* make(Policy.idempotent())
      const body = Bench.bodyOf(yield* Bench.answer(strict, keyed("k")))
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "idempotency-store" })
      assert.strictEqual(runs, 0)
      const easy = yield* make(Policy.idempotent({ runsWithoutStore: true }))
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(easy, keyed("k"))), 1)
    }).pipe(quiet))
})
