/**
 * Remembers of the filters used last which passages pass, so that a filter that
 * comes again costs little.
 *
 * @since 0.1.0
 */
import type * as Filter from "./Filter.js"

/**
 * Not looked at yet.
 *
 * @since 0.1.0
 * @category configuration
 */
export const unknown = 0

/**
 * @since 0.1.0
 * @category configuration
 */
export const passes = 1

/**
 * @since 0.1.0
 * @category configuration
 */
export const fails = 2

/**
 * @since 0.1.0
 * @category models
 */
export interface Verdicts {
  /** What is known under a filter by slot, for so many slots, to be read and added to. */
  readonly of: (filter: Filter.Compiled, slots: number) => Uint8Array
  /** Another passage has the slot now. */
  readonly forget: (slot: number) => void
}

/** How many filters are remembered, at a byte per passage. */
const most = 8

/** Infinity, which JSON does not know, is written out. */
const keyOf = ({ metadata, since, until }: Filter.Compiled): string =>
  JSON.stringify(
    [metadata, since, until],
    (_, value: unknown) => typeof value === "number" && !Number.isFinite(value) ? { number: String(value) } : value
  )

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Verdicts => {
  /** The one used last at the end. */
  const known = new Map<string, Uint8Array>()

  const fitted = (verdicts: Uint8Array | undefined, slots: number): Uint8Array => {
    if (verdicts !== undefined && verdicts.length >= slots) return verdicts
    const larger = new Uint8Array(slots + (slots >> 2))
    if (verdicts !== undefined) larger.set(verdicts)
    return larger
  }

  return {
    of: (filter, slots) => {
      // ids in a filter are as many as the caller likes: no key is made of them
      if (filter.documentIds !== undefined) return new Uint8Array(slots)
      const key = keyOf(filter)
      const verdicts = fitted(known.get(key), slots)
      known.delete(key)
      known.set(key, verdicts)
      for (const oldest of known.keys()) {
        if (known.size <= most) break
        known.delete(oldest)
      }
      return verdicts
    },
    forget: (slot) => {
      for (const verdicts of known.values()) if (slot < verdicts.length) verdicts[slot] = unknown
    }
  }
}
