/**
 * One connection to Redis that may be lost and comes back: commands fail at once
 * while it is away, and nothing sent before is sent again.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { Redis, RedisOptions } from "ioredis"
import { Misconfigured, Unavailable } from "../SessionStore.js"
import type { RedisAddress } from "./redisAddress.js"

/** @internal */
export type Trouble = Unavailable | Misconfigured

/** @internal */
export interface Connection {
  /** Sends a command when the connection stands; fails in time when Redis does not answer. */
  readonly use: <A>(command: (redis: Redis) => Promise<A>) => Effect.Effect<A, Trouble>
}

/** @internal */
export interface Settings {
  readonly address: RedisAddress
  /** Milliseconds. */
  readonly commandTimeout: number
  /** Milliseconds. */
  readonly connectTimeout: number
  readonly scripts: NonNullable<RedisOptions["scripts"]>
}

/** Replies that stay the same until an operator acts; those to a script may stand inside another. */
const refusals: ReadonlyArray<readonly [RegExp, string]> = [
  [/^WRONGPASS|^ERR invalid (username-)?password/, "Redis refused the user name or the password"],
  [/^NOAUTH/, "Redis asks for a password, and none is set"],
  [/\bNOPERM\b/, "the Redis user may not run the commands that the session store needs"],
  [/^ERR (DB index|invalid DB)/, "Redis has no database with the number in the URL"],
  [/\bWRONGTYPE\b/, "the keys under the session store's prefix hold something else"],
  [/^MOVED|\bCROSSSLOT\b/, "this Redis is a node of a cluster; give the address of a single server or of a proxy"]
]

const timedOut = "Command timed out"

const isTimeout = (error: unknown): boolean => error instanceof Error && error.message === timedOut

/**
 * The driver's errors carry the command and its arguments, and some replies quote
 * them: of AUTH, that is the password. Only the reply's code is kept.
 */
const translate = (error: unknown): Trouble => {
  if (!(error instanceof Error)) return new Unavailable({})
  if (error.name !== "ReplyError") return new Unavailable({ cause: new Error(error.message || error.name) })
  const refusal = refusals.find(([pattern]) => pattern.test(error.message))
  const cause = new Error(`Redis replied ${/^[A-Z]*/.exec(error.message)?.[0] || "with an error"}`)
  return refusal === undefined ? new Unavailable({ cause }) : new Misconfigured({ description: refusal[1], cause })
}

/** Half a delay is fixed and half is chance, so that many instances do not come back at once. */
const retryDelay = (times: number): number => {
  const delay = Math.min(50 * 2 ** Math.min(times, 10), 2000)
  return delay / 2 + Math.random() * delay / 2
}

const options = ({ address, commandTimeout, connectTimeout, scripts }: Settings): RedisOptions => ({
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
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  retryStrategy: retryDelay,
  // After a failover the name may lead to another server, and this one only reads.
  reconnectOnError: (error) => error.message.includes("READONLY"),
  scripts
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

/** @internal */
export const make = (settings: Settings): Effect.Effect<Connection, Misconfigured, Scope.Scope> =>
  Effect.gen(function*() {
    const { address, commandTimeout } = settings
    const ioredis = yield* driver
    const runtime = yield* Effect.runtime<never>()
    const log = (message: Effect.Effect<void>) => void Runtime.runFork(runtime)(message)

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
      const isNews = trouble?.message !== next.message
      trouble = next
      isOfEarlierConnection = false
      settle()
      if (isNews) {
        const news = next._tag === "Unavailable" ? "it does not answer" : next.message
        log(Effect.logWarning(`Redis at ${address.host}:${address.port}: ${news}; trying again until it works`))
      }
    }

    const listen = (redis: Redis): Redis =>
      redis
        .on("error", (error) => fall(translate(error)))
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
            log(Effect.logInfo(`Redis at ${address.host}:${address.port} answers again`))
          }
          settle()
        })

    const redis = yield* Effect.acquireRelease(
      // Listening begins in the same breath, or the first events would find nobody.
      Effect.sync(() => listen(new ioredis.Redis(options(settings)))),
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
      redis.status === "ready" && trouble === undefined ? Effect.void : Effect.fail(trouble ?? new Unavailable({}))
    )

    // Only before the first attempt to connect has ended is there something worth waiting for.
    const usable = Effect.suspend(() =>
      hasSettled
        ? check
        : Effect.zipRight(Effect.timeoutOption(Deferred.await(settled), commandTimeout), check)
    )

    return {
      use: (command) =>
        Effect.zipRight(
          usable,
          Effect.tryPromise({
            try: () => command(redis),
            catch: (error) => {
              const reason = translate(error)
              if (isTimeout(error)) doubt(reason)
              return reason
            }
          })
        )
    }
  })
