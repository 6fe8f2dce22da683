/**
 * Reads a JSON Schema from outside into the form the interpreter runs: only
 * keywords it knows, each of the right type, every reference resolved.
 *
 * @since 0.1.0
 */
import type { Schema } from "@cfworker/json-schema"
import * as Either from "effect/Either"
import * as JsonMeasure from "../JsonMeasure.js"
import type { JsonSchema } from "../JsonSchema.js"
import * as SafePattern from "./SafePattern.js"

/**
 * Thrown through the interpreter, which has no other way to stop.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutOfBudget extends Error {}

interface Problem {
  readonly path: string
  readonly message: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Sound {
  readonly root: Schema
  readonly references: Record<string, Schema | boolean>
  /** Whether `uniqueItems` stands anywhere: it compares all pairs. */
  readonly isUnique: boolean
  /** Whether `patternProperties` stands anywhere: it runs on every name of an object. */
  readonly isNamePattern: boolean
  readonly budget: { readonly reset: () => void }
}

/** Steps of one check; a schema node visited is one step or more. */
const maxSteps = 500_000

type Kind =
  | "schema"
  | "schemas"
  | "schemaMap"
  | "count"
  | "number"
  | "positive"
  | "boolean"
  | "strings"
  | "stringsMap"
  | "type"
  | "enum"
  | "pattern"
  | "format"
  | "ref"
  | "any"

const keywords: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...["not", "if", "then", "else", "items", "contains", "unevaluatedItems", "additionalProperties"].map((key) =>
    [key, "schema"] as const
  ),
  ...["unevaluatedProperties", "propertyNames"].map((key) => [key, "schema"] as const),
  ...["allOf", "anyOf", "oneOf", "prefixItems"].map((key) => [key, "schemas"] as const),
  ...["$defs", "definitions", "properties", "patternProperties", "dependentSchemas"].map((key) =>
    [key, "schemaMap"] as const
  ),
  ...["minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains", "minProperties", "maxProperties"]
    .map((key) => [key, "count"] as const),
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"].map((key) => [key, "number"] as const),
  ["multipleOf", "positive"],
  ["uniqueItems", "boolean"],
  ["required", "strings"],
  ["dependentRequired", "stringsMap"],
  ["type", "type"],
  ["enum", "enum"],
  ["const", "any"],
  ["pattern", "pattern"],
  ["format", "format"],
  ["$ref", "ref"]
])

const types: ReadonlySet<unknown> = new Set(["array", "boolean", "integer", "null", "number", "object", "string"])

/** The interpreter's others are no standard formats, or take long. */
const formats: ReadonlySet<string> = new Set([
  "date",
  "time",
  "date-time",
  "duration",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "uri",
  "uuid"
])

const unsupported: ReadonlyMap<string, string> = new Map([
  ["$dynamicRef", "is not supported; use $ref"],
  ["$recursiveRef", "is not supported; use $ref"],
  ["dependencies", "belongs to older drafts; use dependentRequired or dependentSchemas"],
  ["additionalItems", "belongs to older drafts; use prefixItems and items"]
])

/** The dialects a schema may say it is written in. */
const dialects: ReadonlyMap<unknown, "2020-12" | "7"> = new Map([
  ["https://json-schema.org/draft/2020-12/schema", "2020-12"],
  ["https://json-schema.org/draft/2020-12/schema#", "2020-12"],
  ["http://json-schema.org/draft-07/schema", "7"],
  ["http://json-schema.org/draft-07/schema#", "7"]
])

/** What draft-07 still reads beside a reference: nothing that checks. */
const besideRef: ReadonlySet<string> = new Set(["$ref", "$schema", "$defs", "definitions"])

/** Steps of a pattern that weigh as much as the visit of a node. */
const patternSteps = 100

/** A pattern for names is run on every name of an object, each of 128 characters at most. */
const isForNames = (pattern: string): boolean => {
  const growth = SafePattern.growth(pattern)
  return growth !== undefined && SafePattern.steps(growth, 128) <= 1100
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isStrings = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every((item) => typeof item === "string")

const pointer = (path: string, key: string | number): string =>
  `${path}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`

const wrongType: Readonly<Record<Exclude<Kind, "schema" | "any">, string>> = {
  schemas: "must be a list of at least one schema",
  schemaMap: "must be an object of schemas",
  count: "must be a whole number from 0",
  number: "must be a number",
  positive: "must be a number above 0",
  boolean: "must be true or false",
  strings: "must be a list of property names",
  stringsMap: "must be an object of lists of property names",
  type: "must be array, boolean, integer, null, number, object or string, or a list of these",
  enum: "must be a list of at least one value",
  pattern: "must be a simple regular expression of at most 200 characters: " +
    "no look-around, no back-reference, no repetition of a group that varies",
  format: "must be a string",
  ref: "must point into this schema: #, #/… or #anchor"
}

const isSound: Readonly<
  Record<Exclude<Kind, "schema" | "schemas" | "schemaMap" | "any">, (value: unknown) => boolean>
> = {
  count: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  number: (value) => typeof value === "number",
  positive: (value) => typeof value === "number" && value > 0,
  boolean: (value) => typeof value === "boolean",
  strings: isStrings,
  stringsMap: (value) => isRecord(value) && Object.values(value).every(isStrings),
  type: (value) => Array.isArray(value) ? value.length > 0 && value.every((item) => types.has(item)) : types.has(value),
  enum: (value) => Array.isArray(value) && value.length > 0,
  pattern: (value) => typeof value === "string" && SafePattern.growth(value) !== undefined,
  format: (value) => typeof value === "string",
  ref: (value) => typeof value === "string" && value.startsWith("#")
}

const decoded = (ref: string): string => {
  try {
    return decodeURIComponent(ref)
  } catch {
    return ref
  }
}

/**
 * Reads a schema, or says everything that is wrong with it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const read = (schema: JsonSchema): Either.Either<Sound, ReadonlyArray<Problem>> => {
  const copy = JsonMeasure.copy(schema, { maxBytes: 64 * 1024, maxDepth: 32, maxMembers: 5000 })
  if (Either.isLeft(copy)) return Either.left([{ path: "", message: `The schema ${copy.left}.` }])
  const problems: Array<Problem> = []
  const references: Record<string, Schema | boolean> = Object.create(null)
  const pending: Array<readonly [path: string, ref: string]> = []
  const dialect = dialects.get(schema.$schema) ?? "2020-12"
  let isUnique = false
  let isNamePattern = false
  let steps = 0

  const complain = (path: string, message: string): void => {
    if (problems.length < 50) problems.push({ path: path.slice(0, 200), message: message.slice(0, 300) })
  }

  const guarded = (weight: number): Schema => {
    const node = Object.create(null)
    // The interpreter reads this keyword of every node it visits, and 2020-12 has no other use for it.
    Object.defineProperty(node, "$recursiveAnchor", {
      enumerable: false,
      get: () => {
        steps += weight
        if (steps > maxSteps) throw new OutOfBudget("too many steps")
        return undefined
      }
    })
    return node
  }

  const weigh = (node: Record<string, unknown>): number => {
    let weight = 1
    for (const key of ["enum", "const", "required", "dependentRequired"]) {
      if (node[key] !== undefined) weight += Math.ceil(JSON.stringify(node[key]).length / 32)
    }
    if (node.uniqueItems === true) weight += 1500
    if (isRecord(node.patternProperties)) weight += 2000 * Object.keys(node.patternProperties).length
    return weight
  }

  /** Runs a pattern on texts within its reach, and lets a longer one weigh more. */
  const tiered = (pattern: string): Schema => {
    const growth = SafePattern.growth(pattern) ?? { choices: 1, degree: 3 }
    const reach = SafePattern.reach(growth)
    let rest = guarded(1)
    rest.maxLength = reach
    const lengths = [reach]
    for (let length = 16; length < reach; length *= 2) lengths.unshift(length)
    for (const length of lengths.sort((a, b) => b - a)) {
      const [tier, within, run] = [
        guarded(1),
        guarded(1),
        guarded(Math.ceil(SafePattern.steps(growth, length) / patternSteps))
      ]
      within.maxLength = length
      run.pattern = pattern
      tier.if = within
      tier.then = run
      tier.else = rest
      rest = tier
    }
    return rest
  }

  const visit = (node: unknown, path: string): Schema | boolean => {
    if (typeof node === "boolean") {
      references[`#${path}`] = node
      return node
    }
    if (!isRecord(node)) {
      complain(path, "must be a schema: an object, true or false")
      return true
    }
    const out = guarded(weigh(node))
    references[`#${path}`] = out
    const isAlone = dialect === "7" && typeof node.$ref === "string"
    for (const [key, value] of Object.entries(node)) {
      if (!isAlone || besideRef.has(key)) visitKeyword(out, key, value, path)
    }
    if (out.contains !== undefined && out.maxContains !== undefined) out.minContains ??= 1
    return out
  }

  const visitKeyword = (out: Schema, key: string, value: unknown, path: string): void => {
    const at = pointer(path, key)
    const kind = keywords.get(key)
    const hint = unsupported.get(key)
    if (hint !== undefined) return complain(at, hint)
    if (key === "$schema" && dialects.get(value) !== dialect) {
      return complain(at, "must be draft 2020-12, or draft-07 in the whole schema")
    }
    if (key === "$id" && path !== "") return complain(at, "may stand at the root only")
    if (key === "$anchor" && typeof value === "string") {
      references[`#${value}`] = out
      return
    }
    if (kind === undefined) return
    if (kind === "schema") {
      out[key] = visit(value, at)
    } else if (kind === "schemas") {
      if (!Array.isArray(value) || value.length === 0) return complain(at, wrongType.schemas)
      const read = value.map((item, index) => visit(item, pointer(at, index)))
      out[key] = key === "allOf" ? [...(out.allOf ?? []), ...read] : read
    } else if (kind === "schemaMap") {
      if (!isRecord(value)) return complain(at, wrongType.schemaMap)
      const map = Object.create(null)
      for (const [name, item] of Object.entries(value)) {
        if (key === "patternProperties") {
          isNamePattern = true
          if (!isForNames(name)) complain(pointer(at, name), `the name ${wrongType.pattern}`)
        }
        map[name] = visit(item, pointer(at, name))
      }
      out[key] = map
    } else if (kind === "any") out[key] = value
    else if (!isSound[kind](value)) complain(at, wrongType[kind])
    else if (kind === "pattern") {
      out.allOf = [...(out.allOf ?? []), tiered(String(value))]
    } else if (kind === "ref") {
      const ref = decoded(String(value))
      pending.push([at, ref])
      out.$ref = ref
    } else if (kind === "format") {
      if (formats.has(String(value))) out.format = String(value)
    } else {
      if (key === "uniqueItems" && value === true) isUnique = true
      out[key] = value
    }
  }

  // `JsonSchema` is an object, and a copy of an object is one.
  const root = visit(copy.right, "") as Schema
  for (const [path, ref] of pending) {
    if (references[ref] === undefined) complain(path, "points at nothing in this schema")
  }
  return problems.length > 0
    ? Either.left(problems)
    : Either.right({ root, references, isUnique, isNamePattern, budget: { reset: () => void (steps = 0) } })
}
