/**
 * Lets a try in: retry budget, limits, breaker and money, all of them or none.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as CircuitBreaker from "../../policy/CircuitBreaker.js"
import type * as Budget from "../Budget.js"
import type * as Chat from "../Chat.js"
import type * as Limits from "../Limits.js"
import type * as LlmError from "../LlmError.js"
import * as Price from "../Price.js"
import type * as Target from "../Target.js"
import type * as Candidates from "./Candidates.js"
import * as Run from "./Run.js"

/**
 * What a call asks of a target this time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Asking {
  readonly target: Target.Target
  readonly request: Run.Request
  readonly cause: Run.Cause
  /** The share of the time left that this try may take; all that there is unless given. */
  readonly share?: number | undefined
  /** Whether it was asked for a longer answer already. */
  readonly isLengthened?: boolean | undefined
  /** Where the schedule of retries stands; at its beginning unless given. */
  readonly retries?: { readonly state: unknown } | undefined
  /** What tries at this target used that gave an answer, though not a good one. */
  readonly usage?: Chat.Usage | undefined
}

/**
 * What a try holds while it is under way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ticket {
  readonly permit: Limits.Permit
  readonly breaker: CircuitBreaker.Permit
  readonly reservation: Budget.Reservation | undefined
}

/**
 * Takes all that a try needs, or nothing and notes why. Waits for a place as
 * long as the policy allows while another model could be asked, and as long as
 * there is time when none could. Nothing is held while it waits. Run where
 * nothing interrupts but what the run restores.
 *
 * @since 0.1.0
 * @category constructors
 */
export const admit = (
  run: Run.Run,
  candidates: Candidates.Candidates,
  asking: Asking
): Effect.Effect<Ticket | undefined> => Effect.suspend(() => enter(run, candidates, asking, undefined))

const refused = Exit.succeed(undefined)

const tokensOf = (run: Run.Run, asking: Asking): number =>
  run.inputTokens + Math.min(
    asking.request.maxTokens ?? Run.usualAnswer,
    asking.target.traits.maxOutputTokens ?? Number.POSITIVE_INFINITY
  )

const enter = (
  run: Run.Run,
  candidates: Candidates.Candidates,
  asking: Asking,
  waitsUntil: number | undefined
): Effect.Effect<Ticket | undefined> => {
  const { cause, target } = asking
  const now = run.now()
  const refuse = (reason: Target.Obstacle["reason"], retryAfterMs?: number) => {
    run.skip(target, reason, retryAfterMs)
    return refused
  }
  if (run.wire >= run.engine.policy.maxAttempts) return refuse("attempts")
  const isBudgeted = cause === "retry" || cause === "failover"
  const isExempt = cause === "failover" && target.limits.headroom(now) > 0 && candidates.another(now) === undefined
  if (isBudgeted && !isExempt && target.retryBudget.balance(now) < 1) return refuse("attempts")
  if (cause !== "probe" && target.breaker.state(now) === "open") {
    run.broken.push(target)
    return refuse("breaker", target.breaker.reopensAt(now) - now)
  }

  const taken = target.limits.tryTake(tokensOf(run, asking), now)
  if (typeof taken === "number") {
    if (Number.isNaN(taken)) return refuse("limits")
    const until = waitsUntil ??
      (candidates.another(now) === undefined ? run.deadline - Run.reserve : now + run.engine.millis.queue)
    const allowed = Math.min(until, run.deadline - Run.reserve) - now
    if (allowed <= 0 || (taken > allowed && taken !== Number.POSITIVE_INFINITY)) return refuse("limits", taken)
    return Effect.zipRight(
      run.restore(wait(run, target, taken, allowed)),
      Effect.suspend(() => enter(run, candidates, asking, until))
    )
  }

  const breaker = cause === "probe" ? target.breaker.force(now) : target.breaker.tryAcquire(now)
  if (breaker === undefined) {
    taken.refund(now)
    run.broken.push(target)
    return refuse("breaker", Math.max(0, target.breaker.reopensAt(now) - now))
  }
  const isFirst = run.wire++ === 0
  const ticket = (reservation: Budget.Reservation | undefined): Ticket => {
    if (isFirst) target.retryBudget.deposit(now)
    else if (isBudgeted && !isExempt) target.retryBudget.tryWithdraw(now)
    return { permit: taken, breaker, reservation }
  }
  const { budget } = run.engine
  if (budget === undefined) return Exit.succeed(ticket(undefined))
  const most = Price.atMost(target.price, {
    inputTokens: run.inputTokens,
    outputTokens: asking.request.maxTokens ?? target.traits.maxOutputTokens ?? Run.usualAnswer
  })
  return Effect.matchCauseEffect(budget.reserve(run.request.tenant, most), {
    onSuccess: (reservation) => Exit.succeed(ticket(reservation)),
    onFailure: (cause) => {
      run.wire--
      taken.refund(run.now())
      breaker.ignore(run.now())
      const failure = Cause.failureOrCause(cause)
      return Either.isLeft(failure) ? tooDear(run, target, failure.left) : Effect.failCause(failure.right)
    }
  })
}

const tooDear = (run: Run.Run, target: Target.Target, error: LlmError.LlmError): Effect.Effect<undefined> => {
  run.unaffordable = error
  run.skip(target, "budget", error.retryAfterMs)
  return refused
}

/** Until a place may have come free, or it is no use any more. */
const wait = (run: Run.Run, target: Target.Target, millis: number, allowed: number): Effect.Effect<void> =>
  millis === Number.POSITIVE_INFINITY
    ? run.engine.watch.run(target.limits.released, { duration: allowed, onTimeout: () => Effect.void })
    : Effect.sleep(Duration.millis(millis))

/**
 * Gives back what a try took that is not made after all.
 *
 * @since 0.1.0
 * @category combinators
 */
export const cancel = (run: Run.Run, ticket: Ticket): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = run.now()
    run.wire--
    ticket.permit.refund(now)
    ticket.breaker.ignore(now)
    return ticket.reservation === undefined ? Effect.void : ticket.reservation.release
  })
