/**
 * Reads of a JSON Schema what extraction needs: references followed, `null` set
 * apart, unions of constants as enumerations.
 *
 * @since 0.1.0
 */
import type { JsonSchema } from "../../protocol/JsonSchema.js"

/**
 * Whether a value is a JSON object.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRecord = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Follows a reference into `$defs` and unwraps `X | null`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const resolve = (
  schema: unknown,
  root: JsonSchema,
  depth = 0
): { readonly schema: JsonSchema; readonly nullable: boolean } => {
  if (!isRecord(schema) || depth > 5) return { schema: {}, nullable: false }
  if (typeof schema.$ref === "string") {
    const name = /^#\/\$defs\/(.+)$/u.exec(schema.$ref)?.[1]
    const definitions = isRecord(root.$defs) ? root.$defs : {}
    return resolve(name !== undefined && Object.hasOwn(definitions, name) ? definitions[name] : {}, root, depth + 1)
  }
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null")
    return { schema: { ...schema, type: types[0] }, nullable: types.length < schema.type.length }
  }
  const members = Array.isArray(schema.anyOf) ? schema.anyOf : Array.isArray(schema.oneOf) ? schema.oneOf : undefined
  if (members !== undefined) {
    const rest = members.filter((member) => !(isRecord(member) && member.type === "null"))
    const inner = rest.length === 1 ? resolve(rest[0], root, depth + 1) : unionOf(rest)
    return {
      schema: { ...inner.schema, ...(schema.description === undefined ? {} : { description: schema.description }) },
      nullable: inner.nullable || rest.length < members.length
    }
  }
  return { schema, nullable: false }
}

/** A union of constants is an enumeration; any other is more than this model can choose from. */
const unionOf = (members: ReadonlyArray<unknown>): { readonly schema: JsonSchema; readonly nullable: boolean } => {
  const constants = members.flatMap((member) => isRecord(member) && "const" in member ? [member.const] : [])
  return { schema: constants.length === members.length ? { enum: constants } : {}, nullable: false }
}

/**
 * The properties of an object schema, as entries.
 *
 * @since 0.1.0
 * @category combinators
 */
export const propertiesOf = (schema: JsonSchema): ReadonlyArray<readonly [string, unknown]> =>
  isRecord(schema.properties) ? Object.entries(schema.properties) : []

/**
 * The names that an object schema requires.
 *
 * @since 0.1.0
 * @category combinators
 */
export const requiredOf = (schema: JsonSchema): ReadonlySet<unknown> =>
  new Set(Array.isArray(schema.required) ? schema.required : [])

/**
 * What a text may call a property: its name, and its title.
 *
 * @since 0.1.0
 * @category combinators
 */
export const namesOf = (name: string, schema: JsonSchema): ReadonlyArray<string> =>
  typeof schema.title === "string" && schema.title.length <= 60 ? [name, schema.title] : [name]
