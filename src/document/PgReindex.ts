/**
 * Embeds what is stored with the embedder that is used now, so that a store can
 * change its embedder without reading the documents anew.
 *
 * @since 0.1.0
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Embedder from "../embedding/Embedder.js"
import * as Chunker from "./Chunker.js"
import { DocumentStoreError, Unembedded } from "./DocumentStore.js"
import * as PassageVectors from "./internal/PassageVectors.js"
import * as PgFailure from "./internal/PgFailure.js"
import * as PgIngestion from "./internal/PgIngestion.js"
import * as PgLock from "./internal/PgLock.js"
import * as PgSchema from "./internal/PgSchema.js"
import * as PgVectors from "./internal/PgVectors.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  /** Documents that have the new embedder's vectors now, whoever gave them. */
  readonly done: number
  /** Documents that still have another embedder's. */
  readonly left: number
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Documents per transaction, 1 to 200; 20 unless given. */
  readonly batch?: number | undefined
}

/** How often documents are counted: that reads all of them, if only in an index. */
const countEvery = 1_000

/** How long to wait for others to finish what they took. */
const patience = "500 millis"

const asked = PgFailure.within("index", "1 minute")

/** A document that is refused cannot stay between two embedders, so whoever runs this has to decide. */
const embedded = (
  { of }: PassageVectors.PassageVectors,
  embedder: Embedder.Embedding,
  documents: ReadonlyArray<PgVectors.Held>
): Effect.Effect<ReadonlyArray<Float32Array>, DocumentStoreError> =>
  of(documents.map(({ id, passages, title }) => ({
    id,
    texts: passages.map(({ text }) => Chunker.embedded(title, text))
  }))).pipe(
    Effect.mapError(PgIngestion.unembedded),
    Effect.flatMap(Effect.forEach((vectors) =>
      Either.isRight(vectors) ? Effect.succeed(vectors.right) : new DocumentStoreError({
        method: "index",
        reason: new Unembedded({
          embedder: embedder.id,
          description: `${vectors.left}; remove or replace that document, and reindex again`,
          isRetryable: false
        })
      })
    )),
    Effect.map((vectors) =>
      vectors.flat()
    )
  )

/**
 * Replaces the vectors of every other embedder, one batch after the other, and
 * says after each how far it is. Stopped and run again it goes on where it was;
 * several at once share the work. Words, versions, dates and `indexedAt` stay,
 * and no change is published. Until it is over, stores of either embedder
 * refuse searches as `Incompatible`, and say that this is under way. What a
 * process had taken that was killed is waited for, a minute at most, and so is
 * every transaction that is still open and brings another embedder's vectors.
 *
 * @since 0.1.0
 * @category combinators
 */
export const run = (
  options: Options = {}
): Stream.Stream<Progress, DocumentStoreError, SqlClient.SqlClient | Embedder.Embedder> =>
  Stream.unwrapScoped(Effect.gen(function*() {
    const embedder = yield* Embedder.Embedder
    const batch = Math.min(Math.max(Math.trunc(options.batch ?? 20) || 20, 1), 200)
    const { hasVector } = yield* PgSchema.open
    const passageVectors = PassageVectors.make(embedder)
    const lease = yield* PgVectors.makeLease(embedder.id)
    let place: PgVectors.Place | undefined
    let progress: Progress = { done: 0, left: 0 }
    let countedAt = Number.NEGATIVE_INFINITY

    const count = (more: number) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        if (more > 0 && now - countedAt < countEvery && progress.left > more) {
          progress = { done: progress.done + more, left: progress.left - more }
        } else {
          progress = yield* asked(PgVectors.count(embedder.id))
          countedAt = now
        }
        return progress
      })

    const step: Effect.Effect<
      Progress,
      Option.Option<DocumentStoreError>,
      SqlClient.SqlClient
    > = Effect.gen(function*() {
      for (;;) {
        const isFromStart = place === undefined
        const { last, taken } = yield* asked(PgIngestion.transact(lease.take(place, batch)))
        place = last
        if (last === undefined && isFromStart) {
          const told = progress
          // Asked before the count: a writer that ended in between is counted, and one that begins sees our vectors.
          const isLast = !(yield* asked(PgLock.areOthersWriting(embedder.id)))
          const { left } = yield* count(0)
          // Between counts, what others removed or did is not seen: the last word is exact.
          if (left === 0 && told.left !== 0) return progress
          if (left === 0 && isLast) return yield* Effect.fail(Option.none())
          // Others have the rest.
          yield* Effect.sleep(patience)
        }
        if (taken.length === 0) continue
        const held = yield* asked(PgVectors.read(taken))
        const vectors = yield* embedded(passageVectors, embedder, held)
        const replaced = yield* asked(PgIngestion.transact(
          Effect.zipLeft(
            PgVectors.replace(held, vectors, {
              embedderId: embedder.id,
              dimensions: embedder.dimensions,
              hasVector
            }),
            lease.give(taken)
          )
        ))
        return yield* count(replaced)
      }
    }).pipe(Effect.mapError((error) => Option.isOption(error) ? error : Option.some(error)))

    const first = Stream.fromEffect(count(0))
    return Stream.concat(first, Stream.repeatEffectOption(step))
  }))
