import { assert, describe, it } from "@effect/vitest"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { Socket } from "node:net"
import * as FixtureServer from "../transport/FixtureServer.js"
import * as RawHttp from "./RawHttp.js"

const quiet = Logger.remove(Logger.defaultLogger)

const start = (settings: Partial<HttpTransport.Settings> = {}, probe = TransportLaws.makeProbe()) =>
  HttpTransport.make({ port: 0, ...settings }).pipe(
    Effect.provide(FixtureServer.layer(probe)),
    Effect.provide(quiet)
  )

type Headers = { readonly [name: string]: string }

const headersFor = (message: object): Headers => {
  const params = (message as { params?: { name?: string; _meta?: object } }).params
  return params?._meta === undefined ? {} : {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": String(params.name)
  }
}

/** The bytes of a POST; a header given as an empty string is left out. */
const post = (port: number, body: string | Buffer, headers: Headers = {}): Buffer => {
  const all: Headers = {
    host: `127.0.0.1:${port}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "content-length": String(Buffer.byteLength(body)),
    ...headers
  }
  const lines = Object.entries(all).filter(([, value]) => value !== "").map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST /mcp HTTP/1.1\r\n${lines.join("")}\r\n`), Buffer.from(body)])
}

const message = (port: number, body: object, headers: Headers = {}): Buffer =>
  post(port, JSON.stringify(body), { ...headersFor(body), ...headers })

const echo = FixtureServer.modern(1, "echo", { text: "hello" })

const ask = (port: number, bytes: string | Buffer) =>
  Effect.scoped(Effect.gen(function*() {
    const raw = yield* RawHttp.open(port)
    raw.write(bytes)
    return yield* raw.until(/\r\n\r\n[^]*(\}|\n\n)$|^HTTP\/1.1 20[24][^]*\r\n\r\n$/)
  }))

const untilRunning = (probe: TransportLaws.Probe, count: number) =>
  Effect.suspend(() => probe.running() === count ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.timeoutFail({ duration: "5 seconds", onTimeout: () => `${probe.running()} run, not ${count}` })
  )

const isJsonError = (reply: string, status: number): void => {
  assert.match(reply, new RegExp(`^HTTP/1.1 ${status} `))
  assert.match(reply.toLowerCase(), /content-type: application\/json\r\n/)
  const body: unknown = JSON.parse(reply.slice(reply.indexOf("\r\n\r\n") + 4))
  assert.containsAllKeys(body, ["error"])
}

describe("HttpTransport", () => {
  describe("who may ask", () => {
    const hosts = [
      ["no Host", "", 400],
      ["another host", "mcp.example.com", 403],
      ["a host that only begins like ours", "127.0.0.1.example.com", 403],
      ["a host behind user info", "example.com@127.0.0.1", 403],
      ["our address in another notation", "2130706433", 403],
      ["a host with a path", "127.0.0.1/x", 403]
    ] as const
    for (const [what, host, status] of hosts) {
      it.scopedLive(`refuses ${what} with ${status}`, () =>
        Effect.gen(function*() {
          const { port } = yield* start()
          isJsonError(yield* ask(port, message(port, echo, { host })), status)
        }))
    }

    it.scopedLive("refuses two Host headers with 400", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        isJsonError(yield* ask(port, message(port, echo, { Host: "127.0.0.1" })), 400)
      }))

    for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:99"]) {
      it.scopedLive(`serves under the host ${host}`, () =>
        Effect.gen(function*() {
          const { port } = yield* start()
          assert.match(yield* ask(port, message(port, echo, { host })), /^HTTP\/1.1 200 [^]*hello/)
        }))
    }

    it.scopedLive("serves under an allowed host alone when hosts are given", () =>
      Effect.gen(function*() {
        const { port } = yield* start({ allowedHosts: ["mcp.example.com", "other.example.com:81"] })
        assert.match(yield* ask(port, message(port, echo, { host: "mcp.example.com:80" })), /^HTTP\/1.1 200 /)
        assert.match(yield* ask(port, message(port, echo, { host: "other.example.com:81" })), /^HTTP\/1.1 200 /)
        isJsonError(yield* ask(port, message(port, echo, { host: "other.example.com:82" })), 403)
        isJsonError(yield* ask(port, message(port, echo)), 403)
      }))

    for (const origin of ["null", "https://example.com", "http://localhost.example.com", "http://localhost/", "x"]) {
      it.scopedLive(`refuses the origin ${origin} with 403`, () =>
        Effect.gen(function*() {
          const { port } = yield* start()
          isJsonError(yield* ask(port, message(port, echo, { origin })), 403)
        }))
    }

    it.scopedLive("tells a page of this machine that it may read the answer", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const reply = yield* ask(port, message(port, echo, { origin: "http://localhost:6274" }))
        assert.match(reply, /^HTTP\/1.1 200 /)
        assert.match(reply, /access-control-allow-origin: http:\/\/localhost:6274\r\n/)
      }))

    it.scopedLive("answers the preflight of an allowed origin and of no other", () =>
      Effect.gen(function*() {
        const { port } = yield* start({ allowedOrigins: ["https://app.example.com"] })
        const preflight = (origin: string) =>
          `OPTIONS /mcp HTTP/1.1\r\nhost: localhost\r\norigin: ${origin}\r\naccess-control-request-method: POST\r\n` +
          "access-control-request-headers: mcp-param-region, x-evil\r\n\r\n"
        const reply = yield* ask(port, preflight("https://app.example.com"))
        assert.match(reply, /^HTTP\/1.1 204 /)
        assert.match(reply, /access-control-allow-headers: .*mcp-method.*mcp-param-region\r\n/)
        assert.notInclude(reply, "x-evil")
        isJsonError(yield* ask(port, preflight("http://localhost")), 403)
      }))
  })

  describe("what may be asked", () => {
    for (const verb of ["GET", "DELETE", "PUT", "OPTIONS"]) {
      it.scopedLive(`refuses ${verb} with 405 and names POST`, () =>
        Effect.gen(function*() {
          const { port } = yield* start()
          const reply = yield* ask(port, `${verb} /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n`)
          isJsonError(reply, 405)
          assert.match(reply, /\r\nallow: POST\r\n/)
        }))
    }

    const unsupported: ReadonlyArray<Headers> = [
      { "content-type": "" },
      { "content-type": "text/plain" },
      { "content-type": "application/jsonp" },
      { "content-type": "text/plain; application/json" },
      { "content-type": "application/json; charset=latin1" },
      { "content-encoding": "gzip" }
    ]
    for (const headers of unsupported) {
      it.scopedLive(`refuses ${JSON.stringify(headers)} with 415`, () =>
        Effect.gen(function*() {
          const { port } = yield* start()
          isJsonError(yield* ask(port, message(port, echo, headers)), 415)
        }))
    }

    it.scopedLive("takes JSON in UTF-8 however it is written", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const headers = { "content-type": "Application/JSON ; charset=\"UTF-8\"", "content-encoding": "identity" }
        assert.match(yield* ask(port, message(port, echo, headers)), /^HTTP\/1.1 200 /)
      }))

    const bodies: ReadonlyArray<readonly [string, string | Buffer]> = [
      ["no body", ""],
      ["a body that is not JSON", "{\"jsonrpc\""],
      [
        "a call with a byte that is not UTF-8",
        Buffer.from(JSON.stringify(FixtureServer.legacy(1, "echo", { text: "\u00ff" })), "latin1")
      ],
      ["a byte order mark", "\ufeff{}"],
      ["five hundred thousand open brackets", "[".repeat(500_000)],
      ["129 levels", `${"[".repeat(129)}${"]".repeat(129)}`]
    ]
    for (const [what, body] of bodies) {
      it.scopedLive(`refuses ${what} with 400`, () =>
        Effect.gen(function*() {
          const { port } = yield* start()
          isJsonError(yield* ask(port, post(port, body)), 400)
        }))
    }

    it.scopedLive("never sends a refused body back", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        assert.notInclude(yield* ask(port, post(port, "<script>secret")), "secret")
      }))

    it.scopedLive("answers bytes that are not HTTP with a JSON error and closes", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const raw = yield* RawHttp.open(port)
        raw.write("NONSENSE\r\n\r\n")
        isJsonError(yield* raw.closed, 400)
      }))

    it.scopedLive("never lets an answer to bytes that are not HTTP pass for that of an earlier request", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const raw = yield* RawHttp.open(port)
        raw.write(message(port, FixtureServer.modern(1, "slow", { ms: 200 })))
        raw.write("NONSENSE\r\n\r\n")
        assert.strictEqual(yield* raw.closed, "")
      }))

    it.scopedLive("refuses a length together with chunks", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const raw = yield* RawHttp.open(port)
        raw.write(
          "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 5\r\n" +
            "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        isJsonError(yield* raw.closed, 400)
      }))
  })

  describe("how much may be asked", () => {
    it.scopedLive("refuses a declared length over the limit before the body comes, and closes", () =>
      Effect.gen(function*() {
        const { port } = yield* start({ maxBodyBytes: 1000 })
        const raw = yield* RawHttp.open(port)
        raw.write(post(port, "", { "content-length": "1001", expect: "100-continue" }))
        const reply = yield* raw.closed
        isJsonError(reply, 413)
        assert.match(reply.toLowerCase(), /connection: close/)
      }))

    it.scopedLive("refuses any other expectation with 417", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        isJsonError(yield* ask(port, message(port, echo, { expect: "a miracle" })), 417)
      }))

    it.scopedLive("tells a client that waits for it to continue", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const body = JSON.stringify(echo)
        const raw = yield* RawHttp.open(port)
        raw.write(post(port, "", {
          ...headersFor(echo),
          "content-length": String(body.length),
          expect: "100-continue"
        }))
        yield* raw.until(/^HTTP\/1.1 100 /)
        raw.write(body)
        yield* raw.until(/HTTP\/1.1 200 [^]*hello/)
      }))

    it.scopedLive("stops reading an endless body soon after the limit, and closes", () =>
      Effect.gen(function*() {
        const limit = 256 * 1024
        const { port } = yield* start({ maxBodyBytes: limit })
        let serverSide: Socket | undefined
        const onRequest = (event: unknown): void => {
          serverSide = (event as { readonly socket: Socket }).socket
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => subscribe("http.server.request.start", onRequest)),
          () => Effect.sync(() => unsubscribe("http.server.request.start", onRequest))
        )
        const raw = yield* RawHttp.open(port)
        const head = post(port, "", { "content-length": "", "transfer-encoding": "chunked" })
        raw.write(head)
        const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`
        const timer = setInterval(() => {
          if (raw.socket.writable && raw.socket.writableLength < 1e6) { for (let i = 0; i < 50; i++) raw.write(chunk) }
        }, 1)
        yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(timer)))
        isJsonError(yield* raw.closed, 413)
        assert.isAbove(serverSide?.bytesRead ?? 0, limit)
        // The head and the marks between the chunks are not of the body.
        const marks = 8 * (1 + (limit + 64 * 1024) / 0x4000)
        assert.isAtMost(serverSide?.bytesRead ?? Infinity, limit + 64 * 1024 + head.length + marks)
      }))

    it.scopedLive("ends headers and bodies that come too slowly with 408", () =>
      Effect.gen(function*() {
        const { port } = yield* start({ headersTimeout: "100 millis", requestTimeout: "200 millis" })
        const headers = yield* RawHttp.open(port)
        const body = yield* RawHttp.open(port)
        headers.write("POST /mcp HTTP/1.1\r\nhost: loc")
        body.write(post(port, "{", { "content-length": "100" }))
        isJsonError(yield* headers.closed, 408)
        isJsonError(yield* body.closed, 408)
      }))
  })

  describe("how it answers", () => {
    it.scopedLive("answers pipelined requests in order", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const raw = yield* RawHttp.open(port)
        raw.write(Buffer.concat([
          message(port, FixtureServer.modern("a", "slow", { ms: 40 })),
          message(port, FixtureServer.modern("b", "slow", { ms: 1 })),
          message(port, FixtureServer.modern("c", "echo", { text: "x" }))
        ]))
        const reply = yield* raw.until(/"id":"c"/)
        assert.deepStrictEqual([...reply.matchAll(/"id":"(.)"/g)].map((match) => match[1]), ["a", "b", "c"])
      }))

    it.scopedLive("answers a notification with 202 and no body", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const reply = yield* ask(port, post(port, `{"jsonrpc":"2.0","method":"notifications/initialized"}`))
        assert.match(reply, /^HTTP\/1.1 202 [^]*content-length: 0\r\n[^]*\r\n\r\n$/)
      }))

    const counting = FixtureServer.modern(1, "count", { n: 2 }, { progressToken: "t" })

    it.scopedLive("opens a stream for progress, with headers that keep it flowing", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const raw = yield* RawHttp.open(port)
        raw.write(message(port, counting))
        const reply = yield* raw.until(/0\r\n\r\n$/)
        assert.match(reply, /content-type: text\/event-stream\r\n/)
        assert.match(reply, /cache-control: no-cache, no-transform\r\n/)
        assert.match(reply, /x-accel-buffering: no\r\n/)
        const events = [...reply.matchAll(/event: message\ndata: (.*)\n\n/g)].map((match) => JSON.parse(match[1] ?? ""))
        assert.deepStrictEqual(events.map((event) => event.method ?? event.id), [
          "notifications/progress",
          "notifications/progress",
          1
        ])
      }))

    it.scopedLive("leaves progress out for a client that takes JSON alone", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const reply = yield* ask(port, message(port, counting, { accept: "application/json" }))
        assert.match(reply, /content-type: application\/json\r\n/)
        assert.notInclude(reply, "progress")
      }))

    it.scopedLive("answers on a stream when the client takes nothing else", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        const raw = yield* RawHttp.open(port)
        raw.write(message(port, echo, { accept: "text/event-stream" }))
        const reply = yield* raw.until(/0\r\n\r\n$/)
        assert.match(reply, /content-type: text\/event-stream\r\n/)
        assert.match(reply, /event: message\ndata: .*hello.*\n\n/)
      }))

    it.scopedLive("refuses a client that takes neither with 406", () =>
      Effect.gen(function*() {
        const { port } = yield* start()
        isJsonError(yield* ask(port, message(port, echo, { accept: "text/html" })), 406)
      }))

    it.scopedLive("sends comments down a stream that has nothing to say", () =>
      Effect.gen(function*() {
        const { port } = yield* start({ keepAlive: "20 millis" })
        const raw = yield* RawHttp.open(port)
        raw.write(message(port, FixtureServer.modern(1, "tick", { ms: 200 }, { progressToken: "t" })))
        const reply = yield* raw.until(/ticked/)
        assert.match(reply, /\n\n[^]*: keep-alive\n\n[^]*ticked/)
      }))
  })

  describe("when the client goes away", () => {
    const goingAway = (what: string, leave: (raw: RawHttp.Raw) => void) => {
      it.scopedLive(`stops the call on 2026-07-28 when the client ${what}`, () =>
        Effect.gen(function*() {
          const probe = TransportLaws.makeProbe()
          const { port } = yield* start({}, probe)
          const raw = yield* RawHttp.open(port)
          raw.write(message(port, FixtureServer.modern(1, "never", {})))
          yield* untilRunning(probe, 1)
          leave(raw)
          yield* untilRunning(probe, 0)
          assert.match(yield* ask(port, message(port, echo)), /hello/)
        }))
    }
    goingAway("resets the connection", (raw) => raw.socket.resetAndDestroy())
    goingAway("closes the connection", (raw) => raw.socket.destroy())
    goingAway("closes its half of the connection", (raw) => raw.socket.end())

    it.scopedLive("stops every pipelined call, also those whose turn to answer has not come", () =>
      Effect.gen(function*() {
        const probe = TransportLaws.makeProbe()
        const { port } = yield* start({}, probe)
        const raw = yield* RawHttp.open(port)
        for (const id of [1, 2, 3]) raw.write(message(port, FixtureServer.modern(id, "never", {})))
        yield* untilRunning(probe, 3)
        raw.socket.destroy()
        yield* untilRunning(probe, 0)
      }))

    it.scopedLive("stops a call whose stream is open", () =>
      Effect.gen(function*() {
        const { port } = yield* start({ drain: "10 seconds" })
        const raw = yield* RawHttp.open(port)
        raw.write(message(port, FixtureServer.modern(1, "tick", { ms: 60_000 }, { progressToken: "t" })))
        yield* raw.until(/notifications\/progress/)
        raw.socket.destroy()
        // A call that went on would hold up the closing scope: the test would run into its own limit.
      }), 5000)

    it.scopedLive("lets the call go on in a handshake revision", () =>
      Effect.gen(function*() {
        const probe = TransportLaws.makeProbe()
        const { port } = yield* start({ drain: "50 millis" }, probe)
        const raw = yield* RawHttp.open(port)
        raw.write(message(port, FixtureServer.legacy(1, "never", {})))
        yield* untilRunning(probe, 1)
        raw.socket.destroy()
        // The server has seen that connection end before it answers a request that came later.
        for (let turn = 0; turn < 5; turn++) yield* ask(port, message(port, echo))
        assert.strictEqual(probe.running(), 1)
      }))
  })
})
