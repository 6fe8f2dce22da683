import { assert, describe, it } from "@effect/vitest"
import { McpError } from "causeway-mcp/protocol/McpError"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { Server } from "node:http"
import type { Socket } from "node:net"
import * as HttpScript from "./HttpScript.js"
import * as RawHttp from "./RawHttp.js"

const { call, never, post, serve, until } = HttpScript

const ask = (port: number, bytes: string) =>
  Effect.scoped(Effect.gen(function*() {
    const raw = yield* RawHttp.open(port)
    raw.write(bytes)
    return yield* raw.until(/\r\n\r\n[^]*(\}|\n\n)$|^HTTP\/1.1 20[24][^]*\r\n\r\n$/)
  }))

/** A server whose calls of `stay` never end. */
const staying = (options: { readonly maxInFlight: number }) => {
  let running = 0
  const stay = Effect.acquireUseRelease(
    Effect.sync(() => running++),
    () => Effect.never,
    () => Effect.sync(() => running--)
  )
  return Effect.map(
    serve({
      post: (message, _headers, { notify }) => {
        const text = JSON.stringify(message)
        return text.includes("subscriptions/listen")
          ? HttpScript.subscription(notify)
          : text.includes("stay")
          ? never({ reply: stay })
          : HttpScript.reply(text.includes("\"id\"") && text.includes("method") ? `{"ok":true}` : undefined)
      }
    }, options),
    (server) => ({ ...server, running: () => running })
  )
}

const response = { jsonrpc: "2.0", id: 1, result: {} }

/** The connections of the requests that come from now on, as the server sees them. */
const watchSockets = Effect.gen(function*() {
  const sockets: Array<Socket> = []
  const onRequest = (event: unknown): void => {
    sockets.push((event as { readonly socket: Socket }).socket)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => subscribe("http.server.request.start", onRequest)),
    () => Effect.sync(() => unsubscribe("http.server.request.start", onRequest))
  )
  return sockets
})

describe("HttpTransport, when there is too much to do", () => {
  it.scopedLive("answers 503 to more calls than may be in flight, and says when to come again", () =>
    Effect.gen(function*() {
      const { port, running } = yield* staying({ maxInFlight: 2 })
      const first = yield* RawHttp.open(port)
      first.write(post(call(1, "stay")))
      const second = yield* RawHttp.open(port)
      second.write(post(call(2, "stay")))
      yield* until(() => running() === 2)
      const reply = yield* ask(port, post(call("third")))
      assert.match(reply, /^HTTP\/1.1 503 [^]*retry-after: 1\r\n/)
      assert.match(reply, /\{"jsonrpc":"2.0","id":"third","error":\{"code":-32603,"message":"The server is busy"\}\}$/)
      first.socket.destroy()
      yield* until(() => running() === 1)
      assert.match(yield* ask(port, post(call("third"))), /^HTTP\/1.1 200 [^]*"ok":true/)
    }))

  it.scopedLive("lets through what calls may wait for, and what is no call", () =>
    Effect.gen(function*() {
      const { port, running } = yield* staying({ maxInFlight: 1 })
      const first = yield* RawHttp.open(port)
      first.write(post(call(1, "stay")))
      yield* until(() => running() === 1)
      assert.match(yield* ask(port, post(response)), /^HTTP\/1.1 202 /)
      assert.match(yield* ask(port, post([response])), /^HTTP\/1.1 202 /)
      assert.match(yield* ask(port, post({ jsonrpc: "2.0", method: "notifications/cancelled" })), /^HTTP\/1.1 202 /)
      assert.match(yield* ask(port, post([response, call(2)])), /^HTTP\/1.1 503 /)
      const subscriber = yield* RawHttp.open(port)
      subscriber.write(post(call(3, "subscriptions/listen")))
      yield* subscriber.until(/acknowledged/)
    }))

  it.scopedLive("does not count a subscription", () =>
    Effect.gen(function*() {
      const { port } = yield* staying({ maxInFlight: 1 })
      const subscriber = yield* RawHttp.open(port)
      subscriber.write(post(call(1, "subscriptions/listen")))
      yield* subscriber.until(/acknowledged/)
      assert.match(yield* ask(port, post(call(2))), /^HTTP\/1.1 200 /)
    }))

  it.scopedLive("counts every call of an array", () =>
    Effect.gen(function*() {
      const { port, running } = yield* staying({ maxInFlight: 3 })
      const first = yield* RawHttp.open(port)
      first.write(post([call(1, "stay"), call(2, "stay"), call(3, "stay")]))
      yield* until(() => running() === 1)
      assert.match(yield* ask(port, post(call(4))), /^HTTP\/1.1 503 /)
    }))

  it.scopedLive("takes no array of more calls than there is room for", () =>
    Effect.gen(function*() {
      const { port, running } = yield* staying({ maxInFlight: 3 })
      const first = yield* RawHttp.open(port)
      first.write(post([call(1, "stay"), call(2, "stay")]))
      yield* until(() => running() === 1)
      assert.match(yield* ask(port, post([call(3), call(4)])), /^HTTP\/1.1 503 /)
      assert.match(yield* ask(port, post([call(3), response])), /^HTTP\/1.1 200 /)
    }))
})

describe("HttpTransport, and the size of things", () => {
  it.scopedLive("looks at every header, however many there are", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({})
      const many = "a:\r\n".repeat(2100)
      const bytes = post(call(1)).replace(
        "\r\n\r\n",
        `\r\n${many}host: evil.example\r\norigin: http://evil.example\r\n\r\n`
      )
      assert.match(yield* ask(port, bytes), /^HTTP\/1.1 400 [^]*more than one Host/)
      assert.match(yield* ask(port, bytes.replace("host: evil.example\r\n", "")), /^HTTP\/1.1 403 [^]*Origin/)
    }))

  it.scopedLive("refuses headers over their limit with 431", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({}, { maxHeaderBytes: 2048 })
      assert.match(yield* ask(port, post(call(1), { "x-long": "x".repeat(1500) })), /^HTTP\/1.1 200 /)
      const reply = yield* ask(port, post(call(1), { "x-long": "x".repeat(2048) }))
      assert.match(reply, /^HTTP\/1.1 431 [^]*application\/json[^]*"error"/)
    }))

  for (
    const [what, message] of [
      ["too deep", [[[[1]]]]],
      ["of too many values", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
      ["with too long a string", ["x".repeat(40)]]
    ] as const
  ) {
    it.scopedLive(`refuses JSON that is ${what} with 400 before it is parsed`, () =>
      Effect.gen(function*() {
        let seen = 0
        const { logged, port } = yield* serve({
          post: () => {
            seen++
            return HttpScript.reply("{}")
          }
        }, { bounds: { maxDepth: 3, maxNodes: 10, maxStringLength: 39 } })
        const reply = yield* ask(port, post(message))
        assert.match(reply, /^HTTP\/1.1 400 [^]*\{"jsonrpc":"2.0","error":\{"code":-32600,"message":"the message /)
        assert.strictEqual(seen, 0)
        assert.match(yield* ask(port, post([1, 2, 3])), /^HTTP\/1.1 200 /)
        assert.strictEqual(logged.filter(({ level }) => level === "WARN").length, 1)
      }))
  }

  for (
    const [what, head] of [
      ["of a declared length", { "content-length": String(2 ** 30) }],
      ["without a length", { "content-length": "", "transfer-encoding": "chunked" }]
    ] as const
  ) {
    it.scopedLive(`reads no more than 64 KiB past the limit of a body ${what}, and the refusal arrives`, () =>
      Effect.gen(function*() {
        const limit = 1000
        const { port } = yield* serve({}, { maxBodyBytes: limit })
        const sockets = yield* watchSockets
        const clients = yield* Effect.forEach(Array.from({ length: 20 }), () => RawHttp.open(port))
        const bytes = post("x", { "content-type": "application/json", ...head }).slice(0, -1)
        const flood = `4000\r\n${"x".repeat(0x4000)}\r\n`.repeat(16)
        for (const raw of clients) {
          raw.write(bytes)
          for (let turn = 0; turn < 8; turn++) raw.write(flood)
        }
        for (const raw of clients) assert.match(yield* raw.closed, /^HTTP\/1.1 413 [^]*"error"[^]*\}$/)
        assert.strictEqual(sockets.length, clients.length)
        for (const socket of sockets) assert.isAtMost(socket.bytesRead, limit + 64 * 1024)
      }))
  }
})

describe("HttpTransport, and readers that take nothing", () => {
  const big = JSON.stringify("x".repeat(8 * 1024 * 1024))
  const stalledMillis = 30_000

  it.scopedLive("gives them no more time when they were answered before and not in turn", () =>
    Effect.gen(function*() {
      const sockets = yield* watchSockets
      const { port } = yield* serve({
        post: (message) =>
          JSON.stringify(message).includes("late")
            ? HttpScript.reply("", { reply: Effect.delay(Effect.succeed({ status: 200, body: "{}" }), "100 millis") })
            : HttpScript.reply(big)
      })
      const raw = yield* RawHttp.open(port)
      raw.socket.pause()
      raw.write(post(call(1, "late")) + post(call(2)))
      yield* until(() => (sockets[1]?.writableLength ?? 0) > 1024 * 1024)
      yield* until(() => sockets[1]?.timeout === stalledMillis)
    }))

  it.scopedLive("gives the next answer all the time it needs once the reader has taken this one", () =>
    Effect.gen(function*() {
      const sockets = yield* watchSockets
      const { port } = yield* serve({
        post: (message) => JSON.stringify(message).includes("late") ? never() : HttpScript.reply(big)
      })
      const raw = yield* RawHttp.open(port)
      raw.socket.pause()
      raw.write(post(call(1)) + post(call(2, "late")))
      yield* until(() => sockets[1]?.timeout === stalledMillis)
      raw.socket.resume()
      yield* until(() => sockets[1]?.timeout === 0)
    }))

  it.scopedLive("lets a stream go on that was behind by little when it got its comment, and has caught up", () =>
    Effect.gen(function*() {
      const sockets = yield* watchSockets
      let send: ((json: string) => boolean) | undefined
      const { port } = yield* serve({
        openStream: (_session, _caller, give) => {
          send = give
          return () => {}
        }
      }, { keepAlive: "160 millis" })
      const raw = yield* RawHttp.open(port)
      raw.write(HttpScript.get("known"))
      yield* raw.until(/\r\n\r\n/)
      raw.socket.pause()
      const waiting = () => sockets[0]?.writableLength ?? 0
      // Until the kernel takes no more: what waits then is less than what makes a stream say that it is drained.
      yield* Effect.promise(async () => {
        while (waiting() === 0) {
          send?.("x".repeat(8192))
          await new Promise((resolve) => setImmediate(resolve))
        }
      })
      yield* until(() => sockets[0]?.timeout === stalledMillis)
      raw.socket.resume()
      yield* until(() => sockets[0]?.timeout === 0)
    }))
})

describe("HttpTransport.settings", () => {
  const read = (entries: Iterable<readonly [string, string]>) =>
    Effect.withConfigProvider(HttpTransport.settings, ConfigProvider.fromMap(new Map(entries)))

  it.effect("reads the limits from the environment, and has defaults for them", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* read([]), { maxHeaderBytes: 16_384, maxInFlight: 1024, maxStreams: 10_000 })
      const settings = yield* read([["MAX_HEADER_BYTES", "2048"], ["MAX_IN_FLIGHT", "7"], ["MAX_STREAMS", "0"]])
      assert.deepInclude(settings, { maxHeaderBytes: 2048, maxInFlight: 7, maxStreams: 0 })
    }))

  for (const [name, value] of [["MAX_IN_FLIGHT", "0"], ["MAX_STREAMS", "-1"], ["MAX_HEADER_BYTES", "many"]] as const) {
    it.effect(`refuses ${name}=${value}`, () =>
      Effect.gen(function*() {
        assert.include(String(yield* Effect.flip(read([[name, value]]))), "write a whole number")
      }))
  }
})

describe("HttpTransport, and the log", () => {
  const refusal = new McpError({ code: -32020, message: "Mcp-Name is not secret" })

  it.scopedLive("says once of each refusal its status, its reason and who asked, and nothing of what was asked", () =>
    Effect.gen(function*() {
      const { logged, port } = yield* serve({
        post: () =>
          HttpScript.reply(undefined, {
            // The error as the protocol makes it, told by its code alone.
            reply: Effect.succeed({ status: 400, body: "{}", refusal })
          })
      })
      const warnings = () => logged.filter(({ level }) => level === "WARN")
      yield* ask(port, post(call(1)))
      yield* ask(port, post("{secret"))
      yield* ask(port, post(call(1), { host: "secret.example" }))
      yield* ask(port, post(call(1), { "content-type": "text/secret" }))
      const raw = yield* RawHttp.open(port)
      raw.write("SECRET\r\n\r\n")
      yield* raw.closed
      assert.deepStrictEqual(warnings().map(({ text }) => text), [
        "Refused a request with 400: a header is missing or differs from the body",
        "Refused a request with 400: it is not JSON",
        "Refused a request with 403: The Host header names a host that this server does not serve",
        "Refused a request with 415: The content type must be application/json in UTF-8",
        "Refused a request with 400: The request is not valid HTTP"
      ])
      for (const { peer } of warnings()) assert.strictEqual(peer, "127.0.0.1")
      assert.notInclude(JSON.stringify(logged), "secret")
    }))

  it.scopedLive("says nothing of what was answered", () =>
    Effect.gen(function*() {
      const { logged, port } = yield* serve({})
      yield* ask(port, post(call(1)))
      assert.deepStrictEqual(logged.map(({ level }) => level), ["INFO"])
    }))

  it.scopedLive("says no more than ten in a second, and then how many there were besides", () =>
    Effect.gen(function*() {
      const { logged, port } = yield* serve({})
      const refused = () => logged.filter(({ level }) => level === "WARN").map(({ text }) => text)
      const raw = yield* RawHttp.open(port)
      raw.write(post("{").repeat(30))
      yield* until(() => refused().length === 11)
      assert.deepStrictEqual([...new Set(refused().slice(0, 10))], ["Refused a request with 400: it is not JSON"])
      assert.strictEqual(refused()[10], "Refused 20 more requests in the same second")
    }))

  it.scopedLive("says how many there were besides when the server stops first", () =>
    Effect.gen(function*() {
      const { logged, port, stop } = yield* serve({})
      const raw = yield* RawHttp.open(port)
      raw.write(post("{").repeat(15))
      yield* raw.until(/(HTTP\/1.1 400[^]*){15}/)
      yield* stop
      assert.strictEqual(logged.at(-1)?.text, "Refused 5 more requests in the same second")
    }))

  it.scopedLive("goes on when the listening socket meets an error, and says so", () =>
    Effect.gen(function*() {
      let http: Server | undefined
      const onRequest = (event: unknown): void => {
        http = (event as { readonly server: Server }).server
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => subscribe("http.server.request.start", onRequest)),
        () => Effect.sync(() => unsubscribe("http.server.request.start", onRequest))
      )
      const { logged, port } = yield* serve({})
      yield* ask(port, post(call(1)))
      http?.emit("error", new Error("accept EMFILE"))
      assert.match(yield* ask(port, post(call(1))), /^HTTP\/1.1 200 /)
      assert.deepStrictEqual(logged.filter(({ level }) => level === "ERROR").map(({ text }) => text.slice(0, 43)), [
        "The HTTP server met an error and goes on,Er"
      ])
    }))
})
