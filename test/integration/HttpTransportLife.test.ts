import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Lifecycle from "causeway-mcp/health/Lifecycle"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import { HttpTransportError } from "causeway-mcp/transport/HttpTransportError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as FixtureServer from "../transport/FixtureServer.js"
import * as RawHttp from "./RawHttp.js"

const quiet = Logger.remove(Logger.defaultLogger)

/** A server whose end the test decides. */
const open = <E = never, R = never>(
  options: Partial<HttpTransport.Options<E, R>> = {},
  probe = TransportLaws.makeProbe()
) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const address = yield* HttpTransport.make<E, R>({ port: 0, ...options }).pipe(Scope.extend(scope))
    return { ...address, probe, stop: Scope.close(scope, Exit.void) }
  }).pipe(Effect.provide(FixtureServer.layer(probe)), Effect.provide(quiet))

const headersFor = (message: { readonly params: { readonly name: string } }) => ({
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": "tools/call",
  "mcp-name": message.params.name
})

const bytes = (port: number, message: ReturnType<typeof FixtureServer.modern>): string => {
  const body = JSON.stringify(message)
  const headers = { host: `127.0.0.1:${port}`, ...headersFor(message), "content-length": String(body.length) }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
  return `POST /mcp HTTP/1.1\r\n${lines}\r\n${body}`
}

interface Load {
  answered: number
  lost: number
  open: number
}

/** Asks again and again on one connection until the server closes it: whatever was sent must be answered. */
const busyClient = (url: string, load: Load): Promise<void> =>
  new Promise((resolve) => {
    const agent = new Http.Agent({ keepAlive: true, maxSockets: 1 })
    const message = FixtureServer.modern(1, "slow", { ms: 3 })
    const body = JSON.stringify(message)
    const ask = (): void => {
      const request = Http.request(url, { agent, method: "POST", headers: headersFor(message) }, (response) => {
        let text = ""
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString()
        })
        response.on("end", () => {
          if (response.statusCode === 200 && text.includes("slept")) load.answered++
          else load.lost++
          if (response.headers.connection !== "close") {
            setImmediate(ask)
          } else {
            agent.destroy()
            resolve()
          }
        })
      })
      request.on("error", () => {
        load.lost++
        agent.destroy()
        resolve()
      })
      request.end(body)
    }
    ask()
  })

const until = (isDone: () => boolean) =>
  Effect.suspend(() => isDone() ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.timeoutFail({ duration: "10 seconds", onTimeout: () => "late" })
  )

/** Succeeds when new connections are refused: the server has begun to stop. */
const untilRefused = (port: number) =>
  Effect.scoped(Effect.flatMap(RawHttp.open(port), (raw) => raw.refused)).pipe(
    Effect.repeat({ until: (isRefused) => isRefused, schedule: Schedule.spaced("5 millis") }),
    Effect.timeout("5 seconds")
  )

describe("HttpTransport, when it stops", () => {
  it.scopedLive("loses no request of 20 clients that keep their connections busy", () =>
    Effect.gen(function*() {
      const { stop, url } = yield* open()
      const load: Load = { answered: 0, lost: 0, open: 20 }
      const clients = Array.from({ length: 20 }, () => busyClient(url, load))
      yield* until(() => load.answered > 200)
      const before = load.answered
      const began = performance.now()
      yield* stop
      const took = performance.now() - began
      yield* Effect.promise(() => Promise.all(clients))
      assert.strictEqual(load.lost, 0)
      assert.isAtLeast(load.answered, before + 20)
      assert.isBelow(took, 2000)
    }))

  it.scopedLive("answers a request that comes on an idle connection after it began to stop", () =>
    Effect.gen(function*() {
      const { port, stop } = yield* open()
      const raw = yield* RawHttp.open(port)
      raw.write(bytes(port, FixtureServer.modern("first", "echo", { text: "1" })))
      yield* raw.until(/"id":"first"/)
      const stopping = yield* Effect.fork(stop)
      yield* untilRefused(port)
      raw.write(bytes(port, FixtureServer.modern("second", "echo", { text: "2" })))
      const reply = yield* raw.closed
      assert.match(reply, /Connection: close[^]*"id":"second"/)
      yield* Fiber.join(stopping)
    }))

  it.scopedLive("goes on serving as a lame duck, says so, and asks its connections to close", () =>
    Effect.gen(function*() {
      const lifecycle = yield* Lifecycle.make
      const { port, stop } = yield* open({ lameDuck: "600 millis" }).pipe(
        Effect.provideService(Lifecycle.Lifecycle, lifecycle)
      )
      assert.strictEqual(lifecycle.state(), "ready")
      const old = yield* RawHttp.open(port)
      old.write(bytes(port, FixtureServer.modern("first", "echo", { text: "1" })))
      assert.notMatch(yield* old.until(/"id":"first"/), /Connection: close/)
      const began = performance.now()
      const stopping = yield* Effect.fork(stop)
      yield* until(() => lifecycle.state() === "draining")
      old.write(bytes(port, FixtureServer.modern("second", "echo", { text: "2" })))
      assert.match(yield* old.closed, /Connection: close[^]*"id":"second"/)
      const fresh = yield* RawHttp.open(port)
      fresh.write(bytes(port, FixtureServer.modern("third", "echo", { text: "3" })))
      assert.match(yield* fresh.closed, /^HTTP\/1.1 200 [^]*Connection: close[^]*"id":"third"/)
      yield* untilRefused(port)
      assert.isAtLeast(performance.now() - began, 550)
      yield* Fiber.join(stopping)
    }).pipe(Effect.provide(quiet)))

  it.scopedLive("takes no new connection while it waits for a call", () =>
    Effect.gen(function*() {
      const { port, stop } = yield* open()
      const raw = yield* RawHttp.open(port)
      raw.write(bytes(port, FixtureServer.modern(1, "slow", { ms: 400 })))
      raw.write(bytes(port, FixtureServer.modern(2, "echo", { text: "x" })))
      const probe = yield* RawHttp.open(port)
      probe.write(bytes(port, FixtureServer.modern(0, "echo", { text: "up" })))
      yield* probe.until(/"id":0/)
      const stopping = yield* Effect.fork(stop)
      yield* untilRefused(port)
      assert.match(yield* raw.closed, /slept/)
      yield* Fiber.join(stopping)
    }))

  it.scopedLive("tells a client whose call outlasts the drain, and interrupts the call", () =>
    Effect.gen(function*() {
      const { port, probe, stop } = yield* open({ drain: "100 millis" })
      const plain = yield* RawHttp.open(port)
      plain.write(bytes(port, FixtureServer.modern("stuck", "never", {})))
      const stream = yield* RawHttp.open(port)
      stream.write(bytes(port, FixtureServer.modern("open", "tick", { ms: 60_000 }, { progressToken: "t" })))
      yield* stream.until(/notifications\/progress/)
      yield* until(() => probe.running() === 1)
      yield* stop
      assert.strictEqual(probe.running(), 0)
      assert.match(
        yield* plain.closed,
        /^HTTP\/1.1 503 [^]*\{"jsonrpc":"2.0","id":"stuck","error":\{"code":-32603,"message":"The server is shutting down"\}\}$/
      )
      assert.match(yield* stream.closed, /data: \{"jsonrpc":"2.0","id":"open","error":\{"code":-32603/)
    }))

  it.scopedLive("stops in time though a call cannot be interrupted", () =>
    Effect.gen(function*() {
      const { port, probe, stop } = yield* open({ drain: "50 millis" })
      const raw = yield* RawHttp.open(port)
      raw.write(bytes(port, FixtureServer.modern(1, "stubborn", { ms: 4000 })))
      raw.write(bytes(port, FixtureServer.modern(2, "echo", { text: "x" })))
      yield* until(() => probe.running() === 1)
      const began = performance.now()
      yield* stop
      assert.isBelow(performance.now() - began, 3000)
      yield* raw.closed
    }))

  it.scopedLive("frees its port", () =>
    Effect.gen(function*() {
      const first = yield* open()
      yield* first.stop
      const second = yield* open({ port: first.port })
      assert.strictEqual(second.port, first.port)
    }))
})

describe("HttpTransport, when it starts", () => {
  it.scopedLive("says which address another program has", () =>
    Effect.gen(function*() {
      const { port } = yield* open()
      const error = yield* Effect.flip(open({ port }))
      assert.strictEqual(error.reason._tag, "AddressInUse")
      assert.include(error.message, `another program already listens on 127.0.0.1:${port}`)
    }))

  it.scopedLive("says which address is not of this machine", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(open({ host: "192.0.2.1", allowUnauthenticatedRemote: true }))
      assert.strictEqual(error.reason._tag, "AddressUnavailable")
      assert.include(error.message, "192.0.2.1:0")
    }))

  for (const host of ["0.0.0.0", "::", "192.168.0.1", "127.0.0.1.example.com"]) {
    it.scopedLive(`refuses to listen on ${host} for callers who are not authenticated`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(open({ host }))
        assert.strictEqual(error.reason._tag, "Unauthenticated")
        assert.include(error.message, "allowUnauthenticatedRemote")
      }))
  }

  it.scopedLive("reads its settings from the configuration", () =>
    Effect.gen(function*() {
      const { port } = yield* open()
      const provider = ConfigProvider.fromMap(
        new Map([["PORT", String(port)], ["ALLOWED_HOSTS", "a.example, b.example"]])
      )
      const error = yield* Layer.build(HttpTransport.layerConfig(HttpTransport.settings)).pipe(
        Effect.provide(FixtureServer.layer(TransportLaws.makeProbe())),
        Effect.withConfigProvider(provider),
        Effect.flip
      )
      assert.include(error instanceof HttpTransportError ? error.message : "", `127.0.0.1:${port}`)
    }))
})

class Greeting extends Context.Tag("test/Greeting")<Greeting, string>() {}

const app = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  return HttpServerResponse.text(`${yield* Greeting} from ${request.url}`)
})

const get = (port: number, path: string) =>
  Effect.scoped(Effect.gen(function*() {
    const raw = yield* RawHttp.open(port)
    raw.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
    return yield* raw.closed
  }))

describe("HttpTransport, beside other things", () => {
  it.scopedLive("gives every other path to the application, and its own to nobody", () =>
    Effect.gen(function*() {
      const { port } = yield* open({ app })
      assert.match(yield* get(port, "/readyz?x=1"), /^HTTP\/1.1 200 [^]*hello from \/readyz\?x=1/)
      assert.match(yield* get(port, "/mcp/"), /^HTTP\/1.1 200 [^]*hello from \/mcp\//)
      assert.match(yield* get(port, "/mcp?x=1"), /^HTTP\/1.1 405 /)
    }).pipe(Effect.provideService(Greeting, "hello")))

  it.scopedLive("finds nothing at other paths without an application, and says so in JSON", () =>
    Effect.gen(function*() {
      const { port } = yield* open()
      assert.match(yield* get(port, "/"), /^HTTP\/1.1 404 [^]*application\/json[^]*\{"error":"not found"\}$/)
    }))

  it.scopedLive("takes no more than 64 pipelined requests of one connection for the application either", () =>
    Effect.gen(function*() {
      let begun = 0
      const stuck = Effect.suspend(() => {
        begun += 1
        return Effect.never
      })
      const { port } = yield* open({ app: stuck, drain: 0 })
      const raw = yield* RawHttp.open(port)
      raw.write("GET /other HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(500))
      yield* until(() => begun >= 64)
      // The server has seen all of that before it answers what came later.
      for (let turn = 0; turn < 3; turn++) {
        const other = yield* RawHttp.open(port)
        other.write(bytes(port, FixtureServer.modern("later", "echo", { text: "1" })))
        yield* other.until(/"id":"later"/)
      }
      assert.strictEqual(begun, 64)
    }))

  it.scopedLive("lets an application finish its answer before it stops", () =>
    Effect.gen(function*() {
      const slowly = Effect.as(Effect.sleep("200 millis"), HttpServerResponse.text("done"))
      const { port, stop } = yield* open({ app: slowly })
      const raw = yield* RawHttp.open(port)
      raw.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
      const other = yield* RawHttp.open(port)
      other.write(bytes(port, FixtureServer.modern(1, "echo", { text: "x" })))
      yield* other.until(/"id":1/)
      yield* stop
      assert.match(yield* raw.closed, /^HTTP\/1.1 200 [^]*done$/)
    }))
})

/** A server that does one thing with every message. */
const scripted = (post: typeof McpServer.McpServer.Service.post) =>
  Layer.succeed(McpServer.McpServer, { ...FixtureServer.make(TransportLaws.makeProbe()), post })

describe("HttpTransport, and the server behind it", () => {
  it.scopedLive("passes on whom the headers name", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const server = scripted((_message, _headers, arrival) => {
        seen.push(arrival.caller.id)
        return { reply: Exit.succeed({ status: 200, body: "{}" }), cancelledByDisconnect: true, tells: [] }
      })
      const { port } = yield* HttpTransport.make({ port: 0 }).pipe(
        Effect.provide(
          Authenticator.layer(({ header }) => Effect.succeed(Principal.make({ id: header("mcp-name") ?? "nobody" })))
        ),
        Effect.provide(server),
        Effect.provide(quiet)
      )
      const raw = yield* RawHttp.open(port)
      raw.write(bytes(port, FixtureServer.modern(1, "echo", {})))
      yield* raw.until(/\{\}$/)
      assert.deepStrictEqual(seen, ["echo"])
    }))

  it.scopedLive("answers 500 and lives on when telling the caller fails", () =>
    Effect.gen(function*() {
      const throwing = Authenticator.layer(() => {
        throw new Error("secret")
      })
      const { port } = yield* open().pipe(Effect.provide(throwing))
      for (const id of [1, 2]) {
        const raw = yield* RawHttp.open(port)
        raw.write(bytes(port, FixtureServer.modern(id, "echo", {})))
        const reply = yield* raw.until(/\}$/)
        assert.match(reply, /^HTTP\/1.1 500 [^]*-32603/)
        assert.notInclude(reply, "secret")
      }
    }))

  it.scopedLive("drops notifications that a slow reader does not take, and never the answer", () =>
    Effect.gen(function*() {
      const size = 64 * 1024
      const many = 400
      let isDone = false
      const server = scripted((_message, _headers, arrival) => ({
        reply: Effect.gen(function*() {
          for (let n = 0; n < many; n++) {
            arrival.notify(`{"n":"${"x".repeat(size)}"}`)
            yield* Effect.yieldNow()
          }
          isDone = true
          return { status: 200, body: `{"answer":true}` }
        }),
        cancelledByDisconnect: true,
        tells: []
      }))
      const { port } = yield* HttpTransport.make({ port: 0 }).pipe(Effect.provide(server), Effect.provide(quiet))
      const raw = yield* RawHttp.open(port)
      raw.socket.pause()
      raw.write(bytes(port, FixtureServer.modern(1, "echo", {})))
      yield* until(() => isDone)
      raw.socket.resume()
      const reply = yield* raw.until(/data: \{"answer":true\}/)
      assert.isBelow(reply.length, many * size * 0.9)
    }))
})
