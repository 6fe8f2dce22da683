/**
 * Hands on the trace that a gateway or a client put in HTTP headers, where those
 * look who know nothing of HTTP.
 *
 * @since 0.1.0
 */
import type { Headers } from "../../protocol/Dispatcher.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import * as TraceContext from "../../telemetry/TraceContext.js"

const put = (message: unknown, members: { readonly [key: string]: string }): void => {
  if (!JsonRpc.isObject(message) || typeof message.method !== "string" || !JsonRpc.isObject(message.params)) return
  const { params } = message
  // Revisions differ in whether there has to be one, and who lacks it is to be told.
  const meta: unknown = Object.hasOwn(params, "_meta") ? params._meta : undefined
  if (JsonRpc.isObject(meta) && !Object.hasOwn(meta, TraceContext.keys.parent)) Object.assign(meta, members)
  // Only older clients have none, and theirs may.
  else if (meta === undefined && message.method === "tools/call") Object.assign(params, { _meta: { ...members } })
}

/**
 * Puts `traceparent` and `tracestate` into the `_meta` of what a message asks, where
 * it has no `traceparent` of its own. Headers that break a rule count as absent.
 *
 * @since 0.1.0
 * @category combinators
 */
export const join = (message: unknown, headers: Headers): void => {
  const parent = headers(TraceContext.keys.parent)
  if (parent === undefined) return
  const context = TraceContext.parse(parent, headers(TraceContext.keys.state))
  if (context === undefined) return
  const members = TraceContext.toMeta(context)
  if (Array.isArray(message)) { for (const one of message) put(one, { ...members }) }
  else put(message, { ...members })
}
