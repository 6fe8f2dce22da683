/**
 * URI templates (RFC 6570) that are matched in linear time and expanded back to
 * the same URI.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type * as Types from "effect/Types"
import type { Form, Pairs, Path, Variable } from "./internal/TemplateForm.js"
import { decode, delimitersOf, encode, encodeReserved } from "./internal/TemplateForm.js"
import * as TemplateParser from "./internal/TemplateParser.js"

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: unique symbol = Symbol.for("~causeway/UriTemplate")

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * A template that was understood.
 *
 * @since 0.1.0
 * @category models
 */
export interface UriTemplate {
  readonly [TypeId]: Form
  /** As it was written. */
  readonly template: string
  /** The names of its variables, each once, in order. */
  readonly names: ReadonlyArray<string>
}

/** `{?…}` and `{&…}` may be absent, and so may `{;…}` and `{#…}`. */
type MayBeAbsent = "?" | "&" | ";" | "#"

type WithoutStar<Name extends string> = Name extends `${infer Plain}*` ? Plain : Name

type Names<List extends string> = List extends `${infer First},${infer Rest}` ? WithoutStar<First> | Names<Rest>
  : WithoutStar<List>

type Expressions<T extends string> = T extends `${string}{${infer Inside}}${infer Rest}` ? Inside | Expressions<Rest>
  : never

type RequiredNames<Inside extends string> = Inside extends `${MayBeAbsent}${string}` ? never
  : Inside extends `${"+" | "." | "/"}${infer List}` ? Names<List>
  : Names<Inside>

type OptionalNames<Inside extends string> = Inside extends `${MayBeAbsent}${infer List}` ? Names<List> : never

/**
 * The variables of a template as strings.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Variables<T extends string> = string extends T ? { readonly [name: string]: string }
  : Types.Simplify<
    & { readonly [Name in RequiredNames<Expressions<T>>]: string }
    & { readonly [Name in OptionalNames<Expressions<T>>]?: string }
  >

/**
 * The longest template that is parsed, in characters.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxTemplateLength = 2048

/**
 * The longest URI that is matched, in characters.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxUriLength = 8192

const namesOf = (form: Form): ReadonlyArray<string> => [
  ...form.path.variables.map((variable) => variable.name),
  ...[form.matrix, form.query].flatMap((pairs) =>
    [...(pairs ?? new Map()).values()].flatMap((pair) => pair._tag === "Variable" ? [pair.name] : [])
  ),
  ...(form.fragment === undefined ? [] : [form.fragment])
]

/**
 * Understands a template, or says in a sentence what is wrong and at which
 * character, counted from 0.
 *
 * All operators of the levels 1 to 3 are known. `{id}`, `{.id}` and `{/id}` hold
 * one segment of the path, `{+path}` and `{/path*}` any number; `{;a}`, `{?a,b}`
 * and `{&c}` may be absent and come in any order, `?q={q}` must be there. What a
 * match could not take apart again is refused: `{a}{b}`, a second variable that
 * spans segments, prefixes (`{a:3}`), and a star anywhere but in `{/path*}`.
 *
 * Source: RFC 6570.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse = (template: string): Either.Either<UriTemplate, string> =>
  template.length > maxTemplateLength
    ? Either.left(`a template has at most ${maxTemplateLength} characters, and this one has ${template.length}`)
    : Either.map(TemplateParser.parse(template), (form) => ({ [TypeId]: form, template, names: namesOf(form) }))

type Values = Map<string, string>

/** Decodes a value into `values`; false when it is none. */
const take = (values: Values, name: string, text: string): boolean => {
  const value = decode(text)
  if (value === undefined) return false
  values.set(name, value)
  return true
}

const isSegment = (text: string): boolean => !text.includes("/") && !text.includes("?") && !text.includes("#")

const takeVariable = (values: Values, { kind, name }: Variable, text: string): boolean => {
  if (text === "") return false
  switch (kind) {
    case "span":
      return take(values, name, text)
    case "segment":
      return isSegment(text) && take(values, name, text)
    case "list": {
      if (text.includes("?") || text.includes("#")) return false
      const items = text.split("/").map(decode)
      // An encoded slash would read like the one between two items.
      if (items.some((item) => item === undefined || item.includes("/"))) return false
      values.set(name, items.join("/"))
      return true
    }
  }
}

/**
 * Each literal is searched for once: before the variable that spans segments from
 * the left, after it from the right. No choice is ever taken back, since
 * variables of one kind may give characters to each other without a difference.
 */
const matchPath = ({ literals, variables }: Path, text: string, values: Values): boolean => {
  const first = literals[0] ?? ""
  const last = variables.length === 0 ? "" : literals[variables.length] ?? ""
  if (variables.length === 0) return text === first
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let from = first.length
  let to = text.length - last.length
  const spanning = variables.findIndex((variable) => variable.kind !== "segment")
  const middle = spanning === -1 ? variables.length - 1 : spanning

  for (let index = 0; index < middle; index++) {
    const variable = variables[index]
    const after = literals[index + 1] ?? ""
    const at = text.indexOf(after, from + 1)
    if (variable === undefined || at === -1 || at + after.length > to) return false
    if (!takeVariable(values, variable, text.slice(from, at))) return false
    from = at + after.length
  }
  for (let index = variables.length - 1; index > middle; index--) {
    const variable = variables[index]
    const before = literals[index] ?? ""
    const at = to - 1 - before.length < from ? -1 : text.lastIndexOf(before, to - 1 - before.length)
    if (variable === undefined || at < from) return false
    if (!takeVariable(values, variable, text.slice(at + before.length, to))) return false
    to = at
  }
  const variable = variables[middle]
  return variable !== undefined && from < to && takeVariable(values, variable, text.slice(from, to))
}

/** A value of a pair may hold anything but what begins a fragment. */
const isValue = (text: string): boolean => !text.includes("#")

/** `text` is what stands behind the first separator; `undefined` when there is none. */
const matchPairs = (pairs: Pairs, separator: "&" | ";", text: string | undefined, values: Values): boolean => {
  const seen = new Set<string>()
  for (const piece of text === undefined || text === "" ? [] : text.split(separator)) {
    const equals = piece.indexOf("=")
    const key = equals === -1 ? piece : piece.slice(0, equals)
    const value = equals === -1 ? "" : piece.slice(equals + 1)
    const pair = pairs.get(key)
    if (pair === undefined || seen.has(key)) return false
    seen.add(key)
    if (pair._tag === "Fixed" ? pair.value !== value : !(isValue(value) && take(values, pair.name, value))) return false
  }
  for (const [key, pair] of pairs) {
    if (!seen.has(key) && (pair._tag === "Fixed" || pair.isRequired)) return false
  }
  return true
}

/** Cuts `text` at the first separator. */
const cut = (text: string, separator: string): readonly [string, string | undefined] => {
  const at = text.indexOf(separator)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/**
 * The values of the variables in a URI, percent-decoded; `undefined` when the
 * URI is of another form, holds a malformed percent sequence or has more than
 * `maxUriLength` characters. Variables that are absent are left out.
 *
 * Takes time in proportion to the URI, whoever wrote it. Where literals leave a
 * choice, as in `{a}-{b}`, the earlier variable takes the least.
 *
 * @since 0.1.0
 * @category combinators
 */
export const match = (self: UriTemplate, uri: string): { readonly [name: string]: string } | undefined => {
  if (uri.length > maxUriLength) return undefined
  const { fragment, matrix, path, query } = self[TypeId]
  const values: Values = new Map()
  const [beforeFragment, hash] = fragment === undefined ? [uri, undefined] : cut(uri, "#")
  const [beforeQuery, search] = query === undefined ? [beforeFragment, undefined] : cut(beforeFragment, "?")
  const [pathText, parameters] = matrix === undefined ? [beforeQuery, undefined] : cut(beforeQuery, ";")
  const isMatch = matchPath(path, pathText, values) &&
    (matrix === undefined || matchPairs(matrix, ";", parameters, values)) &&
    (query === undefined || matchPairs(query, "&", search, values)) &&
    (fragment === undefined || hash === undefined || take(values, fragment, hash))
  return isMatch ? Object.fromEntries(values) : undefined
}

const expandPairs = (
  pairs: Pairs,
  valueOf: (name: string) => string | undefined,
  write: (key: string, value: string) => string
): ReadonlyArray<string> =>
  [...pairs].flatMap(([key, pair]) => {
    if (pair._tag === "Fixed") return [pair.value === "" ? key : `${key}=${pair.value}`]
    const value = valueOf(pair.name)
    return value === undefined && !pair.isRequired ? [] : [write(key, encode(value ?? ""))]
  })

/**
 * Writes values into the template: the URI that matches it with these values,
 * as long as those of the path are not empty. Values that are not given are left
 * out of `{;…}`, `{?…}`, `{&…}` and `{#…}`, and empty elsewhere.
 *
 * @since 0.1.0
 * @category combinators
 */
export const expand = (self: UriTemplate, values: { readonly [name: string]: string | undefined }): string => {
  const form = self[TypeId]
  const valueOf = (name: string): string | undefined => Object.hasOwn(values, name) ? values[name] : undefined
  const delimiters = delimitersOf(form)
  const { literals, variables } = form.path
  let out = literals[0] ?? ""
  variables.forEach(({ kind, name }, index) => {
    const value = valueOf(name) ?? ""
    const written = kind === "segment"
      ? encode(value)
      : kind === "span"
      ? encodeReserved(value, delimiters)
      : value.split("/").map(encode).join("/")
    out += `${written}${literals[index + 1] ?? ""}`
  })
  if (form.matrix !== undefined) {
    out += expandPairs(form.matrix, valueOf, (key, value) => value === "" ? key : `${key}=${value}`)
      .map((pair) => `;${pair}`).join("")
  }
  const query = form.query === undefined ? [] : expandPairs(form.query, valueOf, (key, value) => `${key}=${value}`)
  if (query.length > 0) out += `?${query.join("&")}`
  const fragment = form.fragment === undefined ? undefined : valueOf(form.fragment)
  return fragment === undefined ? out : `${out}#${encodeReserved(fragment, "")}`
}
