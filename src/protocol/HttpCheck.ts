/**
 * What HTTP asks of a message besides its body: the headers that repeat parts of
 * it.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as HeaderValue from "./HeaderValue.js"
import type * as JsonRpc from "./JsonRpc.js"
import type { McpError } from "./McpError.js"
import { headerMismatch } from "./McpError.js"

/** Which parameter the header `Mcp-Name` repeats. */
const named: ReadonlyMap<string, string> = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"]
])

/** The same where there are tasks. */
const namedWithTasks: ReadonlyMap<string, string> = new Map([
  ...named,
  ["tasks/get", "taskId"],
  ["tasks/update", "taskId"],
  ["tasks/cancel", "taskId"]
])

/**
 * Compares the headers that repeat parts of the body of a stateless request:
 * `Mcp-Method` for all, `Mcp-Name` where something is named (a task too, where
 * the server has any). The first that is missing, unreadable or different;
 * `None` when they agree.
 *
 * @since 0.1.0
 * @category guards
 */
export const mismatch = (
  request: JsonRpc.Request,
  headers: (name: string) => string | undefined,
  hasTasks = false
): Option.Option<McpError> => {
  const method = headers("mcp-method")
  if (method === undefined) return Option.some(headerMismatch("the header Mcp-Method is missing"))
  if (HeaderValue.trim(method) !== request.method) {
    return Option.some(headerMismatch("Mcp-Method differs from the method in the body"))
  }
  const key = (hasTasks ? namedWithTasks : named).get(request.method)
  if (key === undefined) return Option.none()
  const name = headers("mcp-name")
  if (name === undefined) return Option.some(headerMismatch("the header Mcp-Name is missing"))
  const decoded = HeaderValue.decode(name)
  if (Option.isNone(decoded)) return Option.some(headerMismatch("the header Mcp-Name cannot be decoded"))
  return decoded.value === request.params[key]
    ? Option.none()
    : Option.some(headerMismatch(`Mcp-Name differs from params.${key} in the body`))
}
