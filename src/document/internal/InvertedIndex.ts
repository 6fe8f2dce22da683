/**
 * Which passages hold a word and how often: the words' half of the store in
 * memory.
 *
 * Every word has a list of its passages, every passage a list of its words, and
 * each entry of one says where its partner stands in the other. So a passage is
 * taken out at once, without a trace to skip or to tidy up later, and what a
 * word adds to one passage is found without reading the word's whole list.
 *
 * Passages are slots: small numbers that may be given again once removed.
 *
 * @since 0.1.0
 */
import * as Arena from "./Arena.js"
import * as InvertedSearch from "./InvertedSearch.js"
import * as WordNumbers from "./WordNumbers.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface InvertedIndex {
  /** Takes in a passage, given its words in any order. */
  readonly add: (slot: number, words: Words) => void
  readonly remove: (slot: number) => void
  /** The words that a passage was taken in with, by number. */
  readonly words: (slot: number, numbers: WordNumbers.WordNumbers) => Uint32Array
  /** Gives back memory that removals left, a few pages at a time: a millisecond or two at most. */
  readonly tidy: () => void
  /** Looks up words in the order they are asked. */
  readonly ask: (terms: ReadonlyArray<string>) => InvertedSearch.Question
}

/**
 * The words of a passage: each as often as it occurs, or by number.
 *
 * @since 0.1.0
 * @category models
 */
export type Words = ReadonlyArray<string> | WordNumbers.Numbered

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

/** A cut out string keeps the text it was cut from: the few that stay are copied. */
const copied = (term: string): string => Buffer.from(term).toString()

/** The array, or one twice as large. */
const fitted = (array: Uint32Array<ArrayBuffer>, index: number): Uint32Array<ArrayBuffer> => {
  if (index < array.length) return array
  const larger = new Uint32Array(Math.max(64, 2 * array.length, index + 1))
  larger.set(array)
  return larger
}

const { address, cells, count, mostFrequent, shortest, stride } = InvertedSearch.columns

/** Ids by number and numbers by id, one too high: 0 is none. */
interface Link {
  readonly forgotten: number
  ids: Uint32Array<ArrayBuffer>
  numbers: Uint32Array<ArrayBuffer>
}

/** A frequency and a place among the words of a passage share 32 bits: a passage has far fewer words than 65,536. */
const most = 0xffff

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): InvertedIndex => {
  const arena = Arena.make()
  const ids = new Map<string, number>()
  const names: Array<string> = []
  const freeIds: Array<number> = []
  const state: InvertedSearch.Lists = {
    arena,
    passages: 0,
    tokens: 0,
    terms: new Uint32Array(0),
    slotAddress: new Uint32Array(0),
    slotCount: new Uint32Array(0),
    slotLength: new Uint32Array(0),
    longest: 0
  }
  /** How often each word occurs in the passage that is taken in, and which do. */
  let counts = new Uint32Array(0)
  let found = new Uint32Array(0)
  const search = InvertedSearch.make(state)
  /** How many words were forgotten: their ids are given again. */
  let forgotten = 0
  /** What was looked up before: the id by number, and the number by id; of no use once a word was forgotten. */
  const links = new WeakMap<WordNumbers.WordNumbers, Link>()

  const linkTo = (numbers: WordNumbers.WordNumbers): Link => {
    const known = links.get(numbers)
    if (known?.forgotten === forgotten) return known
    const made = { forgotten, ids: new Uint32Array(0), numbers: new Uint32Array(0) }
    links.set(numbers, made)
    return made
  }

  const idOf = (term: string): number => {
    const known = ids.get(term)
    if (known !== undefined) return known
    const id = freeIds.pop() ?? names.length
    const name = copied(term)
    names[id] = name
    ids.set(name, id)
    state.terms = fitted(state.terms, id * stride + stride - 1)
    counts = fitted(counts, id)
    const { terms } = state
    terms[id * stride + address] = arena.allocate(1)
    terms[id * stride + cells] = 1
    terms[id * stride + count] = 0
    terms[id * stride + mostFrequent] = 0
    terms[id * stride + shortest] = 0xffffffff
    return id
  }

  const resize = (term: number, wanted: number): void => {
    const { terms } = state
    const old = terms[term + address] ?? 0
    const to = arena.allocate(wanted)
    const from = Arena.offsetOf(old)
    const used = 2 * (terms[term + count] ?? 0)
    arena.numbers(to).set(arena.numbers(old).subarray(from, from + used), Arena.offsetOf(to))
    arena.free(old, terms[term + cells] ?? 0)
    terms[term + address] = to
    terms[term + cells] = Arena.roundedUp(wanted)
  }

  /** Appends to a word's list; the return value is the place there. */
  const append = (term: number, slot: number, packed: number): number => {
    const { terms } = state
    const place = terms[term + count] ?? 0
    if (place === terms[term + cells]) resize(term, place + 1)
    const list = terms[term + address] ?? 0
    const numbers = arena.numbers(list)
    const at = Arena.offsetOf(list) + 2 * place
    numbers[at] = slot
    numbers[at + 1] = packed
    terms[term + count] = place + 1
    return place
  }

  /** Counts the words by number; the return value is how many different ones there are. */
  const tally = (tokens: ReadonlyArray<string>): number => {
    if (found.length < tokens.length) found = new Uint32Array(2 * tokens.length)
    let size = 0
    for (const token of tokens) {
      const id = idOf(token)
      const before = counts[id] ?? 0
      if (before === 0) found[size++] = id
      counts[id] = before + 1
    }
    return size
  }

  /** The same for words by number. */
  const tallyNumbered = ({ numbers, words }: WordNumbers.Numbered): number => {
    if (found.length < words.length) found = new Uint32Array(2 * words.length)
    const link = linkTo(numbers)
    let size = 0
    for (let n = 0; n < words.length; n++) {
      const word = words[n] ?? 0
      const number = WordNumbers.numberOf(word)
      link.ids = fitted(link.ids, number)
      const id = (link.ids[number] ||= idOf(numbers.names[number] ?? "") + 1) - 1
      const before = counts[id] ?? 0
      if (before === 0) found[size++] = id
      counts[id] = before + WordNumbers.countOf(word)
    }
    return size
  }

  const add: InvertedIndex["add"] = (slot, given) => {
    state.slotAddress = fitted(state.slotAddress, slot)
    state.slotCount = fitted(state.slotCount, slot)
    state.slotLength = fitted(state.slotLength, slot)
    const isNumbered = "numbers" in given
    const size = isNumbered ? tallyNumbered(given) : tally(given)
    let length = isNumbered ? 0 : given.length
    if (isNumbered) { for (let n = 0; n < size; n++) length += counts[found[n] ?? 0] ?? 0 }
    const { terms } = state
    // by number, so that a search can halve its way through a passage's words
    const sorted = found.subarray(0, size).sort()
    const words = size === 0 ? 0 : arena.allocate(size)
    const numbers = arena.numbers(words)
    for (let ordinal = 0, at = Arena.offsetOf(words); ordinal < size; ordinal++, at += 2) {
      const id = sorted[ordinal] ?? 0
      const term = id * stride
      const frequency = Math.min(most, counts[id] ?? 0)
      counts[id] = 0
      numbers[at] = id
      numbers[at + 1] = InvertedSearch.withFrequency(append(term, slot, frequency << 16 | ordinal), frequency)
      if (frequency > (terms[term + mostFrequent] ?? 0)) terms[term + mostFrequent] = frequency
      if (length < (terms[term + shortest] ?? 0)) terms[term + shortest] = length
    }
    state.slotAddress[slot] = words
    state.slotCount[slot] = size
    state.slotLength[slot] = length
    state.passages++
    state.tokens += length
    state.longest = Math.max(state.longest, length)
  }

  const forget = (id: number): void => {
    const { terms } = state
    forgotten++
    arena.free(terms[id * stride + address] ?? 0, terms[id * stride + cells] ?? 0)
    ids.delete(names[id] ?? "")
    names[id] = ""
    freeIds.push(id)
    terms[id * stride + address] = 0
    terms[id * stride + count] = 0
  }

  /** Takes one entry out of a word's list and moves the last one there. */
  const take = (id: number, place: number): void => {
    const { terms } = state
    const term = id * stride
    const last = (terms[term + count] ?? 0) - 1
    if (last === 0) return forget(id)
    const list = terms[term + address] ?? 0
    const numbers = arena.numbers(list)
    const from = Arena.offsetOf(list) + 2 * last
    if (place !== last) {
      const to = Arena.offsetOf(list) + 2 * place
      const moved = numbers[from] ?? 0
      const packed = numbers[from + 1] ?? 0
      numbers[to] = moved
      numbers[to + 1] = packed
      const words = state.slotAddress[moved] ?? 0
      const cell = Arena.offsetOf(words) + 2 * (packed & most) + 1
      arena.numbers(words)[cell] = InvertedSearch.withFrequency(place, packed >>> 16)
    }
    terms[term + count] = last
    if (4 * last < (terms[term + cells] ?? 0)) resize(term, 2 * last)
  }

  const remove: InvertedIndex["remove"] = (slot) => {
    const words = state.slotAddress[slot] ?? 0
    const size = state.slotCount[slot] ?? 0
    const numbers = arena.numbers(words)
    const offset = Arena.offsetOf(words)
    for (let n = 0; n < size; n++) {
      take(numbers[offset + 2 * n] ?? 0, InvertedSearch.placeOf(numbers[offset + 2 * n + 1] ?? 0))
    }
    if (size > 0) arena.free(words, size)
    state.passages--
    state.tokens -= state.slotLength[slot] ?? 0
    state.slotAddress[slot] = 0
    state.slotCount[slot] = 0
    state.slotLength[slot] = 0
  }

  const words: InvertedIndex["words"] = (slot, numbers) => {
    const own = state.slotAddress[slot] ?? 0
    const cells = arena.numbers(own)
    const offset = Arena.offsetOf(own)
    const size = state.slotCount[slot] ?? 0
    const link = linkTo(numbers)
    link.numbers = fitted(link.numbers, names.length)
    let packed = new Uint32Array(size)
    let length = 0
    for (let n = 0; n < size; n++) {
      const id = cells[offset + 2 * n] ?? 0
      const number = (link.numbers[id] ||= numbers.of(names[id] ?? "") + 1) - 1
      let left = InvertedSearch.frequencyAt(state, id, cells[offset + 2 * n + 1] ?? 0)
      for (; left > WordNumbers.mostCount; left -= WordNumbers.mostCount) {
        packed = fitted(packed, length)
        packed[length++] = WordNumbers.pack(number, WordNumbers.mostCount)
      }
      packed = fitted(packed, length)
      packed[length++] = WordNumbers.pack(number, left)
    }
    return packed.subarray(0, length)
  }

  const tidy: InvertedIndex["tidy"] = (): void => {
    const sparse = arena.sparse()
    if (sparse === undefined) return
    const { terms } = state
    for (let term = 0; term < names.length * stride; term += stride) {
      const list = terms[term + address] ?? 0
      if (sparse[Arena.pageOf(list)] === 1) {
        terms[term + address] = arena.move(list, terms[term + cells] ?? 0, terms[term + count] ?? 0)
      }
    }
    for (let slot = 0; slot < state.slotAddress.length; slot++) {
      const words = state.slotAddress[slot] ?? 0
      const size = state.slotCount[slot] ?? 0
      if (sparse[Arena.pageOf(words)] === 1) state.slotAddress[slot] = arena.move(words, size, size)
    }
    arena.drop(sparse)
  }

  return { add, remove, words, tidy, ask: (terms) => search(terms.map((term) => ids.get(term))) }
}
