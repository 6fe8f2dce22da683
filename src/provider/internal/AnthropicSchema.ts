/**
 * Brings a JSON Schema into the part of the language that Anthropic's structured
 * outputs enforce.
 *
 * @since 0.1.0
 */
import type { JsonSchema } from "../../protocol/JsonSchema.js"
import { isFields } from "./ChatCompletions.js"

/** Keywords that stay as they are. */
const kept: ReadonlySet<string> = new Set(["type", "const", "description", "title", "default", "required"])

/** Keywords whose meaning would be lost. */
const unfit: ReadonlySet<string> = new Set([
  "$ref",
  "$dynamicRef",
  "prefixItems",
  "patternProperties",
  "not",
  "if",
  "dependentSchemas"
])

/** Formats of texts that are enforced. */
const formats: ReadonlySet<unknown> = new Set([
  "date-time",
  "time",
  "date",
  "duration",
  "email",
  "hostname",
  "uri",
  "ipv4",
  "ipv6",
  "uuid"
])

/** Above these a request is refused as too complex. */
const maxOptional = 24
const maxUnions = 16
const maxDepth = 32

/** What was met on the way. */
interface Findings {
  optional: number
  unions: number
  isFit: boolean
}

const isScalar = (value: unknown): boolean => value === null || ["string", "number", "boolean"].includes(typeof value)

const node = (schema: unknown, found: Findings, depth: number): JsonSchema => {
  if (!isFields(schema) || Object.keys(schema).length === 0 || depth > maxDepth) {
    // Nothing can be enforced of a schema that anything fits.
    found.isFit = false
    return {}
  }
  const fit: Record<string, unknown> = {}
  const told: Record<string, unknown> = {}
  for (const [keyword, value] of Object.entries(schema)) {
    if (kept.has(keyword)) fit[keyword] = value
    else if (unfit.has(keyword)) found.isFit = false
    else if ((keyword === "anyOf" || keyword === "oneOf" || keyword === "allOf") && Array.isArray(value)) {
      fit[keyword === "oneOf" ? "anyOf" : keyword] = value.map((inner) => node(inner, found, depth + 1))
      if (keyword !== "allOf") found.unions++
    } else if (keyword === "items") fit.items = node(value, found, depth + 1)
    else if (keyword === "enum" && Array.isArray(value) && value.every(isScalar)) fit.enum = value
    else if (keyword === "format" && formats.has(value)) fit.format = value
    else if (keyword === "minItems" && (value === 0 || value === 1)) fit.minItems = value
    else if (!keyword.startsWith("$") && !shape.has(keyword)) told[keyword] = value
  }
  if (Array.isArray(schema.type)) found.unions++
  if (schema.type === "object" || schema.properties !== undefined) {
    const properties = isFields(schema.properties) ? Object.entries(schema.properties) : []
    // Closed, a map or an object of any shape would be one of none.
    if (isFields(schema.additionalProperties) || (properties.length === 0 && schema.additionalProperties !== false)) {
      found.isFit = false
    }
    const required: ReadonlyArray<unknown> = Array.isArray(schema.required) ? schema.required : []
    found.optional += properties.filter(([name]) => !required.includes(name)).length
    fit.properties = Object.fromEntries(properties.map(([name, inner]) => [name, node(inner, found, depth + 1)]))
    fit.additionalProperties = false
  }
  if (Object.keys(told).length > 0) {
    const rule = `Also: ${JSON.stringify(told)}`
    fit.description = typeof schema.description === "string" ? `${schema.description} ${rule}` : rule
  }
  return fit
}

/** Keywords of objects, which are seen to by themselves, and of definitions, which nothing refers to. */
const shape: ReadonlySet<string> = new Set(["properties", "additionalProperties", "definitions"])

/**
 * The schema as structured outputs take it: every object closed, and what is not
 * enforced told in the descriptions. `undefined` where it cannot be put so: a
 * root that is no object, maps and objects of any shape, references (which only
 * recursive schemas have), negation, too many optional fields or unions.
 *
 * @since 0.1.0
 * @category combinators
 */
export const fit = (schema: JsonSchema): JsonSchema | undefined => {
  if (!isTool(schema)) return undefined
  const found: Findings = { optional: 0, unions: 0, isFit: true }
  const fitted = node(schema, found, 0)
  return found.isFit && found.optional <= maxOptional && found.unions <= maxUnions ? fitted : undefined
}

/**
 * Whether a schema can be the input of a tool: its root is one object.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTool = (schema: JsonSchema): boolean =>
  schema.type === "object" && schema.anyOf === undefined && schema.oneOf === undefined && schema.allOf === undefined
