/**
 * The model that needs no network and no key: it quotes the passages it is
 * given, fills schemas from what a text says in so many words, and never adds
 * anything of its own.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type * as Chat from "../llm/Chat.js"
import * as Llm from "../llm/Llm.js"
import * as LlmError from "../llm/LlmError.js"
import * as Prompt from "../llm/Prompt.js"
import * as ExtractiveAnswer from "./internal/ExtractiveAnswer.js"
import * as ExtractiveObject from "./internal/ExtractiveObject.js"

/**
 * The model's name, in `provider` and in `model`.
 *
 * @since 0.1.0
 * @category models
 */
export const name = "extractive"

/**
 * What it answers when the passages do not answer the question.
 *
 * @since 0.1.0
 * @category models
 */
export const notAnswered = "The given passages do not answer this question."

/**
 * What it answers when it was given no passage.
 *
 * @since 0.1.0
 * @category models
 */
export const noPassages = "No passages were given, so there is nothing to answer this question from."

/** Missing properties that are named one by one; a large schema may lack many. */
const maxNamed = 10

const provenance = (startedAt: number): Effect.Effect<Chat.Provenance> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    provider: name,
    model: name,
    usage: { inputTokens: 0, outputTokens: 0 },
    attempts: [{ provider: name, model: name, outcome: "answered", elapsedMs: Math.max(0, now - startedAt) }]
  }))

const generateText = (request: Chat.Request): Effect.Effect<Chat.TextAnswer> =>
  Effect.flatMap(Clock.currentTimeMillis, (startedAt) => {
    const passages = request.context ?? []
    const quotes = ExtractiveAnswer.compose(Prompt.question(request), passages)
    const text = passages.length === 0
      ? noPassages
      : quotes.length === 0
      ? notAnswered
      : quotes.map(({ id, sentence }) => `${sentence} [${id}]`).join(" ")
    const citations = [...new Set(quotes.map(({ id }) => id))]
    return Effect.map(provenance(startedAt), (from) => ({ ...from, text, citations }))
  })

const unsupported = (description: string): LlmError.LlmError =>
  new LlmError.LlmError({
    reason: "Unsupported",
    provider: name,
    description: `${description}; a model provider is needed for this`
  })

const generateObject = (request: Llm.ObjectRequest): Effect.Effect<Chat.ObjectAnswer, LlmError.LlmError> =>
  Effect.flatMap(Clock.currentTimeMillis, (startedAt) => {
    const texts = (request.context ?? []).map((passage) => passage.text)
    const extraction = ExtractiveObject.extract(request.schema, Prompt.question(request), texts)
    if (extraction === undefined) {
      return Effect.fail(unsupported("only an object with at most 100 properties can be filled without a model"))
    }
    const { missing, value } = extraction
    if (missing.length > 0) {
      const named = missing.slice(0, maxNamed).join(", ")
      const more = missing.length > maxNamed ? ` and ${missing.length - maxNamed} more` : ""
      return Effect.fail(unsupported(`the text does not state ${named}${more}`))
    }
    return Effect.map(provenance(startedAt), (from) => ({ ...from, value }))
  })

const streamText = (request: Chat.Request): Stream.Stream<Chat.Delta> =>
  Stream.unwrap(
    Effect.map(generateText(request), (answer) =>
      Stream.make<[Chat.Delta, Chat.Delta]>({ _tag: "Text", text: answer.text }, { _tag: "Done", answer }))
  )

/**
 * The model. `generateText` answers with at most four sentences of the context,
 * each followed by its `[id]`, or says plainly that the passages do not answer;
 * of passages that contradict each other the newer is quoted. `generateObject`
 * reads labelled values, mentions and numbers from the last user message and the
 * context, objects one level deep; a required property that the text does not
 * state fails as `Unsupported` and is named. Its work is linear in the text.
 *
 * @since 0.1.0
 * @category models
 */
export const model: Llm.Model = {
  provider: name,
  model: name,
  traits: { canCorrect: false },
  generateText,
  generateObject,
  streamText,
  ping: Effect.void
}

/**
 * Provides the extractive model as the `Llm`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Llm.Llm> = Llm.layer(model)
