/**
 * How a batch of documents becomes entries of the store in memory: refused,
 * unchanged, or cut, embedded and ready.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { EmbedderError, Embedding } from "../../embedding/Embedder.js"
import * as Chunker from "../Chunker.js"
import type { Document } from "../Document.js"
import * as Moment from "../Moment.js"
import * as Tokenizer from "../Tokenizer.js"
import * as Filter from "./Filter.js"
import type { Entry } from "./MemoryIndex.js"

/**
 * What becomes of one document.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly id: string; readonly status: "indexed" | "unchanged"; readonly passages: number }
  | { readonly id: string; readonly status: "refused"; readonly reason: string }

interface Planned {
  readonly document: Document
  readonly fingerprint: string
  readonly chunks: ReadonlyArray<Chunker.Chunk>
}

/**
 * What is to be done for a batch, and what to answer when it is done.
 *
 * @since 0.1.0
 * @category models
 */
export interface Plan {
  readonly planned: ReadonlyArray<Planned>
  readonly outcomes: ReadonlyArray<Outcome>
}

/**
 * Lets sockets and timers run; `Effect.yieldNow` gives way to fibers alone.
 *
 * @since 0.1.0
 * @category combinators
 */
export const giveWay: Effect.Effect<void> = Effect.async((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

/** How many passages are sent to the embedder at once. */
const batchSize = 64

/**
 * Looks at a batch: each document that may be indexed, the last one of each id,
 * unless it is stored already. Every entry of one id has the same outcome.
 *
 * @since 0.1.0
 * @category combinators
 */
export const plan = (
  tenant: string,
  documents: ReadonlyArray<Document>,
  embedderId: string,
  stored: (id: string) => Entry | undefined
): Effect.Effect<Plan> =>
  Effect.gen(function*() {
    const unnamed = Filter.isStorable(tenant) ? undefined : "the tenant's name holds a NUL or a broken character"
    const refusals: Array<string | undefined> = []
    const last = new Map<string, Document>()
    for (const document of documents) {
      const reason = unnamed ?? Chunker.check(document)
      refusals.push(reason)
      if (reason === undefined) last.set(document.id, document)
      yield* giveWay
    }
    const planned: Array<Planned> = []
    const taken = new Map<string, Outcome>()
    for (const [id, document] of last) {
      const fingerprint = Chunker.fingerprint(document, embedderId)
      const held = stored(id)
      if (held?.fingerprint === fingerprint) {
        taken.set(id, { id, status: "unchanged", passages: held.passages.length })
        continue
      }
      const chunks = Chunker.chunk(document)
      planned.push({ document, fingerprint, chunks })
      taken.set(id, { id, status: "indexed", passages: chunks.length })
      yield* giveWay
    }
    const outcomes = documents.flatMap((document, n): ReadonlyArray<Outcome> => {
      const reason = refusals[n]
      if (reason !== undefined) return [{ id: document.id, status: "refused", reason }]
      const outcome = taken.get(document.id)
      return outcome === undefined ? [] : [outcome]
    })
    return { planned, outcomes }
  })

/**
 * The embedder answered with something other than one vector of its own
 * dimensions per text.
 *
 * @since 0.1.0
 * @category models
 */
export interface Misfit {
  readonly _tag: "Misfit"
}

/**
 * The entries of a plan, embedded and tokenised; others get a turn between
 * batches of passages.
 *
 * @since 0.1.0
 * @category combinators
 */
export const entries = (
  { planned }: Plan,
  embedder: Embedding
): Effect.Effect<ReadonlyArray<Entry>, EmbedderError | Misfit> =>
  Effect.gen(function*() {
    const indexedAt = Moment.iso(yield* Clock.currentTimeMillis)
    const texts = planned.flatMap(({ chunks, document }) =>
      chunks.map((chunk) => Chunker.embedded(document.title, chunk.text))
    )
    const vectors: Array<Float32Array> = []
    for (let at = 0; at < texts.length; at += batchSize) {
      vectors.push(...yield* embedder.embed(texts.slice(at, at + batchSize)))
    }
    if (vectors.length !== texts.length || vectors.some((vector) => vector.length !== embedder.dimensions)) {
      return yield* Effect.fail<Misfit>({ _tag: "Misfit" })
    }
    const tokens: Array<ReadonlyArray<string>> = []
    for (const [n, text] of texts.entries()) {
      if (n % 16 === 0) yield* giveWay
      tokens.push(Tokenizer.tokens(text))
    }
    let next = 0
    return planned.map(({ chunks, document, fingerprint }): Entry => {
      const millis = document.publishedAt === undefined ? undefined : Moment.millis(document.publishedAt)
      // a copy: the caller may go on to change theirs
      const metadata = { ...document.metadata }
      const passages = chunks.map((chunk) => {
        const at = next++
        return {
          passage: {
            documentId: document.id,
            position: chunk.position,
            title: document.title ?? "",
            text: chunk.text,
            ...(document.uri === undefined ? {} : { uri: document.uri }),
            ...(millis === undefined ? {} : { publishedAt: Moment.iso(millis) }),
            indexedAt,
            metadata
          },
          tokens: tokens[at] ?? [],
          vector: vectors[at] ?? new Float32Array(embedder.dimensions)
        }
      })
      return { id: document.id, fingerprint, publishedAt: millis, metadata, passages }
    })
  })
