/**
 * How sure a batch of summaries is, and what it had to do without.
 *
 * @since 0.1.0
 */
import type * as Evidence from "../../tool/Evidence.js"
import * as ToolError from "../../tool/ToolError.js"
import * as ModelSource from "./ModelSource.js"
import type { Summary } from "./SummaryModel.js"

/** A model may leave out what matters, or add what does not stand there. */
const generating = 0.85

/** Quoted sentences are true, and rarely all that matters. */
const quoting = 0.5

/** Each level of summaries of summaries loses something. */
const inParts = 0.9

/** Nobody has compared the documents. */
const quotedOverall = 0.9

/**
 * How sure one summary is: 0.85 from a model and 0.5 when quoted, unless all
 * there was is quoted; times 0.9 when put together from parts, times the share
 * of parts that were read, times what `ModelSource.factor` leaves for the answer
 * that came about worst.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofSummary = ({ answers, isPartial, isQuoted, parts }: Summary): number =>
  (isQuoted && isPartial ? quoting : generating) * (parts.total > 1 ? inParts : 1) * (parts.read / parts.total) *
  Math.min(1, ...answers.filter((answer) => !ModelSource.isExtractive(answer)).map(ModelSource.factor))

/**
 * How sure the whole is: the mean over all documents that were asked for, those
 * that failed counting 0, times 0.9 when the overall summary was quoted although
 * a model wrote the others.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofBatch = (
  options: {
    readonly summaries: ReadonlyArray<Summary>
    readonly failures: number
    readonly isOverallQuoted: boolean
  }
): number => {
  const { failures, isOverallQuoted, summaries } = options
  const count = summaries.length + failures
  if (count === 0) return 0
  const mean = summaries.reduce((sum, summary) => sum + ofSummary(summary), 0) / count
  return isOverallQuoted && summaries.some(({ isQuoted }) => !isQuoted) ? mean * quotedOverall : mean
}

/**
 * A document that was not summarised, and why.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failed {
  readonly id: string
  readonly error: ToolError.ToolError
}

const counted = (count: number, total: number): string => `${count} of ${total} documents`

/**
 * What the batch had to do without, a note each; none when all went well.
 *
 * @since 0.1.0
 * @category combinators
 */
export const notes = (
  options: {
    readonly summaries: ReadonlyArray<Summary>
    readonly failures: ReadonlyArray<Failed>
    readonly isOverallQuoted: boolean
  }
): ReadonlyArray<Evidence.Degraded> => {
  const { failures, isOverallQuoted, summaries } = options
  const total = summaries.length + failures.length
  const quoted = summaries.filter(({ isPartial, isQuoted }) => isQuoted && isPartial).length
  const unread = summaries.filter(({ parts }) => parts.read < parts.total).length
  const loose = summaries.filter(({ isPartial, isQuoted, parts }) =>
    isPartial && !isQuoted && parts.read === parts.total
  )
  const flawed = new Set(
    summaries.flatMap(({ answers }) => answers).flatMap((answer) => {
      const note = ModelSource.degraded(answer)
      return note === undefined ? [] : [note.reason]
    })
  )
  return [
    ...(failures.length === 0 ? [] : [{
      reason: `${counted(failures.length, total)} could not be summarised`,
      missing: [...new Set(failures.flatMap(({ error }) => error.source === undefined ? [] : [error.source]))]
    }]),
    ...(unread === 0 ? [] : [{
      reason: `of ${counted(unread, total)} some parts could not be read`,
      missing: ["model"]
    }]),
    ...(loose.length === 0 ? [] : [{
      reason: `of ${counted(loose.length, total)} no model put the summaries of the parts together`,
      missing: ["model"]
    }]),
    ...(quoted === 0 ? [] : [{
      reason: `the summaries of ${counted(quoted, total)} are sentences quoted from them, since no model wrote them`,
      missing: ["model"]
    }]),
    ...(isOverallQuoted && quoted < summaries.length && summaries.length > 1
      ? [{ reason: "the overall summary is quoted from the others, since no model wrote it", missing: ["model"] }]
      : []),
    ...Array.from(flawed, (reason) => ({ reason, missing: [] }))
  ]
}

/**
 * The failure of a batch in which nothing was summarised. It may be tried again
 * when that may help any of its documents, and as soon as the first of those.
 *
 * @since 0.1.0
 * @category constructors
 */
export const allFailed = (failures: ReadonlyArray<Failed>): ToolError.ToolError => {
  const errors = failures.map(({ error }) => error)
  const hopeful = errors.filter((error) => error.isRetryable)
  const worst = hopeful[0] ?? errors[0]
  const waits = hopeful.flatMap(({ retryAfterMs }) => retryAfterMs === undefined ? [] : [retryAfterMs])
  const sentences = [...new Set(errors.map(({ message }) => message))].slice(0, 3).join(" ")
  const message = `None of the ${failures.length} documents could be summarised. ${sentences}`
  const details = { failures: failures.map(reported) }
  const retryAfterMs = waits.length === 0 ? worst?.retryAfterMs : Math.min(...waits)
  return new ToolError.ToolError({
    code: worst?.code ?? "not_found",
    message,
    details,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(worst?.source === undefined ? {} : { source: worst.source }),
    ...(worst?.cause === undefined ? {} : { cause: worst.cause })
  })
}

/**
 * A failure as it stands in the answer.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reported = ({ error, id }: Failed): {
  readonly id: string
  readonly reason: ToolError.Code
  readonly message: string
} => ({ id, reason: error.code, message: error.message })
