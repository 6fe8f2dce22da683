import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpScript from "./HttpScript.js"
import * as RawHttp from "./RawHttp.js"

const { call, get, post, serve, subscription, until } = HttpScript

const open = Effect.fnUntraced(function*(port: number, bytes: string) {
  const raw = yield* RawHttp.open(port)
  raw.write(bytes)
  return raw
})

const listen = (port: number) => open(port, post(call("s", "subscriptions/listen")))

/** What a session's stream is told with, as the test sees it. */
const makeSession = () => {
  const sends: Array<(json: string) => boolean> = []
  let open = 0
  return {
    sends,
    open: () => open,
    openStream: (session: string, _caller: unknown, send: (json: string) => boolean) => {
      if (session !== "known") return undefined
      sends.push(send)
      open++
      return () => {
        open--
      }
    }
  }
}

describe("HttpTransport, and sessions of older clients", () => {
  it.scopedLive("sends the id of a session that a message opened, with JSON and with a stream", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ post: () => HttpScript.reply("{}", { session: "abc" }) })
      const plain = yield* open(port, post(call(1)))
      assert.match(yield* plain.until(/\{\}$/), /^HTTP\/1.1 200 [^]*mcp-session-id: abc\r\n/)
      const stream = yield* open(port, post(call(1), { accept: "text/event-stream" }))
      assert.match(yield* stream.until(/\{\}\n\n/), /text\/event-stream[^]*mcp-session-id: abc\r\n/)
    }))

  it.scopedLive("names no session when there is none", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ post: () => HttpScript.reply("{}") })
      const raw = yield* open(port, post(call(1), { "mcp-session-id": "abc" }))
      assert.notInclude(yield* raw.until(/\{\}$/), "mcp-session-id")
    }))

  it.scopedLive("opens the stream of a session at once, tells it what is sent, and lets go when the reader leaves", () =>
    Effect.gen(function*() {
      const session = makeSession()
      const { port } = yield* serve({ openStream: session.openStream })
      const raw = yield* open(port, get("known"))
      assert.match(
        yield* raw.until(/\r\n\r\n/),
        /^HTTP\/1.1 200 [^]*content-type: text\/event-stream\r\n[^]*x-accel-buffering: no\r\n/
      )
      assert.isTrue(session.sends[0]?.(`{"n":1}`))
      yield* raw.until(/event: message\ndata: \{"n":1\}\n\n/)
      raw.socket.destroy()
      yield* until(() => session.open() === 0)
      assert.isFalse(session.sends[0]?.(`{"n":2}`))
    }))

  it.scopedLive("tells a page whose stream it is that it may read it", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ openStream: makeSession().openStream })
      const raw = yield* open(port, get("known", { origin: "http://localhost:1" }))
      assert.match(yield* raw.until(/\r\n\r\n/), /access-control-allow-origin: http:\/\/localhost:1\r\n/)
    }))

  it.scopedLive("answers 404 to a session that is not known", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ openStream: makeSession().openStream })
      const raw = yield* open(port, get("other"))
      assert.match(yield* raw.until(/\}$/), /^HTTP\/1.1 404 [^]*application\/json[^]*"error"/)
    }))

  for (
    const [what, bytes, status] of [
      ["a GET without a session", get(""), 405],
      ["a GET that takes no events", get("known", { accept: "application/json" }), 405],
      ["a GET of 2026-07-28", get("known", { "mcp-protocol-version": "2026-07-28" }), 405],
      ["a GET of no revision", get("known", { "mcp-protocol-version": "1.0" }), 400],
      ["a GET with a body", HttpScript.request("GET", "/mcp", "{}", { "mcp-session-id": "known" }), 400],
      ["a DELETE of a session", HttpScript.request("DELETE", "/mcp", "", { "mcp-session-id": "known" }), 405],
      ["a GET of a foreign page", get("known", { origin: "https://evil.example" }), 403],
      ["a GET for another host", get("known", { host: "evil.example" }), 403]
    ] as const
  ) {
    it.scopedLive(`refuses ${what} with ${status}`, () =>
      Effect.gen(function*() {
        const session = makeSession()
        const { port } = yield* serve({ openStream: session.openStream })
        const raw = yield* open(port, bytes)
        const reply = yield* raw.until(/\}$/)
        assert.match(reply, new RegExp(`^HTTP/1.1 ${status} `))
        assert.strictEqual(/\r\nallow: POST\r\n/.test(reply), status === 405)
        assert.strictEqual(session.sends.length, 0)
      }))
  }

  it.scopedLive("takes the revision that the session was opened with", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ openStream: makeSession().openStream })
      const raw = yield* open(port, get("known", { "mcp-protocol-version": "2025-06-18" }))
      assert.match(yield* raw.until(/\r\n\r\n/), /^HTTP\/1.1 200 /)
    }))

  it.scopedLive("ends the stream of a reader that is too slow", () =>
    Effect.gen(function*() {
      const session = makeSession()
      const { port } = yield* serve({ openStream: session.openStream })
      const raw = yield* open(port, get("known"))
      yield* raw.until(/\r\n\r\n/)
      raw.socket.pause()
      const json = `{"n":"${"x".repeat(64 * 1024)}"}`
      let taken = 0
      while (session.sends[0]?.(json) === true) {
        taken++
        yield* Effect.yieldNow()
      }
      assert.isAtLeast(taken, 16)
      assert.strictEqual(session.open(), 0)
      raw.socket.resume()
      yield* raw.until(/\r\n0\r\n\r\n$/)
    }))

  it.scopedLive("answers 500 and lives on when opening a stream fails", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({
        openStream: () => {
          throw new Error("secret")
        }
      })
      for (let turn = 0; turn < 2; turn++) {
        const raw = yield* open(port, get("known"))
        const reply = yield* raw.until(/\}$/)
        assert.match(reply, /^HTTP\/1.1 500 [^]*-32603/)
        assert.notInclude(reply, "secret")
      }
    }))
})

describe("HttpTransport, and streams without an end of their own", () => {
  it.scopedLive("opens no more of them than are allowed, sessions and subscriptions together", () =>
    Effect.gen(function*() {
      const session = makeSession()
      const { port } = yield* serve(
        { openStream: session.openStream, post: (_message, _headers, { notify }) => subscription(notify) },
        { maxStreams: 2 }
      )
      const first = yield* open(port, get("known"))
      yield* first.until(/\r\n\r\n/)
      const second = yield* listen(port)
      yield* second.until(/acknowledged/)
      for (const third of [yield* open(port, get("known")), yield* listen(port)]) {
        assert.match(yield* third.until(/\}$/), /^HTTP\/1.1 503 [^]*-32603/)
      }
      first.socket.destroy()
      yield* until(() => session.open() === 0)
      const fourth = yield* listen(port)
      yield* fourth.until(/acknowledged/)
    }))

  it.scopedLive("refuses one too many before it begins, also one that would say something at once", () =>
    Effect.gen(function*() {
      let begun = 0
      const { port } = yield* serve(
        {
          post: (_message, _headers, { notify }) => {
            begun++
            notify(`{"acknowledged":"at once"}`)
            return subscription(notify)
          }
        },
        { maxStreams: 1 }
      )
      const first = yield* listen(port)
      yield* first.until(/at once/)
      for (let turn = 0; turn < 2; turn++) {
        const excess = yield* listen(port)
        assert.match(yield* excess.until(/\}$/), /^HTTP\/1.1 503 [^]*-32603/)
      }
      assert.strictEqual(begun, 1)
    }))

  it.scopedLive("frees the place of a subscriber that went away", () =>
    Effect.gen(function*() {
      const { port } = yield* serve(
        { post: (_message, _headers, { notify }) => subscription(notify) },
        { maxStreams: 1 }
      )
      const first = yield* listen(port)
      yield* first.until(/acknowledged/)
      first.socket.destroy()
      const again = Effect.gen(function*() {
        const raw = yield* listen(port)
        return yield* raw.until(/acknowledged|503/)
      })
      yield* Effect.repeat(Effect.scoped(again), { until: (reply) => reply.includes("acknowledged") })
    }))

  it.scopedLive("keeps them alive with comments", () =>
    Effect.gen(function*() {
      const { port } = yield* serve(
        { openStream: makeSession().openStream, post: (_message, _headers, { notify }) => subscription(notify) },
        { keepAlive: "20 millis" }
      )
      for (const raw of [yield* open(port, get("known")), yield* listen(port)]) {
        yield* raw.until(/: keep-alive\n\n[^]*: keep-alive\n\n/)
      }
    }))

  it.scopedLive("ends each with its last word when the server stops, and waits for none", () =>
    Effect.gen(function*() {
      const session = makeSession()
      const { port, stop } = yield* serve({
        openStream: session.openStream,
        post: (_message, _headers, { notify }) => subscription(notify)
      })
      const stream = yield* open(port, get("known"))
      yield* stream.until(/\r\n\r\n/)
      const subscribers = yield* Effect.forEach(Array.from({ length: 20 }), () => listen(port))
      for (const raw of subscribers) yield* raw.until(/acknowledged/)
      const began = performance.now()
      yield* stop
      assert.isBelow(performance.now() - began, 2000)
      assert.match(yield* stream.closed, /\r\n0\r\n\r\n$/)
      for (const raw of subscribers) {
        assert.match(yield* raw.closed, /acknowledged[^]*data: \{"result":"ended"\}\n\n\r\n0\r\n\r\n$/)
      }
      assert.strictEqual(session.open(), 0)
    }))

  it.scopedLive("does not wait for a subscriber that reads nothing", () =>
    Effect.gen(function*() {
      let send: ((json: string) => boolean) | undefined
      const { port, stop } = yield* serve({
        post: (_message, _headers, { notify }) => {
          send = notify
          return subscription(notify)
        }
      })
      const raw = yield* listen(port)
      yield* raw.until(/acknowledged/)
      raw.socket.pause()
      while (send?.(`{"n":"${"x".repeat(64 * 1024)}"}`) === true) yield* Effect.yieldNow()
      const began = performance.now()
      yield* stop
      assert.isBelow(performance.now() - began, 3000)
    }))

  it.scopedLive("ends at once a subscription that begins when the server is stopping", () =>
    Effect.gen(function*() {
      const { port, stop } = yield* serve({
        post: (message, _headers, { notify }) =>
          JSON.stringify(message).includes("listen")
            ? subscription(notify)
            : { ...HttpScript.never(), reply: Effect.as(Effect.sleep("500 millis"), { status: 200, body: "{}" }) }
      })
      const busy = yield* open(port, post(call(1)))
      const raw = yield* open(port, post(call(0, "subscriptions/listen")))
      yield* raw.until(/acknowledged/)
      const stopping = yield* Effect.fork(stop)
      yield* raw.until(/ended/)
      raw.write(post(call(2, "subscriptions/listen")))
      assert.match(yield* raw.closed, /ended[^]*ended/)
      assert.match(yield* busy.closed, /^HTTP\/1.1 200 /)
      yield* Fiber.join(stopping)
    }))
})
