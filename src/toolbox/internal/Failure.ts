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

/**
 * A document store that did not answer may later; one that does not fit what it
 * holds will not.
 *
 * @since 0.1.0
 * @category constructors
 */
export const documentStore = (
  cause: DocumentStoreError | undefined,
  fallback?: ToolError.Fallback
): ToolError.ToolError =>
  cause === undefined || cause.isRetryable
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
 * will not.
 *
 * @since 0.1.0
 * @category constructors
 */
export const sessionStore = (cause: SessionStoreError): ToolError.ToolError =>
  cause.isRetryable
    ? ToolError.unavailable({ source: "session-store", cause })
    : new ToolError.ToolError({
      code: "degraded_only",
      message:
        "The session history cannot be used as it is set up now. Trying again will not help; tell whoever runs " +
        "this server, and go on without it.",
      source: "session-store",
      cause
    })

/**
 * Whether no model that was asked can do such a thing at all.
 *
 * @since 0.1.0
 * @category guards
 */
export const isUnsupported = (error: LlmError): boolean =>
  error.reason === "Unsupported" || (error.reason === "Exhausted" && error.attempts !== undefined &&
    error.attempts.length > 0 && error.attempts.every((attempt) => attempt.reason === "Unsupported"))

const sentences: { readonly [Reason in LlmError["reason"]]?: string } = {
  ContentBlocked: "The model's provider refuses this request by its own rules. Word it differently.",
  ContextTooLong: "The text is longer than the models can read. Send less of it.",
  QuotaExhausted: "The budget for models is used up. Trying again will not help; tell whoever runs this server."
}

/**
 * A model's failure: to be tried again when the error says so, final otherwise.
 *
 * @since 0.1.0
 * @category constructors
 */
export const model = (cause: LlmError): ToolError.ToolError => {
  if (cause.isRetryable) {
    return ToolError.unavailable({
      source: "model",
      cause,
      retryAfter: cause.retryAfterMs === undefined ? undefined : Duration.millis(cause.retryAfterMs)
    })
  }
  return new ToolError.ToolError({
    code: cause.reason === "ContextTooLong"
      ? "invalid_input"
      : cause.reason === "QuotaExhausted"
      ? "budget_exceeded"
      : "degraded_only",
    message: sentences[cause.reason] ??
      "No model can answer this as the server is set up now. Trying again will not help; tell whoever runs this server.",
    source: "model",
    cause
  })
}
