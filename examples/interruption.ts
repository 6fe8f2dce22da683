/**
 * Lets a command finish what it has begun when its user stops it.
 */
import * as Effect from "effect/Effect"

/** Completes at the first Ctrl-C, and says `notice`; the second then ends the process in the usual way. */
export const interrupted = (notice: string): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const stop = () => {
      process.removeListener("SIGINT", stop)
      process.removeListener("SIGTERM", stop)
      process.stderr.write(`\n${notice}; press Ctrl-C again to stop at once.\n`)
      resume(Effect.void)
    }
    process.on("SIGINT", stop)
    process.on("SIGTERM", stop)
    return Effect.sync(() => {
      process.removeListener("SIGINT", stop)
      process.removeListener("SIGTERM", stop)
    })
  })
