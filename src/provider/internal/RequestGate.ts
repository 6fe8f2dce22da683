/**
 * Lets requests out one after the other, no more in a minute than allowed, and
 * none while the provider wants to be left alone.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TimeLimit from "../../policy/TimeLimit.js"
import * as TokenBucket from "../../policy/TokenBucket.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface RequestGate {
  /**
   * Waits for its turn, in the order of asking, and is `true` then; `false` at
   * once when the turn would not come within the `TimeLimit`. A turn that was
   * not waited for is given to others.
   */
  readonly enter: Effect.Effect<boolean>
  /** Lets nobody through for so many milliseconds from now, or until later when that was said before. */
  readonly hold: (millis: number) => Effect.Effect<void>
}

const now = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

/**
 * Makes a gate. A limit that is no positive number throws a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (perMinute: number | undefined): RequestGate => {
  const settings = perMinute === undefined ? undefined : TokenBucket.perMinute(perMinute)
  const bucket = settings === undefined ? undefined : TokenBucket.make(settings)
  let heldUntil = 0

  /** Takes a turn, in advance if need be, and says how many milliseconds away it is. */
  const reserve = (at: number): number => {
    if (settings === undefined || bucket === undefined) return 0
    const missing = Math.min(1, settings.capacity) - bucket.level(at)
    bucket.give(-1, at)
    // What flows in is summed up in floating point, which is a hair off.
    return missing <= settings.capacity * 1e-9 ? 0 : Math.ceil(missing / settings.perSecond * 1000)
  }

  const wait = (clock: Clock.Clock, turn: number): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const at = now(clock)
      const millis = Math.max(turn, heldUntil) - at
      return millis <= 0 ? Effect.succeed(true) : Effect.flatMap(TimeLimit.remaining, (left) =>
        millis >= left
          ? Effect.succeed(false)
          : Effect.zipRight(clock.sleep(Duration.millis(Math.ceil(millis))), wait(clock, turn)))
    })

  return {
    enter: Effect.clockWith((clock) =>
      Effect.suspend(() => {
        const at = now(clock)
        const turn = at + reserve(at)
        const giveBack = () => bucket?.give(1, now(clock))
        return wait(clock, turn).pipe(
          Effect.tap((isOpen) => isOpen ? undefined : giveBack()),
          Effect.onInterrupt(() => Effect.sync(giveBack))
        )
      })
    ),
    hold: (millis) =>
      Effect.map(Effect.clock, (clock) => {
        heldUntil = Math.max(heldUntil, now(clock) + millis)
      })
  }
}
