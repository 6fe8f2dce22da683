/**
 * Reads which period a text speaks of: a quarter, a half, nine months, a year, a
 * month, a day.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export interface Period {
  /** For example `q3`, `h1`, `9m`, `year`, `m11` or, for a day, `d11-30`. */
  readonly span: string
  readonly year?: number | undefined
}

const ordinals: { readonly [word: string]: number } = {
  first: 1,
  "1st": 1,
  second: 2,
  "2nd": 2,
  third: 3,
  "3rd": 3,
  fourth: 4,
  "4th": 4,
  final: 4
}

const months = [
  "january",
  "february",
  "march",
  "april",
  "may",
  "june",
  "july",
  "august",
  "september",
  "october",
  "november",
  "december"
]

const quarterWords = /\b(first|second|third|fourth|final|1st|2nd|3rd|4th)[-\s](?:fiscal[-\s])?quarter\b/giu
const quarterSigns = /(?<![\p{L}\p{N}])(?:Q([1-4])|([1-4])Q)(?![\p{L}])/giu
const halves = /\b(first|second|1st|2nd)[-\s]half\b|(?<![\p{L}\p{N}])(?:H([12])|([12])H)(?![\p{L}])/giu
const nineMonths = /\b(?:nine|six|three|9|6|3)[-\s]months?\b/giu
const wholeYears = /\b(?:full[-\s]year|fiscal[-\s]year|financial[-\s]year|year\s+ended|annual|FY)/iu
const month = months.map((name) => name[0]?.toUpperCase() + name.slice(1)).join("|")
/** With a capital, for `may` and `march` have other meanings. */
const monthNames = new RegExp(`\\b(${month})\\b`, "gu")
const dates = new RegExp(`\\b(\\d{1,2})(?:st|nd|rd|th)?\\s+(${month})\\b|\\b(${month})\\s+(\\d{1,2})\\b(?!\\d)`, "gu")
const years = /(?<![\p{L}\p{N}.,$€£%]|[$€£]\s)(?:FY)?((?:19|20)\d\d)(?![\p{L}\p{N}%]|[.,]\d)/gu
const shortYears = /(?<![\p{L}\p{N}])(?:FY|[QH][1-4]['’\s]?|[1-4][QH]['’\s]?)(\d{2})(?!\d)/giu
const all = (text: string, pattern: RegExp): ReadonlyArray<RegExpMatchArray> => [...text.matchAll(pattern)]

const length: { readonly [word: string]: string } = {
  nine: "9m",
  "9": "9m",
  six: "h1",
  "6": "h1",
  three: "3m",
  "3": "3m"
}

/** Without one of these a text names no period. */
const hint = /\d|quarter|half|month|year|annual|FY|[JFMASOND][aepuco][nbrylgptvc]/iu

const spansIn = (text: string): ReadonlyArray<string> => {
  const found = new Set<string>()
  for (const match of all(text, quarterWords)) found.add(`q${ordinals[(match[1] ?? "").toLowerCase()]}`)
  for (const match of all(text, quarterSigns)) found.add(`q${match[1] ?? match[2]}`)
  for (const match of all(text, halves)) {
    const sign = match[2] ?? match[3]
    found.add(`h${sign ?? ordinals[(match[1] ?? "").toLowerCase()]}`)
  }
  for (const match of all(text, nineMonths)) found.add(length[match[0].split(/[-\s]/u)[0]?.toLowerCase() ?? ""] ?? "9m")
  if (found.size > 0) return [...found]
  if (wholeYears.test(text)) return ["year"]
  const monthOf = (name: string | undefined) => months.indexOf((name ?? "").toLowerCase()) + 1
  for (const [, day, name, other, number] of all(text, dates)) found.add(`d${monthOf(name ?? other)}-${day ?? number}`)
  if (found.size > 0) return [...found]
  for (const [, name] of all(text, monthNames)) found.add(`m${monthOf(name)}`)
  return [...found]
}

const yearsIn = (text: string): ReadonlyArray<number> => [
  ...new Set([
    ...all(text, years).map((match) => Number(match[1])),
    ...all(text, shortYears).map((match) => 2000 + Number(match[1]))
  ])
]

/**
 * The period a text names: `undefined` when it names none, `several` when it names
 * more than one. A year alone is a period.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (text: string): Period | "several" | undefined => {
  if (!hint.test(text)) return undefined
  const spans = spansIn(text)
  const named = yearsIn(text)
  if (spans.length > 1 || named.length > 1) return "several"
  const [span] = spans
  const [year] = named
  if (span === undefined && year === undefined) return undefined
  return { span: span ?? "year", year }
}

const ends: { readonly [span: string]: number } = { q1: 3, q2: 6, q3: 9, q4: 12, h1: 6, h2: 12, "9m": 9, year: 12 }

/**
 * A period of a known year in one form. Without a year it is the last that had
 * ended when the text was published; `undefined` when that is unknown too.
 *
 * @since 0.1.0
 * @category combinators
 */
export const key = (period: Period, publishedAt: number | undefined): string | undefined => {
  if (period.year !== undefined) return `${period.year}-${period.span}`
  const end = ends[period.span]
  if (end === undefined || publishedAt === undefined) return undefined
  const published = new Date(publishedAt)
  const year = published.getUTCFullYear()
  return `${published.getUTCMonth() + 1 > end ? year : year - 1}-${period.span}`
}
