/**
 * Joins the parts of policies.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type { Dimension, Parts, RateLimit, SizeLimit } from "./PolicyParts.js"

/**
 * The parts of a policy that asks for nothing.
 *
 * @since 0.1.0
 * @category constants
 */
export const nothing: Parts = {
  priority: Option.none(),
  sizeLimit: Option.none(),
  idempotent: Option.none(),
  rateLimits: [],
  concurrency: Option.none(),
  coalesce: false,
  fallbacks: [],
  cache: Option.none(),
  circuitBreaker: Option.none(),
  timeout: Option.none(),
  retry: Option.none(),
  attemptTimeout: Option.none(),
  minConfidence: Option.none()
}

/**
 * Whose calls share a bucket unless a limit says otherwise.
 *
 * @since 0.1.0
 * @category configuration
 */
export const defaultPer: ReadonlyArray<Dimension> = ["caller", "tool"]

/** What is `undefined` was not said, and leaves what was said before. */
const sizes = (self: Option.Option<SizeLimit>, that: Option.Option<SizeLimit>): Option.Option<SizeLimit> =>
  Option.isSome(self) && Option.isSome(that)
    ? Option.some({
      input: that.value.input ?? self.value.input,
      result: that.value.result ?? self.value.result
    })
    : Option.orElse(that, () => self)

/** Two limits of the same bucket are one. */
const bucketOf = ({ name, per }: RateLimit): string =>
  JSON.stringify([name ?? "calls", [...new Set(per ?? defaultPer)].sort()])

/**
 * One policy over another: where both set the same thing, the second counts.
 *
 * @since 0.1.0
 * @category combinators
 */
export const over = (self: Parts, that: Parts): Parts => ({
  priority: Option.orElse(that.priority, () => self.priority),
  sizeLimit: sizes(self.sizeLimit, that.sizeLimit),
  idempotent: Option.orElse(that.idempotent, () => self.idempotent),
  rateLimits: [
    ...self.rateLimits.filter((limit) => !that.rateLimits.some((other) => bucketOf(other) === bucketOf(limit))),
    ...that.rateLimits
  ],
  concurrency: Option.orElse(that.concurrency, () => self.concurrency),
  coalesce: self.coalesce || that.coalesce,
  fallbacks: [
    ...self.fallbacks.filter(({ _tag }) => !that.fallbacks.some((other) => other._tag === _tag)),
    ...that.fallbacks
  ],
  cache: Option.orElse(that.cache, () => self.cache),
  circuitBreaker: Option.orElse(that.circuitBreaker, () => self.circuitBreaker),
  timeout: Option.orElse(that.timeout, () => self.timeout),
  retry: Option.orElse(that.retry, () => self.retry),
  attemptTimeout: Option.orElse(that.attemptTimeout, () => self.attemptTimeout),
  minConfidence: Option.orElse(that.minConfidence, () => self.minConfidence)
})
