/**
 * One call as a handler sees it: who asks, which request, by when, and where
 * progress goes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Principal } from "../auth/Principal.js"
import type { Progress, RequestId } from "../protocol/McpSchema.js"

/**
 * What a call carries. Supplied per call by the toolkit, never by a layer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call {
  readonly caller: Principal
  readonly requestId: RequestId
  readonly toolName: string
  /** Milliseconds since the epoch by the `Clock`; whatever the handler starts must end by then. */
  readonly deadline: number
  readonly reportProgress: (update: Progress) => void
  /** The request's `_meta`: untrusted, for trace context and extensions. */
  readonly meta: { readonly [key: string]: unknown }
}

/**
 * @since 0.1.0
 * @category tags
 */
export class ToolCall extends Context.Tag("causeway/ToolCall")<ToolCall, Call>() {}

/**
 * Who is asking.
 *
 * @since 0.1.0
 * @category accessors
 */
export const caller: Effect.Effect<Principal, never, ToolCall> = Effect.map(ToolCall, (call) => call.caller)

/**
 * The time left until the deadline; zero when it has passed.
 *
 * @since 0.1.0
 * @category accessors
 */
export const remaining: Effect.Effect<Duration.Duration, never, ToolCall> = Effect.flatMap(
  ToolCall,
  (call) => Effect.map(Clock.currentTimeMillis, (now) => Duration.millis(Math.max(0, call.deadline - now)))
)

/**
 * Tells the client how far the call has come. Costs nothing when nobody asked.
 *
 * @since 0.1.0
 * @category accessors
 */
export const progress = (update: Progress): Effect.Effect<void, never, ToolCall> =>
  Effect.map(ToolCall, (call) => call.reportProgress(update))
