/**
 * What the caller gets when the source of an answer has failed: an answer that
 * was kept, or the name of another tool.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as TimeLimit from "../../policy/TimeLimit.js"
import type * as ToolError from "../../tool/ToolError.js"
import type { Keeping } from "./Keeping.js"
import type { Next, Visit } from "./Visit.js"
import { Failed } from "./Visit.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Where answers are kept, if they may stand in. */
  readonly keeping: Keeping | undefined
  readonly tool: ToolError.Fallback | undefined
  /** Whether the caller may not know of that tool. */
  readonly isHidden: (visit: Visit) => boolean
}

/** Failures that another way of asking would meet as well. */
const isOfTheQuestion: ReadonlySet<string> = new Set(["invalid_input", "not_found", "insufficient_scope"])

/** Failures that say of themselves nothing but that the source did not answer as it should. */
const isOfTheSource: ReadonlySet<string> = new Set([
  "temporarily_unavailable",
  "timed_out",
  "rate_limited",
  "budget_exceeded",
  "degraded_only",
  "internal"
])

const isHelped = ({ body }: Failed): boolean =>
  !isOfTheQuestion.has(body.code) && (body.retryable || isOfTheSource.has(body.code))

const told = (body: ToolError.Body, fallback: ToolError.Fallback): Failed =>
  new Failed({
    ...body,
    message: body.message.includes(fallback.tool)
      ? body.message
      : `${body.message} Meanwhile, call ${fallback.tool}: ${fallback.why}.`,
    fallback
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ isHidden, keeping, tool }: Options) => (next: Next): Next => (visit: Visit) =>
  Effect.catchIf(
    next(visit),
    (error): error is Failed => error instanceof Failed && isHelped(error),
    (error) => {
      const { observation } = visit
      const hint = Effect.suspend(() => {
        if (tool === undefined || error.body.fallback !== undefined || isHidden(visit)) return Exit.fail(error)
        observation?.step?.("fallback", "told")
        return Exit.fail(told(error.body, tool))
      })
      if (keeping === undefined) return hint
      const { code, source } = error.body
      const reason = `${source ?? "the source"} did not answer (${code.replaceAll("_", " ")})`
      return keeping.stale(visit, reason, source === undefined ? [] : [source]).pipe(
        // The time that is over is that of asking the source.
        Effect.locally(TimeLimit.current, Infinity),
        Effect.flatMap((kept) => {
          if (Option.isNone(kept)) return hint
          observation?.step?.("fallback", "stale")
          return Exit.succeed(kept.value)
        })
      )
    }
  )
