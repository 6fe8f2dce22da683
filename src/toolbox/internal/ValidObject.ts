/**
 * Asks a model for JSON that fits a schema known only at run time. A chain sees
 * to that itself; any other model is asked once more with what was wrong.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Chat from "../../llm/Chat.js"
import * as Correction from "../../llm/Correction.js"
import type * as Llm from "../../llm/Llm.js"
import type * as LlmError from "../../llm/LlmError.js"
import * as JsonMeasure from "../../protocol/JsonMeasure.js"
import type { Problem } from "../../protocol/JsonValidator.js"
import * as ModelSource from "./ModelSource.js"

/**
 * An answer, and what is still wrong with it; nothing when it fits.
 *
 * @since 0.1.0
 * @category models
 */
export interface Outcome {
  readonly answer: Chat.ObjectAnswer
  readonly problems: ReadonlyArray<Problem>
  /** Whether a model had to correct its JSON. */
  readonly isRepaired: boolean
}

/**
 * No model gave JSON that fits, also when asked to correct it; `problems` are
 * those of the last value that was seen, if any was.
 *
 * @since 0.1.0
 * @category errors
 */
export class Misfit extends Data.TaggedError("Misfit")<{
  readonly problems: ReadonlyArray<Problem>
  readonly isRepaired: boolean
  readonly cause: LlmError.LlmError
}> {}

/**
 * A problem as a line of text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const line = ({ path, message }: Problem): string => `${path === "" ? "the root" : path}: ${message}`

/** A value of more than this is not written out again to be corrected. */
const repeatable = { maxBytes: 32 * 1024, maxDepth: 64, maxMembers: 5000 }

const repair = (answer: Chat.ObjectAnswer, problems: ReadonlyArray<Problem>): ReadonlyArray<Chat.Message> =>
  Correction.messages(
    answer.text ?? (Either.isRight(JsonMeasure.copy(answer.value, repeatable)) ? JSON.stringify(answer.value) : ""),
    problems
  )

const isMisfitting = ({ flaw }: { readonly flaw?: Chat.Flaw | undefined }): boolean =>
  flaw === "schemaMismatch" || flaw === "invalidJson"

const hasRepair = (attempts: ReadonlyArray<Chat.Attempt> | undefined): boolean =>
  attempts?.some(({ cause }) => cause === "repair") === true

/** A failure for JSON that did not fit, where trying again as it is helps nobody. */
const judged = (error: LlmError.LlmError, problems: ReadonlyArray<Problem>): LlmError.LlmError | Misfit =>
  !error.isRetryable && (isMisfitting(error) || error.attempts?.some(isMisfitting) === true)
    ? new Misfit({ problems, isRepaired: hasRepair(error.attempts), cause: error })
    : error

/**
 * Asks, checks, and asks once more when the answer does not fit. A chain checks
 * and repairs by `check` itself and is not asked again; an extractive model
 * would say the same again. Fails as `Misfit` when a chain could not have the
 * JSON mended.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ask = (
  model: Llm.Model,
  request: Llm.ObjectRequest,
  check: (value: unknown) => ReadonlyArray<Problem>
): Effect.Effect<Outcome, LlmError.LlmError | Misfit> =>
  Effect.suspend(() => {
    let last: ReadonlyArray<Problem> = []
    const validate = (value: unknown): ReadonlyArray<Problem> => last = check(value)
    return Effect.gen(function*() {
      const first = yield* model.generateObject({ ...request, validate })
      const problems = check(first.value)
      // A flaw says that a chain has tried all it could.
      if (problems.length === 0 || first.flaw !== undefined || ModelSource.isExtractive(first)) {
        return { answer: first, problems, isRepaired: hasRepair(first.attempts) }
      }
      const second = yield* model.generateObject({
        ...request,
        messages: [...request.messages, ...repair(first, problems)],
        validate
      })
      return { answer: second, problems: check(second.value), isRepaired: true }
    }).pipe(
      Effect.tapError((error) => Effect.logWarning("no model gave the JSON that was asked for", error)),
      Effect.mapError((error) => judged(error, last))
    )
  })
