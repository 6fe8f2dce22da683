/**
 * Puts summaries, failures and what they rest on together as one answer.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Chat from "../../llm/Chat.js"
import * as Evidence from "../../tool/Evidence.js"
import * as ModelSource from "./ModelSource.js"
import type { Written } from "./SummaryDesk.js"
import type { Summary } from "./SummaryModel.js"
import type { Source } from "./SummarySource.js"
import * as SummaryVerdict from "./SummaryVerdict.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Batch {
  readonly written: Arr.NonEmptyReadonlyArray<{ readonly source: Source; readonly summary: Summary }>
  readonly failures: ReadonlyArray<SummaryVerdict.Failed>
  readonly overall: Written
  readonly note: string | undefined
}

const entry = ({ source, summary }: Batch["written"][number]) => ({
  id: source.id,
  ...(source.title === "" ? {} : { title: source.title }),
  summary: summary.text,
  model: summary.model,
  ...(summary.isPartial ? { isPartial: true } : {}),
  ...(summary.parts.total > 1 ? { parts: summary.parts } : {})
})

const documentOf = ({ source, summary }: Batch["written"][number]): Effect.Effect<Evidence.Source> =>
  Evidence.source({
    id: source.id,
    kind: "document-store",
    ...(source.title === "" ? {} : { title: source.title }),
    ...(source.uri === undefined ? {} : { uri: source.uri }),
    ...(source.publishedAt === undefined ? {} : { publishedAt: source.publishedAt }),
    confidence: SummaryVerdict.ofSummary(summary)
  })

/** Each model once: as it answered when most went wrong before, and kept from earlier only if every answer was. */
const modelsOf = (answers: ReadonlyArray<Chat.TextAnswer>): Effect.Effect<ReadonlyArray<Evidence.Source>> =>
  Effect.map(
    Effect.forEach(answers, (answer) => ModelSource.source(answer)),
    (sources) =>
      Object.values(Arr.groupBy(sources, ({ id }) => id)).map((same) => ({
        ...same.reduce((a, b) => (b.title ?? "").length > (a.title ?? "").length ? b : a),
        cached: same.every(({ cached }) => cached)
      }))
  )

const quoted: Chat.TextAnswer = {
  provider: "extractive",
  model: "extractive",
  text: "",
  citations: [],
  usage: {},
  attempts: []
}

/**
 * The answer, with its documents and models as sources.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ failures, note, overall, written }: Batch) =>
  Effect.gen(function*() {
    const summaries = written.map(({ summary }) => summary)
    const isOverallQuoted = written.length > 1 && overall.isQuoted
    const answers = [...summaries, overall].flatMap((text) =>
      text.answers.length === 0 && text.isQuoted ? [quoted] : text.answers
    )
    const documents = yield* Effect.forEach(written, documentOf)
    const judged = { summaries, isOverallQuoted }
    const evidence = Evidence.make({
      data: {
        summaries: written.map(entry),
        overall: overall.text,
        failures: failures.map(SummaryVerdict.reported),
        ...(note === undefined ? {} : { note })
      },
      confidence: SummaryVerdict.ofBatch({ ...judged, failures: failures.length }),
      sources: Arr.appendAll(documents, yield* modelsOf(answers))
    })
    // The confidence has been judged already.
    return SummaryVerdict.notes({ ...judged, failures }).reduce((sum, next) => Evidence.degrade(sum, next, 1), evidence)
  })
