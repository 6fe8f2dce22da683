/**
 * Tells how much of a JSON value stands in the text it is said to come from.
 *
 * @since 0.1.0
 */

const flatten = (text: string): string => text.normalize("NFKC").toLowerCase().replace(/\s+/gu, " ").trim()

/** Thousands separators off, so that 1,200 and 1200 are one number. */
const numbersIn = (text: string): ReadonlySet<number> =>
  new Set((text.replace(/(?<=\d),(?=\d{3}(?!\d))/gu, "").match(/-?\d+(?:\.\d+)?/gu) ?? []).map(Number))

/**
 * The share of a value's leaves that occur in a text, 0 to 1: texts as they are
 * written (letter case and white space aside), numbers by value. A boolean or
 * null cannot be found and counts half; a value without leaves gives 0.
 *
 * @since 0.1.0
 * @category combinators
 */
export const share = (value: unknown, text: string): number => {
  const flat = flatten(text)
  const numbers = numbersIn(text)
  let leaves = 0
  let found = 0
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit)
    if (typeof node === "object" && node !== null) return Object.values(node).forEach(visit)
    leaves++
    if (typeof node === "string") found += flatten(node) !== "" && flat.includes(flatten(node)) ? 1 : 0
    else if (typeof node === "number") found += numbers.has(node) ? 1 : 0
    else found += 0.5
  }
  visit(value)
  return leaves === 0 ? 0 : found / leaves
}
