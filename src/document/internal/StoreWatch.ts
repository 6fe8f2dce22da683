/**
 * Notices that a store has fallen silent while somebody waits for it, and lets
 * nobody wait for it until it speaks again.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import type { DocumentStoreError } from "../DocumentStore.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface StoreWatch {
  /** Asks the store; fails with what `unavailable` gives when the store is silent, or falls silent meanwhile. */
  readonly ask: <A>(
    effect: Effect.Effect<A, DocumentStoreError>,
    unavailable: () => DocumentStoreError
  ) => Effect.Effect<A, DocumentStoreError>
}

/** Milliseconds without any answer for somebody who waits, after which it is looked whether the store lives. */
const patience = 200

/** Milliseconds within which it has to give a sign of life. */
const within = 400

/** Milliseconds from one look at a silent store to the next. */
const pause = 500

/**
 * A process that was held up sees that time is over before it sees what came
 * meanwhile: between two timers it looks.
 */
const timeIsOver = Effect.zipRight(Effect.sleep(within / 2), Effect.sleep(within / 2))

/**
 * Looks as long as somebody waits or the store is silent, and asks nothing
 * otherwise. It is silent when nobody had an answer and none of the signs came;
 * one sign is enough to believe it again. Ends with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  signs: Arr.NonEmptyReadonlyArray<Effect.Effect<void, unknown>>
): Effect.Effect<StoreWatch, never, Scope.Scope> =>
  Effect.gen(function*() {
    const somebodyWaits = Effect.unsafeMakeLatch(false)
    let waiting = 0
    let answers = 0
    let isSilent = false
    let fallsSilent = Deferred.unsafeMake<void>(FiberId.none)

    const lives = Effect.raceFirst(
      Effect.isSuccess(Effect.raceAll(signs)),
      Effect.as(timeIsOver, false)
    )

    const look = Effect.gen(function*() {
      if (!isSilent) yield* somebodyWaits.await
      const before = answers
      yield* Effect.sleep(isSilent ? pause : patience)
      if (!isSilent && (waiting === 0 || answers !== before)) return
      const wasSilent = isSilent
      isSilent = !(yield* lives) && (wasSilent || answers === before)
      if (!isSilent || wasSilent) return
      const told = fallsSilent
      fallsSilent = Deferred.unsafeMake(FiberId.none)
      yield* Deferred.succeed(told, undefined)
    })
    yield* Effect.forkScoped(Effect.forever(look))

    return {
      ask: (effect, unavailable) =>
        Effect.suspend(() => {
          if (isSilent) return Effect.fail(unavailable())
          waiting++
          somebodyWaits.unsafeOpen()
          const asked = Effect.tap(effect, () =>
            Effect.sync(() => {
              answers++
            }))
          const silent = Effect.flatMap(Deferred.await(fallsSilent), () => Effect.fail(unavailable()))
          return Effect.ensuring(
            Effect.raceFirst(asked, silent),
            Effect.sync(() => {
              waiting--
              if (waiting === 0) somebodyWaits.unsafeClose()
            })
          )
        })
    }
  })
