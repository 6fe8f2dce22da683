/**
 * A provider on a real socket that does what a script says, one script per
 * model, in OpenAI's and in Anthropic's words: answers, vectors, statuses,
 * silence, broken connections, streams, and every fault of `ProviderFaults` by
 * name.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as ProviderAnswer from "./internal/ProviderAnswer.js"
import * as ProviderReply from "./internal/ProviderReply.js"
import * as ProviderVectors from "./internal/ProviderVectors.js"
import * as ProviderWire from "./internal/ProviderWire.js"
import * as ProviderFaults from "./ProviderFaults.js"

/**
 * What to do with one request.
 *
 * - `Text`: an answer in the words of the API that was asked, whole or as a
 *   stream; where a tool is forced, a text that is JSON becomes its call, and
 *   where vectors are asked for, they are given whatever the text.
 * - `Status`: a reply of any status; a body that is no string is sent as JSON.
 * - `Hang`: never goes on: before the headers, after them, or in mid-body.
 * - `Reset`: breaks the connection: before the headers, after them, or in mid-body.
 * - `Stream`: a body as it is, each piece on its own, and how it ends.
 * - `Raw`: bytes on the socket in place of a response, and how the connection ends.
 * - `Delayed`: another reply after a while.
 * - `Depending`: a reply made from the request.
 *
 * @since 0.1.0
 * @category models
 */
export type Reply = ProviderReply.Reply

/**
 * What is sent, piece by piece; a function makes it as it is sent, without end
 * if it likes.
 *
 * @since 0.1.0
 * @category models
 */
export type Pieces = ProviderReply.Pieces

/**
 * Answers with a text. `delayMs` passes before it, `gapMs` between the pieces of
 * a stream, in milliseconds of the wall clock.
 *
 * @since 0.1.0
 * @category constructors
 */
export const text: (text: string, options?: Omit<ProviderReply.Text, "_tag" | "text">) => Reply = ProviderReply.text

/**
 * Answers with a value as JSON.
 *
 * @since 0.1.0
 * @category constructors
 */
export const json: (value: unknown) => Reply = ProviderReply.json

/**
 * Answers a question for vectors with those of `vectorOf`, in order; `dimensions`
 * counts where the request names none, and is 8 unless given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const vectors = (options: { readonly dimensions?: number } = {}): Reply =>
  ProviderReply.depending(({ body }) => ProviderReply.status(200, ProviderVectors.body(body, options.dimensions)))

/**
 * The numbers that the server gives for a text: the same for the same text, of
 * no particular length.
 *
 * @since 0.1.0
 * @category combinators
 */
export const vectorOf: (text: string, dimensions?: number) => ReadonlyArray<number> = ProviderVectors.of

/**
 * Answers with a status, headers and a body.
 *
 * @since 0.1.0
 * @category constructors
 */
export const status: (
  status: number,
  body?: unknown,
  headers?: { readonly [name: string]: string | ReadonlyArray<string> }
) => Reply = ProviderReply.status

/**
 * Falls silent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hang: (after?: "request" | "headers" | "half") => Reply = ProviderReply.hang

/**
 * Breaks the connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const reset: (after?: "request" | "headers" | "half") => Reply = ProviderReply.reset

/**
 * Sends pieces of a body as they are, `gapMs` milliseconds apart.
 *
 * @since 0.1.0
 * @category constructors
 */
export const stream: (
  pieces: Pieces,
  options?: {
    readonly gapMs?: number
    readonly end?: "close" | "hang" | "reset"
    readonly contentType?: string
  }
) => Reply = ProviderReply.stream

/**
 * Writes bytes on the socket as they are, the head of a response too, `gapMs`
 * milliseconds apart. `half` closes the server's side alone.
 *
 * @since 0.1.0
 * @category constructors
 */
export const raw: (
  pieces: Pieces,
  options?: { readonly gapMs?: number; readonly end?: "close" | "half" | "hang" | "reset" }
) => Reply = ProviderReply.raw

/**
 * Waits, in milliseconds of the wall clock, and then does as another reply says.
 *
 * @since 0.1.0
 * @category constructors
 */
export const delayed: (ms: number, reply: Reply) => Reply = ProviderReply.delayed

/**
 * Does what a function says of the request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const depending: (reply: (request: Recorded) => Reply) => Reply = ProviderReply.depending

/**
 * One event of a well-formed Chat Completions stream: a text, and at its end a
 * finish reason. `more` replaces fields of the chunk.
 *
 * @since 0.1.0
 * @category constructors
 */
export const event: (text: string, finishReason?: string | null, more?: object) => string = ProviderAnswer.event

/**
 * One event of a Messages stream, by its type and further fields.
 *
 * @since 0.1.0
 * @category constructors
 */
export const messageEvent: (type: string, fields?: object) => string = ProviderAnswer.messageEvent

/**
 * A request as the server saw it, when, and in whose words. Of the key only the
 * header and the word before it are kept.
 *
 * @since 0.1.0
 * @category models
 */
export type Recorded = ProviderReply.Recorded

/**
 * The server and its controls.
 *
 * @since 0.1.0
 * @category models
 */
export interface Server {
  /** The base URL for clients of either API, for example `http://127.0.0.1:40123/v1`. */
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
  /** Forgets all scripts, how far each fault had got, the requests and the count of aborted ones; connections stay. */
  readonly reset: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class FakeProvider extends Context.Tag("causeway/FakeProvider")<FakeProvider, Server>() {}

/**
 * Starts a server on a free port of 127.0.0.1; closing the scope breaks its
 * connections and stops it. It answers `POST …/chat/completions`, `POST
 * …/messages`, `POST …/embeddings` and `GET …/models`. A model named `fault/NAME` plays that fault of
 * `ProviderFaults` without a script; any other model without one answers 404, as
 * a provider would. The port being refused is a defect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Server, never, Scope.Scope> = Effect.gen(function*() {
  const live: ProviderWire.Live = {
    scripts: new Map(),
    fault: ProviderFaults.replies,
    faultScripts: new Map(),
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
    connections: Effect.sync(() => live.sockets.size),
    reset: Effect.sync(() => {
      live.scripts.clear()
      live.faultScripts.clear()
      live.models = undefined
      live.requests.length = 0
      live.aborted = 0
    })
  }
})

/**
 * Provides a running server.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<FakeProvider> = Layer.scoped(FakeProvider, make)
