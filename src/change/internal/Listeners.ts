/**
 * The listeners of this process: one that throws takes nothing from the others.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"

/** @internal */
export interface Listeners<Event> {
  readonly listen: (listener: (event: Event) => void) => () => void
  /** Tells every listener. Never throws. */
  readonly tell: (event: Event) => void
}

/** @internal */
export const make = <Event>(): Effect.Effect<Listeners<Event>> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const entries = new Set<{ readonly listener: (event: Event) => void }>()
    return {
      listen: (listener) => {
        const entry = { listener }
        entries.add(entry)
        return () => void entries.delete(entry)
      },
      tell: (event) => {
        // A copy: who begins to listen because of an event does not hear that one.
        for (const entry of [...entries]) {
          if (!entries.has(entry)) continue
          try {
            entry.listener(event)
          } catch (defect) {
            Runtime.runFork(runtime)(Effect.logError("A listener for changes threw", Cause.die(defect)))
          }
        }
      }
    }
  })
