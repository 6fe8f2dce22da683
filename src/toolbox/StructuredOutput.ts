/**
 * A ready-made tool that turns text into JSON that fits a schema, and an
 * instruction into such a schema.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Llm from "../llm/Llm.js"
import * as TimeLimit from "../policy/TimeLimit.js"
import type { JsonSchema } from "../protocol/JsonSchema.js"
import * as JsonValidator from "../protocol/JsonValidator.js"
import * as Evidence from "../tool/Evidence.js"
import * as Tool from "../tool/Tool.js"
import * as ToolCall from "../tool/ToolCall.js"
import { ToolError } from "../tool/ToolError.js"
import * as Failure from "./internal/Failure.js"
import * as Fields from "./internal/Fields.js"
import * as Grounding from "./internal/Grounding.js"
import * as ModelSource from "./internal/ModelSource.js"
import * as ValidObject from "./internal/ValidObject.js"
import * as SchemaDraft from "./SchemaDraft.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `generate_structured_output` unless given. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** All of these are needed to see and to call the tool; none unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
  /** The most tokens of an answer; as the model has it unless given. */
  readonly maxTokens?: number | undefined
}

const isJsonSchema = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const JsonSchemaObject = (description: string): Schema.Schema<JsonSchema> =>
  Schema.declare(isJsonSchema, {
    identifier: "JsonSchema",
    description,
    message: () => "not a JSON object",
    jsonSchema: {
      type: "object",
      description,
      examples: [{ type: "object", properties: { price: { type: "number" } }, required: ["price"] }]
    }
  })

/**
 * What the tool takes.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Parameters = Schema.Struct({
  instruction: Fields.words({
    maxLength: 4000,
    description: "What to extract, or what the schema is to describe. " + SchemaDraft.advice,
    examples: ["Extract the product's name, price (number) and tags (list of strings)"]
  }),
  text: Fields.optional(Fields.words({
    maxLength: 200_000,
    description: "The text to extract from; without it only a schema is returned",
    examples: ["The Acme Anvil costs $49.90 and is sold as heavy, black and indestructible."]
  })),
  schema: Fields.optional(JsonSchemaObject(
    "JSON Schema 2020-12 that the value must fit: 64 KiB and 32 levels at most, references into itself only; " +
      "made from the instruction when left out"
  ))
})

/**
 * What the tool answers.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Data = Schema.Struct({
  schema: JsonSchemaObject("The JSON Schema: the one given, or the one made from the instruction"),
  value: Fields.optional(
    Schema.Unknown.annotations({ description: "The JSON extracted from the text; it fits the schema" })
  )
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Data extends Schema.Schema.Type<typeof Data> {}

interface Made {
  readonly schema: JsonSchema
  readonly validator: JsonValidator.JsonValidator
  readonly confidence: number
  readonly sources: readonly [Evidence.Source, ...ReadonlyArray<Evidence.Source>]
}

const invalidInput = (message: string, problems: ReadonlyArray<JsonValidator.Problem> = []): ToolError =>
  new ToolError({
    code: "invalid_input",
    message,
    ...(problems.length === 0 ? {} : { details: { problems } })
  })

const listed = (problems: ReadonlyArray<JsonValidator.Problem>): string =>
  problems.slice(0, 10).map((problem) => ValidObject.line(problem)).join(" ")

const instructionSource = Evidence.source({ id: "instruction", kind: "user-input", title: "The caller's instruction" })

const given = (schema: JsonSchema): Effect.Effect<Made, ToolError> =>
  Either.match(JsonValidator.make(schema), {
    onLeft: (found) => {
      const problems = found.map(({ path, message }) => ({ path: `/schema${path}`, message }))
      return Effect.fail(
        invalidInput(`The schema is not usable. ${listed(problems)} Correct it and call again.`, problems)
      )
    },
    onRight: (validator) =>
      Effect.map(
        Evidence.source({ id: "schema", kind: "user-input", title: "The caller's schema" }),
        (source) => ({ schema, validator, confidence: 1, sources: [source] })
      )
  })

const derived = (instruction: string): Effect.Effect<Made, ToolError> =>
  Effect.gen(function*() {
    const draft = Option.getOrUndefined(SchemaDraft.derive(instruction))
    const validator = draft === undefined ? undefined : Either.getOrUndefined(JsonValidator.make(draft.schema))
    if (draft === undefined || validator === undefined) {
      return yield* invalidInput(`No schema can be read off this instruction without a model. ${SchemaDraft.advice}.`)
    }
    const computation = yield* Evidence.source({ id: "schema-draft", kind: "computation" })
    return {
      schema: draft.schema,
      validator,
      confidence: 0.5 + 0.4 * draft.typed,
      sources: [yield* instructionSource, computation]
    }
  })

/** Enough for a provider to answer with an object schema; the reader of schemas checks the rest. */
const schemaOfSchemas: JsonSchema = {
  type: "object",
  properties: {
    type: { const: "object" },
    properties: { type: "object", additionalProperties: { type: "object" } },
    required: { type: "array", items: { type: "string" } }
  },
  required: ["type", "properties"]
}

const checkSchema = (value: unknown): ReadonlyArray<JsonValidator.Problem> => {
  if (
    !isJsonSchema(value) || value.type !== "object" || !isJsonSchema(value.properties) ||
    Object.keys(value.properties).length === 0
  ) {
    return [{ path: "", message: "This must be a JSON Schema with the type object and with properties." }]
  }
  return Either.match(JsonValidator.make(value), { onLeft: (problems) => problems, onRight: () => [] })
}

const misfit = (
  what: string,
  { cause, isRepaired, problems }: Pick<ValidObject.Outcome, "isRepaired" | "problems"> & { readonly cause?: unknown }
): ToolError =>
  new ToolError({
    code: "degraded_only",
    message: `The model's ${what}${isRepaired ? ", also after one repair" : ""}. ${
      problems.length === 0 ? "" : `${listed(problems)} `
    }Reword the instruction, or make the schema simpler.`,
    source: "model",
    details: { problems },
    ...(cause === undefined ? {} : { cause })
  })

/** The end of a call leaves this much of the time left for what comes after the model, in milliseconds. */
const aside = 200

/** Asks within the time the call has left, for the caller's tenant. */
const askFor = (
  model: Llm.Model,
  request: Llm.ObjectRequest,
  check: (value: unknown) => ReadonlyArray<JsonValidator.Problem>
) =>
  Effect.gen(function*() {
    const { tenant } = yield* ToolCall.caller
    const remaining = Duration.toMillis(yield* ToolCall.remaining)
    return yield* TimeLimit.within(
      ValidObject.ask(model, { ...request, task: "strictJson", tenant, temperature: 0 }, check),
      Math.max(remaining / 2, remaining - aside)
    )
  })

const ask = (
  model: Llm.Model,
  instruction: string,
  maxTokens: number | undefined
): Effect.Effect<Made, ToolError, ToolCall.ToolCall> =>
  askFor(model, {
    messages: [
      {
        role: "system",
        text: "Write one JSON Schema (draft 2020-12) for what the user describes: an object schema with properties, " +
          "each with a type and a description, and with required. No $ref, no $schema. Answer with that JSON only."
      },
      { role: "user", text: instruction }
    ],
    schema: schemaOfSchemas,
    schemaName: "json_schema",
    ...(maxTokens === undefined ? {} : { maxTokens })
  }, checkSchema).pipe(
    Effect.matchEffect({
      onFailure: (error) =>
        error._tag === "Misfit"
          ? Effect.fail(misfit(unusable, error))
          : Failure.isUnsupported(error)
          ? derived(instruction)
          : Effect.fail(Failure.model(error)),
      onSuccess: ({ answer, isRepaired, problems }) =>
        Effect.gen(function*() {
          // Whoever only reads values off a text cannot have written a schema.
          if (ModelSource.isExtractive(answer)) return yield* derived(instruction)
          const value = answer.value
          const validator = isJsonSchema(value) ? Either.getOrUndefined(JsonValidator.make(value)) : undefined
          if (problems.length > 0 || validator === undefined || !isJsonSchema(value)) {
            return yield* misfit(unusable, { isRepaired, problems })
          }
          const source = yield* ModelSource.source(answer)
          return {
            schema: value,
            validator,
            confidence: 0.7 * ModelSource.factor(answer),
            sources: [yield* instructionSource, source]
          }
        })
    })
  )

const unusable = "schema is not a usable one"
const unfitting = "JSON does not fit the schema"

const requiredOf = (schema: JsonSchema): ReadonlyArray<string> =>
  Array.isArray(schema.required) ? schema.required.filter((name) => typeof name === "string") : []

const unsupported = (schema: JsonSchema): ToolError => {
  const missing = requiredOf(schema).slice(0, 50)
  return new ToolError({
    code: "degraded_only",
    message: "No generating model is set up, and these could not be read off the text by rule: " +
      `${missing.length === 0 ? "the whole value" : missing.join(", ")}. ` +
      "Write them in the text as \"name: value\", make them optional, or call when a model is available.",
    source: "model",
    details: { missing }
  })
}

const extract = (
  model: Llm.Model,
  input: { readonly instruction: string; readonly text: string; readonly made: Made },
  maxTokens: number | undefined
): Effect.Effect<Evidence.Evidence<Data>, ToolError, ToolCall.ToolCall> =>
  Effect.gen(function*() {
    const { instruction, text, made } = input
    const { answer, isRepaired, problems } = yield* askFor(model, {
      messages: [
        {
          role: "system",
          text: "Extract one JSON value that fits the schema from the passage with the id text. Copy values as they " +
            "stand there and invent nothing. Answer with the JSON only and cite nothing."
        },
        { role: "user", text: instruction }
      ],
      context: [{ id: "text", text }],
      schema: made.schema,
      schemaName: "extraction",
      ...(maxTokens === undefined ? {} : { maxTokens })
    }, made.validator.check).pipe(
      Effect.mapError((error) =>
        error._tag === "Misfit"
          ? misfit(unfitting, error)
          : Failure.isUnsupported(error)
          ? unsupported(made.schema)
          : Failure.model(error)
      )
    )
    if (problems.length > 0) return yield* misfit(unfitting, { isRepaired, problems })
    const source = yield* Evidence.source({ id: "text", kind: "user-input", title: "The caller's text" })
    const from = yield* ModelSource.source(answer)
    const base = (ModelSource.isExtractive(answer) ? 0.9 : 0.85) * (isRepaired ? 0.9 : 1) * ModelSource.factor(answer)
    return Evidence.make({
      data: { schema: made.schema, value: answer.value },
      confidence: Math.min(made.confidence, base * (0.3 + 0.7 * Grounding.share(answer.value, text))),
      sources: [
        source,
        ...made.sources.filter((other) => other.kind !== "model" || other.id !== from.id),
        from
      ],
      degraded: ModelSource.degraded(answer)
    })
  })

/**
 * Makes the tool.
 *
 * With `text` it answers JSON that was checked against the schema; without, a
 * schema alone. A schema comes from the caller, from a generating model, or,
 * when there is none, from an instruction that lists its fields.
 *
 * Confidence is a rule of thumb, not calibrated. A value: 0.9 extractive, 0.85
 * generated, 0.9 of that after a repair, times 0.3 plus 0.7 of the share of its
 * leaves that stand in the text; never surer than its schema. A schema: 1 when
 * given, 0.7 from a model, and read off the instruction 0.5 plus 0.4 of the
 * share of fields with a type. Where another model than the first answered, both
 * keep 0.95, and the model's title says after which.
 *
 * Fails as `invalid_input` for a schema or an instruction that cannot be used,
 * `degraded_only` when the models' JSON does not fit after one repair or no
 * model can extract it, `temporarily_unavailable` when the model may answer
 * later.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Tool.ToolHandler<
  Tool.Tool<string, typeof Parameters.Type, Evidence.Evidence<Data>, never, "readOnly">,
  ToolError,
  Llm.Llm | ToolCall.ToolCall
> =>
  Tool.make(options.name ?? "generate_structured_output", {
    title: options.title ?? "Generate structured output",
    description: options.description ??
      "Extracts JSON from a text so that it fits a JSON Schema (yours, or one made from the instruction), or makes a " +
        "JSON Schema from an instruction when no text is given. Returns the schema and the checked value.",
    safety: "readOnly",
    scopes: options.scopes ?? [],
    parameters: Parameters,
    success: Data
  }).implement(({ instruction, text, schema }) =>
    Effect.gen(function*() {
      const model = yield* Llm.Llm
      const total = text === undefined ? 1 : 2
      yield* ToolCall.progress({ progress: 0, total, message: "Preparing the schema" })
      const made = schema === undefined ? yield* ask(model, instruction, options.maxTokens) : yield* given(schema)
      if (text === undefined) {
        return Evidence.make<Data>({
          data: { schema: made.schema },
          confidence: made.confidence,
          sources: made.sources
        })
      }
      yield* ToolCall.progress({ progress: 1, total, message: "Extracting the values" })
      return yield* extract(model, { instruction, text, made }, options.maxTokens)
    })
  ).pipe(Tool.uses(["model"]))
