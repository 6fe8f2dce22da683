/**
 * Looks at the best passages again, with more care than a search can afford.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * Why nothing was judged.
 *
 * @since 0.1.0
 * @category errors
 */
export class RerankerError extends Schema.TaggedError<RerankerError>("causeway/Reranker/RerankerError")(
  "RerankerError",
  {
    description: Schema.String,
    isRetryable: Schema.Boolean,
    cause: Schema.optionalWith(Schema.Defect, { exact: true })
  }
) {
  override get message() {
    return `Reranker: ${this.description}`
  }
}

/**
 * A passage to judge.
 *
 * @since 0.1.0
 * @category models
 */
export interface Judged {
  readonly title: string
  readonly text: string
}

/**
 * A retriever uses it when it is provided, and does without when it fails or is
 * late.
 *
 * @since 0.1.0
 * @category tags
 */
export class Reranker extends Context.Tag("causeway/Reranker")<Reranker, {
  /** Names what judges, for example a model; stands in the retrieval. */
  readonly id: string
  /** How well each passage answers the query, 0 to 1, one number per passage in their order. */
  readonly judge: (
    query: string,
    passages: ReadonlyArray<Judged>
  ) => Effect.Effect<ReadonlyArray<number>, RerankerError>
}>() {}
