/**
 * Scores passages by BM25 over the lists of an inverted index, reading no more
 * of them than the best passages need.
 *
 * Words are added from the rarest to the most common.
 * Once all words to come together cannot lift a passage that none of them was
 * found in so far among the best, only passages that still can get there are
 * followed. What is found is the same as without.
 *
 * @since 0.1.0
 */
import * as Arena from "./Arena.js"
import * as Best from "./Best.js"
import * as Fusion from "./Fusion.js"

/**
 * What is known of a word, beside one another so that it is read at once: where
 * its list is, how many cells that has and how many are taken; at least the highest
 * frequency, and at most the length of the shortest passage, in it.
 *
 * @since 0.1.0
 * @category configuration
 */
export const columns = { address: 0, cells: 1, count: 2, mostFrequent: 3, shortest: 4, stride: 8 } as const

/**
 * The lists of an inverted index. A word's cells are slot, and frequency and
 * ordinal in 16 bits each; a passage's are word, rising, and place in its list
 * with the frequency, as far as it goes, in the highest four bits.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lists {
  readonly arena: Arena.Arena
  passages: number
  /** Of all passages together. */
  tokens: number
  /** What is known of each word, in `columns`. */
  terms: Uint32Array<ArrayBuffer>
  slotAddress: Uint32Array<ArrayBuffer>
  slotCount: Uint32Array<ArrayBuffer>
  slotLength: Uint32Array<ArrayBuffer>
  /** At least the length of the longest passage there ever was. */
  longest: number
}

/** A frequency from here on stands in the word's list alone. */
const often = 15

/**
 * @since 0.1.0
 * @category combinators
 */
export const withFrequency = (place: number, frequency: number): number =>
  (place | (Math.min(often, frequency) << 28)) >>> 0

/**
 * @since 0.1.0
 * @category combinators
 */
export const placeOf = (cell: number): number => cell & 0xfffffff

/**
 * How often a word occurs in a passage, by the passage's cell of it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const frequencyAt = ({ arena, terms }: Lists, id: number, cell: number): number => {
  const frequency = cell >>> 28
  if (frequency < often) return frequency
  const list = terms[id * columns.stride + columns.address] ?? 0
  return (arena.numbers(list)[Arena.offsetOf(list) + 2 * placeOf(cell) + 1] ?? 0) >>> 16
}

/**
 * Words looked up in an index that does not change meanwhile.
 *
 * @since 0.1.0
 * @category models
 */
export interface Question {
  /** The BM25 that no passage can exceed. */
  readonly ceiling: number
  /**
   * Gives every passage that may be among the `wanted` best of those that pass,
   * with its BM25, and possibly others with theirs or less.
   */
  readonly best: (
    wanted: number,
    passes: ((slot: number) => boolean) | undefined,
    each: (slot: number, bm25: number) => void
  ) => void
  /** The BM25 of one passage: what `best` gives, to the bit. */
  readonly score: (slot: number) => number
}

interface Term {
  readonly id: number
  readonly weight: number
  /** What the word adds to a passage at most. */
  readonly bound: number
}

/** Sums in another order differ in their last bits. */
const margin = 1 + 1e-9

/** How many entries of a list are read in the time of one look into a passage's words. */
const lookup = 32

/** How many passages, those of the rarest words, are asked what the best have at least. */
const sample = 4_096

/**
 * Scores over the lists, given the words of each question as they are numbered.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (lists: Lists): (ids: ReadonlyArray<number | undefined>) => Question => {
  /** BM25 so far by slot; all 0 between questions. */
  let sums = new Float64Array(0)
  let touched = new Uint32Array(0)
  let norms = new Float64Array(0)

  const countOf = (id: number): number => lists.terms[id * columns.stride + columns.count] ?? 0

  /** What a passage's length adds to a frequency, by length. */
  const setNorms = (average: number): void => {
    if (norms.length <= lists.longest) norms = new Float64Array(2 * lists.longest + 1)
    for (let length = 0; length <= lists.longest; length++) {
      norms[length] = Fusion.k1 * (1 - Fusion.b + (Fusion.b * length) / average)
    }
  }

  /** How often a word occurs in a passage. */
  const frequencyOf = (slot: number, id: number): number => {
    const address = lists.slotAddress[slot] ?? 0
    const words = lists.arena.numbers(address)
    const offset = Arena.offsetOf(address)
    let low = 0
    let high = lists.slotCount[slot] ?? 0
    while (low < high) {
      const middle = (low + high) >> 1
      if ((words[offset + 2 * middle] ?? 0) < id) low = middle + 1
      else high = middle
    }
    if (low === lists.slotCount[slot] || words[offset + 2 * low] !== id) return 0
    return frequencyAt(lists, id, words[offset + 2 * low + 1] ?? 0)
  }

  /** Adds a word to all its passages; returns how many are touched then. */
  const addAll = ({ id, weight }: Term, before: number): number => {
    const address = lists.terms[id * columns.stride + columns.address] ?? 0
    const cells = lists.arena.numbers(address)
    const start = Arena.offsetOf(address)
    const end = start + 2 * countOf(id)
    const { slotLength } = lists
    let count = before
    for (let at = start; at < end; at += 2) {
      const slot = cells[at] ?? 0
      const frequency = (cells[at + 1] ?? 0) >>> 16
      const sum = sums[slot] ?? 0
      if (sum === 0) touched[count++] = slot
      sums[slot] = sum + (weight * frequency * (Fusion.k1 + 1)) / (frequency + (norms[slotLength[slot] ?? 0] ?? 0))
    }
    return count
  }

  const addTo = ({ id, weight }: Term, slot: number, sum: number): number => {
    const frequency = frequencyOf(slot, id)
    return frequency === 0
      ? sum
      : sum + (weight * frequency * (Fusion.k1 + 1)) / (frequency + (norms[lists.slotLength[slot] ?? 0] ?? 0))
  }

  const ask = (ids: ReadonlyArray<number | undefined>): Question => {
    const average = lists.tokens / lists.passages
    const weights = ids.map((id) => Fusion.idf(lists.passages, id === undefined ? 0 : countOf(id)))
    const terms = ids.flatMap((id, n): ReadonlyArray<Term> => {
      const weight = weights[n] ?? 0
      if (id === undefined) return []
      const shortest = lists.terms[id * columns.stride + columns.shortest] ?? 0
      return [{
        id,
        weight,
        bound: Fusion.termScore(weight, lists.terms[id * columns.stride + columns.mostFrequent] ?? 0, shortest, average)
      }]
    }).sort((a, b) => b.weight - a.weight)
    if (terms.length > 0) setNorms(average)

    const best: Question["best"] = (wanted, passes, each) => {
      if (sums.length < lists.slotAddress.length) {
        sums = new Float64Array(lists.slotAddress.length)
        touched = new Uint32Array(lists.slotAddress.length)
      }
      /** Of each word and those after it: what they add at most, and how many entries they have. */
      const rest: Array<{ readonly bound: number; readonly entries: number }> = []
      for (let n = terms.length - 1, bound = 0, entries = 0; n >= 0; n--) {
        bound += (terms[n]?.bound ?? 0) * margin
        entries += countOf(terms[n]?.id ?? 0)
        rest[n] = { bound, entries }
      }
      let count = 0
      let followed: ReadonlyArray<number> | undefined
      for (const [n, term] of terms.entries()) {
        const { bound, entries } = rest[n] ?? { bound: 0, entries: 0 }
        const isWorthwhile = entries > 2 * count && count >= wanted && bound < (rest[0]?.bound ?? 0) - bound
        if (followed === undefined && isWorthwhile) {
          const least = Best.nth(wanted, sums, touched, Math.min(sample, count), passes)
          if (bound < least) followed = reachable(count, least - bound)
        }
        if (followed === undefined) count = addAll(term, count)
        else if (followed.length * lookup < countOf(term.id)) {
          for (const slot of followed) sums[slot] = addTo(term, slot, sums[slot] ?? 0)
        } else addTouched(term)
      }
      if (followed === undefined) { for (let n = 0; n < count; n++) each(touched[n] ?? 0, sums[touched[n] ?? 0] ?? 0) }
      else for (const slot of followed) each(slot, sums[slot] ?? 0)
      for (let n = 0; n < count; n++) sums[touched[n] ?? 0] = 0
    }

    return {
      ceiling: Fusion.ceiling(weights),
      best,
      score: (slot) => {
        let sum = 0
        for (const term of terms) sum = addTo(term, slot, sum)
        return sum
      }
    }
  }

  const reachable = (count: number, least: number): ReadonlyArray<number> => {
    const found: Array<number> = []
    for (let n = 0; n < count; n++) {
      const slot = touched[n] ?? 0
      if ((sums[slot] ?? 0) >= least) found.push(slot)
    }
    return found
  }

  /** Adds a word to those of its passages that another word touched. */
  const addTouched = ({ id, weight }: Term): void => {
    const address = lists.terms[id * columns.stride + columns.address] ?? 0
    const cells = lists.arena.numbers(address)
    const start = Arena.offsetOf(address)
    const end = start + 2 * countOf(id)
    for (let at = start; at < end; at += 2) {
      const slot = cells[at] ?? 0
      const sum = sums[slot] ?? 0
      if (sum === 0) continue
      const frequency = (cells[at + 1] ?? 0) >>> 16
      const length = lists.slotLength[slot] ?? 0
      sums[slot] = sum + (weight * frequency * (Fusion.k1 + 1)) / (frequency + (norms[length] ?? 0))
    }
  }

  return ask
}
