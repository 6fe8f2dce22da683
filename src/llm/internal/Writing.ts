/**
 * Tells in which writing a text is, by counting its letters.
 *
 * @since 0.1.0
 */

/**
 * A writing: a script by its ISO 15924 code, where Chinese (`Hans`, simplified
 * or not) and Japanese (`Jpan`) are told apart by the share of kana, and `Hani`
 * is a text that can be either.
 *
 * @since 0.1.0
 * @category models
 */
export type Writing = string

/** First and last code unit of each block; what is in none has no letter we count. */
const blocks: ReadonlyArray<readonly [first: number, last: number, writing: Writing]> = [
  [0x00c0, 0x024f, "Latn"],
  [0x0370, 0x03ff, "Grek"],
  [0x0400, 0x052f, "Cyrl"],
  [0x0530, 0x058f, "Armn"],
  [0x0590, 0x05ff, "Hebr"],
  [0x0600, 0x06ff, "Arab"],
  [0x0750, 0x077f, "Arab"],
  [0x08a0, 0x08ff, "Arab"],
  [0x0900, 0x097f, "Deva"],
  [0x0980, 0x09ff, "Beng"],
  [0x0a00, 0x0a7f, "Guru"],
  [0x0a80, 0x0aff, "Gujr"],
  [0x0b00, 0x0b7f, "Orya"],
  [0x0b80, 0x0bff, "Taml"],
  [0x0c00, 0x0c7f, "Telu"],
  [0x0c80, 0x0cff, "Knda"],
  [0x0d00, 0x0d7f, "Mlym"],
  [0x0d80, 0x0dff, "Sinh"],
  [0x0e00, 0x0e7f, "Thai"],
  [0x0e80, 0x0eff, "Laoo"],
  [0x1000, 0x109f, "Mymr"],
  [0x10a0, 0x10ff, "Geor"],
  [0x1100, 0x11ff, "Kore"],
  [0x1200, 0x137f, "Ethi"],
  [0x1780, 0x17ff, "Khmr"],
  [0x1e00, 0x1eff, "Latn"],
  [0x1f00, 0x1fff, "Grek"],
  [0x3040, 0x30ff, "Kana"],
  [0x3130, 0x318f, "Kore"],
  [0x31f0, 0x31ff, "Kana"],
  [0x3400, 0x4dbf, "Hani"],
  [0x4e00, 0x9fff, "Hani"],
  [0xac00, 0xd7af, "Kore"],
  [0xd840, 0xd888, "Hani"],
  [0xf900, 0xfaff, "Hani"],
  [0xfb50, 0xfdff, "Arab"],
  [0xfe70, 0xfeff, "Arab"],
  [0xff66, 0xff9f, "Kana"]
]

const writingOf = (unit: number): Writing | undefined => {
  if (unit < 0xc0) return (unit >= 97 && unit <= 122) || (unit >= 65 && unit <= 90) ? "Latn" : undefined
  let low = 0
  let high = blocks.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const block = blocks[middle]
    if (block === undefined) return undefined
    if (unit < block[0]) high = middle - 1
    else if (unit > block[1]) low = middle + 1
    else return block[2]
  }
  return undefined
}

/** A sign of these says as much as about three letters. */
const dense: ReadonlySet<Writing> = new Set(["Hani", "Kana", "Kore", "Jpan", "Hans"])
const weightOf = (writing: Writing): number => dense.has(writing) ? 3 : 1

/** Kana make at least this share of Japanese, and no more than that of Chinese. */
const kanaOfJapanese = 0.1
const kanaOfChinese = 0.02
/** With fewer characters a text without kana may be Japanese all the same. */
const minHan = 20

/**
 * The letters of each writing. Words with a capital are left out where `names`
 * is false: they may be names, which are written alike in many languages.
 *
 * @since 0.1.0
 * @category combinators
 */
export const count = (text: string, names: boolean): ReadonlyMap<Writing, number> => {
  const letters = new Map<Writing, number>()
  let isCounted = true
  let isInside = false
  let current: Writing | undefined
  let run = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    const writing = writingOf(unit)
    if (writing === undefined) isInside = false
    else {
      if (!isInside) isCounted = names || !isCapital(unit, text, at)
      isInside = true
      if (!isCounted) continue
      if (writing !== current) {
        if (current !== undefined) letters.set(current, (letters.get(current) ?? 0) + run)
        current = writing
        run = 0
      }
      run++
    }
  }
  if (current !== undefined) letters.set(current, (letters.get(current) ?? 0) + run)
  return merged(letters)
}

const isCapital = (unit: number, text: string, at: number): boolean =>
  unit < 128 ? unit < 91 : text.charAt(at) !== text.charAt(at).toLowerCase()

const merged = (letters: Map<Writing, number>): ReadonlyMap<Writing, number> => {
  const kana = letters.get("Kana") ?? 0
  const han = letters.get("Hani") ?? 0
  const both = kana + han
  if (both === 0) return letters
  letters.delete("Kana")
  letters.delete("Hani")
  const share = kana / both
  letters.set(
    share >= kanaOfJapanese ? "Jpan" : share <= kanaOfChinese && han >= minHan ? "Hans" : "Hani",
    both
  )
  return letters
}

/**
 * The writing that a text is in as good as throughout, with at least `minLetters`
 * letters of it; `undefined` when it is mixed or short.
 *
 * @since 0.1.0
 * @category combinators
 */
export const main = (
  letters: ReadonlyMap<Writing, number>,
  minLetters: number
): Writing | undefined => {
  let total = 0
  for (const [writing, size] of letters) total += size * weightOf(writing)
  for (const [writing, size] of letters) {
    if (size >= minLetters && size * weightOf(writing) >= 0.8 * total) return writing
  }
  return undefined
}

/**
 * The writings of which a text has more than a word or two.
 *
 * @since 0.1.0
 * @category combinators
 */
export const present = (letters: ReadonlyMap<Writing, number>): ReadonlyArray<Writing> =>
  [...letters].filter(([writing, size]) => size * weightOf(writing) >= 12).map(([writing]) => writing)

/**
 * Whether a text in one writing can be what was expected in another.
 *
 * @since 0.1.0
 * @category guards
 */
export const isAlike = (one: Writing, other: Writing): boolean =>
  one === other || (one === "Hani" && isHan(other)) || (other === "Hani" && isHan(one))

const isHan = (writing: Writing): boolean => writing === "Hans" || writing === "Jpan"

/**
 * The writing of a language by its BCP 47 tag. Throws a `RangeError` when it is
 * no such tag.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofLanguage = (tag: string): Writing | undefined => {
  const script = new Intl.Locale(tag).maximize().script
  return script === "Hant" ? "Hans" : script
}
