/**
 * Puts the questions of a summary to a model: within the time and the number of
 * questions there may be, in levels where one question cannot hold all, and by
 * quoting where no model writes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Chat from "../../llm/Chat.js"
import type * as Llm from "../../llm/Llm.js"
import type * as LlmError from "../../llm/LlmError.js"
import * as ExtractiveLlm from "../../provider/ExtractiveLlm.js"
import * as ModelSource from "./ModelSource.js"
import * as ModelTime from "./ModelTime.js"
import * as SummaryPrompt from "./SummaryPrompt.js"
import * as SummaryText from "./SummaryText.js"

/**
 * Who summarises, for whom, and within what.
 *
 * @since 0.1.0
 * @category models
 */
export interface Desk extends SummaryPrompt.Brief {
  readonly model: Llm.Model
  /** In tokens: what is sent and what is answered together. */
  readonly window: number
  /** Of one document's summary. */
  readonly maxWords: number
  /** How many questions are put to the model at once. */
  readonly concurrency: number
  readonly permits: Effect.Semaphore
  /** The longest one question may take, in milliseconds. */
  readonly modelMillis: number
  /** Milliseconds since the epoch by the `Clock` when the answers must be there; may be moved while they are awaited. */
  readonly until: () => number
  /** Run when a document turns out to need many questions. */
  readonly onLong: Effect.Effect<void>
}

/**
 * A text that a model wrote, or that was quoted in its place.
 *
 * @since 0.1.0
 * @category models
 */
export interface Written {
  readonly text: string
  /** Every answer that it rests on. */
  readonly answers: ReadonlyArray<Chat.TextAnswer>
  /** Whether it is sentences of what it summarises, since no model wrote it. */
  readonly isQuoted: boolean
}

const ask = (desk: Desk, request: Chat.Request): Effect.Effect<Chat.TextAnswer, LlmError.LlmError> =>
  desk.permits.withPermits(1)(
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const millis = Math.min(desk.until() - now, desk.modelMillis)
      const { provider } = desk.model
      return millis <= 0 ? Effect.fail(ModelTime.late(provider)) : ModelTime.within(
        desk.model.generateText(request),
        { provider, millis, grace: Math.min(250, millis / 20) }
      )
    })
  )

/**
 * What can be quoted of a text without a model: what answers the instruction, or
 * else what leads; so many words at most, but one sentence at least.
 *
 * @since 0.1.0
 * @category combinators
 */
export const quote = (desk: Desk, text: string, words: number): Effect.Effect<string> => {
  const start = SummaryText.leading(text, words)
  if (desk.instruction === undefined || start === text) return Effect.succeed(start)
  return ExtractiveLlm.model.generateText({
    messages: [{ role: "user", text: desk.instruction }],
    context: [{ id: "text", text }]
  }).pipe(
    Effect.map((answer) =>
      answer.citations.length === 0
        ? start
        : SummaryText.leading(SummaryText.withoutCitations(answer.text, ["text"]), words)
    ),
    Effect.orElseSucceed(() => start)
  )
}

/**
 * Has a summary written. When it is an extractive model that answers, each
 * passage is quoted instead.
 *
 * @since 0.1.0
 * @category combinators
 */
export const write = (
  desk: Desk,
  options: Parameters<typeof SummaryPrompt.request>[1]
): Effect.Effect<Written, LlmError.LlmError> =>
  Effect.flatMap(ask(desk, SummaryPrompt.request(desk, options)), (answer): Effect.Effect<Written> => {
    if (!ModelSource.isExtractive(answer)) {
      const text = options.subject === "documents"
        ? answer.text.trim()
        : SummaryText.withoutCitations(answer.text, options.passages.map(({ id }) => id)) || answer.text.trim()
      return Effect.succeed({ text, answers: [answer], isQuoted: false })
    }
    const share = Math.ceil(options.words / Math.max(1, options.passages.length))
    return Effect.map(
      Effect.forEach(
        options.passages,
        ({ id, text }) =>
          Effect.map(
            quote(desk, text, share),
            (quoted) => options.subject === "documents" ? `${quoted} [${id}]` : quoted
          )
      ),
      (quotes) => ({ text: quotes.join(" "), answers: [answer], isQuoted: true })
    )
  })

/**
 * How many words a summary has that is summarised again: 200, and fewer where
 * the window is small.
 *
 * @since 0.1.0
 * @category combinators
 */
export const partWords = (desk: Desk): number => Math.max(20, Math.min(200, Math.floor(desk.window / 20)))

/**
 * How many tokens of text fit in one question, beside what its passage is named.
 *
 * @since 0.1.0
 * @category combinators
 */
export const roomFor = (desk: Desk, subject: SummaryPrompt.Subject, words: number, name = ""): number =>
  SummaryPrompt.room(
    desk.window,
    SummaryPrompt.request(desk, { subject, words, passages: [{ id: "part-1", title: name, text: "" }] })
  )

/**
 * Makes one summary of several, in levels when they do not fit in one question.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reduce = (
  desk: Desk,
  options: {
    readonly passages: ReadonlyArray<Chat.ContextPassage>
    readonly subject: "parts" | "documents"
    readonly words: number
  },
  level = 0
): Effect.Effect<Written, LlmError.LlmError> => {
  const { passages, words } = options
  const subject = options.subject === "documents" && level > 0 ? "groups" : options.subject
  const groups = SummaryText.groups(passages, roomFor(desk, subject, Math.max(words, partWords(desk))))
  if (groups.length <= 1) return write(desk, { subject, passages, words })
  return Effect.flatMap(
    Effect.forEach(
      groups,
      // Ids that are cited here would be unknown one level up.
      (group): Effect.Effect<Written, LlmError.LlmError> =>
        write(desk, { subject: subject === "documents" ? "groups" : subject, passages: group, words: partWords(desk) }),
      { concurrency: desk.concurrency }
    ),
    (written) =>
      Effect.map(
        reduce(
          desk,
          { ...options, passages: written.map(({ text }, n) => ({ id: `group-${n + 1}`, text })) },
          level + 1
        ),
        (last) => ({
          text: last.text,
          isQuoted: last.isQuoted || written.some(({ isQuoted }) => isQuoted),
          answers: [...written.flatMap(({ answers }) => answers), ...last.answers]
        })
      )
  )
}
