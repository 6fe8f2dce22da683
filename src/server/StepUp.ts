/**
 * Says over HTTP which scopes a request needs that was refused for the lack of
 * one, so that its client can ask for them.
 *
 * Source: MCP 2026-07-28, authorization, insufficient scope.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Principal } from "../auth/Principal.js"
import type { PromptRegistry } from "../prompt/PromptRegistry.js"
import type { Reply } from "../protocol/Dispatcher.js"
import { isExit } from "../protocol/Ended.js"
import * as JsonRpc from "../protocol/JsonRpc.js"
import { invalidRequest } from "../protocol/McpError.js"
import type { ResourceRegistry } from "../resource/ResourceRegistry.js"
import type { ToolRegistry } from "../toolkit/ToolRegistry.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Registries {
  readonly tools: Context.Tag.Service<ToolRegistry>
  readonly resources: Context.Tag.Service<ResourceRegistry> | undefined
  readonly prompts: Context.Tag.Service<PromptRegistry> | undefined
}

/**
 * All scopes of what a single request asks for, when its caller lacks one of
 * them. `undefined` for any other message, a batch among them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const lacking = (
  { prompts, resources, tools }: Registries,
  message: unknown,
  caller: Principal
): ReadonlyArray<string> | undefined => {
  if (caller.scopes.has("*") || !JsonRpc.isObject(message)) return undefined
  const { method, params } = message
  if (!JsonRpc.isObject(params)) return undefined
  const { name, uri } = params
  if (method === "tools/call") return typeof name === "string" ? tools.lacking(name, caller) : undefined
  if (method === "resources/read") return typeof uri === "string" ? resources?.lacking(uri, caller) : undefined
  if (method === "prompts/get") return typeof name === "string" ? prompts?.lacking(name, caller) : undefined
  return undefined
}

/**
 * The challenge in place of the refusal that the registry made. What the protocol
 * refused before it asked the registry stays as it is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const challenge = (reply: Effect.Effect<Reply>, scopes: ReadonlyArray<string>): Effect.Effect<Reply> => {
  const challenged: Reply = {
    status: 403,
    body: JsonRpc.error(undefined, invalidRequest(`This needs the scopes ${scopes.join(", ")}.`)),
    challenge: scopes
  }
  const instead = (reply: Reply): Reply => (reply.status === 200 ? challenged : reply)
  return isExit(reply) ? Exit.map(reply, instead) : Effect.map(reply, instead)
}
