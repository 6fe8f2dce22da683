/**
 * Remembers how fast and how well a model has answered, in a fixed amount of
 * memory.
 *
 * @since 0.1.0
 */
import * as Window from "./Window.js"

/** In this time, in milliseconds, a time to answer loses its weight (to 1/e). */
const latencyDecay = 10_000

/** In this time, in milliseconds, a success or a failure loses its weight (to 1/e). */
const successDecay = 30_000

/** After this many milliseconds without a try nobody knows how fast it is. */
const coldAfter = 30_000

const kept = 128

const enoughForMedian = 5

const enoughForP95 = 20

/**
 * Makes an empty record. A time above the average counts at once and in full,
 * one below it bit by bit; a failure can raise the average, never lower it. The
 * share of successes begins with one success, which loses no weight: what failed
 * long ago is forgiven.
 *
 * Source: peak EWMA as in Twitter Finagle's load balancers.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = () => {
  const whole = Window.make(kept)
  const first = Window.make(kept)
  let latency = Number.NaN
  let latencyAt = Number.NEGATIVE_INFINITY
  let answers = 0
  let tries = 0
  let triesAt = Number.NEGATIVE_INFINITY

  const isCold = (now: number) => Number.isNaN(latency) || now - latencyAt > coldAfter

  const observe = (now: number, elapsedMs: number): void => {
    if (isCold(now) || elapsedMs >= latency) {
      latency = elapsedMs
    } else {
      const weight = Math.exp(-Math.max(0, now - latencyAt) / latencyDecay)
      latency = latency * weight + elapsedMs * (1 - weight)
    }
    latencyAt = Math.max(latencyAt, now)
  }

  const fade = (now: number): number => tries === 0 ? 0 : Math.exp(-Math.max(0, now - triesAt) / successDecay)

  const count = (now: number, answered: 0 | 1): void => {
    const weight = fade(now)
    answers = answers * weight + answered
    tries = tries * weight + 1
    triesAt = Math.max(triesAt, now)
  }

  return {
    answered: (now: number, elapsedMs: number, firstTokenMs: number | undefined): void => {
      observe(now, elapsedMs)
      count(now, 1)
      whole.add(elapsedMs)
      if (firstTokenMs !== undefined) first.add(firstTokenMs)
    },
    failed: (now: number, elapsedMs: number): void => {
      if (!isCold(now) && elapsedMs > latency) observe(now, elapsedMs)
      count(now, 0)
    },
    latency: (now: number): number | undefined => isCold(now) ? undefined : latency,
    median: (): number | undefined => whole.size() < enoughForMedian ? undefined : whole.quantile(0.5),
    firstTokenP95: (): number | undefined => {
      const window = first.size() === 0 ? whole : first
      return window.size() < enoughForP95 ? undefined : window.quantile(0.95)
    },
    successRate: (now: number): number => {
      const weight = fade(now)
      return (answers * weight + 1) / (tries * weight + 1)
    }
  }
}
