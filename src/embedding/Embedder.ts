/**
 * Turns text into vectors, behind one contract that the embedded hash embedder
 * and remote models both honour.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as HashEmbedder from "./HashEmbedder.js"
import * as Turns from "./internal/Turns.js"

/**
 * Why a text has no vector.
 *
 * @since 0.1.0
 * @category errors
 */
export class EmbedderError extends Schema.TaggedError<EmbedderError>("causeway/Embedder/EmbedderError")(
  "EmbedderError",
  {
    embedder: Schema.String,
    description: Schema.String,
    isRetryable: Schema.Boolean,
    /**
     * Whether what a text says or how long it is is the reason, so that others may have vectors; absent when that
     * cannot be told.
     */
    isRefusal: Schema.optionalWith(Schema.Boolean, { exact: true }),
    cause: Schema.optionalWith(Schema.Defect, { exact: true })
  }
) {
  override get message() {
    return `Embedder ${this.embedder}: ${this.description}`
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Embedding {
  /** Names the model, its version and its dimensions; stored with every vector, so that vectors of two embedders never meet. */
  readonly id: string
  readonly dimensions: number
  /** How much words count against these vectors in a hybrid search, 0 to 1; 0.5 unless given. */
  readonly lexicalWeight?: number | undefined
  /** One unit vector per text, in order. An empty text gives the zero vector. */
  readonly embed: (texts: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Float32Array>, EmbedderError>
  /** Succeeds when the embedder can answer, as far as is known without paying for it; absent where nothing can be away. */
  readonly ping?: Effect.Effect<void, EmbedderError> | undefined
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Embedder extends Context.Tag("causeway/Embedder")<Embedder, Embedding>() {}

/**
 * Vectors from spelling, without model, file, network or failure. It finds
 * variants of a word, not other words for the same thing.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHash: Layer.Layer<Embedder> = Layer.succeed(Embedder, {
  id: HashEmbedder.id,
  dimensions: HashEmbedder.dimensions,
  // It sees little but words.
  lexicalWeight: 0.9,
  embed: Turns.embed(HashEmbedder.vector)
})
