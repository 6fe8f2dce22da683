/**
 * Serves one client over any transport written for the official SDK.
 *
 * @since 0.1.0
 */
import type { Transport as Carrier } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Principal from "../auth/Principal.js"
import type { RequestId } from "../protocol/McpSchema.js"
import { McpServer } from "../server/McpServer.js"
import type * as Transport from "./Transport.js"
import { maxWaitingBytes } from "./Transport.js"

/**
 * The carrier did not start.
 *
 * @since 0.1.0
 * @category errors
 */
export class SdkTransportError extends Schema.TaggedError<SdkTransportError>(
  "causeway/SdkTransport/SdkTransportError"
)("SdkTransportError", { method: Schema.Literal("start"), cause: Schema.Defect }) {
  override get message() {
    return `SdkTransport.${this.method}: the SDK's transport did not start`
  }
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Who the peer is; the person at this machine unless given. */
  readonly caller?: Principal.Principal | undefined
}

/**
 * A peer being served. `closed` succeeds when either side has closed the carrier
 * and the peer's calls have ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Serving {
  readonly closed: Effect.Effect<void>
}

/**
 * Starts the carrier and serves its peer until the scope closes; then calls in
 * flight are interrupted and the carrier is closed. A carrier serves once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  carrier: Carrier,
  options: Options = {}
): Effect.Effect<Serving, SdkTransportError, McpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* McpServer
    const closed = yield* Deferred.make<void>()
    const end = (): void => Deferred.unsafeDone(closed, Exit.void)

    yield* Effect.addFinalizer(() =>
      // A carrier that does not manage to close is closed as far as this program can close it.
      Effect.promise(() => carrier.close().catch(() => {}))
    )
    let waiting = 0
    const send = (json: string, about?: RequestId): void => {
      waiting += json.length
      const written = (): void => {
        waiting -= json.length
      }
      // Our own encoder wrote the text: it is a message of the protocol. One that cannot be sent ends nothing: a
      // carrier of many streams refuses it when its own reader has gone, and says itself when the carrier is closed.
      new Promise<void>((resolve) =>
        resolve(
          carrier.send(JSON.parse(json) as JSONRPCMessage, about === undefined ? {} : { relatedRequestId: about })
        )
      ).then(written, written)
    }
    const calls = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const connection = yield* Scope.extend(
      server.connect({
        caller: options.caller ?? Principal.local,
        send,
        isBehind: () => waiting > maxWaitingBytes
      }),
      calls
    )
    carrier.onmessage = (message) => connection.receive(message)
    carrier.onclose = end
    yield* Effect.tryPromise({
      try: () => carrier.start(),
      catch: (cause) => new SdkTransportError({ method: "start", cause })
    })
    const stopped = yield* Effect.forkScoped(Effect.zipRight(Deferred.await(closed), Scope.close(calls, Exit.void)))
    return { closed: Fiber.join(stopped) }
  })

/**
 * Serves the peer until it has closed the carrier.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (carrier: Carrier, options?: Options): Effect.Effect<void, SdkTransportError, McpServer> =>
  Effect.scoped(Effect.flatMap(make(carrier, options), ({ closed }) => closed))

/**
 * Serves the peer of a carrier. That the peer has gone ends nothing else; a
 * program that wants to know uses `run`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (carrier: Carrier, options?: Options): Transport.Transport<SdkTransportError> =>
  Layer.scopedDiscard(make(carrier, options))
