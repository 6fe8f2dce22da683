/**
 * Fits the package's own models of confidence on SciFact's train questions, and
 * measures them on its test questions.
 *
 *   npx tsx test/bench/fit-confidence.ts --data <dir> [--write]
 *
 * Prints expected calibration error, area under the curve and Brier score over
 * the ten best passages of each question, and the same on FinanceBench, which no
 * model was fitted on; `--write` replaces src/document/internal/ConfidenceModel.ts.
 *
 * @since 0.1.0
 */
import * as Calibration from "causeway-mcp/document/Calibration"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as SifEmbedder from "causeway-mcp/embedding/SifEmbedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Corpus from "./corpus.js"

const { values: flags } = parseArgs({
  options: { data: { type: "string", default: "../shared/data" }, write: { type: "boolean", default: false } }
})

const tenant = "bench"

/** As many as a retriever looks at: what is behind the tenth counts for the tenth. */
const limit = 100

type Split = readonly [collection: Corpus.Collection, split: "train" | "test"]

/** The rankings of judged questions, with vectors and by words alone. */
const judged = ([collection, split]: Split) =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const embedder = yield* Embedder.Embedder
    yield* store.index(tenant, collection.documents)
    const questions = collection.questions(split)
    const rankings = (withVector: boolean) =>
      Effect.forEach(questions, ({ relevant, text }) =>
        Effect.gen(function*() {
          const [vector] = withVector ? yield* embedder.embed([text]) : []
          const ranking = yield* store.search({ tenant, text, vector, limit })
          return { ranking, relevant }
        }))
    return { embedder: embedder.id, hybrid: yield* rankings(true), words: yield* rankings(false) }
  })

const show = (
  name: string,
  model: Calibration.Model,
  questions: ReadonlyArray<Calibration.Judged>
): void => {
  const samples = questions.flatMap(Calibration.samplesOf)
  const { auc, brier, ece } = Calibration.measure(model, samples)
  const relevant = samples.filter((sample) => sample.relevant).length / samples.length
  console.log(
    `  ${name}`.padEnd(32),
    `ECE ${ece.toFixed(4)}  AUC ${auc.toFixed(4)}  Brier ${brier.toFixed(4)}  relevant ${(100 * relevant).toFixed(1)} %`
  )
}

const scifact = Corpus.read(flags.data, "scifact")
const elsewhere = Corpus.read(flags.data, "financebench")

const fitted = (
  embedder: Layer.Layer<Embedder.Embedder, Embedder.EmbedderError>,
  arms: ReadonlyArray<"hybrid" | "words">
) =>
  Effect.gen(function*() {
    const fresh = Layer.fresh(Layer.provideMerge(DocumentStore.layerMemory, embedder))
    const on = (split: Split) => Effect.provide(judged(split), fresh)
    const train = yield* on([scifact, "train"])
    const test = yield* on([scifact, "test"])
    const foreign = yield* on([elsewhere, "test"])
    return arms.flatMap((arm) => {
      const model = Calibration.fit(train[arm], {
        id: `scifact/${arm === "hybrid" ? train.embedder : "words"}`,
        corpus: "scifact",
        fittedOn: "SciFact train questions (scientific claims and abstracts, English)",
        embedder: arm === "hybrid" ? train.embedder : undefined
      })
      if (model === undefined) throw new Error("there is nothing to fit on")
      console.log(`${model.id}: held out in ${model.questions} train questions, ECE ${model.ece}, AUC ${model.auc}`)
      show("SciFact train (fitted)", model, train[arm])
      show("SciFact test (held out)", model, test[arm])
      show("FinanceBench (other corpus)", model, foreign[arm])
      return [model]
    })
  })

const models = [
  ...await Effect.runPromise(fitted(SifEmbedder.layer(), ["hybrid", "words"])),
  ...await Effect.runPromise(fitted(Embedder.layerHash, ["hybrid"]))
]

const literal = (model: Calibration.Model): string =>
  Object.entries(model).map(([key, value]) =>
    `    ${key}: ${
      Array.isArray(value) ? `[${value.map((each) => JSON.stringify(each)).join(", ")}]` : JSON.stringify(value)
    }`
  ).join(",\n")

if (flags.write) {
  writeFileSync(
    new URL("../../src/document/internal/ConfidenceModel.ts", import.meta.url),
    `/**
 * The fitted confidence models. Written by \`test/bench/fit-confidence.ts\`; do
 * not edit by hand.
 *
 * @since 0.1.0
 */
import type * as Calibration from "../Calibration.js"

/**
 * For hybrid searches with the package's own embedders, and for searches by words alone.
 *
 * @since 0.1.0
 * @category configuration
 */
export const models: ReadonlyArray<Calibration.Model> = [
${models.map((model) => `  {\n${literal(model)}\n  }`).join(",\n")}
]
`
  )
}
