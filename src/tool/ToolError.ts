/**
 * Why a tool could not answer a right question, in words and codes the agent
 * can act on.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/**
 * The standard reasons.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Code = Schema.Literal(
  "temporarily_unavailable",
  "rate_limited",
  "timed_out",
  "invalid_input",
  "not_found",
  "insufficient_scope",
  "budget_exceeded",
  "degraded_only",
  "internal"
)

/**
 * @since 0.1.0
 * @category models
 */
export type Code = typeof Code.Type

const retryable: ReadonlySet<Code> = new Set(["temporarily_unavailable", "rate_limited", "timed_out"])

/**
 * Another tool that can help meanwhile, and why.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fallback {
  readonly tool: string
  readonly why: string
}

/**
 * The failure any handler may return. `message` is one sentence for the agent;
 * `cause` stays in the log and never leaves the process.
 *
 * @since 0.1.0
 * @category errors
 */
export class ToolError extends Schema.TaggedError<ToolError>("causeway/ToolError")("ToolError", {
  code: Code,
  message: Schema.String,
  retryAfterMs: Schema.optionalWith(Schema.NonNegative, { exact: true }),
  source: Schema.optionalWith(Schema.String, { exact: true }),
  fallback: Schema.optionalWith(Schema.Struct({ tool: Schema.String, why: Schema.String }), { exact: true }),
  details: Schema.optionalWith(Schema.Unknown, { exact: true }),
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  /** Whether the same call may succeed later. */
  get isRetryable(): boolean {
    return retryable.has(this.code)
  }
  /** How long to wait before trying again, as policies read it. */
  get retryAfter(): Duration.Duration | undefined {
    return this.retryAfterMs === undefined ? undefined : Duration.millis(this.retryAfterMs)
  }
}

/**
 * A source did not answer. Say which, and name the tool to use instead if there
 * is one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unavailable = (options: {
  readonly source: string
  readonly message?: string
  readonly fallback?: Fallback | undefined
  readonly retryAfter?: Duration.Duration | undefined
  readonly cause?: unknown
}): ToolError =>
  new ToolError({
    code: "temporarily_unavailable",
    message: options.message ??
      `Temporarily unavailable: ${options.source} did not answer. Try again ${whenOf(options.retryAfter)}${
        options.fallback === undefined ? "." : `, or call ${options.fallback.tool}: ${options.fallback.why}.`
      }`,
    source: options.source,
    ...(options.retryAfter === undefined ? {} : { retryAfterMs: Math.ceil(Duration.toMillis(options.retryAfter)) }),
    ...(options.fallback === undefined ? {} : { fallback: options.fallback }),
    ...(options.cause === undefined ? {} : { cause: options.cause })
  })

const whenOf = (after: Duration.Duration | undefined): string => {
  if (after === undefined) return "shortly"
  const seconds = Math.ceil(Duration.toSeconds(after))
  return seconds <= 10 ? "shortly" : seconds < 120 ? `in ${seconds} seconds` : `in ${Math.ceil(seconds / 60)} minutes`
}

/**
 * The body of a failure as it stands on the wire.
 *
 * @since 0.1.0
 * @category models
 */
export interface Body {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  readonly retryAfterMs?: number
  readonly source?: string
  readonly fallback?: Fallback
  readonly details?: unknown
}

/**
 * The wire body of a tool error: everything but the cause.
 *
 * @since 0.1.0
 * @category combinators
 */
export const toBody = (self: ToolError): Body => ({
  code: self.code,
  message: self.message,
  retryable: self.isRetryable,
  ...(self.retryAfterMs === undefined ? {} : { retryAfterMs: self.retryAfterMs }),
  ...(self.source === undefined ? {} : { source: self.source }),
  ...(self.fallback === undefined ? {} : { fallback: self.fallback }),
  ...(self.details === undefined ? {} : { details: self.details })
})
