/**
 * The questions of one connection: an answer is taken only for one of its own.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { PendingAsks } from "../../ask/PendingAsks.js"

/** @internal */
export const make = (pendingAsks: Context.Tag.Service<PendingAsks>): Context.Tag.Service<PendingAsks> => {
  const open = new Set<string>()
  return {
    wait: (key, send) =>
      Effect.acquireUseRelease(
        Effect.sync(() => open.add(key)),
        () => pendingAsks.wait(key, send),
        () => Effect.sync(() => open.delete(key))
      ),
    // What nobody here asked for must not travel to other instances: a peer could send any amount of it.
    answer: (key, response) => (open.has(key) ? pendingAsks.answer(key, response) : Effect.void)
  }
}
