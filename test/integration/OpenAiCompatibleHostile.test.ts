import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Socket } from "node:net"
import { gzipSync } from "node:zlib"
import { choice, collect, eventually, key, partialOf, question } from "./providerModel.js"
import * as RawProvider from "./rawProvider.js"

const clients = { undici: NodeHttpClient.layerUndici, node: NodeHttpClient.layer, fetch: FetchHttpClient.layer }

const connect = (
  answer: (socket: Socket, request: string) => void,
  options: Partial<OpenAiCompatible.Options> = {}
) =>
  Effect.gen(function*() {
    const server = yield* RawProvider.make(answer)
    const model = yield* OpenAiCompatible.make({
      provider: "fake",
      model: "m",
      baseUrl: server.baseUrl,
      apiKey: Redacted.make(key),
      timeout: "10 seconds",
      ...options
    })
    return { model, server }
  })

/** What comes of an answer by each way of asking: its text, or its error. */
const outcomes = (answer: (socket: Socket, request: string) => void, options: Partial<OpenAiCompatible.Options> = {}) =>
  Effect.gen(function*() {
    const { model } = yield* connect(answer, options)
    const whole = yield* Effect.either(model.generateText(question))
    const stream = yield* collect(model.streamText(question))
    return [
      whole._tag === "Left" ? whole.left : whole.right.text,
      stream.error ?? stream.done?.text ?? "nothing"
    ] as const
  })

const sent = (bytes: string | Uint8Array) => (socket: Socket) => void socket.write(bytes)

const json = (text: string | Uint8Array, head: ReadonlyArray<string> = ["content-type: application/json"]) =>
  sent(RawProvider.reply(text, head))

const answered = (content: string) => JSON.stringify(choice({ content }))

const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`

const reasons = (all: ReadonlyArray<LlmError.LlmError | string>) =>
  all.map((one) => typeof one === "string" ? one : one.reason)

/** A part of a stream in chunked coding. */
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const chunkedHead = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

describe("OpenAiCompatible under hostile bytes", () => {
  const malformed: ReadonlyArray<readonly [what: string, answer: (socket: Socket) => void]> = [
    ["JSON of 10,000 levels", json(`{"choices":${deep(10_000)}}`)],
    ["JSON of four million levels", json(deep(4_000_000))],
    ["bytes that are not UTF-8", json(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]))],
    ["a NUL between the values", json("{\"choices\":\0[]}")],
    ["a NUL in the text", json("{\"choices\":[{\"message\":{\"content\":\"a\\u0000b\"}}]}")],
    ["half a surrogate pair", json("{\"choices\":[{\"message\":{\"content\":\"a\\ud83c\"}}]}")],
    ["two documents", json(`${answered("a")}${answered("b")}`)],
    ["a list of documents, line by line", json(`${answered("a")}\n${answered("b")}`)],
    ["a page", json("<!doctype html><p>Please log in", ["content-type: text/html"])],
    ["NaN", json("{\"choices\":NaN}")],
    ["a page that calls itself JSON", json("<html></html>")]
  ]
  for (const [what, answer] of malformed) {
    it.live(`fails as Malformed on ${what}, asked for whole or as a stream`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(reasons(yield* outcomes(answer)), ["Malformed", "Malformed"])
      }).pipe(Effect.scoped, Effect.provide(clients.undici)))
  }

  const readable: ReadonlyArray<readonly [what: string, answer: (socket: Socket) => void]> = [
    ["JSON under another name", json(answered("yes"), ["content-type: text/html"])],
    ["JSON under no name", json(answered("yes"), [])],
    ["JSON behind a byte order mark and blank lines", json(`\uFEFF\n\n${answered("yes")}`)],
    [
      "names that would change a prototype",
      json(
        `{"__proto__":{"error":{"code":500}},"constructor":1,"choices":[{"__proto__":{"finish_reason":"length"},` +
          `"message":{"__proto__":{"refusal":"no"},"content":"yes"}}]}`
      )
    ],
    ["names that come twice", json("{\"choices\":[],\"choices\":[{\"message\":{\"content\":\"yes\"}}]}")],
    [
      "HTTP/1.0, which ends with the connection",
      (socket) => socket.end(`HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n${answered("yes")}`)
    ],
    [
      "an early hint before the answer",
      sent(Buffer.concat([
        Buffer.from("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
        RawProvider.reply(answered("yes"))
      ]))
    ]
  ]
  for (const [what, answer] of readable) {
    it.live(`reads ${what}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(reasons(yield* outcomes(answer)), ["yes", "yes"])
      }).pipe(Effect.scoped, Effect.provide(clients.undici)))
  }

  it.live("reads a string of five megabytes", () =>
    Effect.gen(function*() {
      const text = "x".repeat(5_000_000)
      const [whole, stream] = yield* outcomes(json(answered(text)))
      assert.isTrue(whole === text)
      assert.isTrue(stream === text)
    }).pipe(Effect.scoped, Effect.provide(clients.undici)))

  it.live("takes an object of 10,000 levels in the text for none", () =>
    Effect.gen(function*() {
      const { model } = yield* connect(json(answered(`{"a":${deep(10_000)}}`)))
      const error = yield* Effect.flip(model.generateObject({ ...question, schema: { type: "object" } }))
      assert.strictEqual(error.flaw, "invalidJson")
    }).pipe(Effect.scoped, Effect.provide(clients.undici)))

  it.live("asks for no encoding", () =>
    Effect.gen(function*() {
      for (const client of Object.values(clients)) {
        const { model, server } = yield* connect(json(answered("yes")))
        yield* Effect.provide(model.generateText(question), client)
        assert.match(server.requests[0] ?? "", /accept-encoding: identity\r\n/iu)
      }
    }).pipe(Effect.scoped, Effect.provide(clients.undici)))

  for (const [name, client] of Object.entries(clients)) {
    describe(`with ${name}`, () => {
      it.live("fails as Malformed on fifty megabytes and on a body without end, and reads only the first part", () =>
        Effect.gen(function*() {
          const heads = ["content-length: 52428800", "connection: close"]
          for (const head of heads) {
            let socket: Socket | undefined
            const { model } = yield* connect((taken) => {
              socket = taken
              taken.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${head}\r\n\r\n{"a":"`)
              RawProvider.pour(taken, Buffer.alloc(65_536, 0x61))
            })
            const error = yield* Effect.flip(model.generateText(question))
            assert.strictEqual(error.reason, "Malformed")
            yield* eventually(Effect.sync(() => socket?.destroyed === true))
            assert.isBelow(socket?.bytesWritten ?? Infinity, 24_000_000)
          }
        }).pipe(Effect.scoped, Effect.provide(client)))

      it.live("fails as Malformed on a body that grows when it is unpacked", () =>
        Effect.gen(function*() {
          const bomb = gzipSync(Buffer.alloc(200_000_000, 0x20))
          assert.isBelow(bomb.length, 300_000)
          const all = yield* outcomes(json(bomb, ["content-type: application/json", "content-encoding: gzip"]))
          assert.deepStrictEqual(reasons(all), ["Malformed", "Malformed"])
        }).pipe(Effect.scoped, Effect.provide(client)))

      it.live("reads what came packed unasked only where the client unpacks it", () =>
        Effect.gen(function*() {
          const packed = gzipSync(answered("yes"))
          const head = ["content-type: application/json", "content-encoding: gzip"]
          const all = yield* outcomes(json(packed, head))
          const expected = name === "fetch" ? "yes" : "Malformed"
          assert.deepStrictEqual(reasons(all), [expected, expected])
        }).pipe(Effect.scoped, Effect.provide(client)))

      it.live("fails as Malformed on headers of 64 kilobytes and on what is no HTTP", () =>
        Effect.gen(function*() {
          const large = json(answered("yes"), [`x-large: ${"x".repeat(65_536)}`])
          assert.deepStrictEqual(reasons(yield* outcomes(large)), ["Malformed", "Malformed"])
          const noise = (socket: Socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n\r\n")
          assert.deepStrictEqual(reasons(yield* outcomes(noise)), ["Malformed", "Malformed"])
        }).pipe(Effect.scoped, Effect.provide(client)))

      it.live("fails with an error of its kind on headers that contradict each other", () =>
        Effect.gen(function*() {
          for (const more of ["content-length: 3", "transfer-encoding: chunked"]) {
            const all = yield* outcomes((socket) =>
              socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n${more}\r\n\r\n{}`)
            )
            for (const reason of reasons(all)) assert.include(["Malformed", "Transient"], reason)
          }
        }).pipe(Effect.scoped, Effect.provide(client)))

      it.live("fails as Transient on a body that is cut short of its length or its last chunk", () =>
        Effect.gen(function*() {
          const short = (socket: Socket) =>
            socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n${answered("yes")}`)
          assert.deepStrictEqual(reasons(yield* outcomes(short)), ["Transient", "Transient"])
          const open = (socket: Socket) => socket.end(chunkedHead + chunk(answered("yes")))
          assert.deepStrictEqual(reasons(yield* outcomes(open)), ["Transient", "Transient"])
        }).pipe(Effect.scoped, Effect.provide(client)))

      it.live("reads an error of any size by its status", () =>
        Effect.gen(function*() {
          const answer = (socket: Socket) => {
            socket.write("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n")
            RawProvider.pour(socket, Buffer.alloc(65_536, 0x61))
          }
          assert.deepStrictEqual(reasons(yield* outcomes(answer)), ["Transient", "Transient"])
        }).pipe(Effect.scoped, Effect.provide(client)))
    })
  }

  it.live("fails as TimedOut when the headers come a byte at a time", () =>
    Effect.gen(function*() {
      const drip = (socket: Socket) => {
        let at = 0
        const head = `HTTP/1.1 200 OK\r\nx-slow: ${"x".repeat(5000)}\r\n\r\n`
        const timer = setInterval(() => socket.write(head.charAt(at++)), 10)
        socket.on("close", () => clearInterval(timer))
      }
      const all = yield* outcomes(drip, { timeout: "200 millis", firstTextTimeout: "200 millis" })
      assert.deepStrictEqual(reasons(all), ["TimedOut", "TimedOut"])
      assert.strictEqual(typeof all[1] === "string" ? "" : all[1].phase, "headers")
    }).pipe(Effect.scoped, Effect.provide(clients.undici)))

  describe("in streams", () => {
    const event = (text: string) => `data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`

    it.live("fails as Malformed on an event without end", () =>
      Effect.gen(function*() {
        const { model } = yield* connect((socket) => {
          socket.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ndata: ")
          RawProvider.pour(socket, Buffer.alloc(65_536, 0x61))
        })
        const result = yield* collect(model.streamText(question))
        assert.strictEqual(result.error?.reason, "Malformed")
        assert.include(result.error?.description, "too large")
      }).pipe(Effect.scoped, Effect.provide(clients.undici)))

    it.live("fails as Malformed on comments without end, when they are as many as an answer may be large", () =>
      Effect.gen(function*() {
        let socket: Socket | undefined
        const { model } = yield* connect((taken) => {
          socket = taken
          taken.write(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${event("half")}`)
          RawProvider.pour(taken, Buffer.from(": keep-alive\n\n".repeat(5000)))
        })
        const result = yield* collect(model.streamText(question))
        assert.strictEqual(result.error?.reason, "Malformed")
        assert.strictEqual(partialOf(result.error), "half")
        yield* eventually(Effect.sync(() => socket?.destroyed === true))
      }).pipe(Effect.scoped, Effect.provide(clients.undici)))

    it.live("fails as TimedOut on empty texts without end", () =>
      Effect.gen(function*() {
        const { model } = yield* connect((socket) => {
          socket.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
          const timer = setInterval(() => socket.write(event("")), 10)
          socket.on("close", () => clearInterval(timer))
        }, { firstTextTimeout: "200 millis" })
        const result = yield* collect(model.streamText(question))
        assert.strictEqual(result.error?.reason, "TimedOut")
      }).pipe(Effect.scoped, Effect.provide(clients.undici)))

    it.live("fails as Malformed on an event of 10,000 levels", () =>
      Effect.gen(function*() {
        const { model } = yield* connect(
          sent(`${chunkedHead}${chunk(event("half"))}${chunk(`data: ${deep(10_000)}\n\n`)}`)
        )
        const result = yield* collect(model.streamText(question))
        assert.strictEqual(result.error?.reason, "Malformed")
        assert.include(result.error?.description, "nests too deeply")
      }).pipe(Effect.scoped, Effect.provide(clients.undici)))

    it.live("reads an event that comes byte by byte", () =>
      Effect.gen(function*() {
        const text = `${event("é🌊")}data: ${JSON.stringify({ choices: [{ finish_reason: "stop" }] })}\n\n`
        const { model } = yield* connect((socket) => {
          socket.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
          const bytes = Buffer.from(text)
          let at = 0
          const timer = setInterval(() => {
            if (at === bytes.length) socket.end()
            else socket.write(bytes.subarray(at, ++at))
          }, 1)
          socket.on("close", () => clearInterval(timer))
        })
        const result = yield* collect(model.streamText(question))
        assert.strictEqual(result.done?.text, "é🌊")
      }).pipe(Effect.scoped, Effect.provide(clients.undici)))
  })
})
