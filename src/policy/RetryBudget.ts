/**
 * Bounds how many calls may be made again, as a share of those made in the first
 * place, so that retries cannot multiply an outage.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Retries allowed for each first call, 0 or more; 0.1 unless given. */
  readonly ratio?: number | undefined
  /** Retries allowed each second however few first calls there are, 0 or more; 1 unless given. */
  readonly minPerSecond?: number | undefined
  /** How long a first call counts; 10 seconds unless given. */
  readonly ttl?: Duration.DurationInput | undefined
}

/**
 * A budget. Moments are milliseconds of one clock that does not go back.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryBudget {
  /** A call was made in the first place. */
  readonly deposit: (now: number) => void
  /** Whether one more retry is within the budget; if so it is spent. */
  readonly tryWithdraw: (now: number) => boolean
  /** Retries that are within the budget now. */
  readonly balance: (now: number) => number
}

/** What first calls allow is kept by when they were made, in this many parts of the time they count. */
const parts = 10

/**
 * Makes a budget. Options out of their range throw a `RangeError` that names
 * them.
 *
 * Source: retry budgets as in Twitter Finagle and Tower.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): RetryBudget => {
  const ratio = atLeastZero("ratio", options.ratio ?? 0.1)
  const perMillis = atLeastZero("minPerSecond", options.minPerSecond ?? 1) / 1000
  const ttl = Duration.toMillis(options.ttl ?? "10 seconds")
  if (!(ttl > 0 && ttl < Infinity)) throw new RangeError("ttl must be above zero and finite")

  const partMillis = ttl / parts
  // A slow floor still has to save up one whole retry.
  const mostOfFloor = perMillis === 0 ? 0 : Math.max(1, perMillis * ttl)
  let floor = mostOfFloor
  let at = -Infinity
  let earned = 0
  const earnings: Array<{ readonly part: number; left: number }> = []

  const pass = (time: number): number => {
    if (time > at) {
      if (perMillis > 0) floor = Math.min(mostOfFloor, floor + (time - at) * perMillis)
      at = time
    }
    const part = Math.floor(at / partMillis)
    for (let first = earnings[0]; first !== undefined && first.part <= part - parts; first = earnings[0]) {
      earnings.shift()
      earned -= first.left
    }
    if (earnings.length === 0) earned = 0
    return part
  }

  /** The oldest goes first: it would be the next to be lost. */
  const spend = (amount: number): void => {
    let left = amount
    for (let first = earnings[0]; first !== undefined && left > 0; first = earnings[0]) {
      const part = Math.min(left, first.left)
      first.left -= part
      earned -= part
      left -= part
      if (first.left > 0) return
      earnings.shift()
    }
    floor = Math.max(0, floor - left)
  }

  return {
    deposit: (now) => {
      const part = pass(now)
      const last = earnings.at(-1)
      if (last?.part === part) last.left += ratio
      else earnings.push({ part, left: ratio })
      earned += ratio
    },
    tryWithdraw: (now) => {
      pass(now)
      // Ten tenths are a hair less than one.
      if (earned + floor < 1 - 1e-9) return false
      spend(1)
      return true
    },
    balance: (now) => {
      pass(now)
      return Math.floor(earned + floor + 1e-9)
    }
  }
}

const atLeastZero = (name: string, value: number): number => {
  if (value >= 0 && value < Infinity) return value
  throw new RangeError(`${name} must be a finite number of at least 0, but is ${value}`)
}
