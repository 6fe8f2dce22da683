/**
 * A client in the same process that speaks to the server in real messages: for
 * tests, and for programs that call their own tools.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Principal from "../auth/Principal.js"
import * as JsonRpc from "../protocol/JsonRpc.js"
import { McpError, methodNotFound } from "../protocol/McpError.js"
import type { RequestId } from "../protocol/McpSchema.js"
import { McpServer } from "../server/McpServer.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /**
   * The revision to speak; `2026-07-28` unless given. An older one begins with a
   * handshake.
   */
  readonly revision?: string | undefined
  /** Who the client is; the person at this machine unless given. */
  readonly caller?: Principal.Principal | undefined
  /** What the client declares it can be asked for; nothing unless given. */
  readonly capabilities?: { readonly [capability: string]: unknown } | undefined
  /**
   * Answers what the server asks of the client: in a request of its own on older
   * revisions, inside a result on 2026-07-28. Without it requests are refused, and
   * questions in results are the result.
   */
  readonly answer?:
    | ((method: string, params: JsonRpc.Json) => Effect.Effect<JsonRpc.Json, McpError>)
    | undefined
}

/**
 * What the server said without being asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Notification {
  readonly method: string
  readonly params: JsonRpc.Json
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Client {
  /**
   * Asks and waits for the result; fails with the error the server answered.
   * Interrupting it tells the server to cancel. With `id` the request carries
   * that id, which must not be in use. Questions in a result are answered by
   * `Options.answer`, and the request is sent again, at most 16 times.
   */
  readonly request: (
    method: string,
    params?: JsonRpc.Json,
    options?: { readonly id?: RequestId | undefined }
  ) => Effect.Effect<JsonRpc.Json, McpError>
  readonly notify: (method: string, params?: JsonRpc.Json) => Effect.Effect<void>
  /** What the server notifies from now on; whoever runs it takes what arrives. */
  readonly notifications: Stream.Stream<Notification>
  /** Sends text as it is. */
  readonly send: (text: string) => Effect.Effect<void>
  /** Answers that no `request` waits for, parsed, in the order they came. */
  readonly replies: Queue.Dequeue<unknown>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class MemoryTransport extends Context.Tag("causeway/MemoryTransport")<MemoryTransport, Client>() {}

const stateless = "2026-07-28"
const clientInfo = { name: "causeway-memory", version: "0.1.0" }

/** Notifications beyond these wait for nobody: the oldest are forgotten. */
const keptNotifications = 10_000

/** How often one request may come back with questions. */
const mostRounds = 16

const envelope = (options: Options): JsonRpc.Json => ({
  "io.modelcontextprotocol/protocolVersion": stateless,
  "io.modelcontextprotocol/clientInfo": clientInfo,
  "io.modelcontextprotocol/clientCapabilities": options.capabilities ?? {}
})

const errorOf = (error: unknown): McpError => {
  const { code, data, message } = JsonRpc.isObject(error) ? error : {}
  return new McpError({
    code: typeof code === "number" ? code : 0,
    message: typeof message === "string" ? message : "The server answered with an error that has no message",
    ...(data === undefined ? {} : { data })
  })
}

/**
 * Connects a peer that does everything itself: it sends text and is handed each
 * message of the server, parsed, in the order they come.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connect = (
  onMessage: (message: unknown) => void,
  caller: Principal.Principal = Principal.local
): Effect.Effect<(text: string) => void, never, McpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* McpServer
    const connection = yield* server.connect({ caller, send: (json) => onMessage(JSON.parse(json)) })
    return connection.receiveText
  })

/**
 * Connects a client. It is disconnected, and its calls in flight end, when the
 * scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Client, never, McpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const revision = options.revision ?? stateless
    const meta = revision === stateless ? envelope(options) : undefined
    const waiting = new Map<RequestId, (answer: Effect.Effect<JsonRpc.Json, McpError>) => void>()
    const replies = yield* Effect.acquireRelease(Queue.unbounded<unknown>(), Queue.shutdown)
    const notifications = yield* Effect.acquireRelease(
      Queue.sliding<Notification>(keptNotifications),
      Queue.shutdown
    )
    let nextId = 1

    const fork = Runtime.runFork(yield* Effect.runtime())
    const scope = yield* Effect.scope

    /** Answers a request of the server. */
    const reply = (id: unknown, method: string, params: JsonRpc.Json): void => {
      const answered = options.answer === undefined
        ? Effect.fail(methodNotFound(method))
        : Effect.suspend(() => options.answer?.(method, params) ?? Effect.never)
      fork(
        Effect.match(answered, {
          onFailure: ({ code, data, message }) => send({ id, error: { code, message, data } }),
          onSuccess: (result) => send({ id, result })
        }),
        { scope }
      )
    }

    const receive = (message: unknown): void => {
      if (!JsonRpc.isObject(message)) {
        replies.unsafeOffer(message)
        return
      }
      const { error, id, method, params, result } = message
      if (typeof method === "string" && id !== undefined) {
        return reply(id, method, JsonRpc.isObject(params) ? params : {})
      }
      if (typeof method === "string") {
        notifications.unsafeOffer({ method, params: JsonRpc.isObject(params) ? params : {} })
        return
      }
      const resume = JsonRpc.isId(id) ? waiting.get(id) : undefined
      if (resume === undefined || !JsonRpc.isId(id)) {
        replies.unsafeOffer(message)
        return
      }
      waiting.delete(id)
      resume(JsonRpc.isObject(result) ? Effect.succeed(result) : Effect.fail(errorOf(error)))
    }

    const sendText = yield* connect(receive, options.caller)

    const withMeta = (params: JsonRpc.Json): JsonRpc.Json =>
      meta === undefined
        ? params
        : { ...params, _meta: JsonRpc.isObject(params._meta) ? { ...meta, ...params._meta } : meta }
    const send = (message: object): void => sendText(JSON.stringify({ jsonrpc: "2.0", ...message }))

    const once: Client["request"] = (method, params = {}, requestOptions) =>
      Effect.async((resume) => {
        const id = requestOptions?.id ?? nextId++
        waiting.set(id, resume)
        send({ id, method, params: withMeta(params) })
        return Effect.sync(() => {
          if (!waiting.delete(id)) return
          send({ method: "notifications/cancelled", params: { requestId: id, reason: "The caller was interrupted" } })
        })
      })
    const request: Client["request"] = (method, params = {}, requestOptions) => {
      const { answer } = options
      const settle = (result: JsonRpc.Json, left: number): Effect.Effect<JsonRpc.Json, McpError> => {
        const { inputRequests, requestState, resultType } = result
        if (answer === undefined || resultType !== "input_required" || left === 0) return Effect.succeed(result)
        const questions = Object.entries(JsonRpc.isObject(inputRequests) ? inputRequests : {})
        return Effect.forEach(questions, ([key, asked]) => {
          const { method, params } = JsonRpc.isObject(asked) ? asked : {}
          return Effect.map(
            answer(String(method), JsonRpc.isObject(params) ? params : {}),
            (result) => [key, result] as const
          )
        }, { concurrency: "unbounded" }).pipe(
          Effect.flatMap((answers) =>
            once(method, {
              ...params,
              inputResponses: Object.fromEntries(answers),
              ...(requestState === undefined ? {} : { requestState })
            })
          ),
          Effect.flatMap((result) => settle(result, left - 1))
        )
      }
      return Effect.flatMap(once(method, params, requestOptions), (result) => settle(result, mostRounds))
    }
    const notify: Client["notify"] = (method, params = {}) => Effect.sync(() => send({ method, params }))

    if (meta === undefined) {
      yield* Effect.orDie(
        request("initialize", { protocolVersion: revision, capabilities: options.capabilities ?? {}, clientInfo })
      )
      yield* notify("notifications/initialized")
    }
    return {
      request,
      notify,
      notifications: Stream.fromQueue(notifications),
      send: (text) => Effect.sync(() => sendText(text)),
      replies
    }
  })

/**
 * A client of the server, for whoever asks for one.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<MemoryTransport, never, McpServer> =>
  Layer.scoped(MemoryTransport, make(options))
