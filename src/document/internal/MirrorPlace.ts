/**
 * How far the copy of a tenant has come, and how long ago it was last known to
 * hold everything.
 *
 * Nothing but an answer of the store below tells that a copy is complete: when the
 * store says that it has come to a revision, a copy that has come there, too, holds all
 * that was acknowledged before the question was put. Changes that were heard tell
 * nothing of those that were not.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * What was known when the store below was asked how far it has come.
 *
 * @since 0.1.0
 * @category models
 */
export interface Asked {
  readonly at: number
  readonly applied: number | undefined
  readonly written: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface MirrorPlace {
  /** The revision up to which everything was applied; absent while the documents are copied. */
  readonly applied: () => number | undefined
  readonly reached: (revision: number) => void
  /** To be called before the store below is asked for its revision. */
  readonly ask: (now: number) => Asked
  /** What the store below said; false when it has not even come to where this copy is, as after a restore from a backup. */
  readonly told: (asked: Asked, revision: number) => boolean
  /** This process wrote something, under a revision that is not known yet. */
  readonly wrote: () => void
  /** This process was told of a revision: a search from here on must show it. */
  readonly heard: (revision: number) => void
  /** The copy must not be searched any more: it is made anew. */
  readonly lost: () => void
  /** What was asked before the documents are read, which will hold all that was written until then. */
  readonly begun: (asked: Asked) => void
  /** How many milliseconds ago the copy was last known to hold everything; absent when it must not be searched. */
  readonly behind: (now: number) => number | undefined
}

/** More answers than these wait for no copy: the oldest of them tell enough. */
const mostOpen = 64

/**
 * Milliseconds of a clock that does not jump with the date.
 *
 * @since 0.1.0
 * @category accessors
 */
export const now: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): MirrorPlace => {
  const open: Array<{ readonly at: number; readonly revision: number }> = []
  let applied: number | undefined
  let asOf: number | undefined
  let needed = 0
  /** Counts the writes of this process, and those whose revision is at most `needed`. */
  let written = 0
  let settled = 0

  const settle = (): void => {
    for (let next = open[0]; next !== undefined && next.revision <= (applied ?? -1); next = open[0]) {
      asOf = next.at
      open.shift()
    }
  }

  return {
    applied: () => applied,
    reached: (revision) => {
      applied = revision
      settle()
    },
    ask: (at) => ({ at, applied, written }),
    told: (asked, revision) => {
      if (revision < (asked.applied ?? 0)) return false
      if (asked.written > settled) {
        settled = asked.written
        needed = Math.max(needed, revision)
      }
      if (open.length < mostOpen) open.push({ at: asked.at, revision })
      settle()
      return true
    },
    wrote: () => {
      written++
    },
    heard: (revision) => {
      needed = Math.max(needed, revision)
    },
    lost: () => {
      open.length = 0
      applied = undefined
      asOf = undefined
      needed = 0
    },
    begun: (asked) => {
      settled = asked.written
    },
    behind: (now) =>
      asOf === undefined || applied === undefined || applied < needed || settled < written
        ? undefined
        : Math.max(0, now - asOf)
  }
}
