/**
 * Tells an observation how its call ended.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { isExit } from "../../protocol/Ended.js"
import { McpError } from "../../protocol/McpError.js"
import type { Ended, Observation } from "../Observer.js"
import type { Ending, Outcome } from "./Visit.js"
import { Failed, millisOf } from "./Visit.js"

const endedBy = (exit: Exit.Exit<Outcome, unknown>, millis: number): Ended => {
  if (Exit.isSuccess(exit)) {
    const { value } = exit
    if (value._tag === "Paused") return { outcome: "paused", isDegraded: false, isCached: false, millis }
    const { confidence, isCached, isDegraded, result, sources } = value
    return {
      outcome: result.isError ? "failed" : "answered",
      code: result.isError ? "failed" : undefined,
      isDegraded,
      isCached,
      confidence,
      sources,
      millis
    }
  }
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  const nothing = { isDegraded: false, isCached: false, millis }
  if (error instanceof Failed) return { ...nothing, outcome: "failed", code: error.body.code }
  if (error instanceof McpError) return { ...nothing, outcome: "error", code: String(error.code) }
  return Cause.isInterrupted(exit.cause)
    ? { ...nothing, outcome: "interrupted" }
    : { ...nothing, outcome: "failed", code: "internal" }
}

/**
 * The same ending, of which an observation is told once.
 *
 * @since 0.1.0
 * @category combinators
 */
export const end = (
  ending: Ending,
  observation: Observation,
  clock: Clock.Clock,
  arrived: number
): Ending => {
  const tell = (exit: Exit.Exit<Outcome, unknown>): void => observation.end(endedBy(exit, millisOf(clock) - arrived))
  if (isExit(ending)) {
    tell(ending)
    return ending
  }
  return Effect.onExit(ending, (exit) => Effect.sync(() => tell(exit)))
}
