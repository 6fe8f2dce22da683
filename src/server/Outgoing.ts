/**
 * Puts a question to an older client in a request of the server's own, and
 * waits for the answer, which comes as a message by itself.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
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
  /** Ends the wait when the stream of the question has gone; a pipe ends as a whole. */
  readonly loss?: Loss | undefined
}

/**
 * Tells the questions of one request that nobody can see its answer any more.
 *
 * @since 0.1.0
 * @category models
 */
export interface Loss {
  /** The stream that the question went out on has gone. */
  readonly tell: () => void
  /** Fails when it has. */
  readonly told: Effect.Effect<never, McpError>
}

const lost = Effect.fail(
  new McpError({ code: Code.InternalError, message: "The client has gone, and cannot answer the question" })
)

/**
 * @since 0.1.0
 * @category constructors
 */
export const loss = (): Loss => {
  let isLost = false
  let waiting: Set<() => void> | undefined
  return {
    tell: () => {
      isLost = true
      for (const resume of waiting ?? []) resume()
    },
    told: Effect.async((resume) => {
      const end = (): void => resume(lost)
      if (isLost) return end()
      waiting ??= new Set()
      waiting.add(end)
      return Effect.sync(() => waiting?.delete(end))
    })
  }
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

/** Travels as a defect through `wait`, which knows no failure of `send`. */
const unsent = new McpError({
  code: Code.InternalError,
  message: "The question could not be sent: the client has gone, or reads too slowly"
})

const codeOf = (error: unknown): unknown => (JsonRpc.isObject(error) ? error.code : undefined)

/**
 * The result of the client, or why there is none: it could not be asked, refused,
 * or did not answer in time. When the one who asks is interrupted, the client is told to forget it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ask =
  ({ loss, owner, pendingAsks, send, timeout }: Options) =>
  (method: string, params: JsonRpc.Json): Effect.Effect<unknown, McpError> =>
    Effect.suspend(() => {
      const id = `srv-${globalThis.crypto.randomUUID()}`
      let isSent = false
      const sent = Effect.suspend(() => {
        isSent = send(JsonRpc.request(id, method, params))
        return isSent ? Effect.void : Effect.die(unsent)
      })
      const forget = Effect.sync(() => {
        if (isSent) send(JsonRpc.notification("notifications/cancelled", { requestId: id, reason: "No longer wanted" }))
      })
      const answered = Effect.mapError(
        pendingAsks.wait(keyOf(owner, id), sent),
        ({ message }) => new McpError({ code: Code.InternalError, message })
      )
      return (loss === undefined ? answered : Effect.raceFirst(answered, loss.told)).pipe(
        Effect.catchSomeDefect((defect) => defect === unsent ? Option.some(Effect.fail(unsent)) : Option.none()),
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
