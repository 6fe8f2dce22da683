/**
 * The Chat Completions wire: a request into its body, a body into an answer. It
 * reads what vendors really send, not only what the format allows.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type * as Chat from "../../llm/Chat.js"
import type { ObjectRequest } from "../../llm/Llm.js"
import type { Reason } from "../../llm/LlmError.js"
import * as Prompt from "../../llm/Prompt.js"
import type { JsonSchema } from "../../protocol/JsonSchema.js"
import type { Capabilities } from "../Capabilities.js"

/**
 * Why a readable answer is no answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  readonly reason: Reason
  readonly description: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Completion {
  readonly text: string
  /** Who answered, by the provider's own word. */
  readonly model: string | undefined
  readonly usage: Chat.Usage
}

/**
 * What one chunk of a stream adds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Piece {
  readonly text: string
  readonly finish: string | undefined
  readonly refused: boolean
  readonly model: string | undefined
  readonly usage: Chat.Usage | undefined
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Whether a value is a JSON object.
 *
 * @since 0.1.0
 * @category guards
 */
export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * The body of a request. Fields that the vendor refuses are left out, fields it
 * needs are added; nothing is ever `undefined` on the wire.
 *
 * @since 0.1.0
 * @category constructors
 */
export const encode = (
  request: Chat.Request | ObjectRequest,
  options: { readonly model: string; readonly capabilities: Capabilities; readonly stream: boolean }
): string => {
  const { capabilities } = options
  const format = "schema" in request ? formatOf(request, capabilities) : undefined
  const messages = Prompt.render(
    format?.instruction === undefined
      ? request
      : { ...request, messages: instruct(request.messages, format.instruction) }
  )
  const body: Record<string, unknown> = {
    model: options.model,
    messages: messages.map((message) => ({ role: message.role, content: message.text })),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.maxTokens === undefined ? {} : { [capabilities.maxTokensField]: request.maxTokens }),
    ...(format?.responseFormat === undefined ? {} : { response_format: format.responseFormat }),
    ...(options.stream ? { stream: true } : {}),
    ...(options.stream && capabilities.streamUsage ? { stream_options: { include_usage: true } } : {}),
    ...capabilities.extraBody
  }
  return JSON.stringify(
    Object.fromEntries(Object.entries(body).filter(([field]) => !capabilities.dropParams.includes(field)))
  )
}

interface Format {
  readonly responseFormat?: unknown
  readonly instruction?: string
}

const formatOf = (request: ObjectRequest, capabilities: Capabilities): Format => {
  // Vendors enforce objects only; any other root is asked for in words.
  const mode = request.schema.type === "object" ? capabilities.jsonMode : "prompt"
  if (mode === "schema") {
    const name = (request.schemaName ?? "answer").replace(/[^a-zA-Z0-9_-]/gu, "_").slice(0, 64)
    return {
      responseFormat: {
        type: "json_schema",
        json_schema: { name: name === "" ? "answer" : name, schema: request.schema, strict: isStrict(request.schema) }
      }
    }
  }
  const instruction = "Answer with one JSON value and nothing else: no prose, no code fence. " +
    `It must be valid against this JSON Schema:\n${JSON.stringify(request.schema)}`
  return mode === "object" ? { responseFormat: { type: "json_object" }, instruction } : { instruction }
}

const instruct = (messages: ReadonlyArray<Chat.Message>, instruction: string): ReadonlyArray<Chat.Message> => {
  const [first, ...rest] = messages
  return first?.role === "system"
    ? [{ role: "system", text: `${first.text}\n\n${instruction}` }, ...rest]
    : [{ role: "system", text: instruction }, ...messages]
}

/**
 * Whether a schema is in the subset that OpenAI enforces strictly: every object
 * closed, every property required.
 *
 * @since 0.1.0
 * @category guards
 */
export const isStrict = (schema: JsonSchema): boolean => {
  const visit = (node: unknown, depth: number): boolean => {
    if (depth > 10) return false
    if (Array.isArray(node)) return node.every((item) => visit(item, depth + 1))
    if (!isFields(node)) return true
    if (node.type === "object" || node.properties !== undefined) {
      const properties = isFields(node.properties) ? node.properties : {}
      const required = new Set(Array.isArray(node.required) ? node.required : [])
      if (node.additionalProperties !== false) return false
      if (Object.keys(properties).some((name) => !required.has(name))) return false
      if (!Object.values(properties).every((property) => visit(property, depth + 1))) return false
    }
    return [node.items, node.anyOf, isFields(node.$defs) ? Object.values(node.$defs) : undefined]
      .every((inner) => visit(inner, depth + 1))
  }
  return visit(schema, 0)
}

const figure = (...values: ReadonlyArray<unknown>): number | undefined =>
  values.find((value): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0)

/**
 * The tokens a body reports; a figure that is missing, negative or no number is
 * unknown.
 *
 * @since 0.1.0
 * @category combinators
 */
export const usageOf = (usage: unknown): Chat.Usage => {
  if (!isFields(usage)) return {}
  const inputTokens = figure(usage.prompt_tokens, usage.input_tokens)
  const outputTokens = figure(usage.completion_tokens, usage.output_tokens)
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    ...(outputTokens === undefined ? {} : { outputTokens })
  }
}

/** Content is a string, null, or a list of blocks of which only text is for the reader. */
const contentOf = (content: unknown): string => {
  if (typeof content === "string") return content
  if (!Array.isArray(content)) return ""
  return content.map((block) =>
    typeof block === "string"
      ? block
      : isFields(block) && (block.type === "text" || block.type === undefined) && typeof block.text === "string"
      ? block.text
      : ""
  ).join("")
}

const modelOf = (body: Fields): string | undefined =>
  typeof body.model === "string" && body.model !== "" && body.model.length <= 200 ? body.model : undefined

const finishOf = (choice: Fields): string | undefined =>
  typeof choice.finish_reason === "string" && choice.finish_reason !== "" ? choice.finish_reason : undefined

const refusedIn = (message: Fields): boolean => typeof message.refusal === "string" && message.refusal !== ""

/**
 * Why a finish reason makes an answer useless, or `undefined` when it does not.
 * A reason that is not known is none to refuse by.
 *
 * @since 0.1.0
 * @category combinators
 */
export const finishFault = (finish: string | undefined): Fault | undefined => {
  switch (finish?.toLowerCase()) {
    case "length":
    case "model_length":
    case "max_tokens":
      return { reason: "Degraded", description: "the answer was cut off at its length limit" }
    case "content_filter":
    case "safety":
      return { reason: "ContentBlocked", description: "the provider's content rules cut the answer" }
    case "error":
    case "insufficient_system_resource":
      return { reason: "Transient", description: "the provider broke off the answer" }
    default:
      return undefined
  }
}

/**
 * The fault of a text that has nothing in it, or `undefined`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const textFault = (text: string, refused: boolean): Fault | undefined =>
  refused
    ? { reason: "Degraded", description: "the model declined to answer" }
    : text.trim() === ""
    ? { reason: "Degraded", description: "the answer is empty" }
    : undefined

const malformed = (description: string): Fault => ({ reason: "Malformed", description })

/**
 * Reads a whole answer. The finish reason is judged before the text, because an
 * answer that was cut off or blocked often has none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const decode = (body: unknown): Either.Either<Completion, Fault> => {
  if (!isFields(body)) return Either.left(malformed("the answer is no JSON object"))
  const choice = Array.isArray(body.choices) ? body.choices[0] : undefined
  if (!isFields(choice)) return Either.left(malformed("the answer has no choices"))
  const message = isFields(choice.message) ? choice.message : {}
  const text = contentOf(message.content)
  const fault = finishFault(finishOf(choice)) ?? textFault(text, refusedIn(message))
  return fault === undefined
    ? Either.right({ text, model: modelOf(body), usage: usageOf(body.usage) })
    : Either.left(fault)
}

/**
 * Reads one chunk of a stream; `undefined` when it is no JSON object. A chunk
 * without choices may still carry the usage.
 *
 * @since 0.1.0
 * @category combinators
 */
export const piece = (chunk: unknown): Piece | undefined => {
  if (!isFields(chunk)) return undefined
  const choice = Array.isArray(chunk.choices) && isFields(chunk.choices[0]) ? chunk.choices[0] : {}
  const delta = isFields(choice.delta) ? choice.delta : isFields(choice.message) ? choice.message : {}
  return {
    text: contentOf(delta.content),
    finish: finishOf(choice),
    refused: refusedIn(delta),
    model: modelOf(chunk),
    usage: isFields(chunk.usage) ? usageOf(chunk.usage) : undefined
  }
}
