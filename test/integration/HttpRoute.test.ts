import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import { McpServer } from "causeway-mcp/server/McpServer"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { createServer } from "node:http"
import * as HttpRouteServer from "./HttpRouteServer.js"
import * as HttpScript from "./HttpScript.js"
import * as RawHttp from "./RawHttp.js"

const { call, get, never, post, request, subscription, until } = HttpScript

const quiet = Logger.remove(Logger.defaultLogger)

type Server = Partial<typeof McpServer.Service>

/** Whom the header names, unchecked. */
const named = Authenticator.layer(({ header }) => Effect.succeed(Principal.make({ id: header("x-name") ?? "nobody" })))

const start = (server: Server, options?: HttpTransport.RouteOptions) =>
  HttpRouteServer.start(options).pipe(
    Effect.provideService(McpServer, HttpScript.scripted(server)),
    Effect.provide(quiet)
  )

const open = Effect.fnUntraced(function*(port: number, bytes: string) {
  const raw = yield* RawHttp.open(port)
  raw.write(bytes)
  return raw
})

const ask = (port: number, bytes: string) =>
  Effect.scoped(Effect.gen(function*() {
    const raw = yield* open(port, bytes)
    return yield* raw.until(/\r\n\r\n[^]*(\}|\n\n|hello)$|^HTTP\/1.1 20[24][^]*\r\n\r\n$/)
  }))

/** A call that tells how often it is running. */
const counted = () => {
  let running = 0
  const forever = Effect.acquireUseRelease(
    Effect.sync(() => running++),
    () => Effect.never,
    () => Effect.sync(() => running--)
  )
  return { running: () => running, forever }
}

describe("HttpTransport.route", () => {
  it.scopedLive("answers on its path and leaves the others alone", () =>
    Effect.gen(function*() {
      const { port } = yield* start({ post: (message) => HttpScript.reply(JSON.stringify(message)) })
      const reply = yield* ask(port, post(call(1)))
      assert.match(reply, /^HTTP\/1.1 200 [^]*content-type: application\/json\r\n[^]*"method":"tools\/call"\}$/)
      assert.match(yield* ask(port, request("GET", "/hello", "")), /^HTTP\/1.1 200 [^]*hello$/)
    }))

  it.scopedLive("serves as an application of its own too", () =>
    Effect.gen(function*() {
      const app = yield* HttpTransport.route().pipe(
        Effect.provideService(McpServer, HttpScript.scripted({})),
        Effect.provide(quiet)
      )
      const handle = HttpApp.toWebHandler(HttpRouter.empty.pipe(HttpRouter.mountApp("/mcp", app)))
      const body = JSON.stringify(call(1))
      const headers = { "content-type": "application/json" }
      const ask = (url: string, init: RequestInit = {}) =>
        Effect.promise(async () => {
          const response = await handle(new Request(url, { method: "POST", headers, body, ...init }))
          return [response.status, await response.text()] as const
        })
      assert.deepStrictEqual(yield* ask("http://localhost/mcp"), [200, "{}"])
      assert.strictEqual((yield* ask("http://evil.example/mcp"))[0], 403)
      assert.strictEqual((yield* ask("http://localhost/mcp", { body: "x".repeat(2 ** 20 + 1) }))[0], 413)
      assert.strictEqual((yield* ask("http://localhost/mcp", { body: new Uint8Array([0x22, 0xff, 0x22]) }))[0], 400)
      const stream = { headers: { ...headers, accept: "text/event-stream" } }
      assert.deepStrictEqual(yield* ask("http://localhost/mcp", stream), [
        200,
        "event: message\ndata: {}\n\n"
      ])
    }))

  const refused: ReadonlyArray<readonly [string, string, number]> = [
    ["another host", post(call(1), { host: "evil.example" }), 403],
    ["two hosts", post(call(1), { Host: "localhost" }), 400],
    ["a foreign page", post(call(1), { origin: "https://evil.example" }), 403],
    ["another verb", request("PUT", "/mcp", "{}"), 405],
    ["a GET without a session", get(""), 405],
    ["another media type", post(call(1), { "content-type": "text/plain" }), 415],
    ["an encoded body", post(call(1), { "content-encoding": "gzip" }), 415],
    ["a client that takes neither", post(call(1), { accept: "text/html" }), 406],
    ["a body that is not JSON", post("{"), 400],
    ["a byte order mark", post("\ufeff{}"), 400],
    ["JSON that nests too deeply", post(`${"[".repeat(129)}${"]".repeat(129)}`), 400]
  ]
  for (const [what, bytes, status] of refused) {
    it.scopedLive(`refuses ${what} with ${status}`, () =>
      Effect.gen(function*() {
        let seen = 0
        const { port } = yield* start({
          post: () => {
            seen++
            return HttpScript.reply("{}")
          }
        })
        const reply = yield* ask(port, bytes)
        assert.match(reply, new RegExp(`^HTTP/1.1 ${status} [^]*content-type: application/json\\r\\n[^]*"error"`))
        assert.strictEqual(seen, 0)
      }))
  }

  it.scopedLive("answers the preflight of a page of this machine", () =>
    Effect.gen(function*() {
      const { port } = yield* start({})
      const preflight = request("OPTIONS", "/mcp", "", {
        origin: "http://localhost:1",
        "access-control-request-headers": "mcp-param-region"
      })
      const reply = yield* ask(port, preflight)
      assert.match(reply, /^HTTP\/1.1 204 [^]*access-control-allow-origin: http:\/\/localhost:1\r\n/)
      assert.match(reply, /access-control-allow-headers: .*mcp-param-region\r\n/)
    }))

  it.scopedLive("refuses a byte that is not UTF-8", () =>
    Effect.gen(function*() {
      const { port } = yield* start({ post: () => HttpScript.reply("{}") })
      const raw = yield* RawHttp.open(port)
      raw.write(post("\"x\"").slice(0, -3))
      raw.write(Buffer.from([0x22, 0xff, 0x22]))
      assert.match(yield* raw.until(/\}$/), /^HTTP\/1.1 400 /)
    }))

  for (
    const [what, head] of [
      ["of a declared length", { "content-length": String(2 ** 30) }],
      ["without a length", { "content-length": "", "transfer-encoding": "chunked" }]
    ] as const
  ) {
    it.scopedLive(`reads no more than 64 KiB past the limit of a body ${what}, and the refusal arrives`, () =>
      Effect.gen(function*() {
        const limit = 1000
        const { port } = yield* start({}, { maxBodyBytes: limit })
        const sockets: Array<{ readonly bytesRead: number }> = []
        const onRequest = (event: unknown): void => {
          sockets.push((event as { readonly socket: { readonly bytesRead: number } }).socket)
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => subscribe("http.server.request.start", onRequest)),
          () => Effect.sync(() => unsubscribe("http.server.request.start", onRequest))
        )
        const raw = yield* open(port, post("x", head).slice(0, -1))
        for (let turn = 0; turn < 128; turn++) raw.write(`4000\r\n${"x".repeat(0x4000)}\r\n`)
        assert.match(yield* raw.closed, /^HTTP\/1.1 413 [^]*"error"[^]*\}$/)
        for (const socket of sockets) assert.isAtMost(socket.bytesRead, limit + 64 * 1024)
      }))
  }

  for (
    const [how, read, status] of [
      ["as JSON", (request: HttpServerRequest.HttpServerRequest) => Effect.asVoid(request.json), 200],
      ["as bytes", (request: HttpServerRequest.HttpServerRequest) => Effect.asVoid(request.arrayBuffer), 500]
    ] as const
  ) {
    it.scopedLive(`answers ${status} when somebody has read the body before ${how}`, () =>
      Effect.gen(function*() {
        const node = yield* NodeHttpServer.make(() => createServer(), { port: 0, host: "127.0.0.1" })
        const mcp = yield* HttpTransport.route().pipe(
          Effect.provideService(
            McpServer,
            HttpScript.scripted({ post: (message) => HttpScript.reply(JSON.stringify(message)) })
          )
        )
        const nosy = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => Effect.orDie(read(request))).pipe(
          Effect.zipRight(mcp)
        )
        yield* HttpServer.serveEffect(nosy).pipe(
          Effect.provideService(HttpServer.HttpServer, node),
          Effect.provide(quiet)
        )
        const port = node.address._tag === "TcpAddress" ? node.address.port : 0
        const raw = yield* open(port, post(call(1), { connection: "close" }))
        const reply = yield* raw.closed
        assert.match(reply, new RegExp(`^HTTP/1.1 ${status} `))
        assert.strictEqual(reply.endsWith(`"method":"tools/call"}`), status === 200)
      }))
  }

  it.scopedLive("passes on whom the headers name, and the session that a message opened", () =>
    Effect.gen(function*() {
      const { port } = yield* start({
        post: (_message, _headers, { caller }) => HttpScript.reply(JSON.stringify(caller.id), { session: "abc" })
      }).pipe(Effect.provide(named))
      const raw = yield* open(port, post(call(1), { "x-name": "ada" }))
      assert.match(yield* raw.until(/"$/), /mcp-session-id: abc\r\n[^]*"ada"$/)
    }))

  it.scopedLive("answers 202 with no body when there is nothing to say", () =>
    Effect.gen(function*() {
      const { port } = yield* start({ post: () => HttpScript.reply(undefined) })
      assert.match(yield* ask(port, post(call(1))), /^HTTP\/1.1 202 [^]*content-length: 0\r\n[^]*\r\n\r\n$/)
    }))

  it.scopedLive("opens a stream when something is told before the reply, and not for who takes JSON alone", () =>
    Effect.gen(function*() {
      const { port } = yield* start({
        post: (_message, _headers, { canStream, notify }) => ({
          ...HttpScript.never(),
          reply: Effect.sync(() => {
            const isTaken = notify(`{"n":1}`)
            return { status: 200, body: JSON.stringify({ canStream, isTaken }) }
          })
        })
      })
      const stream = yield* open(port, post(call(1)))
      const reply = yield* stream.until(/0\r\n\r\n$/)
      assert.match(reply, /content-type: text\/event-stream\r\n/)
      assert.match(reply, /x-accel-buffering: no\r\n/)
      assert.match(reply, /data: \{"n":1\}\n\n[^]*data: \{"canStream":true,"isTaken":true\}\n\n/)
      assert.match(
        yield* ask(port, post(call(1), { accept: "application/json" })),
        /application\/json[^]*\{"canStream":false,"isTaken":false\}$/
      )
    }))

  for (
    const [what, isStreaming] of [["before there is an answer", false], ["while it hears a stream", true]] as const
  ) {
    it.scopedLive(`stops a call that may be cancelled so when the client goes away ${what}`, () =>
      Effect.gen(function*() {
        const { forever, running } = counted()
        const { port } = yield* start({
          post: (_message, _headers, { notify }) =>
            never({ reply: isStreaming ? Effect.zipRight(Effect.sync(() => notify("{}")), forever) : forever })
        })
        const raw = yield* open(port, post(call(1)))
        yield* until(() => running() === 1)
        if (isStreaming) yield* raw.until(/data: \{\}/)
        raw.socket.destroy()
        yield* until(() => running() === 0)
      }))

    it.scopedLive(`lets any other call go on when the client goes away ${what}, until the scope closes`, () =>
      Effect.gen(function*() {
        const { forever, running } = counted()
        const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
        const { port } = yield* start({
          post: (message, _headers, { notify }) =>
            JSON.stringify(message).includes("stay")
              ? never({
                cancelledByDisconnect: false,
                reply: isStreaming ? Effect.zipRight(Effect.sync(() => notify("{}")), forever) : forever
              })
              : HttpScript.reply("{}")
        }, { drain: "50 millis" }).pipe(Scope.extend(scope))
        const raw = yield* open(port, post(call(1, "stay")))
        yield* until(() => running() === 1)
        if (isStreaming) yield* raw.until(/data: \{\}/)
        raw.socket.destroy()
        // The server has seen that connection end before it answers a request that came later.
        for (let turn = 0; turn < 5; turn++) yield* ask(port, post(call(2)))
        assert.strictEqual(running(), 1)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(running(), 0)
      }))
  }

  it.scopedLive("drops what a slow reader does not take, says so, and never drops the answer", () =>
    Effect.gen(function*() {
      const size = 64 * 1024
      const many = 400
      let dropped = 0
      let isDone = false
      const { port } = yield* start({
        post: (_message, _headers, { notify }) =>
          never({
            reply: Effect.gen(function*() {
              for (let n = 0; n < many; n++) {
                if (!notify(`{"n":"${"x".repeat(size)}"}`)) dropped++
                yield* Effect.yieldNow()
              }
              isDone = true
              return { status: 200, body: `{"answer":true}` }
            })
          })
      })
      const raw = yield* RawHttp.open(port)
      raw.socket.pause()
      raw.write(post(call(1)))
      yield* until(() => isDone)
      raw.socket.resume()
      const reply = yield* raw.until(/data: \{"answer":true\}/)
      assert.isAbove(dropped, 0)
      assert.isBelow(reply.length, (many - dropped + 2) * size)
    }))

  it.scopedLive("opens the stream of a session and tells it what is sent", () =>
    Effect.gen(function*() {
      let send: ((json: string) => boolean) | undefined
      let open_ = 0
      const { port } = yield* start({
        openStream: (session, _caller, given) => {
          if (session !== "known") return undefined
          send = given
          open_++
          return () => {
            open_--
          }
        }
      })
      const raw = yield* open(port, get("known"))
      assert.match(yield* raw.until(/\r\n\r\n/), /^HTTP\/1.1 200 [^]*text\/event-stream\r\n/)
      assert.isTrue(send?.(`{"n":1}`))
      yield* raw.until(/data: \{"n":1\}\n\n/)
      raw.socket.destroy()
      yield* until(() => open_ === 0)
      assert.match(yield* ask(port, get("other")), /^HTTP\/1.1 404 [^]*"error"/)
    }))

  it.scopedLive("answers 503 to more than it may do at once", () =>
    Effect.gen(function*() {
      const { forever, running } = counted()
      const { port } = yield* start({
        post: (message, _headers, { notify }) =>
          JSON.stringify(message).includes("listen") ? subscription(notify) : never({ reply: forever })
      }, { maxInFlight: 1, maxStreams: 1 })
      yield* open(port, post(call(1)))
      yield* until(() => running() === 1)
      assert.match(yield* ask(port, post(call(2))), /^HTTP\/1.1 503 [^]*retry-after: 1\r\n[^]*-32603/)
      const listener = yield* open(port, post(call(3, "subscriptions/listen")))
      yield* listener.until(/acknowledged/)
      assert.match(yield* ask(port, post(call(4, "subscriptions/listen"))), /^HTTP\/1.1 503 [^]*-32603/)
    }))

  it.scopedLive("when its scope closes, ends open streams, waits for calls, and answers 503 from then on", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
      // The server outlives the route: somebody else closes it.
      const node = yield* NodeHttpServer.make(() => createServer(), { port: 0, host: "127.0.0.1" })
      let begun = 0
      const slow = Effect.sync(() => begun++).pipe(
        Effect.zipRight(Effect.sleep("300 millis")),
        Effect.as({ status: 200, body: `{"slept":true}` })
      )
      const mcp = yield* HttpTransport.route({ keepAlive: "20 millis" }).pipe(
        Scope.extend(scope),
        Effect.provideService(
          McpServer,
          HttpScript.scripted({
            post: (message, _headers, { notify }) =>
              JSON.stringify(message).includes("listen")
                ? subscription(notify)
                : never({ reply: slow })
          })
        ),
        Effect.provide(quiet)
      )
      yield* HttpServer.serveEffect(mcp).pipe(Effect.provideService(HttpServer.HttpServer, node))
      const port = node.address._tag === "TcpAddress" ? node.address.port : 0
      const listener = yield* open(port, post(call(1, "subscriptions/listen"), { connection: "close" }))
      yield* listener.until(/acknowledged[^]*: keep-alive\n\n/)
      const busy = yield* open(port, post(call(2), { connection: "close" }))
      yield* until(() => begun === 1)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      assert.match(yield* listener.closed, /data: \{"result":"ended"\}\n\n/)
      assert.match(yield* busy.closed, /^HTTP\/1.1 200 [^]*slept/)
      yield* Fiber.join(closing)
      const late = yield* open(port, post(call(3), { connection: "close" }))
      assert.match(yield* late.closed, /^HTTP\/1.1 503 [^]*-32603/)
    }))
})
