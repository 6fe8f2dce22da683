import { describe, it } from "@effect/vitest"
import * as V2 from "@modelcontextprotocol/client"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as ExtractiveLlm from "causeway-mcp/provider/ExtractiveLlm"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Answer from "causeway-mcp/toolbox/Answer"
import * as IndexDocument from "causeway-mcp/toolbox/IndexDocument"
import * as PreferenceProfile from "causeway-mcp/toolbox/PreferenceProfile"
import * as RecordEvent from "causeway-mcp/toolbox/RecordEvent"
import * as SemanticSearch from "causeway-mcp/toolbox/SemanticSearch"
import * as StructuredOutput from "causeway-mcp/toolbox/StructuredOutput"
import * as SummarizeBatch from "causeway-mcp/toolbox/SummarizeBatch"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as SdkTransport from "causeway-mcp/transport/SdkTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { callEverything } from "./everything.js"
import type { V1Carrier } from "./official-v1.js"
import { v1 } from "./official-v1.js"
import { modes, v2 } from "./official-v2.js"
import { connected } from "./official.js"

const Stores = Retriever.layer().pipe(
  Layer.provideMerge(DocumentStore.layerMemory),
  Layer.provideMerge(Embedder.layerHash),
  Layer.merge(SessionStore.layerMemory),
  Layer.merge(ExtractiveLlm.layer),
  Layer.merge(TaskStore.layerMemory)
)

const Server = McpServer.layerTools(
  Toolkit.make(
    Answer.make(),
    SemanticSearch.make(),
    PreferenceProfile.make(),
    StructuredOutput.make(),
    SummarizeBatch.make(),
    RecordEvent.make(),
    IndexDocument.make()
  ),
  { name: "in-memory", version: "1.0.0" }
).pipe(Layer.provide(Stores))

const serve = (carrier: V1Carrier) =>
  Layer.launch(SdkTransport.layer(carrier).pipe(Layer.provide(Server))).pipe(Effect.forkScoped)

describe("the reference tools over the SDK's in-memory transport", () => {
  it.scopedLive("serve SDK v1", () =>
    Effect.gen(function*() {
      const [ours, theirs] = InMemoryTransport.createLinkedPair()
      yield* serve(ours)
      yield* callEverything(yield* connected(() => v1(theirs)))
    }))

  for (const [name, mode] of modes) {
    it.scopedLive(`serve the v2 client in mode ${name}`, () =>
      Effect.gen(function*() {
        const [ours, theirs] = V2.InMemoryTransport.createLinkedPair()
        yield* serve(ours)
        yield* callEverything(yield* connected(() => v2(theirs, mode)))
      }))
  }
})
