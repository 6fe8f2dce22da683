import { assert, describe, it } from "@effect/vitest"
import * as Budget from "causeway-mcp/llm/Budget"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as Chat from "causeway-mcp/llm/Chat"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as Target from "causeway-mcp/llm/Target"
import * as Tier from "causeway-mcp/llm/Tier"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import { dollarEach, request } from "./harness.js"

const usage = { inputTokens: 3, outputTokens: 2 }
const delays = FastCheck.constantFrom(0, 20, 400, 1500)

/** Anything a model may do. */
const step: FastCheck.Arbitrary<TestLlm.Step> = FastCheck.oneof(
  delays.map((delay) => TestLlm.object({ x: 1 }, { delay, usage })),
  delays.map((delay) => TestLlm.object({ y: 1 }, { delay })),
  FastCheck.tuple(FastCheck.constantFrom(...LlmError.Reason.literals), delays).map(([reason, delay]) =>
    TestLlm.fail(reason, { delay })
  ),
  delays.map((delay) => TestLlm.fail("RateLimited", { delay, retryAfterMs: 700 })),
  delays.map((delay) => TestLlm.fail("Transient", { delay, after: "half", phase: "connect" })),
  FastCheck.constantFrom("truncated" as const, "invalidJson" as const, "empty" as const).map((flaw) =>
    TestLlm.fail("Degraded", { flaw, partial: "{", usage })
  ),
  FastCheck.constant(TestLlm.pieces(["{\"x\"", ":1}"], { gap: 300, delay: 100 })),
  FastCheck.constant(TestLlm.hang),
  FastCheck.constant(TestLlm.hangIn({ phase: "connect" })),
  FastCheck.constant(TestLlm.hangIn({ phase: "headers" }, { phase: "firstToken", after: 30 }))
)

const plan = FastCheck.record({
  steps: FastCheck.array(FastCheck.array(step, { minLength: 1, maxLength: 4 }), { minLength: 3, maxLength: 3 }),
  method: FastCheck.constantFrom("generateText" as const, "generateObject" as const, "streamText" as const),
  isHedged: FastCheck.boolean(),
  isBuffered: FastCheck.boolean(),
  calls: FastCheck.integer({ min: 1, max: 3 }),
  cutAt: FastCheck.option(FastCheck.constantFrom(0, 1, 19, 21, 99, 250, 420, 1501), { nil: undefined })
})

type Plan = typeof plan extends FastCheck.Arbitrary<infer A> ? A : never

const deadline = 2000
const schema = { type: "object", required: ["x"] }

const ask = (
  chain: LlmChain.Chain,
  method: "generateText" | "generateObject" | "streamText"
): Effect.Effect<Chat.Provenance | undefined, LlmError.LlmError> => {
  const asked = { ...request, maxTokens: 20 }
  return method === "streamText"
    ? Effect.map(
      Stream.runLast(chain.streamText(asked)),
      (last) => Option.isSome(last) && last.value._tag === "Done" ? last.value.answer : undefined
    )
    : method === "generateText"
    ? chain.generateText(asked)
    : chain.generateObject({ ...asked, schema })
}

const costOf = (attempts: ReadonlyArray<Chat.Attempt>): Chat.Cost =>
  attempts.reduce((sum, attempt) => attempt.cost === undefined ? sum : Chat.addCost(sum, attempt.cost), Chat.noCost)

const isClose = (one: number, other: number) => Math.abs(one - other) < 1e-6

describe("what holds for a chain, whatever its models do", () => {
  it.scoped(
    "keeps its time, its cap, its account, and gives everything back",
    () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(
            plan,
            (plan) => Effect.runPromise(Effect.scoped(Effect.provide(run(plan), TestContext.TestContext)))
          ),
          { numRuns: 60 }
        )
      ),
    60_000
  )

  it.scoped("goes the same ways with the same seed", () =>
    Effect.gen(function*() {
      const ways = (seed: number) =>
        Effect.gen(function*() {
          const targets = yield* Effect.forEach(["a", "b", "c", "d"], (provider) =>
            Effect.flatMap(
              TestLlm.make({ provider, otherwise: () => TestLlm.fail("Malformed") }),
              (model) => Target.make(model, { breaker: false, retryBudget: { minPerSecond: 1000 } })
            ))
          const [first, ...rest] = targets
          if (first === undefined) return []
          const chain = yield* LlmChain.make([Tier.make([first, ...rest], Tier.weighted())], { seed })
          const trails = yield* Effect.replicateEffect(Effect.flip(chain.generateText(request)), 10)
          return trails.map((error) => error.attempts?.map((attempt) => attempt.provider).join(""))
        })
      const [one, same, other] = yield* Effect.all([ways(1), ways(1), ways(2)])
      assert.deepStrictEqual(one, same)
      assert.notDeepEqual(one, other)
    }))

  it.scoped("comes back to a model that is well again", () =>
    Effect.gen(function*() {
      let isDown = true
      const model = yield* TestLlm.make({
        provider: "a",
        otherwise: () => isDown ? TestLlm.fail("Transient") : TestLlm.text("a")
      })
      const target = yield* Target.make(model, { breaker: { random: () => 0.5, ramp: 0 } })
      const backup = yield* TestLlm.make({ provider: "b", otherwise: () => TestLlm.text("b") })
      const chain = yield* LlmChain.make([target, backup], { policy: ChainPolicy.noRetry })
      const second = Effect.zipRight(
        Effect.replicateEffect(chain.generateText(request), 5, { discard: true }),
        TestClock.adjust("1 second")
      )
      yield* Effect.replicateEffect(second, 60, { discard: true })
      assert.strictEqual(target.breaker.state(60_000), "open")
      // Five calls to trip it, and one for each time it was half open.
      assert.isAtMost((yield* model.requests).length, 5 + 6)
      isDown = false
      yield* Effect.replicateEffect(second, 130, { discard: true })
      assert.strictEqual(target.breaker.state(190_000), "closed")
      assert.strictEqual((yield* chain.generateText(request)).text, "a")
    }))
})

const run = (plan: Plan) =>
  Effect.gen(function*() {
    const scripts = yield* Effect.forEach(plan.steps, (steps, index) =>
      TestLlm.make({ provider: "abc".charAt(index), steps, otherwise: () => TestLlm.fail("Malformed") }))
    const targets = yield* Effect.forEach(scripts, (model) =>
      Target.make(model, {
        limits: { concurrency: 2, requestsPerMinute: 600, tokensPerMinute: 60_000 },
        price: dollarEach(model.provider)
      }))
    const [a, b, c] = targets
    if (a === undefined || b === undefined || c === undefined) {
      return
    }
    const budget = Budget.make({ total: 1e6 })
    const chain = yield* LlmChain.make([a, Tier.make([b, c], Tier.peakEwma())], {
      budget,
      seed: 1,
      policy: ChainPolicy.all(
        ChainPolicy.deadline(deadline),
        ChainPolicy.timeouts({ answer: 900, headers: 500, firstToken: 600, idle: 400 }),
        plan.isHedged ? ChainPolicy.hedge({ budget: { ratio: 1, minPerSecond: 10 } }) : {},
        plan.isBuffered ? ChainPolicy.buffered : {}
      )
    })
    let spent = 0
    for (let call = 0; call < plan.calls; call++) {
      const before = yield* Effect.forEach(scripts, (model) =>
        Effect.map(model.requests, (all) => all.length))
      const startedAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      let endedAt = Number.NaN
      const fiber = yield* Effect.fork(Effect.onExit(
        ask(chain, plan.method),
        () =>
          Effect.clockWith((clock) =>
            Effect.sync(() => {
              endedAt = clock.unsafeCurrentTimeMillis()
            })
          )
      ))
      if (plan.cutAt === undefined) {
        for (let at = 0; at <= deadline; at += 100) yield* TestClock.adjust(100)
      } else {
        yield* TestClock.adjust(plan.cutAt)
        yield* Fiber.interrupt(fiber)
      }
      const exit = yield* Fiber.await(fiber)
      assert.isAtMost(endedAt - startedAt, deadline + 50)
      const after = yield* Effect.forEach(scripts, (model) => Effect.map(model.requests, (all) => all.length))
      assert.isAtMost(after.reduce((sum, count, index) => sum + count - (before[index] ?? 0), 0), 4)
      for (const target of targets) assert.strictEqual(target.limits.inFlight, 0)
      const told = Exit.isSuccess(exit)
        ? exit.value
        : Option.getOrUndefined(Cause.failureOption(exit.cause))
      if (told?.attempts !== undefined && told.cost !== undefined) {
        const sum = costOf(told.attempts)
        assert.isTrue(isClose(told.cost.usd, sum.usd), `${told.cost.usd} is not ${sum.usd}`)
        assert.strictEqual(told.cost.certainty, sum.certainty)
        spent += sum.usd
        assert.isTrue(isClose(yield* budget.left(), 1e6 - spent), "money is still put aside")
      } else {
        assert.isTrue(Exit.isInterrupted(exit))
        spent = 1e6 - (yield* budget.left())
        assert.isBelow(spent, 1000)
      }
    }
    for (const target of targets) {
      // A probe that was not given back would be refused for ever.
      yield* TestClock.adjust("5 minutes")
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const permit = target.breaker.state(now) === "closed" ? undefined : target.breaker.tryAcquire(now)
      if (target.breaker.state(now) !== "closed") assert.isDefined(permit)
      assert.strictEqual(target.limits.headroom(now), 1)
    }
  })
