/**
 * Counts what callers take from shared buckets, in this process or for several
 * instances at once.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Buckets from "./internal/Buckets.js"

/**
 * What is taken from one bucket. A bucket is made full when it is first used;
 * whoever comes with another capacity or rate changes it for all. What is taken
 * is counted in whole millionths, rounded up, and more than 10^9 tokens as that many;
 * of a capacity the same, rounded down. What is out of range is a defect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Take {
  /** Names the bucket: any text, without bound of length (stores hash what is long). */
  readonly key: string
  /** Tokens, at least 0. One above the capacity is had when the bucket is full, and leaves it in debt. */
  readonly amount: number
  /** The most it holds; above zero. */
  readonly capacity: number
  /** How fast it fills; above zero. */
  readonly perSecond: number
}

/**
 * What became of it. `retryAfterMs` is 0 when it was had.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly isAllowed: boolean
  /** When all of it could be had, at the earliest. */
  readonly retryAfterMs: number
  /** For each bucket asked, in order: what is left, at least 0, and when it is full again. */
  readonly buckets: Arr.NonEmptyReadonlyArray<{ readonly remaining: number; readonly fullAfterMs: number }>
  /** The index of the bucket that refused; the one that refuses longest when several do. */
  readonly refusedBy?: number | undefined
  /** `shared` when all instances were counted; `local` or `none` when the shared count could not be asked. */
  readonly counted: "shared" | "local" | "none"
}

/**
 * @since 0.1.0
 * @category tags
 */
export class RateLimiter extends Context.Tag("causeway/RateLimiter")<RateLimiter, {
  /**
   * Takes from all these buckets, or from none of them. Never fails and never
   * waits longer than the limiter's own deadline: a store that does not answer is
   * dealt with as the layer was told. Already an `Exit` where nothing is waited for.
   */
  readonly take: (takes: Arr.NonEmptyReadonlyArray<Take>) => Effect.Effect<Verdict>
  /**
   * Settles afterwards: a positive `amount` is given back, a negative one is taken,
   * into debt if need be. Does not wait for the store.
   */
  readonly give: (take: Take) => Effect.Effect<void>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface MemoryOptions {
  /** Buckets kept; 100,000 unless given. Full ones are let go first, then those that are fullest. */
  readonly maxBuckets?: number | undefined
}

/**
 * Makes a limiter for one process, exact to the millionth of a token by the
 * whole microseconds of the `Clock`'s nanoseconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: MemoryOptions = {}): Effect.Effect<Context.Tag.Service<RateLimiter>> =>
  Effect.map(Effect.clock, (clock) => {
    const buckets = Buckets.make(options.maxBuckets ?? 100_000)
    const now = (): number => Number(clock.unsafeCurrentTimeNanos() / 1000n)

    const take = (takes: Arr.NonEmptyReadonlyArray<Take>): Exit.Exit<Verdict> => {
      for (const one of takes) {
        const wrong = Buckets.problem(one, 0)
        if (wrong !== undefined) return Exit.die(wrong)
      }
      return Exit.succeed(buckets.take(takes, now(), "shared"))
    }

    return {
      take,
      give: (one) =>
        Effect.suspend(() => {
          const wrong = Buckets.problem(one, -Infinity)
          if (wrong !== undefined) return Exit.die(wrong)
          buckets.give(one, now())
          return Exit.void
        })
    }
  })

/**
 * Counts in this process alone.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<RateLimiter> = Layer.effect(RateLimiter, make())
