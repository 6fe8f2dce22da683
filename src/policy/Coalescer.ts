/**
 * Lets equal calls that come at the same time share one run, in which no caller
 * can harm another by leaving.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import type * as Scope from "effect/Scope"
import * as TimeLimit from "./TimeLimit.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Coalescer<in K, in out A, in out E> {
  /**
   * Runs the effect, or joins the run that is under way for the same key. The
   * run goes on while anyone waits for it, whoever began it, and is interrupted
   * when the last has left, who does not wait for its end. A failure is shared
   * by those who wait and kept for nobody. The run knows no `TimeLimit`: each
   * caller has its own, and leaves when it is over. What the run changes of the
   * `FiberRef`s comes back to nobody.
   */
  readonly run: (key: K, effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Runs under way. */
  readonly size: number
}

/** For a fiber of its own, which takes the limit with it when it ends. */
const noLimit = FiberRef.set(TimeLimit.current, Infinity)

interface Run<A, E> {
  readonly result: Deferred.Deferred<A, E>
  waiters: number
  fiber: Fiber.RuntimeFiber<void> | undefined
}

/**
 * Makes a coalescer; runs are interrupted when the scope closes. Keys are
 * compared as a `Map` does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <K, A, E>(): Effect.Effect<Coalescer<K, A, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const runs = new Map<K, Run<A, E>>()

    const forget = (key: K, run: Run<A, E>): void => {
      if (runs.get(key) === run) runs.delete(key)
    }

    const begin = (key: K, run: Run<A, E>, effect: Effect.Effect<A, E>): Effect.Effect<void> =>
      Effect.zipRight(noLimit, Effect.exit(Effect.interruptible(effect))).pipe(
        Effect.map((exit) => {
          forget(key, run)
          Deferred.unsafeDone(run.result, exit)
        }),
        Effect.forkIn(scope),
        Effect.map((fiber) => {
          run.fiber = fiber
        })
      )

    const leave = (key: K, run: Run<A, E>, exit: Exit.Exit<A, E>): Effect.Effect<void> => {
      run.waiters--
      if (!Exit.isInterrupted(exit) || run.waiters > 0 || run.fiber === undefined) return Effect.void
      // Whoever comes from now on begins anew: this run has no result worth waiting for.
      forget(key, run)
      return Fiber.interruptFork(run.fiber)
    }

    return {
      run: (key, effect) =>
        // Nothing may come between looking a run up and putting it there, or two would begin.
        Effect.uninterruptibleMask((restore) =>
          Effect.withFiberRuntime((fiber) => {
            const found = runs.get(key)
            const run = found ?? { result: Deferred.unsafeMake<A, E>(fiber.id()), waiters: 0, fiber: undefined }
            run.waiters++
            const wait = Effect.onExit(
              restore(Deferred.await(run.result)),
              (exit) => Effect.suspend(() => leave(key, run, exit))
            )
            if (found !== undefined) return wait
            runs.set(key, run)
            return Effect.zipRight(begin(key, run, effect), wait)
          })
        ),
      get size() {
        return runs.size
      }
    }
  })
