/**
 * Tells what is wrong with a value by an Effect schema, at once, for a chain that
 * has to know before it goes on.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import * as JsonSchema from "../../protocol/JsonSchema.js"
import type * as JsonValidator from "../../protocol/JsonValidator.js"

/** Enough to correct a value by; a longer list costs tokens and says no more. */
const maxProblems = 20

/** A path is made of the model's own keys, which may be of any length. */
const maxPathLength = 200
const maxMessageLength = 300

const pointer = (path: ReadonlyArray<PropertyKey>): string =>
  path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("").slice(0, maxPathLength)

const problemsOf = (issue: ParseResult.ParseIssue): ReadonlyArray<JsonValidator.Problem> =>
  ParseResult.ArrayFormatter.formatIssueSync(issue).slice(0, maxProblems).map(({ message, path }) => ({
    path: pointer(path),
    message: message.slice(0, maxMessageLength)
  }))

/**
 * What made a value fail to decode, at most 20 problems.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofError = (error: ParseResult.ParseError): ReadonlyArray<JsonValidator.Problem> => problemsOf(error.issue)

const jsonSchemas = new WeakMap<Schema.Schema.Any, JsonSchema.JsonSchema>()

/**
 * The JSON Schema of a schema, made once for each. A schema that has none is a
 * defect.
 *
 * @since 0.1.0
 * @category combinators
 */
export const jsonSchemaOf = (schema: Schema.Schema.Any): JsonSchema.JsonSchema => {
  const known = jsonSchemas.get(schema)
  if (known !== undefined) return known
  const made = JsonSchema.fromSchema(schema)
  jsonSchemas.set(schema, made)
  return made
}

const none: ReadonlyArray<JsonValidator.Problem> = []

type Decoded = Either.Either<unknown, ParseResult.ParseIssue>

/** Decoding that has nothing to wait for is an `Either`, and needs no fiber. */
const isEither = (self: Effect.Effect<unknown, ParseResult.ParseIssue>): self is Decoded => Either.isEither(self)

const attempt = (decode: () => Effect.Effect<unknown, ParseResult.ParseIssue>): Decoded | undefined => {
  try {
    const decoded = decode()
    if (isEither(decoded)) return decoded
    const exit = Effect.runSyncExit(Effect.either(decoded))
    return Exit.isSuccess(exit) ? exit.value : undefined
  } catch {
    return undefined
  }
}

type Validate = (value: unknown) => ReadonlyArray<JsonValidator.Problem>

const made = new WeakMap<Schema.Schema.Any, Validate>()

/**
 * What tells everything that is wrong with a value, at most 20 problems; none
 * when it fits, and none when the schema can tell only later, needs a service for
 * it or breaks down over it, since whoever decodes the value then finds out. It is
 * the same function for the same schema, so that equal questions stay equal.
 *
 * @since 0.1.0
 * @category combinators
 */
export const of = (schema: Schema.Schema.Any): Validate => {
  const known = made.get(schema)
  if (known !== undefined) return known
  // Without its services a schema that needs one is a defect below, which counts as no problem.
  const decode = ParseResult.decodeUnknown(schema as Schema.Schema<unknown, unknown>, { errors: "all" })
  const validate: Validate = (value) => {
    const decoded = attempt(() => decode(value))
    return decoded !== undefined && Either.isLeft(decoded) ? problemsOf(decoded.left) : none
  }
  made.set(schema, validate)
  return validate
}
