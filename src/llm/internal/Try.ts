/**
 * One try from its admission to the verdict on what came of it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { isExit } from "../../protocol/Ended.js"
import type * as JsonValidator from "../../protocol/JsonValidator.js"
import type * as Chat from "../Chat.js"
import type * as Check from "../Check.js"
import type * as Decision from "../Decision.js"
import * as LlmError from "../LlmError.js"
import type * as Target from "../Target.js"
import * as Admission from "./Admission.js"
import * as Attempt from "./Attempt.js"
import * as Candidates from "./Candidates.js"
import type * as Run from "./Run.js"
import * as Verdict from "./Verdict.js"

/**
 * What is asked, and how its answers are judged.
 *
 * @since 0.1.0
 * @category models
 */
export interface Question<A extends Answer> {
  /** Asks the target of an attempt. */
  readonly ask: (attempt: Attempt.Attempt) => Effect.Effect<A, LlmError.LlmError>
  /** What is wrong with the value of an answer. */
  readonly problems: (answer: A) => ReadonlyArray<JsonValidator.Problem>
  /** None where the text is out before it could be judged. */
  readonly checks: ReadonlyArray<Check.Check>
  readonly mayHedge: boolean
  /** An answer was seen that has a flaw; `undefined` when there is only the error. */
  readonly flawed: (attempt: Attempt.Attempt, error: LlmError.LlmError, answer: A | undefined) => void
}

/**
 * @since 0.1.0
 * @category models
 */
export type Answer = Chat.TextAnswer | Chat.ObjectAnswer

/**
 * A failure, and what it means.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failed {
  readonly _tag: "Failed"
  readonly error: LlmError.LlmError
  readonly elapsedMs: number
  readonly decision: Decision.Decision
  /** What is wrong with a value, and the text it was read from, when that could be corrected. */
  readonly mendable: { readonly text: string; readonly problems: ReadonlyArray<JsonValidator.Problem> } | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export type Tried<A> =
  | { readonly _tag: "Answered"; readonly answer: A }
  | { readonly _tag: "Refused" }
  | Failed

const refused = Exit.succeed<Tried<never>>({ _tag: "Refused" })

/**
 * Makes one try. All that it holds is given back on every exit, once. Run where
 * nothing interrupts but what the run restores.
 *
 * @since 0.1.0
 * @category constructors
 */
export const once = <A extends Answer>(
  run: Run.Run,
  candidates: Candidates.Candidates,
  question: Question<A>,
  asking: Admission.Asking
): Effect.Effect<Tried<A>> =>
  Effect.flatMap(Admission.admit(run, candidates, asking), (ticket) => {
    if (ticket === undefined) return refused
    const now = run.now()
    const another = candidates.another(now, run.wire)
    const slice = Candidates.slice(run, another, now)
    if (slice <= 0) return Effect.zipRight(Admission.cancel(run, ticket), Effect.suspend(() => tooLate(run, asking)))
    const attempt = new Attempt.Attempt(
      run,
      asking,
      ticket,
      asking.share === undefined ? slice : Math.min(slice, asking.share * run.remaining(now)),
      another === undefined
    )
    return onWire(run, question, attempt)
  })

const tooLate = (run: Run.Run, asking: Admission.Asking): Exit.Exit<Tried<never>> => {
  run.skip(asking.target, "tooSlow")
  return refused
}

const onWire = <A extends Answer>(
  run: Run.Run,
  question: Question<A>,
  attempt: Attempt.Attempt
): Effect.Effect<Tried<A>> => {
  const { telemetry, watch } = run.engine
  const { cause, target } = attempt.asking
  if (cause === "failover" && run.lastFailed !== undefined) {
    telemetry.failedOver(run.lastFailed.target, target, run.lastFailed.error.reason)
  }
  run.underWay.add(attempt)
  run.unaffordable = undefined
  run.isHindered = false
  const watched = watch.runArmed((timer) => {
    attempt.begin(timer)
    return question.ask(attempt)
  }, {
    duration: attempt.limit,
    onTimeout: () => Effect.fail(attempt.timedOut())
  })
  let lost: Lost | undefined
  // What a failure means is settled within the span, which tells of it.
  const wire = Effect.mapError(run.restore(watched), (error) => {
    if (attempt.isOver) return error
    const failure = attempt.isShown ? broken(attempt, error) : error
    const ended = attempt.failed(failure)
    lost = { error: failure, ended, decision: decided(run, attempt, ended, failure) }
    return failure
  })
  return Effect.matchCauseEffect(telemetry.attempt(target, cause, wire), {
    onSuccess: (answer) => attempt.isOver ? refused : judged(run, question, attempt, answer),
    onFailure: (cause) => {
      run.underWay.delete(attempt)
      return lost !== undefined
        ? failed(run, question, attempt, lost)
        : Effect.zipRight(attempt.abandon(reasonOf(cause)), Effect.failCause(Cause.flatMap(cause, () => Cause.empty)))
    }
  })
}

const reasonOf = (cause: Cause.Cause<unknown>): string => Cause.isInterrupted(cause) ? "Interrupted" : "Defect"

/** A failure on the wire, and what it means. */
interface Lost {
  readonly error: LlmError.LlmError
  readonly ended: Attempt.Ended
  readonly decision: Decision.Decision
}

const decided = (
  run: Run.Run,
  attempt: Attempt.Attempt,
  ended: Attempt.Ended,
  error: LlmError.LlmError
): Decision.Decision => {
  const decision = run.engine.policy.decide(error)
  attempt.learn(error, decision, ended)
  return decision
}

const failed = <A extends Answer>(
  run: Run.Run,
  question: Question<A>,
  attempt: Attempt.Attempt,
  { decision, ended, error }: Lost
): Effect.Effect<Tried<A>> => {
  const mendable = error.flaw === "invalidJson" && error.partial !== undefined
    ? { text: Redacted.value(error.partial), problems: notJson }
    : undefined
  question.flawed(attempt, error, undefined)
  return Effect.as(attempt.settled(ended.cost), concluded(run, attempt, ended, error, decision, mendable))
}

const notJson: ReadonlyArray<JsonValidator.Problem> = [{ path: "", message: "This is not JSON." }]

/** What all failures have in common, once the wire is quiet. */
const concluded = (
  run: Run.Run,
  attempt: Attempt.Attempt,
  ended: Attempt.Ended,
  error: LlmError.LlmError,
  decision: Decision.Decision,
  mendable: Failed["mendable"]
): Failed => {
  const { target } = attempt.asking
  const { reason, retryAfterMs } = error
  attempt.note(
    attempt.entry(ended, "failed", { reason, phase: error.phase, flaw: error.flaw, retryAfterMs }),
    error.attempts
  )
  run.engine.telemetry.levels(target, ended.now)
  run.lastFailed = { target, error }
  if (reason === "RateLimited" && retryAfterMs !== undefined) {
    run.limited.set(target, backAt(target, ended.now, retryAfterMs, decision))
  }
  run.seen.set(target, retryAfterMs === undefined ? Number.NEGATIVE_INFINITY : ended.now + retryAfterMs)
  return { _tag: "Failed", error, elapsedMs: ended.elapsedMs, decision, mendable }
}

/** When a target that wants to be left alone may be asked: when it says, or later where it told another call so. */
const backAt = (
  target: Target.Target,
  now: number,
  retryAfterMs: number,
  { cooldown }: Decision.Decision
): number => {
  const mine = now + Math.max(retryAfterMs, cooldown === undefined ? 0 : Duration.toMillis(cooldown.atLeast))
  const all = Math.max(target.cooling.until, target.account.cooling.until)
  return all > mine ? all : now + retryAfterMs
}

/** After its first text a stream cannot be made good by another. */
const broken = (attempt: Attempt.Attempt, error: LlmError.LlmError): LlmError.LlmError =>
  new LlmError.LlmError({
    reason: "StreamBroken",
    provider: attempt.asking.target.model.provider,
    description: `the stream failed after its first text: ${error.description}`,
    partial: Redacted.make(attempt.text),
    cause: error,
    ...(error.phase === undefined ? {} : { phase: error.phase }),
    ...(error.flaw === undefined ? {} : { flaw: error.flaw }),
    ...(error.usage === undefined ? {} : { usage: error.usage }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.cost === undefined ? {} : { cost: error.cost }),
    ...(error.attempts === undefined ? {} : { attempts: error.attempts })
  })

const judged = <A extends Answer>(
  run: Run.Run,
  question: Question<A>,
  attempt: Attempt.Attempt,
  answer: A
): Effect.Effect<Tried<A>> => {
  const ended = attempt.answered(answer)
  const settled = attempt.settled(ended.cost)
  const verdict = Verdict.of(run, question, attempt, answer)
  return isExit(verdict) && Exit.isSuccess(verdict) && isExit(settled)
    ? Exit.succeed(closed(run, question, attempt, ended, answer, verdict.value))
    : Effect.matchCauseEffect(Effect.zipRight(settled, run.restore(verdict)), {
      onSuccess: (verdict) => Exit.succeed(closed(run, question, attempt, ended, answer, verdict)),
      onFailure: (cause) => {
        run.underWay.delete(attempt)
        attempt.ticket.breaker.ignore(ended.now)
        attempt.note(attempt.entry(ended, "failed", { reason: reasonOf(cause) }))
        return Effect.failCause(cause)
      }
    })
}

/** The try is over, with a verdict on its answer. */
const closed = <A extends Answer>(
  run: Run.Run,
  question: Question<A>,
  attempt: Attempt.Attempt,
  ended: Attempt.Ended,
  answer: A,
  verdict: Verdict.Verdict | undefined
): Tried<A> => {
  run.underWay.delete(attempt)
  const { target } = attempt.asking
  if (verdict?.severity === "failure") {
    const text = answer.text ?? ("value" in answer ? JSON.stringify(answer.value) : undefined)
    const error = new LlmError.LlmError({
      reason: "Degraded",
      provider: target.model.provider,
      description: verdict.description,
      flaw: verdict.flaw,
      usage: answer.usage,
      ...(text === undefined ? {} : { partial: Redacted.make(text) }),
      ...(answer.attempts.length > 1 ? { attempts: answer.attempts } : {})
    })
    const { problems } = verdict
    question.flawed(attempt, error, problems === undefined ? answer : undefined)
    const mendable = problems !== undefined && text !== undefined ? { text, problems } : undefined
    return concluded(run, attempt, ended, error, decided(run, attempt, ended, error), mendable)
  }
  attempt.approve(ended, answer.isCached === true)
  attempt.note(attempt.entry(ended, "answered", { model: answer.model, flaw: verdict?.flaw }), answer.attempts)
  run.engine.telemetry.levels(target, ended.now)
  return { _tag: "Answered", answer }
}
