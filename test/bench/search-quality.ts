/**
 * Measures how well a document store finds, through its contract alone.
 *
 *   npx tsx test/bench/search-quality.ts --data <dir> [--store memory|pglite] [--set scifact|financebench]
 *
 * Prints nDCG@10 and recall@10 per arm, on test questions only, with the best
 * passage counting for its document. Settings (passage length, stemming, fusion
 * weight, the hash embedder) were chosen on SciFact's train questions;
 * FinanceBench has no train split and was not used for choosing.
 * `--split train` prints SciFact's train figures, for choosing again.
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { parseArgs } from "node:util"
import * as Corpus from "./corpus.js"

const { values: flags } = parseArgs({
  options: {
    data: { type: "string", default: "../shared/data" },
    store: { type: "string", default: "memory" },
    set: { type: "string" },
    split: { type: "string", default: "test" }
  }
})

const tenant = "bench"

const storeLayer = async (): Promise<Layer.Layer<DocumentStore.DocumentStore, unknown, Embedder.Embedder>> => {
  if (flags.store === "memory") return DocumentStore.layerMemory
  if (flags.store !== "pglite") throw new Error(`--store is memory or pglite, not ${flags.store}`)
  const Pglite = await import("causeway-mcp/document/Pglite")
  const PgDocumentStore = await import("causeway-mcp/document/PgDocumentStore")
  return Layer.provide(PgDocumentStore.layer, Pglite.layer({}))
}

const measure = (collection: Corpus.Collection, split: "train" | "test") =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const embedder = yield* Embedder.Embedder
    const started = performance.now()
    for (let at = 0; at < collection.documents.length; at += 256) {
      const outcomes = yield* store.index(tenant, collection.documents.slice(at, at + 256))
      for (const outcome of outcomes) {
        if (outcome.status === "refused") console.log("refused", outcome.id, outcome.reason)
      }
    }
    const size = yield* store.size(tenant)
    const seconds = (performance.now() - started) / 1000
    const questions = collection.questions(split)
    console.log(
      `\n${collection.name} (${split}, ${questions.length} questions) on ${flags.store} with ${embedder.id}: ` +
        `${size.documents} documents, ${size.passages} passages indexed in ${seconds.toFixed(1)} s`
    )
    const found = yield* Effect.forEach(questions, (question) =>
      Effect.gen(function*() {
        const [vector] = yield* embedder.embed([question.text])
        const search = Effect.fnUntraced(function*(text: string, withVector: boolean) {
          const from = performance.now()
          const hits = yield* store.search({ tenant, text, vector: withVector ? vector : undefined, limit: 100 })
          const milliseconds = performance.now() - from
          const ranking = Corpus.documentsOf(hits)
          return {
            ndcg: Corpus.ndcg10(ranking, question.relevant),
            recall: Corpus.recall10(ranking, question.relevant),
            milliseconds
          }
        })
        return {
          lexical: yield* search(question.text, false),
          dense: yield* search("", true),
          fused: yield* search(question.text, true)
        }
      }))
    for (const arm of ["lexical", "dense", "fused"] as const) {
      const of = found.map((each) => each[arm])
      const times = of.map(({ milliseconds }) => milliseconds)
      console.log(
        arm.padEnd(8),
        `nDCG@10 ${Corpus.mean(of.map(({ ndcg }) => ndcg)).toFixed(4)}`,
        ` recall@10 ${Corpus.mean(of.map(({ recall }) => recall)).toFixed(4)}`,
        ` search p50 ${Corpus.quantile(times, 0.5).toFixed(2)} ms, p99 ${Corpus.quantile(times, 0.99).toFixed(2)} ms`
      )
    }
  })

const names = flags.set === undefined ? ["scifact", "financebench"] : [flags.set]
for (const name of names) {
  if (!Corpus.isName(name)) throw new Error(`--set is scifact or financebench, not ${name}`)
  const split = flags.split === "train" ? "train" : "test"
  if (split === "train" && name !== "scifact") continue
  const stores = Layer.provideMerge(await storeLayer(), Embedder.layerHash)
  await Effect.runPromise(Effect.provide(measure(Corpus.read(flags.data, name), split), stores))
}
