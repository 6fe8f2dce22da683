/**
 * How many calls there were, how many failed and how long they took, over the
 * last quarter of an hour in steps of five seconds.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category constants
 */
export const bucketMillis = 5000

/**
 * @since 0.1.0
 * @category constants
 */
export const bucketCount = 180

/**
 * Up to this many milliseconds calls are told apart no more; from there on four
 * bins double the time, so that a percentile is at most 9 % off.
 */
const leastMillis = 0.125
const binsPerOctave = 4
/** The last one begins at five minutes. */
const bins = 88

/**
 * The oldest step first, all lists of one length. A percentile is in milliseconds,
 * at most a tenth off between an eighth of a millisecond and five minutes, and
 * `null` where no call was timed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Points {
  /** When the last step ends, in milliseconds since the epoch; it may not have ended. */
  readonly until: number
  readonly stepMillis: number
  readonly calls: ReadonlyArray<number>
  readonly failures: ReadonlyArray<number>
  readonly p50: ReadonlyArray<number | null>
  readonly p99: ReadonlyArray<number | null>
}

/**
 * The whole quarter of an hour in one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Total {
  readonly calls: number
  readonly failures: number
  readonly p50: number | null
  readonly p99: number | null
}

/**
 * @since 0.1.0
 * @category models
 */
export interface CallSeries {
  /** Counts a call; one without a time is not in the percentiles. */
  readonly add: (now: number, isFailure: boolean, millis: number | undefined) => void
  readonly points: (now: number) => Points
  readonly total: (now: number) => Total
}

const binOf = (millis: number): number =>
  millis > leastMillis ? Math.min(bins - 1, 1 + Math.floor(Math.log2(millis / leastMillis) * binsPerOctave)) : 0

/** The middle of a bin, to two digits behind the point. */
const millisOf = (bin: number): number =>
  Math.round(leastMillis * 2 ** (Math.max(0, bin - 0.5) / binsPerOctave) * 100) / 100

const quantile = (counts: Uint32Array, from: number, share: number): number | null => {
  let all = 0
  for (let bin = 0; bin < bins; bin++) all += counts[from + bin] ?? 0
  if (all === 0) return null
  let left = Math.ceil(all * share)
  for (let bin = 0; bin < bins; bin++) {
    left -= counts[from + bin] ?? 0
    if (left <= 0) return millisOf(bin)
  }
  return millisOf(bins - 1)
}

const sum = (counts: ReadonlyArray<number>): number => counts.reduce((all, count) => all + count, 0)

/**
 * Makes an empty one of some 70 KB. Times are in milliseconds since the epoch; a
 * clock that is set back loses what was counted for the time that is to come again.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): CallSeries => {
  /** Which step, counted from the epoch, each place holds. */
  const steps = new Float64Array(bucketCount).fill(-1)
  const calls = new Uint32Array(bucketCount)
  const failures = new Uint32Array(bucketCount)
  const times = new Uint32Array(bucketCount * bins)

  /** The places of the last steps that hold something, or `undefined`, the oldest first. */
  const places = (last: number): ReadonlyArray<number | undefined> =>
    Array.from({ length: bucketCount }, (_, index) => {
      const step = last - bucketCount + 1 + index
      const place = step % bucketCount
      return steps[place] === step ? place : undefined
    })
  const read = (last: number, counts: Uint32Array): ReadonlyArray<number> =>
    places(last).map((place) => place === undefined ? 0 : counts[place] ?? 0)
  const stepOf = (now: number): number => Math.max(bucketCount, Math.floor(now / bucketMillis))

  return {
    add: (now, isFailure, millis) => {
      const step = stepOf(now)
      const place = step % bucketCount
      if (steps[place] !== step) {
        steps[place] = step
        calls[place] = 0
        failures[place] = 0
        times.fill(0, place * bins, (place + 1) * bins)
      }
      calls[place] = (calls[place] ?? 0) + 1
      if (isFailure) failures[place] = (failures[place] ?? 0) + 1
      if (millis === undefined) return
      const at = place * bins + binOf(millis)
      times[at] = (times[at] ?? 0) + 1
    },
    points: (now) => {
      const last = stepOf(now)
      const at = places(last)
      const percentiles = (share: number): ReadonlyArray<number | null> =>
        at.map((place) => place === undefined ? null : quantile(times, place * bins, share))
      return {
        until: (last + 1) * bucketMillis,
        stepMillis: bucketMillis,
        calls: read(last, calls),
        failures: read(last, failures),
        p50: percentiles(0.5),
        p99: percentiles(0.99)
      }
    },
    total: (now) => {
      const last = stepOf(now)
      const all = new Uint32Array(bins)
      for (const place of places(last)) {
        if (place === undefined) continue
        for (let bin = 0; bin < bins; bin++) all[bin] = (all[bin] ?? 0) + (times[place * bins + bin] ?? 0)
      }
      return {
        calls: sum(read(last, calls)),
        failures: sum(read(last, failures)),
        p50: quantile(all, 0, 0.5),
        p99: quantile(all, 0, 0.99)
      }
    }
  }
}
