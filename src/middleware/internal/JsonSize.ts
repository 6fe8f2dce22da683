/**
 * Tells how large a value is as JSON, without writing it where it is plainly
 * small.
 *
 * @since 0.1.0
 */

/** A character may take six bytes where it is escaped, a number 24. */
const perCharacter = 6
const perValue = 24

/** Whether a value is small whatever stands in it; looks at no more of it than it takes to say. */
const isPlainlyWithin = (value: unknown, most: number): boolean => {
  let left = most
  const take = (part: unknown, depth: number): boolean => {
    left -= typeof part === "string" ? part.length * perCharacter + 2 : perValue
    if (left < 0 || depth > 200) return false
    if (typeof part !== "object" || part === null) return true
    if (Array.isArray(part)) {
      if (part.length * 2 > left) return false
      return part.every((member) => take(member, depth + 1))
    }
    for (const name in part) {
      left -= name.length * perCharacter + 4
      if (left < 0 || !take((part as { readonly [name: string]: unknown })[name], depth + 1)) return false
    }
    return true
  }
  return take(value, 0)
}

/**
 * How many bytes a value has as JSON in UTF-8, when that is over `most`;
 * `undefined` when it is not. A value that JSON cannot write is over any bound.
 *
 * @since 0.1.0
 * @category accessors
 */
export const over = (value: unknown, most: number): number | undefined => {
  if (isPlainlyWithin(value, most)) return undefined
  try {
    const bytes = Buffer.byteLength(JSON.stringify(value) ?? "")
    return bytes > most ? bytes : undefined
  } catch {
    return Infinity
  }
}

/**
 * The same for JSON that is written already.
 *
 * @since 0.1.0
 * @category accessors
 */
export const textOver = (json: string, most: number): number | undefined => {
  // A unit of UTF-16 takes three bytes at most.
  if (json.length * 3 <= most) return undefined
  const bytes = Buffer.byteLength(json)
  return bytes > most ? bytes : undefined
}

/**
 * A size in words.
 *
 * @since 0.1.0
 * @category constructors
 */
export const format = (bytes: number): string => {
  if (bytes === Infinity) return "more than can be written"
  if (bytes < 1024) return `${bytes} bytes`
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.ceil(bytes / 104_857.6) / 10} MiB`
}
