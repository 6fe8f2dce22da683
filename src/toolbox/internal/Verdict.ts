/**
 * How sure a cited answer is.
 *
 * @since 0.1.0
 */
import type { Item } from "./AnswerContext.js"
import * as Figures from "./Figures.js"
import type { Found } from "./Found.js"

/** What a user did before says little of the market. */
const historyConfidence = 0.6

/** An answer from session history alone is never surer. */
const historyCeiling = 0.4

/** A generating model may add what no passage says; quoting cannot. */
const generating = 0.9

/** A newer passage says otherwise. */
const outdated = 0.7

/**
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly confidence: number
  /** The newer document that gives other figures. */
  readonly rival?: Found | undefined
  /** Whether a generating model cited nothing it was given. */
  readonly isUncited: boolean
}

const mean = (values: ReadonlyArray<number>): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * Judges an answer by what it cites. The evidence is the mean of the cited
 * documents' confidences, so never above the best of them; the model counts 1
 * when it only quotes and 0.9 when it generates; a newer document of the same
 * company or topic with other figures, uncited, counts 0.7. The whole is their
 * product, so never surer than its weakest link.
 *
 * Session history counts 0.6 as evidence and 0.4 at most in all, half of that
 * evidence when documents could not be asked. Without citations, a generated
 * answer has half of the best passage's and 0.3 at most, and a quoted one, which
 * found nothing to quote, 0.1 at most.
 *
 * @since 0.1.0
 * @category combinators
 */
export const judge = (options: {
  readonly answer: string
  readonly cited: ReadonlyArray<Item>
  readonly given: ReadonlyArray<Item>
  readonly isExtractive: boolean
  readonly hasDocuments: boolean
}): Verdict => {
  const { answer, cited, given, hasDocuments, isExtractive } = options
  const factor = isExtractive ? 1 : generating
  const confidenceOf = (item: Item): number => item._tag === "Document" ? item.found.confidence : historyConfidence
  if (cited.length === 0) {
    const best = Math.max(0, ...given.map(confidenceOf))
    return {
      confidence: isExtractive ? Math.min(0.1, best) : Math.min(0.3, best * factor * 0.5),
      isUncited: !isExtractive
    }
  }
  const documents = cited.flatMap((item) => item._tag === "Document" ? [item.found] : [])
  if (documents.length === 0) {
    return {
      confidence: Math.min(historyCeiling, historyConfidence * factor * (hasDocuments ? 1 : 0.5)),
      isUncited: false
    }
  }
  const citedIds = new Set(documents.map((document) => document.id))
  const rival = given
    .flatMap((item) => item._tag === "Document" && !citedIds.has(item.found.id) ? [item.found] : [])
    .find((other) => documents.some((document) => Figures.isOutdatedBy(document, other, answer)))
  const confidence = mean(documents.map((document) => document.confidence)) * factor
  return { confidence: rival === undefined ? confidence : confidence * outdated, rival, isUncited: false }
}
