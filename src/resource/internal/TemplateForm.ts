/**
 * A URI template taken apart: what a match and an expansion go by, and how
 * values are written into a URI.
 *
 * @since 0.1.0
 */

/**
 * A variable of the path. A `segment` holds no `/`, `?` or `#`; a `span` may; a
 * `list` is segments, each encoded by itself.
 */
export interface Variable {
  readonly name: string
  readonly kind: "segment" | "span" | "list"
}

/** Variables, and the literals around them: one literal more than variables; only the outer ones may be empty. */
export interface Path {
  readonly literals: ReadonlyArray<string>
  readonly variables: ReadonlyArray<Variable>
}

/** One `key=value`: the value is a variable of the same or another name, or stands fixed. */
export type Pair =
  | { readonly _tag: "Variable"; readonly name: string; readonly isRequired: boolean }
  | { readonly _tag: "Fixed"; readonly value: string }

/** Pairs by their keys, in order. */
export type Pairs = ReadonlyMap<string, Pair>

export interface Form {
  readonly path: Path
  /** What `{;…}` holds, at the end of the path. */
  readonly matrix: Pairs | undefined
  readonly query: Pairs | undefined
  /** The name of the variable in `{#…}`. */
  readonly fragment: string | undefined
}

const unreserved: ReadonlySet<string> = new Set(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
const withReserved: ReadonlySet<string> = new Set([...unreserved, ...":/?#[]@!$&'()*+,;="])
const encoder = new TextEncoder()

const percentEncode = (value: string, kept: ReadonlySet<string>): string => {
  let out = ""
  for (const byte of encoder.encode(value)) {
    const character = String.fromCharCode(byte)
    out += kept.has(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }
  return out
}

/** Encodes all but letters, digits and `-._~`. */
export const encode = (value: string): string => percentEncode(value, unreserved)

/**
 * Encodes all but what may stand anywhere in a URI; and the percent sign, and
 * the `delimiters` at which a match would end the value, so that it comes back.
 */
export const encodeReserved = (value: string, delimiters: string): string =>
  percentEncode(
    value,
    delimiters === "" ? withReserved : new Set([...withReserved].filter((c) => !delimiters.includes(c)))
  )

/** Decodes percent sequences; `undefined` when one is malformed. */
export const decode = (text: string): string | undefined => {
  if (!text.includes("%")) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The characters at which the parts after the path begin, in this form. */
export const delimitersOf = (form: Form): string =>
  `${form.matrix === undefined ? "" : ";"}${form.query === undefined ? "" : "?"}${
    form.fragment === undefined ? "" : "#"
  }`
