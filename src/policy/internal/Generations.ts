/**
 * Which prefixes of keys were forgotten, and when, as several instances know it
 * through Redis.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { createHash, randomUUID } from "node:crypto"
import * as RedisTrouble from "../../redis/RedisTrouble.js"
import type * as RedisDesk from "./RedisDesk.js"

/**
 * When something was kept: after so many prefixes had been forgotten, in an epoch
 * that ends when Redis loses them or they are too many.
 *
 * @since 0.1.0
 * @category models
 */
export interface Moment {
  readonly epoch: string
  readonly age: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Generations {
  /** The key in Redis under which the present moment lies, as text. */
  readonly key: string
  /** Whether that text is what is known here. */
  readonly isKnown: (text: unknown) => boolean
  readonly now: () => Moment | undefined
  /** Learns what was forgotten since. */
  readonly refresh: Effect.Effect<Moment, RedisTrouble.Trouble>
  readonly forget: (prefix: string) => Effect.Effect<void, RedisTrouble.Trouble>
  /** Whether a key that was kept then has not been forgotten since. */
  readonly isCurrent: (key: string, moment: Moment) => boolean
}

const maxMarks = 500

/**
 * The first key is the moment, as epoch, age and the number of prefixes; the
 * second the prefixes, by when they were forgotten last. When Redis has evicted
 * one of the two, what was forgotten could come back: so a new epoch begins. Each
 * answers the epoch, the age and what is new since the one that is given.
 */
const common = `
local text = redis.call('GET', KEYS[1])
local epoch, age, count
if text then epoch, age, count = string.match(text, '^(%S+) (%d+) (%d+)$') end
if not epoch or redis.call('ZCARD', KEYS[2]) ~= tonumber(count) then
  redis.call('DEL', KEYS[2])
  epoch, age = ARGV[1], '0'
  redis.call('SET', KEYS[1], epoch .. ' 0 0')
end
local function news()
  local since = '-inf'
  if ARGV[2] == epoch then since = '(' .. ARGV[3] end
  return { epoch, age, redis.call('ZRANGEBYSCORE', KEYS[2], since, '+inf', 'WITHSCORES') }
end
`

const learnScript: RedisDesk.Script = { name: "learnForgotten", lua: `${common}return news()` }

const forgetScript: RedisDesk.Script = {
  name: "forgetPrefix",
  lua: `${common}
age = string.format('%.0f', tonumber(age) + 1)
redis.call('ZADD', KEYS[2], age, ARGV[4])
if redis.call('ZCARD', KEYS[2]) > ${maxMarks} then
  redis.call('DEL', KEYS[2])
  epoch, age = ARGV[1], '0'
end
redis.call('SET', KEYS[1], epoch .. ' ' .. age .. ' ' .. redis.call('ZCARD', KEYS[2]))
return news()
`
}

/**
 * @since 0.1.0
 * @category constants
 */
export const scripts: ReadonlyArray<RedisDesk.Script> = [learnScript, forgetScript]

const digest = (text: string): string => createHash("sha256").update(text, "utf16le").digest("base64url")

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (desk: RedisDesk.Desk): Generations => {
  // No name of a key has a brace: these two lie together, and apart from all others.
  const keys = [`${desk.prefix}{generations}:now`, `${desk.prefix}{generations}:forgotten`] as const
  /** By the length of a prefix and its digest, the age at which it was forgotten last. */
  let marks = new Map<number, Map<string, number>>()
  let known: Moment | undefined

  const learn = (reply: unknown): Effect.Effect<Moment, RedisTrouble.Trouble> =>
    Effect.suspend(() => {
      const [epoch, age, news]: ReadonlyArray<unknown> = Array.isArray(reply) ? reply : []
      if (typeof epoch !== "string" || typeof age !== "string" || !Array.isArray(news)) {
        return Effect.fail(new RedisTrouble.Unavailable({ cause: new Error("Redis replied with something else") }))
      }
      if (known?.epoch !== epoch) marks = new Map()
      for (let index = 0; index + 1 < news.length; index += 2) {
        const [length = "", digest = ""] = String(news[index]).split(":")
        const ofLength = marks.get(Number(length)) ?? new Map<string, number>()
        const age = Math.max(ofLength.get(digest) ?? 0, Number(news[index + 1]))
        marks.set(Number(length), ofLength.set(digest, age))
      }
      // Replies may come in another order than they were asked for.
      if (known?.epoch !== epoch || known.age < Number(age)) known = { epoch, age: Number(age) }
      return Effect.succeed(known)
    })

  const run = (script: RedisDesk.Script, more: ReadonlyArray<string>) =>
    Effect.suspend(() =>
      Effect.flatMap(
        desk.run(script, keys, [randomUUID(), known?.epoch ?? "", String(known?.age ?? 0), ...more]),
        learn
      )
    )

  return {
    key: keys[0],
    isKnown: (text) =>
      known !== undefined && typeof text === "string" && text.startsWith(`${known.epoch} ${known.age} `),
    now: () => known,
    refresh: run(learnScript, []),
    forget: (prefix) => Effect.asVoid(run(forgetScript, [`${prefix.length}:${digest(prefix)}`])),
    isCurrent: (key, moment) => {
      if (moment.epoch !== known?.epoch) return false
      for (const [length, ofLength] of marks) {
        if (length > key.length) continue
        const forgotten = ofLength.get(digest(key.slice(0, length)))
        if (forgotten !== undefined && forgotten > moment.age) return false
      }
      return true
    }
  }
}
