/**
 * Finds passages that say the same in the same words, such as one notice from
 * two newswires.
 *
 * @since 0.1.0
 */

/**
 * What of a text is compared.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sketch {
  /** Equal for texts with the same numbers, each as often. */
  readonly numbers: number
  /** Hashes of the words without digits: sorted, each once; made when first asked for. */
  readonly words: () => Uint32Array
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57

/** Letters, digits and everything beyond ASCII. */
const isWord = (code: number): boolean => code > 127 || isDigit(code) || (code >= 97 && code <= 122)

const isMinus = (code: number): boolean => code === 45 || code === 0x2212

/** A minus belongs to the number behind it, unless it joins two words or numbers. */
const isSign = (text: string, at: number): boolean => {
  const next = text.charCodeAt(at + 1)
  return isMinus(text.charCodeAt(at)) && isDigit(next === 36 || next === 46 ? text.charCodeAt(at + 2) : next) &&
    !/[\p{L}\p{N}%)]/u.test(text.charAt(at - 1))
}

/** The first `count` values, sorted, each once. */
const distinct = (values: Uint32Array, count: number): Uint32Array => {
  const sorted = values.slice(0, count).sort()
  let kept = 0
  for (const [n, value] of sorted.entries()) if (n === 0 || value !== sorted[kept - 1]) sorted[kept++] = value
  return sorted.slice(0, kept)
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const sketch = (text: string): Sketch => {
  const words = new Uint32Array((text.length >> 1) + 1)
  let count = 0
  let numbers = 0
  let hash = 0x811c9dc5
  let length = 0
  let hasDigit = false
  for (let at = 0; at <= text.length; at++) {
    const raw = at < text.length ? text.charCodeAt(at) : 32
    const code = raw >= 65 && raw <= 90 ? raw + 32 : raw
    if (length === 0 && isMinus(raw) && isSign(text, at)) hash = Math.imul(hash ^ 45, 0x01000193)
    else if (isWord(code) || (code === 46 && hasDigit && isDigit(text.charCodeAt(at + 1)))) {
      hash = Math.imul(hash ^ code, 0x01000193)
      hasDigit ||= isDigit(code)
      length++
    } else if (length > 0) {
      // a sum does not mind the order; the product keeps 1 and 4 from being 2 and 3
      if (hasDigit) numbers = (numbers + Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)) >>> 0
      else words[count++] = hash
      hash = 0x811c9dc5
      length = 0
      hasDigit = false
    }
  }
  let made: Uint32Array | undefined
  return { numbers, words: () => made ??= distinct(words, count) }
}

/** How many both hold; fewer when it is clear that they are fewer than `needed`. */
const shared = (self: Uint32Array, that: Uint32Array, needed: number): number => {
  let count = 0
  for (let a = 0, b = 0; a < self.length && b < that.length;) {
    if (count + Math.min(self.length - a, that.length - b) < needed) break
    const left = self[a] ?? 0
    const right = that[b] ?? 0
    if (left === right) count++
    if (left <= right) a++
    if (right <= left) b++
  }
  return count
}

/** Shared words over all words of both, from which on two texts count as one. */
const alike = 0.9

/**
 * Whether two texts say the same: nine words in ten are shared, and every
 * number is. Last quarter's report in this quarter's words is another text.
 *
 * @since 0.1.0
 * @category guards
 */
export const isSame = (self: Sketch, that: Sketch): boolean => {
  if (self.numbers !== that.numbers) return false
  const mine = self.words()
  const theirs = that.words()
  const most = Math.max(mine.length, theirs.length)
  const least = Math.min(mine.length, theirs.length)
  if (least < alike * most) return false
  // Most texts differ soon. One less, whatever the rounding.
  const both = shared(mine, theirs, alike * (most + least) / (1 + alike) - 1)
  return both >= alike * (most + least - both)
}
