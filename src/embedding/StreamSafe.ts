/**
 * Keeps long runs of combining marks from taking quadratic time when a text is
 * normalised.
 *
 * @since 0.1.0
 */

/** No writing has so many marks on one letter; marks of halfwidth kana become such, too. */
const manyMarks = /([\p{M}\uff9e\uff9f]{30})(?=[\p{M}\uff9e\uff9f])/gu

const split = (text: string): string => text.replace(manyMarks, "$1\u034f")

/**
 * A text in lower case and composed form (NFC after NFKD), without the characters
 * that match `without`, in time that grows with its length alone: marks are put in
 * order over all that follow each other, and a joiner ends each run of 30.
 *
 * Source: Unicode Standard Annex #15, Stream-Safe Text Format.
 *
 * @since 0.1.0
 * @category combinators
 */
export const normalize = (text: string, without: RegExp): string =>
  split(split(text).normalize("NFKD").toLowerCase().replace(without, "")).normalize("NFC")
