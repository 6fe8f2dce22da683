/**
 * Has the best passages judged again, within bounds, and goes on without when
 * that fails.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TimeLimit from "../../policy/TimeLimit.js"
import * as Calibration from "../Calibration.js"
import type { Passage } from "../Document.js"
import type { Signals } from "../DocumentStore.js"
import type * as Reranker from "../Reranker.js"
import * as Fusion from "./Fusion.js"

/**
 * A passage with all that it is ranked by.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ranked {
  readonly passage: Passage
  readonly score: number
  readonly confidence: number
  readonly freshness: number
  readonly ageDays: number
  readonly agedFrom: "published" | "indexed"
  readonly signals: Signals
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Judged {
  readonly ranking: ReadonlyArray<Ranked>
  /** Who judged. */
  readonly by: string
}

/**
 * Compares by score, best first, ties by document id and position.
 *
 * @since 0.1.0
 * @category combinators
 */
export const byScore = (self: Ranked, that: Ranked): number =>
  that.score - self.score || Fusion.byIdentity(self.passage, that.passage)

/** A kind of failure, and what there is to say of it. */
interface Failed {
  readonly kind: "refused" | "down" | "late" | "misfit"
  readonly error?: Reranker.RerankerError | undefined
}

const late: Failed = { kind: "late" }
const misfit: Failed = { kind: "misfit" }

const told: { readonly [K in Failed["kind"]]: string } = {
  refused: "the reranker cannot judge; ranking without it",
  down: "the reranker failed; ranking without it while it does",
  late: "the reranker did not judge in time; ranking without it when it does not",
  misfit: "the reranker did not give one number for each passage; ranking without it when it does not"
}

const isFit = (scores: ReadonlyArray<number>, count: number): boolean =>
  scores.length === count && scores.every((score) => Number.isFinite(score))

const clamp = (score: number): number => Math.min(1, Math.max(0, score))

/** What was judged in the upper half, the rest below it. Confidences come pressed into the band already. */
const merge = (ranking: ReadonlyArray<Ranked>, scores: ReadonlyArray<number>): ReadonlyArray<Ranked> => {
  const judged = scores.flatMap((score, n) => {
    const item = ranking[n]
    return item === undefined ? [] : [{
      before: item.score,
      item: {
        ...item,
        score: 0.5 + 0.5 * clamp(score) * item.freshness,
        confidence: (Calibration.guessed(score) + item.confidence) / 2
      }
    }]
  })
  judged.sort((a, b) => b.item.score - a.item.score || b.before - a.before || byScore(a.item, b.item))
  return [
    ...judged.map(({ item }) => item),
    ...ranking.slice(scores.length).map((item) => ({ ...item, score: 0.5 * item.score }))
  ]
}

/**
 * Makes a function that judges the best of a ranking; `undefined` when nobody
 * did, or not in time. Confidences that were calibrated are pressed into the band
 * of those that are not. A kind of failure is logged when it is seen first.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  reranker: Reranker.Reranker["Type"] | undefined,
  options: { readonly most: number; readonly within: Duration.DurationInput }
): (
  query: string,
  ranking: ReadonlyArray<Ranked>,
  isCalibrated: boolean
) => Effect.Effect<Judged | undefined> => {
  const most = options.most >= 1 ? Math.trunc(options.most) : 0
  if (reranker === undefined || most === 0) return () => Effect.succeed(undefined)
  const within = Duration.toMillis(options.within)
  const seen = new Set<Failed["kind"]>()

  const without = ({ error, kind }: Failed): Effect.Effect<undefined> =>
    Effect.suspend(() => {
      if (seen.has(kind)) return Effect.succeed(undefined)
      seen.add(kind)
      return Effect.as(Effect.logWarning(told[kind], ...(error === undefined ? [] : [error])), undefined)
    })

  return Effect.fnUntraced(function*(query: string, ranking: ReadonlyArray<Ranked>, isCalibrated: boolean) {
    const best = ranking.slice(0, most)
    if (best.length === 0) return undefined
    const millis = Math.min(within, (yield* TimeLimit.remaining) / 2)
    return yield* reranker.judge(query, best.map(({ passage }) => ({ title: passage.title, text: passage.text }))).pipe(
      TimeLimit.within(millis),
      // It may be busy with what cannot be interrupted; nobody waits for that.
      Effect.disconnect,
      Effect.mapError((error): Failed => ({ kind: error.isRetryable ? "down" : "refused", error })),
      Effect.timeoutFail({ duration: millis, onTimeout: () => late }),
      Effect.filterOrFail((scores) => isFit(scores, best.length), () => misfit),
      Effect.map((scores): Judged | undefined => ({
        ranking: merge(
          isCalibrated
            ? ranking.map((item) => ({ ...item, confidence: Calibration.guessed(item.confidence) }))
            : ranking,
          scores
        ),
        by: reranker.id
      })),
      Effect.catchAll(without)
    )
  })
}
