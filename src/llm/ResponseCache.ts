/**
 * Keeps answers for equal questions: the contract, one that lives in memory, and
 * the key that tells questions apart.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import { createHash } from "node:crypto"
import type * as Chat from "./Chat.js"
import type * as Llm from "./Llm.js"

/**
 * @since 0.1.0
 * @category models
 */
export type Answer = Chat.TextAnswer | Chat.ObjectAnswer

/**
 * @since 0.1.0
 * @category models
 */
export interface ResponseCache {
  /**
   * Never fails: a cache that cannot be read has nothing. Whoever asks waits for
   * it before a model is asked, so one that is far away bounds its own time.
   */
  readonly get: (key: string) => Effect.Effect<Option.Option<Answer>>
  readonly set: (key: string, answer: Answer) => Effect.Effect<void>
}

/** In every key, so that answers kept under other rules are not found. */
const keyVersion = "causeway-1"

/** All that shapes an answer; the compiler sees to it that nothing is left out. */
const shaping: { readonly [K in keyof Required<Omit<Llm.ObjectRequest, "validate">>]: true } = {
  messages: true,
  context: true,
  task: true,
  maxTokens: true,
  temperature: true,
  topP: true,
  seed: true,
  stop: true,
  tenant: true,
  labels: true,
  schema: true,
  schemaName: true
}

/**
 * The key of a question: a SHA-256 over all that shapes the answer, tenant and
 * method included, with the members of objects in one order. A member that is
 * `undefined` is as one that is absent, and the order of labels does not count.
 * `validate` is not in it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const keyOf = (
  method: "generateText" | "generateObject" | "streamText",
  model: { readonly provider: string; readonly model: string },
  request: Chat.Request & { readonly schema?: unknown; readonly schemaName?: string | undefined }
): string => {
  const shape: Array<readonly [string, unknown]> = []
  for (const [name, value] of Object.entries(request)) {
    if (Object.hasOwn(shaping, name)) {
      shape.push([name, name === "labels" && Array.isArray(value) ? [...new Set(value)].sort() : value])
    }
  }
  return createHash("sha256")
    .update(canonical([keyVersion, method, model.provider, model.model, Object.fromEntries(shape)]))
    .digest("hex")
}

const canonical = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (!Predicate.isRecord(value)) return Object.is(value, -0) ? "0" : String(value)
  const members: Array<string> = []
  for (const name of Object.keys(value).sort()) {
    if (value[name] !== undefined) members.push(`${JSON.stringify(name)}:${canonical(value[name])}`)
  }
  return `{${members.join(",")}}`
}

/**
 * Whether a question may be answered from a cache at all: only when it asks for
 * temperature 0 in so many words.
 *
 * @since 0.1.0
 * @category guards
 */
export const isCacheable = (request: Chat.Request): boolean => request.temperature === 0

interface Entry {
  /** As JSON, so that nobody holds what is kept and its length is known. */
  readonly json: string
  readonly until: number
}

/**
 * Makes a cache in memory that forgets the longest unused first, and each entry
 * after its time to live, a tenth more or less. Answers are kept as JSON: what
 * comes out is a copy, and one that cannot be written as JSON, or is longer than
 * all may be together, is not kept. Options out of their range are a defect, a
 * `RangeError` that names them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const memory = (options: {
  /** Answers kept at once; 1,000 unless given. */
  readonly capacity?: number | undefined
  /** 10 minutes unless given. */
  readonly timeToLive?: Duration.DurationInput | undefined
  /** Characters of all answers together; 16 million unless given. */
  readonly maxLength?: number | undefined
} = {}): Effect.Effect<ResponseCache> =>
  Effect.sync(() => {
    const { capacity, maxLength, timeToLive } = check(options)
    /** The first is the longest unused. */
    const entries = new Map<string, Entry>()
    let length = 0

    const forget = (key: string, entry: Entry): void => {
      entries.delete(key)
      length -= entry.json.length
    }

    const get = (key: string, now: number): Option.Option<Answer> => {
      const entry = entries.get(key)
      if (entry === undefined) return Option.none()
      if (entry.until <= now) {
        forget(key, entry)
        return Option.none()
      }
      entries.delete(key)
      entries.set(key, entry)
      return Option.some(JSON.parse(entry.json))
    }

    const set = (key: string, json: string, until: number): void => {
      const before = entries.get(key)
      if (before !== undefined) forget(key, before)
      if (json.length > maxLength) return
      entries.set(key, { json, until })
      length += json.length
      for (const [oldest, entry] of entries) {
        if (entries.size <= capacity && length <= maxLength) return
        forget(oldest, entry)
      }
    }

    return {
      get: (key) => Effect.clockWith((clock) => Effect.succeed(get(key, steady(clock.unsafeCurrentTimeNanos())))),
      set: (key, answer) =>
        Effect.clockWith((clock) =>
          Effect.map(Random.nextRange(0.9, 1.1), (jitter) => {
            const json = toJson(answer)
            if (json !== undefined) set(key, json, steady(clock.unsafeCurrentTimeNanos()) + timeToLive * jitter)
          })
        )
    }
  })

const steady = (nanos: bigint): number => Number(nanos) / 1_000_000

/** A value of a foreign model may have no end or be nested too deep for JSON. */
const toJson = (answer: Answer): string | undefined => {
  try {
    return JSON.stringify(answer)
  } catch {
    return undefined
  }
}

const check = (options: NonNullable<Parameters<typeof memory>[0]>) => {
  const whole = (name: "capacity" | "maxLength", otherwise: number): number => {
    const value = options[name] ?? otherwise
    if (!(Number.isInteger(value) && value >= 1)) {
      throw new RangeError(`${name} has to be a whole number of at least 1; it is ${value}.`)
    }
    return value
  }
  const timeToLive = Option.match(Duration.decodeUnknown(options.timeToLive ?? "10 minutes"), {
    onNone: () => Number.NaN,
    onSome: Duration.toMillis
  })
  if (!(timeToLive > 0)) {
    throw new RangeError(`timeToLive has to be a duration above zero; it is ${String(options.timeToLive)}.`)
  }
  return { capacity: whole("capacity", 1_000), maxLength: whole("maxLength", 16_000_000), timeToLive }
}
