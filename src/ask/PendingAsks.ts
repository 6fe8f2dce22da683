/**
 * Brings a client's answer to the call that waits for it, whichever instance
 * the answer arrives at.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Waiting from "./internal/Waiting.js"

/**
 * The way between the instances is cut.
 *
 * @since 0.1.0
 * @category errors
 */
export class PendingAsksError extends Schema.TaggedError<PendingAsksError>("causeway/PendingAsks/PendingAsksError")(
  "PendingAsksError",
  { method: Schema.Literal("wait", "answer"), cause: Schema.Defect }
) {
  override get message() {
    return `PendingAsks.${this.method}: answers of other instances cannot be exchanged now`
  }
}

/**
 * @since 0.1.0
 * @category tags
 */
export class PendingAsks extends Context.Tag("causeway/PendingAsks")<PendingAsks, {
  /**
   * Waits for the answer that comes under `key`, which must be unguessable and
   * used once. `send` is run when an answer can be received; no sooner.
   * Interrupting forgets the key.
   */
  readonly wait: (key: string, send: Effect.Effect<void>) => Effect.Effect<unknown, PendingAsksError>
  /** Hands in an answer, any JSON. One that nobody waits for is forgotten; so is a second one. */
  readonly answer: (key: string, response: unknown) => Effect.Effect<void, PendingAsksError>
}>() {}

/**
 * Exchanges answers within this process: enough for one instance, and for pipes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory: Effect.Effect<Context.Tag.Service<PendingAsks>> = Effect.sync(() => {
  const waiting = Waiting.make()
  return {
    wait: waiting.wait,
    answer: (key, response) => Effect.sync(() => void waiting.answer(key, response))
  }
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<PendingAsks> = Layer.effect(PendingAsks, makeMemory)
