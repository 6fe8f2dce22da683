/**
 * The buckets of a process by their keys, no more of them than allowed, and
 * taking from several at once.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Bucket from "./Bucket.js"
import * as Expiries from "./Expiries.js"

/**
 * What is taken from a bucket.
 *
 * @since 0.1.0
 * @category models
 */
export interface Taking {
  readonly key: string
  readonly amount: number
  readonly capacity: number
  readonly perSecond: number
}

/**
 * What became of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Taken<Counted> {
  readonly isAllowed: boolean
  readonly retryAfterMs: number
  readonly buckets: Arr.NonEmptyReadonlyArray<{ readonly remaining: number; readonly fullAfterMs: number }>
  readonly refusedBy?: number
  readonly counted: Counted
}

/**
 * @since 0.1.0
 * @category models
 */
export class Entry implements Bucket.Bucket, Expiries.Expiring {
  /** Microseconds. */
  at: number
  used = 0
  perSecond: number
  index = -1
  readonly key: string
  /** Of what was used, what only this process knows of, in millionths. */
  uncounted = 0
  /** When that began, in microseconds. */
  uncountedFrom = 0

  constructor(key: string, perSecond: number, now: number) {
    this.key = key
    this.at = now
    this.perSecond = perSecond
  }
}

/** When a bucket is full, at the earliest: taking from it only makes it later. */
class Fullness implements Expiries.Expiring {
  index = -1
  at: number
  readonly entry: Entry

  constructor(entry: Entry) {
    this.entry = entry
    this.at = entry.at
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Buckets {
  /** The bucket of a key; a full one when there was none. */
  readonly get: (key: string, perSecond: number, now: number) => Entry
  readonly peek: (key: string) => Entry | undefined
  /** Takes from all or from none. Moments are whole microseconds. */
  readonly take: <C>(takes: Arr.NonEmptyReadonlyArray<Taking>, now: number, counted: C) => Taken<C>
  /** Gives back; a negative amount takes, into debt if need be. */
  readonly give: (taking: Taking, now: number) => void
  readonly size: () => number
}

const positive = (name: string, value: number): RangeError | undefined =>
  value > 0 && value < Infinity
    ? undefined
    : new RangeError(`${name} must be above zero and finite, but is ${value}`)

/**
 * Why something cannot be taken; `least` is the least amount.
 *
 * @since 0.1.0
 * @category guards
 */
export const problem = ({ amount, capacity, perSecond }: Taking, least: number): RangeError | undefined =>
  amount >= least && Number.isFinite(amount)
    ? positive("capacity", capacity) ?? positive("perSecond", perSecond)
    : new RangeError(`amount must be a finite number${least === 0 ? " of at least 0" : ""}, but is ${amount}`)

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (maxBuckets: number): Buckets => {
  const entries = new Map<string, Entry>()
  const byFullness = Expiries.make<Fullness>()

  /** The one that is full first, when it is, or when one has to go. */
  const letGo = (now: number, must: boolean): boolean => {
    for (let first = byFullness.first(); first !== undefined; first = byFullness.first()) {
      const fullAt = first.entry.at + Math.ceil(first.entry.used / first.entry.perSecond)
      if (first.at < fullAt) {
        byFullness.remove(first)
        first.at = fullAt
        byFullness.add(first)
      } else {
        // One that was full just now may be of the take that is being made.
        if (!must && fullAt >= now) return false
        byFullness.remove(first)
        entries.delete(first.entry.key)
        return true
      }
    }
    return false
  }

  const get: Buckets["get"] = (key, perSecond, now) => {
    const found = entries.get(key)
    if (found !== undefined) {
      Bucket.fillAt(found, perSecond, now)
      return found
    }
    // Two go for one that comes, so that the full ones are gone in time.
    if (letGo(now, entries.size >= maxBuckets)) letGo(now, false)
    const entry = new Entry(key, perSecond, now)
    entries.set(key, entry)
    byFullness.add(new Fullness(entry))
    return entry
  }

  const look = (entry: Entry, capacity: number, now: number) => {
    const missing = Bucket.missing(entry, now)
    return {
      remaining: missing < capacity ? Bucket.tokensOf(capacity - missing) : 0,
      fullAfterMs: missing === 0 ? 0 : Bucket.millisOf(Bucket.wait(entry, 0, now))
    }
  }

  const take: Buckets["take"] = (takes, now, counted) => {
    let longest = 0
    let refusedBy = -1
    const steps = Arr.map(takes, (taking, index) => {
      const entry = get(taking.key, taking.perSecond, now)
      const amount = Bucket.amountOf(taking.amount)
      const capacity = Bucket.capacityOf(taking.capacity)
      const least = capacity - Math.min(amount, capacity)
      if (Bucket.missing(entry, now) > least && amount > 0) {
        const millis = Math.max(1, Bucket.millisOf(Bucket.wait(entry, least, now)))
        if (millis > longest) {
          longest = millis
          refusedBy = index
        }
      }
      const step = { entry, capacity, at: entry.at, used: entry.used }
      // Even when it refuses: the same bucket may be asked twice in one take, and then both count.
      Bucket.use(entry, amount, now)
      return step
    })
    if (refusedBy !== -1) {
      for (const { at, entry, used } of steps.toReversed()) {
        entry.at = at
        entry.used = used
      }
    }
    const buckets = Arr.map(steps, ({ capacity, entry }) => look(entry, capacity, now))
    return refusedBy === -1
      ? { isAllowed: true, retryAfterMs: 0, buckets, counted }
      : { isAllowed: false, retryAfterMs: longest, buckets, refusedBy, counted }
  }

  return {
    get,
    peek: (key) => entries.get(key),
    take,
    give: ({ amount, key, perSecond }, now) => {
      const entry = get(key, perSecond, now)
      Bucket.use(entry, amount < 0 ? Bucket.amountOf(-amount) : -Bucket.amountOf(amount), now)
    },
    size: () => entries.size
  }
}
