/**
 * Is told of every request that was refused for who asked, or for what its
 * credential may do.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Principal } from "./Principal.js"

/**
 * Why, in one of a few words that a metric can take for a label.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason = "missing" | "invalid" | "malformed" | "tooMany" | "unavailable" | "broken" | "insufficientScope"

/**
 * A refusal. Holds nothing of the credential.
 *
 * @since 0.1.0
 * @category models
 */
export interface Refused {
  readonly reason: Reason
  /** The HTTP status that the client got. */
  readonly status: number
  /** The address it came from, where there is one. */
  readonly peer: string | undefined
  /** Who asked; known when the credential was good and its scopes were not enough. */
  readonly caller: Principal | undefined
}

/**
 * Nobody is told unless it is provided where the transport is made. `refused`
 * costs little: it runs before the client gets its answer. What it throws is
 * logged and changes nothing.
 *
 * @since 0.1.0
 * @category tags
 */
export class AuthObserver extends Context.Tag("causeway/AuthObserver")<AuthObserver, {
  readonly refused: (refused: Refused) => void
}>() {}

/**
 * Makes observers, such as `Measure.refusals`; each is told in order.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  ...observers: ReadonlyArray<Effect.Effect<Context.Tag.Service<AuthObserver>, E, R>>
): Layer.Layer<AuthObserver, E, R> =>
  Layer.effect(
    AuthObserver,
    Effect.map(Effect.all(observers), (made) => ({
      refused: (refused) => {
        for (const observer of made) observer.refused(refused)
      }
    }))
  )
