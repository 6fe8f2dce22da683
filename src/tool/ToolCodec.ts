/**
 * A tool's schemas, compiled once: its JSON Schemas, the decoder of its
 * arguments and the encoder of its answers and failures.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as JsonSchema from "../protocol/JsonSchema.js"
import type { ContentBlock, ToolDescription, ToolResult } from "../protocol/McpSchema.js"
import * as Evidence from "./Evidence.js"
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
 * @since 0.1.0
 * @category models
 */
export interface ToolCodec {
  readonly description: ToolDescription
  /** Decodes arguments; says everything that is wrong with them, not the first thing only. */
  readonly decode: (input: unknown) => Either.Either<unknown, ToolError.ToolError>
  /** Encodes a handler's answer; fails when it breaks the tool's own schema, which is the tool's fault. */
  readonly encode: (answer: unknown) => Either.Either<ToolResult, ParseResult.ParseError>
  /** Encodes a failure the tool declared, or a `ToolError`; any other has no words that may be shown. */
  readonly encodeFailure: (error: unknown) => ToolResult | undefined
}

const shorten = (message: string): string => (message.length > 300 ? `${message.slice(0, 300)}…` : message)

/** An optional property is a union with `undefined`; that it is not `undefined` either helps nobody. */
const isIdle = (problem: Problem, all: ReadonlyArray<Problem>): boolean =>
  problem.message.startsWith("Expected undefined, actual") &&
  all.some((other) => other !== problem && (other.path === problem.path || other.path.startsWith(`${problem.path}.`)))

/** More than this many are not looked at: each is compared with the others, and a caller may send any number. */
const mostProblems = 200

const problems = (error: ParseResult.ParseError): ReadonlyArray<Problem> => {
  const all = ParseResult.ArrayFormatter.formatErrorSync(error).slice(0, mostProblems).map((issue) => ({
    path: shorten(issue.path.map(String).join(".")),
    message: shorten(issue.message)
  }))
  return all.filter((problem) => !isIdle(problem, all))
}

const invalidInput = (toolName: string, found: ReadonlyArray<Problem>): ToolError.ToolError =>
  new ToolError.ToolError({
    code: "invalid_input",
    message: `The arguments of ${toolName} do not fit. ${
      found.slice(0, 20).map((problem) => `${problem.path === "" ? "arguments" : problem.path}: ${problem.message}`)
        .join("; ")
    }. Correct them and call again.`,
    details: { problems: found.slice(0, 100) }
  })

/** A failure never carries structured content: the official client would check it against the output schema. */
const failureResult = (body: ToolError.Body): ToolResult => ({
  _tag: "Complete",
  content: [{ type: "text", text: body.message }, { type: "text", text: JSON.stringify(body) }],
  isError: true,
  _meta: { [errorMetaKey]: body }
})

/**
 * The tool result of a `ToolError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromToolError = (error: ToolError.ToolError): ToolResult => failureResult(ToolError.toBody(error))

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

const describe = (tool: Tool.Any, outputSchema: JsonSchema.JsonSchema | undefined): ToolDescription => ({
  name: tool.name,
  ...(tool.title === undefined ? {} : { title: tool.title }),
  description: tool.description,
  ...(tool.icons.length === 0 ? {} : { icons: tool.icons }),
  inputSchema: JsonSchema.fromSchema(tool.parameters),
  ...(outputSchema === undefined ? {} : { outputSchema }),
  annotations: {
    ...(tool.title === undefined ? {} : { title: tool.title }),
    readOnlyHint: tool.safety === "readOnly",
    destructiveHint: tool.isDestructive,
    idempotentHint: tool.safety !== "effectful",
    openWorldHint: tool.isOpenWorld
  }
})

const structured = (json: string, content?: ReadonlyArray<ContentBlock>, isError = false): ToolResult => ({
  _tag: "Complete",
  content: content ?? [{ type: "text", text: json }],
  structuredJson: json,
  isError
})

/** The schemas of a tool are erased where it is declared; `Tool.make` has checked that they need no services. */
const closed = (schema: Schema.Schema.All): Schema.Schema<unknown, unknown> =>
  schema as unknown as Schema.Schema<unknown, unknown>

const makeEncode = (tool: Tool.Any): ToolCodec["encode"] => {
  if (tool.form === "evidence" && tool.success !== undefined) {
    const encode = Schema.encodeUnknownEither(Evidence.envelope(closed(tool.success)))
    return (answer) => Either.map(encode(answer), (envelope) => structured(JSON.stringify(envelope)))
  }
  const encode = tool.success === undefined ? undefined : Schema.encodeUnknownEither(closed(tool.success))
  return (answer) => {
    // Only `Tool.raw` makes this form, and its handlers answer nothing else.
    const raw = answer as Tool.RawAnswer<unknown>
    if (encode === undefined || (raw.isError === true && raw.structured === undefined)) {
      return Either.right({ _tag: "Complete", content: raw.content ?? [], isError: raw.isError === true })
    }
    return Either.map(
      encode(raw.structured),
      (value) => structured(JSON.stringify(value), raw.content, raw.isError === true)
    )
  }
}

/**
 * Compiles a tool's schemas. Fails with a sentence when the parameters are not
 * a JSON object or a schema has no JSON form.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (tool: Tool.Any): Effect.Effect<ToolCodec, string> =>
  Effect.try({
    try: () => {
      const success = tool.success === undefined ? undefined : closed(tool.success)
      const description = describe(
        tool,
        success === undefined
          ? undefined
          : JsonSchema.fromSchema(tool.form === "evidence" ? Evidence.envelope(success) : success)
      )
      const decode = Schema.decodeUnknownEither(closed(tool.parameters), { errors: "all", onExcessProperty: "error" })
      const encodeDeclared = Schema.encodeUnknownEither(closed(tool.failure))
      return {
        description,
        decode: (input: unknown) => Either.mapLeft(decode(input), (error) => invalidInput(tool.name, problems(error))),
        encode: makeEncode(tool),
        encodeFailure: (error: unknown) => {
          if (error instanceof ToolError.ToolError) return fromToolError(error)
          const encoded = encodeDeclared(error)
          return Either.isRight(encoded) ? failureResult(declaredBody(error, encoded.right)) : undefined
        }
      } satisfies ToolCodec
    },
    catch: (cause) => `a schema has no JSON form: ${cause instanceof Error ? cause.message.split("\n")[0] : "unknown"}`
  }).pipe(
    Effect.filterOrFail(
      (codec) => codec.description.inputSchema.type === "object",
      () => "the parameters must be a struct: arguments are a JSON object"
    ),
    Effect.filterOrFail(
      (codec) => codec.description.outputSchema === undefined || codec.description.outputSchema.type === "object",
      () => "the structured content of a raw tool must be a struct"
    )
  )
