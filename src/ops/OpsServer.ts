/**
 * Serves the operator's pages on a port of their own, so that they answer while
 * the clients' port drains, and clients never reach them.
 *
 * @since 0.1.0
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type * as HttpApp from "@effect/platform/HttpApp"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type { Socket } from "node:net"
import { Authenticator } from "../auth/Authenticator.js"
import * as HttpTransportError from "../transport/HttpTransportError.js"
import * as OpsRequest from "./internal/OpsRequest.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  /** 0 to 65535, 0 for any free one; 9464 unless given. */
  readonly port?: number | undefined
  /** The address to listen on; `127.0.0.1` unless given. */
  readonly host?: string | undefined
  /** What a `Host` header may say; the names of loopback, and where other machines can reach it anything, unless given. */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /** Permits an address that other machines can reach though no `Authenticator` is there; false unless given. */
  readonly allowUnauthenticatedRemote?: boolean | undefined
}

/**
 * Where the pages are.
 *
 * @since 0.1.0
 * @category models
 */
export interface Address {
  readonly host: string
  readonly port: number
  readonly url: string
}

const port = Config.nonEmptyString("OPS_PORT").pipe(Config.mapOrFail((text) => {
  const value = /^\d{1,5}$/u.test(text.trim()) ? Number(text) : NaN
  return value <= 65_535
    ? Either.right(value)
    : Either.left(ConfigError.InvalidData([], "write a whole number from 0 to 65535"))
}))

/**
 * The settings under the names that the environment usually has for them;
 * `undefined` when no `OPS_PORT` is set, and the pages belong on the clients' port.
 *
 * @since 0.1.0
 * @category configuration
 */
export const settings: Config.Config<Settings | undefined> = Config.all({
  port: Config.withDefault(port, undefined).pipe(
    Config.withDescription("A port of its own for the operator's pages; 0 takes any free one")
  ),
  host: Config.nonEmptyString("OPS_HOST").pipe(
    Config.withDefault("127.0.0.1"),
    Config.withDescription("The address that the operator's pages are on")
  ),
  allowUnauthenticatedRemote: Config.boolean("ALLOW_UNAUTHENTICATED_REMOTE").pipe(
    Config.withDefault(false),
    Config.withDescription("Permits an address that other machines can reach although nothing asks them who they are")
  )
}).pipe(Config.map((read) => (read.port === undefined ? undefined : read)))

/** What an application needs from outside of its requests. */
type Needs<R> = Exclude<R, HttpServerRequest | Scope.Scope>

const create = (): Http.Server => {
  const server = Http.createServer({
    headersTimeout: 5000,
    requestTimeout: 10_000,
    keepAliveTimeout: 5000,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: 16 * 1024
  })
  server.maxConnections = 256
  // Beyond 2,000 Node would leave headers out unseen, a second Host among them; their length is bounded.
  server.maxHeadersCount = 0
  return server
}

/** How long an answer may take to leave once it is whole: a reader that takes nothing would hold its connection for ever. */
const leavingMillis = 10_000

/** Requests of one connection that may wait for their answers, which HTTP/1.1 gives in turn. */
const mostPipelined = 16

const expectReader = (response: Http.ServerResponse): void => {
  response.once("prefinish", () => {
    if (response.writableLength === 0) return
    const timer = setTimeout(() => response.socket?.destroy(), leavingMillis)
    response.once("close", () => clearTimeout(timer))
  })
}

/** Counts a request until it is answered; false when there are too many on its connection. */
const counting = () => {
  const waiting = new WeakMap<Socket, number>()
  return ({ socket }: Http.IncomingMessage, response: Http.ServerResponse): boolean => {
    const count = waiting.get(socket) ?? 0
    if (count >= mostPipelined) return false
    waiting.set(socket, count + 1)
    response.once("close", () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1))
    return true
  }
}

const tooMany: OpsRequest.Refused = { status: 503, error: "too many requests wait on this connection" }

const listen = (server: Http.Server, at: { readonly port: number; readonly host: string }) =>
  Effect.async<{ readonly address: string; readonly port: number }, NodeJS.ErrnoException>((resume) => {
    const onError = (error: NodeJS.ErrnoException): void => resume(Effect.fail(error))
    server.once("error", onError)
    server.listen({ ...at, exclusive: true }, () => {
      server.off("error", onError)
      const address = server.address()
      // A TCP server that listens has an address with a port; only a pipe has a name.
      if (address !== null && typeof address === "object") resume(Effect.succeed(address))
    })
  })

/**
 * Starts to serve, until the scope closes; then connections are cut at once,
 * since nobody's work is on them. Build it before the transport, so that it ends
 * after it: a probe should see a server that drains.
 *
 * An address that other machines can reach is refused unless an `Authenticator` is
 * provided here, which `OpsApp` asks. Bodies over 64 KiB are refused.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R = never>(
  app: HttpApp.Default<never, R>,
  options: Settings = {}
): Effect.Effect<Address, HttpTransportError.HttpTransportError, Scope.Scope | Needs<R>> =>
  Effect.gen(function*() {
    const host = options.host ?? "127.0.0.1"
    const port = options.port ?? 9464
    const wanted = `${OpsRequest.bracketed(host)}:${port}`
    const isLocal = OpsRequest.isLoopback(host)
    const isOpen = Option.isNone(yield* Effect.serviceOption(Authenticator))
    if (isOpen && !isLocal && options.allowUnauthenticatedRemote !== true) {
      return yield* HttpTransportError.unauthenticated(wanted)
    }
    const refusal = OpsRequest.gate(options.allowedHosts ?? (isLocal ? OpsRequest.loopback : ["*"]))
    const handle = yield* NodeHttpServer.makeHandler(app)
    const server = create()
    const count = counting()
    server.on("request", (request, response) => {
      expectReader(response)
      const refused = refusal(request) ?? (count(request, response) ? undefined : tooMany)
      if (refused === undefined) return handle(request, response)
      // What was not read would be taken for the next request.
      response.shouldKeepAlive = false
      response.writeHead(refused.status, { "content-type": "application/json" })
      response.end(JSON.stringify({ error: refused.error }))
    })
    const bound = yield* Effect.acquireRelease(
      Effect.mapError(listen(server, { port, host }), HttpTransportError.fromListen(wanted)),
      () =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    server.on("error", () => {})
    const url = `http://${OpsRequest.bracketed(bound.address)}:${bound.port}`
    yield* Effect.logInfo(`Serving the operator's pages at ${url}`)
    return { host: bound.address, port: bound.port, url }
  })

/**
 * Serves until the scope closes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(
  app: HttpApp.Default<never, R>,
  options?: Settings
): Layer.Layer<never, HttpTransportError.HttpTransportError, Exclude<Needs<R>, Scope.Scope>> =>
  Layer.scopedDiscard(make(app, options))
