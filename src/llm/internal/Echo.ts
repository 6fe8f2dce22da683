/**
 * Tells whether an answer is only what was asked, said again.
 *
 * @since 0.1.0
 */
import type * as Chat from "../Chat.js"
import * as Prompt from "../Prompt.js"
import * as AnswerText from "./AnswerText.js"

/** Shorter texts are equal by nature: a question answered by its own word. */
const minLetters = 12

const plain = (text: string): string => AnswerText.part(text).toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "")

/**
 * Whether a text has the letters and figures of the last user message, or of the
 * whole conversation, in the same order and no others.
 *
 * @since 0.1.0
 * @category guards
 */
export const isEcho = (text: string, request: Chat.Request): boolean => {
  const { messages } = request
  const asked = [Prompt.question(request)]
  if (messages.length > 1) asked.push(messages.map((message) => message.text).join("\n"))
  // Signs and spaces may be lost on the way, but not more of them than there are letters.
  const alike = asked.filter((other) => other.length <= 3 * text.length && text.length <= 3 * other.length)
  if (alike.length === 0) return false
  const letters = plain(text)
  return letters.length >= minLetters && alike.some((other) => plain(other) === letters)
}
