import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as Target from "causeway-mcp/llm/Target"
import * as Tier from "causeway-mcp/llm/Tier"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { calm, dollarEach, during, isIdle, request, script, target, trail } from "./chain/harness.js"

describe("LlmChain.make", () => {
  it.scoped("refuses the same model twice, wherever it stands, and no model at all", () =>
    Effect.gen(function*() {
      const a = yield* script("a")
      const b = yield* script("b")
      const twice = yield* Effect.flip(LlmChain.make([a, b, a]))
      assert.strictEqual(twice._tag, "InvalidTarget")
      assert.strictEqual(twice.message, "tiers.2.id: the chain names the model a/scripted twice")
      const [one, other] = yield* Effect.all([Target.make(a), Target.make(b)])
      const inTier = yield* Effect.flip(LlmChain.make([one, Tier.make([other, one])]))
      assert.strictEqual(inTier.message, "tiers.1.targets.1.id: the chain names the model a/scripted twice")
      const none: ReadonlyArray<TestLlm.Script> = []
      // The type forbids an empty chain; plain JavaScript does not.
      const empty = yield* Effect.flip(LlmChain.make(none as unknown as readonly [TestLlm.Script]))
      assert.strictEqual(empty.message, "tiers: a chain needs at least one model")
      const hollow = yield* Effect.flip(LlmChain.make([Tier.make([] as unknown as readonly [Target.Target])]))
      assert.strictEqual(hollow.message, "tiers.0.targets: a tier needs at least one model")
    }))

  it.scoped("refuses a policy and a model out of their range, with the path", () =>
    Effect.gen(function*() {
      const a = yield* script("a")
      const policy = yield* Effect.flip(LlmChain.make([a], { policy: ChainPolicy.maxAttempts(0) }))
      assert.deepStrictEqual(policy.path, ["policy", "maxAttempts"])
      const nameless = yield* Effect.flip(LlmChain.make([a, { ...a, provider: "" }]))
      assert.deepStrictEqual(nameless.path, ["tiers", "1", "provider"])
    }))

  it.scoped("answers from the first model and asks no other", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([script("a", TestLlm.text("hello")), script("b")])
      const chain = yield* LlmChain.make([a, b])
      const answer = yield* chain.generateText(request)
      assert.strictEqual(answer.text, "hello")
      assert.deepStrictEqual(trail(answer.attempts), ["a answered 0"])
      assert.strictEqual((yield* b.requests).length, 0)
    }))

  it.scoped("asks the next at once when one is rate limited, and shows the trail", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("RateLimited", { retryAfterMs: 30_000 }))
      const b = yield* script("b", TestLlm.fail("Degraded", { flaw: "refusal" }))
      const c = yield* script("c", TestLlm.object({ x: 1 }))
      const chain = yield* LlmChain.make([a, b, c])
      // No clock is moved: a pause between two models would never end.
      const answer = yield* chain.generateObject({ ...request, schema: { type: "object" } })
      assert.deepStrictEqual(answer.value, { x: 1 })
      assert.strictEqual(answer.provider, "c")
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed RateLimited 0",
        "b failed Degraded 0 failover refusal",
        "c answered 0 failover"
      ])
    }))

  it.scoped("leaves a model alone that asked for it, and its account after a wrong key", () =>
    Effect.gen(function*() {
      const account = Target.account("key")
      const a = yield* target("a", { account, steps: [TestLlm.fail("AuthRejected")] })
      const b = yield* target("b", { account })
      const c = yield* target("c", { otherwise: () => TestLlm.text("ok") })
      const chain = yield* LlmChain.make([a.target, b.target, c.target])
      assert.deepStrictEqual(trail((yield* chain.generateText(request)).attempts), [
        "a failed AuthRejected 0",
        "b skipped cooldown 0",
        "c answered 0 failover"
      ])
      const later = yield* chain.generateText(request)
      assert.deepStrictEqual(trail(later.attempts), [
        "a skipped cooldown 0",
        "b skipped cooldown 0",
        "c answered 0"
      ])
      assert.strictEqual(later.attempts[0]?.retryAfterMs, 300_000)
      yield* a.model.push(TestLlm.text("well again"))
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* chain.generateText(request)).text, "well again")
    }))

  it.scoped("fails as Exhausted with the smallest wait when every model failed", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("RateLimited", { retryAfterMs: 9000 }))
      const b = yield* script("b", TestLlm.fail("RateLimited", { retryAfterMs: 4000 }))
      const c = yield* script("c", TestLlm.fail("QuotaExhausted"))
      const error = yield* Effect.flip((yield* LlmChain.make([a, b, c])).generateText(request))
      assert.strictEqual(error.reason, "Exhausted")
      assert.strictEqual(error.retryAfterMs, 4000)
      assert.strictEqual(
        error.description,
        "every model failed: a/scripted RateLimited, b/scripted RateLimited, c/scripted QuotaExhausted"
      )
      assert.strictEqual(error.attempts?.length, 3)
      assert.isTrue(error.isRetryable)
    }))

  it.scoped("says that nobody could be asked when everyone is left alone, and when to come back", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("RateLimited", { retryAfterMs: 60_000 }))
      const chain = yield* LlmChain.make([a])
      yield* Effect.flip(chain.generateText(request))
      yield* TestClock.adjust(20_000)
      const error = yield* Effect.flip(chain.generateText(request))
      assert.strictEqual(error.description, "no model could be asked: a/scripted cooldown")
      assert.strictEqual(error.retryAfterMs, 40_000)
      assert.isTrue(error.isRetryable)
      assert.strictEqual((yield* a.requests).length, 1)
    }))

  it.scoped("asks only models with a larger window after one that was too small", () =>
    Effect.gen(function*() {
      const small = { contextTokens: 8000 }
      const a = yield* target("a", { traits: small, steps: [TestLlm.fail("ContextTooLong")] })
      const b = yield* target("b", { traits: small })
      const c = yield* target("c", { traits: { contextTokens: 9000 }, steps: [TestLlm.text("ok")] })
      const answer = yield* (yield* LlmChain.make([a.target, b.target, c.target])).generateText(request)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed ContextTooLong 0",
        "b skipped contextTooLong 0",
        "c answered 0 failover"
      ])
    }))

  it.scoped("asks nobody whom the request cannot fit", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { traits: { contextTokens: 3 } })
      const b = yield* target("b", { traits: { json: "none" } })
      const c = yield* target("c", { labels: ["eu"], steps: [TestLlm.object({})] })
      const chain = yield* LlmChain.make([a.target, b.target, c.target])
      const answer = yield* chain.generateObject({ ...request, labels: ["eu"], schema: { type: "object" } })
      assert.deepStrictEqual(trail(answer.attempts), [
        "a skipped contextTooLong 0",
        "b skipped unsupported 0",
        "c answered 0"
      ])
      const error = yield* Effect.flip(chain.generateText({ ...request, labels: ["us"] }))
      assert.strictEqual(error.reason, "Exhausted")
      assert.isFalse(error.isRetryable)
      assert.strictEqual(error.retryAfterMs, undefined)
    }))

  for (const reason of ["ContentBlocked", "RequestRejected"] satisfies ReadonlyArray<LlmError.Reason>) {
    it.scoped(`stops at ${reason} and asks no further model`, () =>
      Effect.gen(function*() {
        const [a, b] = yield* Effect.all([script("a", TestLlm.fail(reason)), script("b")])
        const error = yield* Effect.flip((yield* LlmChain.make([a, b])).generateText(request))
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(error.provider, "a")
        assert.deepStrictEqual(trail(error.attempts), [`a failed ${reason} 0`])
        assert.isDefined(error.cost)
        assert.strictEqual((yield* b.requests).length, 0)
      }))
  }

  it.scoped("stops at the most calls on the wire that a call may make", () =>
    Effect.gen(function*() {
      const scripts = yield* Effect.forEach(["a", "b", "c"], (name) => script(name, TestLlm.fail("Malformed")))
      const [a, b, c] = scripts
      assert.isDefined(a)
      if (a === undefined || b === undefined || c === undefined) return
      const chain = yield* LlmChain.make([a, b, c], { policy: ChainPolicy.maxAttempts(2) })
      const error = yield* Effect.flip(chain.generateText(request))
      assert.strictEqual(error.reason, "Exhausted")
      assert.deepStrictEqual(trail(error.attempts), [
        "a failed Malformed 0",
        "b failed Malformed 0 failover",
        "c skipped attempts 0"
      ])
    }))

  it.scoped("stops at once when it is interrupted, and gives back what it held", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 1 }, steps: [TestLlm.hang] })
      const b = yield* script("b")
      const fiber = yield* Effect.fork((yield* LlmChain.make([a.target, b])).generateText(request))
      yield* TestClock.adjust(10)
      assert.strictEqual(a.target.limits.inFlight, 1)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.strictEqual((yield* b.requests).length, 0)
      assert.strictEqual(yield* a.model.interrupted, 1)
      isIdle(a.target)
    }))

  it.scoped("goes past an exhausted chain within a chain and flattens its trail", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        price: dollarEach("a"),
        steps: [TestLlm.fail("Malformed", { usage: { inputTokens: 1, outputTokens: 1 } })]
      })
      const b = yield* script("b", TestLlm.fail("RateLimited"))
      const c = yield* script("c", TestLlm.text("ok"))
      const inner = yield* LlmChain.make([a.target, b], { name: "inner" })
      const answer = yield* (yield* LlmChain.make([inner, c])).generateText(request)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed Malformed 0",
        "b failed RateLimited 0 failover",
        "c answered 0 failover"
      ])
      assert.strictEqual(answer.cost?.usd, 2)
    }))

  it.scoped("gives the answer of a chain within a chain with its trail, its cost and its time", () =>
    Effect.gen(function*() {
      const usage = { inputTokens: 2, outputTokens: 3 }
      const a = yield* script("a", TestLlm.fail("Malformed"))
      const b = yield* script("b", TestLlm.hang)
      const c = yield* target("c", { price: dollarEach("c"), steps: [TestLlm.text("ok", { usage })] })
      const inner = yield* LlmChain.make([b, c.target], { policy: ChainPolicy.timeouts({ answer: "1 second" }) })
      const answer = yield* during((yield* LlmChain.make([a, inner])).generateText(request), 1000)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed Malformed 0",
        "b failed TimedOut 1000 failover answer",
        "c answered 0 failover"
      ])
      assert.strictEqual(answer.provider, "c")
      assert.deepStrictEqual(answer.cost, { certainty: "unknown", usd: 5 })
    }))

  it.scoped("leaves a defect a defect, and gives back what it held", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 1 } })
      const b = yield* script("b", TestLlm.text("never"))
      const exit = yield* Effect.exit((yield* LlmChain.make([a.target, b])).generateText(request))
      assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Die")
      assert.strictEqual((yield* b.requests).length, 0)
      isIdle(a.target)
    }))

  it.scoped("can be asked as long as one of its models can", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([script("a"), script("b")])
      const down = { ...a, ping: Effect.never }
      const policy = ChainPolicy.timeouts({ headers: "1 second" })
      yield* during((yield* LlmChain.make([down, b], { policy })).ping, 1000)
      const error = yield* during(Effect.flip((yield* LlmChain.make([down], { policy })).ping), 1000)
      assert.deepStrictEqual(trail(error.attempts), ["a failed TimedOut 1000"])
    }))

  it.scoped("tells how each of its models is", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([script("a", TestLlm.fail("QuotaExhausted")), script("b", TestLlm.text("x"))])
      const chain = yield* LlmChain.make([a, Tier.make([yield* Target.make(b)])], { policy: calm })
      yield* chain.generateText(request)
      const [first, second] = yield* chain.status
      assert.deepStrictEqual(
        [first?.id, first?.coolingReason, second?.id, second?.coolingReason],
        ["a/scripted", "QuotaExhausted", "b/scripted", undefined]
      )
      assert.deepStrictEqual(chain.targets.map((target) => target.id), ["a/scripted", "b/scripted"])
      assert.strictEqual(LlmChain.idOf(a), "a/scripted")
    }))
})
