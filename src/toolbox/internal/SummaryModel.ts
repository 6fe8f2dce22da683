/**
 * Has documents summarised by a model: in one question where a document fits,
 * part by part and in levels where it does not.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Chat from "../../llm/Chat.js"
import type * as LlmError from "../../llm/LlmError.js"
import * as TokenEstimate from "../../llm/TokenEstimate.js"
import * as ExtractiveLlm from "../../provider/ExtractiveLlm.js"
import * as Failure from "./Failure.js"
import * as ModelSource from "./ModelSource.js"
import * as ModelTime from "./ModelTime.js"
import * as SummaryDesk from "./SummaryDesk.js"
import * as SummaryText from "./SummaryText.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Document {
  readonly id: string
  readonly title: string
  readonly text: string
  readonly publishedAt: string | undefined
}

/**
 * A summary, and what it rests on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Summary extends SummaryDesk.Written {
  /** The model that wrote it in the end. */
  readonly model: string
  /** How many parts there were, and how many of them were read. */
  readonly parts: { readonly total: number; readonly read: number }
  /** Whether it leaves out what it should tell of. */
  readonly isPartial: boolean
}

const passageOf = ({ id, publishedAt, title }: Document, text: string): Chat.ContextPassage => ({
  id,
  text,
  ...(title === "" ? {} : { title }),
  ...(publishedAt === undefined ? {} : { publishedAt })
})

const nameOf = (answers: ReadonlyArray<Chat.TextAnswer>): string => {
  const last = answers.at(-1)
  return last === undefined ? ExtractiveLlm.name : last.model === "" ? last.provider : last.model
}

type Part = Either.Either<SummaryDesk.Written, LlmError.LlmError>

/** Below this many tokens a text is not what is too long. */
const undivided = 400

/** A text that is longer than was thought, in parts of half its length; none when it should not be cut further. */
const halves = (text: string): ReadonlyArray<string> => {
  const tokens = TokenEstimate.ofText(text)
  return tokens < undivided ? [] : SummaryText.parts(text, tokens / 2)
}

const read = (desk: SummaryDesk.Desk, document: Document, text: string): Effect.Effect<ReadonlyArray<Part>> =>
  Effect.flatMap(
    Effect.either(SummaryDesk.write(desk, {
      subject: "part",
      passages: [passageOf(document, text)],
      words: SummaryDesk.partWords(desk)
    })),
    (part) => {
      const smaller = Either.isLeft(part) && Failure.isTooLong(part.left) ? halves(text) : []
      return smaller.length < 2
        ? Effect.succeed([part])
        : Effect.map(Effect.forEach(smaller, (half) => read(desk, document, half)), (parts) => parts.flat())
    }
  )

const ofParts = (
  desk: SummaryDesk.Desk,
  document: Document,
  texts: ReadonlyArray<string>
): Effect.Effect<Summary, LlmError.LlmError> =>
  Effect.gen(function*() {
    yield* desk.onLong
    const results = yield* Effect.forEach(texts, (text) => read(desk, document, text), {
      concurrency: desk.concurrency
    })
    const [errors, notes] = Arr.separate(results.flat())
    yield* Effect.forEach(errors, (error) => Effect.logDebug("A part of a document could not be summarised", error))
    const [only] = notes
    if (only === undefined) return yield* errors[0] ?? ModelTime.late(desk.model.provider)
    const parts = { total: errors.length + notes.length, read: notes.length }
    const whole = notes.length === 1 ? Either.right(only) : yield* Effect.either(SummaryDesk.reduce(desk, {
      subject: "parts",
      words: desk.maxWords,
      passages: notes.map(({ text }, n) => ({ id: `part-${n + 1}`, text }))
    }))
    const before = notes.length === 1 ? [] : notes.flatMap(({ answers }) => answers)
    if (Either.isRight(whole)) {
      const answers = [...before, ...whole.right.answers]
      const isQuoted = whole.right.isQuoted || notes.some((note) => note.isQuoted)
      return {
        text: whole.right.text,
        model: nameOf(answers),
        answers,
        parts,
        isQuoted,
        isPartial: isQuoted || errors.length > 0
      }
    }
    // Each part was read at the price of a question: what there is of each goes out.
    const share = Math.max(20, Math.floor(desk.maxWords / notes.length))
    return {
      text: notes.map(({ text }) => SummaryText.leading(text, share)).join(" "),
      model: nameOf(before),
      answers: before,
      parts,
      isQuoted: false,
      isPartial: true
    }
  })

/**
 * Summarises a document. What a model cannot read at once is cut at sentences,
 * each part is summarised and the summaries are summarised, in levels where
 * there are many. A part that cannot be read makes the summary partial; when
 * none can, fails with what the first failed with. An extractive model quotes
 * what answers the instruction, or else what leads.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofDocument = (desk: SummaryDesk.Desk, document: Document): Effect.Effect<Summary, LlmError.LlmError> =>
  Effect.suspend(() => {
    const { text } = document
    const once = (written: SummaryDesk.Written): Summary => ({
      ...written,
      model: nameOf(written.answers),
      parts: { total: 1, read: 1 },
      isPartial: written.isQuoted && written.text !== text
    })
    if (ModelSource.isExtractive(desk.model)) {
      return Effect.map(
        SummaryDesk.quote(desk, text, desk.maxWords),
        (text) => once({ text, answers: [], isQuoted: true })
      )
    }
    const budget = SummaryDesk.roomFor(
      desk,
      "document",
      Math.max(desk.maxWords, SummaryDesk.partWords(desk)),
      `${document.id} ${document.title}`
    )
    const texts = SummaryText.parts(text, budget)
    if (texts.length > 1) return ofParts(desk, document, texts)
    return SummaryDesk.write(desk, { subject: "document", passages: [passageOf(document, text)], words: desk.maxWords })
      .pipe(
        Effect.map(once),
        Effect.catchIf(Failure.isTooLong, (error) => {
          const smaller = halves(text)
          return smaller.length < 2 ? Effect.fail(error) : ofParts(desk, document, smaller)
        })
      )
  })

/** Of all documents together. */
const overallWords = 200

/**
 * One summary of several documents' summaries, which cites them by id where they
 * fit in one question. Quotes the start of each when no model writes it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofSummaries = (
  desk: SummaryDesk.Desk,
  summaries: Arr.NonEmptyReadonlyArray<{ readonly source: Document; readonly summary: Summary }>
): Effect.Effect<SummaryDesk.Written> => {
  const [first, ...others] = summaries
  if (others.length === 0) {
    return Effect.succeed({ text: first.summary.text, answers: [], isQuoted: first.summary.isQuoted })
  }
  const share = Math.max(20, Math.floor(overallWords / summaries.length))
  const quoted = (): SummaryDesk.Written => ({
    text: summaries.map(({ source: { id }, summary }) => `${SummaryText.leading(summary.text, share)} [${id}]`)
      .join(" "),
    answers: [],
    isQuoted: true
  })
  if (ModelSource.isExtractive(desk.model)) return Effect.sync(quoted)
  return SummaryDesk.reduce(desk, {
    subject: "documents",
    words: overallWords,
    passages: summaries.map(({ source, summary }) => passageOf(source, summary.text))
  }).pipe(
    Effect.map((written) => written.isQuoted ? quoted() : written),
    Effect.tapError((error) => Effect.logWarning("no model wrote the overall summary; quoting instead", error)),
    Effect.orElseSucceed(quoted)
  )
}
