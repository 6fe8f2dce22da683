/**
 * The JSON Schema 2020-12 of an Effect Schema, in the plain form that MCP
 * clients and model providers accept.
 *
 * @since 0.1.0
 */
import * as EffectJsonSchema from "effect/JSONSchema"
import type * as Schema from "effect/Schema"

/**
 * A JSON Schema document: any keyword of draft 2020-12.
 *
 * @since 0.1.0
 * @category models
 */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/** Titles that Effect's built-in filters write; they say nothing that the keywords beside them do not. */
const filterTitle =
  /^(nonEmptyString|int|finite|positive|nonNegative|negative|nonPositive|trimmed|(between|greaterThan|greaterThanOrEqualTo|lessThan|lessThanOrEqualTo|minLength|maxLength|length|minItems|maxItems|itemsCount|pattern|multipleOf|startsWith|endsWith|includes)\(.*\)|unknown|any|object|void)$/u
const filterDescription =
  /^(a number (between|greater|less)|a (non empty|positive|negative|finite) |an integer$|a non-(negative|positive) |a string (at least|at most|matching)|an array of |a (number|bigint) )/u

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const localName = (ref: unknown): string | undefined =>
  typeof ref === "string" && ref.startsWith("#/$defs/")
    ? decodeURIComponent(ref.slice(8)).replace(/~1/gu, "/").replace(/~0/gu, "~")
    : undefined

/** Whether `name` can reach itself through its own definition. */
const isRecursive = (name: string, definitions: Record<string, unknown>): boolean => {
  const seen = new Set<string>()
  const visit = (node: unknown): boolean => {
    if (Array.isArray(node)) return node.some(visit)
    if (!isRecord(node)) return false
    const target = localName(node.$ref)
    if (target !== undefined) {
      if (target === name) return true
      if (!seen.has(target)) {
        seen.add(target)
        if (visit(definitions[target])) return true
      }
    }
    return Object.values(node).some(visit)
  }
  return visit(definitions[name])
}

/**
 * Derives the JSON Schema of the *encoded* side of a schema: what travels on
 * the wire. References are inlined unless they are recursive, because several
 * providers refuse `$ref`; the names that Effect gives its built-in filters are
 * dropped, the author's titles, descriptions, examples and constraints are kept.
 *
 * Throws where a schema has no JSON form (a declaration without a `jsonSchema`
 * annotation): call it at registration, never per request.
 *
 * Source: MCP 2026-07-28, basic, JSON Schema usage.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSchema = (schema: Schema.Schema.All): JsonSchema => {
  const definitions: Record<string, EffectJsonSchema.JsonSchema7> = {}
  const root = EffectJsonSchema.fromAST(schema.ast, {
    definitions,
    target: "jsonSchema2020-12",
    topLevelReferenceStrategy: "skip"
  })
  const kept: Record<string, unknown> = {}

  const tidy = (node: unknown, isSchema: boolean): unknown => {
    if (Array.isArray(node)) return node.map((item) => tidy(item, isSchema))
    if (!isRecord(node)) return node
    if (!isSchema) return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, tidy(value, true)]))
    const target = localName(node.$ref)
    if (target !== undefined) {
      if (isRecursive(target, definitions)) {
        if (!(target in kept)) {
          kept[target] = true
          kept[target] = tidy(definitions[target], true)
        }
      } else {
        const { $ref: _, ...beside } = node
        return tidy({ ...(definitions[target] as object), ...beside }, true)
      }
    }
    if (node.$id === "/schemas/%7B%7D") return { type: "object", additionalProperties: false }
    const out: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(node)) {
      if (key === "$id" && typeof value === "string" && value.startsWith("/schemas/")) continue
      if (key === "title" && typeof value === "string" && filterTitle.test(value)) continue
      if (key === "description" && typeof value === "string" && filterDescription.test(value)) continue
      if (key === "required" && Array.isArray(value) && value.length === 0) continue
      if (key === "properties" && isRecord(value)) {
        if (Object.keys(value).length > 0) out[key] = tidy(value, false)
      } else if (key === "enum" && Array.isArray(value) && value.length === 1) {
        out.const = value[0]
      } else if (key === "enum" || key === "const" || key === "default" || key === "examples" || key === "required") {
        out[key] = value
      } else {
        out[key] = tidy(value, true)
      }
    }
    return out
  }

  const tidied = tidy(root, true) as JsonSchema
  return Object.keys(kept).length === 0 ? tidied : { ...tidied, $defs: kept }
}
