import { assert, describe, it } from "@effect/vitest"
import * as Llm from "causeway-mcp/llm/Llm"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"

const request = { messages: [{ role: "user" as const, text: "?" }] }

describe("TestLlm", () => {
  it.effect("takes one step per request, keeps the requests, and waits by the test's clock", () =>
    Effect.gen(function*() {
      const model = yield* TestLlm.make({
        steps: [TestLlm.text("a"), TestLlm.fail("RateLimited", { delay: "1 minute" })]
      })
      assert.strictEqual((yield* model.generateText(request)).text, "a")
      const fiber = yield* Effect.fork(Effect.flip(model.generateText(request)))
      yield* TestClock.adjust("59 seconds")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).reason, "RateLimited")
      assert.deepStrictEqual((yield* model.requests).map((seen) => seen.request), [request, request])
      assert.strictEqual(yield* model.remaining, 0)
    }))

  it.effect("dies with a sentence when it is asked more often than the script says", () =>
    Effect.gen(function*() {
      const model = yield* TestLlm.make()
      const exit = yield* Effect.exit(model.generateText(request))
      assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Die")
      assert.include(String(exit), "the script of test/scripted has no step")
    }))

  it.effect("provides the model and its script as a layer", () =>
    Effect.gen(function*() {
      const script = yield* TestLlm.TestLlm
      yield* script.push(TestLlm.text("So [a]."))
      const llm = yield* Llm.Llm
      const answer = yield* llm.generateText({ ...request, context: [{ id: "a", text: "x" }] })
      assert.deepStrictEqual(answer.citations, ["a"])
    }).pipe(Effect.provide(TestLlm.layer())))
})
