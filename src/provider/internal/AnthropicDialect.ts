/**
 * How Anthropic's Messages API answers.
 *
 * @since 0.1.0
 */
import * as AnthropicMessages from "./AnthropicMessages.js"
import { isFields } from "./ChatCompletions.js"
import type * as Dialect from "./Dialect.js"

/**
 * The dialect of one request: with `tool`, the input of that tool is the answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: { readonly tool: string | undefined }): Dialect.Dialect => ({
  path: "/messages",
  endsWithDone: false,
  errorOf: AnthropicMessages.errorOf,
  decode: (body) => AnthropicMessages.decode(body, options.tool),
  events: () => events(options.tool !== undefined)
})

const fieldsIn = (value: unknown): { readonly [field: string]: unknown } => isFields(value) ? value : {}

const textIn = (value: unknown): string => typeof value === "string" ? value : ""

const events = (hasTool: boolean): Dialect.Events => {
  const used: Record<string, unknown> = {}
  let input = ""
  let calls = false
  let model: string | undefined
  let stop: string | undefined
  let isClosed = false

  /** The counts come in two events, and the later one leaves out what it does not know better. */
  const addUsage = (told: unknown): void => {
    for (const [name, value] of Object.entries(fieldsIn(told))) {
      if (value !== null && value !== undefined) used[name] = value
    }
  }
  const usage = () => AnthropicMessages.usageOf(used)

  return {
    take: (event) => {
      if (!isFields(event)) return undefined
      switch (event.type) {
        case "message_start": {
          const message = fieldsIn(event.message)
          model = AnthropicMessages.modelOf(message) ?? model
          addUsage(message.usage)
          return ""
        }
        case "content_block_start": {
          const block = fieldsIn(event.content_block)
          calls ||= block.type === "tool_use"
          return block.type === "text" ? textIn(block.text) : ""
        }
        case "content_block_delta": {
          const delta = fieldsIn(event.delta)
          if (hasTool && delta.type === "input_json_delta") {
            const more = textIn(delta.partial_json)
            input += more
            return more
          }
          return delta.type === "text_delta" ? textIn(delta.text) : ""
        }
        case "message_delta":
          stop = AnthropicMessages.stopOf(fieldsIn(event.delta)) ?? stop
          addUsage(event.usage)
          return ""
        case "message_stop":
          isClosed = true
          return ""
        default:
          return ""
      }
    },
    isFinished: () => stop !== undefined,
    isClosed: () => isClosed,
    usage,
    judge: (text) =>
      AnthropicMessages.judge({
        // A tool that takes no arguments is called with none.
        text: hasTool && calls ? (input === "" ? "{}" : input) : text,
        stop,
        calls,
        model,
        usage: usage()
      })
  }
}
