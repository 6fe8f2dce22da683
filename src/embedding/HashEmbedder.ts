/**
 * Vectors from spelling alone: words and their five-letter pieces, hashed into
 * 384 dimensions. Needs no model, no network and no corpus.
 *
 * It sees that `trading` resembles `trader`; it does not know that `car`
 * resembles `automobile`. `SifEmbedder` does, and so does a model.
 *
 * @since 0.1.0
 */
import * as Spelling from "./internal/Spelling.js"

/**
 * Names this embedding. Any change of a vector's value is a new id.
 *
 * @since 0.1.0
 * @category configuration
 */
export const id = "causeway-hash-384-v1"

/**
 * @since 0.1.0
 * @category configuration
 */
export const dimensions = 384

/**
 * The unit vector of a text; zero for a text without words. The same text gives
 * the same bits on every machine.
 *
 * @since 0.1.0
 * @category combinators
 */
export const vector = (text: string): Float32Array => {
  const sums = new Float64Array(dimensions)
  Spelling.hashed(Spelling.counts(text), sums)
  const length = Spelling.dampen(sums) || 1
  return Float32Array.from(sums, (value) => value / length)
}
