import { assert, describe, it } from "@effect/vitest"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Protect from "causeway-mcp/middleware/Protect"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCodec from "causeway-mcp/tool/ToolCodec"
import * as ToolError from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"

const Flaky = Tool.make("flaky", {
  description: "Fails until it has been asked often enough",
  success: Schema.Number,
  safety: "readOnly"
})

const call = <R>(handler: Tool.ToolHandler<Tool.Any, unknown, R>) =>
  Effect.gen(function*() {
    const registry = yield* ToolRegistry.make(Toolkit.make(handler))
    const fiber = yield* Effect.fork(registry.call({
      name: "flaky",
      arguments: {},
      caller: Principal.local,
      requestId: 1,
      reportProgress: () => undefined,
      log: () => undefined,
      beginTask: Effect.succeed(false),
      meta: {},
      asking: { memo: Asking.nothing, responses: {}, clientCapabilities: {} }
    }))
    yield* TestClock.adjust("20 seconds")
    const result = yield* Fiber.join(fiber)
    if (result._tag === "Paused") throw new Error("nobody asked anything")
    return result
  }).pipe(Effect.scoped)

const failing = (tries: Ref.Ref<number>, until: number, code: ToolError.Code = "temporarily_unavailable") =>
  Flaky.implement(() =>
    Effect.gen(function*() {
      const n = yield* Ref.updateAndGet(tries, (count) => count + 1)
      if (n < until) return yield* new ToolError.ToolError({ code, message: "not yet" })
      return yield* Evidence.computed("flaky", n)
    })
  )

const codeOf = (result: { readonly _meta?: { readonly [key: string]: unknown } }) =>
  (result._meta?.[ToolCodec.errorMetaKey] as ToolError.Body | undefined)?.code

describe("Protect.by", () => {
  it.effect("asks again while the failure says that this may help", () =>
    Effect.gen(function*() {
      const tries = yield* Ref.make(0)
      const result = yield* call(failing(tries, 3).pipe(Protect.by(Policy.retry(Backoff.patient))))
      assert.strictEqual(JSON.parse(result.structuredJson ?? "").data, 3)
    }))

  it.effect("waits as long as the failure asks for", () =>
    Effect.gen(function*() {
      const at = yield* Ref.make<ReadonlyArray<number>>([])
      const limited = Flaky.implement(() =>
        Effect.gen(function*() {
          const now = yield* Clock.currentTimeMillis
          const times = yield* Ref.updateAndGet(at, (all) => [...all, now])
          if (times.length < 2) {
            return yield* new ToolError.ToolError({ code: "rate_limited", message: "wait", retryAfterMs: 3000 })
          }
          return yield* Evidence.computed("flaky", 1)
        })
      )
      yield* call(limited.pipe(Protect.by(Policy.retry(Backoff.patient))))
      assert.deepStrictEqual(yield* Ref.get(at), [0, 3000])
    }))

  it.effect("takes a failure that says otherwise for final", () =>
    Effect.gen(function*() {
      const tries = yield* Ref.make(0)
      const result = yield* call(failing(tries, 3, "not_found").pipe(Protect.by(Policy.retry(Backoff.patient))))
      assert.deepStrictEqual([codeOf(result), yield* Ref.get(tries)], ["not_found", 1])
    }))

  it.effect("interrupts the handler when the policy's time is over, and says so", () =>
    Effect.gen(function*() {
      const stopped = yield* Deferred.make<void>()
      const slow = Flaky.implement(() =>
        Effect.never.pipe(Effect.onInterrupt(() => Deferred.succeed(stopped, undefined)))
      )
      const result = yield* call(slow.pipe(Protect.by(Policy.timeout("1.5 seconds"))))
      assert.strictEqual(codeOf(result), "timed_out")
      assert.include(JSON.stringify(result.content), "1s 500ms")
      yield* Deferred.await(stopped)
    }))
})
