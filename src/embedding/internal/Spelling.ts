/**
 * The words of a text, and vectors of how they are spelt: what the embedded
 * embedders have in common.
 *
 * @since 0.1.0
 */
import * as StreamSafe from "../StreamSafe.js"

const stopWords = new Set(
  ("a about after all also an and any are as at be because been before being between both but by can could did do does " +
    "during each for from had has have having he her his how i if in into is it its may more most no nor not of on once " +
    "only or other our out over own s same she should so some such t than that the their them then there these they this " +
    "those through to too under until up very was we were what when where which while who whom why will with would you " +
    "your").split(" ")
)

const word = /[\p{L}\p{M}\p{N}]+/gu
const notAscii = /[^\0-\x7f]/
const latinMarks = /[\u0300-\u036f]/g
/** Scripts in which two characters say about what five letters do. */
const dense = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u

const normal = (text: string): string =>
  notAscii.test(text)
    ? StreamSafe.normalize(text, latinMarks)
    : text.toLowerCase()

/**
 * How often each word of a text occurs, in order of first appearance: lower
 * case, accents off, without English stop words.
 *
 * @since 0.1.0
 * @category combinators
 */
export const counts = (text: string): Map<string, number> => {
  const found = new Map<string, number>()
  for (const [each] of normal(text).matchAll(word)) {
    if (!stopWords.has(each)) found.set(each, (found.get(each) ?? 0) + 1)
  }
  return found
}

/**
 * A word of more than three letters without its last `s`; `class` keeps its two.
 *
 * @since 0.1.0
 * @category combinators
 */
export const single = (found: string): string =>
  found.length > 3 && found.endsWith("s") && !found.endsWith("ss") ? found.slice(0, -1) : found

/** FNV-1a over UTF-16 units, mixed as in MurmurHash3 so that every bit counts. */
const hash = (text: string, from: number, to: number, seed: number): number => {
  let value = 0x811c9dc5 ^ seed
  for (let at = from; at < to; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

const add = (sums: Float64Array, code: number, weight: number): void => {
  const at = code % sums.length
  sums[at] = (sums[at] ?? 0) + (code >>> 31 === 1 ? weight : -weight)
}

/**
 * Rounds what came of a logarithm to single precision, so that the last bit of a
 * platform's own does not show.
 *
 * @since 0.1.0
 * @category combinators
 */
export const rounded = (value: number): number => Math.fround(value)

/**
 * Words and their five-letter pieces, hashed into as many dimensions as `into`
 * has. `weigh` says how much a word counts; singular and plural are one word.
 *
 * @since 0.1.0
 * @category combinators
 */
export const hashed = (
  found: ReadonlyMap<string, number>,
  into: Float64Array,
  weigh?: (word: string) => number
): void => {
  const joined = new Map<string, number>()
  for (const [each, count] of found) {
    const key = single(each)
    joined.set(key, (joined.get(key) ?? 0) + count)
  }
  for (const [each, count] of joined) {
    const weight = rounded(1 + Math.log(count)) * (weigh === undefined ? 1 : weigh(each))
    add(into, hash(each, 0, each.length, 77), weight)
    const size = notAscii.test(each) && dense.test(each) ? 2 : 5
    const padded = `_${each}_`
    const pieces = Math.max(1, padded.length - size + 1)
    const share = weight / Math.sqrt(pieces)
    for (let at = 0; at < pieces; at++) {
      add(into, hash(padded, at, Math.min(at + size, padded.length), 5), share)
    }
  }
}

/**
 * Dampens large values, to the power 3/4 by square roots alone: they are exact
 * everywhere. Gives the length that is left.
 *
 * @since 0.1.0
 * @category combinators
 */
export const dampen = (sums: Float64Array): number => {
  let square = 0
  for (let at = 0; at < sums.length; at++) {
    const size = Math.abs(sums[at] ?? 0)
    const damped = Math.sqrt(size * Math.sqrt(size))
    square += damped * damped
    sums[at] = (sums[at] ?? 0) < 0 ? -damped : damped
  }
  return Math.sqrt(square)
}
