/**
 * One tenant's documents in memory: searched exactly, changed a document at a
 * time.
 *
 * @since 0.1.0
 */
import type { Metadata, Passage } from "../Document.js"
import * as Moment from "../Moment.js"
import * as Best from "./Best.js"
import * as Filter from "./Filter.js"
import * as Fusion from "./Fusion.js"
import * as InvertedIndex from "./InvertedIndex.js"
import * as SortedDocuments from "./SortedDocuments.js"
import * as VectorColumns from "./VectorColumns.js"
import type { VectorKernel } from "./VectorKernel.js"
import * as Verdicts from "./Verdicts.js"
import type { WordNumbers } from "./WordNumbers.js"

/**
 * What is kept of a document, never changed once made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly id: string
  readonly fingerprint: string
  readonly title: string
  readonly uri: string | undefined
  /** Epoch milliseconds. */
  readonly publishedAt: number | undefined
  /** ISO 8601. */
  readonly indexedAt: string
  readonly metadata: Metadata
  readonly passages: ReadonlyArray<{ readonly text: string; readonly start: number; readonly end: number }>
}

/**
 * A document made ready to be stored.
 *
 * @since 0.1.0
 * @category models
 */
export interface Prepared {
  readonly entry: Entry
  readonly version: number | undefined
  /** Of each passage, its title included. */
  readonly words: ReadonlyArray<InvertedIndex.Words>
  /** Of each passage a unit vector, or zero. */
  readonly vectors: ReadonlyArray<Float32Array>
}

/**
 * A document that is stored. Another version of the same content is another
 * value with the same entry.
 *
 * @since 0.1.0
 * @category models
 */
export interface Held {
  readonly entry: Entry
  readonly version: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Query {
  readonly terms: ReadonlyArray<string>
  /** Of any length. */
  readonly vector: Float32Array | undefined
  readonly filter: Filter.Compiled
  readonly limit: number
  readonly lexicalWeight: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface MemoryIndex {
  /** Stores a document in place of the one with its id; false, and nothing changed, when its vectors find no room. */
  readonly put: (prepared: Prepared) => boolean
  readonly remove: (id: string) => boolean
  /** Gives a stored document another version. */
  readonly raise: (id: string, version: number | undefined) => void
  readonly get: (id: string) => Held | undefined
  /** Every document as of now. */
  readonly all: () => ReadonlyArray<Held>
  /** The vectors of a stored document's passages, one after the other; `undefined` when it is not stored any more. */
  readonly vectors: (entry: Entry) => Float32Array | undefined
  /** The words of each of a stored document's passages; `undefined` when it is not stored any more. */
  readonly words: (entry: Entry, numbers: WordNumbers) => ReadonlyArray<Uint32Array> | undefined
  /** In the order of `SortedDocuments`, after a place. */
  readonly list: (
    filter: Filter.Compiled,
    limit: number,
    after: SortedDocuments.Dated | undefined
  ) => ReadonlyArray<Held>
  readonly size: () => { readonly documents: number; readonly passages: number }
  readonly search: (
    query: Query
  ) => ReadonlyArray<{ readonly passage: Passage; readonly score: number; readonly signals: Fusion.Signals }>
}

/**
 * A passage as it is found.
 *
 * @since 0.1.0
 * @category constructors
 */
export const passage = ({ entry, version }: Held, position: number): Passage => {
  const { end = 0, start = 0, text = "" } = entry.passages[position] ?? {}
  return {
    documentId: entry.id,
    position,
    title: entry.title,
    text,
    ...(entry.uri === undefined ? {} : { uri: entry.uri }),
    ...(entry.publishedAt === undefined ? {} : { publishedAt: Moment.iso(entry.publishedAt) }),
    indexedAt: entry.indexedAt,
    ...(version === undefined ? {} : { version }),
    span: { start, end },
    // a copy: whoever reads may go on to change theirs
    metadata: { ...entry.metadata }
  }
}

/** A filter that names documents with so few passages is answered by looking at each of them. */
const few = 512

interface Stored {
  readonly held: Held
  /** Of its passages in order. */
  readonly slots: ReadonlyArray<number>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (kernel: VectorKernel): MemoryIndex => {
  const { dimensions } = kernel
  const documents = new Map<string, Stored>()
  const sorted = SortedDocuments.make<Entry>()
  const words = InvertedIndex.make()
  const vectors = VectorColumns.make(kernel)
  const verdicts = Verdicts.make()
  /** By slot: the document, the passage's position in it, and its row among the vectors. */
  const entries: Array<Entry | undefined> = []
  const positions: Array<number> = []
  const rows: Array<number> = []
  /** By row. */
  const slots: Array<number> = []
  const freeSlots: Array<number> = []

  const removePassage = (slot: number): void => {
    words.remove(slot)
    const row = rows[slot] ?? 0
    const last = slots.pop() ?? slot
    vectors.remove(row)
    if (last !== slot) {
      slots[row] = last
      rows[last] = row
    }
    entries[slot] = undefined
    freeSlots.push(slot)
  }

  const takeOut = (id: string): boolean => {
    const old = documents.get(id)
    if (old === undefined) return false
    documents.delete(id)
    sorted.remove(old.held.entry)
    for (const slot of old.slots) removePassage(slot)
    return true
  }

  const tidy = (): void => {
    words.tidy()
    vectors.trim()
  }

  const put: MemoryIndex["put"] = ({ entry, vectors: given, version, words: said }) => {
    // what it replaces gives its rows back
    const freed = documents.get(entry.id)?.slots.length ?? 0
    if (!vectors.reserve(slots.length - freed + entry.passages.length)) {
      vectors.trim()
      return false
    }
    takeOut(entry.id)
    const taken: Array<number> = []
    for (let position = 0; position < entry.passages.length; position++) {
      const slot = freeSlots.pop() ?? entries.length
      taken.push(slot)
      entries[slot] = entry
      verdicts.forget(slot)
      positions[slot] = position
      rows[slot] = slots.length
      slots.push(slot)
      words.add(slot, said[position] ?? [])
      vectors.push(given[position] ?? new Float32Array(dimensions))
    }
    documents.set(entry.id, { held: { entry, version }, slots: taken })
    sorted.add(entry)
    tidy()
    return true
  }

  const isBefore = (slot: number, that: number): boolean => {
    const mine = entries[slot]?.id ?? ""
    const theirs = entries[that]?.id ?? ""
    return mine === theirs ? (positions[slot] ?? 0) < (positions[that] ?? 0) : mine < theirs
  }

  /** Asks each passage once, and never again as long as the filter is in use. */
  const passing = (filter: Filter.Compiled): ((slot: number) => boolean) | undefined => {
    if (Filter.isOpen(filter)) return undefined
    const known = verdicts.of(filter, entries.length)
    const isPassing = Filter.passing(filter)
    return (slot) => {
      const verdict = known[slot]
      if (verdict !== Verdicts.unknown) return verdict === Verdicts.passes
      const entry = entries[slot]
      const passes = entry !== undefined && isPassing(entry)
      known[slot] = passes ? Verdicts.passes : Verdicts.fails
      return passes
    }
  }

  /** The slots of documents that are named, unless they are many. */
  const named = ({ documentIds }: Filter.Compiled): ReadonlyArray<number> | undefined => {
    const found: Array<number> = []
    for (const id of documentIds ?? []) {
      found.push(...documents.get(id)?.slots ?? [])
      if (found.length > few) return undefined
    }
    return documentIds === undefined ? undefined : found
  }

  const search: MemoryIndex["search"] = ({ filter, lexicalWeight, limit, terms, vector }) => {
    if (slots.length === 0) return []
    const passes = passing(filter)
    const question = words.ask(terms)
    const query = vector === undefined ? undefined : VectorColumns.unit(vector)
    const lexical = Best.make(Fusion.poolSize, isBefore, passes)
    const dense = Best.make(Fusion.poolSize, isBefore, passes)
    const only = named(filter)
    let cosine = (_slot: number): number => 0
    if (only !== undefined) {
      if (query !== undefined) cosine = (slot) => vectors.dot(query, rows[slot] ?? 0)
      for (const slot of only) {
        lexical.offer(slot, question.score(slot))
        dense.offer(slot, cosine(slot))
      }
    } else {
      question.best(Fusion.poolSize, passes, lexical.offer)
      if (query !== undefined) {
        const dots = vectors.dots(query)
        cosine = (slot) => dots[rows[slot] ?? 0] ?? 0
        for (let row = 0; row < slots.length; row++) dense.offer(slots[row] ?? 0, dots[row] ?? 0)
      }
    }
    const candidates = Array.from(new Set([...lexical.slots(), ...dense.slots()]), (slot) => ({
      documentId: entries[slot]?.id ?? "",
      position: positions[slot] ?? 0,
      bm25: question.score(slot),
      cosine: cosine(slot)
    }))
    return Fusion.fuse(candidates, { lexicalWeight, ceiling: question.ceiling, limit }).flatMap((
      { candidate: { documentId, position }, score, signals }
    ) => {
      const held = documents.get(documentId)?.held
      return held === undefined ? [] : [{ passage: passage(held, position), score, signals }]
    })
  }

  return {
    put,
    search,
    remove: (id) => {
      const isRemoved = takeOut(id)
      if (isRemoved) tidy()
      return isRemoved
    },
    raise: (id, version) => {
      const document = documents.get(id)
      if (document !== undefined) documents.set(id, { ...document, held: { entry: document.held.entry, version } })
    },
    get: (id) => documents.get(id)?.held,
    all: () => Array.from(documents.values(), ({ held }) => held),
    words: (entry, numbers) => {
      const document = documents.get(entry.id)
      return document?.held.entry === entry ? document.slots.map((slot) => words.words(slot, numbers)) : undefined
    },
    vectors: (entry) => {
      const document = documents.get(entry.id)
      if (document?.held.entry !== entry) return undefined
      const numbers = new Float32Array(entry.passages.length * dimensions)
      for (const [n, slot] of document.slots.entries()) vectors.read(rows[slot] ?? 0, numbers, n * dimensions)
      return numbers
    },
    list: (filter, limit, after) => {
      const found: Array<Held> = []
      const passes = Filter.passing(filter)
      for (const entry of sorted.after(after)) {
        if (found.length === limit) break
        const held = documents.get(entry.id)?.held
        if (held !== undefined && passes(entry)) found.push(held)
      }
      return found
    },
    size: () => ({ documents: documents.size, passages: slots.length })
  }
}
