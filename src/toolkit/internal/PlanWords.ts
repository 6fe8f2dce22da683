/**
 * Says in words what each part of a policy does.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Parts, RateLimit } from "../../policy/Policy.js"
import * as Policy from "../../policy/Policy.js"

/**
 * @since 0.1.0
 * @category models
 */
export type Name = Exclude<keyof Parts, "rateLimits" | "fallbacks"> | "rateLimit" | "fallback"

const format = (duration: Duration.DurationInput): string => Duration.format(Duration.decode(duration))

const size = (bytes: number): string =>
  bytes % 1048576 === 0 ? `${bytes / 1048576} MiB` : bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`

const calls = (count: number): string => `${count} ${count === 1 ? "call" : "calls"}`

const limited = ({ burst, cost, limit, name, per, settle, window }: RateLimit): string => {
  const dimensions = [...new Set(per ?? Policy.defaultPer)]
  const unit = name ?? "calls"
  const counted = cost === undefined ? "" : settle === undefined ? ", counted by its input" : ", settled by its answer"
  return `${limit} ${unit} per ${format(window)}${
    dimensions.length === 0 ? " for all together" : ` for each ${dimensions.join(" and ")}`
  }, ${burst ?? limit} at once${counted}`
}

const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`

type Says = { readonly [K in Name]: (parts: Parts) => ReadonlyArray<string> }

const one = <A>(part: Option.Option<A>, says: (value: A) => string): ReadonlyArray<string> =>
  Option.isNone(part) ? [] : [says(part.value)]

const says: Says = {
  priority: ({ priority }) => one(priority, (value) => `turned away as ${value}`),
  sizeLimit: ({ sizeLimit }) =>
    one(sizeLimit, ({ input, result }) =>
      [
        ...(input === undefined ? [] : [`arguments of ${size(input)}`]),
        ...(result === undefined ? [] : [`answers of ${size(result)}`])
      ].join(", ")),
  idempotent: ({ idempotent }) =>
    one(
      idempotent,
      ({ keep, key, runsWithoutStore }) =>
        `run once for each key ${key === undefined ? "of the client" : "of its input"}, kept ${
          format(keep ?? "24 hours")
        }${runsWithoutStore === true ? ", run without the store too" : ""}`
    ),
  rateLimit: ({ rateLimits }) => rateLimits.map(limited),
  concurrency: ({ concurrency }) =>
    one(
      concurrency,
      ({ limit, maxWait, perCaller, queue, upstream }) =>
        `${calls(limit)} at once${perCaller === undefined ? "" : `, ${perCaller} of one caller`}, ${
          queue ?? 4 * limit
        } waiting for ${format(maxWait ?? "10 seconds")}${upstream === undefined ? "" : `, on ${upstream}`}`
    ),
  coalesce: ({ coalesce }) => coalesce ? ["equal calls at one time share a run"] : [],
  fallback: ({ fallbacks }) =>
    fallbacks.map((fallback) =>
      fallback._tag === "Stale" ? "an answer that was kept" : `told of ${fallback.tool}: ${fallback.why}`
    ),
  cache: ({ cache }) =>
    one(
      cache,
      (cache) => {
        const { staleFor, timeToLive } = cache
        return `answers kept ${format(timeToLive)}${
          staleFor === undefined ? "" : `, and ${format(staleFor)} more for failures`
        }, half as sure after ${format(Policy.halfLifeOf(cache))}`
      }
    ),
  circuitBreaker: ({ circuitBreaker }) =>
    one(
      circuitBreaker,
      ({ consecutive, failureRate, openFor, window }) =>
        `opens for ${format(openFor ?? "5 seconds")} after ${consecutive ?? 5} failures in a row or ${
          percent(failureRate ?? 0.5)
        } within ${format(window ?? "30 seconds")}`
    ),
  timeout: ({ timeout }) => one(timeout, (duration) => `${format(duration)} in all`),
  retry: ({ retry }) => one(retry, () => "tried again where the failure says that it may help"),
  attemptTimeout: ({ attemptTimeout }) => one(attemptTimeout, (duration) => `${format(duration)} for each try`),
  minConfidence: ({ minConfidence }) =>
    one(
      minConfidence,
      ({ least, otherwise }) => `a confidence of ${least}, or ${otherwise === "fail" ? "no answer" : "marked degraded"}`
    )
}

/**
 * The parts in their order, the outermost first.
 *
 * @since 0.1.0
 * @category constants
 */
export const names: ReadonlyArray<Name> = [
  "priority",
  "sizeLimit",
  "idempotent",
  "rateLimit",
  "concurrency",
  "coalesce",
  "fallback",
  "cache",
  "circuitBreaker",
  "timeout",
  "retry",
  "attemptTimeout",
  "minConfidence"
]

/**
 * What a part of a policy does, in words; nothing where it is not set.
 *
 * @since 0.1.0
 * @category combinators
 */
export const say = (name: Name, parts: Parts): ReadonlyArray<string> => says[name](parts)
