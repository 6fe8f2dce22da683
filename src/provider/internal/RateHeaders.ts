/**
 * Finds in a response's headers how much of the provider's limits is left, in
 * the names that vendors use.
 *
 * @since 0.1.0
 */

/**
 * What is left, in requests and in tokens; absent where nothing is told.
 *
 * @since 0.1.0
 * @category models
 */
export interface Remaining {
  readonly requests?: number
  readonly tokens?: number
}

type Headers = { readonly [name: string]: string | undefined }

const requestNames = [
  "x-ratelimit-remaining-requests",
  "x-ratelimit-remaining-req-minute",
  "anthropic-ratelimit-requests-remaining",
  "x-ratelimit-remaining",
  "ratelimit-remaining"
] as const

const tokenNames = [
  "x-ratelimit-remaining-tokens",
  "x-ratelimit-remaining-tokens-minute",
  "anthropic-ratelimit-tokens-remaining",
  "x-ratelimitbysize-remaining-minute",
  "x-ratelimitbysize-remaining",
  "ratelimitbysize-remaining"
] as const

/** Anthropic counts what goes in and what comes out apart; the scarcer of them counts. */
const directions = [
  "anthropic-ratelimit-input-tokens-remaining",
  "anthropic-ratelimit-output-tokens-remaining"
] as const

const figure = (text: string | undefined): number | undefined => {
  const first = text?.split(",")[0]?.trim() ?? ""
  return /^\d{1,12}(?:\.\d{1,9})?$/u.test(first) ? Math.floor(Number(first)) : undefined
}

const first = (headers: Headers, names: ReadonlyArray<string>): number | undefined => {
  for (const name of names) {
    const text = headers[name]
    const found = text === undefined ? undefined : figure(text)
    if (found !== undefined) return found
  }
  return undefined
}

const least = (headers: Headers): number | undefined => {
  const found = directions.flatMap((name) => figure(headers[name]) ?? [])
  return found.length === 0 ? undefined : Math.min(...found)
}

/**
 * What the headers tell of the limits; `undefined` when they tell nothing. A
 * figure that is negative or no number counts as absent.
 *
 * @since 0.1.0
 * @category combinators
 */
export const find = (headers: Headers): Remaining | undefined => {
  const requests = first(headers, requestNames)
  const tokens = first(headers, tokenNames) ?? least(headers)
  return requests === undefined && tokens === undefined ? undefined : {
    ...(requests === undefined ? {} : { requests }),
    ...(tokens === undefined ? {} : { tokens })
  }
}
