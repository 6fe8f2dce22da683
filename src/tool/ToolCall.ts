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
import type * as Logging from "../protocol/Logging.js"
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
  readonly log: (message: Logging.Message) => void
  /** Lets the call go on as a task; true when it is one now, or was already. */
  readonly beginTask: Effect.Effect<boolean>
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

/**
 * Writes to the client's log. Costs nothing when the client did not ask for that
 * level. Holds no secret: it leaves the process.
 *
 * @since 0.1.0
 * @category accessors
 */
export const log = (level: Logging.Level, data: unknown, logger?: string): Effect.Effect<void, never, ToolCall> =>
  Effect.map(ToolCall, (call) => call.log({ level, data, logger }))

/**
 * Lets the call go on as a task from here, if the tool may be one (`task` is not
 * `"forbidden"`) and the client knows tasks: the client gets the task's id at
 * once, and the result when it asks for it. Questions before this are answered
 * before there is a task. Succeeds with whether there is one now.
 *
 * @since 0.1.0
 * @category accessors
 */
export const continueAsTask: Effect.Effect<boolean, never, ToolCall> = Effect.flatMap(
  ToolCall,
  (call) => call.beginTask
)
