/**
 * Names where documents contradict each other, and which are out of date.
 *
 * @since 0.1.0
 */
import * as Moment from "../../document/Moment.js"
import * as Retriever from "../../document/Retriever.js"
import * as Tokenizer from "../../document/Tokenizer.js"
import * as Figures from "./Figures.js"
import type { Found } from "./Found.js"
import * as Period from "./Period.js"
import * as Statements from "./Statements.js"

/**
 * What speaks against relying on a document.
 *
 * @since 0.1.0
 * @category models
 */
export interface Conflict {
  /** The newer document, the one that contradicts, or the outdated one. */
  readonly id: string
  /** The document that it says otherwise than. */
  readonly with?: string | undefined
  readonly publishedAt?: string | undefined
  readonly why: "newer-figures" | "contradicts" | "outdated"
  /** Both figures, as they are written. */
  readonly figures?: readonly [string, string] | undefined
}

/** More tell no more. */
const most = 5

/** So many half-lives leave a sixteenth of what age can take. */
const halfLives = 4

const fact = ({ best }: Found, key: string): string | undefined => {
  const value = Object.hasOwn(best.passage.metadata, key) ? best.passage.metadata[key] : undefined
  return value === undefined ? undefined : String(value).toLowerCase()
}

const publishedAt = ({ best }: Found): number | undefined =>
  best.passage.publishedAt === undefined ? undefined : Moment.millis(best.passage.publishedAt)

/** Of one company; where neither has one, of one topic. */
const areOnOneMatter = (self: Found, that: Found): boolean => {
  const [mine, theirs] = [fact(self, "company"), fact(that, "company")]
  if (mine !== undefined || theirs !== undefined) return mine === theirs
  return fact(self, "topic") !== undefined && fact(self, "topic") === fact(that, "topic")
}

/** A figure with the period it is of in one form, and one string for the matter it is on. */
interface Statement {
  readonly figure: Statements.Statement
  readonly matter: string
  /** `undefined` when the text names no period, `unknown` when it is not clear which. */
  readonly period: string | undefined
  /** When the text was published, where that tells of which year it speaks. */
  readonly datedBy: number | undefined
}

/** What two texts call the third quarter is the same one when they were published within so many milliseconds. */
const nearby = 200 * 86_400_000

/** Fiscal years begin when they like: a year that nobody named is not taken for one that somebody else did. */
const areOfOneTime = (
  self: Statement,
  that: Statement,
  published: readonly [self: number | undefined, that: number | undefined]
): boolean => {
  if (self.period !== that.period) return false
  if (self.datedBy === undefined && that.datedBy === undefined) return true
  const [mine, theirs] = published
  return mine !== undefined && theirs !== undefined && Math.abs(mine - theirs) <= nearby
}

const statementsOf = (found: Found): ReadonlyArray<Statement> => {
  const period = fact(found, "period")
  const named = period === undefined ? undefined : Period.of(period)
  const about = {
    subject: new Set(Tokenizer.tokens(`${fact(found, "company") ?? ""} ${fact(found, "ticker") ?? ""}`)),
    // What is on several periods, or on one that cannot be read, is on none in particular.
    period: named === "several" ? undefined : named
  }
  const isUnclear = period !== undefined && about.period === undefined
  return found.passages.flatMap(({ passage }) => Statements.inText(passage.text, about)).flatMap((figure) => {
    if (isUnclear && figure.period?.year === undefined) return []
    const published = publishedAt(found)
    const key = figure.period === undefined ? undefined : Period.key(figure.period, published) ?? "unknown"
    const isDated = figure.period !== undefined && figure.period.year === undefined
    return [{
      figure,
      matter: `${figure.unit}|${figure.measure.join(" ")}`,
      period: key,
      datedBy: isDated ? published : undefined
    }]
  })
}

interface Judged {
  readonly found: Found
  readonly statements: ReadonlyArray<Statement>
  readonly isCited: boolean
}

interface Pair {
  readonly self: Statement
  readonly that: Statement
}

/** What one document states and the other states otherwise; a figure that the other gives too, anywhere, is no such. */
const differing = (self: Judged, that: Judged): ReadonlyArray<Pair> =>
  self.statements.flatMap((mine) => {
    if (mine.period === "unknown") return []
    const published = [publishedAt(self.found), publishedAt(that.found)] as const
    const theirs = that.statements.filter((other) =>
      other.matter === mine.matter && areOfOneTime(mine, other, published)
    )
    if (theirs.some(({ figure }) => Figures.mayAgree(figure, mine.figure))) return []
    return theirs
      .filter(({ figure }) =>
        !self.statements.some((other) => other.matter === mine.matter && Figures.mayAgree(other.figure, figure))
      )
      .map((other) => ({ self: mine, that: other }))
  })

const dated = (found: Found) => {
  const at = Moment.normal(found.best.passage.publishedAt)
  return at === undefined ? {} : { publishedAt: at }
}

/** `self` is cited if any of both is; if both are or neither is, the newer one is `that`. */
const conflictOf = (self: Judged, that: Judged, isOnTopic: (statement: Statement) => boolean): Conflict | undefined => {
  if (!areOnOneMatter(self.found, that.found)) return undefined
  const [mine, theirs] = [publishedAt(self.found), publishedAt(that.found)]
  const isNewer = mine !== undefined && theirs !== undefined && theirs > mine
  const isOlder = mine !== undefined && theirs !== undefined && theirs < mine
  // The newer one is cited already.
  if (self.isCited && !that.isCited && isOlder) return undefined
  const isReplaced = isNewer && !that.isCited
  const pair = differing(self, that).find((each) =>
    (isOnTopic(each.self) || isOnTopic(each.that)) && (isReplaced || each.self.period !== undefined)
  )
  return pair === undefined ? undefined : {
    id: that.found.id,
    with: self.found.id,
    ...dated(that.found),
    why: isReplaced ? "newer-figures" : "contradicts",
    figures: [pair.that.figure.text, pair.self.figure.text]
  }
}

const isOld = ({ best }: Found, now: number): boolean => {
  const { ageDays, halfLife } = Retriever.ageOf(best.passage, now)
  return ageDays > halfLives * halfLife
}

/** Cited, old, and nothing on the matter was found that is not. */
const outdated = (all: ReadonlyArray<Judged>, now: number): ReadonlyArray<Conflict> =>
  all
    .filter(({ found, isCited }) =>
      isCited && isOld(found, now) &&
      !all.some((other) =>
        !isOld(other.found, now) &&
        (fact(found, "company") === undefined || fact(other.found, "company") === undefined ||
          areOnOneMatter(found, other.found))
      )
    )
    .map(({ found }) => ({ id: found.id, ...dated(found), why: "outdated" as const }))

/** Whether a question asks for the past: it names a year. */
const isHistorical = (question: string): boolean => {
  const named = Period.of(question)
  return named === "several" || named?.year !== undefined
}

/**
 * The conflicts among documents, those with a cited document first, at most
 * five.
 *
 * Figures conflict when two documents of one company (or of one topic, without a
 * company) state different ones, beyond rounding, in one unit, of the same
 * thing in the same words, for the same period, and the answer states one of
 * them or question and answer name the thing. An uncited newer document gives
 * `newer-figures`, also where neither says of when it speaks; otherwise
 * two documents `contradicts` each other, unless the newer is the one cited.
 *
 * A cited document is `outdated` when it is older than four half-lives of its
 * type (`Retriever.halfLives`) and nothing younger was found on the company;
 * never when the question names a year or the search was narrowed to a time.
 *
 * @since 0.1.0
 * @category constructors
 */
export const among = (options: {
  readonly given: ReadonlyArray<Found>
  readonly cited: ReadonlySet<string>
  readonly question: string
  readonly answer: string
  /** Whether the search was narrowed to a time. */
  readonly isTimed: boolean
  readonly now: number
}): ReadonlyArray<Conflict> => {
  const told = Figures.inText(options.answer)
  const words = new Set(Tokenizer.tokens(`${options.question} ${options.answer}`))
  const isOnTopic = ({ figure }: Statement): boolean =>
    told.some((each) => Figures.agree(each, figure)) || figure.measure.every((word) => words.has(word))
  const all = options.given
    .map((found): Judged => ({ found, statements: statementsOf(found), isCited: options.cited.has(found.id) }))
    .sort((a, b) => Number(b.isCited) - Number(a.isCited) || (publishedAt(a.found) ?? 0) - (publishedAt(b.found) ?? 0))
  const figures = all.flatMap((self, n) =>
    all.slice(n + 1).flatMap((that) => {
      const conflict = conflictOf(self, that, isOnTopic)
      return conflict === undefined ? [] : [conflict]
    })
  )
  const old = options.isTimed || isHistorical(options.question) ? [] : outdated(all, options.now)
  return [...figures.filter((each) => involves(each, options.cited)), ...old, ...figures].filter((each, n, list) =>
    list.indexOf(each) === n
  ).slice(0, most)
}

/**
 * Whether one of the documents of a conflict is among these.
 *
 * @since 0.1.0
 * @category guards
 */
export const involves = (conflict: Conflict, ids: ReadonlySet<string>): boolean =>
  ids.has(conflict.id) || (conflict.with !== undefined && ids.has(conflict.with))
