/**
 * Keeps calls away from a source that keeps failing.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as CircuitBreaker from "../../policy/CircuitBreaker.js"
import { unavailable } from "../../tool/ToolError.js"
import type { Next, Outcome, Visit } from "./Visit.js"
import { Failed, millisOf, refuse } from "./Visit.js"

/**
 * What tells of the health of the source: that it did not answer, or in a way
 * that it should not. That a thing does not exist, or the question was wrong, or
 * too many were asked, does not.
 */
const connection: ReadonlySet<string> = new Set(["temporarily_unavailable", "timed_out"])

/** Who gives a call this little less than it takes has not seen what the source does. */
const nearlyMillis = 50

/** Notes how a call ended. One that its own client cut short says nothing: else anybody could open the breaker for all. */
const count = (
  permit: CircuitBreaker.Permit,
  now: number,
  exit: Exit.Exit<Outcome, unknown>,
  isCutShort: () => boolean
): void => {
  if (Exit.isSuccess(exit)) {
    if (exit.value._tag === "Answered") permit.succeed(now)
    else permit.ignore(now)
    return
  }
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (!(error instanceof Failed)) permit.ignore(now)
  else if (connection.has(error.body.code)) {
    if (isCutShort()) permit.ignore(now)
    else permit.fail(now, { isConnection: true })
  } else if (error.body.code === "internal") permit.fail(now)
  else permit.ignore(now)
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  tool: string,
  options: CircuitBreaker.Options,
  { clock, isHurried }: {
    readonly clock: Clock.Clock
    /** Whether the client gave the call less time than it may take. */
    readonly isHurried: (visit: Visit) => boolean
  }
) => {
  const breaker = CircuitBreaker.make(options)
  return (next: Next): Next => (visit: Visit) =>
    Effect.uninterruptibleMask((restore) => {
      const now = millisOf(clock)
      const { observation } = visit
      const permit = breaker.tryAcquire(now)
      if (permit === undefined) {
        observation?.step?.("circuitBreaker", "refused")
        const retryAfter = Duration.millis(Math.max(0, Math.ceil(breaker.reopensAt(now) - now)) || 1000)
        return refuse(unavailable({ source: tool, retryAfter }))
      }
      return Effect.onExit(restore(Effect.suspend(() => next(visit))), (exit) =>
        Effect.sync(() => {
          const end = millisOf(clock)
          const before = breaker.state(end)
          count(permit, end, exit, () => end >= visit.limit - nearlyMillis && isHurried(visit))
          const after = breaker.state(end)
          if (before === after || observation === undefined) return
          if (after === "open") observation.step?.("circuitBreaker", "opened")
          if (after === "closed") observation.step?.("circuitBreaker", "closed")
        }))
    })
}
