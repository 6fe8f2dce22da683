/**
 * Knows at any moment how late the event loop is, and which tools were begun
 * before it was held up.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * One time that the loop did not come round.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stall {
  readonly ms: number
  /** Tools whose calls began since the loop had last come round, the last one first; at most five. */
  readonly tools: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface LoopWatch {
  /** Milliseconds by which the loop is late now: what has been done in this turn, and was not waited for. */
  readonly late: () => number
  /** A call of this tool begins. */
  readonly begin: (tool: string) => void
  /** The longest stall since this was asked before. */
  readonly takeWorst: () => Stall | undefined
}

/** How often the loop is asked to come round. */
const beatMs = 25
/** Less than this is no stall. */
const leastMs = 50
/** Of the tools begun between two beats so many are remembered, the last ones. */
const remembered = 16
const named = 5

/**
 * Watches until the scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<LoopWatch, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const begun = new Array<string>(remembered).fill("")
      let count = 0
      let beatAt = performance.now()
      let worst: Stall | undefined

      const late = (): number => Math.max(0, performance.now() - beatAt - beatMs)
      const names = (): ReadonlyArray<string> => {
        const found = new Set<string>()
        for (let back = 1; back <= Math.min(count, remembered) && found.size < named; back++) {
          found.add(begun[(count - back) % remembered] ?? "")
        }
        return [...found]
      }
      const beat = (): void => {
        const ms = late()
        if (ms >= leastMs && ms > (worst?.ms ?? 0)) worst = { ms, tools: names() }
        beatAt = performance.now()
        count = 0
      }
      const timer = setInterval(beat, beatMs)
      // The watch is no reason for a program to go on.
      timer.unref()
      const watch: LoopWatch = {
        late,
        begin: (tool) => {
          begun[count++ % remembered] = tool
        },
        takeWorst: () => {
          // A stall that ends now may not have been seen by a beat.
          if (late() >= leastMs) beat()
          const found = worst
          worst = undefined
          return found
        }
      }
      return { timer, watch }
    }),
    ({ timer }) => Effect.sync(() => clearInterval(timer))
  ),
  ({ watch }) => watch
)
