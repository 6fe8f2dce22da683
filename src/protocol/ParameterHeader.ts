/**
 * Arguments of a tool that travel in HTTP headers too, where gateways can read
 * them: `x-mcp-header` in a schema, `Mcp-Param-*` on the wire.
 *
 * Source: MCP 2026-07-28, Streamable HTTP, custom headers (SEP-2243).
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as HeaderValue from "./HeaderValue.js"
import type { JsonSchema } from "./JsonSchema.js"

/**
 * One argument that is mirrored.
 *
 * @since 0.1.0
 * @category models
 */
export interface ParameterHeader {
  /** The property names that lead to the argument. */
  readonly path: ReadonlyArray<string>
  /** The whole header name in lower case, for example `mcp-param-region`. */
  readonly header: string
  readonly type: "string" | "integer" | "boolean"
}

/** The keyword that names a header, on a property in a tool's input schema. */
const keyword = "x-mcp-header"

/** RFC 9110, 5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/u

/** Keywords that hold a schema or a list of schemas. */
const schemaKeywords: ReadonlySet<string> = new Set([
  "items",
  "prefixItems",
  "additionalItems",
  "unevaluatedItems",
  "contains",
  "additionalProperties",
  "unevaluatedProperties",
  "propertyNames",
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "if",
  "then",
  "else",
  "contentSchema"
])

/** Keywords that hold schemas by names. */
const schemaMaps: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "dependentSchemas",
  "dependencies",
  "$defs",
  "definitions"
])

/** A schema beyond these is not looked through: it may hold itself. */
const mostPlaces = 10_000
const mostLevels = 100

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Finds the arguments that a tool's input schema wants mirrored, or everything
 * that is wrong with how it says so: a name that is no token or stands twice, an
 * argument that is no string, integer or boolean, or one that is not reached
 * through `properties` alone.
 *
 * @since 0.1.0
 * @category constructors
 */
export const collect = (
  inputSchema: JsonSchema
): Either.Either<ReadonlyArray<ParameterHeader>, ReadonlyArray<string>> => {
  const found: Array<ParameterHeader> = []
  const problems: Array<string> = []
  const taken = new Set<string>()
  let places = 0
  let isTooLarge = false

  const take = (node: { readonly [key: string]: unknown }, path: ReadonlyArray<string>): void => {
    const where = `${keyword} of ${path.join(".")}`
    const { [keyword]: name, type } = node
    if (typeof name !== "string" || !token.test(name)) {
      problems.push(`${where}: must be one or more letters, digits or !#$%&'*+-.^_\`|~`)
    } else if (type !== "string" && type !== "integer" && type !== "boolean") {
      problems.push(`${where}: only a string, an integer or a boolean can stand in a header`)
    } else {
      const header = `mcp-param-${name.toLowerCase()}`
      if (taken.has(header)) problems.push(`${where}: the name "${name}" stands twice, whatever its case`)
      else found.push({ path, header, type })
      taken.add(header)
    }
  }

  /** `path` is there while nothing but `properties` led here. */
  const visit = (node: unknown, level: number, path: ReadonlyArray<string> | undefined, from: string): void => {
    if (!isRecord(node)) return
    isTooLarge ||= ++places > mostPlaces || level > mostLevels
    if (isTooLarge) return
    if (Object.hasOwn(node, keyword)) {
      if (path !== undefined && path.length > 0) take(node, path)
      else problems.push(`${keyword} ${from}: only a property reached through properties alone may have it`)
    }
    for (const [key, value] of Object.entries(node)) {
      if (schemaMaps.has(key) && isRecord(value)) {
        for (const [name, schema] of Object.entries(value)) {
          if (key === "properties" && path !== undefined) visit(schema, level + 1, [...path, name], name)
          else visit(schema, level + 1, undefined, `under ${key}`)
        }
      } else if (schemaKeywords.has(key)) {
        for (const schema of Array.isArray(value) ? value : [value]) visit(schema, level + 1, undefined, `under ${key}`)
      }
    }
  }

  visit(inputSchema, 0, [], "at the root")
  if (isTooLarge) problems.push("the schema is too large, or holds itself")
  return problems.length === 0 ? Either.right(found) : Either.left(problems)
}

const valueAt = (args: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce(
    (value, name) => isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined,
    args
  )

/** As numbers are written in JSON, but without an exponent and with zeros only behind the point. */
const decimal = /^-?(?:0|[1-9]\d*)(?:\.0+)?$/u

const isEqual = (value: unknown, text: string): boolean => {
  if (typeof value === "string") return value === text
  if (typeof value === "boolean") return text === String(value)
  if (typeof value !== "number") return false
  // A value of the wrong kind that both name alike is for the input schema to refuse, in words the agent can act on.
  return Number.isInteger(value)
    ? Number.isSafeInteger(value) && decimal.test(text) && Number(text) === value
    : text === String(value)
}

/**
 * Says, in a sentence, which header does not agree with the arguments;
 * `undefined` when all do. An argument that is there needs an equal header, and
 * integers are compared as numbers; one that is null or absent needs none, and
 * its header is ignored. `read` takes a name in lower case and gives `undefined`
 * for a header that is absent.
 *
 * @since 0.1.0
 * @category guards
 */
export const mismatch = (
  headers: ReadonlyArray<ParameterHeader>,
  args: unknown,
  read: (name: string) => string | undefined
): string | undefined => {
  for (const { header, path } of headers) {
    const value = valueAt(args, path)
    if (value === undefined || value === null) continue
    const raw = read(header)
    if (raw === undefined) return `the header ${header} is missing`
    const decoded = HeaderValue.decode(raw)
    if (Option.isNone(decoded)) return `the header ${header} cannot be decoded`
    if (!isEqual(value, decoded.value)) return `${header} differs from the argument ${path.join(".")} in the body`
  }
  return undefined
}
