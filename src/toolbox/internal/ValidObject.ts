/**
 * Asks a model for JSON until it fits a schema that is known only at run time:
 * once, and once more with what was wrong.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Chat from "../../llm/Chat.js"
import type * as Llm from "../../llm/Llm.js"
import type * as LlmError from "../../llm/LlmError.js"
import * as ExtractiveLlm from "../../provider/ExtractiveLlm.js"
import * as JsonMeasure from "../../protocol/JsonMeasure.js"
import type { Problem } from "../../protocol/JsonValidator.js"

/**
 * An answer, and what is still wrong with it; nothing when it fits.
 *
 * @since 0.1.0
 * @category models
 */
export interface Outcome {
  readonly answer: Chat.ObjectAnswer
  readonly problems: ReadonlyArray<Problem>
  /** Whether a second round was needed. */
  readonly isRepaired: boolean
}

/**
 * A problem as a line of text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const line = ({ path, message }: Problem): string => `${path === "" ? "the root" : path}: ${message}`

/** What is repeated to the model costs tokens; more than this says no more. */
const repeatable = { maxBytes: 32 * 1024, maxDepth: 64, maxMembers: 5000 }

const repair = (value: unknown, problems: ReadonlyArray<Problem>): ReadonlyArray<Chat.Message> => [
  ...(Either.isRight(JsonMeasure.copy(value, repeatable))
    ? [{ role: "assistant", text: JSON.stringify(value) } as const]
    : []),
  {
    role: "user",
    text: "That JSON does not fit the schema. Correct it and answer with the whole JSON value only.\n" +
      problems.slice(0, 20).map((problem) => `- at ${line(problem)}`).join("\n")
  }
]

/**
 * Asks, checks, and asks once more when the answer does not fit. An extractive
 * model is asked once: it would say the same again.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ask = (
  model: Llm.Model,
  request: Llm.ObjectRequest,
  check: (value: unknown) => ReadonlyArray<Problem>
): Effect.Effect<Outcome, LlmError.LlmError> =>
  Effect.gen(function*() {
    const first = yield* model.generateObject(request)
    const problems = check(first.value)
    if (problems.length === 0 || first.provider === ExtractiveLlm.name) {
      return { answer: first, problems, isRepaired: false }
    }
    const second = yield* model.generateObject({
      ...request,
      messages: [...request.messages, ...repair(first.value, problems)]
    })
    return { answer: second, problems: check(second.value), isRepaired: true }
  })
