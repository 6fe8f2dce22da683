/**
 * Embeds many texts in this process without holding up whoever else runs in it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/** How much is embedded before others get a turn: a millisecond or two's worth. */
const turn = { texts: 8, length: 20_000 }

/** Lets sockets and timers run; `Effect.yieldNow` gives way to fibers alone. */
const giveWay: Effect.Effect<void> = Effect.async((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

/**
 * The vectors of texts, in order; at once when they fit one turn.
 *
 * @since 0.1.0
 * @category combinators
 */
export const embed =
  (vector: (text: string) => Float32Array) =>
  (texts: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Float32Array>> =>
    texts.length <= turn.texts && texts.reduce((sum, text) => sum + text.length, 0) <= turn.length
      ? Effect.sync(() => texts.map(vector))
      : Effect.gen(function*() {
        const vectors: Array<Float32Array> = []
        let count = 0
        let length = 0
        for (const text of texts) {
          if (count === turn.texts || (count > 0 && length + text.length > turn.length)) {
            yield* giveWay
            count = 0
            length = 0
          }
          vectors.push(vector(text))
          count++
          length += text.length
        }
        return vectors
      })
