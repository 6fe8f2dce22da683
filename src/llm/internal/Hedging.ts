/**
 * A second model beside the first when that one is slow: the first good answer
 * counts, the other try is given up.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as RetryBudget from "../../policy/RetryBudget.js"
import type * as LlmError from "../LlmError.js"
import * as Price from "../Price.js"
import type * as Target from "../Target.js"
import type * as Admission from "./Admission.js"
import type * as Candidates from "./Candidates.js"
import * as Run from "./Run.js"

/**
 * What came of asking a target: an answer, an error that ends the call, or
 * leave to ask the next.
 *
 * @since 0.1.0
 * @category models
 */
export type Found<A> =
  | { readonly _tag: "Answer"; readonly answer: A }
  | { readonly _tag: "Stop"; readonly error: LlmError.LlmError }
  | { readonly _tag: "Next" }

type Event<A> =
  | { readonly _tag: "Late" }
  | { readonly _tag: "Over"; readonly target: Target.Target; readonly exit: Exit.Exit<Found<A>> }

/**
 * Asks a target, and another of a different provider when the first takes long
 * and the policy allows it. Run where nothing interrupts but what the run
 * restores.
 *
 * @since 0.1.0
 * @category constructors
 */
export const visit = <A>(
  run: Run.Run,
  candidates: Candidates.Candidates,
  budget: RetryBudget.RetryBudget,
  asking: Admission.Asking,
  ask: (asking: Admission.Asking) => Effect.Effect<Found<A>>
): Effect.Effect<Found<A>> =>
  Effect.gen(function*() {
    const events = yield* Queue.unbounded<Event<A>>()
    const racing = new Map<Target.Target, Fiber.Fiber<unknown>>()

    const start = (asking: Admission.Asking) =>
      Effect.map(
        Effect.fork(
          Effect.onExit(ask(asking), (exit) => Queue.offer(events, { _tag: "Over", target: asking.target, exit }))
        ),
        (fiber) => {
          racing.set(asking.target, fiber)
        }
      )

    /** Those still under way are of no use any more. */
    const giveUp = Effect.suspend(() => {
      const losers = [...run.underWay].filter((attempt) => racing.has(attempt.asking.target))
      return Effect.zipRight(
        Effect.forEach(losers, (attempt) => attempt.abandon("Interrupted"), { discard: true }),
        Effect.forEach(racing.values(), (fiber) => Fiber.interruptFork(fiber), { discard: true })
      )
    })

    const first = Math.max(run.engine.millis.hedgeAfter, asking.target.record.firstTokenP95() ?? 0)
    const timer = yield* Effect.fork(
      Effect.zipRight(run.restore(Effect.sleep(Duration.millis(first))), Queue.offer(events, { _tag: "Late" }))
    )
    yield* start(asking)

    const settle = Effect.gen(function*() {
      let stopped: Found<A> | undefined
      for (;;) {
        const event = yield* run.restore(Queue.take(events))
        if (event._tag === "Late") {
          const backup = choose(run, candidates, budget, asking)
          if (backup === undefined) run.engine.telemetry.hedged("denied")
          else yield* start(backup)
          continue
        }
        racing.delete(event.target)
        const { exit } = event
        const isBackup = event.target !== asking.target
        const found = Exit.isSuccess(exit) ? exit.value : undefined
        if (isBackup) run.engine.telemetry.hedged(found?._tag === "Answer" ? "won" : "lost")
        // What the second says ends the call only when the first has no answer either.
        if (found !== undefined && (found._tag === "Next" || (found._tag === "Stop" && isBackup))) {
          if (found._tag === "Stop") stopped = found
          if (racing.size === 0) return stopped ?? found
          continue
        }
        if (!isBackup && racing.size > 0) run.engine.telemetry.hedged("lost")
        return yield* exit
      }
    })
    return yield* Effect.onExit(settle, () => Effect.zipRight(Fiber.interruptFork(timer), giveUp))
  })

/** Who is asked beside the first, if the policy allows it now. */
const choose = (
  run: Run.Run,
  candidates: Candidates.Candidates,
  budget: RetryBudget.RetryBudget,
  asking: Admission.Asking
): Admission.Asking | undefined => {
  const { policy, targets } = run.engine
  const now = run.now()
  const { hedge } = policy
  if (
    hedge === undefined || run.isLate(now) || run.wire === 0 || run.wire >= policy.maxAttempts ||
    isLoaded(asking.target, hedge.maxLoad) || targets.some((target) => target.breaker.state(now) === "halfOpen") ||
    budget.balance(now) < 1
  ) return undefined
  const target = candidates.takeOther(
    asking.target.account,
    now,
    (target) => !isLoaded(target, hedge.maxLoad) && !isTooDear(run, target, asking.target, hedge.maxCostRatio)
  )
  if (target === undefined) return undefined
  budget.tryWithdraw(now)
  return { target, request: run.request, cause: "hedge" }
}

const isLoaded = (target: Target.Target, most: number): boolean =>
  target.limits.inFlight > most * target.limits.concurrency

const isTooDear = (run: Run.Run, target: Target.Target, than: Target.Target, ratio: number): boolean => {
  const tokens = { inputTokens: run.inputTokens, outputTokens: run.request.maxTokens ?? Run.usualAnswer }
  const first = Price.atMost(than.price, tokens)
  const second = Price.atMost(target.price, tokens)
  // What nobody knows the price of may cost any number of times the first.
  return first === undefined ? false : second === undefined || second > ratio * first
}
