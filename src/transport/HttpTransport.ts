/**
 * Serves MCP over HTTP on a `node:http` server of its own, beside an optional
 * `@effect/platform` application, and loses no answer when it stops.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type * as Scope from "effect/Scope"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Socket } from "node:net"
import * as Principal from "../auth/Principal.js"
import type { Headers } from "../protocol/Dispatcher.js"
import { McpServer } from "../server/McpServer.js"
import * as HttpTransportError from "./HttpTransportError.js"
import * as HttpConnections from "./internal/HttpConnections.js"
import * as HttpEndpoint from "./internal/HttpEndpoint.js"
import * as HttpGate from "./internal/HttpGate.js"
import * as HttpListener from "./internal/HttpListener.js"
import * as Transport from "./Transport.js"

/**
 * Settings that a file or the environment can hold.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  /** 0 to 65535; 0 takes any free port. */
  readonly port: number
  /** The address to listen on; `127.0.0.1` unless given. */
  readonly host?: string | undefined
  /** The path that MCP is served on; `/mcp` unless given. */
  readonly path?: string | undefined
  /**
   * What a `Host` header may say, with or without a port; `"*"` allows any. The
   * names of this machine's loopback and `host` unless given.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /** Web origins whose pages may call, for example `https://app.example.com`. Those of loopback unless given. */
  readonly allowedOrigins?: ReadonlyArray<string> | undefined
  /** Permits an address that other machines can reach; false unless given. */
  readonly allowUnauthenticatedRemote?: boolean | undefined
  /** The longest request body in bytes; 1 MiB unless given. */
  readonly maxBodyBytes?: number | undefined
  /** Connections open at once; unlimited unless given. */
  readonly maxConnections?: number | undefined
  /** How long the headers of a request may take to arrive; 10 seconds unless given. */
  readonly headersTimeout?: Duration.DurationInput | undefined
  /** How long a whole request may take to arrive, not to be answered; 30 seconds unless given. */
  readonly requestTimeout?: Duration.DurationInput | undefined
  /** How long an idle connection is kept; 65 seconds unless given: longer than usual load balancers keep theirs. */
  readonly idleTimeout?: Duration.DurationInput | undefined
  /** How often an open event stream gets a comment; 15 seconds unless given. */
  readonly keepAlive?: Duration.DurationInput | undefined
  /** How long calls in flight may go on when the layer's scope closes; 20 seconds unless given. */
  readonly drain?: Duration.DurationInput | undefined
}

/**
 * What only a program can give.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Surroundings<E = never, R = never> {
  /** Answers every other path. Needs `@effect/platform-node`, which is loaded only then. */
  readonly app?: HttpApp.Default<E, R> | undefined
  /** Tells who asks by the headers; the person at this machine unless given. It cannot refuse. */
  readonly caller?: ((headers: Headers) => Principal.Principal) | undefined
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<E = never, R = never> extends Settings, Surroundings<E, R> {}

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
  endpoint: HttpEndpoint.Endpoint,
  drainMillis: number
): Promise<void> => {
  const isBusy = (): boolean => endpoint.running.size > 0
  await connections.drain(drainMillis, isBusy)
  for (const fiber of endpoint.running) fiber.unsafeInterruptAsFork(FiberId.none)
  await HttpConnections.until(() => !isBusy(), interruptMillis)
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

const millis = (given: Duration.DurationInput | undefined, otherwise: Duration.DurationInput): number =>
  Duration.toMillis(given ?? otherwise)

/**
 * Starts a server and gives its address. When the scope closes it takes no new
 * connection, answers what is in flight, interrupts what is left after `drain`,
 * and only then cuts the connections.
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
    if (!HttpGate.isLoopback(host) && options.allowUnauthenticatedRemote !== true) {
      return yield* HttpTransportError.unauthenticated(wanted)
    }

    const server = yield* McpServer
    const app = yield* makeApp(options.app)
    // Calls must stay interruptible even when the layer is built where nothing may be interrupted.
    const runtime = Runtime.enableRuntimeFlag(yield* Effect.runtime<never>(), RuntimeFlags.Interruption)
    const http = HttpListener.create({
      headersTimeout: millis(options.headersTimeout, "10 seconds"),
      requestTimeout: millis(options.requestTimeout, "30 seconds"),
      idleTimeout: millis(options.idleTimeout, "65 seconds"),
      maxConnections: options.maxConnections
    })
    const connections = HttpConnections.make(http)
    const gate = HttpGate.make({
      boundHost: host,
      allowedHosts: options.allowedHosts,
      allowedOrigins: options.allowedOrigins
    })
    const endpoint = HttpEndpoint.make({
      server,
      runtime,
      connections,
      gate,
      maxBodyBytes: options.maxBodyBytes ?? Transport.maxBodyBytes,
      caller: options.caller ?? (() => Principal.local)
    })

    const elsewhere: Handler = (request, response) => {
      if (app === undefined) {
        return endpoint.refuse(request, response, { status: 404, body: `{"error":"not found"}`, headers: [] })
      }
      const pending: HttpConnections.Pending = { request, response, onLost: () => {} }
      const { socket } = request
      if (connections.isDraining()) response.shouldKeepAlive = false
      connections.add(socket, pending)
      response.on("close", () => connections.remove(socket, pending))
      if (request.headers.expect !== undefined) response.writeContinue()
      app(request, response)
    }
    const route: Handler = (request, response) => {
      const rejection = gate.host(request)
      if (rejection !== undefined) return endpoint.refuse(request, response, rejection)
      const { url } = request
      return url === path || url?.startsWith(`${path}?`) === true
        ? endpoint.serve(request, response)
        : elsewhere(request, response)
    }
    http.on("request", route)
    // Without this Node asks for the body before the length is looked at.
    http.on("checkContinue", route)
    http.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
      endpoint.refuse(request, response, HttpGate.reject(417, "Only 100-continue can be expected"))
    })
    http.on(
      "clientError",
      HttpListener.onClientError((socket) => socket instanceof Socket && connections.isAnswering(socket))
    )

    yield* Effect.acquireRelease(
      Effect.sync(() => setInterval(endpoint.keepAlive, millis(options.keepAlive, "15 seconds"))),
      (timer) => Effect.sync(() => clearInterval(timer))
    )

    const bound = yield* Effect.acquireRelease(
      Effect.mapError(HttpListener.listen(http, options.port, host), HttpTransportError.fromListen(wanted)),
      () => Effect.promise(() => stop(connections, endpoint, millis(options.drain, "20 seconds")))
    )

    const url = `http://${HttpGate.bracketed(bound.address)}:${bound.port}${path}`
    yield* Effect.logInfo(`Serving MCP at ${url}`)
    return { host: bound.address, port: bound.port, url }
  })

/** A whole number within bounds; an empty variable is an absent one, not 0. */
const whole = (name: string, least: number, most: number): Config.Config<number> =>
  Config.nonEmptyString(name).pipe(Config.mapOrFail((text) => {
    const value = /^\d{1,15}$/u.test(text.trim()) ? Number(text) : NaN
    return value >= least && value <= most
      ? Either.right(value)
      : Either.left(ConfigError.InvalidData([], `write a whole number from ${least} to ${most}`))
  }))

const listOf = (name: string): Config.Config<ReadonlyArray<string> | undefined> =>
  Config.withDefault(Config.array(Config.nonEmptyString(), name), undefined)

/**
 * The settings under the names that the environment usually has for them.
 *
 * @since 0.1.0
 * @category configuration
 */
export const settings: Config.Config<Settings> = Config.all({
  port: whole("PORT", 0, 65_535).pipe(
    Config.withDefault(3333),
    Config.withDescription("The port to listen on; 0 takes any free one")
  ),
  host: Config.nonEmptyString("HOST").pipe(
    Config.withDefault("127.0.0.1"),
    Config.withDescription("The address to listen on")
  ),
  path: Config.nonEmptyString("MCP_PATH").pipe(
    Config.withDefault("/mcp"),
    Config.withDescription("The path that MCP is served on")
  ),
  allowedHosts: listOf("ALLOWED_HOSTS").pipe(
    Config.withDescription("What a Host header may say, separated by commas; * allows any")
  ),
  allowedOrigins: listOf("ALLOWED_ORIGINS").pipe(
    Config.withDescription("Web origins whose pages may call, separated by commas")
  ),
  allowUnauthenticatedRemote: Config.boolean("ALLOW_UNAUTHENTICATED_REMOTE").pipe(
    Config.withDefault(false),
    Config.withDescription("Permits an address that other machines can reach")
  ),
  maxBodyBytes: whole("MAX_BODY_BYTES", 1, 2 ** 30).pipe(
    Config.withDefault(Transport.maxBodyBytes),
    Config.withDescription("The longest request body in bytes")
  ),
  drain: Config.duration("DRAIN_TIMEOUT").pipe(
    Config.withDefault(Duration.seconds(20)),
    Config.withDescription("How long calls in flight may go on when the server stops")
  )
})

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
  settings: Config.Config.Wrap<Settings>,
  surroundings: Surroundings<E, R> = {}
): Transport.Transport<HttpTransportError.HttpTransportError | ConfigError.ConfigError, Needs<R>> =>
  Layer.scopedDiscard(
    Effect.flatMap(Config.unwrap(settings), (read) => make<E, R>({ ...read, ...surroundings }))
  )
