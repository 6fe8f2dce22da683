/**
 * Remembers in Redis which calls were made, for all instances.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import type * as RedisConnection from "../redis/RedisConnection.js"
import * as RedisTrouble from "../redis/RedisTrouble.js"
import type { Claim } from "./IdempotencyStore.js"
import { IdempotencyStore, maxAnswerBytes, Unavailable } from "./IdempotencyStore.js"
import * as RedisDesk from "./internal/RedisDesk.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends RedisConnection.Options {
  /** Without braces; `causeway:idempotency:` unless given. */
  readonly keyPrefix?: string | undefined
}

/**
 * A key is a hash of the fingerprint, the token of who holds it, and the answer
 * once there is one. It lives as long as the lease, and then as the answer is kept:
 * so Redis, by its own clock, frees it.
 */
const claim: RedisDesk.Script = {
  name: "claimIdempotencyKey",
  lua: `
local kept = redis.call('HMGET', KEYS[1], 'fingerprint', 'json')
if not kept[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'token', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return { 'claimed' }
end
if kept[1] ~= ARGV[1] then return { 'mismatch' } end
if kept[2] then return { 'answered', kept[2] } end
return { 'running', redis.call('PTTL', KEYS[1]) }
`
}

/** Does one thing for who holds the key, and nothing for others; 1 when it was done. */
const held = (name: string, what: string): RedisDesk.Script => ({
  name,
  lua: `
local kept = redis.call('HMGET', KEYS[1], 'token', 'json')
if kept[1] ~= ARGV[1] or kept[2] then return 0 end
${what}
return 1
`
})

const extend = held("extendIdempotencyKey", "redis.call('PEXPIRE', KEYS[1], ARGV[2])")

const answer = held(
  "answerIdempotencyKey",
  "redis.call('HSET', KEYS[1], 'json', ARGV[3])\nredis.call('PEXPIRE', KEYS[1], ARGV[2])"
)

const release = held("releaseIdempotencyKey", "redis.call('DEL', KEYS[1])")

/** The longest that Redis can be told, by far. */
const mostMillis = 1e13

const millisOf = (millis: number): string => String(Math.max(1, Math.ceil(Math.min(millis, mostMillis))))

const unreadable = new RedisTrouble.Unavailable({ cause: new Error("Redis replied with something else") })

const decode = (reply: unknown, token: string): Effect.Effect<Claim, RedisTrouble.Trouble> => {
  const [word, value]: ReadonlyArray<unknown> = Array.isArray(reply) ? reply : []
  if (word === "claimed") return Effect.succeed({ _tag: "Claimed", token })
  if (word === "mismatch") return Effect.succeed({ _tag: "Mismatch" })
  if (word === "answered" && typeof value === "string") return Effect.succeed({ _tag: "Answered", json: value })
  if (word === "running" && Number.isSafeInteger(value)) {
    return Effect.succeed({ _tag: "Running", leaseMillis: Math.max(1, Number(value)) })
  }
  return Effect.fail(unreadable)
}

/**
 * Makes the store on a connection of its own, which ends with the scope. It opens
 * also while Redis is away. A claim whose reply comes too late is given back. When
 * Redis loses what it held, so does the store: a key is then free again, and an
 * answer to it false.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<IdempotencyStore>, RedisTrouble.Trouble, Scope.Scope> =>
  Effect.gen(function*() {
    const desk = yield* RedisDesk.make({
      options,
      user: "the store of idempotency keys",
      prefix: "causeway:idempotency:",
      scripts: [claim, extend, answer, release]
    })

    const ask = <A>(command: Effect.Effect<A, RedisTrouble.Trouble>, onLate?: (value: A) => Effect.Effect<void>) =>
      Effect.mapError(
        desk.ask(command, onLate),
        // What is wrong with the settings stands in the log, and is no business of a call's.
        ({ cause }) => new Unavailable(cause === undefined ? {} : { cause })
      )

    const did = (script: RedisDesk.Script, key: string, given: ReadonlyArray<string>) =>
      Effect.flatMap(desk.run(script, [desk.keyOf(key)], given), (reply) =>
        reply === 1 || reply === 0 ? Effect.succeed(reply === 1) : Effect.fail(unreadable))

    return {
      claim: (key, fingerprint, leaseMillis) =>
        Effect.suspend(() => {
          const token = randomUUID()
          const given = [RedisDesk.nameOf(fingerprint), token, millisOf(leaseMillis)]
          return ask(
            Effect.flatMap(desk.run(claim, [desk.keyOf(key)], given), (reply) =>
              decode(reply, token)),
            (late) => late._tag === "Claimed" ? Effect.ignore(did(release, key, [token])) : Effect.void
          )
        }),
      extend: (key, token, leaseMillis) => ask(did(extend, key, [token, millisOf(leaseMillis)])),
      answer: (key, token, json, keepMillis) =>
        Effect.suspend(() =>
          Buffer.byteLength(json) > maxAnswerBytes
            ? Effect.as(ask(did(release, key, [token])), false)
            : ask(did(answer, key, [token, millisOf(keepMillis), json]))
        ),
      release: (key, token) => Effect.asVoid(ask(did(release, key, [token])))
    }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<IdempotencyStore, RedisTrouble.Trouble> =>
  Layer.scoped(IdempotencyStore, make(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<IdempotencyStore, RedisTrouble.Trouble | ConfigError.ConfigError> =>
  Layer.scoped(IdempotencyStore, Effect.flatMap(Config.unwrap(options), make))
