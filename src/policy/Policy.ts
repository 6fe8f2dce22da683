/**
 * How long a call may take and whether it is tried again, as one plain value.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"
import type * as Types from "effect/Types"
import { isExit } from "../protocol/Ended.js"
import type { Retryable } from "./Backoff.js"
import * as Backoff from "./Backoff.js"
import { Deadline } from "./Deadline.js"

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: unique symbol = Symbol.for("~causeway/Policy")

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * The mark of a policy that may run a call more than once. Only a call that is
 * safe to repeat may be given one.
 *
 * @since 0.1.0
 * @category models
 */
export type Repeats = "repeats"

/**
 * A policy. `Needs` is `Repeats` when it may run the call more than once, and
 * `never` when it runs it once at most.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy<out Needs extends Repeats = never> extends Pipeable {
  readonly [TypeId]: { readonly _Needs: Types.Covariant<Needs> }
  /** The time all tries may take together, waits included. */
  readonly timeout: Option.Option<Duration.Duration>
  /** When to try again, and how often. */
  readonly retry: Option.Option<Schedule.Schedule<unknown, Retryable>>
  /** The time one try may take. */
  readonly attemptTimeout: Option.Option<Duration.Duration>
}

/**
 * What any policy may need: the type to accept when repeating is no harm.
 *
 * @since 0.1.0
 * @category models
 */
export type Any = Policy<Repeats>

/**
 * What a policy needs of the call it is given.
 *
 * @since 0.1.0
 * @category models
 */
export type Needs<P> = P extends Policy<infer N> ? N : never

const prototype = {
  [TypeId]: { _Needs: (_: never) => _ },
  pipe() {
    // eslint-disable-next-line prefer-rest-params -- `pipeArguments` takes the arguments object itself
    return pipeArguments(this, arguments)
  }
}

const make = <N extends Repeats>(
  fields: Partial<Pick<Any, "timeout" | "retry" | "attemptTimeout">>
): Policy<N> =>
  Object.assign(Object.create(prototype), {
    timeout: Option.none(),
    retry: Option.none(),
    attemptTimeout: Option.none(),
    ...fields
  })

/**
 * Whether a value is a policy.
 *
 * @since 0.1.0
 * @category guards
 */
export const isPolicy = (value: unknown): value is Any => Predicate.hasProperty(value, TypeId)

/**
 * Whether a policy may run a call more than once.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRepeating = (policy: Any): boolean => Option.isSome(policy.retry)

/**
 * The policy that leaves a call as it is.
 *
 * @since 0.1.0
 * @category constructors
 */
export const none: Policy = make({})

/**
 * Ends the call after this time, all tries and waits together.
 *
 * @since 0.1.0
 * @category constructors
 */
export const timeout = (duration: Duration.DurationInput): Policy =>
  make({ timeout: Option.some(Duration.decode(duration)) })

/**
 * Ends a single try after this time; with `retry` the next one may follow.
 *
 * @since 0.1.0
 * @category constructors
 */
export const attemptTimeout = (duration: Duration.DurationInput): Policy =>
  make({ attemptTimeout: Option.some(Duration.decode(duration)) })

/**
 * Tries again as the schedule says when the error says that this may help. An
 * error's `retryAfter` goes before a shorter delay of the schedule. Give a schedule
 * that ends, such as those of `Backoff`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const retry = (schedule: Schedule.Schedule<unknown, Retryable>): Policy<Repeats> =>
  make({ retry: Option.some(schedule) })

/**
 * Joins policies into one. Where two set the same thing, the later one counts,
 * so `Policy.all(Policy.standard, Policy.timeout("5 seconds"))` allows five
 * seconds.
 *
 * @since 0.1.0
 * @category combinators
 */
export const all = <const P extends ReadonlyArray<Any>>(...policies: P): Policy<Needs<P[number]>> =>
  make(policies.reduce<Any>((self, that) =>
    make({
      timeout: Option.orElse(that.timeout, () => self.timeout),
      retry: Option.orElse(that.retry, () => self.retry),
      attemptTimeout: Option.orElse(that.attemptTimeout, () => self.attemptTimeout)
    }), none))

/**
 * What every call gets unless told otherwise: 30 seconds in all, one try.
 *
 * @since 0.1.0
 * @category constructors
 */
export const standard: Policy = timeout("30 seconds")

const within = <A, E, R, E2>(
  effect: Effect.Effect<A, E, R>,
  limit: Option.Option<Duration.Duration>,
  onTimeout: (ms: number) => E2
): Effect.Effect<A, E | E2, R> => {
  if (Option.isNone(limit)) return effect
  const duration = Duration.toMillis(limit.value)
  return Effect.contextWithEffect((context: Context.Context<never>) => {
    const watch = Context.getOption(context, Deadline)
    // A timer of its own would cost more than most calls, so one that is there already is used.
    return Option.isSome(watch)
      ? watch.value.run(effect, { duration, onTimeout: () => Effect.fail(onTimeout(duration)) })
      : Effect.timeoutFail(effect, { duration: limit.value, onTimeout: () => onTimeout(duration) })
  })
}

const retrying = <A, E, R>(
  attempt: Effect.Effect<A, E, R>,
  schedule: Schedule.Schedule<unknown, Retryable>,
  limit: Option.Option<Duration.Duration>
): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => {
    const deadline = clock.unsafeCurrentTimeMillis() +
      Option.match(limit, { onNone: () => Infinity, onSome: Duration.toMillis })
    const loop = (state: unknown): Effect.Effect<A, E, R> =>
      Effect.catchAll(attempt, (error) => {
        if (!Backoff.isRetryable(error)) return Effect.fail(error)
        const now = clock.unsafeCurrentTimeMillis()
        return Effect.flatMap(schedule.step(now, error, state), ([next, , decision]) => {
          if (ScheduleDecision.isDone(decision)) return Effect.fail(error)
          const delay = Math.max(
            0,
            ScheduleIntervals.start(decision.intervals) - now,
            error.retryAfter === undefined ? 0 : Duration.toMillis(error.retryAfter)
          )
          // The caller learns more from this error than from the timeout that would cut the wait short.
          if (now + delay >= deadline) return Effect.fail(error)
          return Effect.zipRight(clock.sleep(Duration.millis(delay)), loop(next))
        })
      })
    return loop(schedule.initial)
  })

/**
 * Runs an effect under a policy: the total time outside, then the retries, then
 * the time of one try. A try that runs out of time is interrupted, and not waited
 * for where a `Deadline` watches; it fails with what `onTimeout` makes of the
 * limit in milliseconds, and is tried again when that error is retryable. A retry whose wait would not end within the total
 * time is not begun: the call fails at once with the last error. An effect that
 * is an `Exit` is returned as it is, without a timer or a fiber.
 *
 * @since 0.1.0
 * @category combinators
 */
export const apply = <A, E, R, E2 = never>(
  policy: Any,
  effect: Effect.Effect<A, E, R>,
  options: { readonly onTimeout: (ms: number) => E2 }
): Effect.Effect<A, E | E2, R> => {
  if (isExit(effect)) return effect
  const attempt = within(effect, policy.attemptTimeout, options.onTimeout)
  return within(
    Option.isNone(policy.retry) ? attempt : retrying(attempt, policy.retry.value, policy.timeout),
    policy.timeout,
    options.onTimeout
  )
}
