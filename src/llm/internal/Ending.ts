/**
 * How a call ends that no model has answered: with the best of poor answers, or
 * with one error that has the whole trail.
 *
 * @since 0.1.0
 */
import type * as Chat from "../Chat.js"
import * as LlmError from "../LlmError.js"
import type * as Run from "./Run.js"

/**
 * The error of a call that has asked everyone it could.
 *
 * @since 0.1.0
 * @category constructors
 */
export const error = (run: Run.Run): LlmError.LlmError => {
  const now = run.now()
  if (run.isLate(now)) return final(run, "TimedOut", "the deadline passed before a model answered")
  return run.unaffordable !== undefined && !run.isHindered
    ? LlmError.withFields(run.unaffordable, account(run))
    : final(run, "Exhausted", run.wire === 0 ? "no model could be asked" : "every model failed")
}

/**
 * The error of a model that ends the call, with all that led to it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const stopped = (run: Run.Run, error: LlmError.LlmError): LlmError.LlmError =>
  LlmError.withFields(error, account(run))

const account = (run: Run.Run): { readonly attempts: ReadonlyArray<Chat.Attempt>; readonly cost: Chat.Cost } => ({
  attempts: [...run.trail],
  cost: run.cost
})

const final = (run: Run.Run, reason: "TimedOut" | "Exhausted", description: string): LlmError.LlmError => {
  const retryAfterMs = soonest(run)
  return new LlmError.LlmError({
    reason,
    provider: run.engine.name,
    description: run.trail.length === 0 ? description : `${description}: ${summary(run.trail)}`,
    ...(reason === "TimedOut" ? { phase: "total" as const } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...account(run)
  })
}

/** Without a bound a long trail would make a long message. */
const maxSummarized = 12

const summary = (trail: ReadonlyArray<Chat.Attempt>): string =>
  trail.slice(0, maxSummarized).map((attempt) =>
    `${attempt.provider}/${attempt.model} ${attempt.reason ?? attempt.outcome}`
  ).join(", ") + (trail.length > maxSummarized ? `, and ${trail.length - maxSummarized} more` : "")

/** How long until the first of those that were asked or could have been can be asked again. */
const soonest = (run: Run.Run): number | undefined => {
  const now = run.now()
  let least = Number.POSITIVE_INFINITY
  for (const [target, said] of run.seen) {
    const at = Math.max(
      said,
      target.cooling.until,
      target.account.cooling.until,
      target.breaker.state(now) === "open" ? target.breaker.reopensAt(now) : Number.NEGATIVE_INFINITY
    )
    if (at > now) least = Math.min(least, at - now)
  }
  return least === Number.POSITIVE_INFINITY ? undefined : Math.ceil(least)
}

/** The better a flawed answer is, the lower. */
const rankOf = (flaw: Chat.Flaw | undefined): number => {
  switch (flaw) {
    case "wrongLanguage":
    case "echo":
      return 0
    case "repetition":
    case "offContext":
      return 1
    case "truncated":
      return 2
    default:
      return 3
  }
}

/**
 * The best of the answers that had a flaw; of two of a kind the first.
 *
 * @since 0.1.0
 * @category models
 */
export class Best<A extends Chat.Provenance> {
  private rank = Number.POSITIVE_INFINITY
  answer: A | undefined

  offer(answer: A, flaw: Chat.Flaw | undefined): void {
    const rank = rankOf(flaw)
    if (rank >= this.rank) return
    this.rank = rank
    this.answer = flaw === undefined ? answer : { ...answer, flaw }
  }
}
