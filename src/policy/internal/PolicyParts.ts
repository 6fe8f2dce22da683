/**
 * What the parts of a policy are told.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type { Retryable } from "../Backoff.js"
import type * as CircuitBreaker from "../CircuitBreaker.js"

/**
 * Whose calls share a bucket: those of one caller, one tenant, one tool, or any
 * combination of them; of nothing, all calls.
 *
 * @since 0.1.0
 * @category models
 */
export type Dimension = "caller" | "tenant" | "tool"

/**
 * How often calls may be made: a token bucket.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface RateLimit {
  /** Tokens per window; above zero. */
  readonly limit: number
  readonly window: Duration.DurationInput
  /** The most that may be taken at once; `limit` unless given. */
  readonly burst?: number | undefined
  /** Whose calls share a bucket; `["caller", "tool"]` unless given, `[]` for one bucket for all. */
  readonly per?: ReadonlyArray<Dimension> | undefined
  /** Tells buckets of equal dimensions apart, for example `dollars`; `calls` unless given. */
  readonly name?: string | undefined
  /** What a call takes before it runs, by its decoded input; 1 unless given. At least 0, finite. */
  readonly cost?: ((input: unknown) => number) | undefined
  /**
   * What it has cost in the end, by the handler's answer; the difference is given
   * back, or taken into debt. An answer that was kept or shared has cost nothing, and
   * a call that failed what it took.
   */
  readonly settle?: ((answer: unknown, input: unknown) => number) | undefined
}

/**
 * How many calls may run at once. Those that wait take turns by caller, so that
 * one who sends a hundred does not keep another waiting for all of them.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Concurrency {
  /** Runs at once, 1 or more. */
  readonly limit: number
  /**
   * Calls that may wait, 0 or more; 4 times `limit` unless given. More are refused at
   * once, and of those that wait the last of who has most when another has fewer.
   */
  readonly queue?: number | undefined
  /** The longest a call waits for its turn; 10 seconds unless given, and never past its deadline. */
  readonly maxWait?: Duration.DurationInput | undefined
  /** Calls of one caller that run at once; `limit` unless given. */
  readonly perCaller?: number | undefined
  /** Tools that name the same upstream share its places; the tool's own unless given. */
  readonly upstream?: string | undefined
}

/**
 * How long answers are kept.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Cache {
  /** An answer younger than this is given without a call. */
  readonly timeToLive: Duration.DurationInput
  /** How long after that it may still stand in when the call fails (`Policy.fallback`); not at all unless given. */
  readonly staleFor?: Duration.DurationInput | undefined
  /** The age at which the confidence of a kept answer is half; 4 times `timeToLive`, or `staleFor` where that is zero, unless given. */
  readonly halfLife?: Duration.DurationInput | undefined
}

/**
 * How repeated sendings of one call are recognised.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Idempotent {
  /** How long an answer is kept for them; 24 hours unless given. */
  readonly keep?: Duration.DurationInput | undefined
  /**
   * The key, by the decoded input. Unless given it is what the client sends as
   * `_meta["dev.causeway/idempotencyKey"]`; a call without a key is run.
   */
  readonly key?: ((input: unknown) => string | undefined) | undefined
  /** Whether calls run when the store of keys does not answer; false unless given. */
  readonly runsWithoutStore?: boolean | undefined
}

/**
 * How sure an answer must be to be given.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface MinConfidence {
  /** From 0 to 1. */
  readonly least: number
  /** `fail` with `degraded_only`, or `mark` the answer degraded; `fail` unless given. */
  readonly otherwise: "fail" | "mark"
}

/**
 * How large a call may be, in bytes of JSON.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface SizeLimit {
  /** Of the arguments; larger ones are refused as `invalid_input`. */
  readonly input?: number | undefined
  /** Of the answer; the longest lists of a larger one are cut, and it says so. */
  readonly result?: number | undefined
}

/**
 * What the caller gets when the source of the answer fails: the name of another
 * tool that can help, or an answer that was kept, if it is not too old.
 *
 * @since 0.1.0
 * @category models
 */
export type Fallback =
  | { readonly _tag: "Tool"; readonly tool: string; readonly why: string }
  | { readonly _tag: "Stale" }

/**
 * When calls have to be turned away, `background` goes first and `critical` last.
 *
 * @since 0.1.0
 * @category models
 */
export type Priority = "background" | "normal" | "critical"

/**
 * The parts of a policy, in the order in which they stand around a handler, the
 * outermost first, whatever the order in which they were written.
 *
 * @since 0.1.0
 * @category models
 */
export interface Parts {
  readonly priority: Option.Option<Priority>
  /** `input` stands here, `result` innermost. */
  readonly sizeLimit: Option.Option<SizeLimit>
  readonly idempotent: Option.Option<Idempotent>
  /** Every one has to let a call through. */
  readonly rateLimits: ReadonlyArray<RateLimit>
  readonly concurrency: Option.Option<Concurrency>
  readonly coalesce: boolean
  /** One of each kind at most. */
  readonly fallbacks: ReadonlyArray<Fallback>
  readonly cache: Option.Option<Cache>
  readonly circuitBreaker: Option.Option<CircuitBreaker.Options>
  /** The time all tries may take together, waits included. */
  readonly timeout: Option.Option<Duration.Duration>
  /** When to try again, and how often. */
  readonly retry: Option.Option<Schedule.Schedule<unknown, Retryable>>
  /** The time one try may take. */
  readonly attemptTimeout: Option.Option<Duration.Duration>
  readonly minConfidence: Option.Option<MinConfidence>
}
