/**
 * Has an answer written from given items: by the model, or by quoting when no
 * model answers in time.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Chat from "../../llm/Chat.js"
import type * as Llm from "../../llm/Llm.js"
import type * as LlmError from "../../llm/LlmError.js"
import * as ExtractiveLlm from "../../provider/ExtractiveLlm.js"
import type { SessionEvent } from "../../session/SessionStore.js"
import type { Degraded } from "../../tool/Evidence.js"
import * as ToolCall from "../../tool/ToolCall.js"
import type { ToolError } from "../../tool/ToolError.js"
import * as Preferences from "../Preferences.js"
import type { Item } from "./AnswerContext.js"
import * as Failure from "./Failure.js"
import * as ModelSource from "./ModelSource.js"
import * as ModelTime from "./ModelTime.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Material {
  readonly tenant: string
  readonly question: string
  readonly documents: ReadonlyArray<Item>
  readonly events: ReadonlyArray<Item>
  /** The user's history as it is, for the form of the answer. */
  readonly past: ReadonlyArray<SessionEvent>
  readonly now: number
  readonly maxTokens: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Written {
  readonly answer: Chat.TextAnswer
  readonly given: ReadonlyArray<Item>
  /** Whether quoting stands in for models that failed. */
  readonly isStandIn: boolean
}

/**
 * What an answer says when no model wrote it that should have.
 *
 * @since 0.1.0
 * @category constants
 */
export const missing: Degraded = {
  reason: "no model answered, so the answer is sentences quoted from the sources",
  missing: ["model"]
}

const system = (material: Material): string => {
  const forms = Preferences.derive(material.past, material.now).formats.map((form) => form.name)
  return [
    "You answer questions on companies and markets for an analyst: first the answer, then what supports it, with " +
    "figures, dates and units as they stand in the passages. Where passages disagree, prefer the newer and say so. " +
    "Be brief: the user waits. Answer in at most about 80 words, unless the question needs more.",
    ...(material.events.length === 0 ? [] : [
      "Passages whose id starts with history: say what this user asked or did before. They show what the user means " +
      "and cares about; they are no facts about the market."
    ]),
    ...(forms.length === 0 ? [] : [`The user tends to ask for these forms of answer: ${forms.slice(0, 3).join(", ")}.`])
  ].join("\n")
}

const requestOf = (material: Material, given: ReadonlyArray<Item>): Chat.Request => ({
  messages: [
    { role: "system", text: system(material) },
    { role: "user", text: material.question }
  ],
  context: given.map((item) => item.passage),
  task: "default",
  tenant: material.tenant,
  maxTokens: material.maxTokens,
  // What is asked twice is answered alike, and may come from a cache.
  temperature: 0
})

/** What a model may take of the milliseconds left, so that quoting still fits behind it. */
const shareOf = (remaining: number): number => Math.max(remaining * 0.5, remaining - 500)

const triesOf = (error: LlmError.LlmError, model: Llm.Model, elapsedMs: number): ReadonlyArray<Chat.Attempt> =>
  error.attempts ?? [{
    provider: error.provider,
    model: model.model,
    outcome: "failed",
    reason: error.reason,
    elapsedMs: Math.max(0, elapsedMs)
  }]

/**
 * Writes the answer. Whoever quotes is given the documents alone when there are
 * any, since quoting what the user asked before answers nothing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const write = (
  model: Llm.Model,
  material: Material
): Effect.Effect<Written, ToolError, ToolCall.ToolCall> =>
  Effect.gen(function*() {
    const quotable = material.documents.length > 0 ? material.documents : material.events
    const quoted = (before: ReadonlyArray<Chat.Attempt>, isStandIn: boolean): Effect.Effect<Written, ToolError> =>
      ExtractiveLlm.model.generateText(requestOf(material, quotable)).pipe(
        Effect.map((answer) => ({
          answer: { ...answer, attempts: [...before, ...answer.attempts] },
          given: quotable,
          isStandIn
        })),
        Effect.mapError(Failure.model)
      )
    const given = ModelSource.isExtractive(model) ? quotable : [...material.documents, ...material.events]
    const startedAt = yield* Clock.currentTimeMillis
    const remaining = Duration.toMillis(yield* ToolCall.remaining)
    const millis = shareOf(remaining)
    const written = yield* Effect.either(
      ModelTime.within(model.generateText(requestOf(material, given)), {
        provider: model.provider,
        millis,
        grace: (remaining - millis) / 2
      })
    )
    if (written._tag === "Left") {
      yield* Effect.logWarning("no model answered; quoting the sources instead", written.left)
      const elapsed = (yield* Clock.currentTimeMillis) - startedAt
      return yield* quoted(triesOf(written.left, model, elapsed), true)
    }
    const answer = written.right
    if (!ModelSource.isExtractive(answer)) return { answer, given, isStandIn: false }
    // A chain may end in the extractive model, which then saw the history too.
    const before = answer.attempts.slice(0, -1)
    const isStandIn = ModelSource.before(answer).length > 0
    return given.length > quotable.length
      ? yield* quoted(before, isStandIn)
      : { answer, given, isStandIn }
  })
