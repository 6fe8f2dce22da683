/**
 * What the stores of policies in Redis have in common: a connection that is asked
 * with patience of a known length, and keys that no text of a user can forge.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { Redis } from "ioredis"
import { createHash } from "node:crypto"
import * as RedisCluster from "../../redis/RedisCluster.js"
import * as RedisConnection from "../../redis/RedisConnection.js"
import * as RedisTrouble from "../../redis/RedisTrouble.js"
import * as TimeLimit from "../TimeLimit.js"

/**
 * A script, and the name under which a client to a single server has it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Script {
  readonly name: string
  readonly lua: string
}

/**
 * What a store needs to be opened.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  readonly options: RedisConnection.Options & { readonly keyPrefix?: string | undefined }
  /** Who uses Redis, for messages: `the rate limiter`. */
  readonly user: string
  readonly prefix: string
  readonly scripts: ReadonlyArray<Script>
  /** The longest wait, in milliseconds; that of the connection unless given. */
  readonly deadline?: Duration.DurationInput | undefined
  /** Hears of trouble instead of the log; of a single server only. */
  readonly report?: RedisConnection.Report | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Desk {
  /**
   * Sends a command for this key, and waits for its reply no longer than the
   * deadline or the call's `TimeLimit`. A reply that comes when nobody waits for it any
   * more is given to `onLate`.
   */
  readonly ask: <A>(
    command: Effect.Effect<A, RedisTrouble.Trouble>,
    onLate?: (value: A) => Effect.Effect<void>
  ) => Effect.Effect<A, RedisTrouble.Trouble>
  readonly use: RedisConnection.Connection["use"]
  /** Runs a script on keys that lie together; in a cluster whole, since a node may not have read it. */
  readonly run: (
    script: Script,
    keys: ReadonlyArray<string>,
    given: ReadonlyArray<string | number>
  ) => Effect.Effect<unknown, RedisTrouble.Trouble>
  /** Runs an effect that nobody waits for. */
  readonly fork: (effect: Effect.Effect<unknown, unknown>) => void
  readonly keyOf: (text: string) => string
  readonly isCluster: boolean
  /** What Redis is called in the log. */
  readonly name: string
  readonly prefix: string
}

/** What the driver makes of the scripts, which its type cannot know. */
type Scripted = Readonly<Record<string, (...given: ReadonlyArray<string | number>) => Promise<unknown>>>

/**
 * What a text is called in a key. Short and harmless ones are legible; others are
 * digested, by their UTF-16 units, of which halves of a pair are also told apart.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nameOf = (text: string): string =>
  /^[\w.:@/-]{1,64}$/u.test(text) ? text : `#${createHash("sha256").update(text, "utf16le").digest("base64url")}`

const late = new RedisTrouble.Unavailable({ cause: new Error("Redis took longer than it may") })

/**
 * Why a call that had hardly any time left was not answered; it says nothing of
 * Redis.
 *
 * @since 0.1.0
 * @category errors
 */
export const hurried = new RedisTrouble.Unavailable({ cause: new Error("the call had no more time to wait for Redis") })

/** Commands of one turn of the loop are written at once: a write for each costs more than all else of them. */
const gather = ({ stream }: Redis): void => {
  if (stream.writableCorked > 0) return
  stream.cork()
  process.nextTick(() => stream.uncork())
}

const understood = (settings: Settings): Either.Either<RedisConnection.Settings, string> => {
  if (/[{}]/u.test(settings.options.keyPrefix ?? "")) {
    return Either.left(`the key prefix of ${settings.user} must not have braces`)
  }
  return Either.map(RedisConnection.settings(settings.options, settings.user), (known) => ({
    ...known,
    scripts: Object.fromEntries(settings.scripts.map(({ lua, name }) => [name, { lua }])),
    ...(settings.report === undefined || known.seeds !== undefined ? {} : { report: settings.report })
  }))
}

/**
 * Begins to connect, and succeeds at once: also while Redis is away.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (settings: Settings): Effect.Effect<Desk, RedisTrouble.Misconfigured, Scope.Scope> =>
  Effect.gen(function*() {
    const known = yield* Effect.mapError(
      understood(settings),
      (description) => new RedisTrouble.Misconfigured({ description })
    )
    const deadline = settings.deadline === undefined ? known.commandTimeout : Duration.toMillis(settings.deadline)
    if (!(deadline > 0 && deadline < 2 ** 31)) {
      return yield* Effect.fail(
        new RedisTrouble.Misconfigured({
          description: `the deadline of ${settings.user} must be above zero and finite`
        })
      )
    }
    const connection = yield* known.seeds === undefined
      ? RedisConnection.make(known)
      : RedisCluster.make(known, known.seeds)
    const runtime = yield* Effect.runtime<never>()
    const clock = yield* Effect.clock
    const fork = Runtime.runFork(runtime)
    const isCluster = known.seeds !== undefined
    const prefix = settings.options.keyPrefix ?? settings.prefix

    const ask: Desk["ask"] = <A>(
      command: Effect.Effect<A, RedisTrouble.Trouble>,
      onLate?: (value: A) => Effect.Effect<void>
    ) =>
      Effect.withFiberRuntime<A, RedisTrouble.Trouble>((fiber) => {
        const limit = fiber.getFiberRef(TimeLimit.current)
        const left = limit === Infinity ? deadline : limit - Number(clock.unsafeCurrentTimeNanos()) / 1e6
        return Effect.async<A, RedisTrouble.Trouble>((resume) => {
          let isOver = false
          const giveUp = () => {
            if (isOver) return
            isOver = true
            resume(Exit.fail(left < deadline ? hurried : late))
          }
          // When this process itself was held up, the reply lies unread, and is read before the next immediate.
          const timer = setTimeout(() => setImmediate(giveUp), Math.max(0, Math.min(deadline, left)))
          fork(command).addObserver((exit) => {
            clearTimeout(timer)
            if (!isOver) {
              isOver = true
              resume(exit)
            } else if (Exit.isSuccess(exit) && onLate !== undefined) fork(onLate(exit.value))
          })
          return Effect.sync(() => {
            clearTimeout(timer)
            isOver = true
          })
        })
      })

    const run: Desk["run"] = (script, keys, given) =>
      connection.use((redis) => {
        if (isCluster) return redis.eval(script.lua, keys.length, ...keys, ...given)
        gather(redis)
        const command = (redis as Redis & Scripted)[script.name]
        return command === undefined
          ? Promise.reject(new Error("the script is unknown"))
          : command.call(redis, keys.length, ...keys, ...given)
      }, keys[0])

    return {
      ask,
      use: connection.use,
      run,
      fork,
      keyOf: (text) => prefix + nameOf(text),
      isCluster,
      name: RedisConnection.nameOf(known.address),
      prefix
    }
  })
