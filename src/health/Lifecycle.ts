/**
 * Where a server stands in its life, for whoever must know before it stops:
 * load balancers, and what still begins work.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * `draining` from the moment the server was asked to stop: it still answers, and
 * wants no new clients.
 *
 * @since 0.1.0
 * @category models
 */
export type State = "starting" | "ready" | "draining"

/**
 * @since 0.1.0
 * @category tags
 */
export class Lifecycle extends Context.Tag("causeway/Lifecycle")<Lifecycle, {
  readonly state: () => State
  /** Milliseconds since the epoch of the last change. */
  readonly since: () => number
  /** From `starting` to `ready`: a transport says it when it listens. Several may; the first counts. */
  readonly begin: Effect.Effect<void>
  /** To `draining`, for good. Logged once. */
  readonly drain: Effect.Effect<void>
}>() {}

/**
 * Makes the service, `starting`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Context.Tag.Service<Lifecycle>> = Effect.map(Effect.clock, (clock) => {
  let state: State = "starting"
  let since = clock.unsafeCurrentTimeMillis()
  const enter = (next: State): void => {
    state = next
    since = clock.unsafeCurrentTimeMillis()
  }
  return {
    state: () => state,
    since: () => since,
    begin: Effect.sync(() => {
      if (state === "starting") enter("ready")
    }),
    drain: Effect.suspend(() => {
      if (state === "draining") return Effect.void
      enter("draining")
      return Effect.logInfo("Draining: what is under way is finished, and new clients belong elsewhere")
    })
  }
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Lifecycle> = Layer.effect(Lifecycle, make)
