/**
 * The documents of all tenants in memory, with everything a store promises but
 * its errors' names.
 *
 * Whatever changes or reads documents does so in one turn, so that a search sees
 * a document old or new, never half, and a change is told of when it can be seen.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type { Embedding } from "../../embedding/Embedder.js"
import type { Document, Passage } from "../Document.js"
import * as Moment from "../Moment.js"
import * as Tokenizer from "../Tokenizer.js"
import * as Filter from "./Filter.js"
import * as Fusion from "./Fusion.js"
import * as MemoryChanges from "./MemoryChanges.js"
import * as MemoryIndex from "./MemoryIndex.js"
import type { Unembedded } from "./PassageVectors.js"
import * as PassageVectors from "./PassageVectors.js"
import * as Preparation from "./Preparation.js"
import * as VectorKernel from "./VectorKernel.js"
import * as Versions from "./Versions.js"
import type { WordNumbers } from "./WordNumbers.js"

/**
 * Why a question has no answer.
 *
 * @since 0.1.0
 * @category models
 */
export type Trouble =
  | Unembedded
  | { readonly _tag: "Incompatible" | "Invalid"; readonly description: string }
  | MemoryChanges.Expired

/**
 * What becomes of one document.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly id: string; readonly status: "indexed" | "unchanged" | "outdated"; readonly passages: number }
  | { readonly id: string; readonly status: "refused"; readonly reason: string }

/**
 * @since 0.1.0
 * @category models
 */
export interface Query {
  readonly tenant: string
  readonly text: string
  readonly vector?: Float32Array | undefined
  readonly limit: number
  readonly filter?: Filter.Filter | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Hit {
  readonly passage: Passage
  readonly score: number
  readonly signals: Fusion.Signals
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Listed {
  readonly id: string
  readonly title: string
  readonly publishedAt?: string | undefined
  readonly passages: number
  readonly version?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ListOptions {
  readonly filter?: Filter.Filter | undefined
  readonly limit: number
  readonly after?: Pick<Listed, "id" | "publishedAt"> | undefined
}

/**
 * One tenant as it was at a moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tenant {
  readonly tenant: string
  readonly revision: number
  readonly changes: ReadonlyArray<MemoryChanges.Change>
  readonly documents: ReadonlyArray<MemoryIndex.Held>
}

/**
 * Everything as it was at a moment, whatever is written while it is read. One at
 * a time; `end` it when it was read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capture {
  /** What `writes` was. */
  readonly writes: number
  readonly tenants: ReadonlyArray<Tenant>
  /** The vectors of a document's passages, one after the other. */
  readonly vectors: (tenant: string, entry: MemoryIndex.Entry) => Float32Array
  /** The words of each of a document's passages; `undefined` when it was replaced or removed meanwhile. */
  readonly words: (
    tenant: string,
    entry: MemoryIndex.Entry,
    numbers: WordNumbers
  ) => ReadonlyArray<Uint32Array> | undefined
  readonly end: () => void
}

/**
 * @since 0.1.0
 * @category models
 */
export interface MemoryStore {
  readonly index: (
    tenant: string,
    documents: ReadonlyArray<Document>
  ) => Effect.Effect<ReadonlyArray<Outcome>, Trouble>
  readonly remove: (tenant: string, ids: ReadonlyArray<string>) => Effect.Effect<number>
  readonly search: (query: Query) => Effect.Effect<ReadonlyArray<Hit>, Trouble>
  readonly get: (tenant: string, id: string) => Effect.Effect<ReadonlyArray<Passage>>
  readonly list: (tenant: string, options: ListOptions) => Effect.Effect<ReadonlyArray<Listed>, Trouble>
  readonly size: (
    tenant: string
  ) => Effect.Effect<{ readonly documents: number; readonly passages: number; readonly revision: number }>
  readonly changes: (
    options: { readonly tenant: string; readonly after?: number | undefined } | undefined
  ) => Stream.Stream<MemoryChanges.Change, Trouble>
  /** Counts everything that was ever changed. */
  readonly writes: () => number
  readonly capture: () => Capture
  /** Goes on from a tenant's revision and changes. */
  readonly restore: (tenant: string, revision: number, changes: ReadonlyArray<MemoryChanges.Change>) => void
  /** Puts back a document as it was, which is no change; false when its vectors find no room. */
  readonly putBack: (tenant: string, prepared: MemoryIndex.Prepared) => boolean
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly embedder: Embedding
  /** Whether WebAssembly is used where there is any; it is unless said otherwise. */
  readonly simd?: boolean | undefined
  /** The most bytes the vectors may take; 4 GiB unless given. */
  readonly maxVectorBytes?: number | undefined
  /** How many changes of each tenant are kept, and of all together for those who follow all; 100,000 unless given. */
  readonly keepChanges?: number | undefined
}

const incompatible = (description: string): Trouble => ({ _tag: "Incompatible", description })
const invalid = (description: string): Trouble => ({ _tag: "Invalid", description })

const listed = ({ entry, version }: MemoryIndex.Held): Listed => ({
  id: entry.id,
  title: entry.title,
  ...(entry.publishedAt === undefined ? {} : { publishedAt: Moment.iso(entry.publishedAt) }),
  passages: entry.passages.length,
  ...(version === undefined ? {} : { version })
})

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ embedder, keepChanges = 100_000, maxVectorBytes, simd }: Options): MemoryStore => {
  const { dimensions } = embedder
  const kernel = VectorKernel.make({ dimensions, simd, maxBytes: maxVectorBytes })
  const tenants = new Map<string, MemoryIndex.MemoryIndex>()
  const changes = MemoryChanges.make({ keep: keepChanges, keepAll: keepChanges })
  const lexicalWeight = Fusion.lexicalWeight(embedder)
  const taking = Preparation.makeTurns()
  const vectors = PassageVectors.make(embedder, Preparation.batchSize)
  let writes = 0
  /** Vectors of documents that were stored when the capture was begun and are not any more. */
  let kept: Map<MemoryIndex.Entry, Float32Array> | undefined

  const indexOf = (tenant: string): MemoryIndex.MemoryIndex => {
    const known = tenants.get(tenant)
    if (known !== undefined) return known
    const made = MemoryIndex.make(kernel)
    tenants.set(tenant, made)
    return made
  }

  const keep = (own: MemoryIndex.MemoryIndex | undefined, id: string): void => {
    const entry = own?.get(id)?.entry
    const vectors = kept === undefined || entry === undefined ? undefined : own?.vectors(entry)
    if (entry !== undefined && vectors !== undefined) kept?.set(entry, vectors)
  }

  const full = (): Trouble =>
    incompatible(
      `the vectors of ${dimensions} dimensions have taken all memory there is for them, 4 GiB at most; ` +
        "remove documents, or keep them in Postgres"
    )

  /** What a document comes to without being written; `undefined` when it is to be written. */
  const settle = (tenant: string, { document, fingerprint }: Preparation.Candidate): Outcome | undefined => {
    const { id } = document
    const own = tenants.get(tenant)
    const held = own?.get(id)
    const verdict = Versions.judge(document, held, held?.entry.fingerprint === fingerprint)
    const passages = held?.entry.passages.length ?? 0
    switch (verdict._tag) {
      case "Write":
        return undefined
      case "Outdated":
        return { id, status: "outdated", passages }
      case "Refuse":
        return { id, status: "refused", reason: verdict.reason }
      case "Keep":
        if (held?.version !== verdict.version) {
          own?.raise(id, verdict.version)
          writes++
        }
        return { id, status: "unchanged", passages }
    }
  }

  const write = (tenant: string, prepared: MemoryIndex.Prepared, changedAt: string): boolean => {
    const { entry: { id }, version } = prepared
    const own = indexOf(tenant)
    keep(own, id)
    if (!own.put(prepared)) {
      if (own.size().documents === 0) tenants.delete(tenant)
      return false
    }
    writes++
    changes.publish(tenant, {
      documentId: id,
      kind: "indexed",
      ...(version === undefined ? {} : { version }),
      changedAt
    })
    return true
  }

  const index: MemoryStore["index"] = Effect.fnUntraced(function*(tenant, documents) {
    const { candidates, refusals } = yield* Preparation.plan(tenant, documents, embedder.id, taking)
    const outcomes = new Map<string, Outcome>()
    const waiting = candidates.filter((candidate) => {
      const outcome = settle(tenant, candidate)
      if (outcome !== undefined) outcomes.set(outcome.id, outcome)
      return outcome === undefined
    })
    const prepared = yield* Preparation.prepare(waiting, vectors, taking)
    for (const [n, candidate] of waiting.entries()) {
      const ready = prepared[n]
      if (ready === undefined) continue
      const changedAt = Moment.iso(yield* Clock.currentTimeMillis)
      // looked at again: others wrote while this was embedded
      const settled = settle(tenant, candidate)
      const { id } = candidate.document
      if (Either.isLeft(ready)) {
        outcomes.set(id, settled ?? { id, status: "refused", reason: ready.left })
        continue
      }
      if (settled === undefined && !write(tenant, ready.right, changedAt)) return yield* Effect.fail(full())
      outcomes.set(id, settled ?? { id, status: "indexed", passages: ready.right.entry.passages.length })
      yield* taking(candidate.document.text.length)
    }
    return documents.flatMap(({ id }, n): ReadonlyArray<Outcome> => {
      const reason = refusals[n]
      if (reason !== undefined) return [{ id, status: "refused", reason }]
      const outcome = outcomes.get(id)
      return outcome === undefined ? [] : [outcome]
    })
  })

  const remove: MemoryStore["remove"] = Effect.fnUntraced(function*(tenant, ids) {
    const changedAt = Moment.iso(yield* Clock.currentTimeMillis)
    let count = 0
    for (const id of ids) {
      const own = tenants.get(tenant)
      const passages = own?.get(id)?.entry.passages.length
      if (own === undefined || passages === undefined) continue
      keep(own, id)
      own.remove(id)
      writes++
      count++
      changes.publish(tenant, { documentId: id, kind: "removed", changedAt })
      if (own.size().documents === 0) tenants.delete(tenant)
      yield* taking(passages * 1_000)
    }
    return count
  })

  const search: MemoryStore["search"] = ({ filter, limit, tenant, text, vector }) =>
    Effect.suspend(() => {
      const compiled = Filter.compile(filter)
      if (Either.isLeft(compiled)) return Effect.fail(invalid(compiled.left))
      if (vector !== undefined && vector.length !== dimensions) {
        return Effect.fail(incompatible(
          `the query's vector has ${vector.length} dimensions, those stored with ${embedder.id} have ${dimensions}`
        ))
      }
      const own = tenants.get(tenant)
      return Effect.succeed(
        own === undefined || compiled.right === undefined
          ? []
          : own.search({ terms: Tokenizer.terms(text), vector, filter: compiled.right, limit, lexicalWeight })
      )
    })

  const list: MemoryStore["list"] = (tenant, { after, filter, limit }) =>
    Effect.suspend(() => {
      const compiled = Filter.compile(filter)
      if (Either.isLeft(compiled)) return Effect.fail(invalid(compiled.left))
      const publishedAt = after?.publishedAt === undefined ? undefined : Moment.millis(after.publishedAt)
      if (
        after !== undefined &&
        (!Filter.isStorable(after.id) || after.publishedAt !== undefined && publishedAt === undefined)
      ) {
        return Effect.fail(invalid("after is no place in a list: give the last document of the one before"))
      }
      const own = tenants.get(tenant)
      if (own === undefined || compiled.right === undefined) return Effect.succeed([])
      const place = after === undefined ? undefined : { id: after.id, publishedAt }
      return Effect.succeed(own.list(compiled.right, Filter.listLimitOf(limit), place).map(listed))
    })

  const capture: MemoryStore["capture"] = () => {
    const aside = new Map<MemoryIndex.Entry, Float32Array>()
    kept = aside
    const names = new Set([...tenants.keys(), ...changes.tenants()])
    return {
      writes,
      tenants: Array.from(names, (tenant) => ({
        tenant,
        revision: changes.revision(tenant),
        changes: changes.kept(tenant),
        documents: tenants.get(tenant)?.all() ?? []
      })),
      vectors: (tenant, entry) =>
        aside.get(entry) ?? tenants.get(tenant)?.vectors(entry) ??
          new Float32Array(entry.passages.length * dimensions),
      words: (tenant, entry, numbers) => tenants.get(tenant)?.words(entry, numbers),
      end: () => {
        if (kept === aside) kept = undefined
      }
    }
  }

  return {
    index,
    remove,
    search,
    list,
    get: (tenant, id) =>
      Effect.sync(() => {
        const held = tenants.get(tenant)?.get(id)
        return held === undefined ? [] : held.entry.passages.map((_, position) => MemoryIndex.passage(held, position))
      }),
    size: (tenant) =>
      Effect.sync(() => ({
        ...(tenants.get(tenant)?.size() ?? { documents: 0, passages: 0 }),
        revision: changes.revision(tenant)
      })),
    changes: (options) =>
      options === undefined
        ? changes.all
        : options.after !== undefined && !(Number.isSafeInteger(options.after) && options.after >= 0)
        ? Stream.fail(invalid("after is no revision: give a whole number from 0"))
        : changes.of(options.tenant, options.after),
    writes: () => writes,
    capture,
    restore: (tenant, revision, kept) => {
      changes.restore(tenant, revision, kept)
    },
    putBack: (tenant, prepared) => indexOf(tenant).put(prepared)
  }
}
