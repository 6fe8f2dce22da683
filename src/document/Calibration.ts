/**
 * Makes a probability of what a search saw in a passage: a logistic model,
 * fitted on judged questions of one corpus with one embedder, and only claimed
 * for those.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Hit, Signals } from "./DocumentStore.js"
import * as Logistic from "./internal/Logistic.js"

/**
 * What a model looks at, computed for each hit of a ranking, best first:
 * BM25 over the most this query could reach; the natural logarithm of the rank,
 * counted from 1; the cosine; by how much the BM25 share exceeds the next
 * passage's, from 0 to 0.1, and 0 when there is none; by how much it is behind
 * the greatest of the ranking, from 0 to 0.4. The fused score would not do: it
 * makes the best of a bad lot look good.
 *
 * @since 0.1.0
 * @category configuration
 */
export const features: ReadonlyArray<string> = ["bm25Share", "logRank", "cosine", "gap", "behind"]

const areOurs = (names: ReadonlyArray<string>): boolean =>
  names.length === features.length && names.every((name, n) => name === features[n])

/** Features are small numbers: a greater weight than this is no fit, and sums of such are no numbers. */
const Weight = Schema.JsonNumber.pipe(Schema.between(-1e6, 1e6))

/**
 * A fitted model as a file holds it. Platt scaling over several features, see
 * Platt, "Probabilistic outputs for support vector machines" (1999).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Model = Schema.Struct({
  format: Schema.Literal(1),
  /** Names this fit, for example `scifact/causeway-sif-384-v1/2026-11-22`. */
  id: Schema.NonEmptyString,
  /** The embedder whose vectors it was fitted with; absent for a search by words alone. */
  embedder: Schema.optionalWith(Schema.NonEmptyString, { exact: true }),
  /** The name of the documents it was fitted on; a retriever says by the same name what it searches. */
  corpus: Schema.NonEmptyString,
  /** The same in words, for whoever reads a result. */
  fittedOn: Schema.NonEmptyString,
  /** How many judged questions it was fitted on. */
  questions: Schema.Int.pipe(Schema.positive()),
  /** Expected calibration error on questions it was not fitted on, ten bins. */
  ece: Schema.Number.pipe(Schema.between(0, 1)),
  /** Area under the curve on the same. */
  auc: Schema.Number.pipe(Schema.between(0, 1)),
  /** The names of `features`, in the order of `weights`. */
  features: Schema.Array(Schema.String),
  intercept: Weight,
  weights: Schema.Array(Weight)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Model extends Schema.Schema.Type<typeof Model> {}

/** A larger lead than this over the next passage says no more: a small corpus gives large leads for nothing. */
const mostGap = 0.1

const mostBehind = 0.4

const finite = (value: number): number => Number.isFinite(value) ? value : 0

/**
 * The features of each hit of a ranking, best first. A signal that is no number counts as 0.
 *
 * @since 0.1.0
 * @category combinators
 */
export const featuresOf = (
  ranking: ReadonlyArray<{ readonly signals: Signals }>
): ReadonlyArray<ReadonlyArray<number>> => {
  const shares = ranking.map(({ signals }) => finite(signals.bm25Share))
  const most = shares.reduce((a, b) => Math.max(a, b), 0)
  return ranking.map(({ signals }, n) => {
    const share = shares[n] ?? 0
    const gap = share - (shares[n + 1] ?? share)
    return [
      share,
      Math.log(n + 1),
      finite(signals.cosine),
      Math.min(mostGap, Math.max(0, gap)),
      Math.min(mostBehind, most - share)
    ]
  })
}

const File = Schema.parseJson(Model.pipe(
  Schema.filter((model) =>
    !areOurs(model.features)
      ? {
        path: ["features"],
        message: `fitted on other features than this program computes (${features.join(", ")}); calibrate again`
      }
      : model.weights.length !== features.length
      ? { path: ["weights"], message: `${model.weights.length} weights for ${features.length} features` }
      : undefined
  )
))

/**
 * Reads a file's text. Fails with the place and the reason when it is no model,
 * or one of other features than this program computes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromJson: (text: string) => Effect.Effect<Model, ParseResult.ParseError> = Schema.decode(File)

/**
 * A hit that somebody judged: its features, and whether it was relevant.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sample {
  readonly values: ReadonlyArray<number>
  readonly relevant: boolean
}

/**
 * A judged question: the ranking that a search gave for it, and which documents
 * answer it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Judged {
  readonly ranking: ReadonlyArray<Hit>
  readonly relevant: ReadonlySet<string>
}

/** How many hits of each question count. */
const depth = 10

/**
 * The judged hits of a question: its ten best.
 *
 * @since 0.1.0
 * @category combinators
 */
export const samplesOf = ({ ranking, relevant }: Judged): ReadonlyArray<Sample> =>
  featuresOf(ranking).slice(0, depth).map((values, n) => ({
    values,
    relevant: relevant.has(ranking[n]?.passage.documentId ?? "")
  }))

/** Fewer say nothing of the next question. */
const fewest = 20

const rounds = 5

const rounded = (value: number): number => Number(value.toPrecision(6))

/**
 * Fits a model by Newton's method with a small ridge on four of five questions
 * and measures it on the fifth, in five rounds; the weights are of all of them.
 * The ten best hits of each question count. `undefined` when there are fewer
 * than 20 questions, or when all hits are relevant or none is.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fit = (
  questions: ReadonlyArray<Judged>,
  about: {
    readonly id: string
    readonly corpus: string
    readonly fittedOn: string
    readonly embedder?: string | undefined
  }
): Model | undefined => {
  const judged = questions.map(samplesOf)
  const all = judged.flat()
  const positives = all.filter(({ relevant }) => relevant).length
  if (questions.length < fewest || positives === 0 || positives === all.length) return undefined
  const heldOut = Array.from({ length: rounds }, (_, round) => {
    const weights = Logistic.fit(judged.filter((_, n) => n % rounds !== round).flat())
    return judged.filter((_, n) => n % rounds === round).flat().map(({ relevant, values }) => ({
      probability: Logistic.probability(weights, values),
      relevant
    }))
  }).flat()
  const { auc, ece } = Logistic.measure(heldOut)
  const { intercept, weights } = Logistic.fit(all)
  return {
    format: 1,
    id: about.id,
    ...(about.embedder === undefined ? {} : { embedder: about.embedder }),
    corpus: about.corpus,
    fittedOn: about.fittedOn,
    questions: questions.length,
    ece: rounded(ece),
    auc: rounded(auc),
    features,
    intercept: rounded(intercept),
    weights: weights.map(rounded)
  }
}

/**
 * How far off a model's probabilities are: expected calibration error over ten
 * bins, area under the curve (0.5 when all are relevant or none is), mean squared
 * error. 0 for no samples.
 *
 * @since 0.1.0
 * @category combinators
 */
export const measure = (
  model: Pick<Model, "intercept" | "weights">,
  samples: ReadonlyArray<Sample>
): { readonly ece: number; readonly auc: number; readonly brier: number } =>
  Logistic.measure(
    samples.map(({ relevant, values }) => ({ probability: Logistic.probability(model, values), relevant }))
  )

/**
 * No confidence that was not fitted says less or more than this.
 *
 * @since 0.1.0
 * @category configuration
 */
export const uncalibratedBand = { least: 0.02, most: 0.6 } as const

/**
 * A guess, 0 to 1, pressed into `uncalibratedBand`; the order stays.
 *
 * @since 0.1.0
 * @category combinators
 */
export const guessed = (guess: number): number => {
  const { least, most } = uncalibratedBand
  return least + (most - least) * Math.min(1, Math.max(0, finite(guess)))
}

/**
 * The confidences of a ranking, best first, and whether they are calibrated:
 * when a model of this corpus and this embedder is among `models`. Otherwise a
 * guess, pressed into 0.02 to 0.6, that says `uncalibrated`: by a model fitted
 * elsewhere with this embedder, else by one for words alone.
 *
 * @since 0.1.0
 * @category combinators
 */
export const assess = (ranking: ReadonlyArray<{ readonly signals: Signals }>, options: {
  readonly models: ReadonlyArray<Model>
  readonly corpus: string | undefined
  /** Absent when the search went by words alone. */
  readonly embedder: string | undefined
}): {
  readonly confidences: ReadonlyArray<number>
  readonly calibration: "uncalibrated" | { readonly id: string; readonly fittedOn: string; readonly ece: number }
} => {
  const models = options.models.filter((model) => areOurs(model.features))
  const ofEmbedder = models.filter((model) => model.embedder === options.embedder)
  const fitted = options.corpus === undefined ? undefined : ofEmbedder.find(({ corpus }) => corpus === options.corpus)
  const model = fitted ?? ofEmbedder[0] ?? models.find(({ embedder }) => embedder === undefined)
  const likely = featuresOf(ranking).map((values) => model === undefined ? 0 : Logistic.probability(model, values))
  return fitted === undefined
    ? { confidences: likely.map(guessed), calibration: "uncalibrated" }
    : { confidences: likely, calibration: { id: fitted.id, fittedOn: fitted.fittedOn, ece: fitted.ece } }
}
