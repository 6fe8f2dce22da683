/**
 * Failover, live: three providers on local sockets, of which the first asks for
 * fewer requests and the second breaks down. Prints who was tried and why.
 */
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as Target from "causeway-mcp/llm/Target"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import { main } from "./program.js"

/** A line for each try, as an operator would want to read it. */
const trail = (attempts: ReadonlyArray<Chat.Attempt>): string =>
  attempts.map((attempt) =>
    `  ${attempt.outcome.padEnd(8)} ${attempt.provider}/${attempt.model} ${attempt.reason ?? ""}` +
    `${attempt.cause === undefined ? "" : ` (${attempt.cause})`} ${Math.round(attempt.elapsedMs)} ms`
  ).join("\n")

const outcomes = (attempts: ReadonlyArray<Chat.Attempt>) =>
  attempts.map(({ outcome, provider, reason }) => [provider, outcome, reason])

// #region chain
const target = (provider: string, server: FakeProvider.Server) =>
  OpenAiCompatible.make({ provider, model: "small", baseUrl: server.baseUrl, apiKey: Redacted.make("not-a-key") }).pipe(
    Effect.flatMap((model) =>
      Target.make(model, {
        limits: { requestsPerMinute: 600, concurrency: 8 },
        price: { provider, model: "small", from: "2026-01-01", inputPerMillion: 0.2, outputPerMillion: 0.8 }
      })
    )
  )

const program = Effect.gen(function*() {
  const [deepseek, mistral, qwen] = [yield* FakeProvider.make, yield* FakeProvider.make, yield* FakeProvider.make]
  const chain = yield* LlmChain.make([
    yield* target("deepseek", deepseek),
    yield* target("mistral", mistral),
    yield* target("qwen", qwen)
  ], { policy: ChainPolicy.all(ChainPolicy.interactive, ChainPolicy.noRetry) })
  // #endregion chain

  yield* deepseek.script(
    "small",
    FakeProvider.status(429, { error: { message: "slow down" } }, { "retry-after": "30" })
  )
  yield* mistral.script("small", FakeProvider.status(503), FakeProvider.json({ opens: "May 2027" }))
  yield* qwen.script("small", FakeProvider.text("The plant opens in May 2027 [plant]."))

  const question: Chat.Request = {
    messages: [{ role: "user", text: "When does the plant open?" }],
    context: [{ id: "plant", text: "The plant opens in May 2027." }]
  }
  const first = yield* chain.generateText(question)
  console.log(`first call, ${first.cost?.certainty} cost:\n${trail(first.attempts)}`)
  assert.equal(first.provider, "qwen")
  assert.deepEqual(first.citations, ["plant"])
  assert.deepEqual(outcomes(first.attempts), [
    ["deepseek", "failed", "RateLimited"],
    ["mistral", "failed", "Transient"],
    ["qwen", "answered", undefined]
  ])

  // The first provider asked for 30 seconds: it is left alone, without a request to it.
  const second = yield* Llm.object(chain, question, Schema.Struct({ opens: Schema.String }))
  console.log(`second call:\n${trail(second.attempts)}`)
  assert.equal(second.value.opens, "May 2027")
  assert.deepEqual(outcomes(second.attempts), [
    ["deepseek", "skipped", "cooldown"],
    ["mistral", "answered", undefined]
  ])
  assert.equal((yield* deepseek.requests).length, 1)
  console.log("the first provider was rate limited and the second failed; every call was answered")
}).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer()))

main(program)
