/**
 * The copy of one tenant: made from what the store below lists, kept up by its
 * changes, and compared with it every so often.
 *
 * The revision is read before the documents are, and changes are followed from
 * there: what changes while it is copied is told again, and read again then. A
 * change is no more than a reason to read its document, one reading after the
 * other, so that what is held of a document never becomes older.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Embedding } from "../../embedding/Embedder.js"
import * as TimeLimit from "../../policy/TimeLimit.js"
import type { Change, DocumentStore, Place } from "../DocumentStore.js"
import { DocumentStoreError, Unavailable } from "../DocumentStore.js"
import * as MirrorIndex from "./MirrorIndex.js"
import * as MirrorPlace from "./MirrorPlace.js"
import type { Problem, Unfit } from "./MirrorProblem.js"
import * as MirrorProblem from "./MirrorProblem.js"
import type { VectorKernel } from "./VectorKernel.js"

type Store = Context.Tag.Service<DocumentStore>

/**
 * What all copies have in common.
 *
 * @since 0.1.0
 * @category models
 */
export interface Surroundings {
  readonly below: Store
  readonly embedder: Embedding
  readonly kernel: VectorKernel
  /** Held while documents are copied: a few tenants at a time. */
  readonly copying: Effect.Semaphore
  /** How often the store below is asked how far it has come, and how long a copy is kept that is not searched; milliseconds. */
  readonly every: number
  readonly idle: number
  /** Why a copy takes more room than there is; `undefined` when it does not. */
  readonly excess: (copy: MirrorCopy) => string | undefined
  /** Told when the store below did not say how far it has come, and when it did. */
  readonly failed: (error: DocumentStoreError) => Effect.Effect<void>
  readonly answered: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface MirrorCopy {
  readonly place: MirrorPlace.MirrorPlace
  readonly index: MirrorIndex.MirrorIndex
  /** The passages it holds, or will. */
  readonly weight: () => number
  readonly searched: (now: number) => void
  /** This process wrote to the store below; of some documents the version alone may be another. */
  readonly wrote: (restamped: ReadonlyArray<string>) => void
  /** The store below answered a search in place of the copy. */
  readonly passed: () => void
  /** Copies and follows until nobody has searched for long, or until it cannot be done. */
  readonly run: Effect.Effect<Unfit | undefined>
}

/** Documents that a list gives at once, that are read and embedded at once, and that are read at the same time. */
const pageSize = 250
const sliceSize = 16
const atOnce = 4

/** The longest pause between two questions to a store that does not answer. */
const longestPause = 5_000

/** Half a second at first, five seconds at most, for ever: what failed may be well at any time. */
const again = Schedule.exponential("500 millis").pipe(
  Schedule.union(Schedule.spaced("5 seconds")),
  Schedule.jittered,
  // A test's clock counts no fractions.
  Schedule.modifyDelay((_, delay) => Duration.millis(Math.round(Duration.toMillis(delay)))),
  Schedule.resetAfter("2 minutes")
)

const slices = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / sliceSize) }, (_, n) => items.slice(n * sliceSize, (n + 1) * sliceSize))

const within = <A>(
  method: DocumentStoreError["method"],
  asked: Effect.Effect<A, DocumentStoreError>,
  limit: Duration.DurationInput
): Effect.Effect<A, DocumentStoreError> =>
  Effect.timeoutFail(TimeLimit.within(asked, limit), {
    duration: limit,
    onTimeout: () => new DocumentStoreError({ method, reason: new Unavailable({}) })
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (tenant: string, bornAt: number, around: Surroundings): MirrorCopy => {
  const { below } = around
  const place = MirrorPlace.make()
  const index = MirrorIndex.make(around.kernel, around.embedder)
  /** Open when the store below is to be asked at once. */
  const stir = Effect.unsafeMakeLatch(false)
  const turn = Effect.unsafeMakeSemaphore(1)
  const restamped = new Set<string>()
  let searchedAt = bornAt
  let expected = 0
  let isCopied = false
  let isFailing = false
  let isTold = false
  /** What is copied goes on where it failed. */
  let progress: { readonly revision: number; readonly seen: Set<string>; after: Place | undefined } | undefined

  const size = within("size", Effect.suspend(() => below.size(tenant)), "5 seconds")

  const apply = (ids: ReadonlyArray<string>): Effect.Effect<void, Problem> =>
    turn.withPermits(1)(
      Effect.forEach(
        ids,
        (id) => Effect.map(within("get", below.get(tenant, id), "30 seconds"), (passages) => ({ id, passages })),
        { concurrency: atOnce }
      ).pipe(Effect.mapError(MirrorProblem.ofStore), Effect.flatMap(index.apply))
    )

  const fits = Effect.suspend(() => {
    const excess = around.excess(copy)
    return excess === undefined ? Effect.void : Effect.fail(MirrorProblem.unfit("large", excess))
  })

  const begin = Effect.gen(function*() {
    restamped.clear()
    const asked = place.ask(yield* MirrorPlace.now)
    const { passages, revision } = yield* Effect.mapError(size, MirrorProblem.ofStore)
    if (revision === 0) return yield* Effect.fail(MirrorProblem.unfit("empty", "nothing was ever stored"))
    expected = passages
    yield* fits
    place.begun(asked)
    return progress = { revision, seen: new Set(), after: undefined }
  })

  const copyAll = Effect.gen(function*() {
    const current = progress ?? (yield* begin)
    for (;;) {
      const page = yield* Effect.mapError(
        within("list", below.list(tenant, { limit: pageSize, after: current.after }), "30 seconds"),
        MirrorProblem.ofStore
      )
      for (const slice of slices(page.map(({ id }) => id))) {
        yield* apply(slice)
        yield* fits
        for (const id of slice) current.seen.add(id)
      }
      const last = page.at(-1)
      if (last === undefined) break
      current.after = last
    }
    // Of an earlier copying: these are gone, or were moved in the list, which is told as a change.
    const gone = index.ids().filter((id) => !current.seen.has(id))
    yield* turn.withPermits(1)(index.apply(gone.map((id) => ({ id, passages: [] }))))
    place.reached(current.revision)
    progress = undefined
    expected = 0
    isCopied = true
  })

  const followed = Effect.fnUntraced(function*(changes: ReadonlyArray<Change>) {
    let last = place.applied() ?? 0
    const ids = new Set<string>()
    for (const { documentId, revision } of changes) {
      if (revision <= last) continue
      if (revision !== last + 1) return yield* Effect.fail(MirrorProblem.anew("a change is missing"))
      last = revision
      ids.add(documentId)
    }
    yield* apply([...ids])
    place.reached(last)
    yield* fits
  })

  const following = Effect.suspend(() =>
    Stream.runForEachChunk(
      Stream.mapError(below.changes({ tenant, after: place.applied() }), MirrorProblem.ofStore),
      (changes) => Effect.forEach(slices([...changes]), followed, { discard: true })
    )
  ).pipe(Effect.zipRight(Effect.fail(MirrorProblem.again("the changes came to an end"))))

  const recover = Effect.suspend(() => {
    if (!isTold) return Effect.void
    isTold = false
    return Effect.logInfo("The copy in memory of a tenant's documents is kept up again")
  })

  const compare = Effect.gen(function*() {
    const asked = place.ask(yield* MirrorPlace.now)
    const due = [...restamped]
    restamped.clear()
    const { revision } = yield* Effect.mapError(
      Effect.tapBoth(size, { onFailure: around.failed, onSuccess: () => around.answered }),
      MirrorProblem.ofStore
    ).pipe(
      Effect.zipLeft(Effect.forEach(slices(due), apply, { discard: true })),
      Effect.onError(() => Effect.sync(() => due.forEach((id) => restamped.add(id))))
    )
    if (!place.told(asked, revision)) {
      return yield* Effect.fail(MirrorProblem.anew("the store below has gone back to an earlier state"))
    }
    if (place.behind(asked.at) !== undefined) yield* recover
  })

  const comparing = Effect.gen(function*() {
    let pause = around.every
    for (;;) {
      // Whoever opens it from here on does so for what this question may not see.
      yield* stir.close
      isFailing = yield* compare.pipe(
        Effect.as(false),
        Effect.catchIf((problem) => problem._tag === "Again", () => Effect.succeed(true))
      )
      pause = isFailing ? Math.max(around.every, Math.min(2 * pause, longestPause)) : around.every
      yield* Effect.timeoutOption(stir.await, pause)
    }
  })

  const report = (problem: Problem): Effect.Effect<void> => {
    if (problem._tag !== "Again" || isTold) return Effect.void
    isTold = true
    return Effect.logWarning(
      "The copy in memory of a tenant's documents cannot be made or kept up; it is tried again, and meanwhile the " +
        "store below answers",
      problem.cause
    )
  }

  const living = Effect.suspend(() => isCopied ? Effect.void : around.copying.withPermits(1)(copyAll)).pipe(
    Effect.zipRight(Effect.suspend(() => Effect.raceFirst(following, comparing))),
    Effect.tapError((problem) => {
      if (problem._tag === "Anew") {
        place.lost()
        isCopied = false
        progress = undefined
      }
      return report(problem)
    }),
    Effect.retry({ schedule: again, while: (problem) => problem._tag !== "Unfit" }),
    Effect.catchAll((problem) => Effect.succeed(problem._tag === "Unfit" ? problem : undefined))
  )

  const idling = Effect.gen(function*() {
    for (;;) {
      const left = searchedAt + around.idle - (yield* MirrorPlace.now)
      if (left <= 0) return undefined
      yield* Effect.sleep(left)
    }
  })

  const copy: MirrorCopy = {
    place,
    index,
    weight: () => Math.max(expected, index.passages()),
    searched: (now) => {
      searchedAt = now
    },
    wrote: (ids) => {
      for (const id of ids) restamped.add(id)
      place.wrote()
      stir.unsafeOpen()
    },
    passed: () => {
      if (isFailing) stir.unsafeOpen()
    },
    // Nobody waits for what is done here, and nobody asked for it: it has no limit, and is no trace of its own twice a second.
    run: Effect.raceFirst(living, idling).pipe(
      Effect.locally(TimeLimit.current, Number.POSITIVE_INFINITY),
      Effect.withTracerEnabled(false)
    )
  }
  return copy
}
