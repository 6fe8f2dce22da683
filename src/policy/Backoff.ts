/**
 * Named, bounded schedules that say when to try again.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { pipe } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"

/**
 * What a policy needs to know of an error, whichever module it comes from.
 *
 * @since 0.1.0
 * @category models
 */
export interface Retryable {
  /** Whether the same call may succeed later. */
  readonly isRetryable: boolean
  /** How long the other side asked to be left alone; it goes before a schedule's own delay when it is longer. */
  readonly retryAfter?: Duration.Duration | undefined
}

/**
 * Whether an error says of itself that trying again may help. An error that says
 * nothing is not retryable.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRetryable = (error: unknown): error is Retryable =>
  Predicate.hasProperty(error, "isRetryable") && error.isRetryable === true

/**
 * The same schedule, but an error's `retryAfter` goes before its delay when it is
 * longer.
 *
 * @since 0.1.0
 * @category combinators
 */
export const honourRetryAfter = <Out, In extends Pick<Retryable, "retryAfter">, R>(
  schedule: Schedule.Schedule<Out, In, R>
): Schedule.Schedule<In, In, R> =>
  Schedule.modifyDelay(
    Schedule.passthrough(schedule),
    (error, delay) => error.retryAfter === undefined ? delay : Duration.max(error.retryAfter, delay)
  )

/**
 * A schedule that tries again at most `times` times, each time after a delay by
 * chance: any from none to `base`, then to twice that, and so on, and never above
 * `cap`. It gives how often it has tried again before. Those that failed at one
 * time are spread as widely as can be, some of them without a wait.
 *
 * Source: "full jitter" in the AWS article on exponential backoff and jitter.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fullJitter = (options: {
  readonly base: Duration.DurationInput
  readonly cap: Duration.DurationInput
  /** Tries after the first one; at least 0. */
  readonly times: number
}): Schedule.Schedule<number> => {
  const base = Duration.toMillis(options.base)
  const cap = Duration.toMillis(options.cap)
  return Schedule.modifyDelayEffect(
    atMost(options.times),
    (before) => Effect.map(Random.nextRange(0, Math.min(cap, base * 2 ** before)), Duration.millis)
  )
}

const atMost = (times: number): Schedule.Schedule<number> => Schedule.recurs(Math.max(0, Math.trunc(times)))

/**
 * A schedule that tries again at most `times` times, after `first`, then twice
 * that, and so on, each delay varied by a fifth either way and never above `cap`.
 * It ends at an error that is not retryable, and at one whose `retryAfter` is
 * longer than `cap`: waiting less than asked for would not help.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly first: Duration.DurationInput
  readonly cap: Duration.DurationInput
  /** Tries after the first one; at least 0. */
  readonly times: number
}): Schedule.Schedule<unknown, Retryable> => {
  const cap = Duration.decode(options.cap)
  return pipe(
    Schedule.exponential(options.first),
    Schedule.jittered,
    Schedule.modifyDelay((_, delay) => Duration.min(delay, cap)),
    Schedule.intersect(atMost(options.times)),
    Schedule.whileInput((error: Retryable) =>
      isRetryable(error) && (error.retryAfter === undefined || Duration.lessThanOrEqualTo(error.retryAfter, cap))
    ),
    honourRetryAfter
  )
}

/**
 * For a caller who waits: two more tries within a second and a half. 100 ms,
 * then 200 ms, never above one second.
 *
 * @since 0.1.0
 * @category schedules
 */
export const quick: Schedule.Schedule<unknown, Retryable> = make({ first: "100 millis", cap: "1 second", times: 2 })

/**
 * For work nobody waits for: four more tries. 200 ms, 400 ms and so on, never
 * above ten seconds.
 *
 * @since 0.1.0
 * @category schedules
 */
export const patient: Schedule.Schedule<unknown, Retryable> = make({ first: "200 millis", cap: "10 seconds", times: 4 })
