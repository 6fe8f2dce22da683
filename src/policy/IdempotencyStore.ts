/**
 * Remembers which calls were made and what they were answered, so that one that
 * is sent again is not made again.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import * as Expiries from "./internal/Expiries.js"

/**
 * The store did not answer in time.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Schema.TaggedError<Unavailable>("causeway/IdempotencyStore/Unavailable")(
  "Unavailable",
  { cause: Schema.optionalWith(Schema.Defect, { exact: true }) }
) {
  get isRetryable(): boolean {
    return true
  }
  override get message(): string {
    return "the store of idempotency keys did not answer"
  }
}

/**
 * What is known of a key: nobody made the call yet, and whoever asked now holds
 * it until the lease is over; someone is making it; it was made with other
 * arguments; or it was answered.
 *
 * @since 0.1.0
 * @category models
 */
export type Claim =
  | { readonly _tag: "Claimed"; readonly token: string }
  | { readonly _tag: "Running"; readonly leaseMillis: number }
  | { readonly _tag: "Mismatch" }
  | { readonly _tag: "Answered"; readonly json: string }

/**
 * Keys hold the caller and the tool; the store compares them whole. A holder
 * that dies leaves the key free when its lease is over: the call may then be made
 * again, since nobody knows whether it was.
 *
 * @since 0.1.0
 * @category tags
 */
export class IdempotencyStore extends Context.Tag("causeway/IdempotencyStore")<IdempotencyStore, {
  /** `fingerprint` is of the arguments. One claim of many at once is `Claimed`. */
  readonly claim: (key: string, fingerprint: string, leaseMillis: number) => Effect.Effect<Claim, Unavailable>
  /** Prolongs a lease; false when it was lost. */
  readonly extend: (key: string, token: string, leaseMillis: number) => Effect.Effect<boolean, Unavailable>
  /**
   * Keeps the answer for so long, unless the lease was lost meanwhile: then it
   * changes nothing and gives false. An answer of over 1 MiB is not kept either:
   * the key is given back, as by `release`, and it gives false.
   */
  readonly answer: (key: string, token: string, json: string, keepMillis: number) => Effect.Effect<boolean, Unavailable>
  /** Gives the key back: the call came to nothing and may be made anew. */
  readonly release: (key: string, token: string) => Effect.Effect<void, Unavailable>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface MemoryOptions {
  /** Bytes of all answers together, about; 64 MiB unless given. Over that the oldest answers go. */
  readonly maxBytes?: number | undefined
}

/**
 * The longest answer that is kept, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxAnswerBytes = 1024 * 1024

/** What is known of a key until `at`. */
interface Entry extends Expiries.Expiring {
  at: number
  readonly key: string
  readonly fingerprint: string
  readonly token: string
  json: string | undefined
  bytes: number
}

/** What an answer takes beside its text and its key, in bytes, about. */
const overhead = 300

/**
 * Makes a store in this process. Leases are told by the `Clock`. Calls that are
 * being made are remembered however many they are.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: MemoryOptions = {}): Effect.Effect<Context.Tag.Service<IdempotencyStore>> =>
  Effect.map(Effect.clock, (clock) => {
    const maxBytes = options.maxBytes ?? 64 * 1024 * 1024
    const entries = new Map<string, Entry>()
    const expiries = Expiries.make<Entry>()
    /** Those that were answered, the oldest first. */
    const answered = new Set<Entry>()
    let bytes = 0

    const remove = (entry: Entry): void => {
      entries.delete(entry.key)
      expiries.remove(entry)
      answered.delete(entry)
      bytes -= entry.bytes
    }

    const keepUntil = (entry: Entry, at: number): void => {
      expiries.remove(entry)
      entry.at = at
      expiries.add(entry)
    }

    /** What is over goes, and the time now is given. */
    const pass = (): number => {
      // The nanoseconds do not jump with the date.
      const now = Number(clock.unsafeCurrentTimeNanos()) / 1e6
      for (let first = expiries.first(); first !== undefined && first.at <= now; first = expiries.first()) remove(first)
      return now
    }

    /** The entry of who still holds the key. */
    const held = (key: string, token: string): Entry | undefined => {
      const entry = entries.get(key)
      return entry?.token === token && entry.json === undefined ? entry : undefined
    }

    return {
      claim: (key, fingerprint, leaseMillis) =>
        Effect.sync((): Claim => {
          const now = pass()
          const found = entries.get(key)
          if (found === undefined) {
            const entry: Entry = {
              at: now + leaseMillis,
              index: -1,
              key,
              fingerprint,
              token: randomUUID(),
              json: undefined,
              bytes: 0
            }
            entries.set(key, entry)
            expiries.add(entry)
            return { _tag: "Claimed", token: entry.token }
          }
          if (found.fingerprint !== fingerprint) return { _tag: "Mismatch" }
          return found.json === undefined
            ? { _tag: "Running", leaseMillis: Math.ceil(found.at - now) }
            : { _tag: "Answered", json: found.json }
        }),
      extend: (key, token, leaseMillis) =>
        Effect.sync(() => {
          const now = pass()
          const entry = held(key, token)
          if (entry === undefined) return false
          keepUntil(entry, now + leaseMillis)
          return true
        }),
      answer: (key, token, json, keepMillis) =>
        Effect.sync(() => {
          const now = pass()
          const entry = held(key, token)
          if (entry === undefined) return false
          const length = Buffer.byteLength(json)
          if (length > maxAnswerBytes) {
            remove(entry)
            return false
          }
          entry.json = json
          entry.bytes = length + 2 * key.length + overhead
          bytes += entry.bytes
          answered.add(entry)
          keepUntil(entry, now + keepMillis)
          for (const oldest of answered) {
            if (bytes <= maxBytes) break
            remove(oldest)
          }
          return true
        }),
      release: (key, token) =>
        Effect.sync(() => {
          pass()
          const entry = held(key, token)
          if (entry !== undefined) remove(entry)
        })
    }
  })

/**
 * Remembers in this process.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<IdempotencyStore> = Layer.effect(IdempotencyStore, make())
