/**
 * Keeps answers for calls that ask the same again.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

/**
 * An answer that was kept: JSON text, and the moment it was made, in
 * milliseconds since the epoch by the `Clock`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Kept {
  readonly json: string
  readonly madeAt: number
}

/**
 * Keys hold the caller where they must; the cache compares them whole and never
 * looks into them. It never fails: what cannot be asked in time is not there, and
 * what cannot be kept is not kept.
 *
 * @since 0.1.0
 * @category tags
 */
export class ResultCache extends Context.Tag("causeway/ResultCache")<ResultCache, {
  /** What was kept under the key and is not older than it was to be. Already an `Exit` in memory. */
  readonly get: (key: string) => Effect.Effect<Option.Option<Kept>>
  /**
   * Keeps an answer for so many milliseconds from now; one over the size limit is
   * not kept, and what was kept before is not either.
   */
  readonly set: (key: string, kept: Kept, forMillis: number) => Effect.Effect<void>
  /** Forgets every key that begins with this: a tool's, or a tenant's of a tool. */
  readonly forget: (prefix: string) => Effect.Effect<void>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface MemoryOptions {
  /** Bytes of all answers together, about; 64 MiB unless given. The longest unused go first. */
  readonly maxBytes?: number | undefined
  /** A longer answer is not kept; 1 MiB unless given. */
  readonly maxEntryBytes?: number | undefined
}

/** What an answer takes beside its text and its key, in bytes, about. */
const overhead = 200

/** The longest time that is kept to: more would not fit a timer of any store. */
const mostMillis = 1e13

/**
 * Makes a cache in this process. Ages are told by the `Clock`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: MemoryOptions = {}): Effect.Effect<Context.Tag.Service<ResultCache>> =>
  Effect.map(Effect.clock, (clock) => {
    const maxBytes = options.maxBytes ?? 64 * 1024 * 1024
    const maxEntryBytes = options.maxEntryBytes ?? 1024 * 1024
    /** The longest unused first. */
    const entries = new Map<string, { readonly kept: Kept; readonly until: number; readonly bytes: number }>()
    let bytes = 0

    // The nanoseconds do not jump with the date.
    const now = (): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

    const remove = (key: string): void => {
      bytes -= entries.get(key)?.bytes ?? 0
      entries.delete(key)
    }

    return {
      get: (key) => {
        const found = entries.get(key)
        if (found === undefined) return nothing
        entries.delete(key)
        if (found.until <= now()) {
          bytes -= found.bytes
          return nothing
        }
        entries.set(key, found)
        return Exit.succeed(Option.some(found.kept))
      },
      set: (key, kept, forMillis) =>
        Effect.sync(() => {
          remove(key)
          const length = Buffer.byteLength(kept.json)
          const size = length + 2 * key.length + overhead
          if (!(forMillis > 0) || length > maxEntryBytes || size > maxBytes) return
          bytes += size
          entries.set(key, {
            kept,
            until: now() + Math.min(forMillis, mostMillis),
            bytes: size
          })
          for (const oldest of entries.keys()) {
            if (bytes <= maxBytes) return
            remove(oldest)
          }
        }),
      forget: (prefix) =>
        Effect.sync(() => {
          for (const key of entries.keys()) if (key.startsWith(prefix)) remove(key)
        })
    }
  })

const nothing = Exit.succeed(Option.none<Kept>())

/**
 * Keeps answers in this process.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<ResultCache> = Layer.effect(ResultCache, make())
