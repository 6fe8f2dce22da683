/**
 * One channel of Redis on which instances tell each other something: what is
 * published while an instance is cut off, it does not hear.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as RedisConnection from "./RedisConnection.js"
import * as RedisTrouble from "./RedisTrouble.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Channel {
  /** Succeeds when what is published from now on is heard; fails when that takes over three seconds. */
  readonly heard: Effect.Effect<void, RedisTrouble.Trouble>
  /**
   * Tells every instance, this one too. Tries again while Redis is away and there
   * is time; whoever hears must then bear to hear it twice.
   */
  readonly publish: (text: string, within: Duration.DurationInput) => Effect.Effect<void, RedisTrouble.Trouble>
}

/**
 * Where Redis is, and under which names instances talk.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends RedisConnection.Options {
  /** Instances with the same prefix hear each other; `causeway:` unless given. */
  readonly prefix?: string | undefined
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  readonly redis: Options
  /** Who uses it, for messages: `the exchange of answers`. */
  readonly user: string
  /** What the channel is called after the prefix: `answers`. */
  readonly name: string
  /** Hears what is published, in order; must not throw. */
  readonly onMessage: (text: string) => void
}

const standsWithin = "3 seconds"
/** How often a subscription that stands is tried: a connection may be cut without a word. */
const heartbeat = "15 seconds"
const pause = "1 second"
const publishPause = "100 millis"

/**
 * Opens the channel on two connections, which end with the scope. Succeeds at
 * once, also while Redis is away, and subscribes anew whenever Redis is back.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { name, onMessage, redis, user }: Settings
): Effect.Effect<Channel, RedisTrouble.Misconfigured, Scope.Scope> =>
  Effect.gen(function*() {
    const read = RedisConnection.settings(redis, user)
    if (Either.isLeft(read)) return yield* new RedisTrouble.Misconfigured({ description: read.left })
    const settings = {
      ...read.right,
      report: yield* RedisConnection.makeReport(RedisConnection.nameOf(read.right.address))
    }
    // Redis shares channels between its databases.
    const channel = `${redis.prefix ?? "causeway:"}${name}:${settings.address.db}`

    const wake = yield* Queue.sliding<void>(1)
    const waiting = new Set<() => void>()
    const subscription = {}
    let isStanding = false
    let losses = 0
    let trouble: RedisTrouble.Trouble | undefined

    const publisher = yield* RedisConnection.make(settings)
    const subscriber = yield* RedisConnection.make({
      ...settings,
      attach: (client) => {
        client
          .on("message", (_, text) => onMessage(text))
          .on("ready", () => wake.unsafeOffer())
          .on("close", () => {
            isStanding = false
            losses++
          })
      }
    })

    const stand = () => {
      isStanding = true
      trouble = undefined
      settings.report(subscription, undefined)
      for (const resume of waiting) resume()
      waiting.clear()
    }

    const attempt = Effect.suspend(() => {
      if (isStanding) return subscriber.use((client) => client.ping())
      const before = losses
      return Effect.map(subscriber.use((client) => client.subscribe(channel)), () => {
        // The connection may have gone since Redis confirmed.
        if (losses === before) stand()
      })
    })

    yield* attempt.pipe(
      Effect.catchAll((reason) =>
        Effect.sync(() => {
          trouble = reason
          settings.report(subscription, reason)
        })
      ),
      Effect.zipRight(Effect.suspend(() => Effect.timeoutOption(Queue.take(wake), isStanding ? heartbeat : pause))),
      Effect.forever,
      Effect.forkScoped
    )

    const standing = Effect.async<void>((resume) => {
      const done = () => resume(Effect.void)
      if (isStanding) return done()
      waiting.add(done)
      return Effect.sync(() => waiting.delete(done))
    })

    const late = (reason: string) => new RedisTrouble.Unavailable({ cause: new Error(reason) })

    return {
      heard: Effect.suspend(() =>
        isStanding ? Effect.void : Effect.timeoutFail(standing, {
          duration: standsWithin,
          onTimeout: () => trouble ?? late("the subscription took too long")
        })
      ),
      publish: (text, within) =>
        publisher.use((client) => client.publish(channel, text)).pipe(
          Effect.retry({
            schedule: Schedule.spaced(publishPause),
            while: (reason: RedisTrouble.Trouble) => reason._tag === "Unavailable"
          }),
          Effect.timeoutFail({ duration: within, onTimeout: () => late("publishing took too long") })
        )
    }
  })
