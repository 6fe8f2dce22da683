/**
 * Summaries of several documents, one of which is not there: the client sees how
 * far the call has come, and nothing is lost. The model follows a script.
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as SummarizeBatch from "causeway-mcp/toolbox/SummarizeBatch"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import { main } from "./program.js"

const documents = [
  { id: "q2", title: "Second quarter", text: "Oskavolt sold batteries for 380 million euros in the second quarter." },
  { id: "q3", title: "Third quarter", text: "Oskavolt sold batteries for 412 million euros in the third quarter." }
]

const Documents = Layer.tap(
  DocumentStore.layerMemory,
  (context) =>
    Effect.flatMap(DocumentStore.DocumentStore, (store) => store.index("default", documents)).pipe(
      Effect.provide(context)
    )
).pipe(Layer.provide(Embedder.layerHash))

/** Says which documents it was shown. */
const Model = TestLlm.layer({
  otherwise: ({ context = [] }) => TestLlm.text(`Sales ${context.map(({ id }) => `[${id}]`).join(" ")}.`)
})

// #region server
const Server = McpServer.layerTools(Toolkit.make(SummarizeBatch.make({ concurrency: 2, maxWords: 60 })), {
  name: "summaries",
  version: "1.0.0"
}).pipe(Layer.provide([Documents, Model, TaskStore.layerMemory]))
// #endregion server

main(
  Effect.gen(function*() {
    // #region call
    const client = yield* MemoryTransport.make()
    const result = yield* client.request("tools/call", {
      name: "summarize_document_batch",
      arguments: { documentIds: ["q2", "q3", "q4"], instruction: "Sales" },
      _meta: { progressToken: "batch" }
    })
    const { data, degraded } = Object(result.structuredContent)
    assert.deepEqual(data.summaries.map(({ id }: { readonly id: string }) => id), ["q2", "q3"])
    assert.equal(data.overall, "Sales [q2] [q3].")
    assert.deepEqual([data.failures[0].id, data.failures[0].reason], ["q4", "not_found"])
    assert.equal(degraded.reason, "1 of 3 documents could not be summarised")
    // #endregion call

    const told = yield* client.notifications.pipe(
      Stream.filter(({ method }) => method === "notifications/progress"),
      Stream.map(({ params }) => Object(params)),
      Stream.tap(({ message, progress, total }) => Effect.sync(() => console.log(`${progress}/${total} ${message}`))),
      Stream.takeUntil(({ progress, total }) => progress === total),
      Stream.runCount
    )
    assert.equal(told, 5)
    console.log("two documents were summarised, and the third was reported as missing")
  }).pipe(Effect.scoped, Effect.provide(Server))
)
