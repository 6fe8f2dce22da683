/**
 * How answers leave, whatever kind of server carries them.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Reply } from "../../protocol/Dispatcher.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import { Code, McpError } from "../../protocol/McpError.js"
import type { RequestId } from "../../protocol/McpSchema.js"

/**
 * Writes to one kind of server. `T` is what it knows of one request; `headers`
 * are names and values in turn.
 *
 * @since 0.1.0
 * @category models
 */
export interface Output<in T> {
  /** Answers with one JSON text, or nothing but a status. */
  readonly reply: (target: T, status: number, body: string | undefined, headers: ReadonlyArray<string>) => void
  /** Begins a stream of events. */
  readonly open: (target: T, headers: ReadonlyArray<string>) => void
  /** Lets the client know that its stream has begun when there is no event yet. */
  readonly flush: (target: T) => void
  /** Whether so much waits for the reader that nothing more may be written but the end. */
  readonly isBehind: (target: T) => boolean
  readonly write: (target: T, text: string) => void
  /** Writes a comment, unless there is something to read already; then the reader had better read it. */
  readonly remind: (target: T) => void
  /** Ends a stream that was begun. */
  readonly end: (target: T, text: string | undefined) => void
  /**
   * The end of the answer is not there yet. `onLost` is to be called when the peer
   * goes, or at once when it has gone; a stream that is open-ended has no end
   * unless it is given one.
   */
  readonly wait: (target: T, onLost: () => void, isOpenEnded: boolean) => void
  /** What was waited for is there, and follows. */
  readonly settle: (target: T) => void
  /** Runs what makes the reply, for as long as the server runs. */
  readonly run: (target: T, reply: Effect.Effect<Reply>) => Fiber.RuntimeFiber<Reply>
  /** The remote address, for the log. */
  readonly peer: (target: T) => string | undefined
}

/**
 * The headers of a stream of events.
 *
 * @since 0.1.0
 * @category configuration
 */
export const streamHeaders: ReadonlyArray<string> = [
  "content-type",
  "text/event-stream",
  "cache-control",
  "no-cache, no-transform",
  "x-accel-buffering",
  "no"
]

/**
 * What keeps a stream from being taken for dead.
 *
 * @since 0.1.0
 * @category encoding
 */
export const comment = ": keep-alive\n\n"

/**
 * One message as an event.
 *
 * @since 0.1.0
 * @category encoding
 */
export const frame = (json: string): string => `event: message\ndata: ${json}\n\n`

/**
 * The reply of a server that cannot answer now, or not at all.
 *
 * @since 0.1.0
 * @category constructors
 */
export const failure = (status: number, id: RequestId | undefined, message: string): Reply => ({
  status,
  body: JsonRpc.error(id, new McpError({ code: Code.InternalError, message }))
})

/**
 * The reply when the call itself has none: it was ended by the server, or hit a
 * defect nobody answered for.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unanswered = (id: RequestId | undefined, isStopping: boolean): Reply =>
  isStopping ? failure(503, id, "The server is shutting down") : failure(500, id, "Internal error")
