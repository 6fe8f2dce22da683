/**
 * The Messages wire of Anthropic: a request into its body, what comes back into
 * an answer or a failure.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type * as Chat from "../../llm/Chat.js"
import type { ObjectRequest } from "../../llm/Llm.js"
import * as Prompt from "../../llm/Prompt.js"
import type { Contract } from "./AnthropicModels.js"
import * as AnthropicSchema from "./AnthropicSchema.js"
import * as ChatCompletions from "./ChatCompletions.js"
import * as VendorError from "./VendorError.js"

const { isFields } = ChatCompletions

/**
 * A request on the wire, and the tool it has to be answered by, if any.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoded {
  readonly body: string
  readonly tool: string | undefined
}

/**
 * The body of a request. System messages are hoisted, wherever they stand;
 * neighbours of one role are joined, and the user has the first word and the
 * last. What the model does not take, or not while it thinks, is left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const encode = (
  request: Chat.Request | ObjectRequest,
  options: {
    readonly model: string
    readonly contract: Contract
    /** For a request that does not say; 4,096 unless given, and 16,384 where thinking is counted in. */
    readonly maxTokens: number | undefined
    readonly extraBody: { readonly [field: string]: unknown }
    readonly stream: boolean
  }
): Encoded => {
  const { extraBody, model } = options
  const thinking = thinkingOf(request, options)
  // While it thinks, a model refuses to be made to call a tool, and anything but its own temperature.
  const contract: Contract = thinking.isOn
    ? { ...options.contract, sampling: "none", takesForcedTool: false }
    : options.contract
  const maxTokens = request.maxTokens ?? options.maxTokens ?? (thinking.isOn ? thinkingLength : length)
  const format = "schema" in request ? formatOf(request, contract) : undefined
  const messages = Prompt.render(request)
  const system = [
    ...messages.flatMap((message) => message.role === "system" && message.text.trim() !== "" ? [message.text] : []),
    ...(format?.instruction === undefined ? [] : [format.instruction])
  ].join("\n\n")
  const stops = (request.stop ?? []).filter((text) => text.trim() !== "")
  const body = merged(
    {
      model,
      max_tokens: Math.min(maxTokens + thinking.budget, contract.maxOutputTokens ?? Infinity),
      ...(system === "" ? {} : { system }),
      messages: turns(messages),
      ...sampling(request, contract),
      ...(stops.length === 0 ? {} : { stop_sequences: stops }),
      ...(options.stream ? { stream: true } : {})
    },
    format?.fields ?? {},
    // Whoever has hard work to do is left to think.
    request.task === "reasoning" ? {} : contract.withoutThinking,
    extraBody
  )
  return { body: JSON.stringify(body), tool: format?.tool }
}

/** In tokens; the length of an answer is counted together with the thinking before it. */
const length = 4096
const thinkingLength = 16_384

/** Whether the model thinks before this answer, and how many tokens it is told to think at most. */
const thinkingOf = (
  request: Chat.Request,
  { contract, extraBody }: { readonly contract: Contract; readonly extraBody: { readonly [field: string]: unknown } }
): { readonly isOn: boolean; readonly budget: number } => {
  const { thinking: told } = extraBody
  if (isFields(told)) {
    const isOn = told.type === "enabled" || told.type === "adaptive"
    return { isOn, budget: isOn && typeof told.budget_tokens === "number" ? told.budget_tokens : 0 }
  }
  const { output_config: always, thinking: unlessTold } = contract.withoutThinking
  return { isOn: always !== undefined || (unlessTold !== undefined && request.task === "reasoning"), budget: 0 }
}

/** Later fields replace earlier ones, but `output_config` holds what all of them say. */
const merged = (...parts: ReadonlyArray<{ readonly [field: string]: unknown }>): object => {
  const configs = parts.flatMap((part) => isFields(part.output_config) ? [part.output_config] : [])
  return Object.assign(
    {},
    ...parts,
    configs.length === 0 ? {} : { output_config: Object.assign({}, ...configs) }
  )
}

const sampling = ({ temperature, topP }: Chat.Request, contract: Contract): object => {
  if (contract.sampling === "none") return {}
  const hasTemperature = temperature !== undefined
  return {
    ...(hasTemperature ? { temperature: Math.min(1, Math.max(0, temperature)) } : {}),
    ...(topP === undefined || (hasTemperature && contract.sampling === "one") ? {} : { top_p: topP })
  }
}

/** Said for the user where a conversation does not begin or end with them. */
const goOn = "Go on."

const turns = (
  messages: ReadonlyArray<Chat.Message>
): ReadonlyArray<{ readonly role: string; readonly content: string }> => {
  const said = messages.filter((message) => message.role !== "system" && message.text.trim() !== "")
  const first = said[0]?.role === "user" ? [] : [{ role: "user", content: goOn }]
  const found: Array<{ role: string; content: string }> = first
  for (const { role, text } of said) {
    const last = found.at(-1)
    if (last?.role === role && last !== first[0]) last.content += `\n\n${text}`
    else found.push({ role, content: text })
  }
  return found.at(-1)?.role === "user" ? found : [...found, { role: "user", content: goOn }]
}

interface Format {
  readonly fields?: { readonly [field: string]: unknown }
  readonly instruction?: string
  readonly tool?: string
}

const formatOf = (request: ObjectRequest, contract: Contract): Format => {
  const schema = contract.json === "schema" ? AnthropicSchema.fit(request.schema) : undefined
  if (schema !== undefined) return { fields: { output_config: { format: { type: "json_schema", schema } } } }
  if (contract.json !== "prompt" && contract.takesForcedTool && AnthropicSchema.isTool(request.schema)) {
    const name = (request.schemaName ?? "").replace(/[^a-zA-Z0-9_-]/gu, "_").slice(0, 64)
    const tool = name === "" ? "answer" : name
    return {
      tool,
      fields: {
        tools: [{ name: tool, description: "Gives the answer.", input_schema: request.schema }],
        tool_choice: { type: "tool", name: tool, disable_parallel_tool_use: true }
      }
    }
  }
  return {
    instruction: "Answer in JSON, with one JSON value and nothing else: no prose, no code fence. " +
      `It must be valid against this JSON Schema:\n${JSON.stringify(request.schema)}`
  }
}

const count = (value: unknown): number => typeof value === "number" && value >= 0 ? value : 0

/**
 * What was used. Anthropic counts apart what it had in its cache and what it
 * wrote there; here both are part of the input.
 *
 * @since 0.1.0
 * @category combinators
 */
export const usageOf = (usage: unknown): Chat.Usage => {
  if (!isFields(usage)) return {}
  const { cache_creation_input_tokens: written, cache_read_input_tokens: read, input_tokens: input } = usage
  return ChatCompletions.usageOf({
    ...usage,
    ...(typeof input === "number" && input >= 0 ? { input_tokens: input + count(read) + count(written) } : {})
  })
}

/**
 * Why a stop reason makes an answer useless, or `undefined` when it does not. A
 * refusal is the verdict of the classifiers that keep Anthropic's usage policy,
 * not the model's own; what the model declines itself it says in plain text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stopFault = (stop: string | undefined): ChatCompletions.Fault | undefined => {
  switch (stop) {
    case "max_tokens":
      return { reason: "Degraded", flaw: "truncated", description: "the answer was cut off at its length limit" }
    case "pause_turn":
      return { reason: "Degraded", flaw: "truncated", description: "the model paused before its answer was complete" }
    case "refusal":
      return { reason: "ContentBlocked", description: "the provider's content rules forbid the answer" }
    case "model_context_window_exceeded":
      return { reason: "ContextTooLong", description: "the answer filled the model's window before it was complete" }
    default:
      return undefined
  }
}

/**
 * What an answer comes to at its end.
 *
 * @since 0.1.0
 * @category combinators
 */
export const judge = (
  answer: ChatCompletions.Completion & { readonly stop: string | undefined; readonly calls: boolean }
): Either.Either<ChatCompletions.Completion, ChatCompletions.Fault> => {
  const { model, text, usage } = answer
  const fault = stopFault(answer.stop) ?? ChatCompletions.textFault(text, { refusal: "", calls: answer.calls })
  return fault === undefined
    ? Either.right({ text, model, usage })
    : Either.left({ ...(text.trim() === "" ? {} : { partial: text }), ...fault, usage })
}

/**
 * Reads a whole answer: the call of `tool` where there is one, else its text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const decode = (
  body: unknown,
  tool: string | undefined
): Either.Either<ChatCompletions.Completion, ChatCompletions.Fault> => {
  if (!isFields(body)) return Either.left({ reason: "Malformed", description: "the answer is no JSON object" })
  const { content } = body
  if (!Array.isArray(content) && typeof content !== "string") {
    return Either.left({ reason: "Malformed", description: "the answer has no content" })
  }
  const blocks = typeof content === "string" ? [{ type: "text", text: content }] : content.filter(isFields)
  const calls = blocks.filter((block) => block.type === "tool_use")
  const call = tool === undefined ? undefined : calls.find((block) => block.name === tool)
  return judge({
    text: call === undefined
      ? blocks.map((block) => block.type === "text" && typeof block.text === "string" ? block.text : "").join("")
      : JSON.stringify(call.input ?? {}),
    stop: stopOf(body),
    calls: calls.length > 0,
    model: modelOf(body),
    usage: usageOf(body.usage)
  })
}

/**
 * Why an answer, or the end of a stream, says that it ended.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stopOf = (fields: { readonly [field: string]: unknown }): string | undefined =>
  typeof fields.stop_reason === "string" && fields.stop_reason !== "" ? fields.stop_reason : undefined

/**
 * Who answered, by the provider's own word.
 *
 * @since 0.1.0
 * @category combinators
 */
export const modelOf = (fields: { readonly [field: string]: unknown }): string | undefined =>
  typeof fields.model === "string" && fields.model !== "" && fields.model.length <= 200 ? fields.model : undefined

/** The status that a type of error has outside of streams. */
const statuses: ReadonlyMap<string, number> = new Map([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["billing_error", 402],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["conflict_error", 409],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["api_error", 500],
  ["timeout_error", 504],
  ["overloaded_error", 529]
])

/**
 * What an error body of Anthropic's says; `undefined` when it is none. A limit
 * on spending is told by a code in the details or by wording alone.
 *
 * @since 0.1.0
 * @category combinators
 */
export const errorOf = (body: unknown, isFailure: boolean): VendorError.VendorError | undefined => {
  const error = VendorError.fromBody(body, isFailure)
  if (error === undefined) return undefined
  const inner = isFields(body) && isFields(body.error) ? body.error : {}
  const code = isFields(inner.details) ? inner.details.error_code : undefined
  const told = [
    ...(typeof code === "string" && code.length <= 64 ? [code.toLowerCase()] : []),
    ...(/reached your specified api usage limits/iu.test(error.message) ? ["enforced_spend_limit_reached"] : []),
    ...(/content filtering policy/iu.test(error.message) ? ["content_filter"] : [])
  ]
  const status = error.status ?? error.codes.map((code) => statuses.get(code)).find((status) => status !== undefined)
  return { ...error, codes: [...error.codes, ...told], status }
}
