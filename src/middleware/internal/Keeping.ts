/**
 * Gives answers that were kept, and keeps answers.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Cache, MinConfidence } from "../../policy/Policy.js"
import * as Policy from "../../policy/Policy.js"
import type { Kept, ResultCache } from "../../policy/ResultCache.js"
import type * as Tool from "../../tool/Tool.js"
import * as Answer from "./Answer.js"
import type { Answered, Ending, Next, Visit } from "./Visit.js"
import { isResumed } from "./Visit.js"
import * as Written from "./Written.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly tool: Tool.Any
  readonly cache: Context.Tag.Service<ResultCache>
  readonly policy: Cache
  readonly minConfidence: MinConfidence | undefined
  readonly clock: Clock.Clock
  /** The key of what would be the same answer. */
  readonly keyOf: (visit: Visit) => string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Keeping {
  readonly step: (next: Next) => Next
  /** A kept answer that may stand in when the source has failed, for `reason`; `None` when there is none, or it is too old. */
  readonly stale: (
    visit: Visit,
    reason: string,
    missing: ReadonlyArray<string>
  ) => Effect.Effect<Option.Option<Answered>>
}

const ago = (millis: number): string => {
  const seconds = Math.round(millis / 1000)
  if (seconds < 120) return `${seconds} ${seconds === 1 ? "second" : "seconds"} ago`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} minutes ago` : `${Math.round(minutes / 60)} hours ago`
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ cache, clock, keyOf, minConfidence, policy, tool }: Options): Keeping => {
  const timeToLive = Duration.toMillis(policy.timeToLive)
  const staleFor = Duration.toMillis(policy.staleFor ?? 0)
  const halfLife = Duration.toMillis(Policy.halfLifeOf(policy))

  const ageOf = (kept: Kept): number => Math.max(0, clock.unsafeCurrentTimeMillis() - kept.madeAt)

  /** The answer as it is worth now; `undefined` when it cannot be read. */
  const aged = (kept: Kept, age: number, degraded?: Written.Envelope["degraded"]): Answered | undefined => {
    const result = Written.read(kept.json)
    if (result === undefined) return undefined
    if (tool.form === "raw") {
      const note = degraded === undefined ? [] : [{ type: "text" as const, text: `Note: ${degraded.reason}.` }]
      return {
        _tag: "Answered",
        result: {
          ...result,
          content: [...result.content, ...note],
          _meta: { ...result._meta, "dev.causeway/cached": { ageMs: Math.round(age) } }
        },
        confidence: undefined,
        isDegraded: degraded !== undefined,
        isCached: true
      }
    }
    const envelope = Written.keptEnvelope(result.structuredJson)
    if (envelope === undefined) return undefined
    envelope.confidence *= 2 ** (-age / halfLife)
    envelope.sources = envelope.sources.map((source) => ({ ...source, cached: true }))
    if (degraded !== undefined) Written.degrade(envelope, degraded.reason, degraded.missing)
    return Written.answered(envelope, true)
  }

  const fresh = (kept: Option.Option<Kept>): Answered | undefined => {
    if (Option.isNone(kept)) return undefined
    const age = ageOf(kept.value)
    if (age >= timeToLive) return undefined
    const answer = aged(kept.value, age)
    // One that has become too unsure is asked for anew.
    return answer !== undefined && Answer.isSure(answer.confidence, minConfidence) ? answer : undefined
  }

  const store = (visit: Visit, answer: Answered): Effect.Effect<void> => {
    if (answer.isDegraded || answer.isCached || answer.result.isError) return Effect.void
    return Effect.suspend(() => {
      visit.observation?.step?.("cache", "stored")
      return cache.set(
        keyOf(visit),
        { json: Written.keep(answer.result), madeAt: clock.unsafeCurrentTimeMillis() },
        timeToLive + staleFor
      )
    })
  }

  return {
    step: (next) => (visit): Ending => {
      if (isResumed(visit)) return next(visit)
      return Effect.flatMap(Effect.suspend(() => cache.get(keyOf(visit))), (kept): Ending => {
        const answer = fresh(kept)
        visit.observation?.step?.("cache", answer === undefined ? "miss" : "hit")
        if (answer !== undefined) return Exit.succeed(answer)
        return Effect.tap(next(visit), (outcome) => outcome._tag === "Answered" ? store(visit, outcome) : Effect.void)
      })
    },
    stale: (visit, reason, missing) =>
      isResumed(visit) ? Effect.succeedNone : Effect.map(Effect.suspend(() => cache.get(keyOf(visit))), (kept) => {
        if (Option.isNone(kept)) return Option.none()
        const age = ageOf(kept.value)
        if (age >= timeToLive + staleFor) return Option.none()
        const answer = aged(kept.value, age, { reason: `${reason}; this answer was kept ${ago(age)}`, missing })
        return answer === undefined ||
            (minConfidence?.otherwise === "fail" && !Answer.isSure(answer.confidence, minConfidence))
          ? Option.none()
          : Option.some(answer)
      })
  }
}
