/**
 * Notices that a newer passage gives other figures for the same matter.
 *
 * @since 0.1.0
 */
import * as Moment from "../../document/Moment.js"
import * as Tokenizer from "../../document/Tokenizer.js"
import type { Found } from "./Found.js"

interface Statement {
  readonly terms: ReadonlySet<string>
  readonly numbers: ReadonlySet<string>
}

const isNumber = /^\d/u
const isYear = /^(?:19|20)\d\d$/u

/** Enough of a document to compare; each pair of statements costs a step. */
const maxStatements = 40

const statements = (texts: ReadonlyArray<string>, without: ReadonlySet<string>): ReadonlyArray<Statement> =>
  texts.flatMap((text) => text.split(/(?<=[.!?])\s+|\n+/u)).slice(0, maxStatements).flatMap((sentence) => {
    const tokens = Tokenizer.tokens(sentence)
    const numbers = new Set(tokens.filter((token) => isNumber.test(token) && !isYear.test(token)))
    return numbers.size === 0
      ? []
      : [{ numbers, terms: new Set(tokens.filter((token) => !isNumber.test(token) && !without.has(token))) }]
  })

const shares = (a: ReadonlySet<string>, b: ReadonlySet<string>): number => {
  let count = 0
  for (const item of a) if (b.has(item)) count++
  return count
}

const fact = ({ best }: Found, key: string): string | undefined => {
  const value = Object.hasOwn(best.passage.metadata, key) ? best.passage.metadata[key] : undefined
  return value === undefined ? undefined : String(value).toLowerCase()
}

const publishedAt = ({ best }: Found): number | undefined =>
  best.passage.publishedAt === undefined ? undefined : Moment.millis(best.passage.publishedAt)

const textsOf = (found: Found): ReadonlyArray<string> => found.passages.map((item) => item.passage.text)

/**
 * Whether `other` is newer than `cited`, is on the same company or topic (and no
 * other period), and states with other numbers what a sentence of `cited` states
 * that the answer took a number from. Two sentences state the same when they
 * share two words or more, beside the company's name, and six in ten words of the shorter.
 *
 * @since 0.1.0
 * @category guards
 */
export const isOutdatedBy = (cited: Found, other: Found, answer: string): boolean => {
  const [then, now] = [publishedAt(cited), publishedAt(other)]
  if (then === undefined || now === undefined || now <= then) return false
  const isSame = (key: string) => fact(cited, key) !== undefined && fact(cited, key) === fact(other, key)
  if (!isSame("company") && !isSame("topic")) return false
  if (fact(cited, "period") !== undefined && fact(other, "period") !== undefined && !isSame("period")) return false
  const subject = new Set(Tokenizer.tokens(fact(cited, "company") ?? ""))
  const told = new Set(Tokenizer.tokens(answer))
  const newer = statements(textsOf(other), subject)
  return statements(textsOf(cited), subject).some((statement) =>
    shares(statement.numbers, told) > 0 && newer.some((rival) => {
      const common = shares(statement.terms, rival.terms)
      return common >= 2 && common >= 0.6 * Math.min(statement.terms.size, rival.terms.size) &&
        shares(statement.numbers, rival.numbers) === 0
    })
  )
}
