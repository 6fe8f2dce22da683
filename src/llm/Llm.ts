/**
 * Asks a language model, behind one contract that every provider and every
 * chain of providers honours.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as JsonSchema from "../protocol/JsonSchema.js"
import * as Chat from "./Chat.js"
import * as LlmError from "./LlmError.js"

/**
 * A question whose answer is JSON.
 *
 * @since 0.1.0
 * @category models
 */
export interface ObjectRequest extends Chat.Request {
  readonly schema: JsonSchema.JsonSchema
  /** A name for the schema, which some providers want; letters, digits, `_` and `-`. */
  readonly schemaName?: string | undefined
}

/**
 * A model, or a chain of models, that can be asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Model {
  /** The name that stands in attempts, evidence and errors, for example `deepseek`. */
  readonly provider: string
  readonly model: string
  /** Plain text, citing context passages as `[id]`. Never an empty text: that fails as `Degraded`. */
  readonly generateText: (request: Chat.Request) => Effect.Effect<Chat.TextAnswer, LlmError.LlmError>
  /** JSON meant to fit `schema`; it is parsed, and the caller validates it. */
  readonly generateObject: (request: ObjectRequest) => Effect.Effect<Chat.ObjectAnswer, LlmError.LlmError>
  /** The text as it comes; ends with exactly one `Done`, or fails. */
  readonly streamText: (request: Chat.Request) => Stream.Stream<Chat.Delta, LlmError.LlmError>
  /** Succeeds when the provider can be asked; costs no tokens. */
  readonly ping: Effect.Effect<void, LlmError.LlmError>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Llm extends Context.Tag("causeway/Llm")<Llm, Model>() {}

/**
 * Provides a model, or a chain, as the model to ask.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (model: Model): Layer.Layer<Llm> => Layer.succeed(Llm, model)

/**
 * An answer that was decoded with the schema it was asked for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decoded<A> extends Chat.Provenance {
  readonly value: A
}

/** Enough paths to repair by; a long list costs tokens and says no more. */
const maxIssues = 20

/** A path is made of the model's own keys, which may be of any length. */
const maxPathLength = 80

/**
 * Asks for a value of `schema` and decodes it. An answer that does not fit goes
 * back to the model once, with the paths that were wrong; when the second does
 * not fit either, fails as `Degraded`. Tokens and attempts of both rounds are
 * in the result. A schema that has no JSON Schema is a defect.
 *
 * @since 0.1.0
 * @category combinators
 */
export const object = <A, I, R>(
  model: Model,
  request: Chat.Request & { readonly schemaName?: string | undefined },
  schema: Schema.Schema<A, I, R>
): Effect.Effect<Decoded<A>, LlmError.LlmError, R> => {
  const decode = Schema.decodeUnknown(schema, { errors: "all" })
  return Effect.gen(function*() {
    const question: ObjectRequest = { ...request, schema: JsonSchema.fromSchema(schema) }
    const first = yield* model.generateObject(question)
    const decoded = yield* Effect.either(decode(first.value))
    if (decoded._tag === "Right") return { ...first, value: decoded.right }

    const second = yield* model.generateObject({
      ...question,
      messages: [
        ...request.messages,
        { role: "assistant", text: JSON.stringify(first.value) },
        { role: "user", text: repair(issuesOf(decoded.left)) }
      ]
    }).pipe(Effect.mapError((error) => LlmError.withAttempts(error, [...first.attempts, ...(error.attempts ?? [])])))
    const attempts = [...first.attempts, ...second.attempts]
    const repaired = yield* Effect.either(decode(second.value))
    if (repaired._tag === "Right") {
      return { ...second, value: repaired.right, usage: Chat.addUsage(first.usage, second.usage), attempts }
    }
    const paths = [...new Set(issuesOf(repaired.left).map(pathOf))].slice(0, 5)
    return yield* new LlmError.LlmError({
      reason: "Degraded",
      provider: second.provider,
      description: `the answer does not fit the schema, also after one repair: wrong at ${paths.join(", ")}`,
      attempts
    })
  })
}

const issuesOf = (error: ParseResult.ParseError): ReadonlyArray<ParseResult.ArrayFormatterIssue> =>
  ParseResult.ArrayFormatter.formatErrorSync(error).slice(0, maxIssues)

const pathOf = (issue: ParseResult.ArrayFormatterIssue): string =>
  issue.path.length === 0 ? "the root" : issue.path.map(String).join(".").slice(0, maxPathLength)

const repair = (issues: ReadonlyArray<ParseResult.ArrayFormatterIssue>): string =>
  "That JSON does not fit the schema. Correct it and answer with the whole JSON value only.\n" +
  issues.map((issue) => `- at ${pathOf(issue)}: ${issue.message.slice(0, 300)}`).join("\n")
