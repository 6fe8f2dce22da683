/**
 * Answers MCP requests as an `@effect/platform` application, on whatever server
 * runs it.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { IncomingMessage } from "node:http"
import * as Principal from "../../auth/Principal.js"
import type { Headers } from "../../protocol/Dispatcher.js"
import { isExit } from "../../protocol/Ended.js"
import { McpServer } from "../../server/McpServer.js"
import * as HttpBody from "./HttpBody.js"
import * as HttpCalls from "./HttpCalls.js"
import { until } from "./HttpConnections.js"
import * as Cors from "./HttpCors.js"
import * as Gate from "./HttpGate.js"
import * as HttpGuard from "./HttpGuard.js"
import * as HttpRefusals from "./HttpRefusals.js"
import * as HttpSettings from "./HttpSettings.js"
import * as HttpShedding from "./HttpShedding.js"
import * as HttpStreams from "./HttpStreams.js"
import * as HttpVisit from "./HttpVisit.js"

type Response = HttpServerResponse.HttpServerResponse

const interruptMillis = 1000

type Body = { readonly text: string | undefined } | { readonly excess: HttpBody.Excess }

const tooLong: Body = { excess: "tooLong" }

/** The text of a body that somebody has read before, as the platform remembers it. */
const remembered = (request: HttpServerRequest, source: IncomingMessage): Effect.Effect<string, unknown> =>
  source.readableEnded
    // It is there at once, or never: other ways to read a body leave nothing for a second reader.
    ? Effect.timeoutFailCause(request.text, {
      duration: "1 second",
      onTimeout: () => Cause.die(new Error("the body of an MCP request was read before, and not as text or JSON"))
    })
    : request.text

/** From the bytes where that is possible: a text no longer tells whether they were UTF-8. */
const bodyOf = (request: HttpServerRequest, maxBytes: number, room: HttpBody.Room): Effect.Effect<Body> => {
  const { source } = request
  if (source instanceof IncomingMessage) {
    return source.readableDidRead
      ? Effect.match(remembered(request, source), {
        onFailure: () => ({ text: undefined }),
        onSuccess: (text) => (Buffer.byteLength(text) > maxBytes ? tooLong : { text })
      })
      : Effect.async<Body>((resume) =>
        Effect.sync(HttpBody.read(
          source,
          maxBytes,
          room,
          (body) => resume(Effect.succeed({ text: HttpBody.decode(body) })),
          (excess) => resume(Effect.succeed({ excess }))
        ))
      )
  }
  return Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    const take = (chunk: Uint8Array): Effect.Effect<boolean> =>
      Effect.sync(() => {
        size += chunk.length
        if (size <= maxBytes) chunks.push(chunk)
        return size <= maxBytes
      })
    return Effect.match(Stream.runForEachWhile(request.stream, take), {
      onFailure: () => ({ text: undefined }),
      onSuccess: () => (size > maxBytes ? tooLong : { text: HttpBody.decode(Buffer.concat(chunks)) })
    })
  })
}

/** A request that came as a web `Request` may name its host in its address alone. */
const hostOf = (request: HttpServerRequest): string | undefined =>
  request.headers["host"] ?? (URL.canParse(request.originalUrl) ? new URL(request.originalUrl).host : undefined)

const asked = (request: HttpServerRequest): Gate.Request => ({
  method: request.method,
  headers: { ...request.headers, host: hostOf(request) },
  ...(request.source instanceof IncomingMessage
    ? { rawHeaders: request.source.rawHeaders, httpVersion: request.source.httpVersion }
    : {})
})

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: HttpSettings.Rules
): Effect.Effect<HttpApp.Default<never, Scope.Scope>, never, McpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* McpServer
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    const limits = HttpSettings.limits(options)
    const { maxBodyBytes } = limits
    const room = HttpBody.room(maxBodyBytes)
    const gate = Gate.make({
      boundHost: "localhost",
      allowedHosts: options.allowedHosts,
      allowedOrigins: options.allowedOrigins
    })
    const refusals = HttpRefusals.make(fork)
    const guard = yield* HttpGuard.fromContext({ refusals, run: fork })
    const shedding = yield* HttpShedding.fromContext(server)
    const calls = HttpCalls.make({
      ...limits,
      server,
      output: HttpVisit.output,
      refusals,
      run: fork,
      shedding,
      challenged: guard?.challenged
    })
    let isClosed = false
    /** Requests whose credentials are being checked. */
    let checking = 0
    const isBusy = (): boolean => checking > 0 || calls.isBusy()

    const refuse = (request: HttpServerRequest, rejection: Gate.Rejection): Response => {
      refusals.note(rejection.status, rejection.reason, Option.getOrUndefined(request.remoteAddress))
      const { source } = request
      return source instanceof IncomingMessage && !source.complete && !Gate.isSmall(request, maxBodyBytes)
        ? HttpVisit.respondUnread(source, rejection)
        : HttpVisit.respond(rejection.status, rejection.body, rejection.headers)
    }

    type Served = Effect.Effect<Response, never, Scope.Scope>

    /** Reads and answers a request whose caller is known. */
    const admit = (
      request: HttpServerRequest,
      question: Gate.Request,
      headersOf: Headers,
      cors: ReadonlyArray<string>,
      caller: Principal.Principal
    ): Served => {
      const reject = (rejection: Gate.Rejection): Effect.Effect<Response> =>
        Effect.succeed(refuse(request, Gate.withHeaders(rejection, cors)))
      if (isClosed) return reject(Gate.closed)
      if (question.method !== "POST") {
        const session = Gate.session(question)
        return typeof session === "string"
          ? HttpVisit.make(request, (target) => calls.streams.open(target, session, caller, cors))
          : reject(session)
      }
      const rejection = Gate.message(question, maxBodyBytes)
      if (rejection !== undefined) return reject(rejection)
      const accepted = Gate.accepted(question.headers.accept)
      if (accepted === "neither") return reject(Gate.notAcceptable)
      return Effect.flatMap(Effect.interruptible(bodyOf(request, maxBodyBytes, room)), (body) =>
        "excess" in body
          ? reject(body.excess === "tooLong" ? Gate.tooLarge(maxBodyBytes) : Gate.noRoom)
          : HttpVisit.make(request, (target) => calls.answer(target, body.text, headersOf, accepted, cors, caller)))
    }

    const serve = (request: HttpServerRequest): Served => {
      const headersOf: Headers = (name) => request.headers[name]
      const question = asked(request)
      const stranger = gate.host(question) ?? gate.origin(question)
      if (stranger !== undefined) return Effect.succeed(refuse(request, stranger))
      const allowed = Cors.preflight(question)
      if (allowed !== undefined) {
        return Effect.succeed(HttpServerResponse.empty({ headers: HttpVisit.recordOf(allowed) }))
      }
      const cors = Cors.headers(question.headers.origin)
      const away = shedding?.any()
      if (away !== undefined) return Effect.succeed(refuse(request, Gate.withHeaders(away, cors)))
      if (guard === undefined) return admit(request, question, headersOf, cors, Principal.local)
      const verdict = guard.check({
        authorization: request.headers["authorization"],
        header: headersOf,
        peer: Option.getOrUndefined(request.remoteAddress)
      }, question.rawHeaders)
      return Effect.matchEffect(isExit(verdict) ? verdict : waited(verdict), {
        onFailure: (rejection) => Effect.succeed(refuse(request, Gate.withHeaders(rejection, cors))),
        onSuccess: (caller) => admit(request, question, headersOf, cors, caller)
      })
    }

    /** A platform serves requests where nothing may be interrupted; a client that goes is not waited for. */
    const waited = <A, E>(verdict: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        checking += 1
        return Effect.ensuring(Effect.interruptible(verdict), Effect.sync(() => void (checking -= 1)))
      })

    yield* HttpStreams.tend(calls.streams, limits.keepAliveMillis, guard?.isRevoked)
    yield* Effect.addFinalizer(() =>
      Effect.promise(async () => {
        calls.streams.stop()
        await until(() => !isBusy(), limits.drainMillis)
        isClosed = true
        calls.interrupt()
        await until(() => !calls.isBusy(), interruptMillis)
        refusals.close()
      })
    )
    return Effect.flatMap(HttpServerRequest, serve)
  })
