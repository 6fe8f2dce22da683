/**
 * How sure a cited answer is.
 *
 * @since 0.1.0
 */
import type { Item } from "./AnswerContext.js"
import * as Conflicts from "./Conflicts.js"

/** What a user did before says little of the market. */
const historyConfidence = 0.6

/** An answer from session history alone is never surer. */
const historyCeiling = 0.4

/** A generating model may add what no passage says; quoting cannot. */
const generating = 0.9

/** Another document gives other figures than a cited one. */
const contradicted = 0.7

/** What is cited is old, and nothing younger was found. */
const outdated = 0.8

/**
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly confidence: number
  /** What speaks against relying on the documents given; see `Conflicts.among`. */
  readonly conflicts: ReadonlyArray<Conflicts.Conflict>
  /** Whether a generating model cited nothing it was given. */
  readonly isUncited: boolean
}

const mean = (values: ReadonlyArray<number>): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * Judges an answer by what it cites. The evidence is the mean of the cited
 * documents' confidences, so never above the best of them; the model counts 1
 * when it only quotes and 0.9 when it generates; another document that gives other
 * figures than a cited one counts 0.7, once however many do; a cited document
 * that is out of date counts 0.8, once. The whole is their product, so never
 * surer than its weakest link.
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
  readonly question: string
  readonly answer: string
  /** Whether the search was narrowed to a time. */
  readonly isTimed: boolean
  readonly now: number
  readonly cited: ReadonlyArray<Item>
  readonly given: ReadonlyArray<Item>
  readonly isExtractive: boolean
  readonly hasDocuments: boolean
}): Verdict => {
  const { cited, given, hasDocuments, isExtractive } = options
  const factor = isExtractive ? 1 : generating
  const confidenceOf = (item: Item): number => item._tag === "Document" ? item.found.confidence : historyConfidence
  if (cited.length === 0) {
    const best = Math.max(0, ...given.map(confidenceOf))
    return {
      confidence: isExtractive ? Math.min(0.1, best) : Math.min(0.3, best * factor * 0.5),
      conflicts: [],
      isUncited: !isExtractive
    }
  }
  const documents = cited.flatMap((item) => item._tag === "Document" ? [item.found] : [])
  if (documents.length === 0) {
    return {
      confidence: Math.min(historyCeiling, historyConfidence * factor * (hasDocuments ? 1 : 0.5)),
      conflicts: [],
      isUncited: false
    }
  }
  const ids = new Set(documents.map((document) => document.id))
  const conflicts = Conflicts.among({
    ...options,
    given: given.flatMap((item) => item._tag === "Document" ? [item.found] : []),
    cited: ids
  })
  const lowered = (isLowering: (conflict: Conflicts.Conflict) => boolean, factor: number): number =>
    conflicts.some((conflict) => isLowering(conflict) && Conflicts.involves(conflict, ids)) ? factor : 1
  return {
    confidence: mean(documents.map((document) => document.confidence)) * factor *
      lowered(({ why }) => why !== "outdated", contradicted) * lowered(({ why }) => why === "outdated", outdated),
    conflicts,
    isUncited: false
  }
}

/** What one conflict means for who relies on the answer. */
const sentence = ({ figures, id, publishedAt, why, with: other }: Conflicts.Conflict): string => {
  const said = figures === undefined ? "" : `: ${figures[0]}, not ${figures[1]}`
  switch (why) {
    case "newer-figures":
      return `A newer document (${id}) gives other figures on the same matter than ${other ?? "what is cited"}${said}.`
    case "contradicts":
      return `Documents contradict each other: ${id} and ${other ?? "what is cited"} give different figures` +
        `${figures === undefined ? "" : `, ${figures[0]} and ${figures[1]}`}.`
    case "outdated":
      return `${id} is old${
        publishedAt === undefined ? "" : ` (${publishedAt.slice(0, 10)})`
      } and nothing newer was found.`
  }
}

/**
 * What to check before relying on an answer; `undefined` when nothing speaks
 * against it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const note = ({ conflicts }: Pick<Verdict, "conflicts">): string | undefined =>
  conflicts.length === 0
    ? undefined
    : `${conflicts.slice(0, mostNoted).map(sentence).join(" ")} Read ${
      conflicts.length === 1 ? "it" : "them"
    } before relying on this.`

/** The field names all; a note of more is not read. */
const mostNoted = 2
