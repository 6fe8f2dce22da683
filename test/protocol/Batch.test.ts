import { assert, describe, it } from "@effect/vitest"
import * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Json } from "./Conversation.js"
import { errorOf, headers, now, peer, request, small, text, withCall } from "./Conversation.js"

const call = (id: unknown, params: Json = {}): Json => request("tools/call", { name: "t", ...params }, id)

const initialized = { jsonrpc: "2.0", method: "notifications/initialized" }

const items = (reply: Dispatcher.Reply): ReadonlyArray<Json> => {
  assert.strictEqual(reply.status, 200)
  return JSON.parse(reply.body ?? "")
}

describe("a batch of 2025-03-26", () => {
  it("is answered at once, in the order of its requests, when all answers are there", () => {
    const { line, post, postLegacy } = peer()
    const batch = [call("b"), initialized, request("ping", undefined, 1), { jsonrpc: "2.0", id: 9, result: {} }]
    for (const exchange of [post(batch), postLegacy("2025-03-26", batch), line(batch, "2025-03-26")]) {
      assert.isUndefined(exchange.id)
      assert.isFalse(exchange.cancelledByDisconnect)
      assert.strictEqual(
        now(exchange).body,
        "[{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}}," +
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]"
      )
    }
  })

  it("is accepted with 202 when there is nothing to answer", () => {
    const { line, post } = peer()
    const batches = [[initialized], [{ jsonrpc: "2.0", id: 9, result: {} }], [initialized, initialized]]
    for (const batch of batches) {
      assert.deepStrictEqual(now(post(batch)), { status: 202, body: undefined })
      assert.deepStrictEqual(now(line(batch, "2025-03-26")), { status: 202, body: undefined })
    }
  })

  it("answers each of its requests for itself, errors too", () => {
    const { post } = peer(small)
    const replies = items(now(post([request("no/such", undefined, 1), call(2), call(3, { name: 5 })])))
    assert.deepStrictEqual(
      replies.map(({ error, id }) => [id, (error as { readonly code: number } | undefined)?.code]),
      [[1, -32601], [2, undefined], [3, -32602]]
    )
  })

  it("may not hold an initialize", () => {
    const { line, post } = peer()
    const initialize = request("initialize", {
      protocolVersion: "2025-03-26",
      capabilities: {},
      clientInfo: { name: "c", version: "1" }
    })
    for (const exchange of [post([initialize]), line([initialize], "2025-03-26")]) {
      const [reply] = items(now(exchange))
      assert.deepInclude(reply?.error, { code: -32600 })
      assert.isUndefined(exchange.handshake)
    }
  })

  it("is refused on a pipe that settled nothing or a newer version", () => {
    const { line } = peer()
    for (const version of [undefined, "2025-06-18", "2025-11-25"]) {
      assert.strictEqual(errorOf(now(line([call(1)], version))).code, -32600)
    }
  })

  it("is refused over HTTP under a newer version, and asks no handler", () => {
    let asked = 0
    const { post } = peer(withCall(() => {
      asked++
      return Effect.succeed(text(""))
    }))
    for (const version of ["2025-06-18", "2025-11-25", "2026-07-28"]) {
      const reply = now(post([call(1)], headers({ "mcp-protocol-version": version })))
      assert.deepStrictEqual([reply.status, errorOf(reply).code], [400, -32600])
    }
    assert.strictEqual(asked, 0)
  })

  it("takes a hundred messages and refuses one more", () => {
    const { post } = peer()
    const many = (count: number) => Array.from({ length: count }, (_, id) => call(id))
    assert.lengthOf(items(now(post(many(100)))), 100)
    assert.strictEqual(errorOf(now(post(many(101)))).code, -32600)
  })

  it.effect("runs its requests side by side and answers in their order", () =>
    Effect.gen(function*() {
      const first = yield* Deferred.make<void>()
      // The first can end only once the second has begun.
      const { post } = peer(withCall(({ requestId }) =>
        requestId === 1
          ? Effect.as(Deferred.await(first), text("one"))
          : Effect.as(Deferred.succeed(first, undefined), text("two"))
      ))
      const replies = items(yield* post([call(1), call(2)]).reply)
      assert.deepStrictEqual(replies.map(({ id }) => id), [1, 2])
    }))

  it.effect("leaves out a request that interrupted itself, and answers the others", () =>
    Effect.gen(function*() {
      const { post } = peer(
        withCall(({ requestId }) => requestId === 1 ? Effect.interrupt : Effect.as(Effect.yieldNow(), text("two")))
      )
      const replies = items(yield* post([call(1), call(2)]).reply)
      assert.deepStrictEqual(replies.map(({ id }) => id), [2])
    }))

  it.effect("is interrupted as one", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const { post } = peer(withCall(() => Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)))
      const fiber = yield* Effect.fork(post([call(1), call(2)]).reply)
      yield* Deferred.await(begun)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    }))

  it("reports the progress of each request", () => {
    const { notified, post } = peer(withCall((context) => {
      context.progress({ progress: 1 })
      return Effect.succeed(text(""))
    }))
    now(post([call(1, { _meta: { progressToken: "a" } }), call(2), call(3, { _meta: { progressToken: 3 } })]))
    assert.deepStrictEqual(
      notified.map(({ params }) => (params as { readonly progressToken: unknown }).progressToken),
      ["a", 3]
    )
  })

  it("cancels every request it names", () => {
    const cancel = (requestId: unknown) => ({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId }
    })
    const { line, post } = peer()
    const cancelled: ReadonlyArray<Dispatcher.Tell> = [{ _tag: "Cancel", id: 0 }, { _tag: "Cancel", id: "2" }]
    assert.deepStrictEqual(line([cancel(null), cancel(0), cancel("2")], "2025-03-26").tells, cancelled)
    assert.deepStrictEqual(post([cancel(0), cancel("2")]).tells, cancelled)
    assert.deepStrictEqual(line([initialized], "2025-03-26").tells, [])
  })

  it("gives its messages one by one too, for whoever runs them apart", () => {
    const { line } = peer()
    const { parts = [] } = line([call("b"), initialized, request("ping", undefined, 1)], "2025-03-26")
    assert.deepStrictEqual(parts.map(({ id }) => id), ["b", undefined, 1])
    assert.strictEqual(Dispatcher.gather(parts.map(now)).body?.startsWith("[{"), true)
  })
})
