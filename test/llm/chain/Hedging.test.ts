import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Check from "causeway-mcp/llm/Check"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { calm, dollarEach, during, isIdle, request, script, target, trail } from "./harness.js"

const hedged = (options: Parameters<typeof ChainPolicy.hedge>[0] & object = {}) =>
  ChainPolicy.all(calm, ChainPolicy.hedge({ budget: { ratio: 0, minPerSecond: 1 }, ...options }))

/** The budget of hedges fills by the second. */
const filled = TestClock.adjust("2 seconds")

describe("hedged calls", () => {
  it.scoped("asks another provider beside a slow model; the first answer counts and the other is given up", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 10 }, price: dollarEach("a"), steps: [TestLlm.hang] })
      const a2 = yield* TestLlm.make({ provider: "a", model: "other" })
      const b = yield* target("b", {
        limits: { concurrency: 10 },
        price: dollarEach("b"),
        steps: [TestLlm.text("b", { delay: 100, usage: { inputTokens: 1, outputTokens: 1 } })]
      })
      const chain = yield* LlmChain.make([a.target, a2, b.target], { policy: hedged() })
      yield* filled
      const answer = yield* during(chain.generateText(request), 250, 100)
      assert.strictEqual(answer.text, "b")
      assert.deepStrictEqual(trail(answer.attempts), ["b answered 100 hedge", "a failed Interrupted 350"])
      assert.strictEqual(answer.attempts[1]?.cost?.certainty, "estimated")
      assert.strictEqual(answer.cost?.certainty, "estimated")
      assert.strictEqual(answer.cost?.usd, 2 + (answer.attempts[1]?.cost?.usd ?? 0))
      yield* Effect.yieldNow()
      assert.strictEqual(yield* a.model.interrupted, 1)
      isIdle(a.target)
      isIdle(b.target)
    }))

  it.scoped("keeps the first model's answer when that comes first", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.text("a", { delay: 300 }))
      const b = yield* script("b", TestLlm.hang)
      const chain = yield* LlmChain.make([a, b], { policy: hedged() })
      yield* filled
      const answer = yield* during(chain.generateText(request), 250, 50)
      assert.deepStrictEqual(trail(answer.attempts), ["a answered 300", "b failed Interrupted 50 hedge"])
    }))

  it.scoped("does not take a flawed answer for the first", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.object({ x: 1 }, { delay: 400 }))
      const b = yield* script("b", TestLlm.object({}))
      const chain = yield* LlmChain.make([a, b], { policy: ChainPolicy.all(hedged(), ChainPolicy.repairs(0)) })
      yield* filled
      const answer = yield* during(
        chain.generateObject({ ...request, schema: { type: "object", required: ["x"] } }),
        250,
        150
      )
      assert.deepStrictEqual(trail(answer.attempts), ["b failed Degraded 0 hedge schemaMismatch", "a answered 400"])
    }))

  it.scoped("asks the next at once, as no hedge, when the first fails before its time", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("Malformed", { delay: 10 }))
      const b = yield* script("b", TestLlm.text("b"))
      const chain = yield* LlmChain.make([a, b], { policy: hedged() })
      const answer = yield* during(chain.generateText(request), 10)
      assert.deepStrictEqual(trail(answer.attempts), ["a failed Malformed 10", "b answered 0 failover"])
    }))

  it.scoped("fails with one error that has both trails when both fail", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("Malformed", { delay: 400 }))
      const b = yield* script("b", TestLlm.fail("Malformed", { delay: 100 }))
      const chain = yield* LlmChain.make([a, b], { policy: hedged() })
      yield* filled
      const error = yield* during(Effect.flip(chain.generateText(request)), 250, 100, 50)
      assert.strictEqual(error.reason, "Exhausted")
      assert.deepStrictEqual(trail(error.attempts), ["b failed Malformed 100 hedge", "a failed Malformed 400"])
    }))

  const slow = TestLlm.text("a", { delay: 400 })
  const answersAlone = (
    name: string,
    options: Parameters<typeof hedged>[0],
    price: number | undefined,
    wait = filled
  ) =>
    it.scoped(`asks nobody beside the first ${name}`, () =>
      Effect.gen(function*() {
        const a = yield* target("a", { limits: { concurrency: 1 }, price: dollarEach("a"), steps: [slow] })
        const b = yield* target("b", {
          price: price === undefined
            ? undefined
            : { ...dollarEach("b"), inputPerMillion: price, outputPerMillion: price }
        })
        const chain = yield* LlmChain.make([a.target, b.target], { policy: hedged(options) })
        yield* wait
        const answer = yield* during(chain.generateText(request), 250, 150)
        assert.deepStrictEqual(trail(answer.attempts), ["a answered 400"])
      }))
  const free = { maxLoad: 1 }
  answersAlone("when that may cost too much", free, 3_000_001)
  answersAlone("when nobody knows what that costs", free, undefined)
  answersAlone("when too many places are taken", { maxLoad: 0.8 }, 1)
  answersAlone("when the budget of hedges is empty", { ...free, budget: { ratio: 0, minPerSecond: 0 } }, 1)

  it.scoped("asks nobody beside the first while a breaker is half open", () =>
    Effect.gen(function*() {
      const a = yield* script("a", slow)
      const b = yield* target("b", { breaker: { consecutive: 1 }, steps: [TestLlm.fail("Transient")] })
      const chain = yield* LlmChain.make([a, b.target], { policy: hedged() })
      yield* Effect.flip((yield* LlmChain.make([b.target], { policy: calm })).generateText(request))
      yield* TestClock.adjust(6001)
      const answer = yield* during(chain.generateText(request), 250, 150)
      assert.deepStrictEqual(trail(answer.attempts), ["a answered 400"])
    }))

  it.scoped("gives both tries back when it is interrupted", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 2 }, steps: [TestLlm.hang] })
      const b = yield* target("b", { limits: { concurrency: 2 }, steps: [TestLlm.hang] })
      const chain = yield* LlmChain.make([a.target, b.target], { policy: hedged() })
      yield* filled
      const fiber = yield* Effect.fork(chain.generateText(request))
      yield* TestClock.adjust(300)
      assert.deepStrictEqual([a.target.limits.inFlight, b.target.limits.inFlight], [1, 1])
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      isIdle(a.target)
      isIdle(b.target)
      yield* Effect.yieldNow()
      assert.deepStrictEqual([yield* a.model.interrupted, yield* b.model.interrupted], [1, 1])
    }))
})

describe("the second model of a hedged call", () => {
  it.scoped("does not end a call that the first may still answer", () =>
    Effect.gen(function*() {
      const refuse = TestLlm.fail("RequestRejected")
      const a = yield* script("a", TestLlm.text("a", { delay: 400 }), TestLlm.fail("Malformed", { delay: 400 }))
      const b = yield* script("b", refuse, refuse)
      const chain = yield* LlmChain.make([a, b], { policy: hedged() })
      yield* filled
      const answer = yield* during(chain.generateText(request), 250, 150)
      assert.deepStrictEqual(trail(answer.attempts), ["b failed RequestRejected 0 hedge", "a answered 400"])
      yield* filled
      const error = yield* during(Effect.flip(chain.generateText(request)), 250, 150)
      assert.strictEqual(error.reason, "RequestRejected")
    }))

  it.scoped("is paid for beside a first one whose answer is still being judged", () =>
    Effect.gen(function*() {
      const usage = { inputTokens: 1, outputTokens: 1 }
      const a = yield* target("a", { price: dollarEach("a"), steps: [TestLlm.text("a", { delay: 200, usage })] })
      const b = yield* target("b", { price: dollarEach("b"), steps: [TestLlm.text("b", { usage })] })
      const slow: Check.Check = {
        name: "slow",
        judge: ({ answer }) => answer.text === "a" ? Effect.never : Exit.succeed(undefined)
      }
      const policy = ChainPolicy.all(hedged(), ChainPolicy.checks(slow))
      const chain = yield* LlmChain.make([a.target, b.target], { policy })
      yield* filled
      const answer = yield* during(chain.generateText(request), 250)
      assert.deepStrictEqual(trail(answer.attempts), ["b answered 0 hedge", "a failed Interrupted 200"])
      assert.strictEqual(answer.cost?.usd, 4)
    }))
})
