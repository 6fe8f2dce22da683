/**
 * Vectors from spelling alone: words and their five-letter pieces, hashed into
 * 384 dimensions. Needs no model, no network and no corpus.
 *
 * It sees that `trading` resembles `trader`; it does not know that `car`
 * resembles `automobile`. For meaning, use a model.
 *
 * @since 0.1.0
 */

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

const stopWords = new Set(
  ("a about after all also an and any are as at be because been before being between both but by can could did do does " +
    "during each for from had has have having he her his how i if in into is it its may more most no nor not of on once " +
    "only or other our out over own s same she should so some such t than that the their them then there these they this " +
    "those through to too under until up very was we were what when where which while who whom why will with would you " +
    "your").split(" ")
)

const word = /[\p{L}\p{M}\p{N}]+/gu
const notAscii = /[^\0-\x7f]/
/** Scripts in which two characters say about what five letters do. */
const dense = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u

const normal = (text: string): string =>
  notAscii.test(text)
    ? text.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f]/g, "").normalize("NFC")
    : text.toLowerCase()

/** FNV-1a over UTF-16 units, mixed as in MurmurHash3 so that every bit counts. */
const hash = (text: string, from: number, to: number, seed: number): number => {
  let value = 0x811c9dc5 ^ seed
  for (let at = from; at < to; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

const add = (sums: Float64Array, code: number, weight: number): void => {
  const at = code % dimensions
  sums[at] = (sums[at] ?? 0) + (code >>> 31 === 1 ? weight : -weight)
}

/**
 * The unit vector of a text; zero for a text without words. The same text gives
 * the same bits on every machine.
 *
 * @since 0.1.0
 * @category combinators
 */
export const vector = (text: string): Float32Array => {
  const counts = new Map<string, number>()
  for (const [found] of normal(text).matchAll(word)) {
    if (stopWords.has(found)) continue
    const single = found.length > 3 && found.endsWith("s") && !found.endsWith("ss") ? found.slice(0, -1) : found
    counts.set(single, (counts.get(single) ?? 0) + 1)
  }
  const sums = new Float64Array(dimensions)
  for (const [single, count] of counts) {
    // rounded, so that the last bit of a platform's logarithm does not show
    const weight = Math.fround(1 + Math.log(count))
    add(sums, hash(single, 0, single.length, 77), weight)
    const size = notAscii.test(single) && dense.test(single) ? 2 : 5
    const padded = `_${single}_`
    const pieces = Math.max(1, padded.length - size + 1)
    const share = weight / Math.sqrt(pieces)
    for (let at = 0; at < pieces; at++) {
      add(sums, hash(padded, at, Math.min(at + size, padded.length), 5), share)
    }
  }
  return unit(sums)
}

/** Dampens large values (to the power 3/4, by square roots alone: they are exact everywhere) and scales to length 1. */
const unit = (sums: Float64Array): Float32Array => {
  let square = 0
  for (let at = 0; at < dimensions; at++) {
    const size = Math.abs(sums[at] ?? 0)
    const damped = Math.sqrt(size * Math.sqrt(size))
    square += damped * damped
    sums[at] = (sums[at] ?? 0) < 0 ? -damped : damped
  }
  const length = square === 0 ? 1 : Math.sqrt(square)
  return Float32Array.from(sums, (value) => value / length)
}
