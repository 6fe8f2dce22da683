/**
 * What a call has to pass before anything is done for it, none of which waits.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Either from "effect/Either"
import { isAllowed } from "../../auth/Principal.js"
import type { Health } from "../../health/Health.js"
import type { Overload } from "../../policy/Overload.js"
import type { Priority } from "../../policy/Policy.js"
import type * as Tool from "../../tool/Tool.js"
import type { ToolCodec } from "../../tool/ToolCodec.js"
import type { Fallback } from "../../tool/ToolError.js"
import { ToolError, unavailable } from "../../tool/ToolError.js"
import * as JsonSize from "./JsonSize.js"
import type { Failed, Visit } from "./Visit.js"
import { failed, isResumed, when } from "./Visit.js"

/**
 * Lets a call in, with its arguments decoded, or says why not.
 *
 * @since 0.1.0
 * @category models
 */
export type Gate = (visit: Visit) => Failed | undefined

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly tool: Tool.Any
  readonly codec: ToolCodec
  readonly overload: Context.Tag.Service<Overload> | undefined
  readonly priority: Priority
  /** Bytes of the arguments. */
  readonly maxInput: number
  readonly health: Context.Tag.Service<Health> | undefined
  readonly requires: ReadonlyArray<string>
  readonly fallback: Fallback | undefined
  /** Whether the caller may not know of the tool to use instead. */
  readonly isHidden: (visit: Visit) => boolean
  /** Whether a kept answer may stand in for a source that is down. */
  readonly mayAnswerWithout: boolean
}

const shedding = (overload: Context.Tag.Service<Overload>, priority: Priority, tool: string): Gate => (visit) => {
  // A user who has answered a question is not asked to do so again as long as anything is let in.
  const retryAfterMs = overload.turnsAway(isResumed(visit) ? "critical" : priority, tool)
  if (!(retryAfterMs > 0)) return undefined
  visit.observation?.step?.("overload", "refused")
  return failed(
    new ToolError({
      code: "temporarily_unavailable",
      message: `The server has too much to do and turned this call away. Try again ${when(retryAfterMs)}.`,
      retryAfterMs
    })
  )
}

const sized = (tool: Tool.Any, most: number): Gate => ({ observation, request }) => {
  const bytes = JsonSize.over(request.arguments, most)
  if (bytes === undefined) return undefined
  observation?.step?.("sizeLimit", "refused")
  return failed(
    new ToolError({
      code: "invalid_input",
      message: `The arguments of ${tool.name} have ${JsonSize.format(bytes)}; they may have ${JsonSize.format(most)}.`
    })
  )
}

const authorized = (tool: Tool.Any): Gate => ({ observation, request }) => {
  if (isAllowed(request.caller, tool.scopes)) return undefined
  observation?.step?.("authorize", "refused")
  return failed(
    new ToolError({ code: "insufficient_scope", message: `${tool.name} needs the scopes ${tool.scopes.join(", ")}.` })
  )
}

const validated = (codec: ToolCodec): Gate => (visit) => {
  const decoded = codec.decode(visit.request.arguments)
  if (Either.isRight(decoded)) {
    visit.input = decoded.right
    return undefined
  }
  visit.observation?.step?.("validate", "refused")
  return failed(decoded.left)
}

const required = (health: Context.Tag.Service<Health>, options: Options): Gate => (visit) => {
  const source = options.requires.find((name) => health.status(name) === "down")
  if (source === undefined) return undefined
  visit.observation?.step?.("requirements", "refused")
  const fallback = options.fallback === undefined || options.isHidden(visit) ? undefined : options.fallback
  const refusal = failed(unavailable({ source, fallback }))
  if (!options.mayAnswerWithout) return refusal
  visit.hindrance = refusal
  return undefined
}

/**
 * Looks whether the server has room for the call, at the size of its arguments, at
 * what its caller may do, at the arguments themselves, and whether the sources it
 * needs are there; in this order. What has nothing to look at is left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Gate => {
  const { codec, health, overload, tool } = options
  const checks: ReadonlyArray<Gate> = [
    ...(overload === undefined ? [] : [shedding(overload, options.priority, tool.name)]),
    ...(options.maxInput === Infinity ? [] : [sized(tool, options.maxInput)]),
    ...(tool.scopes.length === 0 ? [] : [authorized(tool)]),
    validated(codec),
    ...(health === undefined || options.requires.length === 0 ? [] : [required(health, options)])
  ]
  return (visit) => {
    for (const check of checks) {
      const refusal = check(visit)
      if (refusal !== undefined) return refusal
    }
    return undefined
  }
}
