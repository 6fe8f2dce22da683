import { assert, describe, it } from "@effect/vitest"
import * as CallKey from "causeway-mcp/middleware/CallKey"
import * as IdempotencyStore from "causeway-mcp/policy/IdempotencyStore"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

const quiet = Logger.withMinimumLogLevel(LogLevel.None)

type Store = IdempotencyStore.IdempotencyStore["Type"]

const keyed = (key: unknown, more: Partial<ToolRegistry.Request> = {}) => ({
  meta: { "dev.causeway/idempotencyKey": key },
  ...more
})

const counting = (
  store: Store,
  step: (run: number) => Bench.Handled,
  safety: Tool.Safety = "effectful",
  policy: Policy.Any = Policy.idempotent()
) => {
  let runs = 0
  const handler = Bench.handler(policy, () => Effect.suspend(() => step(++runs)), { safety })
  return ToolRegistry.make(Toolkit.make(handler), { policy: Policy.none }).pipe(
    Effect.provideService(IdempotencyStore.IdempotencyStore, store),
    Effect.map((registry) => ({ registry, runs: () => runs }))
  )
}

const keyOfK = CallKey.ofSending("echo_text", Bench.ada, "k")

describe("Policy.idempotent, when things go wrong,", () => {
  it.scoped("makes the call when who held the key has died, and not before", () =>
    Effect.gen(function*() {
      const store = yield* IdempotencyStore.make()
      const { registry, runs } = yield* counting(store, (run) => Evidence.computed("x", run))
      // Another process has claimed the key, and says nothing any more.
      const dead = yield* store.claim(keyOfK, CallKey.fingerprint({}), 15_000)
      assert.strictEqual(dead._tag, "Claimed")
      const call = yield* Effect.fork(Bench.answer(registry, keyed("k")))
      yield* TestClock.adjust("14900 millis")
      assert.strictEqual(runs(), 0)
      yield* TestClock.adjust("600 millis")
      assert.strictEqual(Bench.dataOf(yield* Fiber.join(call)), 1)
      if (dead._tag === "Claimed") {
        assert.isFalse(yield* store.answer(keyOfK, dead.token, "F{}", 60_000), "who was dead changes nothing")
      }
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry, keyed("k"))), 1)
      assert.strictEqual(runs(), 1)
    }))

  it.scoped("lets one of those who wait for a dead holder make the call, and gives all its answer", () =>
    Effect.gen(function*() {
      const store = yield* IdempotencyStore.make()
      const here = yield* counting(store, (run) => Effect.delay(Evidence.computed("here", run), "2 seconds"))
      const there = yield* counting(store, (run) => Effect.delay(Evidence.computed("there", run), "2 seconds"))
      yield* store.claim(keyOfK, CallKey.fingerprint({}), 15_000)
      const calls = yield* Effect.forEach(
        [here, there, here, there],
        ({ registry }) => Effect.fork(Bench.answer(registry, keyed("k")))
      )
      yield* TestClock.adjust("1 minute")
      const answers = yield* Fiber.join(Fiber.all(calls))
      assert.strictEqual(here.runs() + there.runs(), 1)
      for (const answer of answers) assert.deepStrictEqual(answer, answers[0])
    }))

  it.scoped("does not make an effectful call again whose answer is too large to be kept", () =>
    Effect.gen(function*() {
      const large = "x".repeat(IdempotencyStore.maxAnswerBytes)
      const effectful = yield* counting(yield* IdempotencyStore.make(), () => Evidence.computed("x", large))
      assert.isFalse((yield* Bench.answer(effectful.registry, keyed("k"))).isError)
      const body = Bench.bodyOf(yield* Bench.answer(effectful.registry, keyed("k")))
      assert.deepInclude(body, { code: "internal", retryable: false })
      assert.include(body.message, "was answered, so it is not made again; the answer was too large to be kept")
      assert.strictEqual(effectful.runs(), 1)
      const safe = yield* counting(yield* IdempotencyStore.make(), () => Evidence.computed("x", large), "idempotent")
      yield* Bench.answer(safe.registry, keyed("k"))
      assert.isFalse((yield* Bench.answer(safe.registry, keyed("k"))).isError)
      assert.strictEqual(safe.runs(), 2)
    }))

  it.scoped("gives no answer of an earlier version that the tool does not declare any more, nor makes the call again", () =>
    Effect.gen(function*() {
      const store = yield* IdempotencyStore.make()
      let runs = 0
      const version = (success: Schema.Schema<unknown>, data: unknown) =>
        ToolRegistry.make(Toolkit.make(
          Tool.withTerms({ policy: Policy.idempotent() })(
            Tool.make("echo_text", { description: "Buys a share", safety: "effectful", success }).implement(() =>
              Effect.suspend(() => {
                runs++
                return Evidence.computed("x", data)
              })
            )
          )
        )).pipe(Effect.provideService(IdempotencyStore.IdempotencyStore, store))
      const old = yield* version(Schema.Struct({ euros: Schema.Number }) as never, { euros: 1 })
      const wider = yield* version(
        Schema.Struct({ euros: Schema.Number, note: Schema.optional(Schema.String) }) as never,
        {}
      )
      const other = yield* version(Schema.Struct({ cents: Schema.Number }) as never, { cents: 100 })
      const first = yield* Bench.answer(old, keyed("k"))
      assert.deepStrictEqual(yield* Bench.answer(wider, keyed("k")), first)
      const body = Bench.bodyOf(yield* Bench.answer(other, keyed("k")))
      assert.include(body.message, "the answer is of an earlier version of the tool")
      assert.strictEqual(runs, 1)
    }))

  it.scoped("tells a store that was away how the call ended, as long as the lease lasts", () =>
    Effect.gen(function*() {
      const store = yield* IdempotencyStore.make()
      let isAway = false
      const away = Effect.fail(new IdempotencyStore.Unavailable({}))
      const flaky: Store = {
        claim: (...given) => Effect.suspend(() => isAway ? away : store.claim(...given)),
        extend: (...given) => Effect.suspend(() => isAway ? away : store.extend(...given)),
        answer: (...given) => Effect.suspend(() => isAway ? away : store.answer(...given)),
        release: (...given) => Effect.suspend(() => isAway ? away : store.release(...given))
      }
      const { registry, runs } = yield* counting(flaky, (run) =>
        Effect.suspend(() => {
          isAway = true
          return Evidence.computed("x", run)
        }))
      const first = yield* Bench.answer(registry, keyed("k"))
      yield* TestClock.adjust("3500 millis")
      isAway = false
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* Bench.answer(registry, keyed("k")), first)
      assert.strictEqual(runs(), 1)
    }).pipe(quiet))

  it.scoped("frees a key that comes to nothing while the store is away, when the lease is over", () =>
    Effect.gen(function*() {
      const store = yield* IdempotencyStore.make()
      const down = Effect.fail(new IdempotencyStore.Unavailable({}))
      const deaf: Store = { ...store, release: () => down, extend: () => down }
      const { registry, runs } = yield* counting(deaf, (run) =>
        run === 1
          ? Effect.fail(new ToolError({ code: "not_found", message: "No" }))
          : Evidence.computed("x", run))
      yield* Bench.answer(registry, keyed("k"))
      const again = yield* Effect.fork(Bench.answer(registry, keyed("k")))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(runs(), 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(Bench.dataOf(yield* Fiber.join(again)), 2)
    }).pipe(quiet))

  it.scoped("gives the key back when the call is interrupted before it began", () =>
    Effect.gen(function*() {
      const store = yield* IdempotencyStore.make()
      const policy = Policy.all(Policy.idempotent(), Policy.concurrency({ limit: 1, queue: 5 }))
      const { registry, runs } = yield* counting(
        store,
        (run) => run === 1 ? Effect.never : Evidence.computed("x", run),
        "effectful",
        policy
      )
      const holds = yield* Effect.fork(Bench.answer(registry, keyed("other")))
      yield* TestClock.adjust("1 second")
      const waits = yield* Effect.fork(Bench.answer(registry, keyed("k")))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(waits)
      yield* Fiber.interrupt(holds)
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry, keyed("k"))), 2)
      assert.strictEqual(runs(), 2)
    }).pipe(quiet))
})
