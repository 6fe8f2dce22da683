/**
 * Which passages hold a word and how often: the words' half of the store in
 * memory.
 *
 * Passages are slots, numbers that are given once. A removed slot stays in the
 * lists, where it is skipped, until the index is `rebuilt`.
 *
 * @since 0.1.0
 */
import * as Fusion from "./Fusion.js"

/** One word's passages: slot and frequency by turns, slots rising. */
interface Posting {
  readonly entries: Array<number>
  /** How many passages that are not removed hold the word. */
  matching: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface InvertedIndex {
  readonly add: (slot: number, tokens: ReadonlyArray<string>) => void
  /** Forgets a slot, given the tokens it was added with. */
  readonly remove: (slot: number, tokens: ReadonlyArray<string>) => void
  /**
   * BM25 of every passage that holds one of the terms. `each` is called once
   * per slot, removed ones included; the return value is the terms' ceiling.
   */
  readonly score: (terms: ReadonlyArray<string>, each: (slot: number, bm25: number) => void) => number
  /** The same passages under new slots; `slotOf` knows all but the removed ones. */
  readonly rebuilt: (slotOf: (slot: number) => number | undefined) => InvertedIndex
}

/**
 * How often each token occurs.
 *
 * @since 0.1.0
 * @category combinators
 */
export const frequencies = (tokens: ReadonlyArray<string>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1)
  return counts
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): InvertedIndex => from(new Map(), [])

const removed = -1

const from = (postings: Map<string, Posting>, initial: ReadonlyArray<number>): InvertedIndex => {
  /** Tokens per slot; `removed` for one that is. */
  const lengths = [...initial]
  let passages = lengths.filter((length) => length !== removed).length
  let total = lengths.reduce((sum, length) => length === removed ? sum : sum + length, 0)
  let sums = new Float64Array(1024)

  const add = (slot: number, tokens: ReadonlyArray<string>): void => {
    while (lengths.length < slot) lengths.push(removed)
    lengths[slot] = tokens.length
    passages++
    total += tokens.length
    for (const [token, frequency] of frequencies(tokens)) {
      const posting = postings.get(token)
      if (posting === undefined) postings.set(token, { entries: [slot, frequency], matching: 1 })
      else {
        posting.entries.push(slot, frequency)
        posting.matching++
      }
    }
  }

  const remove = (slot: number, tokens: ReadonlyArray<string>): void => {
    lengths[slot] = removed
    passages--
    total -= tokens.length
    for (const token of new Set(tokens)) {
      const posting = postings.get(token)
      if (posting === undefined) continue
      posting.matching--
      if (posting.matching === 0) postings.delete(token)
    }
  }

  const score = (terms: ReadonlyArray<string>, each: (slot: number, bm25: number) => void): number => {
    if (sums.length < lengths.length) sums = new Float64Array(lengths.length * 2)
    const average = total / passages
    const touched: Array<number> = []
    const weights: Array<number> = []
    for (const term of terms) {
      const posting = postings.get(term)
      const weight = Fusion.idf(passages, posting?.matching ?? 0)
      weights.push(weight)
      const entries = posting?.entries ?? []
      for (let at = 0; at < entries.length; at += 2) {
        const slot = entries[at] ?? 0
        const before = sums[slot] ?? 0
        if (before === 0) touched.push(slot)
        sums[slot] = before + Fusion.termScore(weight, entries[at + 1] ?? 0, lengths[slot] ?? 0, average)
      }
    }
    for (const slot of touched) {
      each(slot, sums[slot] ?? 0)
      sums[slot] = 0
    }
    return Fusion.ceiling(weights)
  }

  const rebuilt: InvertedIndex["rebuilt"] = (slotOf) => {
    const kept = new Map<string, Posting>()
    for (const [token, posting] of postings) {
      const entries: Array<number> = []
      for (let at = 0; at < posting.entries.length; at += 2) {
        const slot = slotOf(posting.entries[at] ?? 0)
        if (slot !== undefined) entries.push(slot, posting.entries[at + 1] ?? 0)
      }
      kept.set(token, { entries, matching: posting.matching })
    }
    const moved: Array<number> = []
    for (const [old, length] of lengths.entries()) {
      const slot = slotOf(old)
      if (slot !== undefined) moved[slot] = length
    }
    return from(kept, moved)
  }

  return { add, remove, score, rebuilt }
}
