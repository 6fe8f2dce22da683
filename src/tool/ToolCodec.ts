/**
 * A tool's schemas, compiled once: its JSON Schemas, the decoder of its
 * arguments and the encoder of its answers and failures.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { NotAnswered } from "../ask/Ask.js"
import * as JsonSchema from "../protocol/JsonSchema.js"
import * as JsonValidator from "../protocol/JsonValidator.js"
import type { ContentBlock, ToolDescription, ToolResult } from "../protocol/McpSchema.js"
import * as ParameterHeader from "../protocol/ParameterHeader.js"
import * as Evidence from "./Evidence.js"
import * as Arguments from "./internal/Arguments.js"
import type * as Tool from "./Tool.js"
import * as ToolError from "./ToolError.js"

/**
 * Where the arguments are wrong, and how.
 *
 * @since 0.1.0
 * @category models
 */
export interface Problem {
  /** Property names and indexes joined by dots; empty for the arguments as a whole. */
  readonly path: string
  readonly message: string
}

/**
 * The key under a result's `_meta` that holds the body of a failure.
 *
 * @since 0.1.0
 * @category constants
 */
export const errorMetaKey = "dev.causeway/error"

/**
 * An answer that breaks the foreign schema its tool declared.
 *
 * @since 0.1.0
 * @category errors
 */
export class Misfit extends Data.TaggedError("Misfit")<{ readonly message: string }> {}

/**
 * @since 0.1.0
 * @category models
 */
export interface ToolCodec {
  readonly description: ToolDescription
  /** Which arguments are mirrored in HTTP headers; `undefined` when none are. */
  readonly headers: ReadonlyArray<ParameterHeader.ParameterHeader> | undefined
  /**
   * Decodes arguments; says everything that is wrong with them, or the first
   * thing only when they have more than 2,000 parts.
   */
  readonly decode: (input: unknown) => Either.Either<unknown, ToolError.ToolError>
  /** Whether structured content that was written, and changed since, still fits what the tool declares. */
  readonly fits: (structured: unknown) => boolean
  /** Encodes a handler's answer; fails when it breaks the tool's own schema, which is the tool's fault. */
  readonly encode: (answer: unknown) => Either.Either<ToolResult, ParseResult.ParseError | Misfit>
  /**
   * Encodes a failure the tool declared, a `ToolError` or an answer that the user
   * did not give; any other has no words that may be shown.
   */
  readonly encodeFailure: (error: unknown) => ToolResult | undefined
}

/**
 * The tool result of a failure. It never carries structured content: the official
 * client would check it against the output schema.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromBody = (body: ToolError.Body): ToolResult => ({
  _tag: "Complete",
  content: [{ type: "text", text: body.message }, { type: "text", text: JSON.stringify(body) }],
  isError: true,
  _meta: { [errorMetaKey]: body }
})

const notAnswered = ({ how, message }: NotAnswered): ToolResult => fromBody({ code: how, message, retryable: false })

/**
 * The tool result of a call that had to ask a client which cannot be asked;
 * `reason` is a sentence for its user.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromUnasked = (reason: string): ToolResult =>
  fromBody({ code: "client_cannot_be_asked", message: reason, retryable: false })

/**
 * The tool result of a `ToolError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromToolError = (error: ToolError.ToolError): ToolResult => fromBody(ToolError.toBody(error))

const snakeCase = (tag: string): string =>
  tag.slice(tag.lastIndexOf("/") + 1).replace(/(?<=[a-z0-9])(?=[A-Z])/gu, "_").toLowerCase()

const isTagged = (value: unknown): value is { readonly _tag: string; readonly message?: unknown } =>
  typeof value === "object" && value !== null && "_tag" in value && typeof value._tag === "string"

/** A `cause` is a foreign error, in words that are not ours to show; it may stand inside a reason. */
const withoutCause = (encoded: unknown): unknown => {
  if (Array.isArray(encoded)) return encoded.map(withoutCause)
  if (typeof encoded !== "object" || encoded === null) return encoded
  return Object.fromEntries(
    Object.entries(encoded).flatMap(([key, value]) => key === "cause" ? [] : [[key, withoutCause(value)]])
  )
}

const declaredBody = (error: unknown, encoded: unknown): ToolError.Body => {
  const code = isTagged(error) ? snakeCase(error._tag) : "failed"
  const message = isTagged(error) && typeof error.message === "string" && error.message !== ""
    ? error.message
    : `The tool failed: ${code.replaceAll("_", " ")}`
  const retryable = typeof error === "object" && error !== null && "isRetryable" in error && error.isRetryable === true
  return { code, message, retryable, details: withoutCause(encoded) }
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A schema whose property at this path has a header; `undefined` when there is no such property. */
const withHeader = (
  schema: { readonly [key: string]: unknown },
  [name, ...inside]: ReadonlyArray<string>,
  header: string
): JsonSchema.JsonSchema | undefined => {
  if (name === undefined) return { ...schema, "x-mcp-header": header }
  const properties = schema.properties
  const property = isRecord(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined
  const changed = isRecord(property) ? withHeader(property, inside, header) : undefined
  return changed === undefined || !isRecord(properties)
    ? undefined
    : { ...schema, properties: { ...properties, [name]: changed } }
}

/** What the tool takes, as it is listed; adds what is wrong with its headers to `problems`. */
const inputSchemaOf = (tool: Tool.Any, problems: Array<string>): JsonSchema.JsonSchema => {
  if (tool.inputSchema !== undefined) return tool.inputSchema
  let schema = JsonSchema.fromSchema(tool.parameters)
  for (const [parameter, header] of Object.entries(tool.headers)) {
    const changed = withHeader(schema, parameter.split("."), header)
    if (changed === undefined) problems.push(`headers: there is no parameter ${parameter}`)
    else schema = changed
  }
  return schema
}

/** The schemas of a tool are erased where it is declared; `Tool.make` has checked that they need no services. */
const closed = (schema: Schema.Schema.All): Schema.Schema<unknown, unknown> =>
  schema as unknown as Schema.Schema<unknown, unknown>

const outputSchemaOf = (tool: Tool.Any): JsonSchema.JsonSchema | undefined => {
  if (tool.success === undefined) return tool.outputSchema
  const success = closed(tool.success)
  return JsonSchema.fromSchema(tool.form === "evidence" ? Evidence.envelope(success) : success)
}

const describe = (
  tool: Tool.Any,
  inputSchema: JsonSchema.JsonSchema,
  outputSchema: JsonSchema.JsonSchema | undefined
): ToolDescription => ({
  name: tool.name,
  ...(tool.title === undefined ? {} : { title: tool.title }),
  description: tool.description,
  ...(tool.icons.length === 0 ? {} : { icons: tool.icons }),
  inputSchema,
  ...(outputSchema === undefined ? {} : { outputSchema }),
  annotations: {
    ...(tool.title === undefined ? {} : { title: tool.title }),
    readOnlyHint: tool.safety === "readOnly",
    destructiveHint: tool.isDestructive,
    idempotentHint: tool.safety !== "effectful",
    openWorldHint: tool.isOpenWorld
  }
})

/**
 * The tool result of structured content that was written; it stands in the content
 * as text where there is no other.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromJson = (json: string, content?: ReadonlyArray<ContentBlock>, isError = false): ToolResult => ({
  _tag: "Complete",
  content: content ?? [{ type: "text", text: json }],
  structuredJson: json,
  isError
})

/** Writes structured content, when it fits. */
type Write = (value: unknown) => Either.Either<string, ParseResult.ParseError | Misfit>

const writeBy = <A, I>(schema: Schema.Schema<A, I>): Write => {
  const encode = Schema.encodeUnknownEither(schema)
  return (value) => Either.map(encode(value), (encoded) => JSON.stringify(encoded))
}

const writeChecked = (validator: JsonValidator.JsonValidator): Write => (value) => {
  const [problem] = validator.check(value)
  return problem === undefined
    ? Either.right(JSON.stringify(value))
    : Either.left(
      new Misfit({ message: `the structured content does not fit outputSchema: ${problem.path} ${problem.message}` })
    )
}

const makeEncode = (tool: Tool.Any, output: JsonValidator.JsonValidator | undefined): ToolCodec["encode"] => {
  if (tool.form === "evidence" && tool.success !== undefined) {
    const write = writeBy(Evidence.envelope(closed(tool.success)))
    return (answer) => Either.map(write(answer), (json) => fromJson(json))
  }
  const write = tool.success !== undefined
    ? writeBy(closed(tool.success))
    : output === undefined
    ? undefined
    : writeChecked(output)
  return (answer) => {
    // Only `Tool.raw` makes this form, and its handlers answer nothing else.
    const raw = answer as Tool.RawAnswer<unknown>
    if (write === undefined || (raw.isError === true && raw.structured === undefined)) {
      return Either.right({ _tag: "Complete", content: raw.content ?? [], isError: raw.isError === true })
    }
    return Either.map(write(raw.structured), (json) => fromJson(json, raw.content, raw.isError === true))
  }
}

const makeFits = (tool: Tool.Any, output: JsonValidator.JsonValidator | undefined): ToolCodec["fits"] => {
  if (tool.success === undefined) return output === undefined ? () => true : (value) => output.check(value).length === 0
  const success = closed(tool.success)
  let fits: ((value: unknown) => boolean) | undefined
  const by = <A, I>(schema: Schema.Schema<A, I>): (value: unknown) => boolean => {
    const decode = Schema.decodeUnknownEither(schema)
    return (value) => Either.isRight(decode(value))
  }
  return (value) => {
    // Only what is too large is looked at again, so most tools never need it.
    fits ??= tool.form === "evidence" ? by(Evidence.envelope(success)) : by(success)
    return fits(value)
  }
}

/** Reads a foreign schema; adds what is wrong with it to `problems`. */
const readForeign = (
  which: "inputSchema" | "outputSchema",
  schema: JsonSchema.JsonSchema | undefined,
  problems: Array<string>
): JsonValidator.JsonValidator | undefined => {
  if (schema === undefined) return undefined
  const read = JsonValidator.make(schema)
  if (Either.isRight(read)) return read.right
  problems.push(...read.left.map(({ message, path }) => `${which}${path}: ${message}`))
  return undefined
}

const compile = (tool: Tool.Any, problems: Array<string>): ToolCodec => {
  const inputSchema = inputSchemaOf(tool, problems)
  const outputSchema = outputSchemaOf(tool)
  if (inputSchema.type !== "object") {
    problems.push(
      tool.inputSchema === undefined
        ? "the parameters must be a struct: arguments are a JSON object"
        : "inputSchema: its root must have the type object"
    )
  }
  if (tool.success !== undefined && outputSchema?.type !== "object") {
    problems.push("the structured content of a raw tool must be a struct")
  }
  const input = readForeign("inputSchema", tool.inputSchema, problems)
  const output = readForeign("outputSchema", tool.outputSchema, problems)
  const headers = Either.getOrElse(ParameterHeader.collect(inputSchema), (found) => {
    problems.push(...found)
    return []
  })
  const encodeDeclared = Schema.encodeUnknownEither(closed(tool.failure))
  return {
    description: describe(tool, inputSchema, outputSchema),
    headers: headers.length === 0 ? undefined : headers,
    decode: input === undefined
      ? Arguments.bySchema(tool.name, closed(tool.parameters))
      : Arguments.byValidator(tool.name, input),
    fits: makeFits(tool, output),
    encode: makeEncode(tool, output),
    encodeFailure: (error) => {
      if (error instanceof ToolError.ToolError) return fromToolError(error)
      if (error instanceof NotAnswered) return notAnswered(error)
      const encoded = encodeDeclared(error)
      return Either.isRight(encoded) ? fromBody(declaredBody(error, encoded.right)) : undefined
    }
  }
}

/**
 * Compiles a tool's schemas. Fails with a sentence for each thing that is wrong:
 * parameters that are no JSON object, a schema without a JSON form, a foreign
 * schema that cannot be checked, a header that cannot be mirrored.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (tool: Tool.Any): Effect.Effect<ToolCodec, ReadonlyArray<string>> =>
  Effect.suspend(() => {
    const problems: Array<string> = []
    try {
      const codec = compile(tool, problems)
      return problems.length === 0 ? Effect.succeed(codec) : Effect.fail(problems)
    } catch (cause) {
      // Effect throws at schemas that have no JSON form.
      const why = cause instanceof Error ? cause.message.split("\n")[0] : "unknown"
      return Effect.fail([...problems, `a schema has no JSON form: ${why}`])
    }
  })
