/**
 * Keeps answers in Redis, where all instances find them.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Redis } from "ioredis"
import type * as RedisConnection from "../redis/RedisConnection.js"
import type * as RedisTrouble from "../redis/RedisTrouble.js"
import * as Generations from "./internal/Generations.js"
import * as RedisAway from "./internal/RedisAway.js"
import type { Kept } from "./ResultCache.js"
import { ResultCache } from "./ResultCache.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends RedisConnection.Options {
  /** Without braces; `causeway:cache:` unless given. */
  readonly keyPrefix?: string | undefined
  /** The longest a call waits for Redis; 50 milliseconds unless given. */
  readonly deadline?: Duration.DurationInput | undefined
  /** A longer answer is not kept; 1 MiB unless given. */
  readonly maxEntryBytes?: number | undefined
}

/** The longest that Redis can be told, by far. */
const mostMillis = 1e13

/** An answer as it lies in Redis: when it was kept, by generations, when it was made, and itself. */
const encode = ({ age, epoch }: Generations.Moment, { json, madeAt }: Kept): string =>
  `${epoch} ${age} ${madeAt}\n${json}`

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** What is not of this form was not kept by a cache. */
const decode = (text: string): { readonly moment: Generations.Moment; readonly kept: Kept } | undefined => {
  const end = text.indexOf("\n")
  const [, epoch, age, madeAt] = /^(\S+) (\d+) (\S+)$/u.exec(text.slice(0, Math.max(0, end))) ?? []
  const kept = { json: text.slice(end + 1), madeAt: Number(madeAt) }
  return epoch !== undefined && Number.isFinite(kept.madeAt) && isJson(kept.json)
    ? { moment: { epoch, age: Number(age) }, kept }
    : undefined
}

/**
 * Makes the cache on a connection of its own, which ends with the scope. Redis
 * away means nothing is found and nothing kept; an outage is logged once. Keys are
 * hashed; `forget` starts a new generation of the prefix instead of looking for
 * its keys.
 *
 * What an instance keeps counts as of what it last heard of `forget`, which it does
 * with each `get`: an answer that was asked for before and comes after is not
 * found again. When 500 prefixes have been forgotten, all is forgotten once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<ResultCache>, RedisTrouble.Trouble, Scope.Scope> =>
  Effect.gen(function*() {
    const away = yield* RedisAway.open({
      options,
      user: "the cache of answers",
      prefix: "causeway:cache:",
      scripts: Generations.scripts,
      deadline: options.deadline ?? "50 millis"
    })
    const { desk } = away
    const maxEntryBytes = options.maxEntryBytes ?? 1024 * 1024
    const generations = Generations.make(desk)
    const probe = Effect.zipRight(
      desk.use((redis) => redis.set(`${desk.prefix}!probe`, "1", "PX", 1000), `${desk.prefix}!probe`),
      generations.refresh
    )

    yield* away.watch({ probe, meanwhile: "answers are not kept" })

    const ask = <A>(command: Effect.Effect<A, RedisTrouble.Trouble>, otherwise: A): Effect.Effect<A> =>
      Effect.suspend(() =>
        away.isAway()
          ? Effect.succeed(otherwise)
          : Effect.catchAll(desk.ask(command), (trouble) =>
            Effect.sync(() => {
              away.fall(trouble)
              return otherwise
            }))
      )

    /** The entry, and the generations as they are in Redis. */
    const read = (key: string): Effect.Effect<readonly [unknown, unknown], RedisTrouble.Trouble> =>
      desk.isCluster
        ? Effect.all([
          desk.use((redis) => redis.get(key), key),
          desk.use((redis) => redis.get(generations.key), generations.key)
        ], { concurrency: 2 })
        : Effect.map(desk.use((redis) => redis.mget(key, generations.key)), ([entry, now]) => [entry, now])

    const find = (key: string): Effect.Effect<Option.Option<Kept>, RedisTrouble.Trouble> =>
      Effect.gen(function*() {
        const [entry, now] = yield* read(desk.keyOf(key))
        if (!generations.isKnown(now)) yield* generations.refresh
        const found = typeof entry === "string" ? decode(entry) : undefined
        return found !== undefined && generations.isCurrent(key, found.moment) ? Option.some(found.kept) : Option.none()
      })

    const keep = (key: string, kept: Kept, forMillis: number): Effect.Effect<void, RedisTrouble.Trouble> =>
      Effect.gen(function*() {
        const moment = generations.now() ?? (yield* generations.refresh)
        const name = desk.keyOf(key)
        const isKept = forMillis > 0 && Buffer.byteLength(kept.json) <= maxEntryBytes
        const command = async (redis: Redis): Promise<unknown> =>
          isKept
            ? redis.set(name, encode(moment, kept), "PX", Math.ceil(Math.min(forMillis, mostMillis)))
            : redis.del(name)
        yield* desk.use(command, name)
      })

    return {
      get: (key) => ask(find(key), Option.none()),
      set: (key, kept, forMillis) => ask(keep(key, kept, forMillis), undefined),
      forget: (prefix) => ask(generations.forget(prefix), undefined)
    }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<ResultCache, RedisTrouble.Trouble> =>
  Layer.scoped(ResultCache, make(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<ResultCache, RedisTrouble.Trouble | ConfigError.ConfigError> =>
  Layer.scoped(ResultCache, Effect.flatMap(Config.unwrap(options), make))
