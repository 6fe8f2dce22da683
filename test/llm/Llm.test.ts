import { assert, describe, it } from "@effect/vitest"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Quote = Schema.Struct({ company: Schema.NonEmptyString, price: Schema.NumberFromString })
const request = { messages: [{ role: "user", text: "Quote Acme." }] } as const

describe("Llm.object", () => {
  it.effect("asks with the JSON Schema of the encoded side and decodes the answer", () =>
    Effect.gen(function*() {
      const model = yield* TestLlm.make({ steps: [TestLlm.object({ company: "Acme", price: "12.5" })] })
      const answer = yield* Llm.object(model, request, Quote)
      assert.deepStrictEqual(answer.value, { company: "Acme", price: 12.5 })
      assert.strictEqual(answer.attempts.length, 1)
      const [seen] = yield* model.requests
      assert.deepStrictEqual(seen?.request.schema?.required, ["company", "price"])
    }))

  it.effect("repairs once with the paths that were wrong, and adds up what both rounds used", () =>
    Effect.gen(function*() {
      const usage = { inputTokens: 10, outputTokens: 5 }
      const model = yield* TestLlm.make({
        steps: [
          TestLlm.object({ company: "", price: 3 }, { usage }),
          TestLlm.object({ company: "A", price: "3" }, { usage })
        ]
      })
      const answer = yield* Llm.object(model, request, Quote)
      assert.deepStrictEqual(answer.value, { company: "A", price: 3 })
      assert.deepStrictEqual(answer.usage, { inputTokens: 20, outputTokens: 10 })
      assert.strictEqual(answer.attempts.length, 2)
      const second = (yield* model.requests)[1]?.request.messages ?? []
      assert.deepStrictEqual(second.map((message) => message.role), ["user", "assistant", "user"])
      assert.strictEqual(second[1]?.text, "{\"company\":\"\",\"price\":3}")
      assert.include(second[2]?.text, "- at /company: ")
      assert.include(second[2]?.text, "- at /price: ")
    }))

  it.effect("fails as Degraded, naming paths and no values, when the repair does not fit either", () =>
    Effect.gen(function*() {
      const model = yield* TestLlm.make({ otherwise: () => TestLlm.object({ company: "secret value", price: {} }) })
      const error = yield* Effect.flip(Llm.object(model, request, Quote))
      assert.strictEqual(error.reason, "Degraded")
      assert.include(error.message, "wrong at /price")
      assert.notInclude(error.message, "secret value")
      assert.strictEqual(error.attempts?.length, 2)
      assert.strictEqual((yield* model.requests).length, 2)
    }))

  it.effect("carries the first round's attempt when the repair round fails", () =>
    Effect.gen(function*() {
      const model = yield* TestLlm.make({ steps: [TestLlm.object({}), TestLlm.fail("Transient")] })
      const error = yield* Effect.flip(Llm.object(model, request, Quote))
      assert.strictEqual(error.reason, "Transient")
      assert.strictEqual(error.attempts?.length, 1)
    }))
})

describe("LlmError", () => {
  const error = (reason: LlmError.Reason, reasons?: ReadonlyArray<LlmError.Reason>) =>
    new LlmError.LlmError({
      reason,
      provider: "p",
      description: "d",
      ...(reasons === undefined ? {} : {
        attempts: reasons.map((reason) => ({ provider: "p", model: "m", outcome: "failed", reason, elapsedMs: 1 }))
      })
    })

  it("is retryable as Exhausted only when one of the attempts was", () => {
    assert.isTrue(error("Exhausted", ["QuotaExhausted", "RateLimited"]).isRetryable)
    assert.isFalse(error("Exhausted", ["QuotaExhausted", "AuthRejected"]).isRetryable)
    assert.isFalse(error("QuotaExhausted").isRetryable)
  })

  it("is retryable as Exhausted when a model was passed over that may be asked later", () => {
    const skipped = (reason: string) =>
      new LlmError.LlmError({
        reason: "Exhausted",
        provider: "p",
        description: "d",
        attempts: [{ provider: "p", model: "m", outcome: "skipped", reason, elapsedMs: 0 }]
      })
    assert.isTrue(skipped("cooldown").isRetryable)
    assert.isFalse(skipped("contextTooLong").isRetryable)
  })

  it("keeps everything but the trail when it is given another", () => {
    const cause = new Error("socket")
    const full = new LlmError.LlmError({
      reason: "RateLimited",
      provider: "p",
      description: "d",
      status: 429,
      retryAfterMs: 5,
      cause
    })
    const next = LlmError.withFields(full, { attempts: [] })
    assert.deepStrictEqual(
      [next.reason, next.provider, next.description, next.status, next.retryAfterMs, next.cause, next.attempts],
      ["RateLimited", "p", "d", 429, 5, cause, []]
    )
  })
})
