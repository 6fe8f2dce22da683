/**
 * Ends an effect that takes too long, at the cost of two fibers and no race.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"

/**
 * The outcome of `self`, or the failure `late` once `millis` have passed; `self`
 * is interrupted then, and its end awaited. Without a finite `millis` it is
 * `self`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const within = <A, E>(
  self: Effect.Effect<A, E>,
  millis: number,
  late: () => E
): Effect.Effect<A, E> =>
  millis === Infinity ? self : Effect.flatMap(Effect.runtime<never>(), (runtime) =>
    Effect.async<A, E>((resume) => {
      const run = Runtime.runFork(runtime)
      const work = run(self)
      const timer = run(Effect.sleep(Math.max(0, millis)))
      let isLate = false
      work.addObserver((exit) => {
        timer.unsafeInterruptAsFork(timer.id())
        resume(isLate && Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause) ? Effect.fail(late()) : exit)
      })
      timer.addObserver((exit) => {
        if (Exit.isFailure(exit)) return
        isLate = true
        work.unsafeInterruptAsFork(work.id())
      })
      return Effect.suspend(() => {
        timer.unsafeInterruptAsFork(timer.id())
        work.unsafeInterruptAsFork(work.id())
        return Effect.asVoid(work.await)
      })
    }))
