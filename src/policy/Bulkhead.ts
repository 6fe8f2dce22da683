/**
 * Lets so many calls run at once, and the others wait in turn, caller by caller.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import { isExit } from "../protocol/Ended.js"
import * as Expiries from "./internal/Expiries.js"
import * as Turns from "./internal/Turns.js"
import * as TimeLimit from "./TimeLimit.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Runs at once, 1 or more. */
  readonly limit: number
  /** Calls that may wait, 0 or more. When so many do, a call of who has fewer takes the place of the last of who has most. */
  readonly queue: number
  /** The longest a call waits, in milliseconds; `TimeLimit` ends the wait sooner. */
  readonly maxWaitMillis: number
  /** Calls of one caller that run at once, 1 or more. */
  readonly perCaller: number
}

/**
 * Why a call did not run: too many wait already, or its own wait was too long.
 * `retryAfterMs` is a guess by how fast places became free of late.
 *
 * @since 0.1.0
 * @category models
 */
export interface Full {
  readonly reason: "queueFull" | "waitedTooLong"
  readonly retryAfterMs: number
}

/**
 * Places for calls. Those who wait are served caller by caller (round robin), and
 * first come first served within one caller; nor does one caller keep others from
 * waiting, however many calls it sends. A call that is interrupted while it
 * waits leaves the queue; one that runs gives its place back however it ends.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bulkhead {
  /** Runs the effect when there is a place; an effect that is an `Exit` takes none. */
  readonly run: <A, E, R, E2>(
    caller: string,
    effect: Effect.Effect<A, E, R>,
    onFull: (full: Full) => Effect.Effect<never, E2>
  ) => Effect.Effect<A, E | E2, R>
  readonly running: number
  readonly waiting: number
}

/** Nobody is told to stay away for longer, in milliseconds. */
const longestRetry = 60_000
/** What is told before it is known how fast places become free, in milliseconds. */
const unknownRetry = 1000
/** How much the last interval between two places that became free counts against all before it. */
const weight = 0.2

/**
 * While anything waits, it is looked at least this often, in milliseconds; the longer
 * that is so, the rarer. Then the timer need not be stopped when the last has its turn.
 */
const firstLook = 100
const longestLook = 1600

interface Waiter extends Turns.Waiter, Expiries.Expiring {
  outcome: "place" | "late" | "crowded" | undefined
  resume: ((outcome: Effect.Effect<void>) => void) | undefined
}

const nowOf = (clock: { readonly unsafeCurrentTimeNanos: () => bigint }): number =>
  Number(clock.unsafeCurrentTimeNanos()) / 1e6

/**
 * Makes a bulkhead. Options that are out of range throw a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Bulkhead => {
  const limit = whole("limit", options.limit, 1)
  const queue = whole("queue", options.queue, 0)
  const perCaller = whole("perCaller", options.perCaller, 1)
  const { maxWaitMillis } = options
  if (!(maxWaitMillis >= 0)) throw new RangeError(`maxWaitMillis must be at least 0, but is ${maxWaitMillis}`)

  const turns = Turns.make<Waiter>(limit, perCaller)
  const expiries = Expiries.make<Waiter>()
  let freedAt: number | undefined
  let interval: number | undefined
  let watchdog: Fiber.RuntimeFiber<void> | undefined
  let wakesAt = Infinity
  let look = firstLook

  const full = (reason: Full["reason"]): Full => ({
    reason,
    retryAfterMs: interval === undefined
      ? unknownRetry
      : Math.min(longestRetry, Math.max(1, Math.ceil(interval * (turns.waiting() + 1))))
  })

  const end = (waiter: Waiter, outcome: "place" | "late" | "crowded"): void => {
    expiries.remove(waiter)
    waiter.outcome = outcome
    waiter.resume?.(Exit.void)
  }

  /** Only while places are sought does the time between two of them say anything. */
  const measure = Effect.clockWith((clock) => {
    const now = nowOf(clock)
    if (freedAt !== undefined) {
      const last = now - freedAt
      interval = interval === undefined ? last : interval + weight * (last - interval)
    }
    freedAt = now
    return Exit.void
  })

  const leave = (caller: string): boolean => {
    const wasSought = turns.waiting() > 0
    turns.leave(caller)
    for (let next = turns.next(); next !== undefined; next = turns.next()) end(next, "place")
    if (!wasSought) freedAt = undefined
    return wasSought
  }

  const within = <A, E, R>(caller: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.matchCauseEffect(effect, {
      onFailure: (cause) => leave(caller) ? Effect.zipRight(measure, Exit.failCause(cause)) : Exit.failCause(cause),
      onSuccess: (value) => leave(caller) ? Effect.as(measure, value) : Exit.succeed(value)
    })

  const watch: Effect.Effect<void> = Effect.clockWith((clock) => {
    const now = nowOf(clock)
    for (let first = expiries.first(); first !== undefined && first.at <= now; first = expiries.first()) {
      turns.quit(first)
      end(first, "late")
    }
    const next = expiries.first()
    if (next === undefined) {
      wakesAt = Infinity
      look = firstLook
      watchdog = undefined
      return Effect.void
    }
    wakesAt = Math.min(next.at, now + look)
    look = Math.min(2 * look, longestLook)
    return Effect.zipRight(Effect.sleep(Duration.millis(Math.max(0, wakesAt - now))), watch)
  })

  const alert = (at: number): Effect.Effect<void> => {
    if (wakesAt <= at) return Effect.void
    wakesAt = at
    const before = watchdog
    // It outlives the call that began it, and has no limit of its own.
    return Effect.forkDaemon(Effect.interruptible(Effect.locally(watch, TimeLimit.current, Infinity))).pipe(
      Effect.flatMap((fiber) => {
        watchdog = fiber
        return before === undefined ? Effect.void : Fiber.interruptFork(before)
      })
    )
  }

  /** Whether there is room to wait: that of who takes the most, if need be. */
  const hasRoom = (caller: string): boolean => {
    if (turns.waiting() < queue) return true
    const last = turns.longest(caller)
    if (last === undefined) return false
    turns.quit(last)
    end(last, "crowded")
    return true
  }

  const wait = (caller: string, at: number): { readonly waiter: Waiter; readonly turn: Effect.Effect<void> } => {
    const waiter: Waiter = { ...Turns.waiter(caller), at, index: -1, outcome: undefined, resume: undefined }
    turns.join(waiter)
    expiries.add(waiter)
    return {
      waiter,
      turn: Effect.async((resume) => {
        if (waiter.outcome === undefined) waiter.resume = resume
        else resume(Exit.void)
      })
    }
  }

  const run: Bulkhead["run"] = <A, E, R, E2>(
    caller: string,
    effect: Effect.Effect<A, E, R>,
    onFull: (full: Full) => Effect.Effect<never, E2>
  ): Effect.Effect<A, E | E2, R> => {
    if (isExit(effect)) return effect
    // Between taking a place and seeing to its return nothing may come.
    return Effect.uninterruptibleMask((restore): Effect.Effect<A, E | E2, R> => {
      if (turns.enter(caller)) return within(caller, restore(effect))
      if (!hasRoom(caller)) return restore(onFull(full("queueFull")))
      return Effect.flatMap(FiberRef.get(TimeLimit.current), (timeLimit) =>
        Effect.clockWith((clock) => {
          const { turn, waiter } = wait(caller, Math.min(nowOf(clock) + maxWaitMillis, timeLimit))
          return Effect.matchCauseEffect(Effect.zipRight(alert(waiter.at), restore(turn)), {
            onFailure: (cause) => {
              if (waiter.outcome === undefined) {
                turns.quit(waiter)
                expiries.remove(waiter)
              } else if (waiter.outcome === "place") leave(caller)
              return Exit.failCause(cause)
            },
            onSuccess: (): Effect.Effect<A, E | E2, R> =>
              waiter.outcome === "place"
                ? within(caller, restore(effect))
                : restore(onFull(full(waiter.outcome === "crowded" ? "queueFull" : "waitedTooLong")))
          })
        }))
    })
  }

  return {
    run,
    get running() {
      return turns.running()
    },
    get waiting() {
      return turns.waiting()
    }
  }
}

const whole = (name: string, value: number, least: number): number => {
  if (Number.isInteger(value) && value >= least) return value
  throw new RangeError(`${name} must be a whole number of at least ${least}, but is ${value}`)
}
