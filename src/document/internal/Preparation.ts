/**
 * How a batch of documents becomes what the store in memory keeps: refused,
 * settled already, or cut, embedded, counted and ready.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Chunker from "../Chunker.js"
import type { Document } from "../Document.js"
import * as Moment from "../Moment.js"
import * as Tokenizer from "../Tokenizer.js"
import type { Entry, Prepared } from "./MemoryIndex.js"
import type { PassageVectors, Unembedded } from "./PassageVectors.js"
import * as Versions from "./Versions.js"

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

/** How many characters are worked on before others get a turn: a few milliseconds' worth at most. */
const turn = 16_384

/**
 * Takes note of so many characters of work, and gives way when they are many.
 *
 * @since 0.1.0
 * @category models
 */
export type Taking = (characters: number) => Effect.Effect<void>

/**
 * One for all that works on a store: many small calls must give way, too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeTurns = (): Taking => {
  let done = 0
  return (characters) => {
    done += characters
    if (done < turn) return Effect.void
    done = 0
    return giveWay
  }
}

/** What looking at a document that is refused counts for. */
const refused = 256

/**
 * How many passages are sent to the embedder at once.
 *
 * @since 0.1.0
 * @category configuration
 */
export const batchSize = 64

/**
 * A document that may be indexed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Candidate {
  readonly document: Document
  readonly fingerprint: string
}

/**
 * What a batch holds: why each document is refused, in order, and of the others
 * the one that counts for each id.
 *
 * @since 0.1.0
 * @category models
 */
export interface Plan {
  readonly refusals: ReadonlyArray<string | undefined>
  readonly candidates: ReadonlyArray<Candidate>
}

/**
 * @since 0.1.0
 * @category combinators
 */
export const plan = (
  tenant: string,
  documents: ReadonlyArray<Document>,
  embedderId: string,
  taking: Taking
): Effect.Effect<Plan> =>
  Effect.gen(function*() {
    const unnamed = Chunker.checkTenant(tenant)
    const refusals: Array<string | undefined> = []
    const accepted: Array<Document> = []
    for (const document of documents) {
      const reason = unnamed ?? Chunker.check(document)
      refusals.push(reason)
      if (reason === undefined) accepted.push(document)
      // a refused one may be anything: it need not even have a text
      yield* taking(reason === undefined ? document.text.length : refused)
    }
    const candidates: Array<Candidate> = []
    for (const document of Versions.winners(accepted).values()) {
      candidates.push({ document, fingerprint: Chunker.fingerprint(document, embedderId) })
      yield* taking(document.text.length)
    }
    return { refusals, candidates }
  })

/**
 * The words of one passage, as they are looked up.
 *
 * @since 0.1.0
 * @category constructors
 */
export const words = (title: string | undefined, text: string): ReadonlyArray<string> =>
  Tokenizer.tokens(Chunker.embedded(title, text))

/**
 * Documents ready to be stored, or why the embedder refuses them; others get a
 * turn every few milliseconds.
 *
 * @since 0.1.0
 * @category combinators
 */
export const prepare = (
  candidates: ReadonlyArray<Candidate>,
  vectors: PassageVectors,
  taking: Taking
): Effect.Effect<ReadonlyArray<Either.Either<Prepared, string>>, Unembedded> =>
  Effect.gen(function*() {
    const indexedAt = Moment.iso(yield* Clock.currentTimeMillis)
    const cut: Array<Candidate & { readonly chunks: ReadonlyArray<Chunker.Chunk> }> = []
    for (const candidate of candidates) {
      cut.push({ ...candidate, chunks: Chunker.chunk(candidate.document) })
      yield* taking(candidate.document.text.length)
    }
    const embedded = yield* vectors.of(cut.map(({ chunks, document }) => ({
      id: document.id,
      texts: chunks.map((chunk) => Chunker.embedded(document.title, chunk.text))
    })))
    const prepared: Array<Either.Either<Prepared, string>> = []
    for (const [n, { chunks, document, fingerprint }] of cut.entries()) {
      const own = embedded[n] ?? Either.right([])
      if (Either.isLeft(own)) {
        prepared.push(Either.left(own.left))
        continue
      }
      const said: Array<ReadonlyArray<string>> = []
      for (const chunk of chunks) {
        said.push(words(document.title, chunk.text))
        yield* taking(chunk.text.length)
      }
      const entry: Entry = {
        id: document.id,
        fingerprint,
        title: document.title ?? "",
        uri: document.uri,
        publishedAt: document.publishedAt === undefined ? undefined : Moment.millis(document.publishedAt),
        indexedAt,
        // a copy: the caller may go on to change theirs
        metadata: { ...document.metadata },
        passages: chunks.map(({ span, text }) => ({ text, start: span.start, end: span.end }))
      }
      prepared.push(Either.right({ entry, version: document.version, words: said, vectors: own.right }))
    }
    return prepared
  })
