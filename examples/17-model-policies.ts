/**
 * A chain put together by hand: models that share a tier, a policy of which parts
 * are replaced one by one, a chain for each kind of work. All models follow a
 * script.
 */
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as Check from "causeway-mcp/llm/Check"
import * as Decision from "causeway-mcp/llm/Decision"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as LlmRouter from "causeway-mcp/llm/LlmRouter"
import * as Target from "causeway-mcp/llm/Target"
import * as Tier from "causeway-mcp/llm/Tier"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import { main } from "./program.js"

const question = { messages: [{ role: "user" as const, text: "When does the plant open?" }] }

// #region policy
const short = Check.where(
  "short",
  ({ answer }) => !("citations" in answer) || answer.text.length <= 60,
  "guardrail",
  { description: "the answer is longer than 60 characters" }
)

const policy = ChainPolicy.all(
  ChainPolicy.interactive,
  ChainPolicy.deadline("6 seconds"),
  ChainPolicy.timeouts({ headers: "3 seconds", firstToken: "3 seconds", answer: "4 seconds" }),
  ChainPolicy.retry(Backoff.honourRetryAfter(Backoff.fullJitter({ base: "50 millis", cap: "400 millis", times: 1 }))),
  ChainPolicy.retryIf((error, elapsedMs) => error.reason === "Transient" && elapsedMs < 100),
  ChainPolicy.decide(Decision.pastContentRules),
  ChainPolicy.checks(...Check.standard, short),
  ChainPolicy.maxAttempts(5),
  ChainPolicy.onAllDegraded("best")
)
// #endregion policy

main(
  Effect.gen(function*() {
    const deepseek = yield* TestLlm.make({
      provider: "deepseek",
      steps: [TestLlm.text("That depends on many things, of which the weather is one of the lesser.")]
    })
    const qwen = yield* TestLlm.make({ provider: "qwen", steps: [TestLlm.fail("ContentBlocked")] })
    const claude = yield* TestLlm.make({
      provider: "anthropic",
      steps: [TestLlm.text("In May 2027."), TestLlm.text("In May 2027, in Tczew.")]
    })

    // #region tiers
    const account = Target.account("our DeepSeek key")
    const limits = { requestsPerMinute: 600, tokensPerMinute: 1_000_000, concurrency: 50 }
    const first = yield* Target.make(deepseek, { account, limits, weight: 3 })
    const second = yield* Target.make(qwen, { limits })
    const inEurope = yield* Target.make(claude, { labels: ["eu"] })
    const chain = yield* LlmChain.make([Tier.make([first, second], Tier.weighted()), inEurope], {
      name: "answers",
      policy,
      seed: 1
    })
    // #endregion tiers

    const answer = yield* chain.generateText(question)
    assert.equal(answer.text, "In May 2027.")
    assert.deepEqual(
      new Set(answer.attempts.map(({ flaw, provider, reason }) => `${provider} ${flaw ?? reason ?? "answered"}`)),
      new Set(["deepseek guardrail", "qwen ContentBlocked", "anthropic answered"])
    )

    // #region labels
    const kept = yield* chain.generateText({ ...question, labels: ["eu"] })
    assert.deepEqual(
      new Set(kept.attempts.map(({ provider, reason }) => `${provider} ${reason ?? "answered"}`)),
      new Set(["deepseek label", "qwen label", "anthropic answered"])
    )
    // #endregion labels

    // #region router
    const large = yield* TestLlm.make({ provider: "gemini", steps: [TestLlm.text("All of it, in two lines.")] })
    const strict = yield* TestLlm.make({ provider: "openai", steps: [TestLlm.object({ opens: "May 2027" })] })
    const router = LlmRouter.make({
      default: chain,
      strictJson: yield* LlmChain.make([strict], { name: "strictJson", policy: ChainPolicy.strictJson }),
      longContextBatch: yield* LlmChain.make([large], { name: "batch", policy: ChainPolicy.longContextBatch })
    })
    const asked = yield* router.generateObject({ ...question, schema: { type: "object", required: ["opens"] } })
    assert.equal(asked.provider, "openai")
    const summed = yield* router.generateText({ ...question, task: "longContextBatch" })
    assert.equal(summed.provider, "gemini")
    // #endregion router

    // #region stream
    const broken = yield* TestLlm.make({
      provider: "broken",
      steps: [TestLlm.fail("Transient", { after: "In May" }), TestLlm.fail("Transient", { after: "In May" })]
    })
    const whole = yield* TestLlm.make({ provider: "whole", steps: [TestLlm.text("In May 2027.")] })
    const shown = yield* LlmChain.make([broken, whole], { policy: ChainPolicy.noRetry })
    const error = yield* Effect.flip(Stream.runDrain(shown.streamText(question)))
    assert.equal(error.reason, "StreamBroken")

    const held = yield* LlmChain.make([broken, whole], {
      policy: ChainPolicy.all(ChainPolicy.noRetry, ChainPolicy.buffered)
    })
    const done = yield* Stream.runLast(held.streamText(question))
    assert.equal(Object(done).value.answer.provider, "whole")
    // #endregion stream

    console.log("every model was asked for what it is for, and the policy's own parts decided what counts")
  }).pipe(Effect.scoped)
)
