/**
 * Runs an effect under the part of a policy that concerns time and trying again.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"
import { isExit } from "../protocol/Ended.js"
import type { Retryable } from "./Backoff.js"
import * as Backoff from "./Backoff.js"
import { Deadline } from "./Deadline.js"
import type { Parts } from "./Policy.js"
import * as TimeLimit from "./TimeLimit.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<out E> {
  /** The failure of what took longer than this many milliseconds. */
  readonly onTimeout: (millis: number) => E
  /** Told when there will be another try. */
  readonly onAgain?: (() => void) | undefined
  /** Told when there will be none although the failure says that it may help: the schedule or the time is over. */
  readonly onExhausted?: (() => void) | undefined
}

const within = <A, E, R, E2>(
  effect: Effect.Effect<A, E, R>,
  limit: Option.Option<Duration.Duration>,
  onTimeout: (millis: number) => E2
): Effect.Effect<A, E | E2, R> => {
  if (Option.isNone(limit)) return effect
  const duration = Duration.toMillis(limit.value)
  const limited = TimeLimit.within(effect, limit.value)
  return Effect.contextWithEffect((context: Context.Context<never>) => {
    const watch = Context.getOption(context, Deadline)
    // A timer of its own would cost more than most calls, so one that is there already is used.
    return Option.isSome(watch)
      ? watch.value.run(limited, { duration, onTimeout: () => Effect.fail(onTimeout(duration)) })
      : Effect.timeoutFail(limited, { duration: limit.value, onTimeout: () => onTimeout(duration) })
  })
}

const retrying = <A, E, R>(
  attempt: Effect.Effect<A, E, R>,
  schedule: Schedule.Schedule<unknown, Retryable>,
  options: Options<unknown>
): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => {
    const giveUp = (error: E): Effect.Effect<never, E> => {
      options.onExhausted?.()
      return Effect.fail(error)
    }
    const loop = (state: unknown): Effect.Effect<A, E, R> =>
      Effect.catchAll(attempt, (error) => {
        if (!Backoff.isRetryable(error)) return Effect.fail(error)
        const now = clock.unsafeCurrentTimeMillis()
        return Effect.flatMap(schedule.step(now, error, state), ([next, , decision]) => {
          if (ScheduleDecision.isDone(decision)) return giveUp(error)
          const delay = Math.max(
            0,
            ScheduleIntervals.start(decision.intervals) - now,
            error.retryAfter === undefined ? 0 : Duration.toMillis(error.retryAfter)
          )
          return Effect.flatMap(TimeLimit.remaining, (left) => {
            // The caller learns more from this error than from the timeout that would cut the wait short.
            if (delay >= left) return giveUp(error)
            options.onAgain?.()
            return Effect.zipRight(clock.sleep(Duration.millis(delay)), loop(next))
          })
        })
      })
    return loop(schedule.initial)
  })

/**
 * Runs an effect under a policy's `timeout`, `retry` and `attemptTimeout`: the
 * total time outside, then the tries, then the time of one. What is run finds
 * both times in its `TimeLimit`. A try that runs out of time is interrupted, and
 * not waited for where a `Deadline` watches; it fails with what `onTimeout` makes
 * of the limit in milliseconds, and is tried again when that error is retryable. A
 * retry whose wait would not end within the total time, or the `TimeLimit` that
 * stands already, is not begun: the call fails at once with the last error. An
 * effect that is an `Exit` is returned as it is, without a timer or a fiber.
 *
 * @since 0.1.0
 * @category combinators
 */
export const run = <A, E, R, E2 = never>(
  policy: Pick<Parts, "timeout" | "retry" | "attemptTimeout">,
  effect: Effect.Effect<A, E, R>,
  options: Options<E2>
): Effect.Effect<A, E | E2, R> => {
  if (isExit(effect)) return effect
  const attempt = within(effect, policy.attemptTimeout, options.onTimeout)
  return within(
    Option.isNone(policy.retry) ? attempt : retrying(attempt, policy.retry.value, options),
    policy.timeout,
    options.onTimeout
  )
}
