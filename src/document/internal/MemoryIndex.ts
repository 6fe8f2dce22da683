/**
 * One tenant's documents in memory: searched exactly, changed a document at a
 * time.
 *
 * @since 0.1.0
 */
import type { Metadata, Passage } from "../Document.js"
import * as Filter from "./Filter.js"
import * as Fusion from "./Fusion.js"
import * as InvertedIndex from "./InvertedIndex.js"
import * as VectorColumns from "./VectorColumns.js"

/**
 * A document made ready to be stored.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly id: string
  readonly fingerprint: string
  /** Epoch milliseconds. */
  readonly publishedAt: number | undefined
  readonly metadata: Metadata
  readonly passages: ReadonlyArray<{
    readonly passage: Passage
    /** Of title and text. */
    readonly tokens: ReadonlyArray<string>
    /** A unit vector, or zero. */
    readonly vector: Float32Array
  }>
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

interface Slot {
  readonly entry: Entry
  readonly passage: Passage
  readonly documentId: string
  readonly position: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface MemoryIndex {
  readonly put: (entry: Entry) => void
  readonly remove: (id: string) => boolean
  readonly get: (id: string) => Entry | undefined
  /** The newest first, those without a date last, those of one date by id. */
  readonly list: (
    filter: Filter.Compiled,
    limit: number
  ) => ReadonlyArray<
    {
      readonly id: string
      readonly title: string
      readonly publishedAt?: string | undefined
      readonly passages: number
    }
  >
  readonly size: () => { readonly documents: number; readonly passages: number }
  readonly search: (
    query: Query
  ) => ReadonlyArray<{ readonly passage: Passage; readonly score: number; readonly signals: Fusion.Signals }>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (dimensions: number): MemoryIndex => {
  const entries = new Map<string, { readonly entry: Entry; readonly slots: ReadonlyArray<number> }>()
  let slots: Array<Slot | undefined> = []
  let live = 0
  let words = InvertedIndex.make()
  let vectors = VectorColumns.make(dimensions)

  const remove = (id: string): boolean => {
    const held = entries.get(id)
    if (held === undefined) return false
    entries.delete(id)
    for (const [n, slot] of held.slots.entries()) {
      slots[slot] = undefined
      words.remove(slot, held.entry.passages[n]?.tokens ?? [])
    }
    live -= held.slots.length
    if (slots.length > 2 * live + 1024) compact()
    return true
  }

  const put = (entry: Entry): void => {
    remove(entry.id)
    const taken = entry.passages.map(({ passage, tokens, vector }) => {
      const slot = slots.length
      slots.push({ entry, passage, documentId: entry.id, position: passage.position })
      words.add(slot, tokens)
      vectors.set(slot, vector)
      return slot
    })
    live += taken.length
    entries.set(entry.id, { entry, slots: taken })
  }

  const compact = (): void => {
    const moved = new Map<number, number>()
    for (const [slot, held] of slots.entries()) if (held !== undefined) moved.set(slot, moved.size)
    const columns = VectorColumns.make(dimensions)
    const vector = new Float32Array(dimensions)
    for (const [from, to] of moved) {
      vectors.read(from, vector)
      columns.set(to, vector)
    }
    for (const [id, { entry, slots }] of entries) {
      entries.set(id, { entry, slots: slots.map((slot) => moved.get(slot) ?? slot) })
    }
    slots = slots.filter((slot) => slot !== undefined)
    words = words.rebuilt((slot) => moved.get(slot))
    vectors = columns
  }

  const search: MemoryIndex["search"] = (query) => {
    const isOpen = Filter.isOpen(query.filter)
    const passes = (slot: Slot): boolean => isOpen || Filter.matches(query.filter, slot.entry)
    const bm25 = new Map<number, number>()
    const lexical = makePool(slots, passes)
    const ceiling = words.score(query.terms, (slot, score) => {
      bm25.set(slot, score)
      lexical.offer(slot, score)
    })
    const pool = new Set(lexical.slots())
    const dots = query.vector === undefined ? undefined : vectors.dots(VectorColumns.unit(query.vector), slots.length)
    if (dots !== undefined) {
      const dense = makePool(slots, passes)
      for (let slot = 0; slot < slots.length; slot++) dense.offer(slot, dots[slot] ?? 0)
      for (const slot of dense.slots()) pool.add(slot)
    }
    const candidates = Array.from(pool, (slot) => ({
      documentId: slots[slot]?.documentId ?? "",
      position: slots[slot]?.position ?? 0,
      passage: slots[slot]?.passage,
      bm25: bm25.get(slot) ?? 0,
      cosine: dots?.[slot] ?? 0
    }))
    return Fusion.fuse(candidates, { lexicalWeight: query.lexicalWeight, ceiling, limit: query.limit }).flatMap((
      { candidate: { passage }, score, signals }
    ) => passage === undefined ? [] : [{ passage, score, signals }])
  }

  const list: MemoryIndex["list"] = (filter, limit) =>
    Array.from(entries.values(), ({ entry }) => entry)
      .filter((entry) => Filter.matches(filter, entry))
      .sort((a, b) =>
        a.publishedAt === b.publishedAt
          ? a.id < b.id ? -1 : 1
          : (b.publishedAt ?? -Infinity) - (a.publishedAt ?? -Infinity)
      )
      .slice(0, limit)
      .map(({ id, passages }) => {
        const first = passages[0]?.passage
        return {
          id,
          title: first?.title ?? "",
          ...(first?.publishedAt === undefined ? {} : { publishedAt: first.publishedAt }),
          passages: passages.length
        }
      })

  return {
    put,
    remove,
    list,
    get: (id) => entries.get(id)?.entry,
    size: () => ({ documents: entries.size, passages: live }),
    search
  }
}

/** The best slots one arm brings, ties by identity; a score of 0 or less brings none. */
const makePool = (slots: ReadonlyArray<Slot | undefined>, passes: (slot: Slot) => boolean) => {
  const best: Array<{ readonly slot: number; readonly score: number; readonly held: Slot }> = []
  const offer = (slot: number, score: number): void => {
    const last = best[Fusion.poolSize - 1]
    if (score <= 0 || (last !== undefined && score < last.score)) return
    const held = slots[slot]
    if (held === undefined || !passes(held)) return
    let low = 0
    let high = best.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = best[middle]
      if (
        other === undefined || score > other.score || (score === other.score && Fusion.byIdentity(held, other.held) < 0)
      ) {
        high = middle
      } else low = middle + 1
    }
    if (low >= Fusion.poolSize) return
    best.splice(low, 0, { slot, score, held })
    if (best.length > Fusion.poolSize) best.pop()
  }
  return { offer, slots: () => best.map(({ slot }) => slot) }
}
