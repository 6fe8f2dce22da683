/**
 * An OpenAI-compatible server on a real socket that does what a script says, one
 * script per model: answers, statuses, silence, broken connections, streams.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as ProviderWire from "./internal/ProviderWire.js"

/**
 * What to do with one request.
 *
 * - `Text`: a completion, or the same as a stream when the request asks for one.
 * - `Status`: a reply of any status; a body that is no string is sent as JSON.
 * - `Hang`: never goes on: before the headers, after them, or in mid-body.
 * - `Reset`: breaks the connection, before the headers or in mid-body.
 * - `Stream`: bytes as they are, each piece on its own, and how it ends.
 *
 * @since 0.1.0
 * @category models
 */
export type Reply = ProviderWire.Reply

/**
 * Answers with a text.
 *
 * @since 0.1.0
 * @category constructors
 */
export const text = (
  text: string,
  options: { readonly finishReason?: string | null; readonly usage?: unknown; readonly delayMs?: number } = {}
): Reply => ({ _tag: "Text", text, ...options })

/**
 * Answers with a value as JSON in the message.
 *
 * @since 0.1.0
 * @category constructors
 */
export const json = (value: unknown): Reply => ({ _tag: "Text", text: JSON.stringify(value) })

/**
 * Answers with a status, headers and a body.
 *
 * @since 0.1.0
 * @category constructors
 */
export const status = (
  status: number,
  body?: unknown,
  headers?: { readonly [name: string]: string | ReadonlyArray<string> }
): Reply => ({
  _tag: "Status",
  status,
  ...(body === undefined ? {} : { body }),
  ...(headers === undefined ? {} : { headers })
})

/**
 * Falls silent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hang = (after: "request" | "headers" | "half" = "request"): Reply => ({ _tag: "Hang", after })

/**
 * Breaks the connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const reset = (after: "request" | "half" = "request"): Reply => ({ _tag: "Reset", after })

/**
 * Sends pieces of a stream as they are.
 *
 * @since 0.1.0
 * @category constructors
 */
export const stream = (
  pieces: ReadonlyArray<string | Uint8Array>,
  options: {
    readonly gapMs?: number
    readonly end?: "close" | "hang" | "reset"
    readonly contentType?: string
  } = {}
): Reply => ({ _tag: "Stream", pieces, ...options })

/**
 * One event of a well-formed stream: a text, and at its end a finish reason.
 * `more` replaces fields of the chunk.
 *
 * @since 0.1.0
 * @category constructors
 */
export const event: (text: string, finishReason?: string | null, more?: object) => string = ProviderWire.event

/**
 * A request as the server saw it. Of the key only the header and the word before
 * it are kept.
 *
 * @since 0.1.0
 * @category models
 */
export type Recorded = ProviderWire.Recorded

/**
 * The server and its controls.
 *
 * @since 0.1.0
 * @category models
 */
export interface Server {
  /** The base URL for clients, for example `http://127.0.0.1:40123/v1`. */
  readonly baseUrl: string
  /** Adds replies for a model; the last of them is repeated for ever. `*` is for models without a script. */
  readonly script: (model: string, ...replies: ReadonlyArray<Reply>) => Effect.Effect<void>
  /** What `GET /models` does; the list of scripted models unless set. */
  readonly scriptModels: (reply: Reply) => Effect.Effect<void>
  /** Every request so far, oldest first. */
  readonly requests: Effect.Effect<ReadonlyArray<Recorded>>
  /** Requests that have no complete reply and still have their connection. */
  readonly active: Effect.Effect<number>
  /** Requests whose connection the client closed before the reply was complete. */
  readonly aborted: Effect.Effect<number>
  /** Open connections. */
  readonly connections: Effect.Effect<number>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class FakeProvider extends Context.Tag("causeway/FakeProvider")<FakeProvider, Server>() {}

/**
 * Starts a server on a free port of 127.0.0.1; closing the scope breaks its
 * connections and stops it. A model without a script answers 404, as a provider
 * would. The port being refused is a defect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Server, never, Scope.Scope> = Effect.gen(function*() {
  const live: ProviderWire.Live = {
    scripts: new Map(),
    models: undefined,
    requests: [],
    sockets: new Set(),
    timers: new Set(),
    closedByUs: new WeakSet(),
    active: 0,
    aborted: 0
  }
  const server = yield* Effect.acquireRelease(
    Effect.async<Http.Server>((resume) => {
      const server = Http.createServer((request, response) => ProviderWire.receive(live, request, response))
      server.on("connection", (socket) => {
        live.sockets.add(socket)
        socket.on("error", () => undefined)
        socket.once("close", () => live.sockets.delete(socket))
      })
      server.once("error", (error) => resume(Effect.die(error)))
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.async<void>((resume) => {
        for (const timer of live.timers) clearTimeout(timer)
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    script: (model, ...replies) =>
      Effect.sync(() => {
        live.scripts.set(model, [...(live.scripts.get(model) ?? []), ...replies])
      }),
    scriptModels: (reply) =>
      Effect.sync(() => {
        live.models = reply
      }),
    requests: Effect.sync(() => [...live.requests]),
    active: Effect.sync(() => live.active),
    aborted: Effect.sync(() => live.aborted),
    connections: Effect.sync(() => live.sockets.size)
  }
})

/**
 * Provides a running server.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<FakeProvider> = Layer.scoped(FakeProvider, make)
