/**
 * What a client must have declared before it may be asked something.
 *
 * Source: MCP 2026-07-28, multi round-trip requests and client capabilities.
 *
 * @since 0.1.0
 */
import type { Json } from "./JsonRpc.js"
import { isObject } from "./JsonRpc.js"
import type { ClientCapabilities } from "./McpSchema.js"

const elicitation = (asked: Json, declared: unknown): Json | undefined => {
  if (asked.mode === "url") {
    return isObject(declared) && Object.hasOwn(declared, "url") ? undefined : { elicitation: { url: {} } }
  }
  // An empty declaration means forms, and nothing else.
  return isObject(declared) && (Object.hasOwn(declared, "form") || !Object.hasOwn(declared, "url"))
    ? undefined
    : { elicitation: { form: {} } }
}

const sampling = (asked: Json, declared: unknown): Json | undefined => {
  if (!isObject(declared)) return { sampling: {} }
  if ((asked.tools !== undefined || asked.toolChoice !== undefined) && !Object.hasOwn(declared, "tools")) {
    return { sampling: { tools: {} } }
  }
  return asked.includeContext !== undefined && asked.includeContext !== "none" && !Object.hasOwn(declared, "context")
    ? { sampling: { context: {} } }
    : undefined
}

/**
 * What `declared` lacks for a question with this method and these parameters,
 * in the shape of a declaration; `undefined` when nothing, or when the method is
 * none that needs any.
 *
 * @since 0.1.0
 * @category guards
 */
export const missing = (method: string, params: unknown, declared: ClientCapabilities): Json | undefined => {
  const asked = isObject(params) ? params : {}
  switch (method) {
    case "elicitation/create":
      return elicitation(asked, declared.elicitation)
    case "sampling/createMessage":
      return sampling(asked, declared.sampling)
    case "roots/list":
      return isObject(declared.roots) ? undefined : { roots: {} }
    default:
      return undefined
  }
}
