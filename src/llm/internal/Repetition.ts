/**
 * Tells whether a text says the same thing again and again, as a model does that
 * has lost its way.
 *
 * @since 0.1.0
 */
import * as AnswerText from "./AnswerText.js"

/** So many words in a row, so often the same. */
const gram = 20
const times = 8
/** Of writing without spaces each sign counts as a word, and says less than one. */
const signGram = 40
/** Fewer words than that among them are figures in a table. */
const minWords = 5

/** A period at the end, in UTF-16 units, and how often it must come. */
const maxPeriod = 49
const periods = 5
/** What is shorter may be laughter or emphasis; without a letter it may be a line drawn across. */
const minSpan = 60
const minSpanOfSigns = 400

/**
 * Whether the same twenty words in a row come at least eight times, or the text
 * ends in the same few signs at least five times over.
 *
 * @since 0.1.0
 * @category guards
 */
export const isLoop = (text: string): boolean => endsInPeriod(text) || repeatsWords(AnswerText.part(text))

const endsInPeriod = (text: string): boolean => {
  let end = text.length
  while (end > 0 && " \n\r\t".includes(text.charAt(end - 1))) end--
  for (let period = 1; period <= maxPeriod && period * periods <= end; period++) {
    const most = Math.max(period * periods, minSpanOfSigns)
    let span = period
    while (span < most && span < end && text.charCodeAt(end - 1 - span) === text.charCodeAt(end - 1 - span + period)) {
      span++
    }
    if (span < period * periods || span < minSpan) continue
    const repeated = text.slice(end - period, end)
    // A row of a table may well be empty, or the same in all its cells.
    if (span >= minSpanOfSigns || (/\p{L}/u.test(repeated) && !repeated.includes("|"))) return true
  }
  return false
}

interface Words {
  /** A number for each word, equal for equal words. */
  readonly ids: Int32Array
  /** Whether it has a letter. */
  readonly isWord: Uint8Array
  readonly size: number
  /** How many are signs of a writing without spaces. */
  readonly signs: number
}

const isSign = (unit: number): boolean =>
  (unit >= 0x3040 && unit <= 0x30ff) || (unit >= 0x3400 && unit <= 0x9fff) || (unit >= 0xf900 && unit <= 0xfaff) ||
  (unit >= 0x0e00 && unit <= 0x0e7f)

const isDigit = (unit: number): boolean => unit >= 48 && unit <= 57

const isLetter = (unit: number): boolean =>
  (unit >= 97 && unit <= 122) || (unit >= 65 && unit <= 90) ||
  (unit >= 0xc0 && (unit < 0x2000 || unit > 0x206f) && (unit < 0x3000 || unit > 0x303f) &&
    (unit < 0xff00 || unit > 0xff0f))

const wordsOf = (text: string): Words => {
  const ids = new Int32Array(text.length)
  const isWord = new Uint8Array(text.length)
  let size = 0
  let signs = 0
  for (let at = 0; at < text.length;) {
    let unit = text.charCodeAt(at)
    if (isSign(unit)) {
      ids[size] = unit
      isWord[size++] = 1
      signs++
      at++
    } else if (isLetter(unit) || isDigit(unit)) {
      let id = 7
      let letters = 0
      for (; at < text.length && !isSign(unit) && (isLetter(unit) || isDigit(unit)); unit = text.charCodeAt(++at)) {
        id = Math.imul(id, 31) + unit | 0
        if (!isDigit(unit)) letters = 1
      }
      ids[size] = id
      isWord[size++] = letters
    } else at++
  }
  return { ids, isWord, size, signs }
}

const repeatsWords = (text: string): boolean => {
  const { ids, isWord, signs, size } = wordsOf(text)
  const length = signs * 2 > size ? signGram : gram
  // Overlapping repeats of one word are the shortest way to be found.
  if (size < length + times - 1) return false
  let top = 1
  for (let power = 0; power < length; power++) top = Math.imul(top, 1_000_003)
  const seen = new Map<number, { readonly first: number; count: number }>()
  let hash = 0
  let words = 0
  for (let at = 0; at < size; at++) {
    hash = Math.imul(hash, 1_000_003) + (ids[at] ?? 0) | 0
    words += isWord[at] ?? 0
    const first = at - length
    if (first >= 0) {
      hash = hash - Math.imul(ids[first] ?? 0, top) | 0
      words -= isWord[first] ?? 0
    }
    if (first < -1 || words < minWords) continue
    const found = seen.get(hash)
    if (found === undefined) seen.set(hash, { first: first + 1, count: 1 })
    else if (isSame(ids, found.first, first + 1, length) && ++found.count >= times) return true
  }
  return false
}

const isSame = (ids: Int32Array, one: number, other: number, length: number): boolean => {
  for (let at = 0; at < length; at++) if (ids[one + at] !== ids[other + at]) return false
  return true
}
