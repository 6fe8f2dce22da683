/**
 * Whose turn it is: so many places, those that wait in rows by caller, and the
 * callers in a ring.
 *
 * @since 0.1.0
 */

/**
 * One that waits, and its place in the row of its caller.
 *
 * @since 0.1.0
 * @category models
 */
export interface Waiter {
  readonly caller: string
  before: Waiter | undefined
  behind: Waiter | undefined
  isWaiting: boolean
}

/** A caller with anything running or waiting, and its place in the ring. */
interface Caller {
  running: number
  waiting: number
  first: Waiter | undefined
  last: Waiter | undefined
  /** In the ring: it has one that waits and may run. */
  isReady: boolean
}

/**
 * Every step takes the same time, however many wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turns<in out W extends Waiter> {
  /** Takes a place at once; false when there is none, and then nothing changed. */
  readonly enter: (caller: string) => boolean
  readonly leave: (caller: string) => void
  /** Goes to the end of its caller's row. */
  readonly join: (waiter: W) => void
  /** Leaves its row; one that has had its turn is left alone. */
  readonly quit: (waiter: W) => void
  /** Whose row is the longest, the last in it; nobody unless it is longer than that of this caller would be. */
  readonly longest: (caller: string) => W | undefined
  /** Gives a place that is free to whose turn it is. */
  readonly next: () => W | undefined
  readonly running: () => number
  readonly waiting: () => number
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const waiter = (caller: string): Waiter => ({
  caller,
  before: undefined,
  behind: undefined,
  isWaiting: false
})

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = <W extends Waiter>(limit: number, perCaller: number): Turns<W> => {
  const callers = new Map<string, Caller>()
  /** A set keeps the order in which callers came, and lets any of them go. */
  const ring = new Set<Caller>()
  /** Callers by how many of theirs wait; one step at a time, so that the longest row is always at hand. */
  const byLength: Array<Set<Caller>> = []
  let longest = 0
  let running = 0
  let waiting = 0

  const resize = (caller: Caller, by: 1 | -1): void => {
    byLength[caller.waiting]?.delete(caller)
    caller.waiting += by
    waiting += by
    if (caller.waiting > 0) (byLength[caller.waiting] ??= new Set()).add(caller)
    if (caller.waiting > longest) longest = caller.waiting
    else if (by < 0 && caller.waiting + 1 === longest && byLength[longest]?.size === 0) longest--
  }

  const of = (name: string): Caller => {
    const found = callers.get(name)
    if (found !== undefined) return found
    const caller: Caller = { running: 0, waiting: 0, first: undefined, last: undefined, isReady: false }
    callers.set(name, caller)
    return caller
  }

  /** After any change of a caller: in the ring or not, known or forgotten. */
  const sort = (name: string, caller: Caller): void => {
    const isReady = caller.first !== undefined && caller.running < perCaller
    if (isReady !== caller.isReady) {
      caller.isReady = isReady
      if (isReady) ring.add(caller)
      else ring.delete(caller)
    }
    if (caller.running === 0 && caller.first === undefined) callers.delete(name)
  }

  const unlink = (caller: Caller, { before, behind }: Waiter): void => {
    if (before === undefined) caller.first = behind
    else before.behind = behind
    if (behind === undefined) caller.last = before
    else behind.before = before
  }

  const quit = (waiter: Waiter): void => {
    if (!waiter.isWaiting) return
    const caller = of(waiter.caller)
    unlink(caller, waiter)
    waiter.isWaiting = false
    resize(caller, -1)
    sort(waiter.caller, caller)
  }

  return {
    enter: (name) => {
      if (running >= limit) return false
      const caller = of(name)
      if (caller.running >= perCaller) return false
      running++
      caller.running++
      return true
    },
    leave: (name) => {
      const caller = of(name)
      running--
      caller.running--
      sort(name, caller)
    },
    join: (waiter) => {
      const caller = of(waiter.caller)
      waiter.before = caller.last
      if (caller.last === undefined) caller.first = waiter
      else caller.last.behind = waiter
      caller.last = waiter
      waiter.isWaiting = true
      resize(caller, 1)
      sort(waiter.caller, caller)
    },
    quit,
    longest: (name) => {
      if (longest - 1 <= (callers.get(name)?.waiting ?? 0)) return undefined
      // Only what was joined stands in a row.
      for (const { last } of byLength[longest] ?? []) return last as W
      return undefined
    },
    next: () => {
      if (running >= limit) return undefined
      for (const caller of ring) {
        // Only what was joined stands in a row.
        const waiter = caller.first as W
        running++
        caller.running++
        unlink(caller, waiter)
        waiter.isWaiting = false
        resize(caller, -1)
        // To the end of the ring, when it has more that may run.
        ring.delete(caller)
        caller.isReady = false
        sort(waiter.caller, caller)
        return waiter
      }
      return undefined
    },
    running: () => running,
    waiting: () => waiting
  }
}
