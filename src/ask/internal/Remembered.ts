/**
 * Runs a step once in a call, and keeps its value from one run to the next.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Run } from "../Asking.js"
import * as PlainJson from "./PlainJson.js"
import * as RunState from "./RunState.js"

/** A copy of plain JSON, so that nobody who changes a value changes what is remembered. */
const copy = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const encode = <A, I>(name: string, value: A, schema: Schema.Schema<A, I>): Effect.Effect<unknown> =>
  Effect.orDieWith(
    Schema.encode(schema)(value),
    (cause) => new Error(`What the step "${name}" gave does not fit its schema.`, { cause })
  )

/** What is kept of a value: plain JSON. Dies when the value is none and has no schema that makes it some. */
const keep = <A, I>(
  name: string,
  value: A,
  schema: Schema.Schema<A, I> | undefined
): Effect.Effect<unknown> =>
  Effect.flatMap(
    schema === undefined ? Effect.succeed<unknown>(value) : encode(name, value, schema),
    (encoded) => {
      // `null` stands for nothing at all; whatever there is stands in an array of its own, `null` as well.
      if (encoded === undefined) return Effect.succeed(null)
      const problem = PlainJson.problem(encoded, schema !== undefined)
      return problem === undefined
        ? Effect.succeed([copy(encoded)])
        : Effect.die(
          new Error(`What the step "${name}" gave cannot be remembered: ${problem}. Give plain JSON, or a schema.`)
        )
    }
  )

/** The value of what was kept. Dies when the schema has changed so that it does not fit. */
const recall = <A, I>(
  name: string,
  kept: unknown,
  schema: Schema.Schema<A, I> | undefined
): Effect.Effect<A> => {
  const value = Array.isArray(kept) ? copy(kept[0]) : undefined
  // Without a schema this is what the step gave, once through JSON, which was made sure to change nothing.
  if (schema === undefined) return Effect.succeed(value as A)
  return Effect.orDieWith(
    Schema.decodeUnknown(schema)(value),
    (cause) => new Error(`What is remembered of the step "${name}" does not fit its schema.`, { cause })
  )
}

const remember = (run: Run, name: string, kept: unknown): Effect.Effect<void> =>
  Effect.suspend(() => {
    const tooLarge = RunState.tooLarge(run, new Map(run.steps).set(name, kept), run.asked.keys())
    if (tooLarge !== undefined) return Effect.die(tooLarge)
    run.steps.set(name, kept)
    return Effect.void
  })

/**
 * The value of this step: remembered, or else of the effect, which is then
 * remembered. Dies when the run has met the name before.
 *
 * @since 0.1.0
 * @category combinators
 */
export const once = <A, I, E, R>(
  run: Run,
  name: string,
  effect: Effect.Effect<A, E, R>,
  schema: Schema.Schema<A, I> | undefined
): Effect.Effect<A, E, R> => {
  const { steps } = RunState.metBefore(run)
  if (steps.has(name)) {
    return Effect.die(
      new Error(
        `Two steps of one call have the name "${name}"; give each its own, and repeat a handler by Ask.fromStart.`
      )
    )
  }
  steps.add(name)
  if (run.steps.has(name)) return recall(name, run.steps.get(name), schema)
  // What was done is remembered even when the call is stopped right after it.
  return Effect.uninterruptibleMask((restore) =>
    Effect.tap(
      restore(effect),
      (value) => Effect.flatMap(keep(name, value, schema), (kept) => remember(run, name, kept))
    )
  ).pipe(Effect.onError(() => Effect.sync(() => steps.delete(name))))
}
