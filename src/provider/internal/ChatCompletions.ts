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
  readonly flaw?: Chat.Flaw | undefined
  /** The text there was all the same. */
  readonly partial?: string | undefined
  readonly usage?: Chat.Usage | undefined
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
  /** What the model says in place of an answer; empty when it does not decline. */
  readonly refusal: string
  readonly calls: boolean
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
    ...(request.topP === undefined ? {} : { top_p: request.topP }),
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    ...(request.stop === undefined || request.stop.length === 0 ? {} : { stop: request.stop }),
    ...(request.maxTokens === undefined ? {} : { [capabilities.maxTokensField]: request.maxTokens }),
    ...(format?.responseFormat === undefined ? {} : { response_format: format.responseFormat }),
    ...(options.stream ? { stream: true } : {}),
    ...(options.stream && capabilities.streamUsage ? { stream_options: { include_usage: true } } : {}),
    ...capabilities.extraBody
  }
  const { dropParams, renameParams } = capabilities
  return JSON.stringify(Object.fromEntries(
    Object.entries(body).flatMap(([field, value]) =>
      dropParams.includes(field) ? [] : [[renameParams[field] ?? field, value]]
    )
  ))
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
  // Several vendors refuse a JSON object unless the prompt holds the word `json`.
  const instruction = "Answer in json, with one JSON value and nothing else: no prose, no code fence. " +
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

/** No call uses as many tokens; a larger figure is a mistake. */
const maxTokens = 1e9

/** No call costs as much, in US dollars. */
const maxUsd = 10_000

const figure = (...values: ReadonlyArray<unknown>): number | undefined =>
  values.find((value): value is number => typeof value === "number" && value >= 0 && value <= maxTokens)

/**
 * What a body reports to have used. A figure that is missing, negative, absurdly
 * large or no number is unknown, and so is a cost of nothing.
 *
 * @since 0.1.0
 * @category combinators
 */
export const usageOf = (usage: unknown): Chat.Usage => {
  if (!isFields(usage)) return {}
  const details = isFields(usage.prompt_tokens_details)
    ? usage.prompt_tokens_details
    : isFields(usage.input_tokens_details)
    ? usage.input_tokens_details
    : {}
  const inputTokens = figure(usage.prompt_tokens, usage.input_tokens)
  const outputTokens = figure(usage.completion_tokens, usage.output_tokens)
  const ofInput = (value: number | undefined) =>
    value !== undefined && inputTokens !== undefined && value > inputTokens ? undefined : value
  const cachedInputTokens = ofInput(
    figure(details.cached_tokens, usage.prompt_cache_hit_tokens, usage.cache_read_input_tokens)
  )
  const cacheWriteTokens = ofInput(figure(details.cache_write_tokens, usage.cache_creation_input_tokens))
  const reportedUsd = usdOf(usage.cost)
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    ...(outputTokens === undefined ? {} : { outputTokens }),
    ...(cachedInputTokens === undefined ? {} : { cachedInputTokens }),
    ...(cacheWriteTokens === undefined ? {} : { cacheWriteTokens }),
    ...(reportedUsd === undefined ? {} : { reportedUsd })
  }
}

/**
 * A cost in US dollars; `undefined` when it is nothing, absurdly high or no number.
 *
 * @since 0.1.0
 * @category combinators
 */
export const usdOf = (value: unknown): number | undefined =>
  typeof value === "number" && value > 0 && value <= maxUsd ? value : undefined

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

const refusalOf = (message: Fields): string => typeof message.refusal === "string" ? message.refusal : ""

const callsTool = (message: Fields): boolean => Array.isArray(message.tool_calls) && message.tool_calls.length > 0

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
      return { reason: "Degraded", flaw: "truncated", description: "the answer was cut off at its length limit" }
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

/** What no reader of text can take: a NUL, or half a surrogate pair. */
const noText = /\0|\p{Cs}/u

/**
 * The fault of a text that has nothing in it or is none, or `undefined`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const textFault = (
  text: string,
  signs: { readonly refusal: string; readonly calls: boolean }
): Fault | undefined =>
  signs.refusal !== ""
    ? { reason: "Degraded", flaw: "refusal", description: "the model declined to answer", partial: signs.refusal }
    : text.trim() === ""
    ? {
      reason: "Degraded",
      flaw: "empty",
      description: signs.calls ? "the model called a tool in place of an answer" : "the answer is empty"
    }
    : noText.test(text)
    ? malformed("the answer holds characters that are no text")
    : undefined

const malformed = (description: string): Fault => ({ reason: "Malformed", description })

/**
 * What is wrong with an answer that came to its end. The finish reason is judged
 * before the text, because an answer that was cut off or blocked often has none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const judge = (
  answer: Completion & { readonly finish: string | undefined; readonly refusal: string; readonly calls: boolean }
): Either.Either<Completion, Fault> => {
  const { model, text, usage } = answer
  const fault = finishFault(answer.finish) ?? textFault(text, answer)
  return fault === undefined
    ? Either.right({ text, model, usage })
    : Either.left({ ...(text.trim() === "" || fault.reason === "Malformed" ? {} : { partial: text }), ...fault, usage })
}

/**
 * Reads a whole answer.
 *
 * @since 0.1.0
 * @category combinators
 */
export const decode = (body: unknown): Either.Either<Completion, Fault> => {
  if (!isFields(body)) return Either.left(malformed("the answer is no JSON object"))
  const choice = Array.isArray(body.choices) ? body.choices[0] : undefined
  if (!isFields(choice)) return Either.left(malformed("the answer has no choices"))
  const message = isFields(choice.message) ? choice.message : {}
  return judge({
    text: contentOf(message.content),
    finish: finishOf(choice),
    refusal: refusalOf(message),
    calls: callsTool(message),
    model: modelOf(body),
    usage: usageOf(body.usage)
  })
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
    refusal: refusalOf(delta),
    calls: callsTool(delta),
    model: modelOf(chunk),
    usage: isFields(chunk.usage) ? usageOf(chunk.usage) : undefined
  }
}
