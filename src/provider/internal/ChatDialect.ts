/**
 * How an OpenAI-compatible endpoint answers.
 *
 * @since 0.1.0
 */
import { constFalse } from "effect/Function"
import type * as Chat from "../../llm/Chat.js"
import * as ChatCompletions from "./ChatCompletions.js"
import type * as Dialect from "./Dialect.js"
import * as VendorError from "./VendorError.js"

/**
 * The dialect of an endpoint, for any of its requests.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: { readonly endsWithDone: boolean }): Dialect.Dialect => ({
  path: "/chat/completions",
  endsWithDone: options.endsWithDone,
  errorOf: VendorError.fromBody,
  decode: ChatCompletions.decode,
  events
})

const events = (): Dialect.Events => {
  let finish: string | undefined
  let refusal = ""
  let calls = false
  let model: string | undefined
  let usage: Chat.Usage = {}
  return {
    take: (event) => {
      const piece = ChatCompletions.piece(event)
      if (piece === undefined) return undefined
      finish = piece.finish ?? finish
      refusal += piece.refusal
      calls ||= piece.calls
      model = piece.model ?? model
      if (piece.usage !== undefined && Object.keys(piece.usage).length > 0) usage = piece.usage
      return piece.text
    },
    isFinished: () => finish !== undefined,
    isClosed: constFalse,
    usage: () => usage,
    judge: (text) => ChatCompletions.judge({ text, finish, refusal, calls, model, usage })
  }
}
