/**
 * Vectors for the passages of documents: a text that the embedder refuses costs
 * its own document alone, and an embedder that does not answer is named.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Embedding } from "../../embedding/Embedder.js"
import { EmbedderError } from "../../embedding/Embedder.js"
import * as EmbedderOutage from "./EmbedderOutage.js"

/**
 * What is to be embedded of one document.
 *
 * @since 0.1.0
 * @category models
 */
export interface Texts {
  readonly id: string
  readonly texts: ReadonlyArray<string>
}

/**
 * Why no document has vectors.
 *
 * @since 0.1.0
 * @category models
 */
export interface Unembedded {
  readonly _tag: "Unembedded"
  readonly embedder: string
  readonly description: string
  readonly isRetryable: boolean
  readonly cause: EmbedderError
}

/**
 * One vector per text, or why the document is refused.
 *
 * @since 0.1.0
 * @category models
 */
export type Embedded = Either.Either<ReadonlyArray<Float32Array>, string>

/**
 * @since 0.1.0
 * @category models
 */
export interface PassageVectors {
  /** In the order of the documents. Whatever is wrong with the vectors is the embedder's. */
  readonly of: (documents: ReadonlyArray<Texts>) => Effect.Effect<ReadonlyArray<Embedded>, Unembedded>
}

/** Documents asked for at once when one of many was refused: a batching embedder joins them again. */
const atOnce = 16

/** Nobody has a reason to refuse this one. */
const harmless = "text"

const isFinite = (vector: Float32Array): boolean => vector.every((value) => Number.isFinite(value))

/** Consecutive documents with at most so many texts together, or a single one with more. */
const windows = (documents: ReadonlyArray<Texts>, most: number): ReadonlyArray<ReadonlyArray<Texts>> => {
  const all: Array<Array<Texts>> = []
  let open: Array<Texts> = []
  let size = 0
  for (const document of documents) {
    if (open.length === 0 || size + document.texts.length > most) {
      open = []
      size = 0
      all.push(open)
    }
    open.push(document)
    size += document.texts.length
  }
  return all
}

/**
 * Asks `embedder` for at most `most` texts at once, one call after the other. A
 * call that is refused is asked again document by document; when the embedder
 * does not say whether the texts are why, another that is accepted says so.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (embedder: Embedding, most: number = Number.POSITIVE_INFINITY): PassageVectors => {
  const outage = EmbedderOutage.make(embedder.id, "no document is indexed")

  const misfit = new EmbedderError({
    embedder: embedder.id,
    description: `not one vector of ${embedder.dimensions} dimensions came per passage`,
    isRetryable: false,
    isRefusal: false
  })

  const call = (texts: ReadonlyArray<string>) =>
    Effect.filterOrFail(
      embedder.embed(texts),
      (vectors) => vectors.length === texts.length && vectors.every((vector) => vector.length === embedder.dimensions),
      () => misfit
    )

  const ask = (texts: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Float32Array>, EmbedderError> => {
    if (texts.length === 0) return Effect.succeed([])
    if (texts.length <= most) return call(texts)
    const slices = Array.from(
      { length: Math.ceil(texts.length / most) },
      (_, n) => texts.slice(n * most, (n + 1) * most)
    )
    return Effect.map(Effect.forEach(slices, call), (vectors) => vectors.flat())
  }

  const refused = (id: string, why: string): Embedded =>
    Either.left(`the embedder ${embedder.id} refused the document "${id}": ${why}`)

  const checked = (id: string, vectors: ReadonlyArray<Float32Array>): Embedded =>
    vectors.every(isFinite) ? Either.right(vectors) : refused(id, "a number of its vector is none")

  const mayBeOneTexts = ({ isRefusal, isRetryable }: EmbedderError): boolean => !isRetryable && isRefusal !== false

  /** Each document by itself, or what the embedder refused it with. */
  const settle = (
    documents: ReadonlyArray<Texts>,
    answers: ReadonlyArray<Either.Either<ReadonlyArray<Float32Array>, EmbedderError>>
  ): Effect.Effect<ReadonlyArray<Embedded>, EmbedderError> => {
    const isAnswering = answers.some((answer, n) => Either.isRight(answer) && documents[n]?.texts.length !== 0)
    const doubtful = answers.find((answer) => Either.isLeft(answer) && answer.left.isRefusal === undefined)
    const sure = doubtful === undefined || Either.isRight(doubtful) || isAnswering
      ? Effect.void
      // It is the embedder that fails when it refuses this, too.
      : Effect.mapError(call([harmless]), (error) => error.isRetryable ? error : doubtful.left)
    return Effect.as(
      sure,
      answers.map((answer, n) => {
        const id = documents[n]?.id ?? ""
        return Either.isRight(answer) ? checked(id, answer.right) : refused(id, answer.left.description)
      })
    )
  }

  const singly = (documents: ReadonlyArray<Texts>): Effect.Effect<ReadonlyArray<Embedded>, EmbedderError> =>
    Effect.flatMap(
      Effect.forEach(documents, ({ texts }) =>
        ask(texts).pipe(
          Effect.map((vectors) => Either.right(vectors)),
          Effect.catchIf(mayBeOneTexts, (error) => Effect.succeed(Either.left(error)))
        ), { concurrency: atOnce }),
      (answers) => settle(documents, answers)
    )

  const together = (documents: ReadonlyArray<Texts>): Effect.Effect<ReadonlyArray<Embedded>, EmbedderError> =>
    ask(documents.flatMap(({ texts }) => texts)).pipe(
      Effect.map((vectors) => {
        let next = 0
        return documents.map(({ id, texts }) => checked(id, vectors.slice(next, next += texts.length)))
      }),
      Effect.catchIf(
        mayBeOneTexts,
        (error) => documents.length === 1 ? settle(documents, [Either.left(error)]) : singly(documents)
      )
    )

  return {
    of: (documents) =>
      Effect.forEach(windows(documents, most), together).pipe(
        Effect.matchEffect({
          onFailure: (error) =>
            Effect.zipRight(
              outage.failed(error),
              Effect.fail<Unembedded>({
                _tag: "Unembedded",
                embedder: embedder.id,
                description: error.description,
                isRetryable: error.isRetryable,
                cause: error
              })
            ),
          onSuccess: (found) => Effect.as(outage.answered, found.flat())
        })
      )
  }
}
