/**
 * The form that a client shows for a schema, and the reading of what the user
 * filled in.
 *
 * Source: MCP 2026-07-28, elicitation, `PrimitiveSchemaDefinition`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { isObject, type Json } from "../../protocol/JsonRpc.js"
import * as JsonSchema from "../../protocol/JsonSchema.js"

const formats: ReadonlySet<unknown> = new Set(["email", "uri", "date", "date-time"])

/** What Effect writes of its own transformations, which says nothing to a user. */
const builtIn = /^a string (?:to be decoded into|that will be) /u

const allowed =
  "A form has fields of these kinds only: a string, a number, an integer, a boolean, one of several strings, several of several strings"

const refuse = (name: string, why: string): never => {
  throw new Error(`A form cannot have the field "${name}", because ${why}. ${allowed}.`)
}

type IsFit = (value: unknown) => boolean

const isString: IsFit = (value) => typeof value === "string"
const isNumber: IsFit = (value) => typeof value === "number"
const isBoolean: IsFit = (value) => typeof value === "boolean"

const given = (key: string, value: unknown): Json => (value === undefined ? {} : { [key]: value })

/** Title, description and default: what every kind of field may have. */
const labels = (node: Json, isDefault: IsFit): Json => ({
  ...given("title", isString(node.title) ? node.title : undefined),
  ...given(
    "description",
    typeof node.description === "string" && !builtIn.test(node.description) ? node.description : undefined
  ),
  ...given("default", isDefault(node.default) ? node.default : undefined)
})

/** A limit that was given more than once stands beside and inside of `allOf`; the narrowest counts. */
const limit = (node: Json, key: string, narrowest: (...limits: ReadonlyArray<number>) => number): Json => {
  const all = [node, ...(Array.isArray(node.allOf) ? node.allOf.filter(isObject) : [])]
  const limits = all.flatMap((part) => (typeof part[key] === "number" ? [part[key]] : []))
  return limits.length === 0 ? {} : { [key]: narrowest(...limits) }
}

/** Whole numbers have a next one, so a limit that excludes itself has an equal that does not. */
const integerLimits = (node: Json): Json => {
  const low = [limit(node, "minimum", Math.max).minimum]
  const high = [limit(node, "maximum", Math.min).maximum]
  const above = limit(node, "exclusiveMinimum", Math.max).exclusiveMinimum
  const below = limit(node, "exclusiveMaximum", Math.min).exclusiveMaximum
  if (typeof above === "number") low.push(Math.floor(above) + 1)
  if (typeof below === "number") high.push(Math.ceil(below) - 1)
  const lows = low.filter((value) => typeof value === "number")
  const highs = high.filter((value) => typeof value === "number")
  return {
    ...(lows.length === 0 ? {} : { minimum: Math.max(...lows) }),
    ...(highs.length === 0 ? {} : { maximum: Math.min(...highs) })
  }
}

interface Choice {
  readonly value: string
  readonly title: string | undefined
}

const titled = (values: ReadonlyArray<unknown>, title: string | undefined): ReadonlyArray<Choice> | undefined => {
  const strings = values.filter((value) => typeof value === "string")
  return strings.length === values.length ? strings.map((value) => ({ value, title })) : undefined
}

/** The strings to choose from, each with the title it may have; `undefined` when these are no such choices. */
const choices = (node: Json): ReadonlyArray<Choice> | undefined => {
  if (node.const !== undefined) return titled([node.const], undefined)
  if (Array.isArray(node.enum)) return titled(node.enum, undefined)
  if (!Array.isArray(node.anyOf)) return undefined
  const found: Array<Choice> = []
  for (const member of node.anyOf) {
    const inner = isObject(member) ? choices(member) : undefined
    if (inner === undefined) return undefined
    // A title over several values names none of them.
    const title = isObject(member) && typeof member.title === "string" && inner.length === 1 ? member.title : undefined
    found.push(...inner.map((choice) => ({ value: choice.value, title: choice.title ?? title })))
  }
  return found
}

const isTitled = (all: ReadonlyArray<Choice>): boolean => all.some(({ title }) => title !== undefined)

const options = (all: ReadonlyArray<Choice>): ReadonlyArray<Json> =>
  all.map(({ title, value }) => ({ const: value, title: title ?? value }))

const values = (all: ReadonlyArray<Choice>): ReadonlyArray<string> => all.map(({ value }) => value)

const one = (node: Json, all: ReadonlyArray<Choice>): Json => ({
  type: "string",
  ...labels(node, (value) => all.some((choice) => choice.value === value)),
  ...(isTitled(all) ? { oneOf: options(all) } : { enum: values(all) })
})

const several = (node: Json, all: ReadonlyArray<Choice>): Json => ({
  type: "array",
  ...labels(
    node,
    (value) => Array.isArray(value) && value.every((item) => all.some((choice) => choice.value === item))
  ),
  items: isTitled(all) ? { anyOf: options(all) } : { type: "string", enum: values(all) },
  ...limit(node, "minItems", Math.max),
  ...limit(node, "maxItems", Math.min)
})

const field = (name: string, node: unknown): Json => {
  if (!isObject(node)) return refuse(name, "its schema says nothing of it")
  const single = choices(node)
  if (single !== undefined) return one(node, single)
  if (node.const !== undefined || node.enum !== undefined) return refuse(name, "its choices are not all strings")
  switch (node.type) {
    case "string":
      return {
        type: "string",
        ...labels(node, isString),
        ...limit(node, "minLength", Math.max),
        ...limit(node, "maxLength", Math.min),
        ...given("format", formats.has(node.format) ? node.format : undefined)
      }
    case "number":
      return {
        type: "number",
        ...labels(node, isNumber),
        ...limit(node, "minimum", Math.max),
        ...limit(node, "maximum", Math.min)
      }
    case "integer":
      return { type: "integer", ...labels(node, isNumber), ...integerLimits(node) }
    case "boolean":
      return { type: "boolean", ...labels(node, isBoolean) }
    case "array": {
      const all = isObject(node.items) ? choices(node.items) : undefined
      return all === undefined
        ? refuse(name, "it is an array of anything but strings to choose from")
        : several(node, all)
    }
    case "object":
      return refuse(name, "it is an object")
    default:
      return refuse(name, "it is of no one kind")
  }
}

const derive = (schema: Schema.Schema.All): JsonSchema.JsonSchema => {
  const root = documentOf(schema)
  // `Schema.Struct({})` has no properties at all, and is a form with nothing but its buttons.
  const properties = root.properties ?? {}
  const isOpen = isObject(root.additionalProperties) || root.patternProperties !== undefined
  if (root.type !== "object" || isOpen || !isObject(properties)) {
    throw new Error(`The schema of a form must be a struct. ${allowed}.`)
  }
  return {
    type: "object",
    properties: Object.fromEntries(Object.entries(properties).map(([name, node]) => [name, field(name, node)])),
    ...given("required", root.required)
  }
}

const documentOf = (schema: Schema.Schema.All): JsonSchema.JsonSchema => {
  try {
    return JsonSchema.fromSchema(schema)
  } catch (cause) {
    throw new Error(
      `The schema of a form has a part that JSON cannot hold; give that part an annotation "jsonSchema". ${allowed}.`,
      { cause }
    )
  }
}

const forms = new WeakMap<Schema.Schema.All, JsonSchema.JsonSchema>()

/**
 * The `requestedSchema` of a form: flat, of the kinds that the specification
 * allows. Of a constraint it has no word for, such as a pattern, nothing is
 * shown; the decoder checks it. Throws an `Error` that names the field and what
 * is allowed. Derived once per schema.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSchema = (schema: Schema.Schema.All): JsonSchema.JsonSchema => {
  const known = forms.get(schema)
  if (known !== undefined) return known
  const made = derive(schema)
  forms.set(schema, made)
  return made
}

const shorten = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)

/** That an optional field is not `undefined` either helps nobody. */
const isIdle = (message: string): boolean => message.startsWith("Expected undefined, actual")

const misfit = (error: ParseResult.ParseError): string => {
  const all = ParseResult.ArrayFormatter.formatErrorSync(error)
  const telling = all.filter(({ message }) => !isIdle(message))
  return (telling.length === 0 ? all : telling).slice(0, 3).map(({ message, path }) =>
    shorten(path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`)
  ).join("; ")
}

/**
 * Reads a value, or says in words what does not fit.
 *
 * @since 0.1.0
 * @category models
 */
export type Decode<A> = (value: unknown) => Effect.Effect<A, string>

const decoders = new WeakMap<Schema.Schema.All, Decode<unknown>>()

/**
 * The decoder of a schema, compiled once. Properties the schema does not name
 * are ignored.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decoder = <A, I>(schema: Schema.Schema<A, I>): Decode<A> => {
  const known = decoders.get(schema)
  // The map holds under each schema the decoder that was made of it.
  if (known !== undefined) return known as Decode<A>
  const decode = Schema.decodeUnknown(schema, { errors: "all" })
  const made: Decode<A> = (value) => Effect.mapError(decode(value), misfit)
  decoders.set(schema, made)
  return made
}
