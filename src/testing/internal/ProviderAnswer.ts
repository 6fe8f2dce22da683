/**
 * What a healthy provider says, in the words of each of the two wires, from
 * which answers and faults alike are made.
 *
 * @since 0.1.0
 */

/**
 * One API's words for the same things.
 *
 * @since 0.1.0
 * @category models
 */
export interface Wire {
  /** A whole answer; `fields` replace fields of its top level. */
  readonly body: (text: string, options?: Ending, fields?: object) => { readonly [field: string]: unknown }
  /** The events before the first text. */
  readonly start: (model?: string) => ReadonlyArray<string>
  /** An event that adds a text. */
  readonly text: (text: string) => string
  /** The events after the last text, down to the one that closes the stream. */
  readonly end: (options?: Ending) => ReadonlyArray<string>
  /** What is sent to keep a silent stream open. */
  readonly keepAlive: string
  /** An error as a body, or as the data of an event. */
  readonly error: (type: string, message: string) => { readonly [field: string]: unknown }
}

/**
 * How an answer ends, in the words of Chat Completions.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ending {
  readonly finish?: string | null | undefined
  readonly usage?: unknown
  readonly model?: string | undefined
}

/**
 * One event of a well-formed Chat Completions stream: a text, and at its end a
 * finish reason. `more` replaces fields of the chunk.
 *
 * @since 0.1.0
 * @category constructors
 */
export const event = (text: string, finishReason: string | null = null, more: object = {}): string =>
  `data: ${
    JSON.stringify({
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta: { content: text }, finish_reason: finishReason }],
      ...more
    })
  }\n\n`

/**
 * One event of a Messages stream, by its type and further fields.
 *
 * @since 0.1.0
 * @category constructors
 */
export const messageEvent = (type: string, fields: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`

const named = (model: string | undefined): object => model === undefined ? {} : { model }

/**
 * OpenAI's Chat Completions.
 *
 * @since 0.1.0
 * @category models
 */
export const chat: Wire = {
  body: (text, options = {}, fields = {}) => ({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_767_225_600,
    ...named(options.model),
    choices: [{
      index: 0,
      message: { role: "assistant", content: text },
      finish_reason: options.finish === undefined ? "stop" : options.finish
    }],
    usage: options.usage === undefined
      ? { prompt_tokens: 12, completion_tokens: Math.ceil(text.length / 4) }
      : options.usage,
    ...fields
  }),
  start: (model) => [
    event("", null, {
      ...named(model),
      choices: [{ index: 0, delta: { role: "assistant" }, finish_reason: null }]
    })
  ],
  text: (text) => event(text),
  end: ({ finish = "stop", model, usage = { prompt_tokens: 12, completion_tokens: 4 } } = {}) => [
    event("", finish, named(model)),
    `data: ${JSON.stringify({ choices: [], usage })}\n\n`,
    "data: [DONE]\n\n"
  ],
  keepAlive: ": keep-alive\n\n",
  error: (type, message) => ({ error: { message, type, code: type } })
}

const stopReasons: { readonly [finish: string]: string } = {
  stop: "end_turn",
  length: "max_tokens",
  content_filter: "refusal",
  tool_calls: "tool_use"
}

/**
 * The Messages wire's word for a finish reason of Chat Completions; its own words stay.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stopReason = (finish: string | null | undefined): string | null =>
  finish === undefined ? "end_turn" : finish === null ? null : stopReasons[finish] ?? finish

/**
 * Anthropic's Messages.
 *
 * @since 0.1.0
 * @category models
 */
export const messages: Wire = {
  body: (text, options = {}, fields = {}) => ({
    id: "msg_1",
    type: "message",
    role: "assistant",
    ...named(options.model),
    content: [{ type: "text", text }],
    stop_reason: stopReason(options.finish),
    stop_sequence: null,
    usage: options.usage === undefined
      ? { input_tokens: 12, output_tokens: Math.ceil(text.length / 4) }
      : options.usage,
    ...fields
  }),
  start: (model) => [
    messageEvent("message_start", {
      message: {
        id: "msg_1",
        type: "message",
        role: "assistant",
        ...named(model),
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 12, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 }
      }
    }),
    messageEvent("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    messageEvent("ping")
  ],
  text: (text) => messageEvent("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
  end: ({ finish, usage = { output_tokens: 4 } } = {}) => [
    messageEvent("content_block_stop", { index: 0 }),
    messageEvent("message_delta", { delta: { stop_reason: stopReason(finish), stop_sequence: null }, usage }),
    messageEvent("message_stop")
  ],
  keepAlive: messageEvent("ping"),
  error: (type, message) => ({ type: "error", error: { type, message }, request_id: "req_1" })
}

/**
 * A call of a tool as a whole Messages answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const toolBody = (name: string, input: unknown, options: Ending = {}): { readonly [field: string]: unknown } =>
  messages.body("", options, {
    content: [{ type: "tool_use", id: "toolu_1", name, input }],
    stop_reason: options.finish === undefined ? "tool_use" : stopReason(options.finish),
    ...(options.usage === undefined ? { usage: { input_tokens: 12, output_tokens: 9 } } : {})
  })

/**
 * A call of a tool as a Messages stream.
 *
 * @since 0.1.0
 * @category constructors
 */
export const toolEvents = (name: string, input: unknown, options: Ending = {}): ReadonlyArray<string> => {
  const text = JSON.stringify(input) ?? "null"
  const middle = Math.ceil(text.length / 2)
  const part = (partial_json: string): string =>
    messageEvent("content_block_delta", { index: 0, delta: { type: "input_json_delta", partial_json } })
  return [
    messages.start(options.model)[0] ?? "",
    messageEvent("content_block_start", {
      index: 0,
      content_block: { type: "tool_use", id: "toolu_1", name, input: {} }
    }),
    part(text.slice(0, middle)),
    part(text.slice(middle)),
    ...messages.end({ ...options, finish: options.finish === undefined ? "tool_calls" : options.finish })
  ]
}

/**
 * A whole stream of a text in one wire's words, cut in two pieces.
 *
 * @since 0.1.0
 * @category constructors
 */
export const events = (wire: Wire, text: string, options: Ending = {}): ReadonlyArray<string> => {
  const middle = Math.ceil(text.length / 2)
  return [
    ...wire.start(options.model),
    wire.text(text.slice(0, middle)),
    wire.text(text.slice(middle)),
    ...wire.end(options)
  ]
}
