/**
 * One tenant's documents, as another store gives them, searched in memory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Embedding } from "../../embedding/Embedder.js"
import * as Chunker from "../Chunker.js"
import type { Passage } from "../Document.js"
import type { Hit, Origin, Query } from "../DocumentStore.js"
import { DocumentStoreError, Incompatible, Invalid } from "../DocumentStore.js"
import * as Moment from "../Moment.js"
import * as Tokenizer from "../Tokenizer.js"
import * as Filter from "./Filter.js"
import * as Fusion from "./Fusion.js"
import * as MemoryIndex from "./MemoryIndex.js"
import type { Problem } from "./MirrorProblem.js"
import * as MirrorProblem from "./MirrorProblem.js"
import * as Preparation from "./Preparation.js"
import type { VectorKernel } from "./VectorKernel.js"

/**
 * A document as the store below has it: its passages in order, none when it is
 * not there.
 *
 * @since 0.1.0
 * @category models
 */
export interface Found {
  readonly id: string
  readonly passages: ReadonlyArray<Passage>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface MirrorIndex {
  /**
   * Makes documents what they are below. Vectors are made of what is new alone;
   * others get a turn every few milliseconds. Those that were not reached when it
   * fails are as they were.
   */
  readonly apply: (documents: ReadonlyArray<Found>) => Effect.Effect<void, Problem>
  readonly search: (query: Query, origin: Origin) => Effect.Effect<ReadonlyArray<Hit>, DocumentStoreError>
  /** A document that is held, with its version. */
  readonly held: (id: string) => { readonly version: number | undefined } | undefined
  readonly ids: () => ReadonlyArray<string>
  readonly passages: () => number
  /** Gives back its memory; others get a turn every few milliseconds. */
  readonly clear: Effect.Effect<void>
}

/** How many texts are sent to the embedder at once. */
const batchSize = 64

/** Where a passage stands when the store below does not know. */
const nowhere = -1

const entryOf = (first: Passage, passages: ReadonlyArray<Passage>): MemoryIndex.Entry => ({
  id: first.documentId,
  // What is stored below is judged there, never here.
  fingerprint: "",
  title: first.title,
  uri: first.uri,
  publishedAt: first.publishedAt === undefined ? undefined : Moment.millis(first.publishedAt),
  indexedAt: first.indexedAt,
  metadata: first.metadata,
  passages: passages.map(({ span, text }) => ({ text, start: span?.start ?? nowhere, end: span?.end ?? nowhere }))
})

const isSame = (self: MemoryIndex.Entry, that: MemoryIndex.Entry): boolean =>
  self.indexedAt === that.indexedAt && JSON.stringify(self) === JSON.stringify(that)

const spanned = ({ span, ...passage }: Passage): Passage =>
  span === undefined || span.start === nowhere ? passage : { ...passage, span }

interface Draft {
  readonly entry: MemoryIndex.Entry
  readonly version: number | undefined
  /** Of each passage, if it is known. */
  readonly vectors: Array<Float32Array | undefined>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (kernel: VectorKernel, embedder: Embedding): MirrorIndex => {
  const { dimensions } = embedder
  const own = MemoryIndex.make(kernel)
  const lexicalWeight = Fusion.lexicalWeight(embedder)
  const taking = Preparation.makeTurns()

  const remove = (id: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const passages = own.get(id)?.entry.passages.length ?? 0
      own.remove(id)
      return taking(passages * 1_000)
    })

  /** A passage that says what one did before keeps its vector. */
  const draft = (entry: MemoryIndex.Entry, version: number | undefined): Draft => {
    const before = own.get(entry.id)?.entry
    const numbers = before === undefined || before.title !== entry.title ? undefined : own.vectors(before)
    const known = new Map(numbers === undefined ? [] : before?.passages.map(({ text }, n) => [text, n] as const))
    return {
      entry,
      version,
      vectors: entry.passages.map(({ text }) => {
        const n = known.get(text)
        return n === undefined ? undefined : numbers?.subarray(n * dimensions, (n + 1) * dimensions)
      })
    }
  }

  const embed = Effect.fnUntraced(function*(drafts: ReadonlyArray<Draft>) {
    const missing = drafts.flatMap(({ entry, vectors }) =>
      entry.passages.flatMap(({ text }, n) =>
        vectors[n] === undefined ? [{ vectors, n, text: Chunker.embedded(entry.title, text) }] : []
      )
    )
    for (let at = 0; at < missing.length; at += batchSize) {
      const batch = missing.slice(at, at + batchSize)
      const made = yield* Effect.mapError(embedder.embed(batch.map(({ text }) => text)), MirrorProblem.ofEmbedder)
      if (made.length !== batch.length || made.some((vector) => vector.length !== dimensions)) {
        const sentence = `the embedder ${embedder.id} did not give one vector of ${dimensions} dimensions per passage`
        return yield* Effect.fail(MirrorProblem.unfit("fault", sentence))
      }
      for (const [k, { n, vectors }] of batch.entries()) vectors[n] = made[k]
    }
  })

  const apply: MirrorIndex["apply"] = Effect.fnUntraced(function*(documents) {
    const drafts: Array<Draft> = []
    for (const { id, passages } of documents) {
      const [first] = passages
      if (first === undefined) {
        yield* remove(id)
        continue
      }
      const entry = entryOf(first, passages)
      const held = own.get(id)
      if (held === undefined || !isSame(held.entry, entry)) drafts.push(draft(entry, first.version))
      else if (held.version !== first.version) own.raise(id, first.version)
      yield* taking(passages.length * 1_000)
    }
    yield* embed(drafts)
    for (const { entry, vectors, version } of drafts) {
      const words: Array<ReadonlyArray<string>> = []
      for (const { text } of entry.passages) {
        words.push(Preparation.words(entry.title, text))
        yield* taking(text.length)
      }
      const isIn = own.put({
        entry,
        version,
        words,
        vectors: vectors.map((vector) => vector ?? new Float32Array(dimensions))
      })
      if (!isIn) {
        return yield* Effect.fail(MirrorProblem.unfit("large", "there is no memory left for its vectors"))
      }
    }
  })

  const search: MirrorIndex["search"] = ({ filter, limit, text, vector }, origin) =>
    Effect.suspend(() => {
      const compiled = Filter.compile(filter)
      if (Either.isLeft(compiled)) {
        const reason = new Invalid({ description: compiled.left })
        return Effect.fail(new DocumentStoreError({ method: "search", reason }))
      }
      if (vector !== undefined && vector.length !== dimensions) {
        const description =
          `the query's vector has ${vector.length} dimensions and those of ${embedder.id} have ${dimensions}`
        return Effect.fail(new DocumentStoreError({ method: "search", reason: new Incompatible({ description }) }))
      }
      if (compiled.right === undefined) return Effect.succeed([])
      const found = own.search({ terms: Tokenizer.terms(text), vector, filter: compiled.right, limit, lexicalWeight })
      return Effect.succeed(found.map((hit) => ({ ...hit, passage: spanned(hit.passage), origin })))
    })

  return {
    apply,
    search,
    held: own.get,
    ids: () => own.all().map(({ entry }) => entry.id),
    passages: () => own.size().passages,
    clear: Effect.suspend(() => Effect.forEach(own.all(), ({ entry }) => remove(entry.id), { discard: true }))
  }
}
