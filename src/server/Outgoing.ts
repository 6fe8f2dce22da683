/**
 * Puts a question to an older client in a request of the server's own, and
 * waits for the answer, which comes as a message by itself.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { PendingAsks } from "../ask/PendingAsks.js"
import * as JsonRpc from "../protocol/JsonRpc.js"
import { Code, invalidRequest, McpError } from "../protocol/McpError.js"
import type { RequestId } from "../protocol/McpSchema.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly pendingAsks: Context.Tag.Service<PendingAsks>
  /** The session or connection that the answer must come back on. */
  readonly owner: string
  /** Takes one encoded message to the client; false when it was dropped. */
  readonly send: (json: string) => boolean
  /** How long the client may take. */
  readonly timeout: Duration.Duration
}

/**
 * Under what an answer is waited for: nobody but the client that was asked
 * knows both parts.
 *
 * @since 0.1.0
 * @category constructors
 */
export const keyOf = (owner: string, id: RequestId): string => `${owner} ${typeof id === "number" ? "n" : "s"}${id}`

/** Whether an id can be one that `ask` gave: answers nobody can wait for go no further. */
const isOurs = (id: RequestId | undefined): id is string => typeof id === "string" && /^srv-[0-9a-f-]{36}$/u.test(id)

/**
 * Hands in an answer that a client sent, for whoever waits for it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const answer = (
  pendingAsks: Context.Tag.Service<PendingAsks>,
  owner: string,
  { error, id, result }: JsonRpc.Response
): Effect.Effect<void, McpError> =>
  !isOurs(id) ? Effect.void : Effect.mapError(
    pendingAsks.answer(keyOf(owner, id), error === undefined ? { result } : { error }),
    ({ message }) => new McpError({ code: Code.InternalError, message })
  )

const codeOf = (error: unknown): unknown => (JsonRpc.isObject(error) ? error.code : undefined)

/**
 * The result of the client, or why there is none: it refused, or did not answer
 * in time. When the one who asks is interrupted, the client is told to forget it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ask =
  ({ owner, pendingAsks, send, timeout }: Options) =>
  (method: string, params: JsonRpc.Json): Effect.Effect<unknown, McpError> =>
    Effect.suspend(() => {
      const id = `srv-${globalThis.crypto.randomUUID()}`
      const sent = Effect.suspend(() =>
        send(JsonRpc.request(id, method, params))
          ? Effect.void
          : Effect.die(new Error("the client reads too slowly to be asked"))
      )
      const forget = Effect.sync(() => {
        send(JsonRpc.notification("notifications/cancelled", { requestId: id, reason: "No longer wanted" }))
      })
      return pendingAsks.wait(keyOf(owner, id), sent).pipe(
        Effect.mapError(({ message }) => new McpError({ code: Code.InternalError, message })),
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => invalidRequest("The client did not answer the question in time")
        }),
        Effect.tapErrorCause(() => forget),
        Effect.onInterrupt(() => forget),
        Effect.flatMap((response): Effect.Effect<unknown, McpError> => {
          if (!JsonRpc.isObject(response) || Object.hasOwn(response, "error")) {
            const code = codeOf(JsonRpc.isObject(response) ? response.error : undefined)
            return Effect.fail(
              new McpError({
                code: Code.InvalidRequest,
                message: "The client refused the question",
                ...(typeof code === "number" ? { data: { code } } : {})
              })
            )
          }
          return Effect.succeed(response.result)
        })
      )
    })
