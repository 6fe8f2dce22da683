import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Health from "causeway-mcp/health/Health"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

const hasty = { meta: { "dev.causeway/timeoutMs": 5 } }

const slowly = Effect.zipRight(Effect.sleep("1 second"), Evidence.computed("x", 1))

/** Calls, and lets so much time pass. */
const timed = (
  registry: Parameters<typeof Bench.answer>[0],
  more: Parameters<typeof Bench.answer>[1],
  millis: number
) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Bench.answer(registry, more))
    yield* TestClock.adjust(millis)
    return yield* Fiber.join(fiber)
  })

describe("A caller in a hurry", () => {
  const breaker = Policy.circuitBreaker({ consecutive: 2, minCalls: 2, ramp: 0 })

  it.scoped("opens no breaker for others, whether it is cut short or the handler keeps to its time", () =>
    Effect.gen(function*() {
      const cutShort = Bench.handler(Policy.all(breaker, Policy.timeout("10 seconds")), () => slowly)
      const obedient = Bench.handler(
        Policy.all(breaker, Policy.timeout("10 seconds")),
        () =>
          Effect.flatMap(TimeLimit.remaining, (left) =>
            left > 1000
              ? slowly
              : Effect.delay(
                Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "No time" })),
                Math.max(0, left - 1)
              )),
        { name: "obedient" }
      )
      const registry = yield* Bench.registry([cutShort, obedient])
      for (const [name, code] of [["echo_text", "timed_out"], ["obedient", "temporarily_unavailable"]] as const) {
        for (let call = 0; call < 10; call++) {
          assert.strictEqual(Bench.bodyOf(yield* timed(registry, { name, ...hasty }, 10)).code, code)
        }
        assert.isFalse((yield* timed(registry, { name }, 1000)).isError)
      }
    }))

  it.scoped("does not keep a breaker shut whose source fails of itself", () =>
    Effect.gen(function*() {
      let runs = 0
      const handler = Bench.handler(Policy.all(breaker, Policy.timeout("10 seconds")), () => {
        runs++
        return Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "Down" }))
      })
      const registry = yield* Bench.registry([handler])
      for (let call = 0; call < 10; call++) yield* Bench.answer(registry, { meta: { "dev.causeway/timeoutMs": 5000 } })
      assert.strictEqual(runs, 2)
    }))

  it.scoped("does not put its own haste in the mouth of a run that others wait for", () =>
    Effect.gen(function*() {
      const registry = yield* Bench.registry([
        Bench.handler(Policy.all(Policy.coalesce, Policy.timeout("5 seconds")), () => Effect.never)
      ])
      const leader = yield* Effect.fork(Bench.answer(registry, { meta: { "dev.causeway/timeoutMs": 800 } }))
      yield* TestClock.adjust("1 millis")
      const follower = yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("6 seconds")
      assert.include(Bench.bodyOf(yield* Fiber.join(leader)).message, "within the 800ms that the client gave it")
      assert.strictEqual(
        Bench.bodyOf(yield* Fiber.join(follower)).message,
        "echo_text did not finish within 5s. Try again, or ask for less."
      )
    }))
})

describe("Who joins a run", () => {
  it.scoped("pays nothing for it, and is told that the answer was shared", () =>
    Effect.gen(function*() {
      const notes = Bench.notes()
      const policy = Policy.all(
        Policy.coalesce,
        Policy.rateLimit({ limit: 4, window: "1 hour", per: [], settle: () => 2 })
      )
      const registry = yield* Bench.registry([Bench.handler(policy, () => slowly)]).pipe(Effect.provide(notes.layer))
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(Bench.answer(registry)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(Fiber.all(fibers))
      assert.deepStrictEqual(notes.ended.map(({ isCached }) => isCached).sort(), [false, true, true])
      // The run has cost two of four, those who joined nothing.
      const both = yield* Effect.forEach([1, 2], (n) => Effect.fork(Bench.answer(registry, { arguments: { n } })))
      yield* TestClock.adjust("1 second")
      for (const fiber of both) assert.isFalse((yield* Fiber.join(fiber)).isError)
      assert.strictEqual(Bench.bodyOf(yield* Bench.answer(registry)).code, "rate_limited")
    }))
})

describe("The places of an upstream", () => {
  it.scoped("are shared by all who name it with the same numbers, whoever else names it with others", () =>
    Effect.gen(function*() {
      const state = { running: 0, most: 0 }
      const handler = (name: string, limit: number) =>
        Bench.handler(Policy.concurrency({ limit, queue: 9, upstream: "exchange" }), () =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              if (name !== "other_text") state.most = Math.max(state.most, ++state.running)
            }),
            () => slowly,
            () => Effect.sync(() => name === "other_text" ? 0 : state.running--)
          ), { name })
      const registry = yield* Bench.registry([
        handler("one_text", 1),
        handler("other_text", 2),
        handler("same_text", 1)
      ])
      const fibers = yield* Effect.forEach(
        ["one_text", "other_text", "same_text", "one_text"],
        (name) => Effect.fork(Bench.answer(registry, { name }))
      )
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(Fiber.all(fibers))
      assert.strictEqual(state.most, 1)
    }))
})

describe("A fallback", () => {
  const instead = { tool: "secret_text", why: "it knows" }
  const scoped = Bench.handler(Policy.none, () => Evidence.computed("x", 1), {
    name: "secret_text",
    scopes: ["secrets:read"]
  })

  it.scoped("is not told to a caller who may not know of it", () =>
    Effect.gen(function*() {
      const fails = Bench.handler(
        Policy.fallback(instead),
        () => Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "Down." }))
      )
      const lacks = Tool.requires(
        Bench.handler(Policy.none, () => Evidence.computed("x", 1), { name: "lacks_text" }),
        ["exchange"],
        instead
      )
      const health = { report: Effect.succeed({ status: "up" as const, sources: [] }), status: () => "down" as const }
      const registry = yield* Bench.registry([scoped, fails, lacks]).pipe(Effect.provideService(Health.Health, health))
      for (const name of ["echo_text", "lacks_text"]) {
        const known = Bench.bodyOf(yield* Bench.answer(registry, { name }))
        assert.deepStrictEqual(known.fallback, instead)
        const stranger = Principal.make({ id: "stranger" })
        const unknown = yield* Bench.answer(registry, { name, caller: stranger })
        assert.notInclude(JSON.stringify(unknown), "secret_text")
        assert.strictEqual(Bench.bodyOf(unknown).code, "temporarily_unavailable")
      }
    }))

  it.scoped("is run by its own policy when it is called, and neither runs the other", () =>
    Effect.gen(function*() {
      const runs: Array<string> = []
      const looping = (name: string, other: string) =>
        Bench.handler(
          Policy.all(
            Policy.fallback({ tool: other, why: "it may know" }),
            Policy.rateLimit({ limit: 1, window: "1 hour" })
          ),
          () =>
            Effect.suspend(() => {
              runs.push(name)
              return Effect.fail(new ToolError({ code: "temporarily_unavailable", message: "Down." }))
            }),
          { name }
        )
      const registry = yield* Bench.registry([looping("one_text", "other_text"), looping("other_text", "one_text")])
      const call = (name: string) => Effect.map(Bench.answer(registry, { name }), Bench.bodyOf)
      assert.strictEqual((yield* call("one_text")).fallback?.tool, "other_text")
      assert.strictEqual((yield* call("other_text")).fallback?.tool, "one_text")
      assert.strictEqual((yield* call("other_text")).code, "rate_limited")
      assert.deepStrictEqual(runs, ["one_text", "other_text"])
    }))
})

describe("A policy that makes no sense", () => {
  it.scoped("is refused when the tool is registered, with what is wrong", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [Policy.Any, string]> = [
        [Policy.sizeLimit({ input: NaN }), "the size limit of the arguments must be above zero, but is NaN"],
        [Policy.sizeLimit({ result: 0 }), "the size limit of the answer must be above zero, but is 0"],
        [Policy.minConfidence(60), "the least confidence must be from 0 to 1, but is 60"],
        [Policy.minConfidence(NaN), "the least confidence must be from 0 to 1, but is NaN"],
        [Policy.cache({ timeToLive: 0 }), "answers must be kept for longer than no time"],
        [Policy.cache({ timeToLive: "1 minute", halfLife: 0 }), "the half-life of kept answers must be above zero"],
        [Policy.idempotent({ keep: 0 }), "what is run once must be kept for longer than no time"],
        [Policy.timeout(0), "the timeout must be above zero"],
        [Policy.attemptTimeout(0), "the timeout of one try must be above zero"]
      ]
      for (const [policy, sentence] of wrong) {
        const error = yield* Effect.flip(Bench.registry([Bench.handler(policy, () => Evidence.computed("x", 1))]))
        assert.include(error.message, sentence)
      }
    }))
})

describe("A call that leaves", () => {
  it.scoped("gives back all it held, wherever it is", () =>
    Effect.gen(function*() {
      const policy = Policy.all(
        Policy.idempotent(),
        Policy.concurrency({ limit: 1, queue: 1 }),
        Policy.coalesce,
        Policy.cache({ timeToLive: "1 minute" }),
        Policy.circuitBreaker({ consecutive: 1, successesToClose: 1, ramp: 0, openFor: "1 second", random: () => 0.5 }),
        Policy.timeout("10 seconds"),
        Policy.retry(Backoff.make({ first: "1 second", cap: "1 second", times: 9 })),
        Policy.attemptTimeout("500 millis")
      )
      let runs = 0
      let isDown = true
      const handler = Bench.handler(policy, () =>
        Effect.suspend((): Bench.Handled => {
          runs++
          return isDown ? Effect.never : slowlyBut(100)
        }), { safety: "idempotent" })
      const registry = yield* Bench.registry([handler])
      const meta = { "dev.causeway/idempotencyKey": "k" }
      // At each of these moments the call is somewhere else: in a try, between two, in the next.
      for (const millis of [0, 1, 250, 499, 500, 501, 700, 1300, 1600, 2500]) {
        const call = yield* Effect.fork(Bench.answer(registry, { meta }))
        const waiting = yield* Effect.fork(Bench.answer(registry, { arguments: { n: 1 } }))
        yield* TestClock.adjust(millis)
        yield* Fiber.interrupt(waiting)
        yield* Fiber.interrupt(call)
      }
      isDown = false
      const before = runs
      const call = yield* Effect.fork(Bench.answer(registry, { meta }))
      yield* TestClock.adjust("200 millis")
      assert.strictEqual(Bench.dataOf(yield* Fiber.join(call)), 100)
      assert.strictEqual(runs, before + 1)
    }))
})

const slowlyBut = (millis: number) => Effect.zipRight(Effect.sleep(millis), Evidence.computed("x", millis))
