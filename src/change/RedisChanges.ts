/**
 * Tells the listeners of all instances, by a channel of Redis.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import * as RedisChannel from "../redis/RedisChannel.js"
import type * as RedisTrouble from "../redis/RedisTrouble.js"
import * as Changes from "./Changes.js"
import * as Listeners from "./internal/Listeners.js"

/**
 * Where Redis is, and under which name events travel.
 *
 * @since 0.1.0
 * @category configuration
 */
export type Options = RedisChannel.Options

/** Events that wait for Redis; more are not sent to other instances. */
const maxWaiting = 1000
/** Events in one message. */
const maxTogether = 100
/** How long an event may look for its way, in milliseconds. */
const freshMillis = 3000

/** What an instance publishes; an event of a kind that it does not know yet is passed over. */
const Message = Schema.parseJson(Schema.Struct({ from: Schema.String, events: Schema.Array(Schema.Unknown) }))

const Event: Schema.Schema<Changes.Event> = Schema.Union(
  Schema.TaggedStruct("ToolsChanged", {}),
  Schema.TaggedStruct("PromptsChanged", {}),
  Schema.TaggedStruct("ResourcesChanged", {}),
  Schema.TaggedStruct("ResourceUpdated", { uri: Schema.String }),
  Schema.TaggedStruct("TaskChanged", { taskId: Schema.String })
)

const decodeMessage = Schema.decodeUnknownOption(Message)
const decodeEvent = Schema.decodeUnknownOption(Event)

interface Waiting {
  readonly event: Changes.Event
  /** Milliseconds since the epoch. */
  readonly until: number
}

/**
 * Opens the channel, which ends with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<Changes.Changes>, RedisTrouble.Misconfigured, Scope.Scope> =>
  Effect.gen(function*() {
    const self = randomUUID()
    const listeners = yield* Listeners.make<Changes.Event>()
    const waiting = yield* Queue.dropping<Waiting>(maxWaiting)

    const channel = yield* RedisChannel.make({
      redis: options,
      user: "the exchange of changes",
      name: "changes",
      onMessage: (text) => {
        const message = Option.getOrUndefined(decodeMessage(text))
        if (message === undefined || message.from === self) return
        message.events.forEach((event) => Option.map(decodeEvent(event), listeners.tell))
      }
    })

    const send = (together: ReadonlyArray<Waiting>): Effect.Effect<void> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const left = (together.at(-1)?.until ?? now) - now
        if (left <= 0) return Effect.void
        const text = JSON.stringify({ from: self, events: together.map(({ event }) => event) })
        // The connection has logged the outage already, once.
        return Effect.ignore(channel.publish(text, left))
      })

    yield* Queue.takeBetween(waiting, 1, maxTogether).pipe(
      Effect.flatMap((events) => send(Chunk.toReadonlyArray(events))),
      Effect.forever,
      Effect.forkScoped
    )

    return {
      listen: listeners.listen,
      publish: (event) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          waiting.unsafeOffer({ event, until: now + freshMillis })
          listeners.tell(event)
        })
    }
  })

/**
 * Changes told through Redis. It builds at once, also while Redis is away: then
 * the listeners of this process alone are told, and a warning is logged once.
 * Another instance may hear an event twice when Redis fails on the way. A URL
 * that cannot be read fails here.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Changes.Changes, RedisTrouble.Misconfigured> =>
  Layer.scoped(Changes.Changes, make(options))

/**
 * Changes told through Redis, with the settings read from `Config`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Changes.Changes, RedisTrouble.Misconfigured | ConfigError.ConfigError> =>
  Layer.scoped(Changes.Changes, Effect.flatMap(Config.unwrap(options), make))
