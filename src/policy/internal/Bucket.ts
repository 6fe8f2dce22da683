/**
 * How full a bucket is that fills by itself, in whole millionths of a token and
 * whole microseconds, so that no sum is ever off.
 *
 * @since 0.1.0
 */

/**
 * What is known of a bucket: since `at`, when it was full, `used` has been taken,
 * and so much has flowed in as the time says. It does not know how much it holds:
 * a full one is like one that was never used, whatever the size.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bucket {
  /** Microseconds, whole. */
  at: number
  /** Millionths of a token, whole. */
  used: number
  perSecond: number
}

/** Tokens beyond this count as this many: sums then stay below what a number holds exactly. */
const mostTokens = 1e9
/** The most that is owed, in millionths, however it came to be. */
const mostUsed = 2 ** 51
/** More than the rounding of a limit by its window, of that by the time, and of this itself can take away. */
const slack = 1 + 2 ** -50

/**
 * What is taken, in millionths: rounded up, and 10^9 tokens at most.
 *
 * @since 0.1.0
 * @category combinators
 */
export const amountOf = (tokens: number): number =>
  // Without the thousandth, 0.29 would be a millionth more than it is.
  tokens > 0 ? Math.max(1, Math.ceil(Math.min(tokens, mostTokens) * 1e6 - 1e-3)) : 0

/**
 * What a bucket holds, in millionths: rounded down, and 10^9 tokens at most.
 *
 * @since 0.1.0
 * @category combinators
 */
export const capacityOf = (tokens: number): number => Math.max(1, Math.floor(Math.min(tokens, mostTokens) * 1e6 + 1e-3))

/**
 * Tokens of millionths.
 *
 * @since 0.1.0
 * @category combinators
 */
export const tokensOf = (millionths: number): number => millionths / 1e6

/**
 * What is missing for it to be full, in millionths.
 *
 * @since 0.1.0
 * @category combinators
 */
export const missing = (bucket: Bucket, now: number): number => {
  if (bucket.used === 0) {
    if (now > bucket.at) bucket.at = now
    return 0
  }
  const time = now - bucket.at
  if (time <= 0) return bucket.used
  const left = bucket.used - Math.floor(bucket.perSecond * time * slack)
  if (left > 0) return left
  bucket.at = now
  bucket.used = 0
  return 0
}

const fold = (bucket: Bucket, now: number): void => {
  bucket.used = missing(bucket, now)
  if (now > bucket.at) bucket.at = now
}

/**
 * From now on it fills at this rate.
 *
 * @since 0.1.0
 * @category combinators
 */
export const fillAt = (bucket: Bucket, perSecond: number, now: number): void => {
  if (bucket.perSecond === perSecond) return
  fold(bucket, now)
  bucket.perSecond = perSecond
}

/**
 * Takes, or with a negative amount gives back: never more than is missing.
 *
 * @since 0.1.0
 * @category combinators
 */
export const use = (bucket: Bucket, amount: number, now: number): void => {
  const left = missing(bucket, now)
  if (left + amount <= 0) {
    bucket.at = Math.max(bucket.at, now)
    bucket.used = 0
    return
  }
  // Counted from now on, it loses less than a millionth; so only when the sum would be too long.
  if (bucket.used > mostUsed) fold(bucket, now)
  bucket.used = Math.min(bucket.used + amount, 2 * mostUsed)
}

/**
 * Microseconds until no more than `least` millionths are missing.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wait = (bucket: Bucket, least: number, now: number): number =>
  Math.max(0, bucket.at + Math.ceil((bucket.used - least) / bucket.perSecond) - Math.max(now, bucket.at))

/**
 * Milliseconds of microseconds, rounded up.
 *
 * @since 0.1.0
 * @category combinators
 */
export const millisOf = (micros: number): number => Math.min(Math.ceil(micros / 1000), Number.MAX_SAFE_INTEGER)
