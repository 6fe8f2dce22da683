/**
 * What a try cost, as far as anyone can know.
 *
 * @since 0.1.0
 */
import type * as Chat from "../Chat.js"
import type * as LlmError from "../LlmError.js"
import * as Price from "../Price.js"
import type * as Target from "../Target.js"
import * as TokenEstimate from "../TokenEstimate.js"

/**
 * By what was reported, and where nothing was, by `inputTokens` that were sent and
 * the text that came.
 *
 * @since 0.1.0
 * @category combinators
 */
export const costOf = (
  inputTokens: number,
  target: Target.Target,
  usage: Chat.Usage,
  answer: { readonly text?: string | undefined; readonly value?: unknown }
): Chat.Cost =>
  Price.costOf(target.price, usage, {
    inputTokens,
    outputTokens: usage.outputTokens === undefined
      ? TokenEstimate.ofText(answer.text ?? JSON.stringify(answer.value) ?? "")
      : 0
  })

/** Reasons that a provider gives instead of an answer, and bills nothing for. */
const free: ReadonlySet<LlmError.Reason> = new Set([
  "RateLimited",
  "QuotaExhausted",
  "AuthRejected",
  "ModelUnavailable",
  "ContextTooLong",
  "RequestRejected",
  "Unsupported",
  "Untrusted",
  "BudgetExceeded",
  "Exhausted"
])

/**
 * Whether a try that failed may have to be paid for; one without an error was cut off.
 *
 * @since 0.1.0
 * @category guards
 */
export const isBilled = (error: LlmError.LlmError | undefined): boolean =>
  error === undefined ||
  error.usage !== undefined ||
  !(free.has(error.reason) || (error.status !== undefined && error.status >= 400))

/**
 * The tokens of both sides, where both are known.
 *
 * @since 0.1.0
 * @category accessors
 */
export const tokensOf = (usage: Chat.Usage): number | undefined =>
  usage.inputTokens === undefined || usage.outputTokens === undefined
    ? undefined
    : usage.inputTokens + usage.outputTokens
