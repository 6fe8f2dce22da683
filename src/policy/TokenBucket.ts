/**
 * Counts what may be taken per time: a bucket that fills by itself, from which
 * more than there is can be settled afterwards.
 *
 * @since 0.1.0
 */

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
 * earlier one than the last counts as the last. Nothing here waits.
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
  const capacity = positive("capacity", options.capacity)
  const perMillis = positive("perSecond", options.perSecond) / 1000
  // Sums of what flowed in are a hair off; without this a wait that was kept to could be asked for again.
  const tolerance = capacity * 1e-9
  let content = capacity
  let at = -Infinity

  const fill = (now: number): void => {
    if (finite("now", now) <= at) return
    content = Math.min(capacity, content + (now - at) * perMillis)
    at = now
  }

  return {
    capacity,
    tryTake: (amount, now) => {
      if (finite("amount", amount) < 0) throw new RangeError(`amount must not be negative, but is ${amount}`)
      fill(now)
      if (amount === 0) return 0
      const missing = Math.min(amount, capacity) - content
      if (missing > tolerance) return Math.max(1, Math.ceil(missing / perMillis))
      content -= amount
      return 0
    },
    give: (amount, now) => {
      finite("amount", amount)
      fill(now)
      content = Math.min(capacity, content + amount)
    },
    lowerTo: (level, now) => {
      finite("level", level)
      fill(now)
      content = Math.min(content, level)
    },
    level: (now) => {
      fill(now)
      return content
    }
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
