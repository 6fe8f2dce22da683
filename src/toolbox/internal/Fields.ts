/**
 * The fields that several ready-made tools take, each with its bounds and
 * examples.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Moment from "../../document/Moment.js"

const unstorable = /[\0\p{Cs}]/u

/** Narrower than what stores take: a whole day at least, so that a model need not guess. */
const day = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/

// A filter without `jsonSchema` would drop its description and examples from the JSON Schema.

interface Words {
  readonly description: string
  readonly examples: readonly [string, ...ReadonlyArray<string>]
}

/**
 * Text that any store can hold: no NUL, no half of a surrogate pair.
 *
 * @since 0.1.0
 * @category schemas
 */
export const storable = (options: Words & { readonly minLength: number; readonly maxLength: number }) =>
  Schema.String.pipe(
    Schema.minLength(options.minLength, {
      message: () => `write at least ${options.minLength} character${options.minLength === 1 ? "" : "s"}`
    }),
    Schema.maxLength(options.maxLength, { message: () => `write at most ${options.maxLength} characters` }),
    Schema.filter((value) => !unstorable.test(value), {
      message: () => "holds a NUL or half of a surrogate pair, which cannot be stored"
    }),
    Schema.annotations({ description: options.description, examples: options.examples, jsonSchema: {} })
  )

/**
 * Text of 1 to `maxLength` characters that is not blank.
 *
 * @since 0.1.0
 * @category schemas
 */
export const words = (options: Words & { readonly maxLength: number }) =>
  storable({ ...options, minLength: 1 }).pipe(
    Schema.filter((value) => value.trim() !== "", { message: () => "is blank; write at least one word" }),
    Schema.annotations({ description: options.description, examples: options.examples, jsonSchema: {} })
  )

/**
 * A date or a date-time, ISO 8601.
 *
 * @since 0.1.0
 * @category schemas
 */
export const moment = (description: string) =>
  Schema.String.pipe(
    Schema.maxLength(40),
    Schema.pattern(day),
    Schema.filter((value) => Moment.millis(value) !== undefined),
    Schema.annotations({
      description,
      examples: ["2026-11-22", "2026-11-22T09:00:00Z"],
      jsonSchema: {},
      message: () => "not a date; write ISO 8601, for example 2026-11-22 or 2026-11-22T09:00:00Z"
    })
  )

/**
 * A whole number between two bounds.
 *
 * @since 0.1.0
 * @category schemas
 */
export const count = (
  options: { readonly description: string; readonly min: number; readonly max: number; readonly example: number }
) =>
  Schema.Number.pipe(
    Schema.int(),
    Schema.between(options.min, options.max),
    Schema.annotations({
      description: options.description,
      examples: [options.example],
      message: () => `not a whole number from ${options.min} to ${options.max}`
    })
  )

/**
 * A field that may be left out.
 *
 * @since 0.1.0
 * @category combinators
 */
export const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

/**
 * Whose history: the id of a user within the caller's tenant.
 *
 * @since 0.1.0
 * @category schemas
 */
export const userId = words({
  maxLength: 200,
  description: "The user's id, as the host application knows it",
  examples: ["user-42"]
})

const oneOrMore = (options: Words) => {
  const value = words({ ...options, maxLength: 200 })
  return Schema.Union(
    value,
    Schema.Array(value).pipe(
      Schema.minItems(1),
      Schema.maxItems(20),
      Schema.annotations({ description: "Any of these" })
    )
  ).annotations({ description: options.description })
}

/**
 * What narrows a search of market documents; every field given must match.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Filters = Schema.Struct({
  company: optional(oneOrMore({
    description: "The company a document is on: one name, or a list of which any may match",
    examples: ["Acme Corp"]
  })),
  period: optional(oneOrMore({
    description: "The period a document is on: one, or a list of which any may match",
    examples: ["2026-Q3"]
  })),
  type: optional(oneOrMore({
    description: "The type of document: one, or a list of which any may match",
    examples: ["earnings-call"]
  })),
  since: optional(moment("Published at or after this moment; documents without a date are left out")),
  until: optional(moment("Published before this moment; documents without a date are left out"))
}).annotations({ description: "Narrows the search; every field given must match" })

/**
 * @since 0.1.0
 * @category models
 */
export interface Filters extends Schema.Schema.Type<typeof Filters> {}
