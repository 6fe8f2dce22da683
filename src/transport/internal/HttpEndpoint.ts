/**
 * Answers the requests of the MCP path: reads the body, asks the server, and
 * writes one JSON text, or a stream of events when there is more to say.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import { isUtf8 } from "node:buffer"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Principal } from "../../auth/Principal.js"
import type { Exchange, Headers, Reply } from "../../protocol/Dispatcher.js"
import * as Dispatcher from "../../protocol/Dispatcher.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import * as McpError from "../../protocol/McpError.js"
import type { McpServer } from "../../server/McpServer.js"
import * as Transport from "../Transport.js"
import type { Connections, Pending } from "./HttpConnections.js"
import * as Gate from "./HttpGate.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void
  /** Answers with a refusal; closes the connection when the body was not read. */
  readonly refuse: (request: IncomingMessage, response: ServerResponse, rejection: Gate.Rejection) => void
  /** Calls that have not ended, whether or not anyone still waits for them. */
  readonly running: ReadonlySet<Fiber.RuntimeFiber<Reply>>
  /** Sends a comment down every open stream, so that nothing between takes it for dead. */
  readonly keepAlive: () => void
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly server: typeof McpServer.Service
  readonly runtime: Runtime.Runtime<never>
  readonly connections: Connections
  readonly gate: Gate.Gate
  readonly maxBodyBytes: number
  readonly caller: (headers: Headers) => Principal
}

const lingerMillis = 250
/** A reader that takes nothing for this long is cut off. */
const stalledMillis = 30_000

const streamHeaders: ReadonlyArray<string> = [
  "content-type",
  "text/event-stream",
  "cache-control",
  "no-cache, no-transform",
  "x-accel-buffering",
  "no"
]

const frame = (json: string): string => `event: message\ndata: ${json}\n\n`

const readHeaders = (request: IncomingMessage): Headers => {
  const { headers } = request
  return (name) => {
    const value = headers[name]
    return Array.isArray(value) ? value.join(", ") : value
  }
}

/** The answer when the call itself has none: it was ended by the server, or hit a defect nobody answered for. */
const unanswered = (exchange: Exchange | undefined, isStopping: boolean): Reply => ({
  status: isStopping ? 503 : 500,
  body: JsonRpc.error(
    exchange?.id,
    new McpError.McpError({
      code: McpError.Code.InternalError,
      message: isStopping ? "The server is shutting down" : "Internal error"
    })
  )
})

/** The message in a body, or the reply to a body that holds none. */
const parse = (body: Buffer, unparsable: Reply): { readonly message: unknown } | Reply => {
  if (!isUtf8(body)) return unparsable
  const text = body.toString("utf8")
  if (JsonRpc.depthOf(text, Transport.maxDepth) > Transport.maxDepth) return Dispatcher.tooDeep
  try {
    return { message: JSON.parse(text) }
  } catch {
    return unparsable
  }
}

const expectReader = (response: ServerResponse): void => {
  if (response.writableLength > 0) response.socket?.setTimeout(stalledMillis)
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Endpoint => {
  const { connections, gate, maxBodyBytes, server } = options
  const fork = Runtime.runFork(options.runtime)
  const running = new Set<Fiber.RuntimeFiber<Reply>>()
  const streams = new Set<ServerResponse>()
  let lastAccept: string | undefined
  let lastAccepted: Gate.Accepted = "json"

  const acceptedBy = (accept: string | undefined): Gate.Accepted => {
    if (accept !== lastAccept) {
      lastAccepted = Gate.accepted(accept)
      lastAccept = accept
    }
    return lastAccepted
  }

  const write = (
    response: ServerResponse,
    status: number,
    body: string | undefined,
    headers: ReadonlyArray<string>
  ): void => {
    if (connections.isDraining()) response.shouldKeepAlive = false
    if (body === undefined) {
      response.writeHead(status, [...headers, "content-length", "0"])
      response.end()
      return
    }
    const length = String(Buffer.byteLength(body))
    response.writeHead(
      status,
      headers.length === 0
        ? ["content-type", "application/json", "content-length", length]
        : [...headers, "content-type", "application/json", "content-length", length]
    )
    response.end(body)
    expectReader(response)
  }

  // A connection closed with bytes unread is reset, and the reset may overtake the answer: the client gets a moment to read it.
  const refuseUnread = (response: ServerResponse, rejection: Gate.Rejection): void => {
    response.shouldKeepAlive = false
    response.writeHead(rejection.status, [
      ...rejection.headers,
      "content-type",
      "application/json",
      "content-length",
      String(Buffer.byteLength(rejection.body))
    ])
    response.write(rejection.body)
    const timer = setTimeout(() => response.end(), lingerMillis)
    response.on("close", () => clearTimeout(timer))
  }

  const refuse: Endpoint["refuse"] = (request, response, rejection) => {
    const length = request.headers["content-length"]
    const isSmall = length === undefined
      ? request.headers["transfer-encoding"] === undefined
      : Number(length) <= maxBodyBytes
    if (isSmall) write(response, rejection.status, rejection.body, rejection.headers)
    else {
      request.pause()
      refuseUnread(response, rejection)
    }
  }

  const answer = (request: IncomingMessage, response: ServerResponse, accepted: Gate.Accepted, body: Buffer): void => {
    const cors = Gate.corsHeaders(request.headers.origin)
    const parsed = parse(body, server.unparsable)
    if ("status" in parsed) return write(response, parsed.status, parsed.body, cors)

    const { socket } = request
    const headers = readHeaders(request)
    let isOver = false
    let isStreaming = false
    let exchange: Exchange | undefined = undefined
    let fiber: Fiber.RuntimeFiber<Reply> | undefined = undefined

    const openStream = (): void => {
      isStreaming = true
      if (connections.isDraining()) response.shouldKeepAlive = false
      response.writeHead(200, [...streamHeaders, ...cors])
      streams.add(response)
    }
    const notify = (json: string): void => {
      if (isOver || accepted === "json") return
      if (!isStreaming) openStream()
      if (response.writableLength > Transport.maxWaitingBytes) return expectReader(response)
      response.write(frame(json))
    }
    const finish = (reply: Reply): void => {
      if (isOver) return
      isOver = true
      if (fiber !== undefined) connections.remove(socket, pending)
      if (!isStreaming && accepted === "stream" && reply.status === 200 && reply.body !== undefined) openStream()
      if (!isStreaming) return write(response, reply.status, reply.body, cors)
      streams.delete(response)
      response.end(reply.body === undefined ? undefined : frame(reply.body))
      expectReader(response)
    }
    const pending: Pending = {
      request,
      response,
      onLost: () => {
        isOver = true
        streams.delete(response)
        if (exchange?.cancelledByDisconnect === true) fiber?.unsafeInterruptAsFork(FiberId.none)
      }
    }

    const current = server.post(parsed.message, headers, { caller: options.caller(headers), notify })
    exchange = current
    const conclude = (exit: Exit.Exit<Reply>): void =>
      finish(Exit.isSuccess(exit) ? exit.value : unanswered(current, connections.isDraining()))

    // `isExit` forgets the types of the effect it narrows.
    if (Exit.isExit(current.reply)) return conclude(current.reply as Exit.Exit<Reply>)
    const started = fork(current.reply)
    const exit = started.unsafePoll()
    if (exit !== null) return conclude(exit)
    fiber = started
    running.add(started)
    connections.add(socket, pending)
    started.addObserver((exit) => {
      running.delete(started)
      conclude(exit)
    })
    // The peer may have gone while the body was read or the call was started.
    if (socket.destroyed) pending.onLost()
  }

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const stranger = gate.origin(request)
    if (stranger !== undefined) return refuse(request, response, stranger)
    const allowed = Gate.preflight(request)
    if (allowed !== undefined) {
      response.writeHead(204, [...allowed])
      response.end()
      return
    }
    const cors = Gate.corsHeaders(request.headers.origin)
    const rejection = Gate.message(request, maxBodyBytes)
    if (rejection !== undefined) {
      return refuse(request, response, { ...rejection, headers: [...rejection.headers, ...cors] })
    }
    const accepted = acceptedBy(request.headers.accept)
    if (accepted === "neither") {
      return refuse(request, response, Gate.reject(406, "The client takes neither JSON nor an event stream", cors))
    }

    const reading: Pending = { request, response, onLost: () => {} }
    const { socket } = request
    connections.add(socket, reading)
    let first: Buffer | undefined
    let more: Array<Buffer> | undefined
    let size = 0
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > maxBodyBytes) {
        request.off("data", onData).off("end", onEnd).pause()
        connections.remove(socket, reading)
        const { body, headers, status } = Gate.tooLarge(maxBodyBytes)
        return refuseUnread(response, { body, status, headers: [...headers, ...cors] })
      }
      if (first === undefined) first = chunk
      else if (more === undefined) more = [first, chunk]
      else more.push(chunk)
    }
    const onEnd = (): void => {
      connections.remove(socket, reading)
      try {
        answer(request, response, accepted, more === undefined ? first ?? Buffer.alloc(0) : Buffer.concat(more))
      } catch (defect) {
        // Outside of a fiber nobody else would report it, and it would end the process.
        fork(Effect.logError("A request hit a defect", defect))
        const { body, status } = unanswered(undefined, false)
        if (!response.headersSent) write(response, status, body, cors)
      }
    }
    if (request.headers.expect !== undefined) response.writeContinue()
    request.on("data", onData).on("end", onEnd)
  }

  return {
    serve,
    refuse,
    running,
    keepAlive: () => {
      for (const response of streams) {
        if (response.writableLength <= Transport.maxWaitingBytes) response.write(": keep-alive\n\n")
      }
    }
  }
}
