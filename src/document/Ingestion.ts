/**
 * Brings a stream of documents into a store, as fast as the store takes them and
 * no faster.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Backoff from "../policy/Backoff.js"
import type { Document } from "./Document.js"
import type { DocumentStoreError, Outcome } from "./DocumentStore.js"
import { DocumentStore } from "./DocumentStore.js"

/**
 * How items are put together to be written.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Batches {
  /** Items in one batch at most, 1 to 500; 50 unless given. */
  readonly batch?: number | undefined
  /** A batch is written when its items together reach this length; 512 Ki unless given. */
  readonly batchLength?: number | undefined
  /** How long an item waits for its batch to fill; 100 milliseconds unless given. */
  readonly linger?: Duration.DurationInput | undefined
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends Batches {
  /** How many times a batch is written again after the store did not answer, with growing pauses; 4 unless given. */
  readonly retries?: number | undefined
}

const within = (value: number | undefined, absent: number, max: number): number =>
  value === undefined || Number.isNaN(value) ? absent : Math.min(max, Math.max(1, Math.trunc(value)))

/**
 * Writes a stream in batches and gives what `write` gave for each, in order, as
 * soon as it is written. While one batch is written the next one fills, and the
 * stream is read no further than that. When the stream fails, what came before
 * is written first; when `write` fails, so does the whole. Interrupted, it stops
 * at once, `write` included.
 *
 * @since 0.1.0
 * @category combinators
 */
export const inBatches = <A, B, E2, R2>(
  options: Batches & {
    readonly lengthOf: (item: A) => number
    /** Is never given an empty batch. */
    readonly write: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, E2, R2>
  }
) =>
<E, R>(items: Stream.Stream<A, E, R>): Stream.Stream<B, E | E2, R | R2> => {
  const count = within(options.batch, 50, 500)
  const length = within(options.batchLength, 512 * 1024, Infinity)
  const linger = Duration.toMillis(options.linger ?? "100 millis")
  return Stream.unwrapScoped(Effect.gen(function*() {
    const begun = yield* Effect.makeLatch(false)
    const full = yield* Effect.makeLatch(false)
    const room = yield* Effect.makeLatch(true)
    let open: Array<A> = []
    let openLength = 0
    let openedAt = 0
    let ended: Exit.Exit<void, E> | undefined

    /** Waits behind the item that fills a batch, so that none is read that has no place yet. */
    const add = (item: A): Effect.Effect<void> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (open.length === 0) openedAt = now
        open.push(item)
        openLength += options.lengthOf(item)
        begun.unsafeOpen()
        if (open.length < count && openLength < length) return Effect.void
        room.unsafeClose()
        full.unsafeOpen()
        return room.await
      })

    const end = (exit: Exit.Exit<void, E>): Effect.Effect<void> =>
      Effect.sync(() => {
        ended = exit
        begun.unsafeOpen()
        full.unsafeOpen()
      })

    const take = Effect.sync((): ReadonlyArray<A> => {
      const taken = open
      open = []
      openLength = 0
      if (ended === undefined) {
        begun.unsafeClose()
        full.unsafeClose()
      }
      room.unsafeOpen()
      return taken
    })

    const lingered = Effect.flatMap(
      Clock.currentTimeMillis,
      // No longer than once more, should the date have been set back.
      (now) => Effect.sleep(Duration.millis(Math.min(linger, Math.max(0, openedAt + linger - now))))
    )

    const next: Effect.Effect<Chunk.Chunk<B>, Option.Option<E | E2>, R2> = Effect.gen(function*() {
      yield* begun.await
      yield* Effect.raceFirst(full.await, lingered)
      const batch = yield* take
      if (batch.length > 0) return Chunk.unsafeFromArray([...yield* Effect.mapError(options.write(batch), Option.some)])
      return yield* Exit.isExit(ended) && Exit.isFailure(ended)
        ? Effect.failCause(ended.cause).pipe(Effect.mapError(Option.some))
        : Effect.fail(Option.none())
    })

    yield* Effect.forkScoped(Effect.onExit(Stream.runForEach(items, add), end))
    return Stream.repeatEffectChunkOption(next)
  }))
}

/**
 * The outcome of every document, in order, as soon as it is durable: what was
 * not given an outcome may be sent again. The stream is read no further than
 * two batches ahead. A store that does not answer is asked again; when it still
 * does not, the stream fails and everything that had an outcome stays. Documents
 * of one id are written in their order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const run = (
  tenant: string,
  options: Options = {}
): <E, R>(
  documents: Stream.Stream<Document, E, R>
) => Stream.Stream<Outcome, E | DocumentStoreError, R | DocumentStore> => {
  const { retries = 4, ...batches } = options
  const patient = Backoff.make({ first: "200 millis", cap: "10 seconds", times: retries })
  return inBatches({
    ...batches,
    // a document that is no document is refused by the store, by name
    lengthOf: (document: Document) => typeof document.text === "string" ? document.text.length : 0,
    write: (documents) =>
      Effect.flatMap(DocumentStore, (store) => Effect.retry(store.index(tenant, documents), patient))
  })
}
