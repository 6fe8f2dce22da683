/**
 * Words by number, for a file that names each but once: what a passage says in
 * few bytes.
 *
 * A passage's words are 32 bits each: the word's number, and in the lowest four how
 * often it occurs, up to 15; one that occurs more often comes again.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export interface WordNumbers {
  /** By number. */
  readonly names: Array<string>
  /** The number of a word, the next one for a word that has none. */
  readonly of: (name: string) => number
}

/**
 * The words of a passage by number.
 *
 * @since 0.1.0
 * @category models
 */
export interface Numbered {
  readonly numbers: WordNumbers
  readonly words: Uint32Array
}

const countBits = 4

/**
 * The most often that one of a passage's words can be said to occur.
 *
 * @since 0.1.0
 * @category configuration
 */
export const mostCount = (1 << countBits) - 1

/**
 * @since 0.1.0
 * @category combinators
 */
export const pack = (number: number, count: number): number => ((number << countBits) | count) >>> 0

/**
 * @since 0.1.0
 * @category combinators
 */
export const numberOf = (word: number): number => word >>> countBits

/**
 * @since 0.1.0
 * @category combinators
 */
export const countOf = (word: number): number => word & mostCount

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): WordNumbers => {
  const known = new Map<string, number>()
  const names: Array<string> = []
  return {
    names,
    of: (name) => {
      const number = known.get(name)
      if (number !== undefined) return number
      known.set(name, names.length)
      return names.push(name) - 1
    }
  }
}
