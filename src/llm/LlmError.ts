/**
 * Why a model gave no answer. The reason's tag is the decision: whether the
 * same provider may be asked again, and whether the next one should be.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as Chat from "./Chat.js"

/**
 * What went wrong, in the words a chain decides by:
 *
 * - `RateLimited`: too many requests; the next provider at once, this one after `retryAfter`.
 * - `QuotaExhausted`: the account has no credit or budget left.
 * - `AuthRejected`: the key is wrong or may not do this.
 * - `ModelUnavailable`: no such model or address, or not from here.
 * - `ContextTooLong`: the request is larger than the model's window.
 * - `ContentBlocked`: the provider's rules forbid the request or the answer; asking another is a decision of the caller.
 * - `RequestRejected`: the request itself is wrong.
 * - `Transient`: the provider or the way to it broke down.
 * - `TimedOut`: no answer within the time given.
 * - `Malformed`: an answer that cannot be read.
 * - `Degraded`: a readable answer that is no use: empty, cut off, declined, not the JSON asked for.
 * - `Unsupported`: this model cannot do what was asked at all.
 * - `Untrusted`: the provider's certificate was not accepted.
 * - `StreamBroken`: a stream failed after its first text; nothing was put in its place.
 * - `BudgetExceeded`: what may be spent is spent.
 * - `Exhausted`: every model of a chain failed.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Reason = Schema.Literal(
  "RateLimited",
  "QuotaExhausted",
  "AuthRejected",
  "ModelUnavailable",
  "ContextTooLong",
  "ContentBlocked",
  "RequestRejected",
  "Transient",
  "TimedOut",
  "Malformed",
  "Degraded",
  "Unsupported",
  "Untrusted",
  "StreamBroken",
  "BudgetExceeded",
  "Exhausted"
)

/**
 * @since 0.1.0
 * @category models
 */
export type Reason = typeof Reason.Type

const retryable: ReadonlySet<string> = new Set<Reason>([
  "RateLimited",
  "Transient",
  "TimedOut",
  "Malformed",
  "StreamBroken"
])

/** Why a model is passed over that may be asked later. */
const passing: ReadonlySet<string> = new Set(["cooldown", "breaker", "limits", "tooSlow", "attempts"])

const isUsage = (value: unknown): value is Chat.Usage => typeof value === "object" && value !== null

const fields = {
  reason: Reason,
  provider: Schema.String,
  description: Schema.String,
  status: Schema.optionalWith(Schema.Number, { exact: true }),
  retryAfterMs: Schema.optionalWith(Schema.NonNegative, { exact: true }),
  phase: Schema.optionalWith(Chat.Phase, { exact: true }),
  flaw: Schema.optionalWith(Chat.Flaw, { exact: true }),
  partial: Schema.optionalWith(Schema.RedactedFromSelf(Schema.String), { exact: true }),
  usage: Schema.optionalWith(Schema.declare(isUsage), { exact: true }),
  attempts: Schema.optionalWith(Schema.Array(Chat.Attempt), { exact: true }),
  cost: Schema.optionalWith(Chat.Cost, { exact: true }),
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}

/**
 * `description` is for operators and holds no vendor body, key or prompt.
 * `attempts` is the trail of tries; a chain's error always has it. `phase` is
 * where a try stood when it failed, `flaw` what was wrong with a readable answer,
 * `partial` the text there was, and `usage` what it used all the same.
 *
 * @since 0.1.0
 * @category errors
 */
export class LlmError extends Schema.TaggedError<LlmError>("causeway/Llm/LlmError")("LlmError", fields) {
  /** Not checked unless asked for: the types say what fits, and a check takes longer than all else an error does. */
  constructor(
    props: Schema.Struct.Constructor<typeof fields>,
    options: Schema.MakeOptions = { disableValidation: true }
  ) {
    super(props, options)
  }
  /** Whether the same call may succeed later; a chain's when that of any of its models may. */
  get isRetryable(): boolean {
    if (this.reason !== "Exhausted") return retryable.has(this.reason)
    return this.attempts === undefined ||
      this.attempts.some(({ outcome, reason }) =>
        reason !== undefined && (outcome === "skipped" ? passing : retryable).has(reason)
      )
  }
  get retryAfter(): Duration.Duration | undefined {
    return this.retryAfterMs === undefined ? undefined : Duration.millis(this.retryAfterMs)
  }
  override get message() {
    return `${this.provider}: ${this.description}`
  }
}

/**
 * The same error with some of its fields replaced or added.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withFields = (
  self: LlmError,
  fields: Partial<Pick<LlmError, "provider" | "phase" | "usage" | "partial" | "attempts" | "cost" | "retryAfterMs">>
): LlmError =>
  new LlmError({
    reason: self.reason,
    provider: self.provider,
    description: self.description,
    ...(self.status === undefined ? {} : { status: self.status }),
    ...(self.retryAfterMs === undefined ? {} : { retryAfterMs: self.retryAfterMs }),
    ...(self.phase === undefined ? {} : { phase: self.phase }),
    ...(self.flaw === undefined ? {} : { flaw: self.flaw }),
    ...(self.partial === undefined ? {} : { partial: self.partial }),
    ...(self.usage === undefined ? {} : { usage: self.usage }),
    ...(self.attempts === undefined ? {} : { attempts: self.attempts }),
    ...(self.cost === undefined ? {} : { cost: self.cost }),
    ...(self.cause === undefined ? {} : { cause: self.cause }),
    ...fields
  })
