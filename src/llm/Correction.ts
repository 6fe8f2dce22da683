/**
 * Asks a model to correct its own JSON, by what is wrong and where.
 *
 * @since 0.1.0
 */
import type * as JsonValidator from "../protocol/JsonValidator.js"
import type * as Chat from "./Chat.js"

/** Of an answer that is to be corrected; what is longer costs more than a new one. */
const maxAnswerLength = 32 * 1024

/** Enough to correct a value by; a longer list costs tokens and says no more. */
const maxProblems = 20

/** A path is made of the model's own keys, which may be of any length. */
const maxPathLength = 200

const maxMessageLength = 300

/**
 * What follows the messages of the question: the answer as it was given, cut at
 * 32,768 characters, and its problems, 20 at most.
 *
 * @since 0.1.0
 * @category constructors
 */
export const messages = (
  answer: string,
  problems: ReadonlyArray<JsonValidator.Problem>
): ReadonlyArray<Chat.Message> => [
  { role: "assistant", text: answer.slice(0, maxAnswerLength) },
  {
    role: "user",
    text: "That JSON does not fit the schema. Correct it and answer with the whole JSON value only.\n" +
      problems.slice(0, maxProblems).map(({ message, path }) =>
        `- at ${place(path)}: ${message.slice(0, maxMessageLength)}`
      ).join("\n")
  }
]

/**
 * Where values are wrong, in a few words: five paths at most, each once.
 *
 * @since 0.1.0
 * @category combinators
 */
export const places = (problems: ReadonlyArray<JsonValidator.Problem>): string =>
  [...new Set(problems.map(({ path }) => place(path)))].slice(0, 5).join(", ")

const place = (path: string): string => path === "" ? "the root" : path.slice(0, maxPathLength)
