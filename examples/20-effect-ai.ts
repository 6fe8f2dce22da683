/**
 * A program that is written for `@effect/ai` asks a chain: text, an object, a
 * stream. The models follow a script, and the first of them fails.
 */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as LlmLanguageModel from "causeway-mcp/llm/LlmLanguageModel"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import { main } from "./program.js"

const Models = Layer.scoped(
  Llm.Llm,
  Effect.gen(function*() {
    const first = yield* TestLlm.make({ provider: "first", steps: [TestLlm.fail("RateLimited")] })
    const second = yield* TestLlm.make({
      provider: "second",
      steps: [
        TestLlm.text("In May 2027."),
        TestLlm.object({ opens: "May 2027" }),
        TestLlm.pieces(["In May ", "2027."]),
        TestLlm.fail("ContentBlocked")
      ]
    })
    return yield* LlmChain.make([first, second])
  })
)

// #region program
const program = Effect.gen(function*() {
  const prompt = "When does the plant open?"
  const text = yield* LanguageModel.generateText({ prompt })
  assert.equal(text.text, "In May 2027.")
  const finish = text.content.find((part) => part.type === "finish")
  assert.deepEqual(
    finish?.metadata.causeway?.attempts.map(({ outcome, provider }) => [provider, outcome]),
    [["first", "failed"], ["second", "answered"]]
  )

  const object = yield* LanguageModel.generateObject({ prompt, schema: Schema.Struct({ opens: Schema.String }) })
  assert.equal(object.value.opens, "May 2027")

  const pieces = yield* LanguageModel.streamText({ prompt }).pipe(
    Stream.filterMap((part) => part.type === "text-delta" ? Option.some(part.delta) : Option.none()),
    Stream.runCollect
  )
  assert.deepEqual([...pieces], ["In May ", "2027."])

  const error = yield* Effect.flip(LanguageModel.generateText({ prompt }))
  assert.equal(Option.getOrThrow(LlmLanguageModel.llmError(error)).reason, "ContentBlocked")
})
// #endregion program

// #region layer
const Language = LlmLanguageModel.layer.pipe(Layer.provide(Models))
// #endregion layer

main(Effect.gen(function*() {
  yield* Effect.provide(program, Language)
  console.log("a program for @effect/ai was answered by the second model of a chain")
}))
