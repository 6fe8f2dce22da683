/**
 * Reads an object or a list that is nearly JSON: as a model writes it that has
 * JavaScript or Python in mind.
 *
 * @since 0.1.0
 */

/**
 * What came of it: a value and where it ends; something that no reading makes
 * JSON of; or a text that ends before the value does.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly _tag: "Read"; readonly value: unknown; readonly end: number }
  | { readonly _tag: "Wrong"; readonly end: number }
  | { readonly _tag: "Cut"; readonly end: number }

interface Cursor {
  readonly text: string
  readonly maxDepth: number
  at: number
  isCut: boolean
  /** Whether a member was begun, so that it is more than a bracket in prose. */
  isBegun: boolean
}

/**
 * Reads the object or list that begins at `start`. Beyond JSON it takes comments
 * (`//`, `#`, one or more lines), a comma before the closing bracket, names
 * without quotes, texts in single, typographic or slanted quotes, with line
 * breaks, with quotes of their own that nobody escaped or with escapes that JSON
 * does not know, the literals of JavaScript and Python, and numbers that begin
 * with `+` or `.` or end with `.`. What is no number becomes `null`. Nothing that
 * is missing is made up: a member, a comma, a quote or a bracket. Takes time
 * linear in the text, and reads `maxDepth` levels at most.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (text: string, start: number, maxDepth: number): Outcome => {
  const cursor: Cursor = { text, maxDepth, at: start, isCut: false, isBegun: false }
  const value = container(cursor, 1)
  if (value !== undefined) return { _tag: "Read", value, end: cursor.at }
  return { _tag: cursor.isCut && cursor.isBegun ? "Cut" : "Wrong", end: cursor.at }
}

/** `undefined` stands for a failure everywhere below: no JSON value is that. */
const failed = (cursor: Cursor): undefined => {
  if (cursor.at >= cursor.text.length) cursor.isCut = true
  return undefined
}

const isSpace = (unit: number): boolean =>
  unit === 32 || (unit >= 9 && unit <= 13) || unit === 0xa0 || unit === 0xfeff || unit === 0x2028 || unit === 0x2029 ||
  (unit >= 0x2000 && unit <= 0x200b)

const isComment = (text: string, at: number): boolean => {
  const unit = text.charCodeAt(at)
  if (unit === 35) return true
  const next = unit === 47 ? text.charCodeAt(at + 1) : 0
  return next === 47 || next === 42
}

const skip = (cursor: Cursor): void => {
  const { text } = cursor
  while (cursor.at < text.length) {
    if (isSpace(text.charCodeAt(cursor.at))) cursor.at++
    else if (isComment(text, cursor.at)) {
      const isBlock = text.charCodeAt(cursor.at + 1) === 42
      const end = isBlock ? text.indexOf("*/", cursor.at + 2) : text.indexOf("\n", cursor.at)
      cursor.at = end === -1 ? text.length : isBlock ? end + 2 : end + 1
    } else return
  }
}

const container = (cursor: Cursor, depth: number): unknown => {
  if (depth > cursor.maxDepth) return undefined
  return cursor.text.charCodeAt(cursor.at) === 123 ? object(cursor, depth) : list(cursor, depth)
}

const object = (cursor: Cursor, depth: number): unknown => {
  const { text } = cursor
  const out: Record<string, unknown> = {}
  cursor.at++
  for (;;) {
    skip(cursor)
    if (text.charCodeAt(cursor.at) === 125) {
      cursor.at++
      return out
    }
    const name = quoted(cursor, true) ?? word(cursor, unquotedName)
    if (name === undefined) return failed(cursor)
    skip(cursor)
    if (text.charCodeAt(cursor.at) !== 58) return failed(cursor)
    cursor.at++
    cursor.isBegun = true
    const member = value(cursor, depth)
    if (member === undefined) return failed(cursor)
    // A plain assignment of `__proto__` would set the prototype.
    Object.defineProperty(out, name, { value: member, enumerable: true, writable: true, configurable: true })
    if (!separated(cursor, 125)) return failed(cursor)
  }
}

const list = (cursor: Cursor, depth: number): unknown => {
  const out: Array<unknown> = []
  cursor.at++
  for (;;) {
    skip(cursor)
    if (cursor.text.charCodeAt(cursor.at) === 93) {
      cursor.at++
      return out
    }
    const member = value(cursor, depth)
    if (member === undefined) return failed(cursor)
    cursor.isBegun = true
    out.push(member)
    if (!separated(cursor, 93)) return failed(cursor)
  }
}

/** Goes behind the comma that must follow a member, or to the bracket that closes. */
const separated = (cursor: Cursor, close: number): boolean => {
  skip(cursor)
  const unit = cursor.text.charCodeAt(cursor.at)
  if (unit === 44) cursor.at++
  return unit === 44 || unit === close
}

const value = (cursor: Cursor, depth: number): unknown => {
  skip(cursor)
  const unit = cursor.text.charCodeAt(cursor.at)
  if (unit === 123 || unit === 91) return container(cursor, depth + 1)
  const text = quoted(cursor, false)
  if (text !== undefined || cursor.isCut) return text
  const number = word(cursor, anyNumber)
  if (number !== undefined) return Number.isFinite(Number(number)) ? Number(number) : null
  const name = word(cursor, anyWord)
  return name === undefined ? undefined : literals.get(name)
}

const unquotedName = /[\p{L}\p{N}_$][\p{L}\p{N}_$-]*/uy
const anyNumber = /[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+|Infinity)(?:[eE][+-]?\d+)?/uy
const anyWord = /[+-]?[A-Za-z]+/uy

const literals: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["null", null],
  ["None", null],
  ["undefined", null],
  ["NaN", null],
  ["-NaN", null]
])

const word = (cursor: Cursor, pattern: RegExp): string | undefined => {
  pattern.lastIndex = cursor.at
  const found = pattern.exec(cursor.text)?.[0]
  if (found !== undefined) cursor.at += found.length
  return found
}

/** What may close a text, by what opened it. */
const closers: ReadonlyMap<number, string> = new Map([
  [0x22, "\""],
  [0x27, "'"],
  [0x60, "`"],
  [0x2018, "\u2018\u2019"],
  [0x201c, "\u201c\u201d"],
  [0x201e, "\u201c\u201d"]
])

/** A quote closes a text only where the text could end; else it is one of its letters. */
const quoted = (cursor: Cursor, isName: boolean): string | undefined => {
  const { text } = cursor
  const close = closers.get(text.charCodeAt(cursor.at))
  if (close === undefined) return undefined
  let out = ""
  let from = cursor.at + 1
  for (let at = from; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === 92) {
      const [piece, width] = escaped(text, at + 1)
      out += text.slice(from, at) + piece
      at += width
      from = at + 1
    } else if (close.includes(text.charAt(at))) {
      let next = at + 1
      while (isSpace(text.charCodeAt(next))) next++
      const after = text.charCodeAt(next)
      const isEnd = isName
        ? after === 58
        : after === 44 || after === 125 || after === 93 || next >= text.length || isComment(text, next)
      if (isEnd) {
        cursor.at = at + 1
        return out + text.slice(from, at)
      }
      // Two texts with nothing between them: what is missing is anyone's guess.
      if (closers.has(after)) {
        cursor.at = at
        return undefined
      }
    }
  }
  cursor.at = text.length
  cursor.isCut = true
  return undefined
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["\n", ""]
])

/** What an escape stands for, and how long it is behind its backslash. */
const escaped = (text: string, at: number): readonly [piece: string, width: number] => {
  const letter = text.charAt(at)
  if (letter === "u") {
    const digits = text.slice(at + 1, at + 5)
    return /^[\dA-Fa-f]{4}$/u.test(digits) ? [String.fromCharCode(Number.parseInt(digits, 16)), 5] : ["\\u", 1]
  }
  const known = escapes.get(letter)
  // `\d` was meant as it stands, `\_` and `\'` as the sign alone.
  return [known ?? (/[\p{L}\p{N}]/u.test(letter) ? `\\${letter}` : letter), 1]
}
