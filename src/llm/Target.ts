/**
 * A model as a chain sees it: with its limits, its price, the state of its
 * breaker and how fast it has been. One value may stand in several chains, which
 * then share all that.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as CircuitBreaker from "../policy/CircuitBreaker.js"
import * as RetryBudget from "../policy/RetryBudget.js"
import type * as Chat from "./Chat.js"
import * as CoolingState from "./internal/Cooling.js"
import * as Setting from "./internal/Setting.js"
import * as TargetRecord from "./internal/TargetRecord.js"
import * as Limits from "./Limits.js"
import type * as Llm from "./Llm.js"
import * as Price from "./Price.js"

/**
 * A setting of a model, a tier or a chain that makes no sense; `path` says which.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidTarget extends Schema.TaggedError<InvalidTarget>("causeway/Target/InvalidTarget")(
  "InvalidTarget",
  { path: Schema.Array(Schema.String), description: Schema.String }
) {
  override get message() {
    return `${this.path.join(".")}: ${this.description}`
  }
}

/**
 * What several models have in common that are asked with one key. Its name is
 * for people to read; the key is never part of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Account {
  readonly name: string
  readonly cooling: Cooling
}

/**
 * How long someone is left alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cooling {
  /** Until then; `-Infinity` when not at all. Never moved to an earlier moment. */
  readonly until: number
  /** Why it is, or was the last time; `undefined` when it never was. */
  readonly reason: string | undefined
  /**
   * Leaves it alone for `atLeast`, doubled up to `upTo` with each such reason in
   * a row, or for `asked` when that is longer (an hour at most). Failures of
   * calls that were under way together double once.
   */
  readonly begin: (
    now: number,
    options: { readonly reason: string; readonly atLeast: number; readonly upTo?: number; readonly asked?: number }
  ) => void
  /** A success: what doubles starts anew. */
  readonly reset: () => void
}

/**
 * How fast and how well a model has answered. Figures are `undefined` until
 * there are enough.
 *
 * @since 0.1.0
 * @category models
 */
export interface Record {
  /** An answer, and how long it and its first text took, in milliseconds. */
  readonly answered: (now: number, elapsedMs: number, firstTokenMs: number | undefined) => void
  readonly failed: (now: number, elapsedMs: number) => void
  /** Peak-sensitive moving average of the time to answer, in milliseconds; unknown after half a minute without a try. */
  readonly latency: (now: number) => number | undefined
  /** Half of the answers took no longer, in milliseconds. */
  readonly median: () => number | undefined
  /** 95 of 100 first texts took no longer, in milliseconds; of whole answers where nothing streams. */
  readonly firstTokenP95: () => number | undefined
  /** The share of answers among the recent tries, above 0 to 1: one answer is taken for granted, and failures are forgiven with time. */
  readonly successRate: (now: number) => number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Target {
  /** Its name in a chain: provider and model unless given. */
  readonly id: string
  readonly model: Llm.Model
  readonly traits: Llm.Traits
  readonly weight: number
  readonly labels: ReadonlySet<string>
  readonly price: Price.Price | undefined
  readonly account: Account
  readonly limits: Limits.Limits
  readonly breaker: CircuitBreaker.CircuitBreaker
  readonly retryBudget: RetryBudget.RetryBudget
  readonly cooling: Cooling
  readonly record: Record
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly id?: string | undefined
  /** One for each key; several models that share one are left alone together. Its own unless given. */
  readonly account?: Account | undefined
  /** Limits of its own, or limits it shares with others that were given the same value; none unless given. */
  readonly limits?: Limits.Options | Limits.Limits | undefined
  /** Its share in a weighted tier, above 0; 1 unless given. */
  readonly weight?: number | undefined
  readonly labels?: ReadonlyArray<string> | undefined
  readonly price?: Price.Price | undefined
  /** `false` for none; the standard one unless given. */
  readonly breaker?: CircuitBreaker.Options | false | undefined
  readonly retryBudget?: RetryBudget.Options | undefined
  /** What is known of it beyond `model.traits`. */
  readonly traits?: Llm.Traits | undefined
}

/**
 * Makes a target whose breaker is closed and whose limits are free. Fails when
 * an option is out of its range.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (model: Llm.Model, options: Options = {}): Effect.Effect<Target, InvalidTarget> =>
  Effect.gen(function*() {
    yield* named("provider", model.provider)
    yield* named("model", model.model)
    const id = yield* named("id", options.id ?? `${model.provider}/${model.model}`)
    const weight = options.weight ?? 1
    if (!(weight > 0 && weight < Number.POSITIVE_INFINITY)) {
      return yield* invalid(["weight"], `must be a finite number above 0, but is ${weight}`)
    }
    const given = options.limits
    return {
      id,
      model,
      traits: yield* traitsOf(model.traits ?? {}, options.traits ?? {}),
      weight,
      labels: new Set(options.labels),
      price: yield* priced(options.price),
      account: options.account ?? account(id),
      limits: given !== undefined && "tryTake" in given ? given : yield* setting("limits", given, Limits.make),
      breaker: options.breaker === false
        ? CircuitBreaker.off
        : yield* setting("breaker", options.breaker, CircuitBreaker.make),
      retryBudget: yield* setting("retryBudget", options.retryBudget, RetryBudget.make),
      cooling: CoolingState.make(),
      record: TargetRecord.make()
    }
  })

const invalid = (path: ReadonlyArray<string>, description: string): InvalidTarget =>
  new InvalidTarget({ path, description })

const named = (name: string, value: string): Effect.Effect<string, InvalidTarget> =>
  value.trim() === "" ? Effect.fail(invalid([name], "must not be empty")) : Effect.succeed(value)

const setting = <A, O extends object>(
  name: string,
  options: O | undefined,
  make: (options?: O) => A
): Effect.Effect<A, InvalidTarget> =>
  Effect.mapError(
    Setting.attempt(options, make),
    (fault) => invalid(fault.name === undefined ? [name] : [name, fault.name], fault.description)
  )

const traitsOf = (own: Llm.Traits, given: Llm.Traits): Effect.Effect<Llm.Traits, InvalidTarget> => {
  const traits: Llm.Traits = {
    contextTokens: given.contextTokens ?? own.contextTokens,
    maxOutputTokens: given.maxOutputTokens ?? own.maxOutputTokens,
    json: given.json ?? own.json,
    canCorrect: given.canCorrect ?? own.canCorrect
  }
  for (const name of ["contextTokens", "maxOutputTokens"] as const) {
    const value = traits[name]
    if (value !== undefined && !(value > 0)) {
      return Effect.fail(invalid(["traits", name], `must be above 0, but is ${value}`))
    }
  }
  return Effect.succeed(traits)
}

const priced = (price: Price.Price | undefined): Effect.Effect<Price.Price | undefined, InvalidTarget> =>
  price === undefined ? Effect.succeed(price) : Effect.mapError(
    ParseResult.validate(Price.Price)(price),
    (problem) => {
      const issue = ParseResult.ArrayFormatter.formatIssueSync(problem)[0]
      return invalid(["price", ...(issue?.path ?? []).map(String)], issue?.message ?? "is no price")
    }
  )

/**
 * Makes an account for several models to share; the name is for people, and no
 * secret.
 *
 * @since 0.1.0
 * @category constructors
 */
export const account = (name: string): Account => ({ name, cooling: CoolingState.make() })

/**
 * What the most capable of several models can do, where that is known of each:
 * the widest window and the longest answer among them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const widest = (all: ReadonlyArray<Llm.Traits>): Llm.Traits => {
  const most = (name: "contextTokens" | "maxOutputTokens") => {
    const figures = all.flatMap((traits) => traits[name] ?? [])
    return figures.length === 0 || figures.length < all.length ? {} : { [name]: Math.max(...figures) }
  }
  return { ...most("contextTokens"), ...most("maxOutputTokens") }
}

/**
 * Why a target cannot be asked now, or nothing when it can.
 *
 * @since 0.1.0
 * @category models
 */
export interface Obstacle {
  readonly reason:
    | "cooldown"
    | "breaker"
    | "contextTooLong"
    | "unsupported"
    | "label"
    | "tooSlow"
    | "limits"
    | "budget"
    | "attempts"
  /** When it may be over, in milliseconds from now, where that is known. */
  readonly retryAfterMs?: number | undefined
}

/**
 * Whether a request fits a target at all and the target is not being left alone:
 * the window, JSON, labels, cooldowns. What can never fit goes before what will
 * pass. A longer answer than the target gives is no obstacle. Changes nothing.
 *
 * @since 0.1.0
 * @category combinators
 */
export const obstacle = (
  target: Target,
  request: Chat.Request & { readonly schema?: unknown },
  options: { readonly now: number; readonly inputTokens: number }
): Obstacle | undefined => {
  const { contextTokens, json, maxOutputTokens } = target.traits
  if (contextTokens !== undefined) {
    const outputTokens = Math.min(request.maxTokens ?? 0, maxOutputTokens ?? Number.POSITIVE_INFINITY)
    if (options.inputTokens + outputTokens > contextTokens) return tooLong
  }
  if (request.schema !== undefined && json === "none") return noJson
  if (request.labels !== undefined && request.labels.some((label) => !target.labels.has(label))) return noLabel
  const retryAfterMs = coolsUntil(target) - options.now
  return retryAfterMs > 0 ? { reason: "cooldown", retryAfterMs } : undefined
}

const tooLong: Obstacle = { reason: "contextTooLong" }
const noJson: Obstacle = { reason: "unsupported" }
const noLabel: Obstacle = { reason: "label" }

const coolsUntil = (target: Target): number => Math.max(target.cooling.until, target.account.cooling.until)

/**
 * A target's state for health pages and metrics.
 *
 * @since 0.1.0
 * @category models
 */
export interface Status {
  readonly id: string
  readonly provider: string
  readonly model: string
  readonly breaker: CircuitBreaker.State
  readonly coolingFor: Duration.Duration | undefined
  readonly coolingReason: string | undefined
  readonly inFlight: number
  readonly headroom: number
  readonly latencyMs: number | undefined
  readonly successRate: number
}

/**
 * Reads the state of a target at a moment, and changes nothing.
 *
 * @since 0.1.0
 * @category accessors
 */
export const status = (target: Target, now: number): Status => {
  const coolsFor = coolsUntil(target) - now
  const cooling = target.cooling.until >= target.account.cooling.until ? target.cooling : target.account.cooling
  return {
    id: target.id,
    provider: target.model.provider,
    model: target.model.model,
    breaker: target.breaker.state(now),
    coolingFor: coolsFor > 0 ? Duration.millis(coolsFor) : undefined,
    coolingReason: coolsFor > 0 ? cooling.reason : undefined,
    inFlight: target.limits.inFlight,
    headroom: target.limits.headroom(now),
    latencyMs: target.record.latency(now),
    successRate: target.record.successRate(now)
  }
}
