/**
 * Remembers how far a copy must be for each tenant to see what this process
 * wrote.
 *
 * @since 0.1.0
 */
import type { Place } from "./RegionPlace.js"

/**
 * How far a copy must have replayed; `unknown` when only the primary is sure to
 * have it, `undefined` when any copy will do.
 *
 * @since 0.1.0
 * @category models
 */
export type Need = bigint | "unknown" | undefined

/**
 * The greater of two needs.
 *
 * @since 0.1.0
 * @category combinators
 */
export const both = (self: Need, that: Need): Need => {
  if (self === "unknown" || that === "unknown") return "unknown"
  if (self === undefined || that === undefined) return self ?? that
  return self > that ? self : that
}

interface Entry {
  readonly need: bigint | "unknown"
  /** When the last write returned. */
  readonly at: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Tokens {
  /** What a tenant wrote is in the primary's log before this place; `unknown` when it could not be asked. */
  readonly wrote: (tenant: string, need: bigint | "unknown", at: number) => void
  readonly need: (tenant: string) => Need
  /** Where the primary was seen to stand: what was written before it was asked is in its log up to there. */
  readonly seen: (place: Place) => void
  /** The primary's log does not go on where it was: whatever it still has, it has up to here. */
  readonly cut: (lsn: bigint) => void
}

/** Tenants beyond these share one place, that of the last of them to write: some reads wait that need not. */
const most = 10_000

const merged = (self: Entry | undefined, that: Entry): Entry => {
  if (self === undefined) return that
  const need = both(self.need, that.need)
  return { need: need ?? that.need, at: Math.max(self.at, that.at) }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Tokens => {
  const entries = new Map<string, Entry>()
  let others: Entry | undefined
  let unknowns = 0

  const everywhere = (change: (entry: Entry) => Entry): void => {
    for (const [tenant, entry] of entries) entries.set(tenant, change(entry))
    if (others !== undefined) others = change(others)
  }

  return {
    need: (tenant) => (entries.get(tenant) ?? others)?.need,
    wrote: (tenant, need, at) => {
      const entry = merged(entries.get(tenant), { need, at })
      if (need === "unknown") unknowns++
      entries.delete(tenant)
      entries.set(tenant, entry)
      if (entries.size <= most) return
      for (const [oldest, left] of entries) {
        entries.delete(oldest)
        others = merged(others, left)
        break
      }
    },
    seen: ({ askedAt, lsn }) => {
      if (unknowns === 0) return
      unknowns = 0
      everywhere((entry) => {
        if (entry.need !== "unknown") return entry
        if (entry.at <= askedAt) return { need: lsn, at: entry.at }
        unknowns++
        return entry
      })
    },
    cut: (lsn) =>
      everywhere((entry) => entry.need === "unknown" || entry.need <= lsn ? entry : { need: lsn, at: entry.at })
  }
}
