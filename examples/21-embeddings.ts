/**
 * Vectors from a model over HTTP: several callers in one request, a text that is
 * sent once, a server that fails at first, and an answer that is refused.
 */
import * as CachingEmbedder from "causeway-mcp/embedding/CachingEmbedder"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as OpenAiEmbedder from "causeway-mcp/provider/OpenAiEmbedder"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as ProviderFaults from "causeway-mcp/testing/ProviderFaults"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import assert from "node:assert/strict"
import { main } from "./program.js"

/** A real endpoint differs in its URL, its model, its key and its dimensions. */
const embeddings = (model: string, server: FakeProvider.Server) => {
  // #region embedder
  const remote = OpenAiEmbedder.layer({
    provider: "fake",
    model,
    baseUrl: server.baseUrl,
    apiKey: Redacted.make("sk-not-a-key-0123"),
    dimensions: 8,
    requestsPerMinute: 600,
    lexicalWeight: 0.4
  })
  return CachingEmbedder.layer(remote, { capacity: 10_000 }).pipe(Layer.provide(ProviderHttp.layer()))
  // #endregion embedder
}

const asked = Effect.gen(function*() {
  const server = yield* FakeProvider.FakeProvider
  yield* server.script("small", FakeProvider.status(503), FakeProvider.vectors())

  // #region ask
  const embed = (texts: ReadonlyArray<string>) => Effect.flatMap(Embedder.Embedder, (embedder) => embedder.embed(texts))
  const [[query], passages] = yield* Effect.gen(function*() {
    const both = yield* Effect.all([embed(["rain on Friday"]), embed(["rain on Friday", "sun", ""])], {
      concurrency: "unbounded"
    })
    yield* embed(["sun"])
    return both
  }).pipe(TimeLimit.within("20 seconds"), Effect.provide(embeddings("small", server)))
  // #endregion ask

  assert.deepEqual(passages[0], query)
  assert(Math.abs(Math.hypot(...passages[1] ?? []) - 1) < 1e-6)
  assert.deepEqual(passages[2], new Float32Array(8))
  // One request that failed, and its second try; each text went out once, the empty one never.
  const inputs = (yield* server.requests).map(({ body }) => body?.input)
  assert.deepEqual(inputs, [["rain on Friday", "sun"], ["rain on Friday", "sun"]])

  // #region refused
  const error = yield* Effect.flip(embed(["rain", "sun"])).pipe(
    Effect.provide(embeddings(ProviderFaults.model("vectors-short"), server))
  )
  assert.equal(error.isRetryable, false)
  assert.equal(error.message, "Embedder fake: a vector has 7 numbers where 8 were expected")
  // #endregion refused
}).pipe(Effect.provide(FakeProvider.layer))

main(Effect.zipRight(
  asked,
  Effect.sync(() => console.log("two callers and a failure took two requests, and a wrong vector was refused"))
))
