/**
 * Fills a JSON Schema from a text, by labels and mentions alone. What the text
 * does not say stays out.
 *
 * @since 0.1.0
 */
import type { JsonSchema } from "../../protocol/JsonSchema.js"
import { type Field, first, read } from "./ExtractiveField.js"
import { namesOf, propertiesOf, requiredOf, resolve } from "./FieldSchema.js"
import * as FieldText from "./FieldText.js"

/**
 * What was found, and the required properties that were not, by their paths.
 *
 * @since 0.1.0
 * @category models
 */
export interface Extraction {
  readonly value: { readonly [property: string]: unknown }
  readonly missing: ReadonlyArray<string>
}

/** Together these bound the work, whatever the schema and the text. */
const maxFields = 100
const maxText = 1_000_000
const maxWork = 20_000_000

const labelsOf = (names: ReadonlyArray<string>): ReadonlyArray<FieldText.Label> =>
  names.flatMap((name) => FieldText.label(name) ?? [])

/**
 * Extracts an object, or gives `undefined` when the schema is none this can
 * fill: not an object, or with more than a hundred properties. `message` is what
 * the user wrote, `passages` what was given beside it; the message is read
 * first. Takes time linear in the texts, of which at most a million characters
 * are read, and fewer for a large schema.
 *
 * @since 0.1.0
 * @category combinators
 */
export const extract = (
  schema: JsonSchema,
  message: string,
  passages: ReadonlyArray<string>
): Extraction | undefined => {
  const root = resolve(schema, schema).schema
  if (root.type !== "object") return undefined
  const top = propertiesOf(root).map(([name, property]) => [name, resolve(property, schema)] as const)
  const nested = top.map(([, { schema: property }]) => property.type === "object" ? propertiesOf(property) : [])
  const count = top.length + nested.reduce((sum, inner) => sum + inner.length, 0)
  if (count > maxFields) return undefined

  const sources = sourcesOf(message, passages, Math.min(maxText, Math.floor(maxWork / Math.max(1, count))))
  const labels = new Map(top.map(([name, { schema: property }]) => [name, labelsOf(namesOf(name, property))]))
  const othersOf = (name: string) => [...labels].flatMap(([other, found]) => other === name ? [] : found)
  const uses = new Map<string, number>()
  for (const name of [...labels.keys(), ...nested.flat().map(([inner]) => inner)]) {
    uses.set(name, (uses.get(name) ?? 0) + 1)
  }

  const missing: Array<string> = []
  const required = requiredOf(root)
  const entries: Array<readonly [string, unknown]> = []
  const settle = (
    into: Array<readonly [string, unknown]>,
    field: Field,
    name: string,
    isRequired: boolean,
    value: unknown
  ) => {
    if (value !== undefined) into.push([name, value])
    else if (isRequired && field.nullable) into.push([name, null])
    else if (isRequired) missing.push(field.path)
  }

  top.forEach(([name, { nullable, schema: property }], index) => {
    const field = fieldOf(name, property, nullable, labels.get(name) ?? [], othersOf(name))
    if (property.type !== "object") return settle(entries, field, name, required.has(name), read(field, sources))
    const inner = nested[index] ?? []
    const section = first(sources, (source) => first(field.labels, (label) => FieldText.section(source, label)))
    const found: Array<readonly [string, unknown]> = []
    const before = missing.length
    const innerRequired = requiredOf(property)
    const innerLabels = inner.map(([innerName, raw]) => labelsOf(namesOf(innerName, resolve(raw, schema).schema)))
    inner.forEach(([innerName, raw], at) => {
      const resolved = resolve(raw, schema)
      const path = `${name}.${innerName}`
      const others = [...othersOf(name), ...innerLabels.flatMap((found, other) => other === at ? [] : found)]
      const own = fieldOf(path, resolved.schema, resolved.nullable, innerLabels[at] ?? [], others)
      const full = { ...own, labels: labelsOf([path]) }
      const value = resolved.schema.type === "object"
        ? undefined
        : read(full, sources) ?? (section === undefined ? undefined : read(own, [section])) ??
          // A name that two groups share says nothing about which one it belongs to.
          (section === undefined && uses.get(innerName) === 1 ? read(own, sources) : undefined)
      settle(found, own, innerName, innerRequired.has(innerName), value)
    })
    const hasAny = found.some(([, value]) => value !== null)
    if (!required.has(name) && !(hasAny && missing.length === before)) {
      missing.length = before
      return
    }
    if (nullable && missing.length > before) {
      missing.length = before
      entries.push([name, null])
      return
    }
    if (!hasAny && missing.length === before && inner.length > 0) settle(entries, field, name, true, undefined)
    else entries.push([name, Object.fromEntries(found)])
  })
  return { value: Object.fromEntries(entries), missing }
}

const sourcesOf = (
  message: string,
  passages: ReadonlyArray<string>,
  limit: number
): ReadonlyArray<FieldText.Source> => {
  const sources = [FieldText.message(message.slice(0, limit))]
  let left = limit - message.length
  for (const text of passages) {
    if (left <= 0) break
    sources.push(FieldText.passage(text.slice(0, left)))
    left -= text.length
  }
  return sources
}

const fieldOf = (
  path: string,
  schema: JsonSchema,
  nullable: boolean,
  labels: ReadonlyArray<FieldText.Label>,
  others: ReadonlyArray<FieldText.Label>
): Field => ({
  path,
  schema,
  type: typeof schema.type === "string" ? schema.type : undefined,
  nullable,
  labels,
  others
})
