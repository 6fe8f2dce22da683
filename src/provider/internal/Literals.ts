/**
 * Reads numbers, dates and yes-or-no words as people write them.
 *
 * @since 0.1.0
 */

/**
 * A number in a text.
 *
 * @since 0.1.0
 * @category models
 */
export interface NumberToken {
  readonly start: number
  readonly end: number
  readonly value: number
  /** What the number is as a share, when it was written with a percent sign. */
  readonly share: number | undefined
  /** A bare number of four digits between 1900 and 2100, which is probably a year. */
  readonly isYearLike: boolean
}

const numeral =
  /([-−+]?)((?:[$€£¥₹]|(?:USD|EUR|GBP|CHF|JPY|CNY|INR)[ \u00a0])?)([-−]?)(\d{1,3}(?:,\d{3}){1,6}(?!\d)(?:\.\d{1,12})?|\d{1,3}(?:['’\u00a0\u202f]\d{3}){1,6}(?!\d)(?:[.,]\d{1,12})?|\d{1,3}(?:\.\d{3}){1,6},\d{1,12}|\d{1,18}(?:[.,]\d{1,12})?)(\s?(?:%|percent\b|per cent\b|thousand\b|million\b|mn\b|billion\b|bn\b|trillion\b|[kmb]\b))?/giu

const units = /^(?:kg|g|mg|km|cm|mm|ml|l|h|hrs?|ms|s|min|eur|usd|gbp|chf|gb|mb|kb|tb|kw|mw|gw)(?![\p{L}\p{N}])/iu
const letterOrDigit = /[\p{L}\p{N}_]/u

const exponents: { readonly [word: string]: number } = {
  thousand: 3,
  k: 3,
  million: 6,
  mn: 6,
  m: 6,
  billion: 9,
  bn: 9,
  b: 9,
  trillion: 12
}

const plainDigits = (text: string): string => {
  const bare = text.replace(/['’\u00a0\u202f]/gu, "")
  if (/^\d{1,3}(?:,\d{3})+(?:\.\d+)?$/u.test(bare)) return bare.replaceAll(",", "")
  return bare.includes(",") ? bare.replaceAll(".", "").replace(",", ".") : bare
}

/**
 * The numbers of a text, in order. Thousands may be set apart by commas,
 * apostrophes or narrow spaces, a decimal comma is understood, `5 million` and
 * `$3bn` are multiplied out. What only looks like a number is left out: part of
 * a word, a date, a time, a range, a version.
 *
 * @since 0.1.0
 * @category combinators
 */
export const numbers = (text: string): ReadonlyArray<NumberToken> => {
  const found: Array<NumberToken> = []
  for (const match of text.matchAll(numeral)) {
    const [whole, sign = "", currency = "", innerSign = "", digits = "", suffix = ""] = match
    const start = match.index
    const end = start + whole.length
    const before = text.charAt(start - 1)
    const after = text.slice(end, end + 8)
    const isBound = sign === "" ? letterOrDigit.test(before) : false
    if (isBound || /[\d\p{L}][.,:/]$/u.test(text.slice(Math.max(0, start - 2), start)) && sign === "") continue
    if (/^[.,:/'’]\d/u.test(after) || /^[-−–][\p{L}\p{N}]/u.test(after)) continue
    if (/^[\p{L}_]/u.test(after) && !units.test(after)) continue
    // A hyphen after a letter or digit joins words or a range; it is no minus.
    const joins = sign !== "" && letterOrDigit.test(before)
    if (joins && (/\p{L}/u.test(before) || /\d/u.test(before))) continue
    const word = suffix.trim().toLowerCase()
    if (word.length === 1 && word !== "%" && currency === "") continue
    const isPercent = word === "%" || word === "percent" || word === "per cent"
    const negative = sign === "-" || sign === "−" || innerSign !== ""
    const plain = `${negative ? "-" : ""}${plainDigits(digits)}`
    const value = Number(`${plain}e${exponents[word] ?? 0}`)
    if (!Number.isFinite(value)) continue
    found.push({
      start,
      end,
      value,
      share: isPercent ? Number(`${plain}e-2`) : undefined,
      isYearLike: currency === "" && word === "" && /^(?:19|20)\d{2}$/u.test(digits)
    })
  }
  return found
}

/**
 * A date in a text.
 *
 * @since 0.1.0
 * @category models
 */
export interface DateToken {
  readonly start: number
  readonly end: number
  /** As it stands in the text. */
  readonly written: string
  /** `YYYY-MM-DD`. */
  readonly day: string
  /** Whether the text also gives the time and its offset. */
  readonly isInstant: boolean
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const month =
  "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?"
const isoDate =
  /(?<![\d-])(\d{4})-(\d{2})-(\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?(?![\d-])/gu
const dayFirst = new RegExp(`(?<![\\p{L}\\p{N}])(\\d{1,2})(?:st|nd|rd|th)?(?: of)? ${month},? (\\d{4})(?!\\d)`, "giu")
const monthFirst = new RegExp(`(?<![\\p{L}\\p{N}])${month} (\\d{1,2})(?:st|nd|rd|th)?,? (\\d{4})(?!\\d)`, "giu")

const dayOf = (year: number, month: number, day: number): string | undefined => {
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
    ? date.toISOString().slice(0, 10)
    : undefined
}

const monthOf = (name: string | undefined): number => months.indexOf((name ?? "").slice(0, 3).toLowerCase()) + 1

/**
 * The dates of a text, in order: `2026-03-05`, with or without a time, `5 March
 * 2026`, `March 5th, 2026`. All-number forms that some read one way and some the
 * other (`03/04/2026`) are left out, and so are days that no calendar has.
 *
 * @since 0.1.0
 * @category combinators
 */
export const dates = (text: string): ReadonlyArray<DateToken> => {
  const found: Array<DateToken> = []
  const add = (match: RegExpMatchArray, day: string | undefined, isInstant: boolean): void => {
    const start = match.index ?? 0
    if (day !== undefined) found.push({ start, end: start + match[0].length, written: match[0], day, isInstant })
  }
  for (const match of text.matchAll(isoDate)) {
    add(match, dayOf(Number(match[1]), Number(match[2]), Number(match[3])), match[4] !== undefined)
  }
  for (const match of text.matchAll(dayFirst)) {
    add(match, dayOf(Number(match[3]), monthOf(match[2]), Number(match[1])), false)
  }
  for (const match of text.matchAll(monthFirst)) {
    add(match, dayOf(Number(match[3]), monthOf(match[1]), Number(match[2])), false)
  }
  return found.sort((a, b) => a.start - b.start)
}

/**
 * The boolean that a word at the beginning of a text stands for.
 *
 * @since 0.1.0
 * @category combinators
 */
export const boolean = (text: string): boolean | undefined => {
  const word = /^\s*["'*]{0,2}(true|false|yes|no|on|off|y|n)(?![\p{L}\p{N}])/iu.exec(text)?.[1]?.toLowerCase()
  return word === undefined ? undefined : ["true", "yes", "on", "y"].includes(word)
}
