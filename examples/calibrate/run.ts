/**
 * Asks judged questions of a document store and fits a model of confidence on
 * what it finds.
 *
 * @since 0.1.0
 */
import * as Calibration from "causeway-mcp/document/Calibration"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Question } from "./questions.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly tenant: string
  readonly corpus: string
  /** Whether to fit for searches by words alone, as they are while the embedder fails. */
  readonly isLexical: boolean
  /** Told of every question that was asked, counted from 1. */
  readonly onQuestion?: ((asked: number) => Effect.Effect<void>) | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Fitted {
  readonly model: Calibration.Model
  /** How many hits counted, and how many of them were relevant. */
  readonly hits: number
  readonly relevant: number
}

/**
 * Why nothing was fitted, in words.
 *
 * @since 0.1.0
 * @category errors
 */
export class CalibrationRefused extends Schema.TaggedError<CalibrationRefused>("causeway/examples/CalibrationRefused")(
  "CalibrationRefused",
  { description: Schema.String }
) {
  override get message() {
    return this.description
  }
}

const refuse = (description: string) => Effect.fail(new CalibrationRefused({ description }))

const fewest = 20

/** How many ids a refusal names. */
const named = 5

/** The ids that the store does not hold. */
const unknownOf = (tenant: string, ids: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const known = new Set<string>()
    for (const documentIds of Arr.chunksOf(ids, 500)) {
      for (const { id } of yield* store.list(tenant, { filter: { documentIds }, limit: 1000 })) known.add(id)
    }
    return ids.filter((id) => !known.has(id))
  })

/** A search by words alone is one whose question has no vector. */
const withoutVectors = Effect.updateService(
  Embedder.Embedder,
  (embedder) => ({ ...embedder, embed: () => Effect.succeed([]) })
)

const ask = (question: Question, { isLexical, tenant }: Options) =>
  Effect.gen(function*() {
    const asked = Retriever.candidates({ tenant, query: question.text }, { embedWithin: "30 seconds" })
    const { embedder, ranking } = yield* (isLexical ? withoutVectors(asked) : asked)
    if (!isLexical && embedder === undefined) {
      return yield* refuse("The embedder did not answer, so some questions would count without vectors. Run it again.")
    }
    // A copy of a relevant document is relevant too, though nobody judged it.
    const relevant = ranking.flatMap(({ copies, passage }) =>
      copies.some((id) => question.relevant.has(id)) ? [passage.documentId] : []
    )
    return { ranking, relevant: new Set(relevant) }
  })

/**
 * Fits a model on questions. Refuses fewer than 20, documents that the store does
 * not hold, and questions of which no hit, or every hit, is relevant.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fit = (
  questions: ReadonlyArray<Question>,
  options: Options
): Effect.Effect<
  Fitted,
  CalibrationRefused | DocumentStore.DocumentStoreError,
  DocumentStore.DocumentStore | Embedder.Embedder
> =>
  Effect.gen(function*() {
    if (questions.length < fewest) {
      return yield* refuse(
        `${questions.length} judged question${questions.length === 1 ? " is" : "s are"} too few: write ${fewest} at ` +
          "least, 200 are better."
      )
    }
    const ids = [...new Set(questions.flatMap(({ relevant }) => [...relevant]))]
    const unknown = yield* unknownOf(options.tenant, ids)
    if (unknown.length > 0) {
      return yield* refuse(
        `${unknown.length} of ${ids.length} documents that are named as relevant are not in the store of tenant ` +
          `"${options.tenant}": ${unknown.slice(0, named).join(", ")}${unknown.length > named ? ", …" : ""}.`
      )
    }
    const embedder = yield* Embedder.Embedder
    const judged: Array<Calibration.Judged> = []
    for (const [n, question] of questions.entries()) {
      judged.push(yield* ask(question, options))
      yield* options.onQuestion?.(n + 1) ?? Effect.void
    }
    const date = new Date(yield* Clock.currentTimeMillis).toISOString().slice(0, 10)
    const by = options.isLexical ? "words" : embedder.id
    const model = Calibration.fit(judged, {
      id: `${options.corpus}/${by}/${date}`,
      corpus: options.corpus,
      fittedOn: `${questions.length} judged questions on ${options.corpus}, ${date}`,
      embedder: options.isLexical ? undefined : embedder.id
    })
    const samples = judged.flatMap(Calibration.samplesOf)
    const relevant = samples.filter((sample) => sample.relevant).length
    return model === undefined
      ? yield* refuse(
        relevant === 0
          ? `None of the ${samples.length} hits is relevant: the questions are on other documents, or their ids are ` +
            "of another store."
          : `All ${samples.length} hits are relevant, so nothing tells a good one from a bad one.`
      )
      : { model, hits: samples.length, relevant }
  })
