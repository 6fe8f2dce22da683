/**
 * The same tool over other layers: a scripted model, a document store that is
 * down, a model that is down. No server, no key, no network.
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Answer from "causeway-mcp/toolbox/Answer"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import assert from "node:assert/strict"
import { main } from "./program.js"

const Server = McpServer.layerTools(Toolkit.make(Answer.make()), { name: "answers", version: "1.0.0" })

// #region layers
const documents = [{ id: "plant", title: "New plant", text: "Oskavolt opens its battery plant in Tczew in May 2027." }]

const Filled = Layer.tap(
  DocumentStore.layerMemory,
  (context) =>
    Effect.flatMap(DocumentStore.DocumentStore, (store) => store.index("default", documents)).pipe(
      Effect.provide(context)
    )
)

const Down = Layer.mock(DocumentStore.DocumentStore, {
  search: () => new DocumentStore.DocumentStoreError({ method: "search", reason: new DocumentStore.Unavailable({}) })
})
// #endregion layers

// #region ask
const ask = <E>(
  store: Layer.Layer<DocumentStore.DocumentStore, E, Embedder.Embedder>,
  step: TestLlm.Step
) =>
  Effect.gen(function*() {
    const client = yield* MemoryTransport.make()
    return yield* client.request("tools/call", {
      name: "answer_market_question",
      arguments: { question: "When does Oskavolt open its battery plant in Tczew?" }
    })
  }).pipe(
    Effect.scoped,
    Effect.provide(Server),
    Effect.provide(Retriever.layer().pipe(Layer.provide(store), Layer.provide(Embedder.layerHash))),
    Effect.provide(SessionStore.layerMemory),
    Effect.provide(TestLlm.layer({ steps: [step] }))
  )
// #endregion ask

main(Effect.gen(function*() {
  // #region checks
  const answered = yield* ask(Filled, TestLlm.text("In May 2027 [plant]."))
  const envelope = Object(answered.structuredContent)
  assert.equal(envelope.data.answer, "In May 2027 [plant].")
  assert.deepEqual(envelope.data.citations.map((citation: { readonly id: string }) => citation.id), ["plant"])

  const withoutModel = yield* ask(Filled, TestLlm.fail("RateLimited"))
  assert.equal(
    Object(withoutModel.structuredContent).data.answer,
    "Oskavolt opens its battery plant in Tczew in May 2027. [plant]"
  )
  assert.deepEqual(Object(withoutModel.structuredContent).degraded.missing, ["model"])

  const withoutStore = yield* ask(Down, TestLlm.text("never asked"))
  const body = Object(withoutStore._meta)["dev.causeway/error"]
  assert.equal(body.code, "temporarily_unavailable")
  assert.equal(body.fallback.tool, "fetch_user_preference_profile")
  // #endregion checks

  console.log("answered by the model, quoted without it, and honest without the store")
}))
