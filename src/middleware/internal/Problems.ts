/**
 * Finds what is wrong with a policy, so that it is said when a tool is registered
 * and not found out by its callers.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Parts, RateLimit } from "../../policy/Policy.js"

const isPositive = (value: number): boolean => value > 0 && value < Infinity

const lasts = (duration: Duration.DurationInput): boolean => Duration.toMillis(duration) > 0

const unless = (isRight: boolean, sentence: string): ReadonlyArray<string> => (isRight ? [] : [sentence])

const ofLimit = ({ burst, limit, name, window }: RateLimit): ReadonlyArray<string> =>
  unless(
    isPositive(limit) && isPositive(burst ?? limit) && isPositive(Duration.toMillis(window)),
    `the rate limit "${name ?? "calls"}" must have a limit, a burst and a window that are finite and above zero`
  )

const one = <A>(part: Option.Option<A>, problems: (value: A) => ReadonlyArray<string>): ReadonlyArray<string> =>
  Option.isNone(part) ? [] : problems(part.value)

/**
 * What is wrong with the parts that a tool's calls are run by, a sentence each.
 * Breakers and places look at their options themselves.
 *
 * @since 0.1.0
 * @category guards
 */
export const find = (policy: Parts): ReadonlyArray<string> => [
  ...one(policy.sizeLimit, ({ input = Infinity, result = Infinity }) => [
    ...unless(input > 0, `the size limit of the arguments must be above zero, but is ${input}`),
    ...unless(result > 0, `the size limit of the answer must be above zero, but is ${result}`)
  ]),
  ...one(
    policy.idempotent,
    ({ keep = "24 hours" }) => unless(lasts(keep), "what is run once must be kept for longer than no time")
  ),
  ...policy.rateLimits.flatMap(ofLimit),
  ...one(policy.cache, ({ halfLife, staleFor = 0, timeToLive }) => [
    ...unless(lasts(timeToLive) || lasts(staleFor), "answers must be kept for longer than no time"),
    ...unless(halfLife === undefined || lasts(halfLife), "the half-life of kept answers must be above zero")
  ]),
  ...one(policy.timeout, (timeout) => unless(lasts(timeout), "the timeout must be above zero")),
  ...one(policy.attemptTimeout, (timeout) => unless(lasts(timeout), "the timeout of one try must be above zero")),
  ...one(
    policy.minConfidence,
    ({ least }) => unless(least >= 0 && least <= 1, `the least confidence must be from 0 to 1, but is ${least}`)
  )
]
