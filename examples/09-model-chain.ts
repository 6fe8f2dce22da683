/**
 * A chain of models: the next one is asked when one fails, and the answer says
 * who was tried. The two models here follow a script.
 */
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as Target from "causeway-mcp/llm/Target"
import * as AnthropicLlm from "causeway-mcp/provider/AnthropicLlm"
import * as ExtractiveLlm from "causeway-mcp/provider/ExtractiveLlm"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderChain from "causeway-mcp/provider/ProviderChain"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import assert from "node:assert/strict"
import { main } from "./program.js"

// #region settings
export const FromSettings = ProviderChain.layerConfig.pipe(Layer.provide(ProviderHttp.layer()))
// #endregion settings

// #region own
export const OwnChain = Layer.scoped(
  Llm.Llm,
  Effect.gen(function*() {
    const claude = yield* AnthropicLlm.make({
      model: "claude-haiku-4-5",
      apiKey: yield* Config.redacted("ANTHROPIC_API_KEY")
    })
    const mistral = yield* OpenAiCompatible.make({
      provider: "mistral",
      model: "mistral-small-latest",
      baseUrl: "https://api.mistral.ai/v1",
      apiKey: yield* Config.redacted("MISTRAL_API_KEY")
    })
    const limited = yield* Target.make(mistral, { limits: { requestsPerMinute: 60, concurrency: 8 } })
    return yield* LlmChain.make([limited, claude, ExtractiveLlm.model], {
      policy: ChainPolicy.all(ChainPolicy.interactive, ChainPolicy.deadline("4 seconds"))
    })
  })
).pipe(Layer.provide(ProviderHttp.layer()))
// #endregion own

main(
  Effect.gen(function*() {
    // #region failover
    const first = yield* TestLlm.make({
      provider: "first",
      steps: [TestLlm.fail("RateLimited", { retryAfterMs: 4000 })]
    })
    const second = yield* TestLlm.make({ provider: "second", steps: [TestLlm.text("In May 2027 [plant].")] })
    const chain = yield* LlmChain.make([first, second])

    const answer = yield* chain.generateText({
      messages: [{ role: "user", text: "When does the plant open?" }],
      context: [{ id: "plant", text: "The plant opens in May 2027." }]
    })
    assert.equal(answer.text, "In May 2027 [plant].")
    assert.deepEqual(answer.citations, ["plant"])
    assert.deepEqual(
      answer.attempts.map(({ outcome, provider, reason }) => [provider, outcome, reason]),
      [["first", "failed", "RateLimited"], ["second", "answered", undefined]]
    )
    // #endregion failover

    // #region extractive
    const quoted = yield* ExtractiveLlm.model.generateText({
      messages: [{ role: "user", text: "When does the plant open?" }],
      context: [{ id: "plant", text: "The plant opens in May 2027." }]
    })
    assert.equal(quoted.text, "The plant opens in May 2027. [plant]")
    // #endregion extractive

    console.log("the first model was rate limited, the second answered")
  }).pipe(Effect.scoped)
)
