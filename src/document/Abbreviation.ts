/**
 * Knows after which words a full stop ends no sentence.
 *
 * @since 0.1.0
 */

const always = new Set(
  "mr mrs ms dr prof st jr sr inc corp co ltd llc plc vs cf approx est dept al".split(" ")
)

const beforeNumber = new Set(
  "no nos fig figs eq ref jan feb mar apr jun jul aug sep sept oct nov dec".split(" ")
)

/** A letter alone, or behind another full stop: `J.`, `U.S.`, `e.g.` */
const initial = /(?:^|\.)\p{L}$/u

const number = /^\s\p{N}/u

/** No abbreviation that is known is longer, with a bracket or a quotation mark before it. */
const maxLength = 8

const space = /\s/u

/**
 * Whether the full stop at `at` belongs to the word before it and, as far as
 * that word tells, ends no sentence: initials, titles and forms of companies
 * (`Mr.`, `Corp.`), and before a number also months and the like (`No. 7`,
 * `Nov. 5`). English only. Looks at a few characters around `at`.
 *
 * @since 0.1.0
 * @category guards
 */
export const holdsStop = (text: string, at: number): boolean => {
  let start = at
  while (start > 0 && at - start < maxLength && !space.test(text.charAt(start - 1))) start--
  const word = text.slice(start, at).toLowerCase().replace(/^[("'“‘[]+/u, "")
  return always.has(word) || initial.test(word) ||
    (beforeNumber.has(word) && number.test(text.slice(at + 1, at + 3)))
}
