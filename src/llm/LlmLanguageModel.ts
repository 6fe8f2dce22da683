/**
 * Gives a model, or a chain of models, to programs that are written for the
 * `LanguageModel` of `@effect/ai`.
 *
 * @since 0.1.0
 */
import * as AiError from "@effect/ai/AiError"
import * as IdGenerator from "@effect/ai/IdGenerator"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as AiTelemetry from "@effect/ai/Telemetry"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as JsonSchema from "../protocol/JsonSchema.js"
import type * as Chat from "./Chat.js"
import * as PromptText from "./internal/PromptText.js"
import * as SchemaProblems from "./internal/SchemaProblems.js"
import * as Llm from "./Llm.js"
import * as LlmError from "./LlmError.js"

/**
 * Who answered and how it went, as it stands under `causeway` in the metadata of
 * the part that finishes a response.
 *
 * @since 0.1.0
 * @category models
 */
export type Metadata = {
  readonly provider: string
  readonly model: string
  readonly attempts: ReadonlyArray<Chat.Attempt>
  readonly citations?: ReadonlyArray<string>
  readonly cost?: Chat.Cost
  readonly isCached?: boolean
  readonly flaw?: Chat.Flaw
}

declare module "@effect/ai/Response" {
  interface FinishPartMetadata {
    readonly causeway?: Metadata | undefined
  }
}

/**
 * What a prompt of `@effect/ai` has no words for; it goes with every request.
 *
 * @since 0.1.0
 * @category configuration
 */
export type Settings = Omit<Chat.Request, "messages">

/**
 * The error of ours behind one of `@effect/ai`: it knows its reason, whether to
 * try again and when, and the trail of attempts. `None` when the error did not
 * come from the model.
 *
 * @since 0.1.0
 * @category combinators
 */
export const llmError = (error: AiError.AiError): Option.Option<LlmError.LlmError> =>
  "cause" in error && error.cause instanceof LlmError.LlmError ? Option.some(error.cause) : Option.none()

const later = (error: LlmError.LlmError): string =>
  error.retryAfter === undefined
    ? error.isRetryable ? "; trying again later may help" : ""
    : `; try again after ${Duration.format(error.retryAfter)}`

/** The request is at fault, or the answer is, or neither: `@effect/ai` knows no more kinds that fit. */
const translate = (method: PromptText.Method) => (error: LlmError.LlmError): AiError.AiError => {
  const fields = {
    module: "LlmLanguageModel",
    method,
    description: `${error.reason}: ${error.message}${later(error)}`,
    cause: error
  }
  switch (error.reason) {
    case "RequestRejected":
    case "ContextTooLong":
    case "Unsupported":
      return new AiError.MalformedInput(fields)
    case "Malformed":
    case "Degraded":
      return new AiError.MalformedOutput(fields)
    default:
      return new AiError.UnknownError(fields)
  }
}

const metadataOf = (answer: Chat.Provenance & { readonly citations?: ReadonlyArray<string> }): Metadata => ({
  provider: answer.provider,
  model: answer.model,
  attempts: answer.attempts,
  ...(answer.citations === undefined || answer.citations.length === 0 ? {} : { citations: answer.citations }),
  ...(answer.cost === undefined ? {} : { cost: answer.cost }),
  ...(answer.isCached === undefined ? {} : { isCached: answer.isCached }),
  ...(answer.flaw === undefined ? {} : { flaw: answer.flaw })
})

type Ending = Response.ResponseMetadataPartEncoded | Response.FinishPartEncoded

const endingOf = (span: LanguageModel.ProviderOptions["span"], answer: Chat.Provenance): ReadonlyArray<Ending> => {
  const { cachedInputTokens, inputTokens, outputTokens } = answer.usage
  const reason = answer.flaw === "truncated" ? "length" : "stop"
  AiTelemetry.addGenAIAnnotations(span, {
    response: { model: answer.model, finishReasons: [reason] },
    usage: { inputTokens, outputTokens }
  })
  return [
    { type: "response-metadata", modelId: answer.model },
    {
      type: "finish",
      reason,
      usage: {
        inputTokens,
        outputTokens,
        totalTokens: inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens,
        ...(cachedInputTokens === undefined ? {} : { cachedInputTokens })
      },
      metadata: { causeway: metadataOf(answer) }
    }
  ]
}

/** Deriving a schema takes longer than the rest of a call. */
const derived = new WeakMap<Schema.Schema.Any, JsonSchema.JsonSchema>()

const schemaOf = (schema: Schema.Schema.Any): Either.Either<JsonSchema.JsonSchema, AiError.MalformedInput> => {
  const known = derived.get(schema)
  if (known !== undefined) return Either.right(known)
  return Either.try({
    try: () => {
      const made = JsonSchema.fromSchema(schema)
      derived.set(schema, made)
      return made
    },
    catch: (cause) =>
      PromptText.refused("generateObject", "The schema has no JSON Schema, so no model can be asked for it.", cause)
  })
}

/** Providers take letters, digits, `_` and `-`, and not many of them. */
const nameOf = (name: string): string => name.replace(/[^\w-]+/gu, "_").slice(0, 64)

/**
 * Makes a `LanguageModel` of a model. Texts, objects and streams are asked for as
 * they are; whether an answer fits the schema, what is done when it does not and
 * who is asked next is decided inside, where a chain has its repairs and its
 * failover. Of the model's errors those that blame the request become
 * `MalformedInput`, those that blame the answer `MalformedOutput`, all others
 * `UnknownError`; `llmError` gives them back. Files, tool calls and tools are
 * refused as `MalformedInput`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (model: Llm.Model, settings: Settings = {}): Effect.Effect<LanguageModel.Service> => {
  const began = (options: LanguageModel.ProviderOptions): void =>
    AiTelemetry.addGenAIAnnotations(options.span, {
      system: model.provider,
      operation: { name: "chat" },
      request: { model: model.model, temperature: settings.temperature, maxTokens: settings.maxTokens }
    })

  const text = (options: LanguageModel.ProviderOptions) =>
    Effect.flatMap(
      PromptText.messages("generateText", options),
      (messages) =>
        Effect.mapBoth(model.generateText({ ...settings, messages }), {
          onFailure: translate("generateText"),
          onSuccess: (answer): Array<Response.PartEncoded> => [
            { type: "text", text: answer.text },
            ...endingOf(options.span, answer)
          ]
        })
    )

  const object = (
    options: LanguageModel.ProviderOptions,
    format: Extract<LanguageModel.ProviderOptions["responseFormat"], { readonly type: "json" }>
  ) =>
    Effect.gen(function*() {
      const messages = yield* PromptText.messages("generateObject", options)
      const schema = yield* schemaOf(format.schema)
      const validate = SchemaProblems.of(format.schema)
      const answer = yield* Effect.mapError(
        model.generateObject({ ...settings, messages, schema, schemaName: nameOf(format.objectName), validate }),
        translate("generateObject")
      )
      const parts: Array<Response.PartEncoded> = [
        { type: "text", text: JSON.stringify(answer.value) },
        ...endingOf(options.span, answer)
      ]
      return parts
    })

  const stream = (options: LanguageModel.ProviderOptions) =>
    Effect.map(
      Effect.all([
        PromptText.messages("streamText", options),
        Effect.flatMap(IdGenerator.IdGenerator, (ids) => ids.generateId())
      ]),
      ([messages, id]) =>
        model.streamText({ ...settings, messages }).pipe(
          Stream.mapError(translate("streamText")),
          Stream.mapAccum(false, (isOpen, delta): readonly [boolean, ReadonlyArray<Response.StreamPartEncoded>] =>
            delta._tag === "Done"
              ? [false, [
                ...(isOpen ? [{ type: "text-end", id } as const] : []),
                ...endingOf(options.span, delta.answer)
              ]]
              : delta.text === ""
              ? [isOpen, []]
              : [true, [
                ...(isOpen ? [] : [{ type: "text-start", id } as const]),
                { type: "text-delta", id, delta: delta.text }
              ]]),
          Stream.mapConcat((parts) => parts)
        )
    )

  return LanguageModel.make({
    generateText: (options) =>
      Effect.suspend(() => {
        began(options)
        return options.responseFormat.type === "json" ? object(options, options.responseFormat) : text(options)
      }),
    streamText: (options) =>
      Stream.suspend(() => {
        began(options)
        return Stream.unwrap(stream(options))
      })
  })
}

/**
 * Provides the `Llm` as a `LanguageModel`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<LanguageModel.LanguageModel, never, Llm.Llm> = Layer.effect(
  LanguageModel.LanguageModel,
  Effect.flatMap(Llm.Llm, (model) => make(model))
)

/**
 * As `layer`, with settings that go with every request.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (
  settings: Settings
): Layer.Layer<LanguageModel.LanguageModel, never, Llm.Llm> =>
  Layer.effect(LanguageModel.LanguageModel, Effect.flatMap(Llm.Llm, (model) => make(model, settings)))
