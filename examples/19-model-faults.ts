/**
 * Providers that misbehave, on real sockets: a fault by its name, a stream that
 * breaks, and answers that are recorded once and played back without a network.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as AnthropicLlm from "causeway-mcp/provider/AnthropicLlm"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as Cassette from "causeway-mcp/testing/Cassette"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as ProviderFaults from "causeway-mcp/testing/ProviderFaults"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import { main } from "./program.js"

const question = { messages: [{ role: "user" as const, text: "When does the plant open?" }] }
const apiKey = Redacted.make("sk-not-a-key-0123")

const faults = Effect.gen(function*() {
  // #region faults
  const server = yield* FakeProvider.FakeProvider
  yield* server.script("good", FakeProvider.text("In May 2027."))
  const ask = (model: string) => OpenAiCompatible.make({ provider: "fake", model, baseUrl: server.baseUrl, apiKey })
  const good = yield* ask("good")

  for (const name of ["429-retry-after-seconds", "500", "reset", "json-malformed", "choices-empty"]) {
    const bad = yield* ask(ProviderFaults.model(name))
    const chain = yield* LlmChain.make([bad, good], { policy: ChainPolicy.noRetry })
    const answer = yield* chain.generateText(question)
    assert.equal(answer.text, "In May 2027.")
    assert.equal(answer.attempts[0]?.reason, ProviderFaults.faults[name]?.expect)
  }
  // #endregion faults

  // #region script
  yield* server.script(
    "flaky",
    FakeProvider.stream([FakeProvider.event("In May")], { end: "close" }),
    FakeProvider.delayed(20, FakeProvider.status(503)),
    FakeProvider.text("In May 2027.")
  )
  const flaky = yield* ask("flaky")
  const chain = yield* LlmChain.make([flaky, good], { policy: ChainPolicy.noRetry })
  const broken = yield* Effect.flip(Stream.runDrain(chain.streamText(question)))
  assert.equal(broken.reason, "StreamBroken")
  assert(broken.partial !== undefined && Redacted.value(broken.partial) === "In May")
  assert.equal((yield* Effect.flip(flaky.generateText(question))).status, 503)
  assert.equal((yield* flaky.generateText(question)).text, "In May 2027.")
  assert.deepEqual([yield* server.active, yield* server.aborted], [0, 0])
  // #endregion script
}).pipe(Effect.scoped, Effect.provide(Layer.merge(FakeProvider.layer, ProviderHttp.layer())))

const recorded = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const path = `${yield* files.makeTempDirectoryScoped()}/answers.jsonl`
  const server = yield* FakeProvider.FakeProvider
  yield* server.script("claude-haiku-4-5", FakeProvider.text("In May 2027."))
  const { baseUrl } = server

  // #region cassette
  const ask = (layer: Layer.Layer<HttpClient.HttpClient, unknown, FileSystem.FileSystem>) =>
    Effect.flatMap(
      AnthropicLlm.make({ model: "claude-haiku-4-5", baseUrl, apiKey }),
      (claude) => claude.generateText(question)
    ).pipe(Effect.provide(layer))

  const live = yield* ask(Cassette.layerRecord({ path }).pipe(Layer.provide(ProviderHttp.layer())))
  const played = yield* ask(Cassette.layerReplay({ path }))
  assert.equal(played.text, live.text)
  assert(!(yield* files.readFileString(path)).includes(Redacted.value(apiKey)))
  // #endregion cassette
  assert.equal((yield* server.requests).length, 1)
}).pipe(Effect.scoped, Effect.provide(Layer.merge(FakeProvider.layer, NodeFileSystem.layer)))

main(Effect.gen(function*() {
  yield* faults
  yield* recorded
  console.log("every fault was answered by the next model, and a recording took a provider's place")
}))
