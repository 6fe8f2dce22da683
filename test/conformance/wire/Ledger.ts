/**
 * What the handlers of a wire test's server did, and what holds them up.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

export interface Ledger {
  readonly count: (what: string) => number
  readonly add: (what: string, by: number) => void
  /** Counts how often an effect has begun, finished and been interrupted. */
  readonly watched: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Waits until the gate is opened. */
  readonly gate: (name: string) => Effect.Effect<void>
  readonly open: (name: string) => void
  /** The notes that `resources/list` tells of; a test may change it. */
  notes: ReadonlyArray<string>
}

export const make = (): Ledger => {
  const counts = new Map<string, number>()
  const opened = new Set<string>()
  const waiting = new Map<string, Set<() => void>>()
  const add: Ledger["add"] = (what, by) => void counts.set(what, (counts.get(what) ?? 0) + by)
  return {
    count: (what) => counts.get(what) ?? 0,
    add,
    watched: (name, effect) =>
      Effect.acquireUseRelease(
        Effect.sync(() => add(`${name} begun`, 1)),
        () => effect,
        (_, exit) => Effect.sync(() => add(`${name} ${Exit.isInterrupted(exit) ? "interrupted" : "finished"}`, 1))
      ),
    gate: (name) =>
      Effect.async<void>((resume) => {
        if (opened.has(name)) return resume(Effect.void)
        const mine = (): void => resume(Effect.void)
        const group = waiting.get(name) ?? new Set()
        waiting.set(name, group)
        group.add(mine)
        return Effect.sync(() => group.delete(mine))
      }),
    open: (name) => {
      opened.add(name)
      for (const resume of waiting.get(name) ?? []) resume()
    },
    notes: ["n1", "n2"]
  }
}
