/**
 * The requests of handshake revisions that change how their client stands: they
 * are answered at once, and what they say is remembered by whoever keeps it.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Tell } from "./Exchange.js"
import type { Handlers } from "./Handlers.js"
import type { Json } from "./JsonRpc.js"
import type { McpError } from "./McpError.js"
import * as Params from "./Params.js"
import type { Revision } from "./Revision.js"

/**
 * Reads what is to be remembered.
 *
 * @since 0.1.0
 * @category models
 */
export type Order = (params: Json) => Either.Either<Tell, McpError>

const subscriptions: ReadonlyArray<readonly [string, Order]> = [
  ["resources/subscribe", (params) => Either.map(Params.uri(params), (uri): Tell => ({ _tag: "Subscribe", uri }))],
  ["resources/unsubscribe", (params) => Either.map(Params.uri(params), (uri): Tell => ({ _tag: "Unsubscribe", uri }))]
]

const logging: ReadonlyArray<readonly [string, Order]> = [
  ["logging/setLevel", (params) => Either.map(Params.level(params), (level): Tell => ({ _tag: "LogLevel", level }))]
]

/**
 * The orders that a revision knows and this server takes, by their methods.
 *
 * @since 0.1.0
 * @category constructors
 */
export const served = (revision: Revision, handlers: Handlers<never>): ReadonlyMap<string, Order> =>
  new Map(
    [...(handlers.logging === true ? logging : []), ...(handlers.resources?.subscribe === true ? subscriptions : [])]
      .filter(([method]) => revision.methods.has(method))
  )
