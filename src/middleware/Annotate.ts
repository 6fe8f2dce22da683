/**
 * Puts the request's id, the tool and the tenant on every line that a handler logs.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Observer } from "./Observer.js"

/** The client chooses the id. */
const maxId = 128

const nothing = (): void => {}

/**
 * Annotates what handlers log, and what those log that they call, with
 * `requestId`, `tool` and `tenant`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const observer: Effect.Effect<Observer> = Effect.succeed({
  begin: ({ caller, requestId, tool }) =>
    tool === undefined ? undefined : {
      around: (effect) =>
        Effect.annotateLogs(effect, {
          requestId: typeof requestId === "string" ? requestId.slice(0, maxId) : requestId,
          tool: tool.name,
          tenant: caller.tenant
        }),
      end: nothing
    }
})
