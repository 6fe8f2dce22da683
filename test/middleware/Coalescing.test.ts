import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

/** A tool that waits for leave to answer, and counts its runs. */
const gated = (policy: Policy.Any = Policy.coalesce, options: Parameters<typeof Bench.tool>[0] = {}) =>
  Effect.gen(function*() {
    const open = yield* Deferred.make<void, ToolError>()
    const runs: Array<string> = []
    const registry = yield* Bench.registry([
      Bench.handler(policy, ({ text }) =>
        Effect.gen(function*() {
          const { caller } = yield* ToolCall.ToolCall
          runs.push(`${caller.tenant}/${caller.id}`)
          yield* Deferred.await(open)
          return yield* Evidence.computed("echo", `${text ?? ""} for ${caller.tenant}/${caller.id}`)
        }), options)
    ])
    return { open, runs, registry }
  })

describe("Policy.coalesce", () => {
  it.scoped("makes one run of 1,000 equal calls at the same time", () =>
    Effect.gen(function*() {
      const { open, registry, runs } = yield* gated(
        Policy.all(Policy.standard, Policy.concurrency(2000), Policy.coalesce)
      )
      const fibers = yield* Effect.forEach(Array.from({ length: 1000 }), () =>
        Effect.fork(Bench.answer(registry, { arguments: { text: "x" } })))
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(open, undefined)
      const results = yield* Fiber.join(Fiber.all(fibers))
      assert.lengthOf(runs, 1)
      assert.lengthOf(
        new Set(results.map((result) =>
          result.structuredJson
        )),
        1
      )
      assert.lengthOf(results, 1000)
    }))

  it.scoped("is the same call whatever the order of its arguments, and another with others", () =>
    Effect.gen(function*() {
      const { open, registry, runs } = yield* gated()
      const all = [{ text: "a", n: 1 }, { n: 1, text: "a" }, { text: "a", n: 2 }, { text: "a" }]
      const fibers = yield* Effect.forEach(all, (given) => Effect.fork(Bench.answer(registry, { arguments: given })))
      yield* TestClock.adjust("1 second")
      assert.lengthOf(runs, 3)
      yield* Deferred.succeed(open, undefined)
      yield* Fiber.join(Fiber.all(fibers))
    }))

  it.scoped("goes on for the others when the first has left", () =>
    Effect.gen(function*() {
      const { open, registry, runs } = yield* gated()
      const leader = yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("1 second")
      const follower = yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("1 second")
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(leader)))
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual(Bench.dataOf(yield* Fiber.join(follower)), " for heronry/ada")
      assert.lengthOf(runs, 1)
    }))

  it.scoped("ends the run when the last has left", () =>
    Effect.gen(function*() {
      const stopped = yield* Deferred.make<void>()
      const registry = yield* Bench.registry([
        Bench.handler(Policy.coalesce, () =>
          Effect.never.pipe(Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))))
      ])
      const fibers = [yield* Effect.fork(Bench.answer(registry)), yield* Effect.fork(Bench.answer(registry))]
      yield* TestClock.adjust("1 second")
      yield* Fiber.interruptAll(fibers)
      yield* Deferred.await(stopped)
    }))

  it.scoped("lets a call that may wait less leave sooner, and the others wait", () =>
    Effect.gen(function*() {
      const { open, registry } = yield* gated(Policy.all(Policy.timeout("10 seconds"), Policy.coalesce))
      const hasty = yield* Effect.fork(Bench.answer(registry, { meta: { "dev.causeway/timeoutMs": 1000 } }))
      const other = yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("1 second")
      const body = Bench.bodyOf(yield* Fiber.join(hasty))
      assert.strictEqual(body.code, "timed_out")
      assert.include(body.message, "within the 1s that the client gave it")
      yield* TestClock.adjust("5 seconds")
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual(Bench.dataOf(yield* Fiber.join(other)), " for heronry/ada")
    }))

  it.scoped("shares a failure with those who wait, and with nobody after", () =>
    Effect.gen(function*() {
      const { open, registry, runs } = yield* gated()
      const fibers = yield* Effect.forEach([1, 2], () => Effect.fork(Bench.answer(registry)))
      yield* TestClock.adjust("1 second")
      yield* Deferred.fail(open, new ToolError({ code: "not_found", message: "No" }))
      for (const result of yield* Fiber.join(Fiber.all(fibers))) {
        assert.strictEqual(Bench.bodyOf(result).code, "not_found")
      }
      yield* Bench.answer(registry)
      assert.lengthOf(runs, 2)
    }))

  it.scoped("tells all who wait of progress, and nobody who has left", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const open = yield* Deferred.make<void>()
      const registry = yield* Bench.registry([
        Bench.handler(Policy.coalesce, () => (Effect.gen(function*() {
          yield* ToolCall.progress({ progress: 1 })
          yield* Deferred.await(open)
          yield* ToolCall.progress({ progress: 2 })
          yield* ToolCall.log("info", "done")
          return yield* Evidence.computed("x", 1)
        })))
      ])
      const start = (name: string) =>
        Effect.fork(Bench.answer(registry, {
          reportProgress: ({ progress }) => void seen.push(`${name} ${progress}`),
          log: ({ data }) => void seen.push(`${name} ${String(data)}`)
        }))
      const leader = yield* start("leader")
      yield* TestClock.adjust("1 second")
      const follower = yield* start("follower")
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(leader)
      yield* Deferred.succeed(open, undefined)
      yield* Fiber.join(follower)
      assert.deepStrictEqual(seen, ["leader 1", "follower 2", "follower done"])
    }))

  it.scoped("asks each caller alone", () =>
    Effect.gen(function*() {
      let runs = 0
      const registry = yield* Bench.registry([
        Bench.handler(Policy.coalesce, () =>
          Effect.gen(function*() {
            runs++
            const asked = yield* Effect.either(
              Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean }), { key: "sure" })
            )
            return yield* Evidence.computed("x", asked._tag === "Right" ? asked.right.sure : "no answer")
          }))
      ])
      const fibers = yield* Effect.forEach([1, 2], () => Effect.fork(registry.call(Bench.request())))
      const outcomes = yield* Fiber.join(Fiber.all(fibers))
      assert.deepStrictEqual(outcomes.map(({ _tag }) => _tag), ["Paused", "Paused"])
      const [first] = outcomes
      if (first?._tag !== "Paused") return assert.fail("the call was not paused")
      assert.strictEqual(runs, 3)
      const { memo } = first
      const resume = (sure: boolean) =>
        Bench.answer(registry, {
          asking: {
            memo,
            responses: { sure: { action: "accept", content: { sure } } },
            clientCapabilities: { elicitation: {} }
          }
        })
      const answers = yield* Effect.all([resume(true), resume(false)], { concurrency: 2 })
      assert.deepStrictEqual(answers.map(Bench.dataOf), [true, false])
    }))

  it.scoped("says in a shared run that nobody can be asked", () =>
    Effect.gen(function*() {
      const question = Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean }))
      const registry = yield* Bench.registry([
        Bench.handler(Policy.coalesce, () =>
          Effect.flatMap(Ask.isSupported(question), (can) => Evidence.computed("x", can)))
      ])
      assert.isFalse(Bench.dataOf(yield* Bench.answer(registry)))
    }))

  it.effect("never gives one caller what another's run answered, unless the tool says that it is public", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(
            FastCheck.record({
              id: FastCheck.constantFrom("a", "b", "1:a", "a|b", ""),
              tenant: FastCheck.constantFrom("t", "t|1:a", "", "a"),
              scopes: FastCheck.subarray(["read", "write"]),
              text: FastCheck.constantFrom("x", "y")
            }),
            { minLength: 2, maxLength: 8 }
          ),
          (callers) =>
            Effect.runPromise(Effect.scoped(Effect.gen(function*() {
              const { open, registry, runs } = yield* gated()
              const fibers = yield* Effect.forEach(
                callers,
                ({ text, ...caller }) =>
                  Effect.fork(Bench.answer(registry, { arguments: { text }, caller: Principal.make(caller) }))
              )
              yield* Effect.yieldNow()
              yield* Deferred.succeed(open, undefined)
              const results = yield* Fiber.join(Fiber.all(fibers))
              for (const [index, { id, tenant, text }] of callers.entries()) {
                const result = results[index]
                assert.strictEqual(result && Bench.dataOf(result), `${text} for ${tenant}/${id}`)
              }
              const distinct = new Set(
                callers.map((one) => JSON.stringify([one.id, one.tenant, one.text, [...one.scopes].sort()]))
              )
              assert.strictEqual(runs.length, distinct.size)
            })))
        ),
        { numRuns: 100 }
      )
    ))

  it.scoped("shares the run of a public tool with every tenant", () =>
    Effect.gen(function*() {
      const { open, registry, runs } = yield* gated(Policy.coalesce, { isPublic: true })
      const fibers = yield* Effect.forEach(["a", "b"], (tenant) =>
        Effect.fork(Bench.answer(registry, { caller: Principal.make({ id: "x", tenant }) })))
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(open, undefined)
      yield* Fiber.join(Fiber.all(fibers))
      assert.lengthOf(runs, 1)
    }))
})
