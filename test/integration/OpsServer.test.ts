import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Health from "causeway-mcp/health/Health"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import * as OpsServer from "causeway-mcp/ops/OpsServer"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as RawHttp from "./RawHttp.js"

const quiet = Logger.remove(Logger.defaultLogger)

const open = (options: OpsServer.Settings = {}) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const health = yield* Layer.build(Health.layer([]))
    const app = yield* Effect.provide(OpsApp.make(), health)
    const address = yield* Scope.extend(OpsServer.make(app, { port: 0, ...options }), scope)
    return { ...address, stop: Scope.close(scope, Exit.void) }
  }).pipe(Effect.provide(quiet))

const raw = (port: number, text: string) =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* RawHttp.open(port)
    connection.write(text)
    return yield* connection.closed
  }))

describe("OpsServer", () => {
  it.scopedLive("serves the pages on loopback, and HEAD without a body", () =>
    Effect.gen(function*() {
      const { host, port, url } = yield* open()
      assert.strictEqual(host, "127.0.0.1")
      assert.strictEqual(url, `http://127.0.0.1:${port}`)
      const answer = yield* Effect.promise(async () => (await fetch(`${url}/readyz`)).json())
      assert.deepStrictEqual(answer, { status: "up", unavailable: [], degraded: [] })
      const head = yield* raw(port, "HEAD /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
      assert.match(head, /^HTTP\/1.1 200 [^]*content-length: \d+[^]*\r\n\r\n$/u)
    }))

  const refused: ReadonlyArray<readonly [what: string, request: string, status: number]> = [
    ["a host that is not its own", "GET /livez HTTP/1.1\r\nhost: evil.example\r\n\r\n", 403],
    ["a host that only begins like its own", "GET /livez HTTP/1.1\r\nhost: localhost.evil.example\r\n\r\n", 403],
    ["two hosts", "GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n", 400],
    ["no host", "GET /livez HTTP/1.1\r\n\r\n", 400],
    ["an empty host", "GET /livez HTTP/1.1\r\nhost:\r\n\r\n", 403],
    ["bytes that are no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400],
    ["two lengths", "POST /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400],
    ["a long body", "GET /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 65537\r\n\r\n", 413],
    ["a body without an end", "POST /livez HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n", 411],
    ["long headers", `GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ${"x".repeat(17 * 1024)}\r\n\r\n`, 431]
  ]
  for (const [what, request, status] of refused) {
    it.scopedLive(`refuses ${what} with ${status}, and closes`, () =>
      Effect.gen(function*() {
        const { port } = yield* open()
        assert.match(yield* raw(port, request), new RegExp(`^HTTP/1.1 ${status} `, "u"))
      }))
  }

  it.scopedLive("answers a balancer's probe of HTTP/1.0 without a host", () =>
    Effect.gen(function*() {
      const { port } = yield* open()
      assert.match(yield* raw(port, "GET /readyz HTTP/1.0\r\n\r\n"), /^HTTP\/1.1 200 /u)
    }))

  it.scopedLive("finds nothing by another spelling of a path", () =>
    Effect.gen(function*() {
      const { port } = yield* open()
      for (
        const path of [
          "/%6civez",
          "/livez%00",
          "/livez/",
          "//livez",
          "/./livez",
          "/healthz;x",
          "http://localhost/livez"
        ]
      ) {
        const request = `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`
        assert.match(yield* raw(port, request), /^HTTP\/1.1 404 /u, path)
      }
    }))

  it.scopedLive("answers sixteen requests that wait on one connection, and closes it at one more", () =>
    Effect.gen(function*() {
      let count = 0
      const page = Effect.sync(() => {
        count += 1
        return HttpServerResponse.text("x".repeat(1000))
      })
      const { port } = yield* OpsServer.make(page, { port: 0 })
      const flood = yield* RawHttp.open(port)
      flood.write("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(2000))
      assert.match(yield* flood.closed, /HTTP\/1.1 503 /u)
      assert.strictEqual(count, 16)
    }).pipe(Effect.provide(quiet)))

  it.scopedLive("cuts off who sends a request too slowly", () =>
    Effect.gen(function*() {
      const { port } = yield* open()
      const slow = yield* RawHttp.open(port)
      slow.write("GET /livez HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
      yield* Effect.fork(Effect.repeat(Effect.sync(() => slow.write("x")), Schedule.spaced("200 millis")))
      assert.match(yield* slow.closed, /^(?:HTTP\/1.1 408 |$)/u)
    }))

  it.scopedLive("cuts off who takes nothing of an answer", () =>
    Effect.gen(function*() {
      const long = Effect.succeed(HttpServerResponse.text("x".repeat(20_000_000)))
      const { port } = yield* OpsServer.make(long, { port: 0 })
      const reader = yield* RawHttp.open(port)
      reader.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
      yield* reader.until(/^HTTP\/1.1 200 /u)
      reader.socket.pause()
      yield* Effect.sleep("11 seconds")
      reader.socket.resume()
      assert.isBelow((yield* reader.closed).length, 20_000_000)
    }).pipe(Effect.provide(quiet)), 25_000)

  it.scopedLive("refuses an address of other machines unless callers are asked who they are, or it is told to", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(open({ host: "0.0.0.0" }))
      assert.strictEqual(error.reason._tag, "Unauthenticated")
      yield* open({ host: "0.0.0.0", allowUnauthenticatedRemote: true })
      const keys = Authenticator.layer(() => Effect.succeed(Principal.make({ id: "olga", scopes: ["ops:read"] })))
      const { port } = yield* Effect.provide(open({ host: "0.0.0.0" }), keys)
      assert.match(
        yield* raw(port, "GET /livez HTTP/1.1\r\nhost: 10.0.0.1\r\nconnection: close\r\n\r\n"),
        /^HTTP\/1.1 200 /u
      )
    }))

  it.scopedLive("says which address another program has", () =>
    Effect.gen(function*() {
      const { port } = yield* open()
      assert.strictEqual((yield* Effect.flip(open({ port }))).reason._tag, "AddressInUse")
    }))

  it.scopedLive("cuts its connections when it ends, and frees its port", () =>
    Effect.gen(function*() {
      const first = yield* open()
      const idle = yield* RawHttp.open(first.port)
      idle.write("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
      yield* idle.until(/up/u)
      yield* first.stop
      yield* idle.closed
      const second = yield* open({ port: first.port })
      assert.strictEqual(second.port, first.port)
    }))

  it.scopedLive("answers 500 and lives on when a page fails", () =>
    Effect.gen(function*() {
      const app = yield* OpsApp.make({ pages: { "/broken": Effect.dieMessage("secret") } })
      const { port } = yield* OpsServer.make(app, { port: 0 })
      const broken = yield* raw(port, "GET /broken HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
      assert.match(broken, /^HTTP\/1.1 500 /u)
      assert.notInclude(broken, "secret")
      assert.match(
        yield* raw(port, "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
        /^HTTP\/1.1 200 /u
      )
    }).pipe(Effect.provide(Health.layer([])), Effect.provide(quiet)))

  const read = (values: Record<string, string>) =>
    Effect.withConfigProvider(OpsServer.settings, ConfigProvider.fromMap(new Map(Object.entries(values))))

  it.effect("belongs on the clients' port unless it is given one", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* read({}))
      assert.isUndefined(yield* read({ OPS_PORT: "" }))
      assert.deepStrictEqual(yield* read({ OPS_PORT: "9464" }), {
        port: 9464,
        host: "127.0.0.1",
        allowUnauthenticatedRemote: false
      })
      for (const OPS_PORT of ["many", "65536", "-1", "1e3"]) {
        assert.include(String(yield* Effect.flip(read({ OPS_PORT }))), "OPS_PORT")
      }
    }))
})

describe("OpsServer, an application of one's own", () => {
  it.scopedLive("serves it", () =>
    Effect.gen(function*() {
      const { url } = yield* OpsServer.make(Effect.succeed(HttpServerResponse.text("mine")), { port: 0 })
      assert.strictEqual(yield* Effect.promise(async () => (await fetch(url)).text()), "mine")
    }).pipe(Effect.provide(quiet)))
})
