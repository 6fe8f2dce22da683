/**
 * Keeps calls away from what keeps failing, and lets one through now and then to
 * see whether it is well again.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How far back calls are counted; 30 seconds unless given. */
  readonly window?: Duration.DurationInput | undefined
  /** Below this many calls in the window no share is judged; 10 unless given. */
  readonly minCalls?: number | undefined
  /** Opens at this share of failures, above 0 to 1; 0.5 unless given. */
  readonly failureRate?: number | undefined
  /** A success that took longer counts as slow; none does unless given. */
  readonly slowAfter?: Duration.DurationInput | undefined
  /** Opens at this share of slow calls, above 0 to 1; 0.8 unless given. */
  readonly slowRate?: number | undefined
  /** Opens after this many failures of the connection or of time in a row; 5 unless given. */
  readonly consecutive?: number | undefined
  /** How long it stays open the first time; twice that the next, and so on; 5 seconds unless given. */
  readonly openFor?: Duration.DurationInput | undefined
  /** The longest it stays open; 2 minutes unless given. */
  readonly maxOpen?: Duration.DurationInput | undefined
  /** Successes in a row that close it; 2 unless given. */
  readonly successesToClose?: number | undefined
  /** After closing, how long until all calls are let through again: a fifth, a half, all; 10 seconds unless given. */
  readonly ramp?: Duration.DurationInput | undefined
  /** Numbers from 0 to below 1, for the spread of `openFor` (0.8 to 1.2 times) and the ramp; `Math.random` unless given. */
  readonly random?: (() => number) | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export type State = "closed" | "open" | "halfOpen"

/**
 * Leave to make one call. Exactly one of the methods counts, the first that is
 * called; one of them has to be, also when the call was interrupted. What comes
 * after the breaker has changed its state since the call began changes nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Permit {
  readonly isProbe: boolean
  readonly succeed: (now: number) => void
  /** `isConnection`: of the connection or of time, which count in a row. */
  readonly fail: (now: number, options?: { readonly isConnection?: boolean }) => void
  /** The call ended in a way that says nothing of the other side's health. */
  readonly ignore: (now: number) => void
}

/**
 * A breaker. Moments are milliseconds of one clock that does not go back.
 *
 * @since 0.1.0
 * @category models
 */
export interface CircuitBreaker {
  readonly state: (now: number) => State
  /** Leave to call, or nothing. While half open there is one at a time. */
  readonly tryAcquire: (now: number) => Permit | undefined
  /**
   * Leave to call although it is open, as a probe, when nobody else can be called
   * either; nothing while one is under way. One that fails before its time leaves
   * the breaker open as it was, not for longer.
   */
  readonly force: (now: number) => Permit | undefined
  /** When the next probe may go; `-Infinity` while closed. */
  readonly reopensAt: (now: number) => number
}

/** The window is counted in this many parts, which leave it one by one. */
const parts = 10

/** The calls of the window: all, those that failed, those that were slow. */
class Counts {
  total = 0
  failed = 0
  slow = 0
  private readonly partMillis: number
  private readonly counted: Array<{ readonly part: number; total: number; failed: number; slow: number }> = []

  constructor(windowMillis: number) {
    this.partMillis = windowMillis / parts
  }

  add(now: number, failed: number, slow: number): void {
    const part = Math.floor(now / this.partMillis)
    for (let first = this.counted[0]; first !== undefined && first.part <= part - parts; first = this.counted[0]) {
      this.counted.shift()
      this.total -= first.total
      this.failed -= first.failed
      this.slow -= first.slow
    }
    let last = this.counted.at(-1)
    if (last === undefined || last.part < part) {
      last = { part, total: 0, failed: 0, slow: 0 }
      this.counted.push(last)
    }
    last.total++
    last.failed += failed
    last.slow += slow
    this.total++
    this.failed += failed
    this.slow += slow
  }

  clear(): void {
    this.counted.length = 0
    this.total = 0
    this.failed = 0
    this.slow = 0
  }
}

type Outcome = "success" | "slow" | "failure" | "connection" | "ignored"

/**
 * Makes a closed breaker. Options out of their range throw a `RangeError` that
 * names them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): CircuitBreaker => {
  const minCalls = whole("minCalls", options.minCalls ?? 10)
  const failureRate = share("failureRate", options.failureRate ?? 0.5)
  const slowAfter = options.slowAfter === undefined ? Infinity : positive("slowAfter", options.slowAfter)
  const slowRate = share("slowRate", options.slowRate ?? 0.8)
  const consecutive = whole("consecutive", options.consecutive ?? 5)
  const openFor = positive("openFor", options.openFor ?? "5 seconds")
  const maxOpen = positive("maxOpen", options.maxOpen ?? "2 minutes")
  const successesToClose = whole("successesToClose", options.successesToClose ?? 2)
  const ramp = millis("ramp", options.ramp ?? "10 seconds")
  const random = options.random ?? Math.random

  const counts = new Counts(positive("window", options.window ?? "30 seconds"))
  /** Goes up with each change between closed and open, so that a permit knows when it is late. */
  let generation = 0
  let isOpen = false
  let inRow = 0
  let trips = 0
  let isProbing = false
  let successes = 0
  /** From then on it is half open. */
  let openUntil = -Infinity
  let closedAt = -Infinity

  const open = (now: number): void => {
    generation++
    trips++
    isOpen = true
    isProbing = false
    successes = 0
    const planned = Math.min(maxOpen, openFor * 2 ** (trips - 1))
    // Without the spread, all that opened at one time would probe at one time.
    openUntil = now + Math.min(maxOpen, planned * (0.8 + 0.4 * random()))
  }

  const close = (now: number): void => {
    generation++
    trips = 0
    isOpen = false
    isProbing = false
    inRow = 0
    counts.clear()
    closedAt = now
  }

  const called = (now: number, outcome: Outcome): void => {
    if (outcome === "ignored") return
    counts.add(now, outcome === "failure" || outcome === "connection" ? 1 : 0, outcome === "slow" ? 1 : 0)
    inRow = outcome === "connection" ? inRow + 1 : 0
    const isJudged = counts.total >= minCalls
    if (
      inRow >= consecutive ||
      (isJudged && counts.failed >= failureRate * counts.total) ||
      (isJudged && counts.slow >= slowRate * counts.total)
    ) open(now)
  }

  const probed = (now: number, outcome: Outcome): void => {
    isProbing = false
    if (outcome === "ignored") return
    if (outcome === "failure" || outcome === "connection") {
      // A probe that was forced before its time tells nothing new by failing.
      if (now >= openUntil) open(now)
      return
    }
    successes++
    openUntil = Math.min(openUntil, now)
    if (successes >= successesToClose) close(now)
  }

  const permit = (isProbe: boolean, began: number): Permit => {
    const mine = generation
    let isCounted = false
    const end = (now: number, outcome: Outcome): void => {
      if (isCounted) return
      isCounted = true
      if (mine !== generation) return
      if (isProbe) probed(now, outcome)
      else called(now, outcome)
    }
    return {
      isProbe,
      succeed: (now) => end(now, now - began > slowAfter ? "slow" : "success"),
      fail: (now, options) => end(now, options?.isConnection === true ? "connection" : "failure"),
      ignore: (now) => end(now, "ignored")
    }
  }

  const probe = (now: number): Permit | undefined => {
    if (isProbing) return undefined
    isProbing = true
    return permit(true, now)
  }

  const letsThrough = (now: number): boolean => {
    const since = now - closedAt
    return since >= ramp || random() < (since < ramp / 2 ? 0.2 : 0.5)
  }

  return {
    state: (now) => !isOpen ? "closed" : now < openUntil ? "open" : "halfOpen",
    tryAcquire: (now) => {
      if (!isOpen) return letsThrough(now) ? permit(false, now) : undefined
      return now < openUntil ? undefined : probe(now)
    },
    force: (now) => isOpen ? probe(now) : permit(false, now),
    reopensAt: () => isOpen ? openUntil : -Infinity
  }
}

const free: Permit = {
  isProbe: false,
  succeed: () => undefined,
  fail: () => undefined,
  ignore: () => undefined
}

/**
 * A breaker that never opens.
 *
 * @since 0.1.0
 * @category constructors
 */
export const off: CircuitBreaker = {
  state: () => "closed",
  tryAcquire: () => free,
  force: () => free,
  reopensAt: () => -Infinity
}

const whole = (name: string, value: number): number => {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new RangeError(`${name} must be a whole number of at least 1, but is ${value}`)
}

const share = (name: string, value: number): number => {
  if (value > 0 && value <= 1) return value
  throw new RangeError(`${name} must be above 0 and at most 1, but is ${value}`)
}

const millis = (name: string, value: Duration.DurationInput): number => {
  const millis = Duration.toMillis(value)
  if (millis < Infinity) return millis
  throw new RangeError(`${name} must be finite`)
}

const positive = (name: string, value: Duration.DurationInput): number => {
  const result = millis(name, value)
  if (result > 0) return result
  throw new RangeError(`${name} must be above zero`)
}
