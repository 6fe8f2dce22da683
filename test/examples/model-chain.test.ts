// #region test
import { assert, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"

it.scoped("asks the second model when the first is silent for a second", () =>
  Effect.gen(function*() {
    const silent = yield* TestLlm.make({ provider: "silent", steps: [TestLlm.hang] })
    const second = yield* TestLlm.make({ provider: "second", steps: [TestLlm.text("In May 2027.")] })
    const chain = yield* LlmChain.make([silent, second], { policy: ChainPolicy.timeouts({ answer: "1 second" }) })

    const call = yield* Effect.fork(chain.generateText({ messages: [{ role: "user", text: "When does it open?" }] }))
    yield* TestClock.adjust("1 second")
    const answer = yield* Fiber.join(call)
    assert.deepStrictEqual(answer.attempts.map(({ elapsedMs, reason }) => [elapsedMs, reason]), [
      [1000, "TimedOut"],
      [0, undefined]
    ])
    assert.strictEqual(yield* silent.interrupted, 1)
  }))
// #endregion test
