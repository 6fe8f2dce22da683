/**
 * Tells which messages may be turned away when the server has too much to do,
 * and which of them first.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type { Principal } from "../auth/Principal.js"
import type { Priority } from "../policy/Policy.js"
import * as JsonRpc from "../protocol/JsonRpc.js"
import type { ToolRegistry } from "../toolkit/ToolRegistry.js"

/** What costs as much as a tool may cost, or stays. Everything else is answered from what is at hand. */
const working: ReadonlySet<unknown> = new Set([
  "resources/read",
  "prompts/get",
  "completion/complete",
  "subscriptions/listen"
])

/**
 * The priority of a call of a tool, `normal` for other work. `undefined` for what
 * passes: handshakes, pings, lists, looks at tasks, notifications, answers to
 * questions; and for a batch, whose calls the tools turn away one by one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (tools: Context.Tag.Service<ToolRegistry>, message: unknown): Priority | undefined => {
  if (!JsonRpc.isObject(message)) return undefined
  const { method, params } = message
  const isWork = working.has(method)
  if (!JsonRpc.isObject(params)) return isWork ? "normal" : undefined
  // Brings the answer to a question; one that was made up is refused further in.
  if (typeof params.requestState === "string") return undefined
  if (isWork) return "normal"
  if (method !== "tools/call") return undefined
  return typeof params.name === "string" ? tools.priority(params.name) : undefined
}

/**
 * Tells whoever observes calls of tools of a message that was turned away: of the
 * call, where it is one; of something, where it was not read or nobody knows who
 * sent it; of nothing, where it is no call.
 *
 * @since 0.1.0
 * @category combinators
 */
export const tell = (
  tools: Context.Tag.Service<ToolRegistry>,
  message: unknown,
  caller: Principal | undefined
): void => {
  if (message === undefined || caller === undefined) return tools.turnedAway()
  if (!JsonRpc.isObject(message) || message.method !== "tools/call" || !JsonRpc.isId(message.id)) return
  const { id, params } = message
  if (!JsonRpc.isObject(params) || typeof params.name !== "string") return
  const { _meta, arguments: given, name } = params
  tools.turnedAway({
    name,
    arguments: given,
    caller,
    requestId: id,
    meta: JsonRpc.isObject(_meta) ? _meta : {}
  })
}
