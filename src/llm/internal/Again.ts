/**
 * Whether the same model is asked once more after a failure, and what: to
 * correct its JSON, for a longer answer, or the same again.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ScheduleIntervals from "effect/ScheduleIntervals"
import * as Chat from "../Chat.js"
import * as Correction from "../Correction.js"
import * as TokenEstimate from "../TokenEstimate.js"
import type * as Admission from "./Admission.js"
import * as Run from "./Run.js"
import type * as Try from "./Try.js"

/** The share of the time left that a correction may take. */
const repairShare = 0.35

/**
 * What to ask the same model now, after any wait that is due; nothing when the
 * next is to be asked. `others` counts those that could still be asked: a plain
 * retry takes the place of none of them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const after = (
  run: Run.Run,
  asking: Admission.Asking,
  failed: Try.Failed,
  others: () => number
): Effect.Effect<Admission.Asking | undefined> => {
  if (run.wire >= run.engine.policy.maxAttempts || run.isLate(run.now())) return none
  const changed = repaired(run, asking, failed) ?? lengthened(run, asking, failed)
  return changed === undefined ? retried(run, asking, failed, others) : Effect.succeed(changed)
}

const none = Effect.succeed(undefined)

const withUsage = (asking: Admission.Asking, failed: Try.Failed): Admission.Asking["usage"] => {
  const { usage } = failed.error
  return usage === undefined ? asking.usage : asking.usage === undefined ? usage : Chat.addUsage(asking.usage, usage)
}

const repaired = (run: Run.Run, asking: Admission.Asking, failed: Try.Failed): Admission.Asking | undefined => {
  const wrong = failed.mendable
  if (wrong === undefined || run.repairs >= run.engine.policy.repairs) return undefined
  if (asking.target.traits.canCorrect === false) return undefined
  run.repairs++
  const correction = Correction.messages(wrong.text, wrong.problems)
  return {
    ...asking,
    cause: "repair",
    share: repairShare,
    usage: withUsage(asking, failed),
    moreTokens: TokenEstimate.ofRequest({ messages: correction }),
    request: { ...asking.request, messages: [...run.request.messages, ...correction] }
  }
}

const lengthened = (run: Run.Run, asking: Admission.Asking, failed: Try.Failed): Admission.Asking | undefined => {
  const { maxTokens } = asking.request
  if (
    failed.error.flaw !== "truncated" || failed.error.reason !== "Degraded" || !run.engine.policy.lengthens ||
    maxTokens === undefined || asking.isLengthened === true ||
    run.remaining(run.now()) <= (run.deadline - run.startedAt) / 2
  ) return undefined
  const longer = Math.min(2 * maxTokens, asking.target.traits.maxOutputTokens ?? Number.POSITIVE_INFINITY)
  return longer <= maxTokens ? undefined : {
    ...asking,
    cause: "lengthen",
    isLengthened: true,
    usage: withUsage(asking, failed),
    request: { ...asking.request, maxTokens: longer }
  }
}

const retried = (
  run: Run.Run,
  asking: Admission.Asking,
  failed: Try.Failed,
  others: () => number
): Effect.Effect<Admission.Asking | undefined> => {
  const { policy } = run.engine
  const { decision, elapsedMs, error } = failed
  if (!decision.again || !policy.retryIf(error, elapsedMs) || !mayAskAgain(run, asking)) return none
  // A model that has not been asked yet is a better bet than one that has just failed.
  if (run.wire + others() >= policy.maxAttempts) return none
  return Effect.clockWith((clock) => {
    const at = clock.unsafeCurrentTimeMillis()
    const state: unknown = asking.retries === undefined ? policy.retry.initial : asking.retries.state
    return Effect.flatMap(policy.retry.step(at, error, state), ([state, , next]) => {
      if (next._tag === "Done") return none
      const delay = Math.max(ScheduleIntervals.start(next.intervals) - at, error.retryAfterMs ?? 0, 0)
      const again: Admission.Asking = { ...asking, cause: "retry", retries: { state } }
      return fits(run, asking, delay) ? later(run, delay, again) : none
    })
  })
}

/**
 * Whether the target's breaker and retry budget would let one more try in.
 *
 * @since 0.1.0
 * @category combinators
 */
export const mayAskAgain = (run: Run.Run, asking: Pick<Admission.Asking, "target">): boolean => {
  const now = run.now()
  return asking.target.retryBudget.balance(now) >= 1 && asking.target.breaker.state(now) !== "open"
}

/**
 * Whether there is time for an answer after a wait.
 *
 * @since 0.1.0
 * @category combinators
 */
export const fits = (run: Run.Run, asking: Pick<Admission.Asking, "target">, delay: number): boolean =>
  run.remaining(run.now()) - delay > Run.reserve + 1 + (asking.target.record.median() ?? 0)

/**
 * The same after a wait, which an interruption ends.
 *
 * @since 0.1.0
 * @category combinators
 */
export const later = <A>(run: Run.Run, millis: number, value: A): Effect.Effect<A> =>
  millis <= 0 ? Effect.succeed(value) : Effect.as(run.restore(Effect.sleep(Duration.millis(millis))), value)
