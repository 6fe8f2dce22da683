/**
 * Writes values on one line that nothing in them can break or colour: JSON, in
 * which every character that a terminal or a log reader may act on is escaped.
 *
 * @since 0.1.0
 */
import * as Inspectable from "effect/Inspectable"

/** Escapes of terminals, ends of lines beyond ASCII, and what turns the direction of a text. */
const active = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/**
 * The most bytes of one value, before it is cut.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxValueBytes = 8192

/** Of all texts in one value. */
const maxTextBytes = 16 * maxValueBytes

const cut = (text: string): string => {
  const bytes = Buffer.byteLength(text)
  if (bytes <= maxValueBytes) return text
  // No more than that many characters can be kept, and the buffer of a long text is not needed for that.
  const kept = Buffer.from(text.slice(0, maxValueBytes)).subarray(0, maxValueBytes).toString().replace(/\ufffd+$/u, "")
  return `${kept}… (${bytes} bytes)`
}

/** A value as JSON has it: `Redacted` says that it is, and what JSON has no word for is a text. */
const plain = (value: unknown): string => {
  try {
    const seen = new Set<unknown>()
    let left = maxTextBytes
    /** What is written of a value is cut in the end, and must not be huge before. */
    const part = (text: string): string => {
      const short = left > 0 ? cut(text) : "…"
      left -= short.length
      return short
    }
    return JSON.stringify(value, function(this: unknown, _key, member: unknown) {
      if (typeof member === "bigint") return member.toString()
      if (typeof member === "function" || typeof member === "symbol") return String(Object(member).name ?? "symbol")
      if (typeof member === "string") return part(member)
      if (member instanceof Error) return part(`${member.name}: ${member.message}`)
      if (member instanceof Map) return [...member]
      if (member instanceof Set) return [...member]
      if (typeof member !== "object" || member === null) return member
      if (seen.size > 10_000) return "…"
      seen.add(member)
      return member
    }) ?? "null"
  } catch {
    // It holds itself, or has a member that cannot be read.
    return JSON.stringify(cut(unsafeText(value)))
  }
}

const unsafeText = (value: unknown): string => {
  try {
    return Inspectable.toStringUnknown(value, 0)
  } catch {
    return "a value that cannot be written"
  }
}

/**
 * A value as JSON of at most about 8 KiB: a longer one is a text that ends with
 * how long it was.
 *
 * @since 0.1.0
 * @category constructors
 */
export const value = (given: unknown): string => {
  const json = plain(given)
  const short = Buffer.byteLength(json) <= maxValueBytes + 64 ? json : JSON.stringify(cut(json))
  return short.replace(active, escaped)
}

/**
 * An object within an object, each of whose values is cut by itself.
 *
 * @since 0.1.0
 * @category models
 */
export class Nested {
  readonly members: Iterable<readonly [name: string, value: unknown]>
  constructor(members: Iterable<readonly [name: string, value: unknown]>) {
    this.members = members
  }
}

/**
 * An object as one line without its end: the values one by one, those that are
 * `undefined` left out. Never throws.
 *
 * @since 0.1.0
 * @category constructors
 */
export const object = (members: Iterable<readonly [name: string, value: unknown]>): string => {
  let text = ""
  for (const [name, member] of members) {
    if (member === undefined) continue
    const json = member instanceof Nested ? object(member.members) : value(member)
    text += `${text === "" ? "" : ","}${value(name)}:${json}`
  }
  return `{${text}}`
}
