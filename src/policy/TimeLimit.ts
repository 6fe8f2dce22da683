/**
 * Says until when an answer is of use to whoever waits for it, so that all that
 * is done on the way can end in time. It can be shortened on the way, never
 * prolonged.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { dual } from "effect/Function"
import { globalValue } from "effect/GlobalValue"

/**
 * The moment, in milliseconds of the `Clock`'s nanoseconds (which do not jump
 * with the date); `Infinity` when nobody set one.
 *
 * @since 0.1.0
 * @category fiber refs
 */
export const current: FiberRef.FiberRef<number> = globalValue(
  "causeway/TimeLimit",
  () => FiberRef.unsafeMake(Number.POSITIVE_INFINITY)
)

const now = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

/**
 * Runs an effect that is to be over within this time, or by the limit that
 * stands already when that is sooner. It ends nothing by itself: what is run
 * reads the limit.
 *
 * @since 0.1.0
 * @category combinators
 */
export const within: {
  (duration: Duration.DurationInput): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.DurationInput): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.DurationInput): Effect.Effect<A, E, R> =>
    Effect.clockWith((clock) => {
      const limit = now(clock) + Duration.toMillis(duration)
      return Effect.locallyWith(self, current, (outer) => Math.min(outer, limit))
    })
)

/**
 * The time left, in milliseconds: never below zero, `Infinity` without a limit.
 *
 * @since 0.1.0
 * @category accessors
 */
export const remaining: Effect.Effect<number> = Effect.clockWith((clock) =>
  Effect.map(FiberRef.get(current), (limit) => Math.max(0, limit - now(clock)))
)
