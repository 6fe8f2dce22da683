import { assert, describe, it } from "@effect/vitest"
import { StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { CallToolRequestSchema, ErrorCode, ListToolsRequestSchema, McpError } from "@modelcontextprotocol/sdk/types.js"
import type { Document } from "causeway-mcp/document/Document"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Remote from "../../examples/ingest/remote.js"

type Answer = (args: Record<string, unknown>, attempt: number) => Record<string, unknown> | Promise<never>

const url = "http://127.0.0.1:3333/mcp"

const failure = (body: Record<string, unknown>) => ({
  isError: true,
  content: [{ type: "text", text: "It did not work." }, { type: "text", text: JSON.stringify(body) }]
})

const receipt = (data: Record<string, unknown>) => ({
  content: [{ type: "text", text: "done" }],
  structuredContent: { data, confidence: 1, calibration: "uncalibrated", sources: [] }
})

/** An official server with one tool, in memory, and what it was called with. */
const serve = (name: string, properties: Record<string, object>, answer: Answer) =>
  Effect.gen(function*() {
    const calls: Array<Record<string, unknown>> = []
    const attempts = new Map<unknown, number>()
    const [near, far] = InMemoryTransport.createLinkedPair()
    const server = new Server({ name: "test", version: "1.0.0" }, { capabilities: { tools: {} } })
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [{ name, inputSchema: { type: "object", properties } }]
    }))
    server.setRequestHandler(CallToolRequestSchema, (request) => {
      const args = request.params.arguments ?? {}
      calls.push(args)
      const attempt = (attempts.get(args["id"]) ?? 0) + 1
      attempts.set(args["id"], attempt)
      return answer(args, attempt)
    })
    yield* Effect.promise(() => server.connect(far))
    yield* Effect.addFinalizer(() => Effect.promise(() => server.close()))
    return { calls, near, server }
  })

/** Lets the fake clock run until the fiber has ended, whatever it waits for. */
const finish = <A, E>(fiber: Fiber.RuntimeFiber<A, E>) =>
  Effect.zipRight(
    Effect.repeat(Effect.zipRight(TestClock.adjust("1 second"), Fiber.poll(fiber)), { until: Option.isSome }),
    Fiber.join(fiber)
  )

const document: Document = {
  id: "a",
  text: "words",
  title: "T",
  uri: "https://corpus.example/a",
  publishedAt: "2026-01-02T00:00:00.000Z",
  metadata: { company: "C" }
}

describe("remote", () => {
  it.scoped("sends a document's fields, and its address where the tool takes one", () =>
    Effect.gen(function*() {
      const answer: Answer = () => receipt({ id: "a", outcome: "indexed", passages: 3 })
      const { uri, ...rest } = document
      const plain = yield* serve("index_document", { id: {} }, answer)
      const outcomes = yield* (yield* Remote.over(plain.near, url))([document])
      const full = yield* serve("index_document", { id: {}, uri: {} }, answer)
      yield* (yield* Remote.over(full.near, url))([document, { id: "b", text: "bare" }])
      assert.deepStrictEqual(outcomes, [{ id: "a", status: "indexed", passages: 3 }])
      assert.deepStrictEqual(plain.calls, [rest])
      assert.deepStrictEqual(full.calls, [{ ...rest, uri }, { id: "b", text: "bare" }])
    }))

  it.scoped("keeps the order of the documents and counts unchanged and refused ones", () =>
    Effect.gen(function*() {
      const { near } = yield* serve("index_document", {}, ({ id }) => {
        if (id === "fails") {
          return failure({ code: "invalid_input", message: "The text is too long.", retryable: false })
        }
        if (id === "wrong") throw new McpError(ErrorCode.InvalidParams, "id is missing")
        return receipt({ id, outcome: id === "old" ? "unchanged" : "indexed", passages: 1 })
      })
      const write = yield* Remote.over(near, url)
      const outcomes = yield* write(["new", "fails", "old", "wrong"].map((id) => ({ id, text: "t" })))
      assert.deepStrictEqual(outcomes, [
        { id: "new", status: "indexed", passages: 1 },
        { id: "fails", status: "refused", reason: "The text is too long." },
        { id: "old", status: "unchanged", passages: 1 },
        { id: "wrong", status: "refused", reason: "id is missing" }
      ])
    }))

  it.scoped("tries a passing failure again, not before the server wishes, six times in all", () =>
    Effect.gen(function*() {
      const busy = { code: "rate_limited", message: "Too many calls.", retryable: true, retryAfterMs: 5_000 }
      const { calls, near } = yield* serve(
        "index_document",
        {},
        ({ id }, attempt) =>
          id === "never" || attempt < 3 ? failure(busy) : receipt({ id, outcome: "indexed", passages: 1 })
      )
      const write = yield* Remote.over(near, url)
      const running = yield* Effect.fork(write([{ id: "soon", text: "t" }, { id: "never", text: "t" }]))
      yield* TestClock.adjust("4900 millis")
      assert.isAtMost(calls.length, 2)
      assert.deepStrictEqual(yield* finish(running), [
        { id: "soon", status: "indexed", passages: 1 },
        { id: "never", status: "refused", reason: "Too many calls." }
      ])
      assert.strictEqual(calls.length, 3 + 6)
    }))

  it.scoped("refuses a document that is too long for the server, and sends the others", () =>
    Effect.gen(function*() {
      const { near } = yield* serve("index_document", {}, ({ id }) => receipt({ id, outcome: "indexed", passages: 1 }))
      const send = near.send.bind(near)
      near.send = (message, options) =>
        JSON.stringify(message).includes("too long")
          ? Promise.reject(new StreamableHTTPError(413, "The body is over 1048576 bytes"))
          : send(message, options)
      const write = yield* Remote.over(near, url)
      assert.deepStrictEqual(yield* write([{ id: "a", text: "too long" }, { id: "b", text: "t" }]), [
        {
          id: "a",
          status: "refused",
          reason: "it is longer than the server takes in one request; see MAX_BODY_BYTES"
        },
        { id: "b", status: "indexed", passages: 1 }
      ])
    }))

  it.scoped("fails the batch when the server answers with another status", () =>
    Effect.gen(function*() {
      const { near } = yield* serve("index_document", {}, ({ id }) => receipt({ id, outcome: "indexed", passages: 1 }))
      const write = yield* Remote.over(near, url)
      near.send = () => Promise.reject(new StreamableHTTPError(502, "Bad Gateway"))
      const error = yield* Effect.flip(write([document]))
      assert.strictEqual(error.message, `${url}: the server stopped answering`)
    }))

  it.scoped("fails the batch when the connection is lost", () =>
    Effect.gen(function*() {
      let close: () => Promise<void> = () => Promise.resolve()
      const served = yield* serve("index_document", {}, () => close().then(() => new Promise<never>(() => {})))
      close = () => served.server.close()
      const write = yield* Remote.over(served.near, url)
      const error = yield* Effect.flip(write([document]))
      assert.strictEqual(error.message, `${url}: the server stopped answering`)
    }))

  it.scoped("says what is missing when the server has no such tool", () =>
    Effect.gen(function*() {
      const { near } = yield* serve("search", {}, () => receipt({}))
      const error = yield* Effect.flip(Remote.over(near, url))
      assert.include(error.message, "documents:write")
    }))

  it.scoped("says that an address is none", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Remote.connect("not a url"))
      assert.strictEqual(error.message, "not a url: this is not a URL")
    }))
})
