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
  /** What the run has met that this one is a part of. */
  outer: Met | undefined
  /** Whether it has numbered a question, and whether a part of it has. */
  hasNumbered: boolean
  hasNumberedWithin: boolean
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
  const made: Met = {
    questions: new Map(),
    steps: new Set(),
    outer: undefined,
    hasNumbered: false,
    hasNumberedWithin: false
  }
  metBy.set(run, made)
  return made
}

/**
 * The same run from its start, as a part of it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const part = (run: Run): Run => {
  const made: Run = { ...run, unnamed: 0 }
  metBefore(made).outer = metBefore(run)
  return made
}

/**
 * The key of a question that has none of its own; a defect to be when both a run
 * and a part of it have such questions.
 *
 * @since 0.1.0
 * @category accessors
 */
export const nextKey = (run: Run): string | Error => {
  const met = metBefore(run)
  let isMixed = met.hasNumberedWithin
  met.hasNumbered = true
  for (let { outer } = met; outer !== undefined; outer = outer.outer) {
    outer.hasNumberedWithin = true
    isMixed ||= outer.hasNumbered
  }
  return isMixed
    ? new Error(
      "This call asks questions without keys both inside of Ask.fromStart and outside, and one would get the answer to the other; give them keys."
    )
    : `ask-${++run.unnamed}`
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
