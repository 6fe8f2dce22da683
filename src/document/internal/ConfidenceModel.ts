/**
 * The fitted confidence models. Written by `test/bench/fit-confidence.ts`; do
 * not edit by hand.
 *
 * @since 0.1.0
 */
import type { Model } from "./Confidence.js"

/**
 * For hybrid searches with the vectors of `causeway-hash-384-v1`.
 *
 * @since 0.1.0
 * @category configuration
 */
export const hybrid: Model = {
  id: "logistic-1/causeway-hash-384-v1",
  embedder: "causeway-hash-384-v1",
  fittedOn: "SciFact train questions (scientific claims and abstracts, English)",
  ece: 0.0141,
  intercept: -2.7425,
  weights: [4.3019, -1.1935, 1.3166, 17.612]
}

/**
 * For searches by words alone.
 *
 * @since 0.1.0
 * @category configuration
 */
export const lexical: Model = {
  id: "logistic-1/words",
  fittedOn: "SciFact train questions (scientific claims and abstracts, English)",
  ece: 0.0164,
  intercept: -2.567,
  weights: [4.6889, -1.204, 0, 18.7291]
}
