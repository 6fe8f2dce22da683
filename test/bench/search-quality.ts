/**
 * Measures how well a document store finds, through its contract alone.
 *
 *   npm run bench:search -- --data <dir> [--store memory|pglite|postgres|all] [--embedder sif|hash]
 *     [--table file] [--set scifact|financebench] [--split test|train] [--lexical-weight n]
 *
 * Prints nDCG@10 and recall@10 per arm and fused, with the best passage counting
 * for its document. `postgres` is the database of `DATABASE_URL`, where a tenant
 * is made and removed again, or else a temporary server of each version found on
 * this machine (see test/integration/postgres.ts). `all` runs every store and
 * fails when one differs from the store in memory by more than 0.005, fused or
 * by words; the vectors' arm alone is only shown, since without pgvector a store
 * compares the vectors of what words brought.
 *
 * Settings (passage length, stemming, k1, b, each embedder's weight) were chosen
 * on SciFact's train questions, which `--split train` prints; FinanceBench has
 * none and was not used for choosing.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as SifEmbedder from "causeway-mcp/embedding/SifEmbedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { randomUUID } from "node:crypto"
import { parseArgs } from "node:util"
import * as Postgres from "../integration/postgres.js"
import * as Corpus from "./corpus.js"

const { values: flags } = parseArgs({
  options: {
    data: { type: "string", default: "../shared/data" },
    store: { type: "string", default: "memory" },
    embedder: { type: "string", default: "sif" },
    table: { type: "string" },
    set: { type: "string" },
    split: { type: "string", default: "test" },
    "lexical-weight": { type: "string" }
  }
})

const most = 0.005

const arms = ["words", "vectors", "fused"] as const

type Arm = typeof arms[number]

type Figures = { readonly [arm in Arm]: { readonly ndcg: number; readonly recall: number } }

const tenant = `bench-${randomUUID()}`

interface Place {
  readonly name: string
  readonly layer: Layer.Layer<DocumentStore.DocumentStore, unknown, Embedder.Embedder>
  /** Whether what was indexed must be removed again. */
  readonly isLasting?: boolean
}

const memory: Place = { name: "memory", layer: DocumentStore.layerMemory }

const pglite: Place = { name: "pglite", layer: Layer.provide(PgDocumentStore.layer(), Pglite.layer({})) }

const servers = (): ReadonlyArray<Place> => {
  const url = process.env["DATABASE_URL"]
  if (url !== undefined && url !== "") {
    return [{
      name: "postgres",
      layer: Layer.provide(PgDocumentStore.layer(), PgClient.layer({ url: Redacted.make(url) })),
      isLasting: true
    }]
  }
  if (Postgres.missing !== undefined) throw new Error(`${Postgres.missing}, or set DATABASE_URL`)
  return Postgres.found.map(({ bin, name }) => ({
    name,
    layer: Layer.provide(
      PgDocumentStore.layer(),
      Layer.unwrapEffect(Effect.map(Postgres.Server, ({ empty }) => empty)).pipe(Layer.provide(Postgres.layer(bin)))
    )
  }))
}

const placesOf = (wanted: string): ReadonlyArray<Place> => {
  switch (wanted) {
    case "memory":
      return [memory]
    case "pglite":
      return [pglite]
    case "postgres":
      return servers()
    case "all":
      return [memory, pglite, ...servers()]
    default:
      throw new Error(`--store is memory, pglite, postgres or all, not ${wanted}`)
  }
}

const embedderOf = (wanted: string): Layer.Layer<Embedder.Embedder, Embedder.EmbedderError> => {
  if (wanted !== "sif" && wanted !== "hash") throw new Error(`--embedder is sif or hash, not ${wanted}`)
  const layer = wanted === "sif" ? SifEmbedder.layer({ table: flags.table }) : Embedder.layerHash
  const weight = flags["lexical-weight"]
  return weight === undefined ? layer : Layer.effect(
    Embedder.Embedder,
    Effect.map(Embedder.Embedder, (embedder) => ({ ...embedder, lexicalWeight: Number(weight) }))
  ).pipe(Layer.provide(layer))
}

const measure = ({ isLasting, name }: Place, collection: Corpus.Collection, split: "train" | "test") =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const embedder = yield* Embedder.Embedder
    if (isLasting === true) {
      yield* Effect.addFinalizer(() =>
        Effect.ignoreLogged(store.remove(tenant, collection.documents.map(({ id }) => id)))
      )
    }
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
      `\n${collection.name} (${split}, ${questions.length} questions) on ${name} with ${embedder.id}: ` +
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
          words: yield* search(question.text, false),
          vectors: yield* search("", true),
          fused: yield* search(question.text, true)
        }
      }))
    const figures = (arm: Arm) => {
      const of = found.map((each) => each[arm])
      const times = of.map(({ milliseconds }) => milliseconds)
      const ndcg = Corpus.mean(of.map((each) => each.ndcg))
      const recall = Corpus.mean(of.map((each) => each.recall))
      console.log(
        arm.padEnd(8),
        `nDCG@10 ${ndcg.toFixed(4)}`,
        ` recall@10 ${recall.toFixed(4)}`,
        ` search p50 ${Corpus.quantile(times, 0.5).toFixed(2)} ms, p99 ${Corpus.quantile(times, 0.99).toFixed(2)} ms`
      )
      return { ndcg, recall }
    }
    return { words: figures("words"), vectors: figures("vectors"), fused: figures("fused") }
  }).pipe(Effect.scoped)

/** The sentences that say which figures differ too much from the store in memory. */
const differences = (first: Figures, name: string, figures: Figures): ReadonlyArray<string> =>
  arms.flatMap((arm) =>
    (["ndcg", "recall"] as const).flatMap((figure) => {
      const difference = Math.abs(figures[arm][figure] - first[arm][figure])
      return arm === "vectors" || difference <= most
        ? []
        : [`${name} differs from memory by ${difference.toFixed(4)} in ${figure} (${arm})`]
    })
  )

const program = Effect.gen(function*() {
  const split = flags.split === "train" ? "train" : "test"
  const embedder = embedderOf(flags.embedder)
  const places = placesOf(flags.store)
  const wrong: Array<string> = []
  for (const name of flags.set === undefined ? ["scifact", "financebench"] : [flags.set]) {
    if (!Corpus.isName(name)) throw new Error(`--set is scifact or financebench, not ${name}`)
    if (split === "train" && name !== "scifact") continue
    const collection = Corpus.read(flags.data, name)
    let first: Figures | undefined
    for (const place of places) {
      const figures = yield* Effect.provide(
        measure(place, collection, split),
        Layer.fresh(Layer.provideMerge(place.layer, embedder))
      )
      if (first === undefined) first = figures
      else wrong.push(...differences(first, `${name} on ${place.name}`, figures))
    }
  }
  if (flags.store === "all") {
    for (const each of wrong) console.error(each)
    console.log(wrong.length === 0 ? `\nall ${places.length} stores agree within ${most}` : "\nthe stores do not agree")
    if (wrong.length > 0) process.exitCode = 1
  }
})

// As a main program, so that a server that was started is stopped on Ctrl-C too.
NodeRuntime.runMain(program)
