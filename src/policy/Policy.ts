/**
 * What is asked of a call beside its answer, as one plain value: how long it may
 * take, whether it is tried again, how often it may be made, what is kept of it
 * and what the caller gets when it fails.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Schedule from "effect/Schedule"
import type * as Types from "effect/Types"
import type { Retryable } from "./Backoff.js"
import type * as CircuitBreaker from "./CircuitBreaker.js"
import type { IdempotencyStore } from "./IdempotencyStore.js"
import * as PolicyJoin from "./internal/PolicyJoin.js"
import type {
  Cache,
  Concurrency,
  Idempotent,
  MinConfidence,
  Parts,
  Priority,
  RateLimit,
  SizeLimit
} from "./internal/PolicyParts.js"
import type { RateLimiter } from "./RateLimiter.js"
import type { ResultCache } from "./ResultCache.js"

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
 * The mark of a policy that may run a call more than once, or answer one with
 * what another call was answered. Only a call that is safe to repeat may be
 * given one.
 *
 * @since 0.1.0
 * @category models
 */
export type Repeats = "repeats"

export type {
  /**
   * How long answers are kept.
   *
   * @since 0.1.0
   * @category configuration
   */
  Cache,
  /**
   * How many calls may run at once. Those that wait take turns by caller, so that
   * one who sends a hundred does not keep another waiting for all of them.
   *
   * @since 0.1.0
   * @category configuration
   */
  Concurrency,
  /**
   * Whose calls share a bucket: those of one caller, one tenant, one tool, or any
   * combination of them; of nothing, all calls.
   *
   * @since 0.1.0
   * @category models
   */
  Dimension,
  /**
   * What the caller gets when the source of the answer fails: the name of another
   * tool that can help, or an answer that was kept, if it is not too old.
   *
   * @since 0.1.0
   * @category models
   */
  Fallback,
  /**
   * How repeated sendings of one call are recognised.
   *
   * @since 0.1.0
   * @category configuration
   */
  Idempotent,
  /**
   * How sure an answer must be to be given.
   *
   * @since 0.1.0
   * @category configuration
   */
  MinConfidence,
  /**
   * The parts of a policy, in the order in which they stand around a handler, the
   * outermost first, whatever the order in which they were written.
   *
   * @since 0.1.0
   * @category models
   */
  Parts,
  /**
   * When calls have to be turned away, `background` goes first and `critical` last.
   *
   * @since 0.1.0
   * @category models
   */
  Priority,
  /**
   * How often calls may be made: a token bucket.
   *
   * @since 0.1.0
   * @category configuration
   */
  RateLimit,
  /**
   * How large a call may be, in bytes of JSON.
   *
   * @since 0.1.0
   * @category configuration
   */
  SizeLimit
} from "./internal/PolicyParts.js"

/**
 * A policy. `Needs` is `Repeats` when it may run a call more than once or answer
 * it with another's answer, and `never` when it runs each call once at most; `R`
 * is what has to be provided for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy<out Needs extends Repeats = never, out R = never> extends Pipeable, Parts {
  readonly [TypeId]: { readonly _Needs: Types.Covariant<Needs>; readonly _R: Types.Covariant<R> }
}

/**
 * What any policy may need: the type to accept when repeating is no harm.
 *
 * @since 0.1.0
 * @category models
 */
export type Any = Policy<Repeats, unknown>

/**
 * What a policy needs of the call it is given.
 *
 * @since 0.1.0
 * @category models
 */
export type Needs<P> = P extends Policy<infer N, infer _R> ? N : never

/**
 * What has to be provided for a policy.
 *
 * @since 0.1.0
 * @category models
 */
export type Services<P> = P extends Policy<infer _N, infer R> ? R : never

const prototype = {
  [TypeId]: { _Needs: (_: never) => _, _R: (_: never) => _ },
  pipe() {
    // eslint-disable-next-line prefer-rest-params -- `pipeArguments` takes the arguments object itself
    return pipeArguments(this, arguments)
  }
}

const make = <N extends Repeats, R>(parts: Partial<Parts>): Policy<N, R> =>
  Object.assign(Object.create(prototype), PolicyJoin.nothing, parts)

/**
 * Whether a value is a policy.
 *
 * @since 0.1.0
 * @category guards
 */
export const isPolicy = (value: unknown): value is Any => Predicate.hasProperty(value, TypeId)

/**
 * Whether a policy may run a call more than once, or answer it with another's
 * answer.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRepeating = (policy: Any): boolean =>
  Option.isSome(policy.retry) || Option.isSome(policy.cache) || policy.coalesce

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
 * Refuses calls over a limit with `rate_limited` and the time to wait. Several
 * limits may hold together; one of the same name and dimensions replaces another.
 *
 * @since 0.1.0
 * @category constructors
 */
export const rateLimit = (limit: RateLimit): Policy<never, RateLimiter> => make({ rateLimits: [limit] })

/**
 * Lets so many calls run at once; others wait in turn, and are refused with
 * `temporarily_unavailable` when too many wait or the wait is too long.
 *
 * @since 0.1.0
 * @category constructors
 */
export const concurrency = (options: number | Concurrency): Policy =>
  make({ concurrency: Option.some(typeof options === "number" ? { limit: options } : options) })

/**
 * Equal calls at the same time share one run. The caller belongs to what makes
 * calls equal, unless the tool says that its answers are public.
 *
 * @since 0.1.0
 * @category constructors
 */
export const coalesce: Policy<Repeats> = make({ coalesce: true })

/**
 * Keeps answers for equal calls. The caller belongs to what makes calls equal,
 * unless the tool says that its answers are public. An answer that was kept says
 * so in its sources and counts less with age; failures and degraded answers are
 * not kept.
 *
 * @since 0.1.0
 * @category constructors
 */
export const cache = (options: Cache): Policy<Repeats, ResultCache> => make({ cache: Option.some(options) })

/**
 * Runs a call once, however often it is sent: the second gets the answer of the
 * first, or waits for it. A key that comes with other arguments is refused.
 *
 * @since 0.1.0
 * @category constructors
 */
export const idempotent = (options: Idempotent = {}): Policy<never, IdempotencyStore> =>
  make({ idempotent: Option.some(options) })

/**
 * Stops calling what keeps failing: calls fail at once with
 * `temporarily_unavailable` until a probe succeeds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const circuitBreaker = (options: CircuitBreaker.Options = {}): Policy =>
  make({ circuitBreaker: Option.some(options) })

/**
 * Holds back answers that are less sure than this, from 0 to 1: the call fails
 * with `degraded_only`, or the answer is marked degraded.
 *
 * @since 0.1.0
 * @category constructors
 */
export const minConfidence = (least: number, otherwise: MinConfidence["otherwise"] = "fail"): Policy =>
  make({ minConfidence: Option.some({ least, otherwise }) })

/**
 * Bounds what a call brings and what it gives back, in bytes of JSON.
 *
 * @since 0.1.0
 * @category constructors
 */
export const sizeLimit = (limit: SizeLimit): Policy => make({ sizeLimit: Option.some(limit) })

/**
 * States what the caller gets when the source fails: a failure that names
 * another tool and why it helps, or, with `"stale"`, the answer that was kept, if
 * it is within the cache's `staleFor`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fallback = (to: "stale" | { readonly tool: string; readonly why: string }): Policy =>
  make({ fallbacks: [to === "stale" ? { _tag: "Stale" } : { _tag: "Tool", ...to }] })

/**
 * Says which calls are turned away first when the server has too much to do;
 * `normal` unless given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const priority = (priority: Priority): Policy => make({ priority: Option.some(priority) })

export {
  /**
   * Whose calls share a bucket unless a limit says otherwise.
   *
   * @since 0.1.0
   * @category configuration
   */
  defaultPer
} from "./internal/PolicyJoin.js"

/**
 * The age at which a kept answer is half as sure as it was: unless given, 4 times
 * as long as it is kept for, or as it may stand in for where it is for that alone.
 *
 * @since 0.1.0
 * @category accessors
 */
export const halfLifeOf = ({ halfLife, staleFor = 0, timeToLive }: Cache): Duration.Duration => {
  if (halfLife !== undefined) return Duration.decode(halfLife)
  const kept = Duration.decode(timeToLive)
  return Duration.times(Duration.isZero(kept) ? Duration.decode(staleFor) : kept, 4)
}

/**
 * Joins policies into one. Where two set the same thing, the later one counts,
 * so `Policy.all(Policy.standard, Policy.timeout("5 seconds"))` allows five
 * seconds; rate limits of different buckets all hold.
 *
 * @since 0.1.0
 * @category combinators
 */
export const all = <const P extends ReadonlyArray<Any>>(
  ...policies: P
): Policy<Needs<P[number]>, Services<P[number]>> => make(policies.reduce<Parts>(PolicyJoin.over, PolicyJoin.nothing))

/**
 * What every call gets unless told otherwise: 30 seconds in all, one try; 64
 * calls at once and 256 that wait, tool by tool; arguments of 1 MiB and answers of
 * 256 KiB at most.
 *
 * @since 0.1.0
 * @category constructors
 */
export const standard: Policy = all(
  timeout("30 seconds"),
  concurrency({ limit: 64, queue: 256 }),
  sizeLimit({ input: 1024 * 1024, result: 256 * 1024 })
)
