/**
 * How likely a found passage is to be relevant: a logistic model over what the
 * search saw.
 *
 * @since 0.1.0
 */

/**
 * Weights fitted on judged queries, stored as data.
 *
 * @since 0.1.0
 * @category models
 */
export interface Model {
  readonly id: string
  /** The embedder whose vectors it was fitted with; absent for a search by words alone. */
  readonly embedder?: string
  readonly fittedOn: string
  /** Expected calibration error on queries it was not fitted on. */
  readonly ece: number
  readonly intercept: number
  /** One for each of `features`, in that order. */
  readonly weights: ReadonlyArray<number>
}

/** A larger lead than this over the next passage says no more: a small corpus gives large leads for nothing. */
const mostGap = 0.1

/**
 * What a model looks at. `gap` is by how much the BM25 share exceeds the next
 * passage's, from 0 to 0.1, and 0 when there is none. The fused score would not do: it
 * makes the best of a bad lot look good.
 *
 * @since 0.1.0
 * @category configuration
 */
export const features = ["bm25Share", "logRank", "cosine", "gap"] as const

interface Ranked {
  readonly signals: { readonly bm25Share: number; readonly cosine: number }
}

/**
 * The features of each hit of a ranking, best first.
 *
 * @since 0.1.0
 * @category combinators
 */
export const featuresOf = (ranking: ReadonlyArray<Ranked>): ReadonlyArray<ReadonlyArray<number>> =>
  ranking.map(({ signals }, n) => [
    signals.bm25Share,
    Math.log(n + 1),
    signals.cosine,
    Math.min(mostGap, Math.max(0, signals.bm25Share - (ranking[n + 1] ?? { signals }).signals.bm25Share))
  ])

/**
 * The probability a model gives, 0 to 1.
 *
 * @since 0.1.0
 * @category combinators
 */
export const probability = (model: Pick<Model, "intercept" | "weights">, values: ReadonlyArray<number>): number => {
  const sum = model.weights.reduce((sum, weight, n) => sum + weight * (values[n] ?? 0), model.intercept)
  return 1 / (1 + Math.exp(-sum))
}

/** No confidence that was not fitted for its embedder says more than this. */
const uncalibratedMost = 0.6

/**
 * The confidences of a ranking, and whether they are calibrated. A model
 * fitted with other vectors does not apply: then the model for words alone
 * gives a guess, pressed into 0 to 0.6.
 *
 * @since 0.1.0
 * @category combinators
 */
export const assess = (ranking: ReadonlyArray<Ranked>, options: {
  readonly models: { readonly hybrid: Model; readonly lexical: Model }
  /** Absent when the search went by words alone. */
  readonly embedder: string | undefined
}): {
  readonly confidences: ReadonlyArray<number>
  readonly calibration: "uncalibrated" | { readonly id: string; readonly fittedOn: string; readonly ece: number }
} => {
  const { hybrid, lexical } = options.models
  const isFitted = options.embedder === undefined || options.embedder === hybrid.embedder
  const model = options.embedder === hybrid.embedder ? hybrid : lexical
  const most = isFitted ? 1 : uncalibratedMost
  return {
    confidences: featuresOf(ranking).map((values) => most * probability(model, values)),
    calibration: isFitted ? { id: model.id, fittedOn: model.fittedOn, ece: model.ece } : "uncalibrated"
  }
}
