import { assert, describe, it } from "@effect/vitest"
import * as Budget from "causeway-mcp/llm/Budget"
import * as CachingLlm from "causeway-mcp/llm/CachingLlm"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as ResponseCache from "causeway-mcp/llm/ResponseCache"
import * as Target from "causeway-mcp/llm/Target"
import * as TokenEstimate from "causeway-mcp/llm/TokenEstimate"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { calm, dollarEach, during, isIdle, request, script, target, trail } from "./harness.js"

const ok = () => TestLlm.text("ok")
const broken = () => TestLlm.fail("Malformed")

describe("limits of a chain's models", () => {
  it.scoped("waits a moment for a place while another model could be asked, then asks that", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 1 }, otherwise: () => TestLlm.text("a", { delay: 200 }) })
      const b = yield* script("b", TestLlm.text("b"))
      const chain = yield* LlmChain.make([a.target, b])
      const first = yield* Effect.fork(chain.generateText(request))
      yield* Effect.yieldNow()
      const second = yield* during(chain.generateText(request), 50)
      assert.deepStrictEqual(trail(second.attempts), ["a skipped limits 0", "b answered 0"])
      yield* TestClock.adjust(150)
      assert.strictEqual((yield* Fiber.join(first)).text, "a")
      isIdle(a.target)
    }))

  it.scoped("takes the place that comes free in time", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 1 }, otherwise: () => TestLlm.text("a", { delay: 40 }) })
      const chain = yield* LlmChain.make([a.target, yield* script("b")])
      const answers = yield* during(
        Effect.all([chain.generateText(request), chain.generateText(request)], { concurrency: 2 }),
        40,
        40
      )
      assert.deepStrictEqual(answers.map((answer) => answer.text), ["a", "a"])
    }))

  it.scoped("waits for its share of a minute when nobody else can be asked, and not longer than the call may take", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { requestsPerMinute: 12 }, otherwise: ok })
      const chain = yield* LlmChain.make([a.target])
      yield* chain.generateText(request)
      const short = yield* LlmChain.make([a.target], { policy: ChainPolicy.deadline("1 second") })
      const error = yield* Effect.flip(short.generateText(request))
      assert.strictEqual(error.reason, "Exhausted")
      assert.deepStrictEqual(trail(error.attempts), ["a skipped limits 0"])
      const wait = error.retryAfterMs ?? 0
      assert.isTrue(wait > 1000 && wait < 10_000, String(wait))
      yield* during(chain.generateText(request), wait)
      assert.strictEqual((yield* a.model.requests).length, 2)
    }))

  it.scoped("asks nobody for an answer that would come too late after the wait for a place", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        limits: { requestsPerMinute: 12 },
        otherwise: () => TestLlm.text("a", { delay: 400 })
      })
      const chain = yield* LlmChain.make([a.target], { policy: ChainPolicy.deadline("5400 millis") })
      for (let call = 0; call < 5; call++) {
        yield* during(chain.generateText(request), 400)
        yield* TestClock.adjust(5600)
      }
      yield* during(chain.generateText(request), 400)
      const error = yield* Effect.flip(chain.generateText(request))
      assert.deepStrictEqual(trail(error.attempts), ["a skipped limits 0"])
      assert.strictEqual((yield* a.model.requests).length, 6)
      isIdle(a.target)
    }))

  it.scoped("passes over a model whose limit the request can never fit", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { tokensPerMinute: 100 } })
      const answer = yield* (yield* LlmChain.make([a.target, yield* script("b", ok())])).generateText(request)
      assert.deepStrictEqual(trail(answer.attempts), ["a skipped limits 0", "b answered 0"])
    }))

  it.scoped("settles tokens with what was used, and gives them back when nothing was sent", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        limits: { tokensPerMinute: 60_000, burst: 0.5 },
        steps: [
          TestLlm.text("ok", { usage: { inputTokens: 100, outputTokens: 200 } }),
          TestLlm.fail("Malformed", { phase: "connect" }),
          TestLlm.fail("Malformed")
        ]
      })
      const chain = yield* LlmChain.make([a.target], { policy: calm })
      const left = () => Math.round(a.target.limits.headroom(0) * 30_000)
      yield* chain.generateText(request)
      assert.strictEqual(left(), 29_700)
      yield* Effect.flip(chain.generateText(request))
      assert.strictEqual(left(), 29_700)
      yield* Effect.flip(chain.generateText({ ...request, maxTokens: 1000 }))
      assert.isBelow(left(), 28_700)
    }))

  it.scoped("lowers its limits to what the provider says is left", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        limits: { requestsPerMinute: 600 },
        steps: [TestLlm.text("ok", { remaining: { requests: 0 } })]
      })
      yield* (yield* LlmChain.make([a.target])).generateText(request)
      assert.strictEqual(a.target.limits.headroom(0), 0)
    }))
})

describe("breakers of a chain's models", () => {
  it.scoped("asks the next at once while a breaker is open", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { breaker: { consecutive: 2 }, otherwise: () => TestLlm.fail("Transient") })
      const b = yield* target("b", { otherwise: ok })
      const chain = yield* LlmChain.make([a.target, b.target], { policy: calm })
      yield* chain.generateText(request)
      yield* chain.generateText(request)
      const answer = yield* chain.generateText(request)
      assert.deepStrictEqual(trail(answer.attempts), ["a skipped breaker 0", "b answered 0"])
      assert.isAbove(answer.attempts[0]?.retryAfterMs ?? 0, 3999)
      assert.strictEqual((yield* a.model.requests).length, 2)
    }))

  it.scoped("forces one probe to the one that reopens first when all are open", () =>
    Effect.gen(function*() {
      const random = () => 0.5
      const a = yield* target("a", { breaker: { consecutive: 1, random }, otherwise: () => TestLlm.fail("Transient") })
      const b = yield* target("b", {
        breaker: { consecutive: 1, openFor: "3 seconds", random },
        steps: [TestLlm.fail("Transient"), TestLlm.text("well")]
      })
      const chain = yield* LlmChain.make([a.target, b.target], { policy: calm })
      yield* Effect.flip(chain.generateText(request))
      const answer = yield* chain.generateText(request)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a skipped breaker 0",
        "b skipped breaker 0",
        "b answered 0 probe"
      ])
    }))

  it.scoped("lets one of many calls probe a model that may be well again", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { breaker: { consecutive: 1 }, steps: [TestLlm.fail("Transient")] })
      const b = yield* target("b", { otherwise: ok })
      const chain = yield* LlmChain.make([a.target, b.target], { policy: calm })
      yield* chain.generateText(request)
      yield* TestClock.adjust(6001)
      yield* a.model.push(TestLlm.text("well", { delay: 100 }))
      const answers = yield* during(
        Effect.all(Array.from({ length: 50 }, () => chain.generateText(request)), { concurrency: "unbounded" }),
        100
      )
      assert.strictEqual(answers.filter((answer) => answer.text === "well").length, 1)
      assert.strictEqual((yield* a.model.requests).length, 2)
    }))

  it.scoped("does not take an answer that was kept for a sign of health", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.text("kept"), TestLlm.fail("Transient"), TestLlm.text("well"))
      const cache = yield* ResponseCache.memory()
      const cached = yield* Target.make(CachingLlm.make(a, cache), {
        breaker: { consecutive: 1, successesToClose: 1 }
      })
      const chain = yield* LlmChain.make([cached], { policy: calm })
      const certain = { ...request, temperature: 0 }
      yield* chain.generateText(certain)
      yield* Effect.flip(chain.generateText(request))
      yield* TestClock.adjust(6001)
      assert.isTrue((yield* chain.generateText(certain)).isCached)
      assert.strictEqual(cached.breaker.state(6001), "halfOpen")
      yield* chain.generateText(request)
      assert.strictEqual(cached.breaker.state(6001), "closed")
    }))

  it.scoped("gives a probe back that was interrupted, or told nothing of the model's health", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { breaker: { consecutive: 1 }, steps: [TestLlm.fail("Transient")] })
      const chain = yield* LlmChain.make([a.target], { policy: calm })
      yield* Effect.flip(chain.generateText(request))
      yield* TestClock.adjust(6001)
      yield* a.model.push(TestLlm.hang, TestLlm.fail("RequestRejected"), TestLlm.text("well"))
      const fiber = yield* Effect.fork(chain.generateText(request))
      yield* TestClock.adjust(10)
      yield* Fiber.interrupt(fiber)
      yield* Effect.flip(chain.generateText(request))
      assert.strictEqual((yield* chain.generateText(request)).text, "well")
    }))
})

describe("retry budgets of a chain's models", () => {
  it.scoped("does not let failovers multiply what a model in between gets", () =>
    Effect.gen(function*() {
      const none = { ratio: 0, minPerSecond: 0 }
      const a = yield* target("a", { otherwise: broken, breaker: false })
      const b = yield* target("b", { otherwise: broken, breaker: false, retryBudget: none })
      const c = yield* target("c", { otherwise: ok, breaker: false, retryBudget: none })
      const chain = yield* LlmChain.make([a.target, b.target, c.target])
      const answer = yield* chain.generateText(request)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed Malformed 0",
        "b skipped attempts 0",
        // The last that could be asked is asked all the same.
        "c answered 0 failover"
      ])
    }))

  it.scoped("puts no more than 1.15 times the calls on any wire when everything fails", () =>
    Effect.gen(function*() {
      const sent = new Map<string, number>()
      const make = (provider: string) =>
        Effect.flatMap(script(provider), (model) =>
          Target.make({
            ...model,
            generateText: () => {
              sent.set(provider, (sent.get(provider) ?? 0) + 1)
              return Effect.fail(new LlmError.LlmError({ reason: "Transient", provider, description: "down" }))
            }
          }, { breaker: false }))
      const [a, b, c] = yield* Effect.all([make("a"), make("b"), make("c")])
      const chain = yield* LlmChain.make([a, b, c], { policy: ChainPolicy.retry(Schedule.recurs(1)) })
      const calls = 500 * 4
      for (let call = 0; call < calls; call++) {
        assert.isTrue(Either.isLeft(yield* Effect.either(chain.generateText(request))))
        if (call % 50 === 49) yield* TestClock.adjust(100)
      }
      assert.isAtLeast(sent.get("a") ?? 0, calls)
      for (const [provider, wire] of sent) assert.isAtMost(wire, calls * 1.15, provider)
    }))
})

describe("the budget of a chain", () => {
  const priced = { price: dollarEach("a"), traits: { maxOutputTokens: 100 } }

  it.scoped("lets exactly as many of many calls at once pass as it has room for", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        ...priced,
        otherwise: () => TestLlm.text("ok", { delay: 10, usage: { inputTokens: 50, outputTokens: 50 } })
      })
      const one = TokenEstimate.ofRequest(request) + 100
      const budget = Budget.make({ total: one * 10 })
      const chain = yield* LlmChain.make([a.target], { budget })
      const results = yield* during(
        Effect.all(
          Array.from({ length: 100 }, () => Effect.either(chain.generateText({ ...request, maxTokens: 100 }))),
          { concurrency: "unbounded" }
        ),
        10
      )
      assert.strictEqual(results.filter(Either.isRight).length, 10)
      for (const result of results) {
        if (Either.isRight(result)) continue
        assert.strictEqual(result.left.reason, "BudgetExceeded")
        assert.deepStrictEqual(trail(result.left.attempts), ["a skipped budget 0"])
        assert.isAbove(result.left.retryAfterMs ?? 0, 0)
      }
      assert.strictEqual(Math.round(yield* budget.left()), Math.round(one * 10 - 1000))
      isIdle(a.target)
    }))

  it.scoped("goes on to a model it can afford", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { price: dollarEach("a") })
      const b = yield* target("b", {
        price: { ...dollarEach("b"), inputPerMillion: 1, outputPerMillion: 1 },
        steps: [ok()]
      })
      const chain = yield* LlmChain.make([a.target, b.target], { budget: Budget.make({ total: 1 }) })
      assert.deepStrictEqual(trail((yield* chain.generateText(request)).attempts), [
        "a skipped budget 0",
        "b answered 0"
      ])
    }))

  it.scoped("settles a try that was cut off with an estimate, and gives back one that was never sent", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { ...priced, steps: [TestLlm.hang, TestLlm.hangIn({ phase: "connect" })] })
      const budget = Budget.make({ total: 1000 })
      const chain = yield* LlmChain.make([a.target], { budget })
      const cut = Effect.gen(function*() {
        const fiber = yield* Effect.fork(chain.generateText(request))
        yield* TestClock.adjust(10)
        yield* Fiber.interrupt(fiber)
        return yield* budget.left()
      })
      const left = yield* cut
      assert.isBelow(left, 1000)
      assert.isAbove(left, 900)
      assert.strictEqual(yield* cut, left)
    }))
})

describe("turns for a model with few places", () => {
  it.scoped("serves many that wait in the order they came, each as soon as a place is free", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 1 }, otherwise: () => TestLlm.text("a", { delay: 40 }) })
      const chain = yield* LlmChain.make([a.target])
      const served: Array<number> = []
      const calls = Effect.forEach(
        [1, 2, 3, 4, 5],
        (n) => Effect.tap(chain.generateText(request), () => Effect.sync(() => served.push(n))),
        { concurrency: "unbounded" }
      )
      yield* during(calls, 40, 40, 40, 40, 40)
      assert.deepStrictEqual(served, [1, 2, 3, 4, 5])
      isIdle(a.target)
    }))

  it.scoped("lets those whose turn comes wait for their share of a minute, too", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        limits: { concurrency: 1, requestsPerMinute: 12 },
        otherwise: () => TestLlm.text("a", { delay: 40 })
      })
      const chain = yield* LlmChain.make([a.target])
      const calls = Effect.all(Array.from({ length: 4 }, () => chain.generateText(request)), {
        concurrency: "unbounded"
      })
      const answers = yield* during(calls, ...Array.from({ length: 25 }, () => 1000))
      assert.strictEqual(answers.length, 4)
      isIdle(a.target)
    }))

  it.scoped("gives the turn of one that is interrupted to the next", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 1 }, otherwise: () => TestLlm.text("a", { delay: 40 }) })
      const chain = yield* LlmChain.make([a.target])
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(chain.generateText(request)))
      yield* Effect.yieldNow()
      yield* TestClock.adjust(40)
      const [first, second, third] = fibers
      if (first === undefined || second === undefined || third === undefined) return assert.fail()
      yield* Fiber.interrupt(second)
      yield* TestClock.adjust(40)
      assert.strictEqual((yield* Fiber.join(third)).text, "a")
      assert.strictEqual((yield* Fiber.join(first)).text, "a")
      isIdle(a.target)
    }))
})

describe("a breaker that has closed and lets only some calls through", () => {
  const recovering = { consecutive: 1, successesToClose: 1, random: () => 0.9 }

  it.scoped("does not keep a call away that nobody else can answer, also after a failure", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { breaker: false, otherwise: broken })
      const b = yield* target("b", { breaker: recovering, steps: [TestLlm.fail("Transient")], otherwise: ok })
      const only = yield* LlmChain.make([b.target], { policy: calm })
      yield* Effect.flip(only.generateText(request))
      yield* TestClock.adjust(6001)
      yield* only.generateText(request)
      assert.strictEqual(b.target.breaker.state(6001), "closed")
      const chain = yield* LlmChain.make([a.target, b.target], { policy: calm })
      assert.deepStrictEqual(trail((yield* chain.generateText(request)).attempts), [
        "a failed Malformed 0",
        "b skipped breaker 0",
        "b answered 0 probe"
      ])
    }))

  it.scoped("lets a call that it let through ask for a correction", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        breaker: recovering,
        steps: [TestLlm.fail("Transient"), ok(), TestLlm.object({}), TestLlm.object({ x: 1 })]
      })
      const chain = yield* LlmChain.make([a.target], { policy: calm })
      yield* Effect.flip(chain.generateText(request))
      yield* TestClock.adjust(6001)
      yield* chain.generateText(request)
      const answer = yield* chain.generateObject({ ...request, schema: { type: "object", required: ["x"] } })
      assert.deepStrictEqual(trail(answer.attempts), [
        "a skipped breaker 0",
        "a failed Degraded 0 probe schemaMismatch",
        "a answered 0 repair"
      ])
    }))
})

describe("what a correction is taken for", () => {
  it.scoped("reserves the answer that is sent back, too", () =>
    Effect.gen(function*() {
      const reserved: Array<number> = []
      const reservation = { settle: () => Effect.void, release: Effect.void }
      const budget: Budget.Budget = {
        reserve: (_, usd = 0) => Effect.sync(() => (reserved.push(usd), reservation)),
        left: () => Effect.succeed(1)
      }
      const wrong = { y: "a long story ".repeat(500) }
      const a = yield* target("a", {
        price: dollarEach("a"),
        steps: [TestLlm.object(wrong), TestLlm.object({ x: 1 })]
      })
      const chain = yield* LlmChain.make([a.target], { budget })
      yield* chain.generateObject({ ...request, schema: { type: "object", required: ["x"] } })
      const [first = 0, second = 0] = reserved
      assert.isAtLeast(second - first, TokenEstimate.ofText(JSON.stringify(wrong)))
    }))
})
