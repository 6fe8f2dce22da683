/**
 * Tells, before a JSON text is parsed, whether parsing it would cost more than a
 * server wants to spend; and after, whether another reader could understand
 * another message.
 *
 * @since 0.1.0
 */

/**
 * How large one JSON text may be, apart from its length in bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bounds {
  /** How many arrays and objects may be inside of one another, 0 or more. */
  readonly maxDepth: number
  /** How many values there may be in all, arrays and objects included and keys not, 1 or more. */
  readonly maxNodes: number
  /** The longest string or key in UTF-16 units, as it is once its escapes are read, 0 or more. */
  readonly maxStringLength: number
}

/**
 * 128 levels, 100,000 values, and strings of 1 MiB.
 *
 * @since 0.1.0
 * @category configuration
 */
export const defaults: Bounds = { maxDepth: 128, maxNodes: 100_000, maxStringLength: 1024 * 1024 }

/** How often `bracket` occurs in `text`, counted no further than one beyond `most`. */
const countOf = (text: string, bracket: string, most: number): number => {
  let found = 0
  for (let at = text.indexOf(bracket); at !== -1 && found <= most; at = text.indexOf(bracket, at + 1)) found++
  return found
}

/** Where the string that opened before `from` ends; the end of the text when it does not. */
const endOfString = (text: string, from: number): number => {
  for (let end = text.indexOf("\"", from); end !== -1; end = text.indexOf("\"", end + 1)) {
    if (text.charCodeAt(end - 1) !== 0x5c) return end
    let slashes = 0
    while (end - slashes > from && text.charCodeAt(end - slashes - 1) === 0x5c) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

/** How long a string is once its escapes are read. */
const unescapedLength = (text: string, from: number, end: number): number => {
  let length = end - from
  for (let at = text.indexOf("\\", from); at !== -1 && at < end;) {
    const width = text.charCodeAt(at + 1) === 0x75 ? 6 : 2
    length -= width - 1
    at = text.indexOf("\\", at + width)
  }
  return length
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

const scan = (text: string, bounds: Bounds): string | undefined => {
  const { maxDepth, maxNodes, maxStringLength } = bounds
  let depth = 0
  let nodes = 1
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      const end = endOfString(text, at + 1)
      if (end - at - 1 > maxStringLength && unescapedLength(text, at + 1, end) > maxStringLength) {
        return `the message has a string of over ${maxStringLength} characters`
      }
      at = end
    } else if (code === 0x2c) {
      nodes++
    } else if (code === 0x5b || code === 0x7b) {
      depth++
      if (depth > maxDepth) return `the message nests too deeply: over ${maxDepth} levels`
      while (isSpace(text.charCodeAt(at + 1))) at++
      const next = text.charCodeAt(at + 1)
      if (next !== 0x5d && next !== 0x7d) nodes++
    } else if (code === 0x5d || code === 0x7d) {
      depth--
    }
    if (nodes > maxNodes) return `the message has too many values: over ${maxNodes}`
  }
  return undefined
}

/**
 * Why a JSON text is refused, in a sentence for the client's developer;
 * `undefined` when it is within the bounds. A text that is not JSON is within
 * them or beyond: that is for the parser to say. The time is linear in the text,
 * and for a short text with few brackets it is that of a search for them.
 *
 * @since 0.1.0
 * @category guards
 */
export const check = (text: string, bounds: Bounds): string | undefined => {
  const { length } = text
  const { maxDepth, maxNodes, maxStringLength } = bounds
  // Two values take three characters at least, a level takes two, and no string is longer than the text.
  if (length < 2 * maxNodes && length <= maxStringLength) {
    if (length < 2 * (maxDepth + 1)) return undefined
    const arrays = countOf(text, "[", maxDepth)
    if (arrays <= maxDepth && arrays + countOf(text, "{", maxDepth) <= maxDepth) return undefined
  }
  return scan(text, bounds)
}

/** A message, its parameters, and their arguments and `_meta`; or a batch, its messages and their parameters. */
const namedLevels = 3

/** How many members the arrays and objects of the first levels have, as they are written. */
const written = (text: string): number => {
  let depth = 0
  let members = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      at = endOfString(text, at + 1)
    } else if (code === 0x2c) {
      if (depth <= namedLevels) members++
    } else if (code === 0x5b || code === 0x7b) {
      depth++
      if (depth > namedLevels) continue
      while (isSpace(text.charCodeAt(at + 1))) at++
      const next = text.charCodeAt(at + 1)
      if (next !== 0x5d && next !== 0x7d) members++
    } else if (code === 0x5d || code === 0x7d) {
      depth--
    }
  }
  return members
}

/** How many they have once they are read. */
const kept = (value: unknown, levels: number): number => {
  if (typeof value !== "object" || value === null) return 0
  const members: ReadonlyArray<unknown> = Array.isArray(value) ? value : Object.values(value)
  let count = members.length
  if (levels === 1) return count
  for (const member of members) if (typeof member === "object") count += kept(member, levels - 1)
  return count
}

/**
 * Whether an object near the root names a member twice: a parser keeps the last
 * of them, and what stands before the server may have believed the first. Looks
 * at three levels: of a message, down to its arguments. `value` is what
 * `JSON.parse` made of the text.
 *
 * @since 0.1.0
 * @category guards
 */
export const isAmbiguous = (text: string, value: unknown): boolean => written(text) !== kept(value, namedLevels)
