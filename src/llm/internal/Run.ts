/**
 * What one call to a chain knows of itself while it goes from model to model.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Deadline from "../../policy/Deadline.js"
import type * as RetryBudget from "../../policy/RetryBudget.js"
import type * as Budget from "../Budget.js"
import type * as ChainPolicy from "../ChainPolicy.js"
import * as Chat from "../Chat.js"
import type * as LlmError from "../LlmError.js"
import type * as Target from "../Target.js"
import type * as Tier from "../Tier.js"
import type * as ChainTelemetry from "./ChainTelemetry.js"

/**
 * A policy's times, in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Millis {
  readonly deadline: number
  readonly queue: number
  readonly headers: number
  readonly firstToken: number
  readonly idle: number
  readonly answer: number
  /** Until a hedge; `Infinity` without one. */
  readonly hedgeAfter: number
}

/**
 * What all calls of a chain share.
 *
 * @since 0.1.0
 * @category models
 */
export interface Engine {
  readonly name: string
  readonly policy: ChainPolicy.ChainPolicy
  readonly millis: Millis
  readonly tiers: ReadonlyArray<Tier.Tier>
  /** Of all tiers. */
  readonly targets: ReadonlyArray<Target.Target>
  readonly budget: Budget.Budget | undefined
  /** Run when a call has ended; it waits for nothing. */
  readonly afterCall: Effect.Effect<unknown> | undefined
  /** Bounds the share of calls that are hedged. */
  readonly hedges: RetryBudget.RetryBudget | undefined
  readonly watch: Deadline.Watch
  readonly telemetry: ChainTelemetry.ChainTelemetry
  /** Numbers from 0 to below 1. */
  readonly random: () => number
}

/**
 * @since 0.1.0
 * @category models
 */
export type Request = Chat.Request & { readonly schema?: unknown }

/**
 * Makes an effect interruptible again, if the call was.
 *
 * @since 0.1.0
 * @category models
 */
export type Restore = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Kept back of the time that is left, to settle and to answer in; in milliseconds.
 *
 * @since 0.1.0
 * @category constants
 */
export const reserve = 60

/**
 * What the next model is left at least, in milliseconds.
 *
 * @since 0.1.0
 * @category constants
 */
export const leastSlice = 300

/**
 * What is reserved for an answer whose length the request does not bound, in tokens.
 *
 * @since 0.1.0
 * @category constants
 */
export const usualAnswer = 512

/**
 * @since 0.1.0
 * @category models
 */
export type Cause = Chat.Attempt["cause"]

/**
 * A try that has not been judged yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnderWay {
  readonly asking: { readonly target: Target.Target }
  /** Closes its account at once; doing so again changes nothing. */
  readonly abandon: (reason: string) => Effect.Effect<void>
}

/**
 * The state of one call. It is changed only between two steps of its fibers,
 * never while one waits.
 *
 * @since 0.1.0
 * @category models
 */
export class Run {
  readonly engine: Engine
  readonly request: Request
  readonly inputTokens: number
  /** Milliseconds of a clock that does not go back. */
  readonly now: () => number
  readonly restore: Restore
  readonly startedAt: number
  /** When it has to be over. */
  readonly deadline: number
  /** Whether the caller gives less time than the policy. */
  readonly isHurried: boolean
  readonly trail: Array<Chat.Attempt> = []
  /** Tries on the wire, of all kinds. */
  wire = 0
  /** How long they took together, in milliseconds. */
  wireMs = 0
  cost: Chat.Cost = Chat.noCost
  /** Tries that are on the wire, or whose answer is being judged. */
  readonly underWay = new Set<UnderWay>()
  /** Corrections asked for. */
  repairs = 0
  /** After an answer that the request is too long: only larger windows than this, in tokens. */
  largerThan = -1
  /** The last model that failed, and why. */
  lastFailed: { readonly target: Target.Target; readonly error: LlmError.LlmError } | undefined
  /** Models that were asked or could have been, each with the moment it said to come back. */
  readonly seen = new Map<Target.Target, number>()
  /** Those that asked to be left alone until then. */
  readonly limited = new Map<Target.Target, number>()
  /** Those a breaker kept away. */
  readonly broken: Array<Target.Target> = []
  /** Set while nothing but the budget stands in the way. */
  unaffordable: LlmError.LlmError | undefined
  /** Whether something else than the budget stood in the way of a model since the last try. */
  isHindered = false
  /** Whether the last resorts were used: to force a breaker, to wait for who asked to be left alone. */
  hasForced = false
  hasWaited = false

  /** `limit` is that of whoever called, `Infinity` without one. */
  constructor(
    engine: Engine,
    request: Request,
    inputTokens: number,
    now: () => number,
    limit: number,
    restore: Restore
  ) {
    this.engine = engine
    this.request = request
    this.inputTokens = inputTokens
    this.now = now
    this.restore = restore
    this.startedAt = now()
    this.deadline = Math.min(this.startedAt + engine.millis.deadline, limit)
    this.isHurried = limit < this.startedAt + engine.millis.deadline
  }

  remaining(now: number): number {
    return this.deadline - now
  }

  /** Whether too little time is left to ask anyone. */
  isLate(now: number): boolean {
    // The watch counts whole milliseconds.
    return this.deadline - now <= reserve + 1
  }

  /** A model was passed over. */
  skip(target: Target.Target, reason: Target.Obstacle["reason"], retryAfterMs?: number): void {
    const attempt: Chat.Attempt = {
      provider: target.model.provider,
      model: target.model.model,
      outcome: "skipped",
      reason,
      elapsedMs: 0,
      ...(retryAfterMs === undefined || !Number.isFinite(retryAfterMs)
        ? {}
        : { retryAfterMs: Math.max(0, retryAfterMs) })
    }
    this.trail.push(attempt)
    this.engine.telemetry.tried(target, attempt)
    if (reason !== "budget") this.isHindered ||= isTemporary(reason)
    if (isTemporary(reason) || reason === "budget") {
      this.seen.set(target, attempt.retryAfterMs === undefined ? -Infinity : this.now() + attempt.retryAfterMs)
    }
  }

  /** A try has ended; a chain's own trail stands for the try that it was. */
  note(target: Target.Target, attempt: Chat.Attempt, inner?: ReadonlyArray<Chat.Attempt>): void {
    this.engine.telemetry.tried(target, attempt)
    if (attempt.cost !== undefined) this.cost = Chat.addCost(this.cost, attempt.cost)
    if (inner === undefined || !isTrail(target, inner)) {
      this.trail.push(attempt)
      return
    }
    for (const [index, one] of inner.entries()) {
      this.trail.push(
        index === 0 && one.cause === undefined && attempt.cause !== undefined ? { ...one, cause: attempt.cause } : one
      )
    }
  }
}

/** Whether these are tries of a chain within the chain, and not a model's own account of its one try. */
const isTrail = (target: Target.Target, inner: ReadonlyArray<Chat.Attempt>): boolean =>
  inner.length > 1 || (inner[0] !== undefined && inner[0].provider !== target.model.provider)

const isTemporary = (reason: Target.Obstacle["reason"]): boolean =>
  reason === "cooldown" || reason === "breaker" || reason === "limits" || reason === "tooSlow" || reason === "attempts"
