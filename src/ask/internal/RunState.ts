/**
 * What one run has met so far, and how large its state may become.
 *
 * @since 0.1.0
 */
import type { Run } from "../Asking.js"

/**
 * The most bytes of a memo, as JSON in UTF-8.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxBytes = 64 * 1024

/**
 * The names a run has used, to tell one that is used twice.
 *
 * @since 0.1.0
 * @category models
 */
export interface Met {
  /** Each question by its key. */
  readonly questions: Map<string, object>
  /** The steps that are under way or done. */
  readonly steps: Set<string>
}

const metBy = new WeakMap<Run, Met>()

/**
 * What this run has met: the same object each time.
 *
 * @since 0.1.0
 * @category accessors
 */
export const metBefore = (run: Run): Met => {
  const known = metBy.get(run)
  if (known !== undefined) return known
  const made: Met = { questions: new Map(), steps: new Set() }
  metBy.set(run, made)
  return made
}

/**
 * What is wrong when a run is left with these steps and these open keys: a
 * defect to be, or `undefined` when its memo is small enough.
 *
 * @since 0.1.0
 * @category guards
 */
export const tooLarge = (run: Run, steps: ReadonlyMap<string, unknown>, open: Iterable<string>): Error | undefined => {
  const bytes = Buffer.byteLength(JSON.stringify({
    answers: Object.fromEntries(run.answers),
    steps: Object.fromEntries(steps),
    open: [...open]
  }))
  return bytes <= maxBytes ? undefined : new Error(
    `The answers and steps of this call have ${bytes} bytes; they may have ${maxBytes}. Let a step give an id, and keep the data elsewhere.`
  )
}
