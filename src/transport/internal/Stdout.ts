/**
 * Keeps standard output for the protocol: whatever else writes there is sent to
 * standard error.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Output } from "./LineWriter.js"

const ignore = (): void => {}

/**
 * Diverts `process.stdout.write`, and with it `console.log`, `console.info` and
 * `console.debug`, until the scope closes. The output given writes to the real one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const claim: Effect.Effect<Output, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const stream = process.stdout
    const original = stream.write
    const write = original.bind(stream)
    // Nobody may read standard error any more. Unheard, that would end the process; it may be said late, so this stays.
    process.stderr.off("error", ignore).on("error", ignore)
    stream.write = process.stderr.write.bind(process.stderr)
    return {
      output: { stream, write: (text: string, onWritten: () => void) => write(text, "utf8", onWritten) },
      restore: Effect.sync(() => {
        stream.write = original
      })
    }
  }),
  ({ restore }) => restore
).pipe(Effect.map(({ output }) => output))
