/** `subscriptions/listen` and what older clients are told unasked: section 6.6. */
import { assert, describe, it } from "@effect/vitest"
import type * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import type { Handlers, Listener } from "causeway-mcp/protocol/Handlers"
import { McpError } from "causeway-mcp/protocol/McpError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Json } from "./Conversation.js"
import { clientCapabilities, errorOf, modern, parsed, peer, request, server, serverInfo } from "./Conversation.js"

const subscriptionId = "io.modelcontextprotocol/subscriptionId"
const cache = { ttlMs: 0, scope: "private" } as const

/** A server that announces everything, and the way in and out of its subscriptions. */
const announcing = () => {
  const open: Array<{ readonly listener: Listener; readonly wanted: unknown }> = []
  let stopped = 0
  const handlers: Handlers<string> = {
    server,
    cache,
    tools: { listChanged: true, list: () => Effect.never, call: () => Effect.never },
    prompts: { listChanged: false, list: () => Effect.never, get: () => Effect.never },
    resources: {
      listChanged: true,
      subscribe: true,
      list: () => Effect.never,
      templates: () => Effect.never,
      read: () => Effect.never
    },
    tasks: { get: () => Effect.never, update: () => Effect.never, cancel: () => Effect.never },
    listen: (_, wanted, listener) => {
      open.push({ listener, wanted })
      listener.acknowledge(wanted)
      return Exit.succeed(() => {
        stopped += 1
      })
    }
  }
  return { handlers, open, stopped: () => stopped }
}

const listen = (notifications: unknown, id: unknown = "s1", capabilities: Json = {}): Json =>
  modern("subscriptions/listen", { notifications, _meta: { [clientCapabilities]: capabilities } }, id)

const everything = {
  toolsListChanged: true,
  promptsListChanged: true,
  resourcesListChanged: true,
  resourceSubscriptions: ["x://a"]
}

const knowsTasks = { extensions: { "io.modelcontextprotocol/tasks": {} } }

describe("subscriptions/listen", () => {
  it.effect("is acknowledged first, with what the server declared of what was wanted", () =>
    Effect.gen(function*() {
      const { handlers } = announcing()
      const { line, notified } = peer(handlers)
      const fiber = yield* Effect.fork(line(listen(everything, 7)).reply)
      yield* Effect.yieldNow()
      assert.deepStrictEqual(notified, [{
        jsonrpc: "2.0",
        method: "notifications/subscriptions/acknowledged",
        params: {
          notifications: { toolsListChanged: true, resourcesListChanged: true, resourceSubscriptions: ["x://a"] },
          _meta: { [subscriptionId]: 7 }
        }
      }])
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("says what changed under its own id, of the type it came in", () =>
    Effect.gen(function*() {
      const { handlers, open } = announcing()
      const { line, notified } = peer(handlers)
      const fiber = yield* Effect.fork(line(listen(everything, "7")).reply)
      yield* Effect.yieldNow()
      open[0]?.listener.announce({ _tag: "ToolsChanged" })
      open[0]?.listener.announce({ _tag: "ResourceUpdated", uri: "x://a" })
      assert.deepStrictEqual(notified.slice(1).map(({ method, params }) => [method, params]), [
        ["notifications/tools/list_changed", { _meta: { [subscriptionId]: "7" } }],
        ["notifications/resources/updated", { uri: "x://a", _meta: { [subscriptionId]: "7" } }]
      ])
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("ends with a result that carries the id when the server ends it, and says nothing after", () =>
    Effect.gen(function*() {
      const { handlers, open, stopped } = announcing()
      const { line, notified } = peer(handlers)
      const { end, reply } = line(listen({}))
      const fiber = yield* Effect.fork(reply)
      yield* Effect.yieldNow()
      end?.()
      assert.deepStrictEqual(parsed(yield* Fiber.join(fiber)).body?.result, {
        resultType: "complete",
        _meta: { [subscriptionId]: "s1", [serverInfo]: server }
      })
      open[0]?.listener.announce({ _tag: "ToolsChanged" })
      assert.lengthOf(notified, 1)
      assert.strictEqual(stopped(), 1)
    }))

  it.effect("may be ended before it has begun to wait", () =>
    Effect.gen(function*() {
      const { handlers, stopped } = announcing()
      const { end, reply } = peer(handlers).line(listen({}))
      end?.()
      assert.isDefined(parsed(yield* reply).body?.result)
      assert.strictEqual(stopped(), 1)
    }))

  it.effect("is let go when the client closes it", () =>
    Effect.gen(function*() {
      const { handlers, stopped } = announcing()
      const { reply } = peer(handlers).line(listen({}))
      const fiber = yield* Effect.fork(reply)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(stopped(), 1)
    }))

  it.effect("ends when the client reads too slowly to hear of a change", () =>
    Effect.gen(function*() {
      const { handlers, open } = announcing()
      const { dispatcher } = peer(handlers)
      const arrival: Dispatcher.Arrival<string> = { caller: "a", canStream: true, notify: () => false }
      const fiber = yield* Effect.fork(dispatcher.line(listen(everything), undefined, arrival).reply)
      yield* Effect.yieldNow()
      open[0]?.listener.announce({ _tag: "ToolsChanged" })
      assert.isDefined(parsed(yield* Fiber.join(fiber)).body?.result)
    }))

  it.effect("ends at once when it could not be acknowledged, for nothing may come before that", () =>
    Effect.gen(function*() {
      const { handlers, open, stopped } = announcing()
      const { dispatcher } = peer(handlers)
      const said: Array<string> = []
      let isBehind = true
      const notify = (json: string) => {
        if (!isBehind) said.push(json)
        return !isBehind
      }
      const arrival: Dispatcher.Arrival<string> = { caller: "a", canStream: true, notify }
      const fiber = yield* Effect.fork(dispatcher.line(listen(everything), undefined, arrival).reply)
      yield* Effect.yieldNow()
      isBehind = false
      open[0]?.listener.announce({ _tag: "ToolsChanged" })
      yield* Effect.yieldNow()
      assert.deepStrictEqual(said, [])
      assert.isDefined(parsed(yield* Fiber.join(fiber)).body?.result)
      assert.strictEqual(stopped(), 1)
    }))

  it.effect("is refused before it is acknowledged when there is no room", () =>
    Effect.gen(function*() {
      const full = new McpError({ code: -32603, message: "full" })
      const { line, notified } = peer({ ...announcing().handlers, listen: () => Exit.fail(full) })
      assert.strictEqual(errorOf(yield* line(listen({})).reply).code, -32603)
      assert.deepStrictEqual(notified, [])
    }))

  const malformed: ReadonlyArray<readonly [string, unknown]> = [
    ["no filter", undefined],
    ["a filter that is a list", []],
    ["a flag that is a word", { toolsListChanged: "yes" }],
    ["URIs that are one", { resourceSubscriptions: "x://a" }],
    ["URIs that are numbers", { resourceSubscriptions: [1] }],
    ["too many URIs", { resourceSubscriptions: Array.from({ length: 1001 }, (_, at) => `x://${at}`) }]
  ]
  for (const [what, notifications] of malformed) {
    it.effect(`is refused with invalid params for ${what}`, () =>
      Effect.gen(function*() {
        const { line, notified } = peer(announcing().handlers)
        assert.strictEqual(errorOf(yield* line(listen(notifications)).reply).code, -32602)
        assert.deepStrictEqual(notified, [])
      }))
  }

  it.effect("hears of tasks only from clients that know them", () =>
    Effect.gen(function*() {
      const { handlers, open } = announcing()
      const { line, notified } = peer(handlers)
      const refused = yield* line(listen({ taskIds: ["t"] })).reply
      assert.deepStrictEqual([refused.status, errorOf(refused).code], [400, -32021])
      assert.deepStrictEqual(errorOf(refused).data, { requiredCapabilities: knowsTasks })
      const fiber = yield* Effect.fork(line(listen({ taskIds: ["t"] }, 1, knowsTasks)).reply)
      yield* Effect.yieldNow()
      open[0]?.listener.announce({
        _tag: "TaskState",
        task: { taskId: "t", status: "working", createdAt: "a", lastUpdatedAt: "b", ttlMs: null }
      })
      assert.deepStrictEqual(notified[1], {
        jsonrpc: "2.0",
        method: "notifications/tasks",
        params: {
          taskId: "t",
          status: "working",
          createdAt: "a",
          lastUpdatedAt: "b",
          ttlMs: null,
          _meta: { [subscriptionId]: 1 }
        }
      })
      yield* Fiber.interrupt(fiber)
    }))

  it("needs a client that takes a stream", () => {
    const { dispatcher } = peer(announcing().handlers)
    const arrival: Dispatcher.Arrival<string> = { caller: "a", canStream: false, notify: () => true }
    const reply = Effect.runSync(dispatcher.line(listen({}), undefined, arrival).reply)
    assert.strictEqual(errorOf(reply).code, -32600)
    assert.include(errorOf(reply).message, "text/event-stream")
  })

  it("is not found where nothing is announced, nor under a handshake", () => {
    const quiet = peer({ server, cache })
    assert.strictEqual(errorOf(Effect.runSync(quiet.line(listen({})).reply)).code, -32601)
    const { line } = peer(announcing().handlers)
    const older = line(request("subscriptions/listen", { notifications: {} }), "2025-11-25")
    assert.strictEqual(errorOf(Effect.runSync(older.reply)).code, -32601)
  })
})

describe("what older clients are told unasked", () => {
  it("is a notification of the handshake revisions, where it was declared", () => {
    const { dispatcher } = peer(announcing().handlers)
    const said = (version: string) => dispatcher.announcement({ _tag: "ToolsChanged" }, version)
    for (const version of ["2025-11-25", "2025-06-18", "2025-03-26"]) {
      assert.deepStrictEqual(JSON.parse(said(version) ?? ""), {
        jsonrpc: "2.0",
        method: "notifications/tools/list_changed",
        params: {}
      })
    }
    assert.isUndefined(said("2026-07-28"))
    assert.isUndefined(dispatcher.announcement({ _tag: "PromptsChanged" }, "2025-11-25"))
    assert.include(dispatcher.announcement({ _tag: "ResourceUpdated", uri: "x://a" }, "2025-11-25"), "x://a")
  })

  it("follows orders that only those revisions know", () => {
    const { line } = peer({ ...announcing().handlers, logging: true })
    const told = (method: string, params: Json, version = "2025-11-25") => line(request(method, params), version)
    assert.deepStrictEqual(told("resources/subscribe", { uri: "x://a" }).tells, [{ _tag: "Subscribe", uri: "x://a" }])
    assert.deepStrictEqual(told("resources/unsubscribe", { uri: "x" }).tells, [{ _tag: "Unsubscribe", uri: "x" }])
    assert.deepStrictEqual(told("logging/setLevel", { level: "error" }).tells, [{ _tag: "LogLevel", level: "error" }])
    for (const method of ["resources/subscribe", "logging/setLevel"]) {
      const params = { uri: "x", level: "error" }
      assert.strictEqual(Effect.runSync(told(method, params).reply).body, `{"jsonrpc":"2.0","id":1,"result":{}}`)
      assert.strictEqual(errorOf(Effect.runSync(told(method, {}).reply)).code, -32602)
      const newer = Effect.runSync(line(modern(method, params)).reply)
      assert.deepStrictEqual([newer.status, errorOf(newer).code], [404, -32601])
    }
    const bare = peer({ server, cache }).line(request("logging/setLevel", { level: "error" }), "2025-11-25")
    assert.strictEqual(errorOf(Effect.runSync(bare.reply)).code, -32601)
  })
})
