/**
 * Fits the confidence models on SciFact's train questions and measures them on
 * its test questions.
 *
 *   npx tsx test/bench/fit-confidence.ts --data <dir> [--write]
 *
 * Prints expected calibration error, Brier score and AUC over the ten best
 * passages of each question, and the same on FinanceBench, which no model was fitted
 * on; `--write` replaces src/document/internal/ConfidenceModel.ts.
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Confidence from "causeway-mcp/document/internal/Confidence"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Corpus from "./corpus.js"

const { values: flags } = parseArgs({
  options: { data: { type: "string", default: "../shared/data" }, write: { type: "boolean", default: false } }
})

const depth = 10

interface Sample {
  readonly values: ReadonlyArray<number>
  readonly relevant: boolean
}

const samples = (questions: ReadonlyArray<Corpus.Question>, withVector: boolean) =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const embedder = yield* Embedder.Embedder
    const all: Array<Sample> = []
    for (const { relevant, text } of questions) {
      const [vector] = withVector ? yield* embedder.embed([text]) : []
      const hits = yield* store.search({ tenant: "bench", text, vector, limit: 100 })
      const features = Confidence.featuresOf(hits)
      for (const [n, hit] of hits.slice(0, depth).entries()) {
        all.push({ values: features[n] ?? [], relevant: relevant.has(hit.passage.documentId) })
      }
    }
    return all
  })

/** Solves a small symmetric system by elimination. */
const solve = (matrix: ReadonlyArray<ReadonlyArray<number>>, right: ReadonlyArray<number>): ReadonlyArray<number> => {
  const rows = matrix.map((row, n) => [...row, right[n] ?? 0])
  for (const [n, pivot] of rows.entries()) {
    for (const [m, row] of rows.entries()) {
      const factor = m === n ? 0 : (row[n] ?? 0) / (pivot[n] ?? 1)
      for (let k = 0; k < row.length; k++) row[k] = (row[k] ?? 0) - factor * (pivot[k] ?? 0)
    }
  }
  return rows.map((row, n) => (row.at(-1) ?? 0) / (row[n] ?? 1))
}

const ridge = 1e-3

/** Logistic regression by Newton's method, with a ridge that keeps it solvable. */
const fit = (data: ReadonlyArray<Sample>): { readonly intercept: number; readonly weights: ReadonlyArray<number> } => {
  const width = Confidence.features.length + 1
  let beta: ReadonlyArray<number> = Array.from({ length: width }, () => 0)
  for (let step = 0; step < 50; step++) {
    const gradient = beta.map((weight) => -ridge * weight)
    const hessian = beta.map((_, n) => beta.map((_, m): number => n === m ? ridge : 0))
    for (const { relevant, values } of data) {
      const x = [1, ...values]
      const p = 1 / (1 + Math.exp(-x.reduce((sum, value, n) => sum + value * (beta[n] ?? 0), 0)))
      for (const [n, value] of x.entries()) {
        gradient[n] = (gradient[n] ?? 0) + value * ((relevant ? 1 : 0) - p)
        const row = hessian[n]
        if (row !== undefined) {
          for (const [m, other] of x.entries()) row[m] = (row[m] ?? 0) + p * (1 - p) * value * other
        }
      }
    }
    const change = solve(hessian, gradient)
    beta = beta.map((weight, n) => weight + (change[n] ?? 0))
    if (Math.max(...change.map(Math.abs)) < 1e-9) break
  }
  return { intercept: beta[0] ?? 0, weights: beta.slice(1) }
}

const measure = (data: ReadonlyArray<Sample>, probability: (values: ReadonlyArray<number>) => number) => {
  const scored = data.map(({ relevant, values }) => ({ p: probability(values), y: relevant ? 1 : 0 }))
  const bins = Array.from({ length: 10 }, (_, n) => scored.filter(({ p }) => Math.min(9, Math.floor(p * 10)) === n))
  const ece = bins.reduce(
    (sum, bin) => sum + Math.abs(Corpus.mean(bin.map(({ p }) => p)) - Corpus.mean(bin.map(({ y }) => y))) * bin.length,
    0
  ) / scored.length
  const sorted = [...scored].sort((a, b) => a.p - b.p)
  const positives = scored.filter(({ y }) => y === 1).length
  const ranks = sorted.reduce((sum, { y }, n) => y === 1 ? sum + n + 1 : sum, 0)
  return {
    ece,
    brier: Corpus.mean(scored.map(({ p, y }) => (p - y) ** 2)),
    auc: (ranks - (positives * (positives + 1)) / 2) / (positives * (scored.length - positives)),
    base: positives / scored.length
  }
}

const show = (name: string, { auc, base, brier, ece }: ReturnType<typeof measure>): void =>
  console.log(
    name.padEnd(34),
    `ECE ${ece.toFixed(4)}  Brier ${brier.toFixed(4)}  AUC ${auc.toFixed(4)}  relevant ${(100 * base).toFixed(1)} %`
  )

const inStore = <A, E>(
  collection: Corpus.Collection,
  effect: Effect.Effect<A, E, DocumentStore.DocumentStore | Embedder.Embedder>
): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      yield* store.index("bench", collection.documents)
      return yield* effect
    }).pipe(Effect.provide(Layer.provideMerge(DocumentStore.layerMemory, Embedder.layerHash)))
  )

const embedderId = await Effect.runPromise(
  Effect.map(Embedder.Embedder, (embedder) => embedder.id).pipe(Effect.provide(Embedder.layerHash))
)
const scifact = Corpus.read(flags.data, "scifact")
const elsewhere = Corpus.read(flags.data, "financebench")
const fittedOn = "SciFact train questions (scientific claims and abstracts, English)"
const models: Array<string> = []
for (const kind of ["hybrid", "lexical"] as const) {
  const withVector = kind === "hybrid"
  const [train, test] = await inStore(
    scifact,
    Effect.all([samples(scifact.questions("train"), withVector), samples(scifact.questions("test"), withVector)])
  )
  const foreign = await inStore(elsewhere, samples(elsewhere.questions("test"), withVector))
  const fitted = fit(train)
  const round = (value: number): number => Number(value.toFixed(4))
  const model = { intercept: round(fitted.intercept), weights: fitted.weights.map(round) }
  const probability = (values: ReadonlyArray<number>): number => Confidence.probability(model, values)
  console.log(kind, Confidence.features.join(", "), JSON.stringify(model))
  show("  SciFact train (fitted)", measure(train, probability))
  const held = measure(test, probability)
  show("  SciFact test (held out)", held)
  show("  FinanceBench (other corpus)", measure(foreign, probability))
  const id = withVector ? `logistic-1/${embedderId}` : "logistic-1/words"
  models.push(`/**
 * ${withVector ? `For hybrid searches with the vectors of \`${embedderId}\`` : "For searches by words alone"}.
 *
 * @since 0.1.0
 * @category configuration
 */
export const ${kind}: Model = {
  id: "${id}",
${withVector ? `  embedder: "${embedderId}",\n` : ""}  fittedOn: "${fittedOn}",
  ece: ${held.ece.toFixed(4)},
  intercept: ${model.intercept},
  weights: [${model.weights.join(", ")}]
}
`)
}
if (flags.write) {
  writeFileSync(
    new URL("../../src/document/internal/ConfidenceModel.ts", import.meta.url),
    `/**
 * The fitted confidence models. Written by \`test/bench/fit-confidence.ts\`; do
 * not edit by hand.
 *
 * @since 0.1.0
 */
import type { Model } from "./Confidence.js"

${models.join("\n")}`
  )
}
