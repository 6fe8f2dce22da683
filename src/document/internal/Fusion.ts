/**
 * How a search scores and ranks, defined once so that every store gives the
 * same order.
 *
 * The candidates of a search are the `poolSize` best passages by BM25 and the
 * `poolSize` best by cosine, both within tenant and filter. Each candidate
 * carries the true value of both arms, also of the one that did not bring it.
 *
 * @since 0.1.0
 */

/**
 * What the arms saw in a candidate.
 *
 * @since 0.1.0
 * @category models
 */
export interface Signals {
  readonly bm25: number
  /** BM25 over the query's ceiling, 0 to 1. */
  readonly bm25Share: number
  readonly cosine: number
}

/**
 * How many passages each arm brings, equal scores by document id and position.
 *
 * @since 0.1.0
 * @category configuration
 */
export const poolSize = 200

/**
 * How fast a repeated word stops counting. This and `b` were chosen on SciFact's
 * train questions.
 *
 * @since 0.1.0
 * @category configuration
 */
export const k1 = 0.9

/**
 * How much a long passage counts less.
 *
 * @since 0.1.0
 * @category configuration
 */
export const b = 0.5

/**
 * The weight of a word: the natural logarithm of how rare it is among the
 * tenant's `passages`, `matching` of which contain it. At least 0; a word
 * nothing contains weighs most.
 *
 * @since 0.1.0
 * @category combinators
 */
export const idf = (passages: number, matching: number): number =>
  Math.log(1 + (passages - matching + 0.5) / (matching + 0.5))

/**
 * What one word adds to a passage's BM25. Lengths count the tokens of title and
 * text; `averageLength` is the tenant's mean over passages.
 *
 * @since 0.1.0
 * @category combinators
 */
export const termScore = (weight: number, frequency: number, length: number, averageLength: number): number =>
  (weight * frequency * (k1 + 1)) / (frequency + k1 * (1 - b + (b * length) / averageLength))

/**
 * The BM25 that no passage can exceed for words of these weights.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ceiling = (weights: Iterable<number>): number => {
  let sum = 0
  for (const weight of weights) sum += weight * (k1 + 1)
  return sum
}

/**
 * How much words count against an embedder's vectors, 0 to 1.
 *
 * @since 0.1.0
 * @category configuration
 */
export const lexicalWeight = (embedder: { readonly lexicalWeight?: number | undefined }): number =>
  Math.min(1, Math.max(0, embedder.lexicalWeight ?? 0.5))

/**
 * The number of hits a query asks for, made to fit 1 to 100.
 *
 * @since 0.1.0
 * @category combinators
 */
export const limitOf = (limit: number): number => limit >= 1 ? Math.min(Math.trunc(limit), 100) : 1

/**
 * A passage that an arm brought.
 *
 * @since 0.1.0
 * @category models
 */
export interface Candidate {
  readonly documentId: string
  readonly position: number
  /** 0 when no word of the query occurs. */
  readonly bm25: number
  /** -1 to 1; 0 without vectors. */
  readonly cosine: number
}

/**
 * A candidate with its place in the ranking.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fused<C> {
  readonly candidate: C
  /** 0 to 1. */
  readonly score: number
  readonly signals: Signals
}

/**
 * Compares by document id in code-unit order, then position: how every tie is
 * broken.
 *
 * @since 0.1.0
 * @category combinators
 */
export const byIdentity = (
  self: { readonly documentId: string; readonly position: number },
  that: { readonly documentId: string; readonly position: number }
): number =>
  self.documentId < that.documentId ? -1 : self.documentId > that.documentId ? 1 : self.position - that.position

const finite = (value: number): number => Number.isFinite(value) ? value : 0

/**
 * Joins both arms: each is brought to 0..1 over the candidates, then mixed by
 * `lexicalWeight`. An arm that saw nothing at all leaves the other alone. A
 * candidate that neither arm sees (no word, cosine 0 or less) is no hit. Best
 * first, ties by document id and position, at most `limit`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const fuse = <C extends Candidate>(candidates: ReadonlyArray<C>, options: {
  readonly lexicalWeight: number
  /** `ceiling` of the query's words. */
  readonly ceiling: number
  readonly limit: number
}): ReadonlyArray<Fused<C>> => {
  let top = 0
  let high = -1
  let low = 1
  for (const { bm25, cosine } of candidates) {
    if (bm25 > top) top = bm25
    if (cosine > high) high = cosine
    if (cosine < low) low = cosine
  }
  low = Math.max(0, low)
  const spread = high - low
  const weight = top === 0 ? 0 : high <= 0 ? 1 : options.lexicalWeight
  const dense = (cosine: number): number => spread > 0 ? Math.max(0, (cosine - low) / spread) : cosine > 0 ? 1 : 0
  return candidates
    .filter(({ bm25, cosine }) => bm25 > 0 || cosine > 0)
    .map((candidate) => ({
      candidate,
      score: weight * (top > 0 ? candidate.bm25 / top : 0) + (1 - weight) * dense(finite(candidate.cosine)),
      signals: {
        bm25: candidate.bm25,
        bm25Share: options.ceiling > 0 ? Math.min(1, candidate.bm25 / options.ceiling) : 0,
        cosine: finite(candidate.cosine)
      }
    }))
    .sort((a, b) => b.score - a.score || byIdentity(a.candidate, b.candidate))
    .slice(0, limitOf(options.limit))
}
