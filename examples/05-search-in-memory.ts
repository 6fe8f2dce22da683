/**
 * Documents in, passages out: an index in memory, asked in words, with a filter.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import assert from "node:assert/strict"
import { main } from "./program.js"

// #region layers
const InMemory = DocumentStore.layerMemory

export const OnPglite = PgDocumentStore.layer().pipe(Layer.provide(Pglite.layer({ dataDir: "data/documents" })))

export const OnPostgres = PgDocumentStore.layer().pipe(
  Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
)

const Search = Retriever.layer().pipe(
  Layer.provideMerge(InMemory), // or OnPglite, or OnPostgres
  Layer.provideMerge(Embedder.layerHash)
)
// #endregion layers

// #region documents
const documents = [
  {
    id: "q3-report",
    title: "Oskavolt, third quarter of 2026",
    text: "Oskavolt sold batteries for €412 million in the third quarter, 9% more than a year before.",
    publishedAt: "2026-10-28",
    metadata: { company: "Oskavolt", type: "filing" }
  },
  {
    id: "strike",
    title: "Strike at the port of Bergen",
    text: "Dockers in Bergen went on strike on Monday; container ships wait outside the harbour.",
    publishedAt: "2026-11-16",
    metadata: { company: "Tarnholm", type: "news" }
  }
]
// #endregion documents

main(
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const retriever = yield* Retriever.Retriever

    // #region index
    const first = yield* store.index("default", documents)
    assert.deepEqual(first.map((outcome) => outcome.status), ["indexed", "indexed"])

    const again = yield* store.index("default", documents)
    assert.deepEqual(again.map((outcome) => outcome.status), ["unchanged", "unchanged"])
    // #endregion index

    // #region retrieve
    const query = "How did Oskavolt's battery sales develop in the third quarter?"
    const { passages } = yield* retriever.retrieve({ tenant: "default", query, limit: 5 })
    const [best] = passages
    assert.equal(best?.passage.documentId, "q3-report")
    assert(best !== undefined && best.confidence > 0 && best.confidence <= 1)

    const news = yield* retriever.retrieve({
      tenant: "default",
      query: "container ships in Bergen",
      limit: 5,
      filter: { metadata: { type: ["news", "note"] }, since: "2026-11-01" }
    })
    assert.deepEqual(news.passages.map(({ passage }) => passage.documentId), ["strike"])

    const stranger = yield* retriever.retrieve({ tenant: "another", query, limit: 5 })
    assert.deepEqual(stranger.passages, [])
    // #endregion retrieve

    console.log(`${best.passage.title}: "${best.passage.text}"`)
  }).pipe(Effect.provide(Search))
)
