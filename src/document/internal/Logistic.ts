/**
 * Logistic regression for a few features and some thousand samples, and how far
 * off its probabilities are.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export interface Weights {
  readonly intercept: number
  readonly weights: ReadonlyArray<number>
}

interface Sample {
  readonly values: ReadonlyArray<number>
  readonly relevant: boolean
}

/**
 * The probability that weights give, 0 to 1. A value that is missing counts as 0,
 * and weights that are no numbers, or sum up to none, give 0.
 *
 * @since 0.1.0
 * @category combinators
 */
export const probability = ({ intercept, weights }: Weights, values: ReadonlyArray<number>): number => {
  let sum = intercept
  for (const [n, weight] of weights.entries()) sum += weight * (values[n] ?? 0)
  return Number.isNaN(sum) ? 0 : 1 / (1 + Math.exp(-sum))
}

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

/** Of features brought to one scale, so that it weighs alike on all; a few questions then claim no certainty. */
const ridge = 1

/** Keeps the system solvable when no sample is relevant, and moves nothing otherwise. */
const interceptRidge = 1e-6

const maxSteps = 100

const smallestPart = 1e-6

interface Scale {
  readonly mean: number
  /** 0 for a feature that never changes. */
  readonly spread: number
}

const scales = (samples: ReadonlyArray<Sample>): ReadonlyArray<Scale> =>
  Array.from({ length: samples[0]?.values.length ?? 0 }, (_, n) => {
    const values = samples.map((sample) => sample.values[n] ?? 0)
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
    return { mean, spread: spread > 1e-12 ? spread : 0 }
  })

interface Row {
  readonly x: ReadonlyArray<number>
  readonly y: number
}

const penalty = (n: number): number => n === 0 ? interceptRidge : ridge

const dot = (x: ReadonlyArray<number>, beta: ReadonlyArray<number>): number =>
  x.reduce((sum, value, n) => sum + value * (beta[n] ?? 0), 0)

/** What is made as small as can be: the negative logarithm of the likelihood, and the ridge. */
const loss = (rows: ReadonlyArray<Row>, beta: ReadonlyArray<number>): number => {
  let sum = beta.reduce((all, weight, n) => all + 0.5 * penalty(n) * weight ** 2, 0)
  for (const { x, y } of rows) {
    const z = dot(x, beta)
    sum += Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - y * z
  }
  return sum
}

/** The step of Newton's method from `beta`. */
const newton = (rows: ReadonlyArray<Row>, beta: ReadonlyArray<number>): ReadonlyArray<number> => {
  const gradient = beta.map((weight, n) => -penalty(n) * weight)
  const hessian = beta.map((_, n) => beta.map((_, m): number => n === m ? penalty(n) : 0))
  for (const { x, y } of rows) {
    const p = 1 / (1 + Math.exp(-dot(x, beta)))
    for (const [n, value] of x.entries()) {
      gradient[n] = (gradient[n] ?? 0) + value * (y - p)
      const row = hessian[n]
      if (row !== undefined) {
        for (const [m, other] of x.entries()) row[m] = (row[m] ?? 0) + p * (1 - p) * value * other
      }
    }
  }
  return solve(hessian, gradient)
}

/**
 * The weights that fit samples best, by Newton's method with a ridge; a feature
 * that never changes weighs nothing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fit = (samples: ReadonlyArray<Sample>): Weights => {
  const scale = scales(samples)
  const rows = samples.map(({ relevant, values }): Row => ({
    x: [1, ...scale.map(({ mean, spread }, n) => spread === 0 ? 0 : ((values[n] ?? 0) - mean) / spread)],
    y: relevant ? 1 : 0
  }))
  let beta: ReadonlyArray<number> = Array.from({ length: scale.length + 1 }, () => 0)
  let least = loss(rows, beta)
  // a full step may lead too far where samples are told apart without error
  for (let step = 0, part = 1; step < maxSteps && part > smallestPart; step++) {
    const change = newton(rows, beta)
    const length = part
    const next = beta.map((weight, n) => weight + length * (change[n] ?? 0))
    const found = loss(rows, next)
    const gain = least - found
    if (!(gain >= 0)) {
      part /= 2
      continue
    }
    beta = next
    least = found
    part = 1
    if (gain < 1e-12 * Math.max(1, least)) break
  }
  const weights = scale.map(({ spread }, n) => spread === 0 ? 0 : (beta[n + 1] ?? 0) / spread)
  const shift = scale.reduce((sum, { mean }, n) => sum + mean * (weights[n] ?? 0), 0)
  return { intercept: (beta[0] ?? 0) - shift, weights }
}

interface Outcome {
  readonly probability: number
  readonly relevant: boolean
}

const bins = 10

/** The share of pairs of a relevant and another sample in which the relevant one is likelier; ties count half. */
const areaUnder = (outcomes: ReadonlyArray<Outcome>): number => {
  const sorted = [...outcomes].sort((a, b) => a.probability - b.probability)
  const positives = sorted.filter(({ relevant }) => relevant).length
  const negatives = sorted.length - positives
  if (positives === 0 || negatives === 0) return 0.5
  let ranks = 0
  for (let from = 0; from < sorted.length;) {
    let to = from
    let relevant = 0
    while (to < sorted.length && sorted[to]?.probability === sorted[from]?.probability) {
      if (sorted[to]?.relevant === true) relevant++
      to++
    }
    ranks += relevant * (from + 1 + to) / 2
    from = to
  }
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives)
}

/**
 * Expected calibration error over ten bins of equal width, area under the curve
 * (0.5 when all are relevant or none is) and mean squared error.
 *
 * @since 0.1.0
 * @category combinators
 */
export const measure = (
  outcomes: ReadonlyArray<Outcome>
): { readonly ece: number; readonly auc: number; readonly brier: number } => {
  const count = Math.max(1, outcomes.length)
  const off = new Float64Array(bins)
  let squares = 0
  for (const { probability, relevant } of outcomes) {
    const bin = Math.min(bins - 1, Math.floor(probability * bins))
    const error = probability - (relevant ? 1 : 0)
    off[bin] = (off[bin] ?? 0) + error
    squares += error ** 2
  }
  return {
    ece: off.reduce((sum, error) => sum + Math.abs(error), 0) / count,
    auc: areaUnder(outcomes),
    brier: squares / count
  }
}
