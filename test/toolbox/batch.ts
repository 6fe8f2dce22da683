/**
 * What the tests of `SummarizeBatch` have at hand: documents in a store, models
 * that answer by what they are shown, and the tool over both.
 */
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import type * as Chat from "causeway-mcp/llm/Chat"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as SummarizeBatch from "causeway-mcp/toolbox/SummarizeBatch"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { answer, caller, failure } from "./harness.js"

export const name = "summarize_document_batch"

export const acme: Document = {
  id: "acme-q3",
  title: "Acme, third quarter",
  text: "Acme Corp raised its outlook. Its gross margin was 41%. Its revenue was $4.2 billion.",
  uri: "https://example.com/acme",
  publishedAt: "2026-11-12T00:00:00.000Z",
  metadata: { company: "Acme Corp", type: "earnings-call" }
}
export const globex: Document = {
  id: "globex-q3",
  text: "Globex lowered its outlook. Its gross margin was 22%.",
  publishedAt: "2026-11-02T00:00:00.000Z",
  metadata: { company: "Globex", type: "earnings-call" }
}
export const notes: ReadonlyArray<Document> = Array.from({ length: 6 }, (_, n) => ({
  id: `note-${n}`,
  title: `Note ${n}`,
  text: `Note number ${n} says that bonds fell.`,
  metadata: { type: "note" }
}))

/** Sentences that can be told apart: `count` of them, each naming its number once. */
export const long = (count: number): string =>
  Array.from({ length: count }, (_, n) => `Fact${n} is that branch number ${n} sold more goods than before.`).join(" ")

/** A store that holds these documents for the caller's tenant. */
export const holding = (...documents: ReadonlyArray<Document>) =>
  Layer.effectDiscard(
    Effect.flatMap(DocumentStore.DocumentStore, (store) => store.index(caller.tenant, documents))
  ).pipe(
    Layer.provideMerge(DocumentStore.layerMemory),
    Layer.provide(Embedder.layerHash),
    Layer.orDie
  )

const told = (request: Chat.Request): string => request.messages[0]?.text ?? ""
export const shown = (request: Chat.Request): ReadonlyArray<string> => (request.context ?? []).map(({ id }) => id)

export const isWhole = (request: Chat.Request): boolean => told(request).includes("Summarise the document.")
export const isPart = (request: Chat.Request): boolean => told(request).includes("is one part")
export const isOfParts = (request: Chat.Request): boolean => told(request).includes("summaries of the parts")
export const isOverall = (request: Chat.Request): boolean => told(request).includes("different documents")
export const isOfGroups = (request: Chat.Request): boolean => told(request).includes("several documents each")

/** Says which passages it was shown. */
export const lists = (request: Chat.Request): TestLlm.Step =>
  TestLlm.text(`${isOverall(request) ? "Together" : "Sum"} of ${shown(request).map((id) => `[${id}]`).join(" ")}.`)

export const scripted = (
  otherwise: (request: Chat.Request) => TestLlm.Step = lists
): Layer.Layer<Llm.Llm | TestLlm.TestLlm> => TestLlm.layer({ otherwise })

interface Parts<E> {
  readonly documents?: Layer.Layer<DocumentStore.DocumentStore, E>
  readonly options?: SummarizeBatch.Options
}

/** The tool over documents and a model. */
export const withTool = <A, E1 = never, E2 = never>(
  parts: Parts<E1> & { readonly model: Layer.Layer<Llm.Llm | A, E2> }
) =>
  ToolRegistry.layer(Toolkit.make(SummarizeBatch.make(parts.options))).pipe(
    Layer.provide(TaskStore.layerMemory),
    Layer.provideMerge(parts.documents ?? holding(acme, globex)),
    Layer.provideMerge(parts.model)
  )

/** The tool over documents and a model that lists what it is shown. */
export const withScript = <E = never>(parts: Parts<E> = {}) => withTool({ ...parts, model: scripted() })

export const summarise = (args: object) => answer<SummarizeBatch.Data>(name, args)
export const refused = (args: object) => failure(name, args)
export const both = { documentIds: ["acme-q3", "globex-q3"] }

/** Waits until a model was asked so often. */
export const untilAsked = (count: number) =>
  Effect.flatMap(
    TestLlm.TestLlm,
    (script) =>
      Effect.repeat(Effect.zipRight(Effect.yieldNow(), script.requests), {
        until: (requests) => requests.length >= count
      })
  )
