/**
 * Ends what takes too long, with one timer for all that is under way: a timer
 * and a race of its own for each call would cost more than most calls.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import type * as FiberRefs from "effect/FiberRefs"
import { identity } from "effect/Function"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type * as Scope from "effect/Scope"
import { isExit } from "../protocol/Ended.js"
import * as Expiries from "./internal/Expiries.js"

/**
 * How long an effect may take, and what happens when it takes longer.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options<out A, out E, out R> {
  /** In milliseconds; `Infinity` sets no limit. */
  readonly duration: number
  /** The result when the time is over. */
  readonly onTimeout: () => Effect.Effect<A, E, R>
  /** Run before `onTimeout` when the effect does not stop at once, for a line in a log. */
  readonly onDetach?: (() => Effect.Effect<void, never, R>) | undefined
}

/**
 * Moves the limit of an effect that is under way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Timer {
  /**
   * Sets how many milliseconds are left from now, whatever was left before;
   * `Infinity` for no limit. Once the effect has ended or its time is over it
   * does nothing.
   */
  readonly set: (millis: number) => void
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Watch {
  /**
   * Runs an effect in a fiber of its own. When the time is over that fiber is
   * interrupted, not waited for, and the result is that of `onTimeout`.
   * Interrupting from outside interrupts it too, and waits until it has ended or
   * the time is over; what interrupts while it is being begun does not wait. What it changes of the `FiberRef`s comes back when it
   * succeeds. An effect that is an `Exit` is returned as it is.
   */
  readonly run: <A, E, R, A2 = never, E2 = never, R2 = never>(
    effect: Effect.Effect<A, E, R>,
    options: Options<A2, E2, R2>
  ) => Effect.Effect<A | A2, E | E2, R | R2>
  /**
   * As `run`, for an effect that may move its own limit; `duration` is the one
   * it begins with.
   */
  readonly runArmed: <A, E, R, A2 = never, E2 = never, R2 = never>(
    effect: (timer: Timer) => Effect.Effect<A, E, R>,
    options: Options<A2, E2, R2>
  ) => Effect.Effect<A | A2, E | E2, R | R2>
  /**
   * As `run`, for an effect that finds its services in this context instead of
   * around it, and whose changes of `FiberRef`s do not come back.
   */
  readonly runIn: <A, E, R, A2 = never, E2 = never, R2 = never>(
    context: Context.Context<R>,
    effect: Effect.Effect<A, E, R>,
    options: Options<A2, E2, R2>
  ) => Effect.Effect<A | A2, E | E2, R2>
  /** Effects that still run although their time is over: they cannot be interrupted, or take long to tidy up. */
  readonly detached: number
  /** Effects whose time is being watched. */
  readonly watched: number
}

/**
 * The watch of whoever runs this effect: a registry gives its own to the calls
 * it makes, so that their policies need no timers of theirs.
 *
 * @since 0.1.0
 * @category tags
 */
export class Deadline extends Context.Tag("causeway/Deadline")<Deadline, Watch>() {}

/**
 * The timer is not stopped when the last effect ends, since the next may follow
 * at once; so it rings after this time at the latest, in milliseconds, to see
 * whether anything is under way. The longer that is so, the rarer it looks.
 */
const firstLook = 100
const longestLook = 1600

const late = Symbol("late")

type Outcome<A, E> = Exit.Exit<A, E> | typeof late

/** One effect under way. */
class Call<A, E> implements Expiries.Expiring {
  index = -1
  outcome: Outcome<A, E> | undefined
  private resume: ((effect: Effect.Effect<Outcome<A, E>>) => void) | undefined
  at: number
  readonly fiber: Fiber.RuntimeFiber<Exit.Exit<A, E>>

  constructor(at: number, fiber: Fiber.RuntimeFiber<Exit.Exit<A, E>>) {
    this.at = at
    this.fiber = fiber
  }

  end(outcome: Outcome<A, E>): void {
    this.outcome = outcome
    this.resume?.(Exit.succeed(outcome))
  }

  readonly ended: Effect.Effect<Outcome<A, E>> = Effect.async((resume) => {
    if (this.outcome === undefined) this.resume = resume
    else resume(Exit.succeed(this.outcome))
  })
}

/** What is known of a limit that can be moved. */
interface Arming extends Timer {
  /** What was set before there was anything to watch. */
  at: number | undefined
  /** Set while there is something to watch. */
  call: Call<unknown, unknown> | undefined
}

/** Whether a fiber set any `FiberRef`, other than those that every fiber sets for itself. */
const hasChanged = (before: FiberRefs.FiberRefs, after: FiberRefs.FiberRefs): boolean => {
  for (const [ref, value] of after.locals) {
    if (before.locals.get(ref) !== value && ref !== FiberRef.currentContext && ref !== FiberRef.currentRuntimeFlags) {
      return true
    }
  }
  return false
}

/**
 * Starts watching. The time is that of the `Clock` here, and does not jump with
 * the date. While nothing is under way no timer is set, and no process kept alive
 * for more than two seconds. When the scope closes, what is under way is
 * watched no more.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Effect.Effect<Watch, never, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const clock = yield* Effect.clock
    const expiries = Expiries.make<Call<unknown, unknown>>()
    let detached = 0
    let watchdog: Fiber.RuntimeFiber<void> | undefined
    let wakesAt = Infinity
    let look = firstLook
    let isClosed = false

    const now = (): number => Math.round(Number(clock.unsafeCurrentTimeNanos()) / 1e6)

    const expire = (call: Call<unknown, unknown>): void => {
      detached++
      call.fiber.unsafeInterruptAsFork(FiberId.none)
      call.end(late)
    }

    const watch: Effect.Effect<void> = Effect.suspend(() => {
      const time = now()
      for (let first = expiries.first(); first !== undefined && first.at <= time; first = expiries.first()) {
        expiries.remove(first)
        expire(first)
      }
      const next = expiries.first()
      if (next === undefined) {
        wakesAt = Infinity
        look = firstLook
        return Effect.void
      }
      wakesAt = Math.min(next.at, time + look)
      look = Math.min(2 * look, longestLook)
      return Effect.zipRight(Effect.sleep(Duration.millis(wakesAt - time)), watch)
    })

    const add = (call: Call<unknown, unknown>): void => {
      expiries.add(call)
      if (wakesAt <= call.at) return
      watchdog?.unsafeInterruptAsFork(FiberId.none)
      watchdog = Runtime.runFork(runtime, Effect.interruptible(watch))
    }

    const arm = (): Arming => {
      const arming: Arming = {
        at: undefined,
        call: undefined,
        set: (millis) => {
          const at = now() + (millis > 0 ? millis : 0)
          const call = arming.call
          if (call === undefined) arming.at = at
          else if (call.outcome === undefined) {
            expiries.remove(call)
            call.at = at
            if (!isClosed && at < Infinity) add(call)
          }
        }
      }
      return arming
    }

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        return watchdog === undefined ? Effect.void : Fiber.interrupt(watchdog)
      })
    )

    const supervise = <A, E, R, A2, E2, R2>(
      parent: Fiber.RuntimeFiber<unknown, unknown>,
      flags: RuntimeFlags.RuntimeFlags,
      context: Context.Context<R> | undefined,
      effect: Effect.Effect<A, E, R>,
      options: Options<A2, E2, R2>,
      arming: Arming | undefined
    ): Effect.Effect<A | A2, E | E2, R2> => {
      const fiberRefs = parent.getFiberRefs()
      const fiber = Runtime.runFork(
        Runtime.make({
          // Without a context of its own, the effect's needs are those of the effect that is returned.
          context: context ?? (parent.currentContext as Context.Context<R>),
          runtimeFlags: flags,
          fiberRefs
        }),
        // A failure that is awaited is not to be logged as unhandled.
        Effect.exit(effect)
      )
      const settle = (exit: Exit.Exit<A, E>): Effect.Effect<A, E> =>
        context === undefined && Exit.isSuccess(exit) && hasChanged(fiberRefs, fiber.getFiberRefs())
          ? Effect.as(fiber.inheritAll, exit.value)
          : exit
      const ended = fiber.unsafePoll()
      if (ended !== null) return settle(Exit.flatten(ended))

      const call = new Call<A, E>(arming?.at ?? now() + options.duration, fiber)
      // The heap only compares times, and hands a call back to `expire`.
      const watched = call as unknown as Call<unknown, unknown>
      if (arming !== undefined) arming.call = watched
      if (!isClosed && call.at < Infinity) add(watched)
      fiber.addObserver((exit) => {
        if (call.outcome === late) {
          detached--
          return
        }
        expiries.remove(watched)
        call.end(Exit.flatten(exit))
      })
      const restore = RuntimeFlags.interruption(flags) ? Effect.interruptible : identity
      const wait = Effect.matchCauseEffect(restore(call.ended), {
        onSuccess: (outcome): Effect.Effect<A | A2, E | E2, R2> => {
          if (outcome !== late) return settle(outcome)
          const onTimeout = restore(Effect.suspend(options.onTimeout))
          return options.onDetach === undefined || fiber.unsafePoll() !== null
            ? onTimeout
            : Effect.zipRight(options.onDetach(), onTimeout)
        },
        onFailure: (cause) => {
          if (call.outcome !== undefined) return Effect.failCause(cause)
          fiber.unsafeInterruptAsFork(parent.id())
          return Effect.zipRight(call.ended, Effect.failCause(cause))
        }
      })
      // Whoever is interrupted before the wait begins does not wait, but leaves nothing running.
      const abandon = (): void => fiber.unsafeInterruptAsFork(parent.id())
      parent.addObserver(abandon)
      return Effect.uninterruptible(Effect.suspend(() => {
        parent.removeObserver(abandon)
        return wait
      }))
    }

    const start = <A, E, R, A2, E2, R2>(
      context: Context.Context<R> | undefined,
      effect: Effect.Effect<A, E, R>,
      options: Options<A2, E2, R2>
    ): Effect.Effect<A | A2, E | E2, R2> =>
      // Most effects end at once. A region around all of them would keep what each has made from being collected early.
      Effect.withFiberRuntime((parent, { runtimeFlags }) =>
        supervise(parent, runtimeFlags, context, effect, options, undefined)
      )

    const startArmed = <A, E, R, A2, E2, R2>(
      effect: (timer: Timer) => Effect.Effect<A, E, R>,
      options: Options<A2, E2, R2>
    ): Effect.Effect<A | A2, E | E2, R | R2> =>
      Effect.withFiberRuntime((parent, { runtimeFlags }) => {
        const arming = arm()
        const armed = effect(arming)
        return isExit(armed) ? armed : supervise(parent, runtimeFlags, undefined, armed, options, arming)
      })

    return {
      run: (effect, options) => isExit(effect) ? effect : start(undefined, effect, options),
      runArmed: startArmed,
      runIn: (context, effect, options) => isExit(effect) ? effect : start(context, effect, options),
      get detached() {
        return detached
      },
      get watched() {
        return expiries.size()
      }
    }
  })
