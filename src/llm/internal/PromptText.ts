/**
 * Reads a prompt of `@effect/ai` as the messages of a conversation.
 *
 * @since 0.1.0
 */
import * as AiError from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import type * as AiPrompt from "@effect/ai/Prompt"
import * as Either from "effect/Either"
import type * as Chat from "../Chat.js"

/**
 * What is asked of the model.
 *
 * @since 0.1.0
 * @category models
 */
export type Method = "generateText" | "generateObject" | "streamText"

/**
 * A request that cannot be put to a model of ours.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refused = (method: Method, description: string, cause?: unknown): AiError.MalformedInput =>
  new AiError.MalformedInput({
    module: "LlmLanguageModel",
    method,
    description,
    ...(cause === undefined ? {} : { cause })
  })

const textOf = (
  method: Method,
  message: Exclude<AiPrompt.Message, AiPrompt.SystemMessage>
): Either.Either<string, AiError.MalformedInput> => {
  const texts: Array<string> = []
  for (const part of message.content) {
    if (part.type === "text") texts.push(part.text)
    // What a model thought is not sent to another one; it may not even be able to read it.
    else if (part.type !== "reasoning") {
      const what = part.type === "file" ? "a file" : part.type === "tool-call" ? "a tool call" : "a tool result"
      return Either.left(
        refused(method, `The prompt holds ${what} in a message of the ${message.role}; only text can be sent.`)
      )
    }
  }
  return Either.right(texts.join("\n"))
}

/**
 * The messages of a prompt; texts of one message are joined by line breaks, and
 * what a model thought is left out. Fails when there is a file, a tool call or a
 * tool, or no message at all.
 *
 * @since 0.1.0
 * @category combinators
 */
export const messages = (
  method: Method,
  options: LanguageModel.ProviderOptions
): Either.Either<ReadonlyArray<Chat.Message>, AiError.MalformedInput> => {
  if (options.tools.length > 0 && options.toolChoice !== "none") {
    return Either.left(
      refused(method, "A toolkit was given, but this model calls no tools; pass none, or choose the tool \"none\".")
    )
  }
  const found: Array<Chat.Message> = []
  for (const message of options.prompt.content) {
    if (message.role === "system") found.push({ role: "system", text: message.content })
    else {
      const text = textOf(method, message)
      if (Either.isLeft(text)) return Either.left(text.left)
      // A tool message holds results only, and those were refused.
      if (message.role !== "tool") found.push({ role: message.role, text: text.right })
    }
  }
  return found.length === 0
    ? Either.left(refused(method, "The prompt holds no message."))
    : Either.right(found)
}
