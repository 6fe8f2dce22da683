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
  /** What the request has beyond the call's own, in tokens as estimated. */
  readonly moreTokens?: number | undefined
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
 * long as the policy allows while another model could be asked, and when none
 * could as long as there is time for an answer then. Nothing is held while it waits. Run where
 * nothing interrupts but what the run restores.
 *
 * @since 0.1.0
 * @category constructors
 */
export const admit = (
  run: Run.Run,
  candidates: Candidates.Candidates,
  asking: Asking
): Effect.Effect<Ticket | undefined> => Effect.suspend(() => enter(run, candidates, asking, undefined, undefined))

const refused = Exit.succeed(undefined)

const isAgain = (cause: Run.Cause): boolean => cause === "retry" || cause === "repair" || cause === "lengthen"

/**
 * The input tokens of a try, as estimated.
 *
 * @since 0.1.0
 * @category accessors
 */
export const inputTokens = (run: Run.Run, asking: Asking): number => run.inputTokens + (asking.moreTokens ?? 0)

const tokensOf = (run: Run.Run, asking: Asking): number =>
  inputTokens(run, asking) + Math.min(
    asking.request.maxTokens ?? Run.usualAnswer,
    asking.target.traits.maxOutputTokens ?? Number.POSITIVE_INFINITY
  )

/** What the limits said: a place, or how long to wait. */
type Taken = Limits.Permit | number

/** `turn` is what the limits said when its turn had come, after a wait. */
const enter = (
  run: Run.Run,
  candidates: Candidates.Candidates,
  asking: Asking,
  waitsUntil: number | undefined,
  turn: Taken | undefined
): Effect.Effect<Ticket | undefined> => {
  const { cause, target } = asking
  const now = run.now()
  const refuse = (reason: Target.Obstacle["reason"], retryAfterMs?: number) => {
    if (typeof turn === "object") turn.refund(now)
    run.skip(target, reason, retryAfterMs)
    return refused
  }
  if (run.wire >= run.engine.policy.maxAttempts) return refuse("attempts")
  const isBudgeted = cause === "retry" || cause === "failover"
  const isExempt = cause === "failover" && target.limits.headroom(now) > 0 &&
    candidates.another(now, run.wire + 1) === undefined
  if (isBudgeted && !isExempt && target.retryBudget.balance(now) < 1) return refuse("attempts")
  if (cause !== "probe" && target.breaker.state(now) === "open") {
    run.broken.push(target)
    return refuse("breaker", target.breaker.reopensAt(now) - now)
  }

  const taken = turn ?? target.limits.tryTake(tokensOf(run, asking), now)
  if (typeof taken === "number") {
    if (Number.isNaN(taken)) return refuse("limits")
    // Who comes in later than this is given up before its answer comes.
    const latest = run.deadline - Run.reserve - (target.record.median() ?? 0)
    const until = waitsUntil ??
      (candidates.another(now, run.wire + 1) === undefined ? latest : now + run.engine.millis.queue)
    const allowed = Math.min(until, latest) - now
    if (allowed <= 0 || (taken > allowed && taken !== Number.POSITIVE_INFINITY)) return refuse("limits", taken)
    return Effect.flatMap(
      taken === Number.POSITIVE_INFINITY
        ? place(run, asking, allowed)
        : Effect.as(run.restore(Effect.sleep(Duration.millis(taken))), undefined),
      (turn) => enter(run, candidates, asking, until, turn)
    )
  }

  // While a breaker that has closed lets only some calls through, this call is one of them already.
  const isLet = cause === "probe" || (isAgain(cause) && target.breaker.state(now) === "closed")
  const breaker = isLet ? target.breaker.force(now) : target.breaker.tryAcquire(now)
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
    inputTokens: inputTokens(run, asking),
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

/**
 * Waits for a place and tries to take it in the very fiber whose turn it is: any
 * other would come too late, when the place is offered to the next already. What
 * the limits said, or nothing when the time was over.
 */
const place = (run: Run.Run, asking: Asking, allowed: number): Effect.Effect<Taken | undefined> => {
  const { limits } = asking.target
  let turn: Taken | undefined
  const waited = Effect.map(limits.released, () => {
    turn = limits.tryTake(tokensOf(run, asking), run.now())
  })
  return Effect.matchCauseEffect(
    run.restore(run.engine.watch.run(waited, { duration: allowed, onTimeout: () => Effect.void })),
    {
      onSuccess: () => Exit.succeed(turn),
      onFailure: (cause) => {
        if (typeof turn === "object") turn.refund(run.now())
        return Effect.failCause(cause)
      }
    }
  )
}

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
