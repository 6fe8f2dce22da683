/**
 * Tells a client of a bug without telling of it: an id, and the rest in the log.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { RequestId } from "../../protocol/McpSchema.js"
import { ToolError } from "../../tool/ToolError.js"
import type { Failed } from "./Visit.js"
import * as Visit from "./Visit.js"

const incidentOf = (): string => globalThis.crypto.randomUUID().slice(0, 8)

/**
 * Fails as `internal`, under an id that the log has too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const report = (
  tool: string,
  what: string,
  cause: Cause.Cause<unknown>,
  requestId?: RequestId
): Effect.Effect<never, Failed> =>
  Effect.suspend(() => {
    const incident = incidentOf()
    const logged = Effect.logError(`Tool ${tool} ${what}; incident ${incident}`, cause)
    return Effect.zipRight(
      requestId === undefined ? logged : Effect.annotateLogs(logged, "requestId", requestId),
      Visit.refuse(
        new ToolError({
          code: "internal",
          message: `The tool failed inside; incident ${incident}. Trying again is unlikely to help.`,
          details: { incident }
        })
      )
    )
  })
