/**
 * The questions a server must be able to answer: the port between the protocol
 * and everything above it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { McpError } from "./McpError.js"
import type * as Mcp from "./McpSchema.js"

/**
 * What a handler may know of the request it answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestContext<out Caller> {
  /** Whoever the transport says is asking. */
  readonly caller: Caller
  readonly requestId: Mcp.RequestId
  /** The revision the request is written in, for example `2026-07-28`. */
  readonly revision: string
  /** As the client declared them for this request, or at its handshake; empty when unknown. */
  readonly clientCapabilities: Mcp.ClientCapabilities
  /** For display and logs only; never to decide anything. */
  readonly clientInfo?: Mcp.Implementation | undefined
  /** `params._meta`: attacker-controlled JSON. */
  readonly meta: { readonly [key: string]: unknown }
  /** Reports progress; does nothing when the client did not ask for it or when `progress` did not grow. */
  readonly progress: (update: Mcp.Progress) => void
}

/**
 * Answers for tools.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolHandlers<in Caller> {
  readonly listChanged: boolean
  readonly list: (
    context: RequestContext<Caller>,
    cursor: string | undefined
  ) => Effect.Effect<Mcp.ToolPage, McpError>
  readonly call: (
    context: RequestContext<Caller>,
    request: Mcp.CallTool
  ) => Effect.Effect<Mcp.ToolResult | Mcp.InputRequired, McpError>
}

/**
 * Answers for resources.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResourceHandlers<in Caller> {
  readonly listChanged: boolean
  readonly list: (
    context: RequestContext<Caller>,
    cursor: string | undefined
  ) => Effect.Effect<Mcp.ResourcePage, McpError>
  readonly templates: (
    context: RequestContext<Caller>,
    cursor: string | undefined
  ) => Effect.Effect<Mcp.ResourceTemplatePage, McpError>
  /** Fails with `invalidParams` and `data: { uri }` when there is no such resource. */
  readonly read: (
    context: RequestContext<Caller>,
    request: Mcp.ReadResource
  ) => Effect.Effect<Mcp.ReadResult | Mcp.InputRequired, McpError>
}

/**
 * Answers for prompts.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromptHandlers<in Caller> {
  readonly listChanged: boolean
  readonly list: (
    context: RequestContext<Caller>,
    cursor: string | undefined
  ) => Effect.Effect<Mcp.PromptPage, McpError>
  readonly get: (
    context: RequestContext<Caller>,
    request: Mcp.GetPrompt
  ) => Effect.Effect<Mcp.PromptResult | Mcp.InputRequired, McpError>
}

/**
 * A server, as the protocol sees it. A group that is absent is not declared as
 * a capability, and its methods are not found.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handlers<in Caller> {
  readonly server: Mcp.Implementation
  /** Free text for the model that uses the server. */
  readonly instructions?: string | undefined
  /** How long the answer to `server/discover` may be kept. */
  readonly cache: Mcp.CacheHint
  readonly tools?: ToolHandlers<Caller> | undefined
  readonly resources?: ResourceHandlers<Caller> | undefined
  readonly prompts?: PromptHandlers<Caller> | undefined
  readonly complete?:
    | ((context: RequestContext<Caller>, request: Mcp.Complete) => Effect.Effect<Mcp.Completion, McpError>)
    | undefined
}
