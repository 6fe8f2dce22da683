/**
 * Finds how long a provider asks us to wait, in any of the forms that providers
 * use.
 *
 * @since 0.1.0
 */

/** `6m0s`, `1.5s`, `20ms`, `1h2m`: the durations of Go, which several vendors write. */
const durationForm =
  /^(?:(\d{1,9}(?:\.\d{1,9})?)h)?(?:(\d{1,9}(?:\.\d{1,9})?)m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?$/u

const inSentence =
  /(?:try again|retry|available) (?:in|after) (?:about )?(\d{1,9}(?:\.\d{1,9})?) ?(ms|milliseconds?|seconds?|s|minutes?|m)\b/iu
const compound = /(?:try again|retry) in ((?:\d{1,6}(?:\.\d{1,9})?(?:ms|h|m|s)){1,4})/iu

const valid = (millis: number): number | undefined =>
  Number.isFinite(millis) && millis >= 0 ? Math.ceil(millis) : undefined

const number = (text: string | undefined, factor: number): number | undefined => {
  const first = text?.split(",")[0]?.trim() ?? ""
  return /^\d{1,12}(?:\.\d{1,9})?$/u.test(first) ? valid(Number(first) * factor) : undefined
}

/**
 * A duration as vendors write it (`52s`, `6m0s`, `20ms`), in milliseconds.
 *
 * @since 0.1.0
 * @category combinators
 */
export const duration = (text: string): number | undefined => {
  const match = text === "" ? null : durationForm.exec(text.trim())
  if (match === null) return undefined
  const [, hours = "0", minutes = "0", seconds = "0", millis = "0"] = match
  return valid(Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000 + Number(millis))
}

const date = (text: string | undefined, now: number): number | undefined => {
  if (text === undefined || !/^[A-Za-z]{3,9},? /u.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

type Headers = { readonly [name: string]: string | undefined }

/** What is left of a limit, and when it refills, in the names that vendors use. */
const limits: ReadonlyArray<readonly [remaining: string, reset: string]> = [
  ["x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
  ["x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
  ["anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"],
  ["anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"],
  ["anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"],
  ["anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"],
  ["x-ratelimitbysize-remaining-minute", "ratelimitbysize-reset"],
  ["x-ratelimitbysize-remaining", "x-ratelimitbysize-reset"],
  ["ratelimitbysize-remaining", "ratelimitbysize-reset"]
]

/** A duration as Go writes it, a date, or seconds. */
const refill = (text: string, now: number): number | undefined => {
  if (!/^\d{4}-\d{2}-\d{2}T/u.test(text)) return duration(text) ?? number(text, 1000)
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/** Each limit tells when it refills; only one that is used up makes us wait. */
const reset = (headers: Headers, now: number): number | undefined => {
  const waits = limits.flatMap(([remaining, reset]) => {
    if (headers[remaining]?.trim() !== "0") return []
    return refill(headers[reset]?.trim() ?? "", now) ?? []
  })
  return waits.length === 0 ? undefined : Math.max(...waits)
}

/**
 * Milliseconds to wait. Headers come before the body, and a header in
 * milliseconds before one in seconds; of a repeated header the first value
 * counts; a negative or unreadable value counts as absent. `now` is in
 * milliseconds since the epoch, for a `Retry-After` that is a date; a date that
 * has passed means 0.
 *
 * @since 0.1.0
 * @category combinators
 */
export const find = (options: {
  readonly headers: Headers
  /** A delay field of the body, for example Gemini's `retryDelay`. */
  readonly delay?: string | undefined
  /** The body's message. */
  readonly message?: string | undefined
  readonly now: number
}): number | undefined => {
  const { headers } = options
  return number(headers["retry-after-ms"], 1) ??
    number(headers["x-ms-retry-after-ms"], 1) ??
    number(headers["retry-after"], 1000) ??
    date(headers["retry-after"], options.now) ??
    (options.delay === undefined ? undefined : duration(options.delay)) ??
    fromMessage(options.message?.slice(0, 2000)) ??
    reset(headers, options.now)
}

const fromMessage = (message: string | undefined): number | undefined => {
  if (message === undefined) return undefined
  const long = compound.exec(message)?.[1]
  const composed = long === undefined ? undefined : duration(long)
  if (composed !== undefined) return composed
  const match = inSentence.exec(message)
  if (match === null) return undefined
  const unit = (match[2] ?? "s").toLowerCase()
  const factor = unit.startsWith("ms") || unit.startsWith("milli") ? 1 : unit.startsWith("m") ? 60_000 : 1000
  return valid(Number(match[1]) * factor)
}
