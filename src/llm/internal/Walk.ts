/**
 * Goes from model to model until one answers: the one loop of a chain in which
 * anything is tried again.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as TimeLimit from "../../policy/TimeLimit.js"
import * as Chat from "../Chat.js"
import type * as LlmError from "../LlmError.js"
import type * as Target from "../Target.js"
import * as TokenEstimate from "../TokenEstimate.js"
import type * as Admission from "./Admission.js"
import * as Again from "./Again.js"
import * as Candidates from "./Candidates.js"
import * as Ending from "./Ending.js"
import * as Hedging from "./Hedging.js"
import * as Run from "./Run.js"
import * as Try from "./Try.js"

/**
 * A question that keeps the best of the answers that had a flaw.
 *
 * @since 0.1.0
 * @category models
 */
export interface Question<A extends Try.Answer> extends Try.Question<A> {
  readonly best: Ending.Best<A>
}

/**
 * Makes one call. The limit of time of whoever runs it counts beside the policy's
 * own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const call = <A extends Try.Answer>(
  engine: Run.Engine,
  method: "generateText" | "generateObject" | "streamText",
  request: Run.Request,
  ask: (run: Run.Run) => Question<A>
): Effect.Effect<A, LlmError.LlmError> => {
  const { afterCall } = engine
  const called = engine.telemetry.call(
    method,
    request,
    Effect.uninterruptibleMask((restore) =>
      Effect.clockWith((clock) =>
        Effect.flatMap(FiberRef.get(TimeLimit.current), (limit) => {
          const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
          const run = new Run.Run(engine, request, TokenEstimate.ofRequest(request), now, limit, restore)
          engine.hedges?.deposit(run.startedAt)
          return next(run, new Candidates.Candidates(run), ask(run))
        })
      )
    )
  )
  return afterCall === undefined ? called : Effect.onExit(called, () => afterCall)
}

const next = <A extends Try.Answer>(
  run: Run.Run,
  candidates: Candidates.Candidates,
  question: Question<A>
): Effect.Effect<A, LlmError.LlmError> => {
  const now = run.now()
  if (run.isLate(now)) candidates.drop("tooSlow", now)
  else if (run.wire >= run.engine.policy.maxAttempts) candidates.drop("attempts", now)
  const target = candidates.take(now)
  if (target === undefined) return lastResort(run, candidates, question)
  const asking: Admission.Asking = {
    target,
    request: run.request,
    cause: run.wire === 0 ? undefined : "failover"
  }
  const visited = question.mayHedge && run.engine.hedges !== undefined
    ? Hedging.visit(run, candidates, run.engine.hedges, asking, (asking) => visit(run, candidates, question, asking))
    : visit(run, candidates, question, asking)
  return Effect.flatMap(visited, (found) => go(run, candidates, question, found))
}

const go = <A extends Try.Answer>(
  run: Run.Run,
  candidates: Candidates.Candidates,
  question: Question<A>,
  found: Hedging.Found<A>
): Effect.Effect<A, LlmError.LlmError> =>
  found._tag === "Answer"
    ? Exit.succeed(ended(run, found.answer))
    : found._tag === "Stop"
    ? fail(run, Ending.stopped(run, found.error))
    : next(run, candidates, question)

const ended = <A extends Try.Answer>(run: Run.Run, answer: A): A => {
  run.engine.telemetry.ended("answered", run.now() - run.startedAt, run.wireMs, run.cost)
  return { ...answer, attempts: [...run.trail], cost: run.cost }
}

const fail = (run: Run.Run, error: LlmError.LlmError): Exit.Exit<never, LlmError.LlmError> => {
  run.engine.telemetry.ended(error.reason, run.now() - run.startedAt, run.wireMs, run.cost)
  return Exit.fail(error)
}

const goOn: Hedging.Found<never> = { _tag: "Next" }

/** Asks one target, as often as it is worth it. */
const visit = <A extends Try.Answer>(
  run: Run.Run,
  candidates: Candidates.Candidates,
  question: Question<A>,
  asking: Admission.Asking
): Effect.Effect<Hedging.Found<A>> =>
  Effect.flatMap(Try.once(run, candidates, question, asking), (tried): Effect.Effect<Hedging.Found<A>> => {
    if (tried._tag === "Refused") return Exit.succeed(goOn)
    if (tried._tag === "Answered") {
      const { answer } = tried
      return Exit.succeed({
        _tag: "Answer",
        answer: asking.usage === undefined
          ? answer
          : { ...answer, usage: Chat.addUsage(asking.usage, answer.usage) }
      })
    }
    return Effect.flatMap(
      Again.after(run, asking, tried, () => candidates.left(run.now())),
      (again): Effect.Effect<Hedging.Found<A>> => {
        if (again !== undefined) return visit(run, candidates, question, again)
        if (tried.decision.next === "no") return Exit.succeed({ _tag: "Stop", error: tried.error })
        if (tried.decision.next === "larger") run.largerThan = Math.max(run.largerThan, windowOf(asking.target))
        return Exit.succeed(goOn)
      }
    )
  })

const windowOf = (target: Target.Target): number => target.traits.contextTokens ?? 0

/** Nobody is left in turn: a breaker may be forced, or the one waited for that asked to be left alone. */
const lastResort = <A extends Try.Answer>(
  run: Run.Run,
  candidates: Candidates.Candidates,
  question: Question<A>
): Effect.Effect<A, LlmError.LlmError> => {
  if (!run.isLate(run.now()) && run.wire < run.engine.policy.maxAttempts) {
    const asking = probe(run)
    if (asking !== undefined) {
      return Effect.flatMap(
        visit(run, candidates, question, asking),
        (found) => go(run, candidates, question, found)
      )
    }
    const waiting = patience(run)
    if (waiting !== undefined) {
      return Effect.flatMap(
        Effect.flatMap(
          Again.later(run, waiting.millis, waiting.asking),
          (asking) => visit(run, candidates, question, asking)
        ),
        (found) => go(run, candidates, question, found)
      )
    }
  }
  return run.engine.policy.onAllDegraded === "best" && question.best.answer !== undefined
    ? Exit.succeed(ended(run, question.best.answer))
    : fail(run, Ending.error(run))
}

/**
 * When breakers kept everyone away, the one that reopens first is asked all the
 * same, once; after a failure only one whose breaker has closed and does not let
 * all calls through yet.
 */
const probe = (run: Run.Run): Admission.Asking | undefined => {
  if (run.hasForced) return undefined
  const now = run.now()
  let first: Target.Target | undefined
  for (const target of run.broken) {
    if (run.wire > 0 && target.breaker.state(now) !== "closed") continue
    if (first === undefined || target.breaker.reopensAt(now) < first.breaker.reopensAt(now)) first = target
  }
  if (first === undefined) return undefined
  run.hasForced = true
  return { target: first, request: run.request, cause: "probe" }
}

/** When the last to be asked wants to be asked later, and later is soon enough, whoever is first of those that said so. */
const patience = (run: Run.Run): { readonly asking: Admission.Asking; readonly millis: number } | undefined => {
  if (run.hasWaited || run.lastFailed?.error.reason !== "RateLimited") return undefined
  const now = run.now()
  let first: { readonly target: Target.Target; readonly at: number } | undefined
  for (const [target, at] of run.limited) if (first === undefined || at < first.at) first = { target, at }
  if (first === undefined) return undefined
  const millis = Math.max(0, first.at - now)
  if (!Again.fits(run, first, millis) || !Again.mayAskAgain(run, first)) return undefined
  run.hasWaited = true
  return { asking: { target: first.target, request: run.request, cause: "retry" }, millis }
}
