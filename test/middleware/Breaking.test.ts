import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Evidence from "causeway-mcp/tool/Evidence"
import type { Code } from "causeway-mcp/tool/ToolError"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

/** Opens at the third failure in a row, or at half of four calls. */
const breaker = Policy.circuitBreaker({
  consecutive: 3,
  minCalls: 4,
  openFor: "10 seconds",
  successesToClose: 1,
  ramp: 0,
  random: () => 0.5
})

/** A tool that does what it is told to, and counts its runs. */
const told = (policy: Policy.Any = breaker) =>
  Effect.gen(function*() {
    const state: { runs: number; next: Bench.Handled } = { runs: 0, next: Evidence.computed("x", 1) }
    const notes = Bench.notes()
    const handler = Bench.handler(policy, () =>
      Effect.suspend(() => {
        state.runs++
        return state.next
      }))
    const registry = yield* Bench.registry([handler]).pipe(Effect.provide(notes.layer))
    return { state, registry, notes, call: Bench.answer(registry), fresh: () => Bench.answer(registry) }
  })

const failing = (code: Code): Bench.Handled => Effect.fail(new ToolError({ code, message: "No" }))

describe("Policy.circuitBreaker", () => {
  it.scoped("opens at failures of the source, fails at once while it is open, and closes after a probe", () =>
    Effect.gen(function*() {
      const { fresh, notes, state } = yield* told()
      state.next = failing("temporarily_unavailable")
      for (let call = 0; call < 3; call++) yield* fresh()
      const body = Bench.bodyOf(yield* fresh())
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "echo_text", retryAfterMs: 10_000 })
      assert.strictEqual(state.runs, 3)
      state.next = Evidence.computed("x", 1)
      yield* TestClock.adjust("10 seconds")
      assert.isFalse((yield* fresh()).isError)
      assert.isFalse((yield* fresh()).isError)
      assert.deepStrictEqual(notes.steps, ["circuitBreaker opened", "circuitBreaker refused", "circuitBreaker closed"])
    }))

  it.scoped("lets one probe through at a time while it is half open", () =>
    Effect.gen(function*() {
      const { fresh, state } = yield* told()
      state.next = failing("temporarily_unavailable")
      for (let call = 0; call < 3; call++) yield* fresh()
      yield* TestClock.adjust("10 seconds")
      const open = yield* Deferred.make<void>()
      state.next = Effect.zipRight(Deferred.await(open), Evidence.computed("x", 1))
      const probe = yield* Effect.fork(fresh())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(Bench.bodyOf(yield* fresh()).code, "temporarily_unavailable")
      yield* Deferred.succeed(open, undefined)
      assert.isFalse((yield* Fiber.join(probe)).isError)
      assert.isFalse((yield* fresh()).isError)
    }))

  it.scoped("gives the probe back when it is interrupted", () =>
    Effect.gen(function*() {
      const { fresh, state } = yield* told()
      state.next = failing("temporarily_unavailable")
      for (let call = 0; call < 3; call++) yield* fresh()
      yield* TestClock.adjust("10 seconds")
      state.next = Effect.never
      const probe = yield* Effect.fork(fresh())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.interrupt(probe)
      state.next = Evidence.computed("x", 1)
      assert.isFalse((yield* fresh()).isError)
    }))

  it.scoped("counts time, bugs and sources that are away, and nothing else", () =>
    Effect.gen(function*() {
      const opens = (next: Bench.Handled) =>
        Effect.gen(function*() {
          const { fresh, state } = yield* told(Policy.all(breaker, Policy.timeout("1 second")))
          state.next = next
          for (let call = 0; call < 8; call++) {
            const fiber = yield* Effect.fork(fresh())
            yield* TestClock.adjust("1 second")
            yield* Fiber.await(fiber)
          }
          return state.runs < 8
        }).pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.None))
      assert.isTrue(yield* opens(Effect.never))
      assert.isTrue(yield* opens(Effect.die("bug")))
      for (const code of ["temporarily_unavailable", "timed_out", "internal"] as const) {
        assert.isTrue(yield* opens(failing(code)), code)
      }
      const others = [
        "rate_limited",
        "invalid_input",
        "not_found",
        "insufficient_scope",
        "budget_exceeded",
        "degraded_only"
      ] as const
      for (const code of others) assert.isFalse(yield* opens(failing(code)), code)
    }))

  it.scoped("does not count a call that asks the user", () =>
    Effect.gen(function*() {
      const asks = Bench.handler(breaker, () =>
        Effect.flatMap(
          Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean })),
          () => Evidence.computed("x", 1)
        ))
      const registry = yield* Bench.registry([asks])
      for (let call = 0; call < 10; call++) assert.strictEqual((yield* registry.call(Bench.request()))._tag, "Paused")
    }))

  it.scoped("is for what reaches the source: a kept answer is given while it is open", () =>
    Effect.gen(function*() {
      const { registry, state } = yield* told(Policy.all(
        breaker,
        Policy.cache({ timeToLive: "1 second", staleFor: "1 hour" }),
        Policy.fallback("stale")
      ))
      yield* Bench.answer(registry)
      state.next = failing("temporarily_unavailable")
      yield* TestClock.adjust("1 minute")
      for (let call = 0; call < 6; call++) {
        assert.include(Bench.envelopeOf(yield* Bench.answer(registry)).degraded?.reason, "kept 60 seconds ago")
      }
      assert.strictEqual(state.runs, 4)
    }))

  it.scoped("is refused at the start when it is none", () =>
    Effect.gen(function*() {
      const handler = Bench.handler(Policy.circuitBreaker({ failureRate: 2 }), () => Evidence.computed("x", 1))
      const error = yield* Effect.flip(Bench.registry([handler]))
      assert.include(error.message, "failureRate must be above 0 and at most 1")
    }))
})
