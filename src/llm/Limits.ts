/**
 * Holds calls to what a provider allows: requests and tokens per minute, calls
 * at once. A place is reserved before a call and settled after it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as TokenBucket from "../policy/TokenBucket.js"
import * as Places from "./internal/Places.js"

/**
 * Absent figures set no limit.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** In any minute, wherever it begins; at least 1. */
  readonly requestsPerMinute?: number | undefined
  /** Sent and answered together, in any minute; at least 1. A call of more tokens than a burst may go beyond that, and makes the next ones wait longer. */
  readonly tokensPerMinute?: number | undefined
  /** Calls at once; a whole number of at least 1. */
  readonly concurrency?: number | undefined
  /** The share of a minute's limit that may be used in one burst, above 0 and below 1; a twelfth of the requests and a quarter of the tokens unless given. */
  readonly burst?: number | undefined
}

/**
 * A reserved place. The first of the two counts; one of them has to be called.
 *
 * @since 0.1.0
 * @category models
 */
export interface Permit {
  /** The call is over, and so many tokens were used. Without a figure they stay as they were reserved. */
  readonly settle: (tokens: number | undefined, now: number) => void
  /** The call was never sent: nothing was used. */
  readonly refund: (now: number) => void
}

/**
 * Moments are milliseconds of one clock that does not go back.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /**
   * Reserves a place, a request and tokens, all in one step; or answers how many
   * milliseconds to wait: `Infinity` when only the end of another call can help,
   * `NaN` when it never fits.
   */
  readonly tryTake: (tokens: number, now: number) => Permit | number
  /**
   * Waits until a place may have come free, in the order of asking; at once when
   * there is one. The place is kept for the fiber that waits here, as long as it
   * takes it at once; then it is the next one's.
   */
  readonly released: Effect.Effect<void>
  /** The provider told what is left: levels are lowered to it, never raised. */
  readonly sync: (left: { readonly requests?: number; readonly tokens?: number }, now: number) => void
  /** What is left of the scarcer limit, from 0 to 1; 1 when there is none. */
  readonly headroom: (now: number) => number
  /** Calls under way. */
  readonly inFlight: number
  readonly concurrency: number
}

/**
 * Makes limits that are all free. Options out of their range throw a
 * `RangeError` that names them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Limits => {
  const places = Places.make(wholeFrom1("concurrency", options.concurrency) ?? Number.POSITIVE_INFINITY)
  const burst = share("burst", options.burst)
  // Of one and a half requests a minute only one fits in every minute.
  const requestLimit = atLeast1("requestsPerMinute", options.requestsPerMinute)
  const requests = bucket(requestLimit === undefined ? undefined : Math.floor(requestLimit), burst ?? 1 / 12)
  const tokenLimit = atLeast1("tokensPerMinute", options.tokensPerMinute)
  const tokens = bucket(tokenLimit, burst ?? 1 / 4)

  const permit = (reserved: number): Permit => {
    let isOver = false
    const end = (tokensBack: number, requestsBack: number, now: number): void => {
      if (isOver) return
      isOver = true
      if (tokens !== undefined && tokensBack !== 0) tokens.give(tokensBack, now)
      if (requests !== undefined && requestsBack !== 0) requests.give(requestsBack, now)
      places.giveBack()
    }
    return {
      settle: (used, now) => {
        const isKnown = used !== undefined && used >= 0 && tokens !== undefined && tokenLimit !== undefined
        // A minute without calls pays for everything: a deeper debt would only
        // punish, and a provider that reports nonsense could stop us for good.
        end(isKnown ? Math.max(reserved - used, Math.min(0, -tokenLimit - tokens.level(now))) : 0, 0, now)
      },
      refund: (now) => end(reserved, 1, now)
    }
  }

  return {
    tryTake: (asked, now) => {
      const amount = tokens === undefined ? 0 : Math.max(0, asked)
      if (!(amount <= (tokenLimit ?? 0))) return Number.NaN
      if (!places.isFree()) return Number.POSITIVE_INFINITY
      const tokenWait = tokens === undefined ? 0 : tokens.tryTake(amount, now)
      const requestWait = requests === undefined ? 0 : requests.tryTake(1, now)
      if (tokenWait === 0 && requestWait === 0) {
        places.take()
        return permit(amount)
      }
      if (tokenWait === 0 && tokens !== undefined) tokens.give(amount, now)
      if (requestWait === 0 && requests !== undefined) requests.give(1, now)
      return Math.max(tokenWait, requestWait)
    },
    released: places.freed,
    sync: (left, now) => {
      lower(requests, left.requests, now)
      lower(tokens, left.tokens, now)
    },
    headroom: (now) =>
      Math.min(
        Number.isFinite(places.capacity) ? 1 - places.taken() / places.capacity : 1,
        shareLeft(requests, now),
        shareLeft(tokens, now)
      ),
    get inFlight() {
      return places.taken()
    },
    concurrency: places.capacity
  }
}

const bucket = (limit: number | undefined, burst: number): TokenBucket.TokenBucket | undefined =>
  limit === undefined ? undefined : TokenBucket.make(TokenBucket.perMinute(limit, limit * burst))

const lower = (bucket: TokenBucket.TokenBucket | undefined, left: number | undefined, now: number): void => {
  if (bucket !== undefined && left !== undefined && left >= 0 && left < bucket.capacity) bucket.lowerTo(left, now)
}

const shareLeft = (bucket: TokenBucket.TokenBucket | undefined, now: number): number =>
  bucket === undefined ? 1 : Math.max(0, bucket.level(now) / bucket.capacity)

const wholeFrom1 = (name: string, value: number | undefined): number | undefined => {
  if (value === undefined || Number.isSafeInteger(value) && value >= 1) return value
  throw new RangeError(`${name} must be a whole number of at least 1, but is ${value}`)
}

const atLeast1 = (name: string, value: number | undefined): number | undefined => {
  if (value === undefined || value >= 1 && value < Number.POSITIVE_INFINITY) return value
  throw new RangeError(`${name} must be a finite number of at least 1, but is ${value}`)
}

const share = (name: string, value: number | undefined): number | undefined => {
  if (value === undefined || value > 0 && value < 1) return value
  throw new RangeError(`${name} must be above 0 and below 1, but is ${value}`)
}
