/**
 * What the handlers of the full server saw, for tests that compare it with what
 * the client saw: a line for each thing, told under the key of one call.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export class Journal extends Context.Tag("interop/Journal")<Journal, {
  readonly note: (line: string) => void
}>() {}

/** Notes what a handler saw in the call of this key. */
export const note = (key: string, what: string): Effect.Effect<void, never, Journal> =>
  Effect.map(Journal, (journal) => journal.note(`${key} ${what}`))

/** Waits without end, and notes that it began and that it was interrupted. */
export const endless = (key: string): Effect.Effect<never, never, Journal> =>
  Effect.zipRight(note(key, "began"), Effect.onInterrupt(Effect.never, () => note(key, "interrupted")))

/** Writes the journal into an array. */
export const layerArray = (lines: Array<string>): Layer.Layer<Journal> =>
  Layer.succeed(Journal, { note: (line) => void lines.push(line) })

/** What a line of the journal begins with on standard error. */
export const mark = "journal "

/** Writes the journal to standard error, for a test that reads it there. */
export const layerStderr: Layer.Layer<Journal> = Layer.succeed(Journal, {
  note: (line) => void process.stderr.write(`${mark}${line}\n`)
})
