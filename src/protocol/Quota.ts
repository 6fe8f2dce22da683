/**
 * What is left to a caller of what it was counted against, and how a transport
 * with headers says so beside the answer.
 *
 * @since 0.1.0
 */

/**
 * A limit as it is advertised.
 *
 * @since 0.1.0
 * @category models
 */
export interface Quota {
  /** Tells it from the others of the same call. */
  readonly name: string
  /** How much there is in each window. */
  readonly limit: number
  readonly windowSeconds: number
  /** What is counted, where that is not calls. */
  readonly unit?: string | undefined
}

/**
 * The limits of one call, and of each in turn what is left and in how many
 * milliseconds all of it is back.
 *
 * @since 0.1.0
 * @category models
 */
export interface Counted {
  readonly quotas: ReadonlyArray<Quota>
  readonly left: ReadonlyArray<{ readonly remaining: number; readonly fullAfterMs: number }>
}

/**
 * What is found out about a call and goes beside its answer. A transport that can
 * tell hands one in with each message, and reads it when it answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Noted {
  counted: Counted | undefined
  /** When the call may be made again, in milliseconds, if it failed and that is known. */
  retryAfterMs: number | undefined
}

/** Shared, since most calls are not counted. */
const none: ReadonlyArray<string> = []

/** The largest integer of a structured field. */
const most = 999_999_999_999_999
/** A client is told to stay away for a day at most. */
const longestRetry = 86_400

const integer = (value: number): string => String(Math.min(most, Math.max(0, value)))

/** A string of a structured field: ASCII that can be seen, and nothing that ends it. */
const quoted = (text: string): string =>
  `"${text.slice(0, 64).replace(/[^\x20-\x7e]/gu, "?").replace(/["\\]/gu, "\\$&")}"`

/** The limits of a tool are the same for all its calls. */
const policies = new WeakMap<ReadonlyArray<Quota>, string>()

const policyOf = (quotas: ReadonlyArray<Quota>): string => {
  const known = policies.get(quotas)
  if (known !== undefined) return known
  const made = quotas.map(({ limit, name, unit, windowSeconds }) =>
    `${quoted(name)};q=${integer(Math.ceil(limit))}${unit === undefined ? "" : `;qu=${quoted(unit)}`};w=${
      integer(Math.ceil(windowSeconds))
    }`
  ).join(", ")
  policies.set(quotas, made)
  return made
}

const limitOf = ({ left, quotas }: Counted): string =>
  quotas.flatMap(({ name }, index) => {
    const now = left[index]
    return now === undefined
      ? []
      : [`${quoted(name)};r=${integer(Math.floor(now.remaining))};t=${integer(Math.ceil(now.fullAfterMs / 1000))}`]
  }).join(", ")

/**
 * What was noted as HTTP headers, names and values in turn: `RateLimit-Policy` and
 * `RateLimit` of a call that was counted, `Retry-After` of one that may be made
 * again later. Parts of a token are left out, parts of a second rounded up.
 *
 * Source: draft-ietf-httpapi-ratelimit-headers-11; RFC 9110, 10.2.3.
 *
 * @since 0.1.0
 * @category encoding
 */
export const headers = ({ counted, retryAfterMs }: Noted): ReadonlyArray<string> => {
  if (counted === undefined && retryAfterMs === undefined) return none
  return [
    ...(counted === undefined || counted.quotas.length === 0
      ? none
      : ["ratelimit-policy", policyOf(counted.quotas), "ratelimit", limitOf(counted)]),
    ...(retryAfterMs === undefined
      ? none
      : ["retry-after", String(Math.min(longestRetry, Math.max(1, Math.ceil(retryAfterMs / 1000))))])
  ]
}
