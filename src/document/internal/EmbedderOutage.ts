/**
 * Tells the operator that an embedder fails, once for all the calls it fails,
 * and that it answers again.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { EmbedderError } from "../../embedding/Embedder.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface EmbedderOutage {
  readonly failed: (error: EmbedderError) => Effect.Effect<void>
  readonly answered: Effect.Effect<void>
}

/** An embedder that fails now and then is told of this often at most, milliseconds. */
const pause = 60_000

/**
 * Makes it for one user of an embedder; `consequence` is what is done without
 * vectors: `no document is indexed`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (embedderId: string, consequence: string): EmbedderOutage => {
  let isTold = false
  let toldAt: number | undefined

  return {
    failed: (error) =>
      Effect.clockWith((clock) =>
        Effect.suspend(() => {
          const now = clock.unsafeCurrentTimeMillis()
          // A date that was set back is no reason to keep quiet.
          if (isTold || (toldAt !== undefined && now >= toldAt && now - toldAt < pause)) return Effect.void
          isTold = true
          toldAt = now
          return Effect.logWarning(
            `The embedder ${embedderId} fails, and ${consequence}: ${error.description}`,
            Cause.fail(error)
          )
        })
      ),
    answered: Effect.suspend(() => {
      if (!isTold) return Effect.void
      isTold = false
      return Effect.logInfo(`The embedder ${embedderId} answers again`)
    })
  }
}
