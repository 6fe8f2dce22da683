/**
 * The questions a server must be able to answer: the port between the protocol
 * and everything above it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Change from "./Change.js"
import type * as Logging from "./Logging.js"
import type { McpError } from "./McpError.js"
import type * as Mcp from "./McpSchema.js"
import type * as McpTask from "./McpTask.js"
import type { ParameterHeader } from "./ParameterHeader.js"
import type { Noted } from "./Quota.js"

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
  /** For how many milliseconds the client waits, as far as the transport was told; `meta` may say it too. */
  readonly timeoutMs?: number | undefined
  /** Where that goes which a transport says beside the answer; absent where it says nothing. */
  readonly noted?: Noted | undefined
  /** `params._meta`: attacker-controlled JSON. */
  readonly meta: { readonly [key: string]: unknown }
  /** Reports progress; does nothing when the client did not ask for it or when `progress` did not grow. */
  readonly progress: (update: Mcp.Progress) => void
  /** Logs to the client; does nothing when it did not ask for that level, or after the reply. */
  readonly log: (message: Logging.Message) => void
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
  ) => Effect.Effect<Mcp.ToolResult | Mcp.InputRequired | McpTask.Created, McpError>
  /**
   * The result of a call that had to ask a client which cannot be asked; `reason`
   * is a sentence for its user. That sentence alone unless given.
   */
  readonly unasked?: ((reason: string) => Mcp.ToolResult) | undefined
  /** Which arguments of a tool are mirrored in headers; `undefined` when none are, or there is no such tool. */
  readonly headers?: ((name: string) => ReadonlyArray<ParameterHeader> | undefined) | undefined
}

/**
 * Answers for resources.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResourceHandlers<in Caller> {
  readonly listChanged: boolean
  /** Whether updates of single resources are announced. */
  readonly subscribe: boolean
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
 * Where a subscription's messages go.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener {
  /** Tells the client what it will hear of; called once, before anything is announced. */
  readonly acknowledge: (honoured: Change.Filter) => void
  /** Announces; ends the subscription when the client reads too slowly to take it. */
  readonly announce: (announcement: Change.Announcement) => void
}

/**
 * Answers for tasks. Each fails with `invalidParams` when the caller has no such
 * task, or has it no more.
 *
 * @since 0.1.0
 * @category models
 */
export interface TaskHandlers<in Caller> {
  /** Changes nothing. */
  readonly get: (context: RequestContext<Caller>, taskId: string) => Effect.Effect<McpTask.State, McpError>
  /** Hands in answers; keys that are not asked for are ignored. */
  readonly update: (context: RequestContext<Caller>, update: McpTask.Update) => Effect.Effect<void, McpError>
  /** Asks the task to stop; one that has ended stays as it is. */
  readonly cancel: (context: RequestContext<Caller>, taskId: string) => Effect.Effect<void, McpError>
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
  /** Whether handlers log to the client; false unless given. */
  readonly logging?: boolean | undefined
  /** The tasks extension. */
  readonly tasks?: TaskHandlers<Caller> | undefined
  /**
   * Begins a subscription to the part of `wanted` that was declared, and gives
   * what ends it. Fails, before it acknowledges, when there is no room for one more.
   */
  readonly listen?:
    | ((
      context: RequestContext<Caller>,
      wanted: Change.Filter,
      listener: Listener
    ) => Effect.Effect<() => void, McpError>)
    | undefined
  /** Extensions with their settings, by their names; `tasks` adds its own. */
  readonly extensions?: { readonly [name: string]: { readonly [setting: string]: unknown } } | undefined
}
