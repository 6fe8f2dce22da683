/**
 * Turns text into vectors, behind one contract that the embedded hash embedder
 * and remote models both honour.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as HashEmbedder from "./HashEmbedder.js"

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
  /** One unit vector per text, in order. An empty text gives the zero vector. */
  readonly embed: (texts: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Float32Array>, EmbedderError>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Embedder extends Context.Tag("causeway/Embedder")<Embedder, Embedding>() {}

/** How many texts are embedded before others get a turn: about a millisecond's worth. */
const turn = 8

/** Lets sockets and timers run; `Effect.yieldNow` gives way to fibers alone. */
const giveWay: Effect.Effect<void> = Effect.async((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

/**
 * The embedded default: vectors from spelling, without model, network or
 * failure. It finds variants of a word, not other words for the same thing.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHash: Layer.Layer<Embedder> = Layer.succeed(Embedder, {
  id: HashEmbedder.id,
  dimensions: HashEmbedder.dimensions,
  embed: (texts) =>
    texts.length <= turn
      ? Effect.sync(() => texts.map(HashEmbedder.vector))
      : Effect.gen(function*() {
        const vectors: Array<Float32Array> = []
        for (const [n, text] of texts.entries()) {
          if (n > 0 && n % turn === 0) yield* giveWay
          vectors.push(HashEmbedder.vector(text))
        }
        return vectors
      })
})
