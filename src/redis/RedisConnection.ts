/**
 * One connection to Redis that may be lost and comes back: commands fail at once
 * while it is away, and nothing sent before is sent again.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { Redis, RedisOptions } from "ioredis"
import * as RedisAddress from "./RedisAddress.js"
import type { Trouble } from "./RedisTrouble.js"
import { isTimeout, Misconfigured, translate, Unavailable } from "./RedisTrouble.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /**
   * Sends a command when the connection stands; fails in time when Redis does not
   * answer. In a cluster it goes to the node that has `key`, and must not be one
   * of `Settings.scripts`: a node that sends a command on has not read its script.
   */
  readonly use: <A>(command: (redis: Redis) => Promise<A>, key?: string) => Effect.Effect<A, Trouble>
  /** Succeeds when Redis answers; of a cluster, when a node answers that finds the cluster whole. */
  readonly ping: Effect.Effect<void, Trouble>
}

/**
 * Where Redis is, and how long it may take.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url: Redacted.Redacted<string>
  /** Goes before the URL's own. */
  readonly username?: string | undefined
  /** Goes before the URL's own. */
  readonly password?: Redacted.Redacted<string> | undefined
  /** The time Redis has to answer a command; one second unless given. */
  readonly commandTimeout?: Duration.DurationInput | undefined
  /** The time one attempt to connect may take; two seconds unless given. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /**
   * Whether the URL leads to a node of a Redis Cluster; `false` unless given. What
   * has keys then learns of the other nodes and follows what they hold. A channel
   * has none: it stays with the node at the URL, for a cluster passes on to all
   * nodes what is published on one.
   */
  readonly cluster?: boolean | undefined
  /** More nodes of the cluster, as `host:port`, to ask when the one at the URL is away. */
  readonly clusterNodes?: ReadonlyArray<string> | undefined
}

/**
 * The options, understood, and what the connection is for.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  readonly address: RedisAddress.RedisAddress
  /** Milliseconds. */
  readonly commandTimeout: number
  /** Milliseconds. */
  readonly connectTimeout: number
  /** Who uses it, for messages: `the session store`. */
  readonly user: string
  /** Where to ask for the nodes of a cluster; absent when Redis is a single server. */
  readonly seeds?: ReadonlyArray<RedisAddress.RedisAddress> | undefined
  readonly scripts?: RedisOptions["scripts"]
  /** Told of every trouble, and of its end; who has several connections hands each the same. Logs unless given. */
  readonly report?: Report | undefined
  /** Adds listeners of its own to the client before it connects; they must not throw. */
  readonly attach?: ((redis: Redis) => void) | undefined
}

/**
 * Hears of each connection, by any value of its own, what its trouble is now.
 *
 * @since 0.1.0
 * @category models
 */
export type Report = (connection: object, trouble: Trouble | undefined) => void

/** What a timer takes: more would fire at once. */
const timer = (duration: Duration.DurationInput): number =>
  Math.min(Math.max(1, Math.ceil(Duration.toMillis(duration))), 2 ** 31 - 1)

/**
 * Understands the options. The left side is a sentence about what is wrong with
 * them, and repeats none of them.
 *
 * @since 0.1.0
 * @category configuration
 */
export const settings = (options: Options, user: string): Either.Either<Settings, string> =>
  Either.gen(function*() {
    const parsed = yield* RedisAddress.parse(Redacted.value(options.url))
    const address = {
      ...parsed,
      username: options.username ?? parsed.username,
      password: options.password === undefined ? parsed.password : Redacted.value(options.password)
    }
    const common = {
      address,
      commandTimeout: timer(options.commandTimeout ?? "1 second"),
      connectTimeout: timer(options.connectTimeout ?? "2 seconds"),
      user
    }
    if (options.cluster !== true) {
      return options.clusterNodes === undefined
        ? common
        : yield* Either.left("nodes of a Redis cluster are given, but the option cluster is not true")
    }
    if (address.db !== 0) return yield* Either.left("a Redis cluster has no database but 0; end the URL before it")
    const others = yield* Either.all((options.clusterNodes ?? []).map(RedisAddress.parseNode))
    return { ...common, seeds: [address, ...others.map((other) => ({ ...address, ...other }))] }
  })

/** What may wait to be sent, bytes, while a server takes nothing: commands beyond that fail at once. */
const maxUnsent = 64 * 1024 * 1024

/** Half a delay is fixed and half is chance, so that many instances do not come back at once. */
const retryDelay = (times: number): number => {
  const delay = Math.min(50 * 2 ** Math.min(times, 10), 2000)
  return delay / 2 + Math.random() * delay / 2
}

const driverOptions = ({ address, commandTimeout, connectTimeout, scripts }: Settings): RedisOptions => ({
  host: address.host,
  port: address.port,
  db: address.db,
  ...(address.username === undefined ? {} : { username: address.username }),
  ...(address.password === undefined ? {} : { password: address.password }),
  ...(address.tls ? { tls: {} } : {}),
  commandTimeout,
  connectTimeout,
  disconnectTimeout: 500,
  disableClientInfo: true,
  // Sent later, an erasure that was reported as failed would take new events with it.
  autoResendUnfulfilledCommands: false,
  // The driver lets nobody know that it could not.
  autoResubscribe: false,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  retryStrategy: retryDelay,
  // After a failover the name may lead to another server, and this one only reads.
  reconnectOnError: (error) => error.message.includes("READONLY"),
  ...(scripts === undefined ? {} : { scripts })
})

const driver = Effect.tryPromise({
  try: () => import("ioredis"),
  catch: () => new Misconfigured({ description: "the package ioredis is missing; install ioredis 5" })
})

const close = (redis: Redis): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    // Only an open socket says when it has ended.
    if (redis.status === "ready" || redis.status === "connect" || redis.status === "connecting") {
      redis.once("end", () => resume(Effect.void))
      redis.disconnect()
    } else {
      redis.disconnect()
      resume(Effect.void)
    }
  }).pipe(Effect.interruptible, Effect.timeoutOption("900 millis"), Effect.asVoid)

/** A server that comes and goes, as one does that only reads, is told of no more often, milliseconds. */
const quietFor = 10_000

/**
 * Logs an outage once, however many attempts it takes and however many
 * connections it cuts, and its end; the same again after ten seconds at the
 * soonest. `name` says what Redis is called in the log.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeReport = (name: string): Effect.Effect<Report> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const log = (message: Effect.Effect<void>) => void Runtime.runFork(runtime)(message)
    const down = new Set<object>()
    /** What has been told of this outage, and when of this and of those before. */
    const told = new Set<string>()
    const toldAt = new Map<string, number>()
    return (connection, trouble) => {
      if (trouble === undefined) {
        if (!down.delete(connection) || down.size > 0) return
        if (told.size > 0) log(Effect.logInfo(`${name} answers again`))
        told.clear()
        return
      }
      down.add(connection)
      const { message } = trouble
      const now = performance.now()
      if (told.has(message) || now - (toldAt.get(message) ?? -Infinity) < quietFor) return
      told.add(message)
      toldAt.set(message, now)
      const news = trouble._tag === "Unavailable" ? "it does not answer" : message
      log(Effect.logWarning(`${name}: ${news}; trying again until it works`))
    }
  })

/**
 * What a single server is called in the log.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nameOf = ({ host, port }: RedisAddress.RedisAddress): string => `Redis at ${host}:${port}`

/**
 * Begins to connect, and succeeds at once: also while Redis is away. The
 * connection ends with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (settings: Settings): Effect.Effect<Connection, Misconfigured, Scope.Scope> =>
  Effect.gen(function*() {
    const { commandTimeout } = settings
    const ioredis = yield* driver
    const report = settings.report ?? (yield* makeReport(nameOf(settings.address)))

    const self = {}
    const settled = Deferred.unsafeMake<void>(FiberId.none)
    let hasSettled = false
    let trouble: Trouble | undefined
    let isOfEarlierConnection = false
    let isClosing = false
    let chunksHeard = 0

    const settle = () => {
      hasSettled = true
      Deferred.unsafeDone(settled, Effect.void)
    }

    const fall = (next: Trouble) => {
      if (isClosing) return
      trouble = next
      isOfEarlierConnection = false
      settle()
      report(self, next)
    }

    const listen = (redis: Redis): Redis => {
      redis
        .on("error", (error) => fall(translate(error, settings.user)))
        .on("close", () => {
          if (trouble === undefined) fall(new Unavailable({ cause: new Error("the connection was closed") }))
        })
        .on("connect", () => {
          isOfEarlierConnection = true
          redis.stream.on("data", () => {
            chunksHeard++
          })
        })
        .on("ready", () => {
          if (isOfEarlierConnection && trouble !== undefined) {
            trouble = undefined
            report(self, undefined)
          }
          settle()
        })
      settings.attach?.(redis)
      return redis
    }

    const redis = yield* Effect.acquireRelease(
      // Listening begins in the same breath, or the first events would find nobody.
      Effect.sync(() => listen(new ioredis.Redis(driverOptions(settings)))),
      (redis) =>
        Effect.suspend(() => {
          isClosing = true
          return close(redis)
        })
    )

    // Replies come in order: behind one that is missing none will come in time, so the connection is given up. Not when
    // this process itself was held up, for then replies lie unread, and they are read before the next immediate.
    const doubt = (reason: Trouble) => {
      const before = chunksHeard
      setImmediate(() => {
        if (isClosing || chunksHeard !== before || redis.status !== "ready" || trouble !== undefined) return
        fall(reason)
        redis.disconnect(true)
      })
    }

    const check = Effect.suspend((): Effect.Effect<void, Trouble> =>
      redis.status !== "ready" || trouble !== undefined
        ? Effect.fail(trouble ?? new Unavailable({}))
        : redis.stream.writableLength > maxUnsent
        ? Effect.fail(new Unavailable({ cause: new Error("more waits to be sent than may") }))
        : Effect.void
    )

    // Only before the first attempt to connect has ended is there something worth waiting for.
    const usable = Effect.suspend(() =>
      hasSettled
        ? check
        : Effect.zipRight(Effect.timeoutOption(Deferred.await(settled), commandTimeout), check)
    )

    const use: Connection["use"] = (command) =>
      Effect.zipRight(
        usable,
        Effect.tryPromise({
          try: () => {
            const reply = command(redis)
            // Here and not below, for whoever asked may have gone by then.
            reply.catch((error: unknown) => isTimeout(error) && doubt(translate(error, settings.user)))
            return reply
          },
          catch: (error) => translate(error, settings.user)
        })
      )

    return { use, ping: Effect.asVoid(use((redis) => redis.ping())) }
  })
