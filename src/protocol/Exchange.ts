/**
 * One message and what becomes of it: what came with it, what it asks, what it
 * tells, and the reply.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as JsonRpc from "./JsonRpc.js"
import type * as Logging from "./Logging.js"
import type { McpError } from "./McpError.js"
import type { ClientCapabilities, Implementation, RequestId } from "./McpSchema.js"
import type { Noted } from "./Quota.js"

/**
 * Reads one header by its lower-case name; several values of one name are
 * joined by a comma.
 *
 * @since 0.1.0
 * @category models
 */
export type Headers = (name: string) => string | undefined

/**
 * What goes back: the HTTP status, and the JSON text unless there is nothing to say.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reply {
  readonly status: number
  readonly body: string | undefined
  /** Why the message was refused, for the log: set when nothing was asked of any handler. */
  readonly refusal?: McpError | undefined
  /** The scopes that a caller needs who lacked one: set with status 403, for a transport that can say so in a header. */
  readonly challenge?: ReadonlyArray<string> | undefined
}

/**
 * What came with a message, apart from the message.
 *
 * @since 0.1.0
 * @category models
 */
export interface Arrival<out Caller> {
  readonly caller: Caller
  /**
   * Takes one encoded message that belongs to this request: a notification, or a
   * question to an older client. Called only before the reply. False when it was
   * dropped because the reader is too slow.
   */
  readonly notify: (json: string) => boolean
  /** Whether anything but the reply can be sent. */
  readonly canStream: boolean
  /** For how many milliseconds the client waits, as far as the transport was told. */
  readonly timeoutMs?: number | undefined
  /** Where that goes which is found out about the call and stands beside the answer; nowhere unless given. */
  readonly noted?: Noted | undefined
}

/**
 * What an older client settled in its handshake.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handshake {
  readonly version: string
  readonly clientCapabilities: ClientCapabilities
  readonly clientInfo: Implementation | undefined
}

/**
 * How an older client stands with the server: its handshake, and what it said
 * since.
 *
 * @since 0.1.0
 * @category models
 */
export interface Standing extends Handshake {
  /** The least severe level it wants to see; `info` and above when it said nothing. */
  readonly logLevel?: Logging.Level | undefined
  /** Puts a question to the client over this request's own stream and waits for the result; absent when none could come back. */
  readonly ask?: ((method: string, params: JsonRpc.Json) => Effect.Effect<unknown, McpError>) | undefined
}

/**
 * What a message tells the server besides what it asks.
 *
 * @since 0.1.0
 * @category models
 */
export type Tell =
  /** This request is no longer wanted. */
  | { readonly _tag: "Cancel"; readonly id: RequestId }
  /** The answer to a question of the server. */
  | { readonly _tag: "Response"; readonly response: JsonRpc.Response }
  | { readonly _tag: "LogLevel"; readonly level: Logging.Level }
  | { readonly _tag: "Subscribe"; readonly uri: string }
  | { readonly _tag: "Unsubscribe"; readonly uri: string }

/**
 * A subscription that has begun. It needs no fiber, only somebody who takes what
 * it says.
 *
 * @since 0.1.0
 * @category models
 */
export interface Held {
  /**
   * What is said goes to `notify` from now on. `onEnd` is called when the server
   * has ended the subscription, at once if it already has; the last thing to send
   * is then `Held.last`.
   */
  readonly hold: (notify: (json: string) => boolean, onEnd: () => void) => void
  /** The last message, encoded, for when the server has ended it. */
  readonly last: () => string
  /** Ends it from the server's side. */
  readonly end: () => void
  /** The client has gone: nothing more is said, and `onEnd` is not called. */
  readonly close: () => void
}

/**
 * One message, understood. `reply` is already an `Exit` when nothing has to be
 * waited for: whenever the handler's effect was one. (`Effect.succeed` is an
 * `Exit`; of failures `Exit.fail` is, and `Effect.fail` is not.)
 *
 * @since 0.1.0
 * @category models
 */
export interface Exchange {
  readonly reply: Effect.Effect<Reply>
  /** The request's id; absent for anything but a single request. */
  readonly id?: RequestId | undefined
  /** Whether losing the peer cancels it: true on 2026-07-28, false on the handshake revisions. */
  readonly cancelledByDisconnect: boolean
  /** What is to be remembered or passed on, in order. */
  readonly tells: ReadonlyArray<Tell>
  /** Set when the message settled a handshake. */
  readonly handshake?: Handshake | undefined
  /** Ends a subscription from the server's side: the reply then says so. Set on subscriptions alone. */
  readonly end?: (() => void) | undefined
  /** Set on a subscription that has begun: then there is no need to run `reply`. */
  readonly held?: Held | undefined
  /** The messages of a batch one by one; their replies joined by `gather` are the reply. */
  readonly parts?: ReadonlyArray<Exchange> | undefined
}
