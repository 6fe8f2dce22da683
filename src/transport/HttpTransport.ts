/**
 * Serves MCP over HTTP on a `node:http` server of its own, beside an optional
 * `@effect/platform` application, and loses no answer when it stops; or on one
 * path of a server that is there already.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type * as Scope from "effect/Scope"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Socket } from "node:net"
import { Authenticator } from "../auth/Authenticator.js"
import { Lifecycle } from "../health/Lifecycle.js"
import { McpServer } from "../server/McpServer.js"
import * as HttpTransportError from "./HttpTransportError.js"
import * as HttpConnections from "./internal/HttpConnections.js"
import * as HttpEndpoint from "./internal/HttpEndpoint.js"
import * as HttpGate from "./internal/HttpGate.js"
import * as HttpGuard from "./internal/HttpGuard.js"
import * as HttpListener from "./internal/HttpListener.js"
import * as HttpRefusals from "./internal/HttpRefusals.js"
import * as HttpSettings from "./internal/HttpSettings.js"
import * as HttpShedding from "./internal/HttpShedding.js"
import * as HttpStreams from "./internal/HttpStreams.js"
import type * as Transport from "./Transport.js"

export type {
  /**
   * What holds on the MCP path, whoever owns the server.
   *
   * @since 0.1.0
   * @category configuration
   */
  Rules,
  /**
   * Settings that a file or the environment can hold.
   *
   * @since 0.1.0
   * @category configuration
   */
  Settings
} from "./internal/HttpSettings.js"

/**
 * The settings under the names that the environment usually has for them.
 *
 * @since 0.1.0
 * @category configuration
 */
export const settings: Config.Config<HttpSettings.Settings> = HttpSettings.settings

/**
 * What only a program can give.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Surroundings<E = never, R = never> {
  /** Answers every other path. Needs `@effect/platform-node`, which is loaded only then. */
  readonly app?: HttpApp.Default<E, R> | undefined
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<E = never, R = never> extends HttpSettings.Settings, Surroundings<E, R> {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface RouteOptions extends HttpSettings.Rules {}

/**
 * Where a server listens. `url` is that of the MCP path.
 *
 * @since 0.1.0
 * @category models
 */
export interface Address {
  readonly host: string
  readonly port: number
  readonly url: string
}

/** What an application on the same port needs from outside of its requests. */
type Needs<R> = Exclude<R, HttpServerRequest | Scope.Scope>

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const interruptMillis = 1000
const flushMillis = 500

/** Interruption is asked for and not waited for without end: a call may have made itself uninterruptible. */
const stop = async (
  connections: HttpConnections.Connections,
  { calls }: HttpEndpoint.Endpoint,
  { drainMillis, lameDuckMillis }: { readonly drainMillis: number; readonly lameDuckMillis: number }
): Promise<void> => {
  connections.dismiss()
  await HttpConnections.until(() => false, lameDuckMillis)
  const drained = connections.drain(drainMillis, calls.isBusy)
  calls.streams.stop()
  await drained
  calls.interrupt()
  await HttpConnections.until(() => !calls.isBusy(), interruptMillis)
  await connections.flush(flushMillis)
  connections.close()
}

const makeApp = <E, R>(app: HttpApp.Default<E, R> | undefined): Effect.Effect<Handler | undefined, never, Needs<R>> =>
  app === undefined
    ? Effect.succeed(undefined)
    : Effect.flatMap(
      Effect.promise(() => import("@effect/platform-node/NodeHttpServer")),
      (platform) => platform.makeHandler(app)
    )

/**
 * Starts a server and gives its address. When the scope closes it says so in the
 * `Lifecycle` that is provided here, if one is, and serves everything for
 * `lameDuck` still; then it takes no new connection, ends the streams that have
 * no end of their own, answers what is in flight, interrupts what is left after
 * `drain`, and only then cuts the connections. Calls are turned away by the
 * `Overload` that is provided here, if one is.
 *
 * Asks the `Authenticator` for every request on the MCP path when one is provided
 * here, and serves its metadata. Without one every caller is the person at this
 * machine, and an address that other machines can reach is refused.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E = never, R = never>(
  options: Options<E, R>
): Effect.Effect<Address, HttpTransportError.HttpTransportError, McpServer | Scope.Scope | Needs<R>> =>
  Effect.gen(function*() {
    const host = options.host ?? "127.0.0.1"
    const path = options.path ?? "/mcp"
    const wanted = `${HttpGate.bracketed(host)}:${options.port}`
    const isOpen = Option.isNone(yield* Effect.serviceOption(Authenticator))
    if (isOpen && !HttpGate.isLoopback(host) && options.allowUnauthenticatedRemote !== true) {
      return yield* HttpTransportError.unauthenticated(wanted)
    }

    const server = yield* McpServer
    const app = yield* makeApp(options.app)
    // Calls must stay interruptible even when the layer is built where nothing may be interrupted.
    const runtime = Runtime.enableRuntimeFlag(yield* Effect.runtime<never>(), RuntimeFlags.Interruption)
    const fork = Runtime.runFork(runtime)
    const limits = HttpSettings.limits(options)
    const times = { drainMillis: limits.drainMillis, lameDuckMillis: HttpSettings.millis(options.lameDuck, 0) }
    const http = HttpListener.create(HttpSettings.listening(options))
    const connections = HttpConnections.make(http)
    const gate = HttpGate.make({
      boundHost: host,
      allowedHosts: options.allowedHosts,
      allowedOrigins: options.allowedOrigins
    })
    const refusals = yield* Effect.acquireRelease(
      Effect.sync(() => HttpRefusals.make(fork)),
      (refusals) => Effect.sync(refusals.close)
    )
    const guard = yield* HttpGuard.fromContext({ refusals, run: fork })
    const shedding = yield* HttpShedding.fromContext(server)
    const lifecycle = Option.getOrUndefined(yield* Effect.serviceOption(Lifecycle))
    const endpoint = HttpEndpoint.make({
      ...limits,
      server,
      connections,
      gate,
      guard,
      refusals,
      shedding,
      fork,
      run: fork
    })

    const elsewhere: Handler = (request, response) => {
      if (app === undefined) return endpoint.refuse(request, response, HttpGate.notFound)
      const pending: HttpConnections.Pending = { request, response, onLost: () => {}, isOpenEnded: false }
      const { socket } = request
      if (connections.isCrowded(socket)) return endpoint.refuse(request, response, HttpGate.crowded)
      if (connections.isDraining()) response.shouldKeepAlive = false
      connections.add(socket, pending)
      response.on("close", () => connections.remove(socket, pending))
      if (request.headers.expect !== undefined) response.writeContinue()
      app(request, response)
    }
    const route: Handler = (request, response) => {
      const rejection = gate.host(request)
      if (rejection !== undefined) return endpoint.refuse(request, response, rejection)
      const { method, url } = request
      if (url === path || url?.startsWith(`${path}?`) === true) return endpoint.serve(request, response)
      const page = guard?.page(method, url)
      return page === undefined ? elsewhere(request, response) : endpoint.show(request, response, page)
    }
    http.on("request", route)
    // Without this Node asks for the body before the length is looked at.
    http.on("checkContinue", route)
    http.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
      endpoint.refuse(request, response, HttpGate.reject(417, "Only 100-continue can be expected"))
    })
    http.on(
      "clientError",
      HttpListener.onClientError(
        (socket) => socket instanceof Socket && connections.isAnswering(socket),
        (status, reason, socket) =>
          refusals.note(status, reason, socket instanceof Socket ? socket.remoteAddress : undefined)
      )
    )

    yield* HttpStreams.tend(endpoint.calls.streams, limits.keepAliveMillis, guard?.isRevoked)

    const bound = yield* Effect.acquireRelease(
      Effect.mapError(HttpListener.listen(http, options.port, host), HttpTransportError.fromListen(wanted)),
      () => Effect.zipRight(lifecycle?.drain ?? Effect.void, Effect.promise(() => stop(connections, endpoint, times)))
    )
    http.on("error", (cause) => fork(Effect.logError("The HTTP server met an error and goes on", cause)))

    const url = `http://${HttpGate.bracketed(bound.address)}:${bound.port}${path}`
    yield* Effect.logInfo(`Serving MCP at ${url}`)
    if (lifecycle !== undefined) yield* lifecycle.begin
    return { host: bound.address, port: bound.port, url }
  })

/**
 * Serves MCP on a path of a server that is there already: for
 * `HttpRouter.all("/mcp", app)`, or as an application of its own, on any
 * platform. The same checks are made, whatever the server makes of its own; those
 * of the connection are the server's. When the scope closes, streams that have no
 * end of their own are ended, calls in flight may go on for `drain` and are then
 * interrupted, and messages that still come are answered 503. On 2026-07-28 a
 * client that goes away cancels its call, as far as the server notices.
 *
 * Asks the `Authenticator` for every request when one is provided here; without
 * one every caller is the person at this machine, whoever reaches the server.
 *
 * @since 0.1.0
 * @category constructors
 */
export const route = (
  options: RouteOptions = {}
): Effect.Effect<HttpApp.Default<never, Scope.Scope>, never, McpServer | Scope.Scope> =>
  Effect.flatMap(
    Effect.promise(() => import("./internal/HttpRoute.js")),
    (route) => route.make(options)
  )

/**
 * Serves the protected resource metadata of the `Authenticator` that is provided
 * here, to everybody, on a server that is there already: for
 * `HttpRouter.all("/.well-known/*", app)` beside `route`. Any other path, and all
 * of them without metadata, are answered 404.
 *
 * @since 0.1.0
 * @category constructors
 */
export const routeMetadata: Effect.Effect<HttpApp.Default> = Effect.flatMap(
  Effect.promise(() => import("./internal/HttpMetadata.js")),
  (metadata) => metadata.make
)

/**
 * Serves over HTTP until the scope closes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E = never, R = never>(
  options: Options<E, R>
): Transport.Transport<HttpTransportError.HttpTransportError, Needs<R>> => Layer.scopedDiscard(make(options))

/**
 * Like `layer`, with the settings read from the configuration.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = <E = never, R = never>(
  settings: Config.Config.Wrap<HttpSettings.Settings>,
  surroundings: Surroundings<E, R> = {}
): Transport.Transport<HttpTransportError.HttpTransportError | ConfigError.ConfigError, Needs<R>> =>
  Layer.scopedDiscard(
    Effect.flatMap(Config.unwrap(settings), (read) => make<E, R>({ ...read, ...surroundings }))
  )
