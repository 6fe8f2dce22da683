/**
 * Reads the figures a text states: how much, of what, when. What is not plain is
 * left out, so that two that differ speak against each other.
 *
 * @since 0.1.0
 */
import * as Tokenizer from "../../document/Tokenizer.js"
import * as Figures from "./Figures.js"
import * as Period from "./Period.js"

/**
 * What a sentence states of one matter.
 *
 * @since 0.1.0
 * @category models
 */
export interface Statement extends Figures.Quantity {
  /** The words of what it is a figure of, as `Tokenizer` gives them, sorted. */
  readonly measure: ReadonlyArray<string>
  /** Absent when neither the sentence nor its document says when. */
  readonly period?: Period.Period | undefined
}

const stems = (words: string): ReadonlySet<string> => new Set(words.split(" ").flatMap(Tokenizer.tokens))

/** What is measured: words without one of these name no measure. */
const measures = stems(
  "revenue revenues sales turnover margin income profit loss earnings ebitda ebit eps cash debt capex expenditure " +
    "dividend backlog orders deliveries headcount employees staff workforce users subscribers customers stores output " +
    "production capacity shipments volume price yield inflation assets deposits loans inventory inventories liquidity " +
    "buyback bookings billings fee premium rate share stake reserves"
)

/** Words that say that something is told, or when, and nothing of what. */
const fillers = stems(
  "report reports reported post posts posted record recorded deliver delivered generate generated total totalled totaled " +
    "totaling come comes came reach reached amount amounted stand stands stood restate restated revise revised correct " +
    "corrected say says said announce announced state stated show shows showed shown achieve achieved book booked see saw " +
    "hold held pay paid make made earn earned company group corp corporation inc ltd plc ag se quarter quarterly period end " +
    "ended ending month months year years fiscal full annual half first second third fourth result results figure million " +
    "billion thousand today also now only level january february march april may june july august september october " +
    "november december"
)

/** What comes behind these is not said of the matter as it is. */
const unsure =
  /\b(?:expect\w*|forecast\w*|guid(?:e|es|ed|ance)|outlook|target\w*|estimat\w*|could|would|may|might|should|will|plan\w*|project(?:s|ed|ion|ions)|consensus|analysts?|if|due|matur\w*|assum\w*|hypothetical\w*|propos\w*|seek\w*|aim\w*|hope\w*|pro forma|between|up to|at least|at most|more than|less than|over|under|below|above|around|about|nearly|almost|roughly|approximately|some|not|never|no longer|instead|rumou?r\w*|press accounts?|reportedly)\b|~|≈|>|</iu

/** What is compared with, which is another time's or another's. */
const compared =
  /\b(?:compared|versus|vs|against|up from|down from|from|than|year[-\s]ago|year[-\s]earlier|a year (?:ago|earlier|before)|prior|previous\w*|earlier|before|former\w*|last (?:year|quarter)|same (?:period|quarter)|originally|initially|until)\b/iu

/** What changes: the number beside it says by how much. */
const changing =
  /\b(?:r[io]se|rises|rising|risen|gr[eo]w\w*|growth|increas\w*|f[ae]ll(?:s|ing|en)?|declin\w*|decreas\w*|dropp?\w*|gain\w*|climb\w*|improv\w*|expand\w*|expansion|contract(?:ed|s|ing|ion)|widen\w*|narrow\w*|jump\w*|surg\w*|slip\w*|shr[aiu]nk|add(?:ed|s|ing)|lost|lower\w*|higher|up|down|chang\w*|cut|rais\w*|reduc\w*|double\w*|tripl\w*|yoy|year[-\s](?:over|on)[-\s]year)\b/iu

const isPage =
  /\b(?:page|note|item|section|figure|table|chapter|form|rule|article|no|part|phase|version|class|series|tier|level|exhibit|appendix)\.?\s*$/iu

const beforeDate = /\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\s*$/u
const behindDate = /^\s*(?:January|February|March|April|May|June|July|August|September|October|November|December)\b/u

/** Somebody's or something's, and the clause does not say whose. */
const pronoun = /\b(?:its|their|theirs|it|they|them|there|this|that|these|those|his|her|each|respectively|such)\b/iu

interface Sentence {
  readonly text: string
  /** The line that stands alone above it, and above those before it. */
  readonly heading: string
}

const longestHeading = 60

const isHeading = (line: string): boolean =>
  /^#{1,6}\s/u.test(line) ||
  (line.length <= longestHeading && !/[.!?,;]$|^[-*•|]/u.test(line) && Figures.inText(line).length === 0)

const sentencesIn = (text: string): ReadonlyArray<Sentence> => {
  let heading = ""
  return text.split(/\n+/u).flatMap((line): ReadonlyArray<Sentence> => {
    const whole = line.trim()
    if (isHeading(whole)) {
      heading = whole
      return [{ text: whole, heading: "" }]
    }
    return whole.split(/(?<=[.!?])\s+(?=[\p{Lu}\p{N}"“$€£(])/u).map((part) => ({ text: part.trim(), heading }))
  })
}

/** No comma of a number or of a date. */
const clauseEnds =
  /[;:]|(?<!\b[\p{L}]{3,9}\s\d{1,2}),(?!\d)|\s[–—-]\s|\b(?:while|whereas|although|but|which|because|after|since|with|as)\b/iu

const clausesOf = (sentence: string): ReadonlyArray<string> => sentence.replace(/\([^()]*\)/gu, " ").split(clauseEnds)

/** Words that a search leaves out, and that make a figure one of something else: US revenue, other income, own brands. */
const narrowing =
  /(?<![\p{L}\p{N}])(?:U\.S\.|USA?(?!\s?(?:\$|dollars?))|[Oo]ther|[Oo]wn|[Ss]ame|[Bb]oth|[Mm]ost|[Aa]ll|[Oo]ff)(?![\p{L}\p{N}])/gu

const wordsOf = (text: string, subject: ReadonlySet<string>): ReadonlyArray<string> => [
  ...Tokenizer.tokens(text).filter((token) =>
    !/^[\d$]|^[qhf]y?\d/u.test(token) && !fillers.has(token) && !subject.has(token)
  ),
  ...Array.from(text.matchAll(narrowing), ([word]) => word.replaceAll(".", "").slice(0, 5).toLowerCase())
]

/** Words of headings that head anything. */
const general = stems(
  "highlight highlights overview summary financial performance operating operations key business update introduction " +
    "management discussion analysis consolidated statement statements review release press note notes section part item"
)

/** A heading of more words is a headline, which tells and does not narrow. */
const mostInHeading = 4

const narrowedBy = (heading: string, subject: ReadonlySet<string>): ReadonlyArray<string> => {
  const words = wordsOf(heading, subject).filter((word) => !general.has(word) && !measures.has(word))
  return words.length > mostInHeading ? [] : words
}

/** A measure of more words is a story. */
const mostWords = 6

/** Enough of a document to compare. */
const mostSentences = 80

/** A longer one is a table, or has lost its full stops. */
const longestSentence = 500

/** A clause of more is a list. */
const mostInClause = 4

/** How far a word is looked for beside a number. */
const nearby = 24

interface Clause {
  readonly text: string
  /** The words before it in the sentence: they narrow what it says. */
  readonly before: ReadonlyArray<string>
  /** The same of its heading. */
  readonly above: ReadonlyArray<string>
  readonly isFirst: boolean
  readonly subject: ReadonlySet<string>
  readonly period: Period.Period | undefined
}

const measureOf = ({ above, before, isFirst, subject, text }: Clause, found: Figures.Found) => {
  const ahead = wordsOf(text.slice(0, found.start), subject)
  // "and incurred $2 million of charges" does not say who did
  if (!isFirst && !ahead.some((word) => measures.has(word))) return undefined
  const words = new Set([...before, ...ahead, ...wordsOf(text.slice(found.end), subject)])
  const isMeasure = [...words].some((word) => measures.has(word)) && words.size <= mostWords
  return isMeasure ? [...new Set([...above, ...words])].sort() : undefined
}

const stated = (clause: Clause): ReadonlyArray<Statement> => {
  const { period, text } = clause
  const found = Figures.inText(text)
  if (found.length === 0 || found.length > mostInClause) return []
  if (unsure.test(text) || compared.test(text) || changing.test(text)) return []
  if (pronoun.test(text) && !Tokenizer.tokens(text).some((token) => clause.subject.has(token))) return []
  return found.flatMap((each) => {
    const ahead = text.slice(Math.max(0, each.start - nearby), each.start)
    const behind = text.slice(each.end, each.end + nearby)
    const isOther = isPage.test(ahead) || beforeDate.test(ahead) || behindDate.test(behind) ||
      found.filter(({ unit }) => unit === each.unit).length > 1
    const measure = isOther ? undefined : measureOf(clause, each)
    return measure === undefined ? [] : [{ ...each, measure, period }]
  })
}

type Named = Period.Period | "several" | undefined

const isSame = (self: Named, that: Named): boolean =>
  typeof self === "object" && typeof that === "object" && self.span === that.span &&
  (self.year === undefined || that.year === undefined || self.year === that.year)

/** What two texts are on together. */
const joined = (self: Named, that: Named): Named =>
  self === undefined
    ? that
    : that === undefined
    ? self
    : isSame(self, that) && typeof self === "object"
    ? self.year === undefined ? that : self
    : "several"

/** When a sentence is of that does not say: of what was spoken of, as long as that is what the document is on. */
const inherited = (spokenOf: Named, document: Period.Period | undefined): Named =>
  spokenOf === undefined ? document : document === undefined || isSame(spokenOf, document) ? spokenOf : "several"

/** A later year than the document's is that of a maturity or a plan. */
const isAhead = (period: Period.Period | undefined, document: Period.Period | undefined): boolean =>
  period?.year !== undefined && document?.year !== undefined && period.year > document.year

/** A period of no year is of the document's, where it is the document's; otherwise nobody knows. */
const filled = (period: Named, document: Period.Period | undefined): Named =>
  typeof period !== "object" || period.year !== undefined || document === undefined
    ? period
    : period.span === document.span
    ? document
    : "several"

/**
 * The figures of a text. Left out: what is forecast, approximate, compared with,
 * a change, or somebody's that the sentence does not name, and what follows a
 * clause that says so; clauses with two
 * figures of one unit or of two periods; what no known measure is named for;
 * tables and parentheses; numbers of years, dates and pages. The heading above a
 * sentence says what its figures are of, too. A sentence that
 * names no period is of its document's, unless the text before it spoke of another.
 *
 * @since 0.1.0
 * @category constructors
 */
export const inText = (text: string, about: {
  /** Whose figures they are: these words are not of what. */
  readonly subject: ReadonlySet<string>
  readonly period: Period.Period | undefined
}): ReadonlyArray<Statement> => {
  const all: Array<Statement> = []
  let spokenOf: Named
  for (const { heading, text: sentence } of sentencesIn(text).slice(0, mostSentences)) {
    const isPlain = /\d/u.test(sentence) && !sentence.endsWith("?")
    const isTable = sentence.length > longestSentence || /[|\t]|\s{3}/u.test(sentence)
    const clauses = isTable || !isPlain ? [sentence] : clausesOf(sentence)
    const named = clauses.map((clause) => compared.test(clause) ? undefined : Period.of(clause))
    const ofAll = named.reduce(joined, undefined)
    if (isPlain && !isTable) {
      let before: ReadonlyArray<string> = []
      let isUnsure = false
      const above = narrowedBy(heading, about.subject)
      for (const [n, clause] of clauses.entries()) {
        const period = filled(named[n] ?? ofAll ?? inherited(spokenOf, about.period), about.period)
        if (period !== "several" && !isAhead(period, about.period) && !isUnsure) {
          all.push(...stated({ text: clause, before, above, isFirst: n === 0, subject: about.subject, period }))
        }
        if (Figures.inText(clause).length === 0) {
          before = [...before, ...wordsOf(clause, about.subject)]
          isUnsure ||= unsure.test(clause) || compared.test(clause)
        }
      }
    }
    if (ofAll !== undefined && (ofAll === "several" || !ofAll.span.startsWith("d"))) spokenOf = joined(spokenOf, ofAll)
  }
  return all
}
