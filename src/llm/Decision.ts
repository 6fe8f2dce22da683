/**
 * What an error of a model means for the model and for the call: whether to ask
 * the next, whether to ask again, whom to leave alone for how long.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as LlmError from "./LlmError.js"

/**
 * Whom to leave alone: one model, or all that use the same key.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cooldown {
  readonly scope: "target" | "account"
  /** At least this long, longer when the provider asks for more. */
  readonly atLeast: Duration.Duration
  /** When given, the time doubles with each such error in a row, up to this. */
  readonly upTo?: Duration.Duration | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Decision {
  /** Whether the next model is asked. */
  readonly next: "yes" | "no" | "larger"
  /** Whether the same model may be asked once more, when it failed fast and nothing forbids it. */
  readonly again: boolean
  readonly cooldown: Cooldown | undefined
  /** What the breaker is told. */
  readonly health: "success" | "failure" | "connection" | "nothing"
}

const stop: Decision = { next: "no", again: false, cooldown: undefined, health: "nothing" }
const goOn: Decision = { ...stop, next: "yes" }

const forTarget = (atLeast: Duration.DurationInput): Cooldown => ({
  scope: "target",
  atLeast: Duration.decode(atLeast)
})

const forAccount = (atLeast: Duration.DurationInput, upTo?: Duration.DurationInput): Cooldown => ({
  scope: "account",
  atLeast: Duration.decode(atLeast),
  upTo: upTo === undefined ? undefined : Duration.decode(upTo)
})

const table: { readonly [R in LlmError.Reason]: Decision } = {
  RateLimited: { ...goOn, cooldown: forTarget("1 second") },
  QuotaExhausted: { ...goOn, cooldown: forAccount("10 minutes", "1 hour") },
  AuthRejected: { ...goOn, cooldown: forAccount("5 minutes") },
  ModelUnavailable: { ...goOn, cooldown: forTarget("10 minutes") },
  ContextTooLong: { ...goOn, next: "larger" },
  ContentBlocked: stop,
  RequestRejected: stop,
  Transient: { ...goOn, again: true, health: "connection" },
  TimedOut: { ...goOn, health: "connection" },
  Malformed: { ...goOn, health: "failure" },
  // It answered, and in time: whether it is any good is judged elsewhere.
  Degraded: { ...goOn, health: "success" },
  Unsupported: goOn,
  Untrusted: { ...goOn, cooldown: forAccount("5 minutes"), health: "failure" },
  StreamBroken: { ...stop, health: "connection" },
  BudgetExceeded: goOn,
  Exhausted: goOn
}

/**
 * The decision that an error's reason stands for. What our own queue or limits
 * refused says nothing of the provider. A broken stream means for the model what
 * broke it, and for the call that it is over.
 *
 * @since 0.1.0
 * @category constructors
 */
export const standard = (error: LlmError.LlmError): Decision => {
  if (error.reason === "StreamBroken" && error.cause instanceof LlmError.LlmError) {
    return { ...standard(error.cause), next: "no", again: false }
  }
  return error.phase === "queue" ? goOn : table[error.reason]
}

/**
 * As `standard`, but what one provider's content rules forbid is put to the next.
 *
 * @since 0.1.0
 * @category constructors
 */
export const pastContentRules = (error: LlmError.LlmError): Decision =>
  error.reason === "ContentBlocked" ? goOn : standard(error)
