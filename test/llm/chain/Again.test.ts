import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import type * as Check from "causeway-mcp/llm/Check"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { calm, dollarEach, during, isIdle, request, script, target, trail } from "./harness.js"

const after = (millis: number) => ChainPolicy.retry(Schedule.addDelay(Schedule.recurs(1), () => millis))

describe("asking the same model again", () => {
  it.scoped("tries a failure that came fast once more after the schedule's wait", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("Transient", { delay: 299 }), TestLlm.text("ok"))
      const chain = yield* LlmChain.make([a], { policy: after(80) })
      const answer = yield* during(chain.generateText(request), 299, 80)
      assert.deepStrictEqual(trail(answer.attempts), ["a failed Transient 299", "a answered 0 retry"])
      assert.deepStrictEqual((yield* a.requests).map(({ at }) => at), [0, 379])
    }))

  it.scoped("does not try again where that would leave a model unasked", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("Transient"))
      const b = yield* script("b", TestLlm.fail("Transient"))
      const c = yield* script("c", TestLlm.fail("Transient"))
      const d = yield* script("d", TestLlm.text("ok"))
      const all = yield* LlmChain.make([a, b, c, d], { policy: after(0) })
      assert.deepStrictEqual(trail((yield* all.generateText(request)).attempts), [
        "a failed Transient 0",
        "b failed Transient 0 failover",
        "c failed Transient 0 failover",
        "d answered 0 failover"
      ])
    }))

  it.scoped("does not try again what took long, what timed out or what the schedule does not allow", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("Transient", { delay: 300 }))
      const b = yield* script("b", TestLlm.fail("Malformed"))
      const c = yield* script("c", TestLlm.fail("Transient"), TestLlm.fail("Transient"))
      const chain = yield* LlmChain.make([a, b, c], { policy: after(10) })
      const error = yield* during(Effect.flip(chain.generateText(request)), 300, 10)
      assert.deepStrictEqual(trail(error.attempts), [
        "a failed Transient 300",
        "b failed Malformed 0 failover",
        "c failed Transient 0 failover",
        "c failed Transient 0 retry"
      ])
    }))

  it.scoped("waits as long as the provider asks, when that is longer and fits the deadline", () =>
    Effect.gen(function*() {
      const fails = TestLlm.fail("Transient", { retryAfterMs: 500 })
      const a = yield* script("a", fails, TestLlm.text("ok"))
      const b = yield* script("b", fails)
      yield* during((yield* LlmChain.make([a], { policy: after(80) })).generateText(request), 500)
      const hurried = ChainPolicy.all(after(80), ChainPolicy.deadline(500))
      const error = yield* Effect.flip((yield* LlmChain.make([b], { policy: hurried })).generateText(request))
      assert.deepStrictEqual(trail(error.attempts), ["b failed Transient 0"])
      assert.strictEqual(error.retryAfterMs, 500)
    }))

  it.scoped("asks the last one once more that says when to come back, whoever is first of those that said so", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("RateLimited", { retryAfterMs: 2000 }), TestLlm.text("ok"))
      const b = yield* script("b", TestLlm.fail("RateLimited", { retryAfterMs: 9000 }))
      const answer = yield* during((yield* LlmChain.make([a, b])).generateText(request), 2000)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed RateLimited 0",
        "b failed RateLimited 0 failover",
        "a answered 0 retry"
      ])
    }))

  it.scoped("waits once at most, and not at all for what the deadline does not allow", () =>
    Effect.gen(function*() {
      const limited = TestLlm.fail("RateLimited", { retryAfterMs: 1000 })
      const a = yield* script("a", limited, limited)
      const error = yield* during(Effect.flip((yield* LlmChain.make([a])).generateText(request)), 1000)
      assert.deepStrictEqual(trail(error.attempts), ["a failed RateLimited 0", "a failed RateLimited 0 retry"])
      const b = yield* script("b", limited)
      const short = yield* LlmChain.make([b], { policy: ChainPolicy.deadline("1 second") })
      // No clock is moved: waiting in vain would never end.
      const at = yield* Effect.flip(short.generateText(request))
      assert.strictEqual(at.reason, "Exhausted")
      assert.strictEqual(at.retryAfterMs, 1000)
    }))

  it.scoped("is interrupted in a wait, and holds nothing meanwhile", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 1 }, steps: [TestLlm.fail("Transient")] })
      const fiber = yield* Effect.fork((yield* LlmChain.make([a.target], { policy: after(500) })).generateText(request))
      yield* TestClock.adjust(100)
      isIdle(a.target)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    }))
})

const schema = { type: "object", properties: { x: { type: "number" } }, required: ["x"] }
const question = { ...request, schema }

describe("values of a chain", () => {
  it.scoped("asks once for a correction, with the answer and what is wrong with it", () =>
    Effect.gen(function*() {
      const usage = { inputTokens: 10, outputTokens: 5 }
      const a = yield* target("a", {
        price: dollarEach("a"),
        steps: [TestLlm.object({ x: "1" }, { usage }), TestLlm.object({ x: 1 }, { usage })]
      })
      const answer = yield* (yield* LlmChain.make([a.target])).generateObject(question)
      assert.deepStrictEqual(answer.value, { x: 1 })
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed Degraded 0 schemaMismatch",
        "a answered 0 repair"
      ])
      assert.deepStrictEqual(answer.usage, { inputTokens: 20, outputTokens: 10 })
      assert.deepStrictEqual(answer.cost, { certainty: "exact", usd: 30 })
      const messages = (yield* a.model.requests)[1]?.request.messages ?? []
      assert.deepStrictEqual(messages.map(({ role }) => role), ["user", "assistant", "user"])
      assert.strictEqual(messages[1]?.text, "{\"x\":\"1\"}")
      assert.include(messages[2]?.text, "- at /x: ")
    }))

  it.scoped("asks for a correction of a text that is no JSON", () =>
    Effect.gen(function*() {
      const partial = "{\"x\": 1".padEnd(100_000)
      const a = yield* script("a", TestLlm.fail("Degraded", { flaw: "invalidJson", partial }), TestLlm.object({ x: 1 }))
      const answer = yield* (yield* LlmChain.make([a])).generateObject(question)
      assert.deepStrictEqual(trail(answer.attempts), ["a failed Degraded 0 invalidJson", "a answered 0 repair"])
      const messages = (yield* a.requests)[1]?.request.messages ?? []
      assert.strictEqual(messages[1]?.text.length, 32 * 1024)
      assert.include(messages[2]?.text, "- at the root: This is not JSON.")
    }))

  it.scoped("does not ask for a correction where the model declined, or cannot correct itself", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.text("I'm sorry, but I can't help with that."))
      const b = yield* target("b", { steps: [TestLlm.object({})], traits: { canCorrect: false } })
      const c = yield* script("c", TestLlm.object({ x: 2 }))
      const answer = yield* (yield* LlmChain.make([a, b.target, c])).generateObject(question)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed Degraded 0 refusal",
        "b failed Degraded 0 failover schemaMismatch",
        "c answered 0 failover"
      ])
    }))

  it.scoped("goes on to the next when the correction does not fit either, with the original request", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.object({}), TestLlm.object({}))
      const b = yield* script("b", TestLlm.object({ x: 2 }))
      const answer = yield* (yield* LlmChain.make([a, b])).generateObject(question)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed Degraded 0 schemaMismatch",
        "a failed Degraded 0 repair schemaMismatch",
        "b answered 0 failover"
      ])
      assert.deepStrictEqual((yield* b.requests)[0]?.request.messages, request.messages)
    }))

  it.scoped("gives a correction a third of the time at most", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.object({}), TestLlm.hang)
      const b = yield* script("b", TestLlm.object({ x: 2 }))
      const chain = yield* LlmChain.make([a, b], { policy: ChainPolicy.deadline("10 seconds") })
      const answer = yield* during(chain.generateObject(question), 3500)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed Degraded 0 schemaMismatch",
        "a failed TimedOut 3500 repair answer",
        "b answered 0 failover"
      ])
    }))

  it.scoped("checks with what the request brings instead of its schema", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.object({ x: 1 }), TestLlm.object({ x: 3 }))
      const answer = yield* (yield* LlmChain.make([a])).generateObject({
        ...question,
        validate: (value) => JSON.stringify(value) === "{\"x\":3}" ? [] : [{ path: "/x", message: "Three, please." }]
      })
      assert.deepStrictEqual(answer.value, { x: 3 })
      assert.include((yield* a.requests)[1]?.request.messages[2]?.text, "- at /x: Three, please.")
    }))

  it.scoped("refuses a schema that cannot be checked, and asks nobody", () =>
    Effect.gen(function*() {
      const a = yield* script("a")
      const error = yield* Effect.flip(
        (yield* LlmChain.make([a])).generateObject({ ...request, schema: { $ref: "https://example.com/schema" } })
      )
      assert.strictEqual(error.reason, "RequestRejected")
      assert.include(error.description, "the schema asked for cannot be checked")
    }))
})

const flawIn = (text: string, flaw: Chat.Flaw, severity: "failure" | "warning" = "failure"): Check.Check => ({
  name: flaw,
  judge: ({ answer }) =>
    Exit.succeed(answer.text === text ? { flaw, severity, description: `the answer is ${flaw}` } : undefined)
})

describe("checks of a chain's answers", () => {
  it.scoped("takes an answer with a flaw for a failure of no breaker, and one with a warning for an answer", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { breaker: { consecutive: 1 }, steps: [TestLlm.text("sorry")] })
      const b = yield* script("b", TestLlm.text("so so", { model: "b-2" }))
      const policy = ChainPolicy.checks(flawIn("sorry", "refusal"), flawIn("so so", "wrongModel", "warning"))
      const answer = yield* (yield* LlmChain.make([a.target, b], { policy })).generateText(request)
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed Degraded 0 refusal",
        "b answered 0 failover wrongModel"
      ])
      assert.strictEqual(answer.attempts[1]?.model, "b-2")
      assert.strictEqual(answer.flaw, undefined)
      assert.strictEqual(a.target.breaker.state(0), "closed")
    }))

  it.scoped("waits for a check that asks someone, but not beyond the deadline", () =>
    Effect.gen(function*() {
      const a = yield* target("a", { limits: { concurrency: 1 }, otherwise: () => TestLlm.text("ok") })
      const slow = (delay: Duration.DurationInput): Check.Check => ({
        name: "slow",
        judge: () => Effect.delay(Effect.succeed(undefined), delay)
      })
      const quick = yield* LlmChain.make([a.target], { policy: ChainPolicy.checks(slow(100)) })
      assert.strictEqual((yield* during(quick.generateText(request), 100)).text, "ok")
      const never = ChainPolicy.all(ChainPolicy.checks(slow(Duration.infinity)), ChainPolicy.deadline("1 second"))
      const chain = yield* LlmChain.make([a.target], { policy: never })
      const error = yield* during(Effect.flip(chain.generateText(request)), 1000)
      assert.deepStrictEqual([error.reason, error.phase], ["TimedOut", "total"])
      isIdle(a.target)
    }))

  it.scoped("asks once for twice the length when an answer was cut off and there is time", () =>
    Effect.gen(function*() {
      const cut = TestLlm.fail("Degraded", { flaw: "truncated", partial: "half", usage: { outputTokens: 100 } })
      const a = yield* target("a", { traits: { maxOutputTokens: 150 }, steps: [cut, cut] })
      const b = yield* script("b", cut, TestLlm.text("whole", { usage: { outputTokens: 170 } }))
      const chain = yield* LlmChain.make([a.target, b])
      const answer = yield* chain.generateText({ ...request, maxTokens: 100 })
      assert.deepStrictEqual(trail(answer.attempts), [
        "a failed Degraded 0 truncated",
        "a failed Degraded 0 lengthen truncated",
        "b failed Degraded 0 failover truncated",
        "b answered 0 lengthen"
      ])
      assert.deepStrictEqual((yield* a.model.requests).map((seen) => seen.request.maxTokens), [100, 150])
      assert.deepStrictEqual((yield* b.requests).map((seen) => seen.request.maxTokens), [100, 200])
      assert.strictEqual(answer.usage.outputTokens, 270)
    }))

  it.scoped("does not ask for more length late, unasked or when the policy forbids it", () =>
    Effect.gen(function*() {
      const cut = (delay: number) => TestLlm.fail("Degraded", { flaw: "truncated", delay })
      const ask = (steps: ReadonlyArray<TestLlm.Step>, policy: ChainPolicy.Part, maxTokens?: number) =>
        Effect.gen(function*() {
          const a = yield* script("a", ...steps)
          const chain = yield* LlmChain.make([a], {
            policy: ChainPolicy.all(ChainPolicy.deadline("2 seconds"), policy)
          })
          const error = yield* during(Effect.flip(chain.generateText({ ...request, maxTokens })), 1000)
          return error.attempts?.length
        })
      assert.strictEqual(yield* ask([cut(1000)], {}, 100), 1)
      assert.strictEqual(yield* ask([cut(0)], {}), 1)
      assert.strictEqual(yield* ask([cut(0)], ChainPolicy.lengthens(false), 100), 1)
    }))

  it.scoped("gives the best of the answers that had a flaw, when that is asked for", () =>
    Effect.gen(function*() {
      const steps = ["", "cut", "echo", "sorry"]
      const checks = ChainPolicy.checks(
        flawIn("", "empty"),
        flawIn("echo", "echo"),
        flawIn("sorry", "refusal")
      )
      const models = yield* Effect.forEach(steps, (text) =>
        script(
          text === "" ? "none" : text,
          text === "cut"
            ? TestLlm.fail("Degraded", { flaw: "truncated", partial: "cut [d1]" })
            : TestLlm.text(text)
        ))
      const [a, b, c, d] = models
      if (a === undefined || b === undefined || c === undefined || d === undefined) return assert.fail()
      const policy = ChainPolicy.all(checks, calm, ChainPolicy.onAllDegraded("best"))
      const answer = yield* (yield* LlmChain.make([a, b, c, d], { policy })).generateText(request)
      assert.deepStrictEqual([answer.text, answer.flaw, answer.attempts.length], ["echo", "echo", 4])
      yield* Effect.forEach([a, b], (model, index) =>
        model.push(
          index === 0 ? TestLlm.text("") : TestLlm.fail("Degraded", { flaw: "truncated", partial: "cut [d1]" })
        ))
      const cited = yield* (yield* LlmChain.make([a, b], { policy })).generateText({
        ...request,
        context: [{ id: "d1", text: "..." }]
      })
      assert.deepStrictEqual([cited.text, cited.flaw, cited.citations], ["cut [d1]", "truncated", ["d1"]])
      yield* a.push(TestLlm.text(""))
      const error = yield* Effect.flip((yield* LlmChain.make([a], { policy })).generateText(request))
      assert.strictEqual(error.reason, "Exhausted")
    }))
})
