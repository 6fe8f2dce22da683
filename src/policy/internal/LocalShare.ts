/**
 * Counts an instance's share of every limit while the store that counts for all
 * is away, and knows what that has not heard of.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Bucket from "./Bucket.js"
import * as Buckets from "./Buckets.js"

type Takings = Arr.NonEmptyReadonlyArray<Buckets.Taking>

/**
 * What the store has not heard of, in millionths.
 *
 * @since 0.1.0
 * @category models
 */
export interface Untold {
  /** What is still missing of this instance's share because of it. */
  readonly least: number
  /** All of it. */
  readonly all: number
  /** How long ago it began, in microseconds. */
  readonly since: number
}

/**
 * Keys are those of the store; moments are whole microseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface LocalShare {
  readonly take: (takes: Takings, now: number) => Buckets.Taken<"local">
  readonly give: (taking: Buckets.Taking, now: number) => void
  /** Remembers what the store says is left, of which this instance may have its share when it goes away. */
  readonly learn: (takes: Takings, verdict: Buckets.Taken<unknown>, now: number) => void
  /** What the store has not heard of, for each take; it is told but once. */
  readonly tell: (takes: Takings, now: number) => ReadonlyArray<Untold>
  /** The store did not hear of this after all. */
  readonly untold: (takes: Takings, told: ReadonlyArray<Untold>) => void
  /** The store has counted these takes after all; gives what of them it will have counted twice. */
  readonly known: (takes: Takings) => ReadonlyArray<Buckets.Taking>
}

const nothing: Untold = { least: 0, all: 0, since: 0 }

const add = (entry: Buckets.Entry, amount: number, now: number): void => {
  if (entry.uncounted === 0) entry.uncountedFrom = now
  entry.uncounted += amount
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (instances: number): LocalShare => {
  const buckets = Buckets.make(100_000)

  const shareOf = (taking: Buckets.Taking): Buckets.Taking => ({
    ...taking,
    capacity: taking.capacity / instances,
    perSecond: taking.perSecond / instances
  })

  return {
    take: (takes, now) => {
      const verdict = buckets.take<"local">(Arr.map(takes, shareOf), now, "local")
      if (verdict.isAllowed) {
        for (const { amount, key } of takes) {
          const entry = buckets.peek(key)
          if (entry !== undefined) add(entry, Bucket.amountOf(amount), now)
        }
      }
      return verdict
    },
    give: (taking, now) => {
      buckets.give(shareOf(taking), now)
      const entry = buckets.peek(taking.key)
      if (entry === undefined) return
      if (taking.amount < 0) add(entry, Bucket.amountOf(-taking.amount), now)
      else entry.uncounted = Math.max(0, entry.uncounted - Bucket.amountOf(taking.amount))
    },
    learn: (takes, verdict, now) => {
      takes.forEach(({ capacity, key, perSecond }, index) => {
        const left = verdict.buckets[index]
        if (left === undefined) return
        const entry = buckets.get(key, perSecond / instances, now)
        // What the store has not heard of is not in its answer.
        if (entry.uncounted > 0) return
        entry.at = now
        // Rounded as the share of the capacity is, or a whole token of it could be a millionth short.
        entry.used = Math.floor(Bucket.amountOf(Math.max(0, capacity - left.remaining)) / instances)
      })
    },
    tell: (takes, now) =>
      takes.map(({ key }) => {
        const entry = buckets.peek(key)
        if (entry === undefined || entry.uncounted === 0) return nothing
        const all = entry.uncounted
        entry.uncounted = 0
        return { least: Math.min(all, Bucket.missing(entry, now)), all, since: now - entry.uncountedFrom }
      }),
    untold: (takes, told) =>
      takes.forEach(({ key }, index) => {
        const entry = buckets.peek(key)
        if (entry !== undefined) entry.uncounted += told[index]?.all ?? 0
      }),
    known: (takes) =>
      takes.flatMap((taking) => {
        const amount = Bucket.amountOf(taking.amount)
        const entry = buckets.peek(taking.key)
        const untold = Math.min(entry?.uncounted ?? 0, amount)
        if (entry !== undefined) entry.uncounted -= untold
        return untold < amount ? [{ ...taking, amount: Bucket.tokensOf(amount - untold) }] : []
      })
  }
}
