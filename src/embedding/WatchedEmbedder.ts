/**
 * Remembers how the last call of an embedder went, so that its health is known
 * without paying for questions.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as TimeLimit from "../policy/TimeLimit.js"
import type { Embedding } from "./Embedder.js"
import { Embedder, EmbedderError } from "./Embedder.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How long a call's outcome stands before the embedder is asked for its health's sake; 1 minute unless given. */
  readonly standsFor?: Duration.DurationInput | undefined
  /** How long such a question may take; 1.5 seconds unless given, which is within the time of a health check. */
  readonly probeWithin?: Duration.DurationInput | undefined
  /** Whether a failure says that the embedder cannot answer; any that is no refusal of a text unless given. */
  readonly isDown?: ((error: EmbedderError) => boolean) | undefined
}

/** What was seen of the embedder last. */
interface Seen {
  readonly at: number
  readonly error: EmbedderError | undefined
}

/** The smallest thing to ask for. */
const probe = ["text"]

/** A refusal, or what may be one, comes from an embedder that answers; nobody knows what the latter means for others. */
const isDownByItself = ({ isRefusal, isRetryable }: EmbedderError): boolean => isRetryable || isRefusal === false

/**
 * The same embedder with a `ping` that tells how its last call went. When none
 * ended in the last minute, `ping` asks for the vector of one word, at most once
 * in that time however often it is called; a call that was given up says nothing.
 * Put it below a cache, whose answers would count for the embedder's.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (embedder: Embedding, options: Options = {}): Embedding => {
  const standsFor = Duration.toMillis(options.standsFor ?? "1 minute")
  const probeWithin = Duration.toMillis(options.probeWithin ?? "1500 millis")
  const isDown = options.isDown ?? isDownByItself
  let seen: Seen | undefined
  let probedAt: number | undefined

  /** Not when the date has been set back since. */
  const isRecent = (at: number | undefined, now: number): boolean =>
    at !== undefined && now >= at && now - at < standsFor

  const note = (error: EmbedderError | undefined): Effect.Effect<void> =>
    Effect.clockWith((clock) =>
      Effect.sync(() => {
        seen = { at: clock.unsafeCurrentTimeMillis(), error }
      })
    )

  const embed: Embedding["embed"] = (texts) =>
    Effect.onExit(Effect.suspend(() => embedder.embed(texts)), (exit) => {
      if (Exit.isSuccess(exit)) return texts.length === 0 ? Effect.void : note(undefined)
      const { cause } = exit
      if (!Cause.isFailType(cause)) return Effect.void
      return isDown(cause.error) ? note(cause.error) : cause.error.isRefusal === true ? note(undefined) : Effect.void
    })

  const late = new EmbedderError({
    embedder: embedder.id,
    description: `no vector came within ${probeWithin} ms`,
    isRetryable: true,
    isRefusal: false
  })

  const asked: Effect.Effect<void, EmbedderError> = embed(probe).pipe(
    TimeLimit.within(probeWithin),
    // It may be busy with what cannot be interrupted; nobody waits for that.
    Effect.disconnect,
    Effect.timeoutFail({ duration: probeWithin, onTimeout: () => late }),
    Effect.asVoid,
    // Whatever it says of this word, it would say of others.
    Effect.tapError(note)
  )

  const known = Effect.suspend(() => seen?.error === undefined ? Effect.void : Effect.fail(seen.error))

  return {
    ...embedder,
    embed,
    ping: Effect.clockWith((clock) => {
      const now = clock.unsafeCurrentTimeMillis()
      if (isRecent(seen?.at, now) || isRecent(probedAt, now)) return known
      probedAt = now
      return asked
    })
  }
}

/**
 * Watches the embedder of a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  inner: Layer.Layer<Embedder, E, R>,
  options?: Options
): Layer.Layer<Embedder, E, R> =>
  Layer.provide(Layer.effect(Embedder, Effect.map(Embedder, (embedder) => make(embedder, options))), inner)
