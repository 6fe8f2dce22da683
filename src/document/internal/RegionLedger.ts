/**
 * Remembers when the primary stood where in its log, which says how old a copy
 * is without trusting the copy's clock.
 *
 * @since 0.1.0
 */
import type { Place } from "./RegionPlace.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Sample {
  /** The last moment at which the primary was asked and stood here. */
  readonly at: number
  readonly lsn: bigint
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Ledger {
  /** Of the primary; `undefined` until it was seen. */
  readonly timeline: () => number | undefined
  /** Where it stood last. */
  readonly last: () => Sample | undefined
  /**
   * Notes where the primary stands, unless it was asked before the last answer
   * came: which of the two is the later nobody knows. Says whether its log goes on where it was:
   * `false` after a promotion, and after a crash that took what was written but
   * not acknowledged.
   */
  readonly note: (place: Place) => boolean
  /**
   * The last moment at which the primary had written no more than this: a copy
   * that has replayed as much lacks nothing from before. `undefined` when that was
   * before the oldest sample.
   */
  readonly seenAt: (lsn: bigint) => number | undefined
}

/** With a look every half second, an hour of steady writing. */
const most = 8_192

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Ledger => {
  let timeline: number | undefined
  let samples: Array<Sample> = []
  let toldAt = -Infinity

  return {
    timeline: () => timeline,
    last: () => samples.at(-1),
    note: (place) => {
      if (place.askedAt < toldAt) return true
      toldAt = place.toldAt
      const isSameLog = timeline === undefined || timeline === place.timeline
      if (!isSameLog) samples = []
      timeline = place.timeline
      const before = samples.at(-1)
      if (before?.lsn === place.lsn) {
        samples[samples.length - 1] = { at: place.askedAt, lsn: place.lsn }
        return isSameLog
      }
      const isForward = before === undefined || before.lsn < place.lsn
      if (!isForward) samples = samples.filter(({ lsn }) => lsn < place.lsn)
      samples.push({ at: place.askedAt, lsn: place.lsn })
      // Of the older half every other one goes: what is left is earlier, so no copy seems younger than it is.
      if (samples.length > most) samples = samples.filter((_, n) => n >= most / 2 || n % 2 === 0)
      return isSameLog && isForward
    },
    seenAt: (lsn) => {
      let low = 0
      let high = samples.length
      while (low < high) {
        const middle = (low + high) >> 1
        if ((samples[middle]?.lsn ?? lsn) <= lsn) low = middle + 1
        else high = middle
      }
      return samples[low - 1]?.at
    }
  }
}
