/**
 * Cuts text into the words a search compares: one rule for what is stored and
 * for what is asked.
 *
 * @since 0.1.0
 */
import * as StreamSafe from "../embedding/StreamSafe.js"

/**
 * Names the rule by which words are cut: words that were stored by another one
 * are not to be used.
 *
 * @since 0.1.0
 * @category configuration
 */
export const id = "causeway-words-1"

/**
 * The longest token, in UTF-16 units. A longer word is cut to this, so words
 * that differ only behind it count as equal.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxTokenLength = 64

/**
 * The most different words of a query that are looked up; the rest is ignored.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxQueryTerms = 512

const stopWords = new Set(
  ("a about above after again against all also am an and any are as at be because been before being below between both " +
    "but by can could d did do does doing down during each few for from further had has have having he her here hers " +
    "him his how i if in into is it its itself just ll m me might more most must my no nor not now of off on once " +
    "only or other our ours out over own re s same shall she should so some such t than that the their theirs them then " +
    "there these they this those through to too under until up upon us ve very was we were what when where which while " +
    "who whom why will with would you your yours").split(" ")
)

/** A word, a number with its separators and percent sign, or `$` and a ticker. */
const words =
  /\$?[\p{L}\p{M}\p{N}]+(?:(?:(?<=\p{N})(?:\.(?=\p{N})|,(?=\p{N}{3}(?!\p{N})))|(?<=\p{N})-(?=\p{L}{1,2}(?![\p{L}\p{M}\p{N}]))|(?<=(?<![\p{L}\p{M}\p{N}])\p{L})-(?=\p{N}))[\p{L}\p{M}\p{N}]+)*%?/gu

const notAscii = /[^\0-\x7f]/
const latinMarks = /[\u0300-\u036f]/g
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u
const unspacedRuns =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{M}ー]+|[^\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}ー]+/gu

const cut = (token: string): string => {
  if (token.length <= maxTokenLength) return token
  const last = token.charCodeAt(maxTokenLength - 1)
  // half a surrogate pair is no character, and databases refuse it
  return token.slice(0, last >= 0xd800 && last < 0xdc00 ? maxTokenLength - 1 : maxTokenLength)
}

const lower = (text: string): string =>
  notAscii.test(text)
    ? StreamSafe.normalize(text, latinMarks)
    : text.toLowerCase()

const plural = (word: string): string => {
  if (!word.endsWith("s") || word.endsWith("ss") || word.endsWith("us") || word.endsWith("is")) return word
  if (word.endsWith("ies")) return word.length > 4 ? `${word.slice(0, -3)}y` : word.slice(0, -1)
  return /(?:ss|x|ch|sh)es$/.test(word) ? word.slice(0, -2) : word.slice(0, -1)
}

const vowel = /[aeiouy]/

const participle = (word: string): string => {
  const end = word.endsWith("ing") && word.length > 5 ? 3 : word.endsWith("ed") && word.length > 4 ? 2 : 0
  return end > 0 && vowel.test(word.slice(0, -end)) ? word.slice(0, -end) : word
}

/** Endings that make nouns, adjectives and adverbs, the longest that fits; five letters stay. */
const derived = /^(.{5,}?)(?:ional|ness|ment|ity|ive|ion|al|ly|ic)$/

/**
 * What an English word shares with its other forms, by its ending alone:
 * `trade`, `traded` and `trading` give `trad`, `policy` and `policies` give
 * `polici`, `investment` and `invest` give `invest`. A word of three letters or
 * fewer is itself.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stem = (word: string): string => {
  if (word.length < 4) return word
  const whole = participle(plural(word))
  const base = derived.exec(whole)?.[1] ?? whole
  if (base.length < 5) return base
  const last = base.charAt(base.length - 1)
  if (last === "y") return `${base.slice(0, -1)}i`
  const isDouble = last === base.charAt(base.length - 2) && !"lsz".includes(last)
  return last === "e" || isDouble ? base.slice(0, -1) : base
}

const digit = /\p{N}/u

/**
 * The words of a text in order: compatibility forms and letter case folded
 * (NFKC, accents off), English stop words and possessives dropped, the rest
 * brought to its `stem`. Numbers keep their decimals (`1,234.5` gives `1234.5`); `3.5%` gives
 * `3.5%` and `3.5`, `$AAPL` gives `$aapl` and `aapl`, `10-K` gives `10-k` and
 * `10k`. Scripts written without spaces give pairs of characters. Takes time
 * linear in the text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const tokens = (text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const match of lower(text).matchAll(words)) push(found, match[0])
  return found
}

const push = (found: Array<string>, word: string): void => {
  const isTicker = word.charCodeAt(0) === 36
  const bare = isTicker ? word.slice(1) : word
  if (notAscii.test(bare) && unspaced.test(bare)) return pairs(found, bare)
  if (word.length > maxTokenLength) {
    found.push(cut(bare))
    return
  }
  if (digit.test(word)) {
    const number = bare.replaceAll(",", "")
    if (number.endsWith("%")) found.push(number, number.slice(0, -1))
    else if (number.includes("-")) found.push(number, number.replaceAll("-", ""))
    else found.push(number)
    return
  }
  const plain = bare.endsWith("%") ? bare.slice(0, -1) : bare
  if (isTicker) found.push(word, plain)
  else if (!stopWords.has(plain)) found.push(stem(plain))
}

const pairs = (found: Array<string>, word: string): void => {
  for (const [run] of word.matchAll(unspacedRuns)) {
    if (!unspaced.test(run)) {
      found.push(cut(run))
      continue
    }
    let previous = ""
    let count = 0
    for (const character of run) {
      if (count > 0) found.push(previous + character)
      previous = character
      count++
    }
    if (count === 1) found.push(previous)
  }
}

/**
 * The different words of a query in order of first appearance, at most
 * `maxQueryTerms`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const terms = (query: string): ReadonlyArray<string> => {
  const distinct = new Set<string>()
  for (const token of tokens(query)) {
    distinct.add(token)
    if (distinct.size === maxQueryTerms) break
  }
  return [...distinct]
}
