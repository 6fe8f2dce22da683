/**
 * Keeps what each user did of late in Redis, where several instances share it.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Redis } from "ioredis"
import * as TimeLimit from "../policy/TimeLimit.js"
import * as RedisCluster from "../redis/RedisCluster.js"
import * as RedisConnection from "../redis/RedisConnection.js"
import * as RedisTrouble from "../redis/RedisTrouble.js"
import * as SessionStore from "./SessionStore.js"

/**
 * Where Redis is, and how the store uses it.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends RedisConnection.Options {
  /** Without braces; `causeway:session:` unless given. */
  readonly keyPrefix?: string | undefined
  readonly retention?: SessionStore.Retention | undefined
}

/**
 * Events stand newest first in a list, each as its id, a line feed and the whole;
 * their ids stand in a set beside it. Redis may evict one of the two without the
 * other, so a set that does not fit its list is made anew; so it is when many
 * events go at once because fewer are to be kept, for the server does nothing
 * else meanwhile.
 */
const append = `
local events, ids = KEYS[1], KEYS[2]
local id, entry, cap, lifetime = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local function idOf(e) return string.match(e, '^[^\\n]*') end
local function index()
  redis.call('DEL', ids)
  for _, e in ipairs(redis.call('LRANGE', events, 0, -1)) do redis.call('SADD', ids, idOf(e)) end
end
if redis.call('SCARD', ids) ~= redis.call('LLEN', events) then index() end
local added = redis.call('SADD', ids, id)
if added == 1 then
  redis.call('LPUSH', events, entry)
  local excess = redis.call('LLEN', events) - cap
  if excess > cap then
    redis.call('LTRIM', events, 0, cap - 1)
    index()
  else
    for _ = 1, excess do redis.call('SREM', ids, idOf(redis.call('RPOP', events))) end
  end
end
for _, key in ipairs(KEYS) do
  if lifetime == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, lifetime) end
end
return added
`

type Append = readonly [
  events: string,
  ids: string,
  id: string,
  entry: string,
  maxEvents: number,
  lifetime: string
]

/** What the script adds to the client, which the driver's type cannot know. */
interface Scripted extends Redis {
  readonly appendSessionEvent: (...given: Append) => Promise<number>
}

/** A node of a cluster that is asked for a moving slot may not have the script, and asking again would ask another. */
const appendWhole = async (redis: Redis, [events, ids, ...given]: Append): Promise<number> =>
  Number(await redis.eval(append, 2, events, ids, ...given))

const encode = (event: SessionStore.SessionEvent): readonly [string, string] => {
  // As JSON an id has no line feed and no half of a surrogate pair, both of which would blur it with others.
  const id = JSON.stringify(event.eventId)
  return [id, `${id}\n${SessionStore.toJson(event)}`]
}

const isEvent = Schema.is(SessionStore.SessionEvent)

const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

/** An entry that is no event was not written by this store: it is passed over and left alone. */
const decode = (entries: ReadonlyArray<string>): ReadonlyArray<SessionStore.SessionEvent> =>
  entries.flatMap((entry) =>
    parseJson(entry.slice(entry.indexOf("\n") + 1)).pipe(Option.filter(isEvent), Option.toArray)
  )

/** Letters, digits and a few marks stay; every other character becomes its number, so no two ids share a key. */
const escape = (id: string): string => id.replace(/[^\w.@-]/gu, (char) => `%${char.codePointAt(0)?.toString(16)};`)

const settings = (options: Options): Either.Either<RedisConnection.Settings, string> => {
  if (/[{}]/.test(options.keyPrefix ?? "")) return Either.left("the session store's key prefix must not have braces")
  return Either.map(RedisConnection.settings(options, "the session store"), (settings) => ({
    ...settings,
    scripts: { appendSessionEvent: { lua: append, numberOfKeys: 2 } }
  }))
}

const reasonOf = (trouble: RedisTrouble.Trouble): SessionStore.SessionStoreError["reason"] => {
  const cause = trouble.cause === undefined ? {} : { cause: trouble.cause }
  return trouble._tag === "Unavailable"
    ? new SessionStore.Unavailable(cause)
    : new SessionStore.Misconfigured({ description: trouble.description, ...cause })
}

/** A command has a time of its own, which is cut short by that of whoever waits for it. */
const within = <A>(
  commandTimeout: number,
  command: Effect.Effect<A, RedisTrouble.Trouble>
): Effect.Effect<A, RedisTrouble.Trouble> =>
  Effect.flatMap(TimeLimit.remaining, (left) => {
    if (left >= commandTimeout) return command
    return left <= 0
      ? Effect.fail(new RedisTrouble.Unavailable({}))
      : Effect.timeoutFail(command, {
        duration: Duration.millis(Math.ceil(left)),
        onTimeout: () => new RedisTrouble.Unavailable({})
      })
  })

/**
 * Makes the store on a connection of its own, which ends with the scope; in a
 * cluster on one to each node.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<SessionStore.SessionStore>, SessionStore.SessionStoreError, Scope.Scope> =>
  Effect.gen(function*() {
    const connection = yield* settings(options).pipe(
      Either.mapLeft((description) => new RedisTrouble.Misconfigured({ description })),
      Effect.flatMap((settings) =>
        settings.seeds === undefined ? RedisConnection.make(settings) : RedisCluster.make(settings, settings.seeds)
      ),
      Effect.mapError((trouble) => new SessionStore.SessionStoreError({ method: "open", reason: reasonOf(trouble) }))
    )
    const isCluster = options.cluster === true
    const commandTimeout = Duration.toMillis(options.commandTimeout ?? "1 second")
    const { maxEventBytes, maxEvents, timeToLive } = SessionStore.resolveRetention(options.retention)
    const lifetime = Duration.isFinite(timeToLive)
      ? String(Math.min(Math.ceil(Duration.toMillis(timeToLive)), Number.MAX_SAFE_INTEGER))
      : "0"
    const prefix = options.keyPrefix ?? "causeway:session:"

    // The braces keep both keys of a user on one node of a cluster, as the script needs.
    const keysOf = (user: SessionStore.User): readonly [string, string] => {
      const key = `${prefix}{${escape(user.tenant)}:${escape(user.userId)}}`
      return [`${key}:events`, `${key}:ids`]
    }

    const translate = <A>(
      method: SessionStore.SessionStoreError["method"],
      command: Effect.Effect<A, RedisTrouble.Trouble>
    ) =>
      Effect.mapError(
        command,
        (trouble) => new SessionStore.SessionStoreError({ method, reason: reasonOf(trouble) })
      )

    const run = <A>(
      method: SessionStore.SessionStoreError["method"],
      user: SessionStore.User,
      command: (redis: Redis, keys: readonly [events: string, ids: string]) => Promise<A>
    ): Effect.Effect<A, SessionStore.SessionStoreError> => {
      const keys = keysOf(user)
      return translate(method, within(commandTimeout, connection.use((redis) => command(redis, keys), keys[0])))
    }

    return {
      append: Effect.fn("SessionStore.append")((user, event) =>
        Effect.zipRight(
          SessionStore.checkSize(event, maxEventBytes),
          Effect.map(
            run("append", user, (redis, keys) => {
              const given = [...keys, ...encode(event), maxEvents, lifetime] as const
              // The connection to a single server was given this script by name.
              return isCluster ? appendWhole(redis, given) : (redis as Scripted).appendSessionEvent(...given)
            }),
            (added) => added === 1 ? "recorded" as const : "duplicate" as const
          )
        )
      ),
      history: Effect.fn("SessionStore.history")((user, options) => {
        // Which events are recent enough is known only after reading them.
        const isWhole = options?.since === undefined && options?.until === undefined
        const count = isWhole ? Math.min(options?.limit ?? maxEvents, maxEvents) : maxEvents
        return count >= 1
          ? Effect.map(
            run("history", user, (redis, [events]) => redis.lrange(events, 0, Math.ceil(count) - 1)),
            (entries) => SessionStore.select(decode(entries), options)
          )
          : Effect.succeed([])
      }),
      forget: Effect.fn("SessionStore.forget")((user) =>
        Effect.asVoid(run("forget", user, (redis, keys) => redis.del(...keys)))
      ),
      ping: translate("ping", connection.ping)
    }
  })

/**
 * The store in Redis. It builds at once, also while Redis is away: calls then
 * fail as `Unavailable`, and work again when Redis is back. A URL that cannot be
 * read fails here, as `Misconfigured`. In a cluster the calls for users of a node
 * that is away fail alone, until a replica takes its place.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<SessionStore.SessionStore, SessionStore.SessionStoreError> =>
  Layer.scoped(SessionStore.SessionStore, make(options))

/**
 * The store in Redis, with its settings read from `Config`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<SessionStore.SessionStore, SessionStore.SessionStoreError | ConfigError.ConfigError> =>
  Layer.scoped(SessionStore.SessionStore, Effect.flatMap(Config.unwrap(options), make))
