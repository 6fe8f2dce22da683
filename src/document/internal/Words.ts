/**
 * Finds where in a text the words stand that `Tokenizer` makes of it.
 *
 * @since 0.1.0
 */
import type { Span } from "../Document.js"
import * as Tokenizer from "../Tokenizer.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Word extends Span {
  /** The wanted words that it is, at least one. */
  readonly terms: ReadonlyArray<string>
}

const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}ー]/u

/**
 * Whether a text holds a character of a script that is written without spaces.
 *
 * @since 0.1.0
 * @category guards
 */
export const isUnspaced = (text: string): boolean => unspaced.test(text)

/** Two vowels of Thai and Lao are letters by name, and stand behind their consonant all the same. */
const mark = /[\p{M}\u0e33\u0eb3]/u

/**
 * Whether the character at a position belongs to the one before it: an accent, a
 * vowel sign.
 *
 * @since 0.1.0
 * @category guards
 */
export const isMark = (text: string, at: number): boolean => mark.test(text.charAt(at))

/** Letters and digits without anything between them, with the signs that belong to them. */
const atoms = /\$?[\p{L}\p{M}\p{N}]+%?/gu

/** Signs that hold a number or a name together: 1,234.5 and 10-K. */
const joint = /^[.,-]$/

/** As `Tokenizer` takes them apart. */
const runs =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{M}ー]+|[^\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}ー]+/gu

const isSame = (self: ReadonlyArray<string>, that: ReadonlyArray<string>): boolean =>
  self.length === that.length && self.every((token, n) => token === that[n])

interface Atom extends Span {
  readonly text: string
  readonly tokens: ReadonlyArray<string>
}

/**
 * Makes a function that finds the wanted words of a text, rising and apart from
 * each other, in time linear in the text.
 *
 * @since 0.1.0
 * @category constructors
 */
export const finder = (wanted: ReadonlySet<string>): (text: string) => ReadonlyArray<Word> => {
  const known = new Map<string, ReadonlyArray<string>>()

  const tokensOf = (text: string): ReadonlyArray<string> => {
    // Most words come again; long ones do not, and would be kept for nothing.
    if (text.length > 24) return Tokenizer.tokens(text)
    let tokens = known.get(text)
    if (tokens === undefined) known.set(text, tokens = Tokenizer.tokens(text))
    return tokens
  }

  const among = (tokens: ReadonlyArray<string>): Array<string> => tokens.filter((token) => wanted.has(token))

  /** Pairs overlap; what overlaps is one word. */
  const pairs = (found: Array<Word>, { start, text }: Atom): void => {
    let last: { start: number; end: number; terms: Array<string> } | undefined
    const add = (first: number, end: number): void => {
      const terms = among(tokensOf(text.slice(first - start, end - start)))
      if (terms.length === 0) return
      // what a reader sees as one character is marked as a whole
      let from = first
      let to = end
      while (from > start && isMark(text, from - start)) from--
      while (isMark(text, to - start)) to++
      if (last !== undefined && from < last.end) {
        last.end = to
        last.terms.push(...terms)
      } else found.push(last = { start: from, end: to, terms })
    }
    for (const { 0: run, index } of text.matchAll(runs)) {
      const from = start + index
      let at = from
      let before: number | undefined
      if (unspaced.test(run)) {
        for (const character of run) {
          if (before !== undefined) add(before, at + character.length)
          before = at
          at += character.length
        }
      }
      if (before === undefined || before === from) add(from, from + run.length)
    }
  }

  return (text) => {
    const found: Array<Word> = []
    let open: Array<Atom> = []

    const close = (): void => {
      const [first] = open
      const last = open.at(-1)
      if (first === undefined || last === undefined) return
      if (first === last && unspaced.test(first.text)) pairs(found, first)
      else {
        const terms = among(first === last ? first.tokens : tokensOf(text.slice(first.start, last.end)))
        if (terms.length > 0) found.push({ start: first.start, end: last.end, terms })
      }
      open = []
    }

    for (const match of text.matchAll(atoms)) {
      const atom: Atom = {
        start: match.index,
        end: match.index + match[0].length,
        text: match[0],
        tokens: tokensOf(match[0])
      }
      const last = open.at(-1)
      const isJoined = last !== undefined && atom.start === last.end + 1 && joint.test(text.charAt(last.end)) &&
        !isSame(tokensOf(text.slice(last.start, atom.end)), [...last.tokens, ...atom.tokens])
      if (!isJoined) close()
      open.push(atom)
    }
    close()
    return found
  }
}
