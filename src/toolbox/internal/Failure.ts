/**
 * Says to an agent what it means for its call that a store or a model failed.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type { DocumentStoreError } from "../../document/DocumentStore.js"
import type { LlmError } from "../../llm/LlmError.js"
import type { SessionStoreError } from "../../session/SessionStore.js"
import * as ToolError from "../../tool/ToolError.js"

const embedder = (cause: DocumentStoreError): ToolError.ToolError =>
  cause.isRetryable
    ? ToolError.unavailable({
      source: "embedder",
      message:
        "Temporarily unavailable: the embedder, which makes documents searchable, did not answer, so nothing was " +
        "indexed. Try again shortly.",
      cause
    })
    : new ToolError.ToolError({
      code: "degraded_only",
      message: "The embedder, which makes documents searchable, cannot be used as it is set up now, so nothing was " +
        "indexed. Trying again will not help; tell whoever runs this server.",
      source: "embedder",
      cause
    })

/**
 * A document store that did not answer may later; one that does not fit what it
 * holds will not. When it was the embedder that did not answer, that is named.
 *
 * @since 0.1.0
 * @category constructors
 */
export const documentStore = (
  cause: DocumentStoreError | undefined,
  fallback?: ToolError.Fallback
): ToolError.ToolError =>
  cause?.reason._tag === "Unembedded"
    ? embedder(cause)
    : cause === undefined || cause.isRetryable
    ? ToolError.unavailable({ source: "document-store", cause, fallback })
    : new ToolError.ToolError({
      code: "degraded_only",
      message: "The document store cannot be used as it is set up now. Trying again will not help; tell whoever runs " +
        `this server.${fallback === undefined ? "" : ` Meanwhile call ${fallback.tool}: ${fallback.why}.`}`,
      source: "document-store",
      ...(fallback === undefined ? {} : { fallback }),
      cause
    })

/**
 * A session store that did not answer may later; one that is set up wrongly
 * will not; an event that is too large is the caller's to shorten.
 *
 * @since 0.1.0
 * @category constructors
 */
export const sessionStore = (cause: SessionStoreError): ToolError.ToolError => {
  if (cause.reason._tag === "TooLarge") {
    const { bytes, maxBytes } = cause.reason
    return new ToolError.ToolError({
      code: "invalid_input",
      message:
        `The event is ${bytes} bytes large, and the session history keeps at most ${maxBytes}. Shorten its text.`,
      source: "session-store",
      cause
    })
  }
  return cause.isRetryable
    ? ToolError.unavailable({ source: "session-store", cause })
    : new ToolError.ToolError({
      code: "degraded_only",
      message:
        "The session history cannot be used as it is set up now. Trying again will not help; tell whoever runs " +
        "this server, and go on without it.",
      source: "session-store",
      cause
    })
}

/** Why a chain passes a model over, where that says what an error's reason says too. */
const skips: { readonly [reason: string]: LlmError["reason"] } = {
  contextTooLong: "ContextTooLong",
  unsupported: "Unsupported",
  budget: "BudgetExceeded"
}

/** A model that was passed over for these may be asked later. */
const passing: ReadonlySet<string> = new Set(["limits", "cooldown", "breaker", "tooSlow"])

/** What every model of a chain has in common; of others, the error's own reason. */
const reasonOf = (error: LlmError): string => {
  if (error.reason !== "Exhausted") return error.reason
  const [first, ...others] = new Set(
    (error.attempts ?? []).map(({ reason = "" }) => Object.hasOwn(skips, reason) ? skips[reason] : reason)
  )
  return first === undefined || others.length > 0 ? error.reason : first
}

/**
 * Whether no model that was asked can do such a thing at all.
 *
 * @since 0.1.0
 * @category guards
 */
export const isUnsupported = (error: LlmError): boolean => reasonOf(error) === "Unsupported"

/**
 * Whether no model that was asked can read so much at once.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTooLong = (error: LlmError): boolean => reasonOf(error) === "ContextTooLong"

const isRetryable = (error: LlmError): boolean =>
  error.isRetryable || (error.reason === "Exhausted" &&
    (error.attempts ?? []).some(({ reason }) => reason !== undefined && passing.has(reason)))

const waiting = (error: LlmError): string =>
  error.retryAfterMs === undefined
    ? "Try again shortly."
    : `Try again in ${Duration.format(Duration.seconds(Math.ceil(error.retryAfterMs / 1000)))}.`

/** The code and the sentence of a failure that trying again at once does not mend. */
const said = (error: LlmError): readonly [ToolError.Code, string] | undefined => {
  switch (reasonOf(error)) {
    case "limits":
      return ["rate_limited", `As many questions are put to the models as may be. ${waiting(error)}`]
    case "TimedOut":
      return error.phase === "total"
        ? ["timed_out", "No model answered within the time there was. Try again, or ask for less."]
        : undefined
    case "BudgetExceeded":
      return [
        "budget_exceeded",
        `What may be spent on models is spent for now. ${
          error.retryAfterMs === undefined ? "Tell whoever runs this server." : waiting(error)
        }`
      ]
    case "QuotaExhausted":
      return [
        "budget_exceeded",
        "The budget for models is used up. Trying again will not help; tell whoever runs this server."
      ]
    case "ContextTooLong":
      return ["invalid_input", "The text is longer than the models can read. Send less of it."]
    case "ContentBlocked":
      return ["degraded_only", "The model's provider refuses this request by its own rules. Word it differently."]
    case "Degraded":
      return ["degraded_only", "The models answered, but with nothing that is of use. Word it differently."]
    case "Untrusted":
      return [
        "degraded_only",
        "No model's provider could prove who it is, so nothing was sent. Trying again will not help; tell whoever " +
        "runs this server."
      ]
    default:
      return undefined
  }
}

/**
 * A model's failure: to be tried again when the error says so, final otherwise.
 * Limits of our own that no model has room under are `rate_limited`, a budget
 * that is spent `budget_exceeded`, both with the time to wait where it is known;
 * a call whose time is over is `timed_out`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const model = (cause: LlmError): ToolError.ToolError => {
  const words = said(cause)
  if (words === undefined && isRetryable(cause)) {
    return ToolError.unavailable({ source: "model", cause, retryAfter: cause.retryAfter })
  }
  const [code, message] = words ?? [
    "degraded_only",
    "No model can answer this as the server is set up now. Trying again will not help; tell whoever runs this server."
  ]
  return new ToolError.ToolError({
    code,
    message,
    source: "model",
    ...(cause.retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(cause.retryAfterMs) }),
    cause
  })
}
