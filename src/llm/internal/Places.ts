/**
 * A number of places that calls take and give back, with a queue in the order of
 * asking for those that found none.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"

/**
 * @since 0.1.0
 * @category models
 */
export interface Places {
  readonly capacity: number
  readonly taken: () => number
  readonly isFree: () => boolean
  /** Takes a place that `isFree`. */
  readonly take: () => void
  readonly giveBack: () => void
  /** Waits for its turn to try for a place; at once when one is free. */
  readonly freed: Effect.Effect<void>
}

interface Waiter {
  readonly fiber: Fiber.RuntimeFiber<void>
  readonly resume: (effect: Effect.Effect<void>) => void
  /** Whether a place is kept for it that it has not yet had the chance to take. */
  isAwaited: boolean
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (capacity: number): Places => {
  const waiters = new Set<Waiter>()
  let taken = 0
  let kept = 0

  const isFree = () => taken + kept < capacity

  const arrived = (waiter: Waiter): void => {
    if (!waiter.isAwaited) return
    waiter.isAwaited = false
    kept -= 1
  }

  const wake = (): void => {
    const [waiter] = waiters
    if (waiter === undefined || !isFree()) return
    waiters.delete(waiter)
    waiter.isAwaited = true
    kept += 1
    waiter.resume(Effect.sync(() => arrived(waiter)))
    // Runs right after the woken fiber's first steps: by then it has taken the
    // place, or will not, because it was interrupted or has no time left. Then the
    // place is the next one's.
    waiter.fiber.currentScheduler.scheduleTask(
      () => {
        arrived(waiter)
        wake()
      },
      waiter.fiber.getFiberRef(FiberRef.currentSchedulingPriority),
      waiter.fiber
    )
  }

  return {
    capacity,
    taken: () => taken,
    isFree,
    take: () => {
      taken += 1
    },
    giveBack: () => {
      taken -= 1
      wake()
    },
    freed: Effect.withFiberRuntime((fiber) =>
      isFree() ? Effect.void : Effect.async<void>((resume) => {
        const waiter: Waiter = { fiber, resume, isAwaited: false }
        waiters.add(waiter)
        return Effect.sync(() => {
          waiters.delete(waiter)
        })
      })
    )
  }
}
