/**
 * Asks a language model, behind one contract that every provider and every
 * chain of providers honours.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type * as JsonSchema from "../protocol/JsonSchema.js"
import type * as JsonValidator from "../protocol/JsonValidator.js"
import * as Chat from "./Chat.js"
import * as Correction from "./Correction.js"
import * as SchemaProblems from "./internal/SchemaProblems.js"
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
  /** What is wrong with a value, for whoever knows better than `schema`; a chain checks by `schema` unless given. */
  readonly validate?: ((value: unknown) => ReadonlyArray<JsonValidator.Problem>) | undefined
}

/**
 * What a model tells of an attempt while it is under way, to whoever watches its
 * time. Both are plain functions that return at once.
 *
 * @since 0.1.0
 * @category models
 */
export interface Observer {
  /** The attempt entered a phase: that phase's time begins, anew when it is the same. Keep-alives do not count. */
  readonly enter: (phase: Chat.Phase) => void
  /** The provider told how much of its limits is left. */
  readonly remaining: (left: { readonly requests?: number; readonly tokens?: number }) => void
}

/**
 * What is known of a model before it is asked. Absent figures are unknown, and
 * nothing is refused by them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Traits {
  /** The window, in tokens: what is sent and what is answered together. */
  readonly contextTokens?: number | undefined
  /** The longest answer, in tokens. */
  readonly maxOutputTokens?: number | undefined
  /** How it is held to JSON: by a schema it enforces, by an object it enforces, by words; or not at all. */
  readonly json?: "schema" | "object" | "prompt" | "none" | undefined
  /** Whether it does better when told what was wrong; taken for granted unless given. */
  readonly canCorrect?: boolean | undefined
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
  readonly traits?: Traits | undefined
  /** Plain text, citing context passages as `[id]`. Never an empty text: that fails as `Degraded`. */
  readonly generateText: (
    request: Chat.Request,
    observer?: Observer
  ) => Effect.Effect<Chat.TextAnswer, LlmError.LlmError>
  /** JSON meant to fit `schema`, parsed. A chain checks it too; a single model leaves that to the caller. */
  readonly generateObject: (
    request: ObjectRequest,
    observer?: Observer
  ) => Effect.Effect<Chat.ObjectAnswer, LlmError.LlmError>
  /** The text as it comes; ends with exactly one `Done`, or fails. */
  readonly streamText: (request: Chat.Request, observer?: Observer) => Stream.Stream<Chat.Delta, LlmError.LlmError>
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

/**
 * Asks for a value of `schema` and decodes it. The model is told by `validate`
 * what the schema finds wrong, unless that takes a service or time to find out,
 * so that a chain corrects an answer or asks the next model within the call. An
 * answer that does not fit all the same, as a single model's may, goes back once,
 * with the paths that were wrong; when the second does not fit either, fails as
 * `Degraded`. Tokens, cost and attempts of both rounds are in the result. A
 * schema that has no JSON Schema is a defect.
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
    const question: ObjectRequest = {
      ...request,
      schema: SchemaProblems.jsonSchemaOf(schema),
      validate: SchemaProblems.of(schema)
    }
    const first = yield* model.generateObject(question)
    const decoded = yield* Effect.either(decode(first.value))
    if (decoded._tag === "Right") return { ...first, value: decoded.right }

    const wrong = SchemaProblems.ofError(decoded.left)
    const second = yield* model.generateObject({
      ...question,
      messages: [
        ...request.messages,
        ...Correction.messages(first.text ?? JSON.stringify(first.value), wrong)
      ]
    }).pipe(Effect.mapError((error) => LlmError.withFields(error, together(first, error))))
    const both = { ...second, ...together(first, second) }
    const repaired = yield* Effect.either(decode(second.value))
    if (repaired._tag === "Right") return { ...both, value: repaired.right }
    return yield* new LlmError.LlmError({
      reason: "Degraded",
      provider: second.provider,
      flaw: "schemaMismatch",
      description: "the answer does not fit the schema, also after one repair: wrong at " +
        Correction.places(SchemaProblems.ofError(repaired.left)),
      partial: Redacted.make(second.text ?? JSON.stringify(second.value)),
      ...together(first, second)
    })
  })
}

/** What two rounds used, and all their tries. */
const together = (
  first: Chat.Provenance,
  second: {
    readonly usage?: Chat.Usage
    readonly cost?: Chat.Cost | undefined
    readonly attempts?: ReadonlyArray<Chat.Attempt>
  }
) => {
  const cost = first.cost === undefined
    ? second.cost
    : second.cost === undefined
    ? first.cost
    : Chat.addCost(first.cost, second.cost)
  return {
    attempts: [...first.attempts, ...(second.attempts ?? [])],
    usage: Chat.addUsage(first.usage, second.usage ?? {}),
    ...(cost === undefined ? {} : { cost })
  }
}
