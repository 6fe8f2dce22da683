import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import { calm, during, isIdle, read, request, script, target, trail } from "./harness.js"

const interactive = ChainPolicy.all(ChainPolicy.interactive, ChainPolicy.deadline("2 seconds"))

describe("the time of a chain's call", () => {
  it.scoped("gives a silent model what an answer may take and then asks the next", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([script("a", TestLlm.hang), script("b", TestLlm.text("ok", { delay: 500 }))])
      const chain = yield* LlmChain.make([a, b])
      const answer = yield* during(chain.generateText(request), 20_500)
      assert.deepStrictEqual(trail(answer.attempts), ["a failed TimedOut 20000 answer", "b answered 500 failover"])
      assert.strictEqual(yield* a.interrupted, 1)
    }))

  it.scoped("keeps time for the next model, and gives the last one all but what it takes to settle", () =>
    Effect.gen(function*() {
      const [a, b, c] = yield* Effect.all([script("a", TestLlm.hang), script("b", TestLlm.hang), script("c")])
      const policy = ChainPolicy.deadline("1 second")
      const chain = yield* LlmChain.make([a, b, c], { policy })
      const error = yield* during(Effect.flip(chain.generateText(request)), 1000)
      assert.strictEqual(error.reason, "TimedOut")
      assert.strictEqual(error.phase, "total")
      assert.include(error.description, "the deadline passed before a model answered")
      assert.deepStrictEqual(trail(error.attempts), [
        // 1000 − 60 to settle − 300 for the next; of the 360 ms that are left two would get too little.
        "a failed TimedOut 640 answer",
        "b failed TimedOut 300 failover answer",
        "c skipped tooSlow 0"
      ])
      assert.strictEqual((yield* c.requests).length, 0)
    }))

  it.scoped("ends each phase by its own cap, anew with each phase", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.hangIn({ phase: "headers" }))
      const b = yield* script("b", TestLlm.hangIn({ phase: "headers" }, { phase: "firstToken", after: 100 }))
      const c = yield* script("c", TestLlm.text("ok", { phases: [{ phase: "headers" }, { phase: "answer" }] }))
      const chain = yield* LlmChain.make([a, b, c], {
        policy: ChainPolicy.timeouts({ headers: 700, firstToken: 900, answer: 1200 })
      })
      const answer = yield* during(chain.generateText(request), 700, 100, 900)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed TimedOut 700 headers",
        "b failed TimedOut 1000 failover firstToken",
        "c answered 0 failover"
      ])
    }))

  it.scoped("expects a first text as soon as the model usually gives one, and a little more", () =>
    Effect.gen(function*() {
      const quick = TestLlm.pieces(["x"], { phases: [{ phase: "firstToken" }], delay: 400 })
      const a = yield* target("a", {
        steps: [...Array.from({ length: 20 }, () => quick), TestLlm.hangIn({ phase: "firstToken" })]
      })
      const b = yield* script("b", TestLlm.text("ok"))
      const chain = yield* LlmChain.make([a.target, b])
      const whole = yield* LlmChain.make([a.target], { name: "warm", policy: ChainPolicy.buffered })
      for (let index = 0; index < 20; index++) {
        yield* during(read(whole.streamText(request)), 400)
      }
      const answer = yield* during(chain.generateText(request), 600)
      assert.deepStrictEqual(trail(answer.attempts), ["a failed TimedOut 600 firstToken", "b answered 0 failover"])
    }))

  it.scoped("obeys the caller's limit when it is shorter, and blames no model for it", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { breaker: { consecutive: 1 }, otherwise: () => TestLlm.hang })
      const chain = yield* LlmChain.make([a.target], { policy: calm })
      const error = yield* during(
        chain.generateText(request).pipe(TimeLimit.within("5 seconds"), TimeLimit.within("1 second"), Effect.flip),
        1000
      )
      assert.deepStrictEqual([error.reason, error.phase], ["TimedOut", "total"])
      assert.deepStrictEqual(trail(error.attempts), ["a failed TimedOut 940 answer"])
      assert.strictEqual(a.target.breaker.state(1000), "closed")
      isIdle(a.target)
      yield* during(Effect.flip(chain.generateText(request)), 30_000)
      assert.strictEqual(a.target.breaker.state(31_000), "open")
    }))

  it.scoped("lets the last that can be asked be as slow as the deadline allows", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.hang)
      const b = yield* script(
        "b",
        TestLlm.text("late", { phases: [{ phase: "headers" }, { phase: "firstToken", after: 1000 }], delay: 500 })
      )
      const chain = yield* LlmChain.make([a, b], {
        policy: ChainPolicy.all(ChainPolicy.deadline("3 seconds"), ChainPolicy.timeouts({ headers: 10, answer: 1000 }))
      })
      const answer = yield* during(chain.generateText(request), 1000, 1000, 500)
      assert.deepStrictEqual(trail(answer.attempts), ["a failed TimedOut 1000 answer", "b answered 1500 failover"])
    }))

  for (const limit of [0, -5, 60]) {
    it.scoped(`asks nobody when the caller's limit is ${limit} ms`, () =>
      Effect.gen(function*() {
        const a = yield* script("a")
        const chain = yield* LlmChain.make([a])
        const error = yield* Effect.flip(TimeLimit.within(chain.generateText(request), limit))
        assert.deepStrictEqual([error.reason, error.phase], ["TimedOut", "total"])
        assert.deepStrictEqual(trail(error.attempts), ["a skipped tooSlow 0"])
      }))
  }

  it.scoped("passes over a model that is usually too slow for the time left, unless there is no other", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { otherwise: () => TestLlm.text("slow", { delay: 1500 }) })
      const b = yield* script("b", TestLlm.text("quick"))
      const only = yield* LlmChain.make([a.target])
      for (let index = 0; index < 20; index++) yield* during(only.generateText(request), 1500)
      const chain = yield* LlmChain.make([a.target, b])
      const answer = yield* TimeLimit.within(chain.generateText(request), "1 second")
      assert.deepStrictEqual(trail(answer.attempts), ["a skipped tooSlow 0", "b answered 0"])
      const error = yield* during(Effect.flip(TimeLimit.within(only.generateText(request), "1 second")), 1000)
      assert.deepStrictEqual(trail(error.attempts), ["a failed TimedOut 940 answer"])
    }))

  it.scoped("still has most of its time after a model that refused and one that broke down", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("RateLimited", { delay: 90 }))
      const b = yield* script("b", TestLlm.fail("Transient", { delay: 320 }))
      const c = yield* script("c", TestLlm.text("ok", { delay: 1100 }))
      const answer = yield* during(
        (yield* LlmChain.make([a, b, c], { policy: interactive })).generateText(request),
        90,
        320,
        1100
      )
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed RateLimited 90",
        "b failed Transient 320 failover",
        "c answered 1100 failover"
      ])
    }))
})

describe("the time of the last try a call may make", () => {
  it.scoped("is kept for it by the try before", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.hang)
      const b = yield* script("b", TestLlm.text("b"))
      const chain = yield* LlmChain.make([a, b], {
        policy: ChainPolicy.all(ChainPolicy.deadline("2 seconds"), ChainPolicy.maxAttempts(2))
      })
      assert.strictEqual((yield* during(chain.generateText(request), 2000)).text, "b")
    }))
})
