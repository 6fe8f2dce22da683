/**
 * Tells whoever listens that a list or a resource changed: the servers of this
 * process, or of all instances.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Change } from "../protocol/Change.js"
import * as Listeners from "./internal/Listeners.js"

/**
 * What happened.
 *
 * @since 0.1.0
 * @category models
 */
export type Event = Change | { readonly _tag: "TaskChanged"; readonly taskId: string }

/**
 * A server announces changes of lists and resources when this is provided to
 * it. Nothing is kept: who does not listen misses it.
 *
 * @since 0.1.0
 * @category tags
 */
export class Changes extends Context.Tag("causeway/Changes")<Changes, {
  /** Tells everybody; never fails and never waits for a listener. */
  readonly publish: (event: Event) => Effect.Effect<void>
  /** Calls the listener for every event from now on, until the function it gives is called. The listener must not throw. */
  readonly listen: (listener: (event: Event) => void) => () => void
}>() {}

/**
 * Tells the listeners of this process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory: Effect.Effect<Context.Tag.Service<Changes>> = Effect.map(
  Listeners.make<Event>(),
  ({ listen, tell }) => ({ listen, publish: (event) => Effect.sync(() => tell(event)) })
)

/**
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<Changes> = Layer.effect(Changes, makeMemory)
