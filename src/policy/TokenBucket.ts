/**
 * Counts what may be taken per time: a bucket that fills by itself, from which
 * more than there is can be settled afterwards.
 *
 * @since 0.1.0
 */
import * as Bucket from "./internal/Bucket.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The most it holds; above zero. */
  readonly capacity: number
  /** How fast it fills; above zero. */
  readonly perSecond: number
}

/**
 * A bucket. Moments are milliseconds of one clock that does not go back; an
 * earlier one than the last counts as the last. Nothing here waits. It counts
 * whole millionths of a token and whole microseconds, and is exact in both.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenBucket {
  readonly capacity: number
  /**
   * Takes `amount` and answers 0, or takes nothing and answers how many
   * milliseconds to wait before it can be had. An amount above the capacity is
   * had when the bucket is full, and leaves it in debt.
   */
  readonly tryTake: (amount: number, now: number) => number
  /** Gives back what was taken and not used; a negative amount takes more, into debt if need be. */
  readonly give: (amount: number, now: number) => void
  /** Lowers the level to what someone who counts too says is left; never raises it. */
  readonly lowerTo: (level: number, now: number) => void
  /** What is in it; negative while it is in debt. */
  readonly level: (now: number) => number
}

/**
 * The settings with which no more than `limit` is taken in any minute, wherever
 * the minute begins, as long as nothing above the capacity is taken at once. A
 * twelfth of the limit may be taken in one burst unless `burst` is given. A
 * limit that is no positive number, or a burst that is not below it, throws a
 * `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const perMinute = (limit: number, burst: number = positive("limit", limit) / 12): Options => {
  if (positive("burst", burst) >= positive("limit", limit)) {
    throw new RangeError(`burst must be below the limit of ${limit}, but is ${burst}`)
  }
  // Whoever takes a full bucket and all that flows into it for a minute has taken the limit.
  return { capacity: burst, perSecond: (limit - burst) / 60 }
}

/**
 * Makes a full bucket. Options that are no positive numbers throw a `RangeError`.
 * Its methods throw one for an amount, a level or a moment that is no finite
 * number, and for taking a negative amount.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): TokenBucket => {
  const capacity = Bucket.capacityOf(positive("capacity", options.capacity))
  const bucket: Bucket.Bucket = { at: -Infinity, used: 0, perSecond: positive("perSecond", options.perSecond) }
  let last = -Infinity

  // Without the millionth, a moment that is a hair before a whole microsecond would lose it.
  const micros = (now: number): number => last = Math.max(last, Math.floor(finite("now", now) * 1000 + 1e-6))

  const level = (now: number): number => capacity - Bucket.missing(bucket, now)

  return {
    capacity: Bucket.tokensOf(capacity),
    tryTake: (tokens, moment) => {
      if (finite("amount", tokens) < 0) throw new RangeError(`amount must not be negative, but is ${tokens}`)
      const now = micros(moment)
      const amount = Bucket.amountOf(tokens)
      if (amount === 0) return 0
      const content = level(now)
      const needed = Math.min(amount, capacity)
      if (content < needed) return Math.max(1, Bucket.millisOf(Bucket.wait(bucket, capacity - needed, now)))
      Bucket.use(bucket, amount, now)
      return 0
    },
    give: (tokens, moment) => {
      finite("amount", tokens)
      const now = micros(moment)
      Bucket.use(bucket, tokens < 0 ? Bucket.amountOf(-tokens) : -Bucket.amountOf(tokens), now)
    },
    lowerTo: (tokens, moment) => {
      finite("level", tokens)
      const now = micros(moment)
      const over = level(now) - Math.floor(tokens * 1e6 + 1e-3)
      if (over > 0) Bucket.use(bucket, over, now)
    },
    level: (moment) => Bucket.tokensOf(level(micros(moment)))
  }
}

const finite = (name: string, value: number): number => {
  if (Number.isFinite(value)) return value
  throw new RangeError(`${name} must be a finite number, but is ${value}`)
}

const positive = (name: string, value: number): number => {
  if (finite(name, value) > 0) return value
  throw new RangeError(`${name} must be above zero, but is ${value}`)
}
