/**
 * Exchanges answers of clients between instances by a channel of Redis: the
 * instance that takes an answer need not be the one whose call waits for it.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as RedisChannel from "../redis/RedisChannel.js"
import * as Waiting from "./internal/Waiting.js"
import * as PendingAsks from "./PendingAsks.js"

/**
 * Where Redis is, and under which name answers travel.
 *
 * @since 0.1.0
 * @category configuration
 */
export type Options = RedisChannel.Options

const maxBytes = 1024 * 1024

/** How long an answer may look for its way: it is the client's own request that waits. */
const publishedWithin = "3 seconds"

/** An answer on the channel: its key as JSON, which has no line feed, a line feed, and the answer as JSON. */
const encode = (key: string, response: unknown): string | undefined => {
  const json = JSON.stringify(response ?? null)
  return Buffer.byteLength(json) > maxBytes ? undefined : `${JSON.stringify(key)}\n${json}`
}

/** Reads an answer that somebody here waits for; what is not of this form was not written by an instance. */
const receive = (waiting: Waiting.Waiting, text: string): void => {
  try {
    const end = text.indexOf("\n")
    const key: unknown = JSON.parse(text.slice(0, Math.max(0, end)))
    if (typeof key === "string" && waiting.has(key)) waiting.answer(key, JSON.parse(text.slice(end + 1)))
  } catch {
    // Whatever it is, nobody waits for it.
  }
}

/**
 * Opens the channel, which ends with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<PendingAsks.PendingAsks>, PendingAsks.PendingAsksError, Scope.Scope> =>
  Effect.gen(function*() {
    const failed = (method: PendingAsks.PendingAsksError["method"]) => (cause: unknown) =>
      new PendingAsks.PendingAsksError({ method, cause })
    const waiting = Waiting.make()
    const channel = yield* Effect.mapError(
      RedisChannel.make({
        redis: options,
        user: "the exchange of answers",
        name: "answers",
        onMessage: (text) => receive(waiting, text)
      }),
      failed("wait")
    )
    const heard = Effect.mapError(channel.heard, failed("wait"))
    return {
      wait: (key, send) => waiting.wait(key, Effect.zipRight(heard, send)),
      answer: (key, response) =>
        Effect.suspend(() => {
          const text = encode(key, response)
          if (text === undefined) return Effect.fail(failed("answer")(new Error("the answer is larger than 1 MiB")))
          return waiting.answer(key, response)
            ? Effect.void
            : Effect.mapError(channel.publish(text, publishedWithin), failed("answer"))
        })
    }
  })

/**
 * Answers exchanged through Redis. It builds at once, also while Redis is away:
 * `wait` then fails after three seconds. One that waits already survives an
 * outage, though not an answer that comes to another instance meanwhile. An
 * answer of over 1 MiB is refused, whichever instance it is for. A URL that
 * cannot be read fails here.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<PendingAsks.PendingAsks, PendingAsks.PendingAsksError> =>
  Layer.scoped(PendingAsks.PendingAsks, make(options))

/**
 * Answers exchanged through Redis, with the settings read from `Config`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<PendingAsks.PendingAsks, PendingAsks.PendingAsksError | ConfigError.ConfigError> =>
  Layer.scoped(PendingAsks.PendingAsks, Effect.flatMap(Config.unwrap(options), make))
