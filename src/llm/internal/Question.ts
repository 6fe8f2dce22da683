/**
 * The questions that can be put to a chain: for a text, and for a value.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as TimeLimit from "../../policy/TimeLimit.js"
import type { JsonSchema } from "../../protocol/JsonSchema.js"
import * as JsonValidator from "../../protocol/JsonValidator.js"
import type * as Chat from "../Chat.js"
import type * as Check from "../Check.js"
import type * as Llm from "../Llm.js"
import * as LlmError from "../LlmError.js"
import * as Prompt from "../Prompt.js"
import type * as Attempt from "./Attempt.js"
import * as Ending from "./Ending.js"
import type * as Walk from "./Walk.js"

const noProblems: ReadonlyArray<JsonValidator.Problem> = []

/**
 * @since 0.1.0
 * @category constructors
 */
export const text = (
  request: Chat.Request,
  checks: ReadonlyArray<Check.Check>,
  mayHedge: boolean,
  ask: (attempt: Attempt.Attempt) => Effect.Effect<Chat.TextAnswer, LlmError.LlmError>
): Walk.Question<Chat.TextAnswer> => {
  const best = new Ending.Best<Chat.TextAnswer>()
  return {
    ask: (attempt) => inTime(attempt, ask(attempt)),
    problems: () => noProblems,
    checks,
    mayHedge,
    best,
    flawed: (attempt, error, answer) => {
      const found = answer ?? salvaged(attempt, request, error)
      if (found !== undefined && found.text.trim() !== "") best.offer(found, error.flaw)
    }
  }
}

/**
 * Asks a model for a whole text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const askText = (attempt: Attempt.Attempt): Effect.Effect<Chat.TextAnswer, LlmError.LlmError> =>
  attempt.asking.target.model.generateText(attempt.asking.request, attempt)

/** The text that came with an error that it has a flaw. */
const salvaged = (
  attempt: Attempt.Attempt,
  request: Chat.Request,
  error: LlmError.LlmError
): Chat.TextAnswer | undefined => {
  if (error.reason !== "Degraded" || error.partial === undefined) return undefined
  const text = Redacted.value(error.partial)
  const { model, provider } = attempt.asking.target.model
  return {
    provider,
    model,
    usage: error.usage ?? {},
    attempts: [],
    text,
    citations: Prompt.citations(text, (request.context ?? []).map((passage) => passage.id))
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const object = (
  request: Llm.ObjectRequest,
  checks: ReadonlyArray<Check.Check>,
  validate: NonNullable<Llm.ObjectRequest["validate"]>
): Walk.Question<Chat.ObjectAnswer> => {
  const best = new Ending.Best<Chat.ObjectAnswer>()
  return {
    ask: (attempt) =>
      inTime(attempt, attempt.asking.target.model.generateObject(changed(request, attempt.asking.request), attempt)),
    problems: (answer) => validate(answer.value),
    checks,
    mayHedge: true,
    best,
    flawed: (_, error, answer) => {
      if (answer !== undefined) best.offer(answer, error.flaw)
    }
  }
}

/** The request with what another try changes of it. */
const changed = (request: Llm.ObjectRequest, by: Chat.Request): Llm.ObjectRequest =>
  by === request ? request : { ...request, messages: by.messages, maxTokens: by.maxTokens }

/** A chain within the chain plans its time by the limit it finds. */
const inTime = <A>(
  attempt: Attempt.Attempt,
  self: Effect.Effect<A, LlmError.LlmError>
): Effect.Effect<A, LlmError.LlmError> =>
  "targets" in attempt.asking.target.model ? TimeLimit.within(self, attempt.timeLeft) : self

/** Schemas are read once, however often they are asked for. */
const validators = new WeakMap<JsonSchema, ReturnType<typeof JsonValidator.make>>()

/**
 * What a request's values are checked with: what it brings itself, or else its
 * schema. Fails as `RequestRejected` when that cannot be checked.
 *
 * @since 0.1.0
 * @category combinators
 */
export const validatorOf = (
  chain: string,
  request: Llm.ObjectRequest
): Exit.Exit<NonNullable<Llm.ObjectRequest["validate"]>, LlmError.LlmError> => {
  if (request.validate !== undefined) return Exit.succeed(request.validate)
  let made = validators.get(request.schema)
  if (made === undefined) {
    made = JsonValidator.make(request.schema)
    validators.set(request.schema, made)
  }
  return Either.isRight(made) ? Exit.succeed(made.right.check) : Exit.fail(
    new LlmError.LlmError({
      reason: "RequestRejected",
      provider: chain,
      description: `the schema asked for cannot be checked: ${
        made.left.slice(0, 3).map(({ message, path }) => `at ${path === "" ? "the root" : path}: ${message}`).join(" ")
      }`,
      attempts: []
    })
  )
}
