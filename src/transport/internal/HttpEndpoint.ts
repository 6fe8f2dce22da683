/**
 * Answers the requests of the MCP path on a Node server: lets them through the
 * gate and past the guard, reads the body, and writes what the calls and streams
 * have to say.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Principal from "../../auth/Principal.js"
import type { Headers } from "../../protocol/Dispatcher.js"
import { isExit } from "../../protocol/Ended.js"
import * as Transport from "../Transport.js"
import * as HttpBody from "./HttpBody.js"
import * as HttpCalls from "./HttpCalls.js"
import type { Connections, Pending } from "./HttpConnections.js"
import * as Cors from "./HttpCors.js"
import * as Gate from "./HttpGate.js"
import type * as HttpGuard from "./HttpGuard.js"
import * as HttpOutput from "./HttpOutput.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void
  /** Answers with a refusal; closes the connection when the body was not read. */
  readonly refuse: (request: IncomingMessage, response: ServerResponse, rejection: Gate.Rejection) => void
  /** Answers with a page. */
  readonly show: (request: IncomingMessage, response: ServerResponse, page: HttpGuard.Page) => void
  readonly calls: HttpCalls.Calls<Pending>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options extends Omit<HttpCalls.Options<Pending>, "output" | "challenged"> {
  readonly connections: Connections
  readonly gate: Gate.Gate
  /** Without one every caller is the person at this machine. */
  readonly guard: HttpGuard.Guard | undefined
  readonly maxBodyBytes: number
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>
}

const lingerMillis = 250
/** A reader that takes nothing for this long is cut off. */
const stalledMillis = 30_000

const readHeaders = (request: IncomingMessage): Headers => {
  const { headers } = request
  return (name) => {
    const value = headers[name]
    return Array.isArray(value) ? value.join(", ") : value
  }
}

const ignore = (): void => {}

const expectReader = (response: ServerResponse): void => {
  const { socket } = response
  if (socket === null) {
    // Its turn has not come: an earlier request on this connection is not answered.
    response.once("prefinish", () => expectReader(response))
    return
  }
  if (response.writableLength === 0) return
  socket.setTimeout(stalledMillis)
  // Ahead of Node's own listener, which sets the time for an idle connection; the next answer may be long in coming.
  response.prependOnceListener("finish", () => socket.setTimeout(0))
}

/** As `expectReader`, for a stream that goes on once the reader has caught up with a last comment. */
const expectReaderOf = (response: ServerResponse): void => {
  const { socket } = response
  if (socket === null || (socket.timeout ?? 0) > 0) return
  socket.setTimeout(stalledMillis)
  // "drain" is not said to who was behind by little.
  response.write(HttpOutput.comment, () => {
    if (!response.writableEnded) socket.setTimeout(0)
  })
}

/** Lets go of what was read, which is not kept for as long as a stream may be open. */
const forgetRequest = (request: IncomingMessage): void => {
  request.removeAllListeners("data").removeAllListeners("end")
  request.rawHeaders = []
  request.headers = {}
}

const makeOutput = ({ connections, fork }: Options): HttpOutput.Output<Pending> => ({
  reply: ({ response }, status, body, headers) => {
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
  },
  open: ({ response }, headers) => {
    if (connections.isDraining()) response.shouldKeepAlive = false
    response.writeHead(200, [...HttpOutput.streamHeaders, ...headers])
  },
  flush: ({ response }) => response.flushHeaders(),
  isBehind: ({ response }) => {
    if (response.writableLength <= Transport.maxWaitingBytes) return false
    expectReaderOf(response)
    return true
  },
  write: ({ response }, text) => {
    response.write(text)
  },
  remind: ({ response }) => {
    if (response.writableLength > 0) expectReaderOf(response)
    else response.write(HttpOutput.comment)
  },
  end: ({ response }, text) => {
    response.end(text)
    expectReader(response)
  },
  wait: (pending, onLost, isOpenEnded) => {
    const { request } = pending
    const { socket } = request
    if (isOpenEnded) forgetRequest(request)
    pending.onLost = onLost
    pending.isOpenEnded = isOpenEnded
    connections.add(socket, pending)
    // The peer may have gone while the body was read or the call was started.
    if (socket.destroyed) onLost()
  },
  settle: (pending) => connections.remove(pending.request.socket, pending),
  run: (_, reply) => fork(reply),
  peer: ({ request }) => request.socket.remoteAddress
})

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Endpoint => {
  const { connections, fork, gate, guard, maxBodyBytes, refusals, shedding } = options
  const output = makeOutput(options)
  const room = HttpBody.room(maxBodyBytes)
  const calls = HttpCalls.make({ ...options, challenged: guard?.challenged, output })
  let lastAccept: string | undefined
  let lastAccepted: Gate.Accepted = "json"

  const acceptedBy = (accept: string | undefined): Gate.Accepted => {
    if (accept !== lastAccept) {
      lastAccepted = Gate.accepted(accept)
      lastAccept = accept
    }
    return lastAccepted
  }

  // A connection closed with bytes unread is reset, and the reset may overtake the answer: the client gets a moment to read it.
  const showUnread = (response: ServerResponse, { body = "", headers, status }: HttpGuard.Page): void => {
    response.shouldKeepAlive = false
    response.writeHead(status, [
      ...headers,
      "content-type",
      "application/json",
      "content-length",
      String(Buffer.byteLength(body))
    ])
    response.write(body)
    const timer = setTimeout(() => response.end(), lingerMillis)
    response.on("close", () => clearTimeout(timer))
  }

  const show: Endpoint["show"] = (request, response, page) => {
    if (Gate.isSmall(request, maxBodyBytes)) {
      const { body, headers, status } = page
      return output.reply({ request, response, onLost: ignore, isOpenEnded: false }, status, body, headers)
    }
    HttpBody.stop(request)
    showUnread(response, page)
  }

  const refuse: Endpoint["refuse"] = (request, response, rejection) => {
    refusals.note(rejection.status, rejection.reason, request.socket.remoteAddress)
    show(request, response, rejection)
  }

  /** Reads and answers a request whose caller is known. */
  const admit = (
    pending: Pending,
    headers: Headers,
    cors: ReadonlyArray<string>,
    caller: Principal.Principal
  ): void => {
    const { request, response } = pending
    if (request.method !== "POST") {
      const session = Gate.session(request)
      if (typeof session === "string") return calls.streams.open(pending, session, caller, cors)
      return refuse(request, response, Gate.withHeaders(session, cors))
    }
    const rejection = Gate.message(request, maxBodyBytes)
    if (rejection !== undefined) return refuse(request, response, Gate.withHeaders(rejection, cors))
    const accepted = acceptedBy(request.headers.accept)
    if (accepted === "neither") return refuse(request, response, Gate.withHeaders(Gate.notAcceptable, cors))

    const { socket } = request
    if (connections.isCrowded(socket)) return refuse(request, response, Gate.withHeaders(Gate.crowded, cors))
    connections.add(socket, pending)
    if (request.headers.expect !== undefined) response.writeContinue()
    pending.onLost = HttpBody.read(request, maxBodyBytes, room, (body) => {
      connections.remove(socket, pending)
      pending.onLost = ignore
      calls.answer(pending, HttpBody.decode(body), headers, accepted, cors, caller)
    }, (excess) => {
      connections.remove(socket, pending)
      pending.onLost = ignore
      const rejection = excess === "tooLong" ? Gate.tooLarge(maxBodyBytes) : Gate.noRoom
      refusals.note(rejection.status, rejection.reason, socket.remoteAddress)
      showUnread(response, Gate.withHeaders(rejection, cors))
    })
  }

  const decide = (
    pending: Pending,
    headers: Headers,
    cors: ReadonlyArray<string>,
    verdict: Exit.Exit<Principal.Principal, Gate.Rejection>
  ): void => {
    if (Exit.isSuccess(verdict)) return admit(pending, headers, cors, verdict.value)
    const rejection = Option.getOrUndefined(Cause.failureOption(verdict.cause))
    // Without one the peer has gone, and nobody waits.
    if (rejection !== undefined) refuse(pending.request, pending.response, Gate.withHeaders(rejection, cors))
  }

  const serve: Endpoint["serve"] = (request, response) => {
    const stranger = gate.origin(request)
    if (stranger !== undefined) return refuse(request, response, stranger)
    const allowed = Cors.preflight(request)
    if (allowed !== undefined) {
      response.writeHead(204, [...allowed])
      response.end()
      return
    }
    const cors = Cors.headers(request.headers.origin)
    // Before anybody is asked who it is, which costs something too.
    const away = shedding?.any()
    if (away !== undefined) return refuse(request, response, Gate.withHeaders(away, cors))
    const headers = readHeaders(request)
    const pending: Pending = { request, response, onLost: ignore, isOpenEnded: false }
    if (guard === undefined) return admit(pending, headers, cors, Principal.local)
    const { socket } = request
    const presented = { authorization: request.headers.authorization, header: headers, peer: socket.remoteAddress }
    const verdict = guard.check(presented, request.rawHeaders)
    if (isExit(verdict)) return decide(pending, headers, cors, verdict)

    // The body stays unread meanwhile, and the client waits for its answer as for any other.
    if (connections.isCrowded(socket)) return refuse(request, response, Gate.withHeaders(Gate.crowded, cors))
    connections.add(socket, pending)
    const checking = fork(verdict)
    pending.onLost = () => checking.unsafeInterruptAsFork(FiberId.none)
    checking.addObserver((exit) => {
      connections.remove(socket, pending)
      pending.onLost = ignore
      if (!socket.destroyed) decide(pending, headers, cors, exit)
    })
  }

  return { serve, refuse, show, calls }
}
