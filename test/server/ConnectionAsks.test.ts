import { assert, describe, it } from "@effect/vitest"
import * as PendingAsks from "causeway-mcp/ask/PendingAsks"
import * as Changes from "causeway-mcp/change/Changes"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import type { Json, Options } from "./connectionPeer.js"
import { call, cancelled, collected, connect, ids, modern, subscribe, textOf, turn, until } from "./connectionPeer.js"

describe("Connection, asking its peer", () => {
  const asking = (options?: Options) =>
    Effect.gen(function*() {
      const peer = yield* connect(options)
      peer.handshake("2025-11-25", { elicitation: {} })
      const ask = peer.standing()?.ask
      if (ask === undefined) return yield* Effect.dieMessage("the peer cannot be asked")
      return { ...peer, ask: () => ask("elicitation/create", { message: "Your name?" }) }
    })

  const asked = (sent: ReadonlyArray<Json>) => sent.filter(({ method }) => method === "elicitation/create")

  it.scoped("asks under ids that cannot be guessed, and brings each answer to its question", () =>
    Effect.gen(function*() {
      const peer = yield* asking()
      const fibers = yield* Effect.all([Effect.fork(peer.ask()), Effect.fork(peer.ask())])
      yield* until(() => asked(peer.sent).length === 2)
      const [first, second] = ids(asked(peer.sent))
      for (const id of [first, second]) assert.match(String(id), /^srv-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.deepStrictEqual(asked(peer.sent)[0]?.params, { message: "Your name?" })
      peer.send({ jsonrpc: "2.0", id: second, result: { action: "decline" } })
      peer.send({ jsonrpc: "2.0", id: first, result: { action: "accept" } })
      const results = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(results, [{ action: "accept" }, { action: "decline" }])
    }))

  it.scoped("fails when the client refuses, with the client's code and none of its words", () =>
    Effect.gen(function*() {
      const peer = yield* asking()
      for (const error of [{ code: -1, message: "secret" }, null, "no", { code: "x" }]) {
        const fiber = yield* Effect.fork(Effect.flip(peer.ask()))
        yield* until(() => asked(peer.sent).length === 1)
        peer.send({ jsonrpc: "2.0", id: ids(asked(peer.sent))[0], error })
        const { code, data, message } = yield* Fiber.join(fiber)
        assert.strictEqual(code, -32600)
        assert.include(message, "The client refused")
        assert.notInclude(message, "secret")
        assert.deepStrictEqual(data, (error as Json | null)?.code === -1 ? { code: -1 } : undefined)
        peer.sent.length = 0
      }
    }))

  it.scoped("gives up when the client does not answer in time, and tells it so", () =>
    Effect.gen(function*() {
      const peer = yield* asking()
      const fiber = yield* Effect.fork(Effect.either(peer.ask()))
      yield* until(() => asked(peer.sent).length === 1)
      yield* TestClock.adjust("599 seconds")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("1 second")
      const outcome = yield* Fiber.join(fiber)
      assert.strictEqual(outcome._tag, "Left")
      const [requestId] = ids(asked(peer.sent))
      assert.deepStrictEqual(peer.notified("notifications/cancelled").map((params) => (params as Json).requestId), [
        requestId
      ])
      peer.send({ jsonrpc: "2.0", id: requestId, result: { action: "accept" } })
    }))

  it.scoped("waits as long as it is told", () =>
    Effect.gen(function*() {
      const peer = yield* asking({ services: { askTimeout: "3 seconds" } })
      const fiber = yield* Effect.fork(Effect.flip(peer.ask()))
      yield* until(() => asked(peer.sent).length === 1)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "McpError")
    }))

  it.scoped("tells the client to forget the question of a call that is cancelled", () =>
    Effect.gen(function*() {
      const peer = yield* asking()
      peer.send(call(7, "asking"))
      yield* until(() => asked(peer.sent).length === 1)
      peer.send(cancelled(7))
      yield* peer.connection.idle
      const [requestId] = ids(asked(peer.sent))
      assert.deepStrictEqual(peer.notified("notifications/cancelled").map((params) => (params as Json).requestId), [
        requestId
      ])
      peer.send({ jsonrpc: "2.0", id: requestId, result: { action: "accept" } })
      yield* turn
      assert.deepStrictEqual(peer.answers(), [])
    }))

  it.scoped("goes on with a call when its question is answered", () =>
    Effect.gen(function*() {
      const peer = yield* asking()
      peer.send(call(7, "asking"))
      yield* until(() => asked(peer.sent).length === 1)
      peer.send({
        jsonrpc: "2.0",
        id: ids(asked(peer.sent))[0],
        result: { action: "accept", content: { name: "Ada" } }
      })
      yield* until(() => peer.answers().length === 1)
      assert.deepStrictEqual(ids(peer.answers()), [7])
      assert.include(String(textOf(peer.answers()[0])), "Ada")
    }))

  it.scoped("takes no answer that is not to a question of its own", () =>
    Effect.gen(function*() {
      const pendingAsks = yield* PendingAsks.makeMemory
      const [peer, stranger] = yield* Effect.all([
        asking({ services: { pendingAsks } }),
        asking({ services: { pendingAsks } })
      ])
      const fiber = yield* Effect.fork(peer.ask())
      yield* until(() => asked(peer.sent).length === 1)
      const [id] = ids(asked(peer.sent))
      const result = { action: "decline" }
      stranger.send({ jsonrpc: "2.0", id, result })
      for (const wrong of [0, "", 1, "srv-1", `${String(id)} `, null, undefined]) {
        peer.send({ jsonrpc: "2.0", id: wrong, result })
      }
      yield* turn
      assert.isNull(fiber.unsafePoll())
      peer.send({ jsonrpc: "2.0", id, result: { action: "accept" } })
      peer.send({ jsonrpc: "2.0", id, result })
      assert.deepStrictEqual(yield* Fiber.join(fiber), { action: "accept" })
      peer.send({ jsonrpc: "2.0", id, result })
      yield* turn
      assert.deepStrictEqual(peer.answers(), [])
    }))

  it.scoped("asks also while the peer reads too slowly", () =>
    Effect.gen(function*() {
      const peer = yield* asking({ peer: { isBehind: () => true } })
      yield* Effect.fork(peer.ask())
      yield* until(() => asked(peer.sent).length === 1)
    }))
})

describe("Connection, announcing", () => {
  const toolsChanged = "notifications/tools/list_changed"
  const updated = "notifications/resources/updated"

  it.scoped("announces a change of a list, once for a turn of the event loop", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      peer.handshake()
      for (let time = 0; time < 5; time++) yield* peer.changes.publish({ _tag: "ToolsChanged" })
      yield* peer.changes.publish({ _tag: "ResourcesChanged" })
      // This server has no prompts.
      yield* peer.changes.publish({ _tag: "PromptsChanged" })
      yield* peer.changes.publish({ _tag: "TaskChanged", taskId: "t" })
      assert.deepStrictEqual(peer.sent, [])
      yield* until(() => peer.sent.length > 0)
      assert.deepStrictEqual(peer.sent.map(({ method }) => method), [
        toolsChanged,
        "notifications/resources/list_changed"
      ])
      yield* peer.changes.publish({ _tag: "ToolsChanged" })
      yield* until(() => peer.notified(toolsChanged).length === 2)
    }))

  it.scoped("announces nothing to a peer without a handshake", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      peer.send(modern(1, "instant"))
      yield* peer.changes.publish({ _tag: "ToolsChanged" })
      yield* Effect.repeatN(turn, 5)
      assert.lengthOf(peer.sent, 1)
    }))

  it.scoped("announces updates of the resources that are subscribed to, and no more once they are not", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      peer.handshake()
      peer.send(subscribe(1, "file:///a"))
      peer.send(subscribe(2, "file:///b"))
      for (const uri of ["file:///a", "file:///a", "file:///c", "file:///b"]) {
        yield* peer.changes.publish({ _tag: "ResourceUpdated", uri })
      }
      yield* until(() => peer.notified(updated).length > 0)
      assert.deepStrictEqual(peer.notified(updated), [{ uri: "file:///a" }, { uri: "file:///b" }])
      // One that is on its way is not sent either.
      yield* peer.changes.publish({ _tag: "ResourceUpdated", uri: "file:///a" })
      peer.send(subscribe(3, "file:///a", "resources/unsubscribe"))
      peer.send(subscribe(4, "file:///never", "resources/unsubscribe"))
      yield* peer.changes.publish({ _tag: "ResourceUpdated", uri: "file:///a" })
      yield* peer.changes.publish({ _tag: "ResourceUpdated", uri: "file:///b" })
      yield* until(() => peer.notified(updated).length > 2)
      assert.deepStrictEqual(peer.notified(updated).slice(2), [{ uri: "file:///b" }])
      assert.deepStrictEqual(peer.answers().map(({ result }) => result), [{}, {}, {}, {}])
    }))

  it.scoped("remembers 1,000 resources, and warns once of more", () => {
    const logs = collected()
    return Effect.gen(function*() {
      const peer = yield* connect()
      peer.handshake()
      for (let index = 0; index < 1010; index++) peer.send(subscribe(index, `file:///${index}`))
      peer.send(subscribe("again", "file:///7"))
      for (const uri of ["file:///1000", "file:///999", "file:///7"]) {
        yield* peer.changes.publish({ _tag: "ResourceUpdated", uri })
      }
      yield* until(() => peer.notified(updated).length > 0)
      assert.deepStrictEqual(peer.notified(updated), [{ uri: "file:///999" }, { uri: "file:///7" }])
      assert.lengthOf(logs.lines, 1)
      assert.match(logs.lines[0] ?? "", /^WARN .*1000 resources/)
    }).pipe(Effect.provide(logs.layer))
  })

  it.scoped("announces nothing while the peer reads too slowly", () =>
    Effect.gen(function*() {
      let isBehind = true
      const peer = yield* connect({ peer: { isBehind: () => isBehind } })
      peer.handshake()
      yield* peer.changes.publish({ _tag: "ToolsChanged" })
      yield* Effect.repeatN(turn, 5)
      isBehind = false
      yield* Effect.repeatN(turn, 5)
      assert.deepStrictEqual(peer.sent, [])
      yield* peer.changes.publish({ _tag: "ToolsChanged" })
      yield* until(() => peer.sent.length === 1)
    }))

  it.effect("announces nothing when its scope has closed, and listens no more", () =>
    Effect.gen(function*() {
      let listening = 0
      const memory = yield* Changes.makeMemory
      const changes: Changes.Changes["Type"] = {
        publish: memory.publish,
        listen: (listener) => {
          listening += 1
          const stop = memory.listen(listener)
          return () => {
            listening -= 1
            stop()
          }
        }
      }
      const scope = yield* Scope.make()
      const peer = yield* Scope.extend(connect({ services: { changes } }), scope)
      peer.handshake()
      assert.strictEqual(listening, 1)
      yield* changes.publish({ _tag: "ToolsChanged" })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(listening, 0)
      yield* Effect.repeatN(turn, 5)
      assert.deepStrictEqual(peer.sent, [])
    }))
})
