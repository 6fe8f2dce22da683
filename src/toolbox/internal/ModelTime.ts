/**
 * Gives a model the time it may take, and takes back what it overruns.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as LlmError from "../../llm/LlmError.js"
import * as TimeLimit from "../../policy/TimeLimit.js"

/**
 * Lets a model know by `TimeLimit` that it has `millis`, which a chain keeps to.
 * One that does not is interrupted, and not waited for, after `grace` more, and
 * fails as `TimedOut` in the phase `total`. `Infinity` sets no limit.
 *
 * @since 0.1.0
 * @category combinators
 */
export const within = <A>(
  self: Effect.Effect<A, LlmError.LlmError>,
  options: {
    readonly provider: string
    readonly millis: number
    readonly grace: number
  }
): Effect.Effect<A, LlmError.LlmError> =>
  options.millis === Infinity ? self : TimeLimit.within(self, options.millis).pipe(
    Effect.disconnect,
    Effect.timeoutFail({ duration: options.millis + options.grace, onTimeout: () => late(options.provider) })
  )

/**
 * What a model fails with that has no time left.
 *
 * @since 0.1.0
 * @category constructors
 */
export const late = (provider: string): LlmError.LlmError =>
  new LlmError.LlmError({
    reason: "TimedOut",
    provider,
    phase: "total",
    description: "no answer within the time left for this call"
  })
