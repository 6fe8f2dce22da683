/**
 * Reads dates alike everywhere: ISO 8601, UTC unless it says otherwise.
 *
 * @since 0.1.0
 */

const shape = /^\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?)?)?$/i

/** Postgres knows no year 0, and five-digit years are no ISO 8601 that others read. */
const earliest = Date.parse("0001-01-01T00:00:00Z")
const latest = Date.parse("9999-12-31T23:59:59.999Z")

/**
 * Epoch milliseconds of an ISO 8601 date or date-time between the years 1 and
 * 9999; `undefined` when it is none. A time without a zone is UTC.
 *
 * @since 0.1.0
 * @category constructors
 */
export const millis = (text: string): number | undefined => {
  const match = shape.exec(text)
  if (match === null) return undefined
  const value = Date.parse(text.length > 10 && match[1] === undefined ? `${text}Z` : text)
  return value >= earliest && value <= latest && isInCalendar(text.slice(0, 10)) ? value : undefined
}

/** The parser takes 30 February for 2 March, and 0001-01-32 for a day in 2032. */
const isInCalendar = (day: string): boolean => {
  const midnight = day.length < 10 ? undefined : Date.parse(`${day}T00:00:00Z`)
  return midnight === undefined || (!Number.isNaN(midnight) && iso(midnight).startsWith(day))
}

/**
 * The one form in which moments are stored and returned:
 * `2026-11-22T09:00:00.000Z`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const iso = (epochMillis: number): string => new Date(epochMillis).toISOString()

/**
 * A date or date-time in that form; `undefined` when the text is absent or none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const normal = (text: string | undefined): string | undefined => {
  const value = text === undefined ? undefined : millis(text)
  return value === undefined ? undefined : iso(value)
}
