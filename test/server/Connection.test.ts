import { assert, describe, it } from "@effect/vitest"
import * as JsonBounds from "causeway-mcp/protocol/JsonBounds"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Json, Options } from "./connectionPeer.js"
import {
  call,
  cancelled,
  codeOf,
  collected,
  connect,
  ids,
  listen,
  messageOf,
  modern,
  ping,
  quiet,
  textOf,
  until
} from "./connectionPeer.js"

describe("Connection, answering", () => {
  it.scoped("keeps apart ids that look alike: 0, \"\", \"0\", 1 and \"1\"", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      const all = [0, "", "0", 1, "1"]
      for (const id of all) peer.send(modern(id, "gated"))
      assert.strictEqual(peer.running("gated"), 5)
      peer.send(cancelled(1))
      peer.send(cancelled(""))
      yield* until(() => peer.running("gated") === 3)
      yield* peer.open
      yield* until(() => peer.sent.length === 3)
      assert.deepStrictEqual(ids(peer.sent), [0, "0", "1"])
    }))

  it.scoped("refuses an id that is being answered, without running the request", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* connect()
      for (const id of [0, "", 1]) {
        peer.send(modern(id, "gated"))
        peer.send(modern(id, "instant"))
      }
      assert.deepStrictEqual(ids(peer.sent), [0, "", 1])
      assert.deepStrictEqual(peer.sent.map(codeOf), [-32600, -32600, -32600])
      assert.lengthOf(peer.calls, 3)
      yield* peer.open
      yield* until(() => peer.sent.length === 6)
      assert.deepStrictEqual(peer.sent.slice(3).map(textOf), ["through", "through", "through"])
    })))

  it.scoped("takes an id again when it has been answered", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      yield* peer.open
      for (let time = 1; time <= 3; time++) {
        peer.send(modern(1, "gated"))
        yield* until(() => peer.sent.length === time)
      }
      assert.deepStrictEqual(peer.sent.map(textOf), ["through", "through", "through"])
    }))

  it.scoped("settles no handshake under an id that is being answered", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* connect()
      peer.send(modern("handshake", "gated"))
      peer.handshake()
      assert.isUndefined(peer.standing())
    })))

  it.scoped("refuses text that is not JSON, and text out of bounds, and says why without an id", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* connect({ services: { bounds: { ...JsonBounds.defaults, maxDepth: 8, maxNodes: 50 } } })
      peer.connection.receiveText("{")
      peer.send({ jsonrpc: "2.0", id: 1, method: "ping", params: { a: [[[[[[[[]]]]]]]] } })
      peer.send({ jsonrpc: "2.0", id: 2, method: "ping", params: { a: Array.from({ length: 60 }, () => 1) } })
      peer.send(ping(3))
      assert.deepStrictEqual(peer.sent.map(codeOf), [-32700, -32600, -32600, undefined])
      assert.include(messageOf(peer.sent[1]), "nests too deeply")
      assert.include(messageOf(peer.sent[2]), "too many values")
      assert.isTrue(peer.sent.slice(0, 3).every((message) => !("id" in message)))
    })))

  it.scoped("says whether a notification was taken: not behind, not after the reply, not when cancelled", () =>
    Effect.gen(function*() {
      let isBehind = false
      const peer = yield* connect({ peer: { isBehind: () => isBehind } })
      peer.send(modern(1, "gated"))
      peer.send(modern(2, "never"))
      const [first, second] = peer.arrivals
      const note = JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: {} })
      assert.isTrue(first?.canStream)
      assert.isTrue(first?.notify(note))
      isBehind = true
      assert.isFalse(first?.notify(note))
      isBehind = false
      peer.send(cancelled(2))
      assert.isFalse(second?.notify(note))
      yield* peer.open
      yield* until(() => peer.answers().length === 1)
      assert.isFalse(first?.notify(note))
      assert.lengthOf(peer.notified("notifications/message"), 1)
    }))

  it.scoped("tells the dispatcher what the peer settled, and the log level it asked for since", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      assert.isUndefined(peer.standing())
      peer.handshake("2025-06-18", { elicitation: {} })
      const standing = peer.standing()
      assert.strictEqual(standing?.version, "2025-06-18")
      assert.deepStrictEqual(standing?.clientCapabilities, { elicitation: {} })
      assert.isUndefined(standing?.logLevel)
      peer.send(call(1, "instant"))
      assert.lengthOf(peer.notified("notifications/message"), 1)
      peer.send({ jsonrpc: "2.0", id: 2, method: "logging/setLevel", params: { level: "error" } })
      assert.strictEqual(peer.standing()?.logLevel, "error")
      peer.send(call(3, "instant"))
      assert.lengthOf(peer.notified("notifications/message"), 1)
      assert.deepStrictEqual(ids(peer.answers()), [1, 2, 3])
    }))
})

describe("Connection, cancelling", () => {
  it.scoped("stops a request, and says nothing more of it", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      peer.send(modern(1, "never"))
      assert.strictEqual(peer.running("never"), 1)
      peer.send(cancelled(1))
      yield* until(() => peer.running("never") === 0)
      yield* peer.connection.idle
      assert.deepStrictEqual(peer.sent, [])
    }))

  it.scoped("says nothing of a request that cannot be stopped, and frees its id when it has ended", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* connect()
      peer.send(modern(1, "stubborn"))
      peer.send(cancelled(1))
      peer.send(cancelled(1))
      peer.send(modern(1, "instant"))
      assert.deepStrictEqual(peer.sent.map(codeOf), [-32600])
      yield* peer.open
      yield* peer.connection.idle
      peer.send(modern(1, "instant"))
      assert.deepStrictEqual(peer.sent.map(textOf), [undefined, "at once"])
    })))

  it.scoped("ignores ids that are not there: unknown, of the other type, answered, or malformed", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      peer.send(modern(1, "gated"))
      peer.send(modern(2, "instant"))
      for (const id of ["1", 0, "", 2, 3, null, undefined, {}, 1.5]) peer.send(cancelled(id))
      yield* peer.open
      peer.send(cancelled("gated"))
      yield* until(() => peer.sent.length === 2)
      peer.send(cancelled(1))
      assert.deepStrictEqual(peer.sent.map(textOf), ["at once", "through"])
    }))

  it.scoped("answers or not, and never twice, whenever the cancellation meets the answer", () =>
    Effect.gen(function*() {
      for (let turns = 0; turns < 20; turns++) {
        const peer = yield* connect()
        peer.send(modern(1, "gated"))
        yield* peer.open
        for (let index = 0; index < turns; index++) yield* Effect.yieldNow()
        const before = peer.sent.length
        peer.send(cancelled(1))
        yield* peer.connection.idle
        assert.strictEqual(peer.sent.length, before)
        assert.isAtMost(before, 1)
      }
    }))
})

describe("Connection, in batches", () => {
  const batched = (options?: Options) => Effect.tap(connect(options), (peer) => peer.handshake("2025-03-26"))

  const bodies = (sent: ReadonlyArray<unknown>) =>
    sent.filter((message) => Array.isArray(message)) as Array<Array<Json>>

  it.scoped("answers in one array, in the order of the requests", () =>
    Effect.gen(function*() {
      const peer = yield* batched()
      peer.send([call(1, "gated"), call("1", "instant"), { jsonrpc: "2.0", method: "notifications/x" }, ping(0)])
      assert.lengthOf(bodies(peer.sent), 0)
      yield* peer.open
      yield* until(() => bodies(peer.sent).length === 1)
      assert.deepStrictEqual(bodies(peer.sent).map(ids), [[1, "1", 0]])
    }))

  it.scoped("leaves out what was cancelled: from within the batch and from without", () =>
    Effect.gen(function*() {
      const peer = yield* batched()
      peer.send([call(1, "never"), call(2, "stubborn"), cancelled(1), call(3, "instant"), call(4, "never")])
      assert.lengthOf(bodies(peer.sent), 0)
      peer.send(cancelled(4))
      // One that cannot be stopped holds up nobody.
      peer.send([cancelled(2)])
      yield* until(() => bodies(peer.sent).length === 1)
      assert.deepStrictEqual(bodies(peer.sent).map(ids), [[3]])
      yield* until(() => peer.running("never") === 0)
      yield* peer.open
      yield* peer.connection.idle
      assert.lengthOf(peer.answers(), 1)
    }))

  it.scoped("does not cancel what comes later in the same batch", () =>
    Effect.gen(function*() {
      const peer = yield* batched()
      peer.send([cancelled(1), call(1, "gated")])
      yield* peer.open
      yield* until(() => bodies(peer.sent).length === 1)
      assert.deepStrictEqual(bodies(peer.sent).map(ids), [[1]])
    }))

  it.scoped("says nothing of a batch that was cancelled whole, or that asked for nothing", () =>
    Effect.gen(function*() {
      const peer = yield* batched()
      peer.send([call(1, "never"), call(2, "never")])
      peer.send([cancelled(2), cancelled(1)])
      yield* peer.connection.idle
      assert.deepStrictEqual(peer.answers(), [])
    }))

  it.scoped("refuses ids that are being answered, whether they came in this batch or before", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* batched()
      peer.send(call(1, "gated"))
      peer.send([call(1, "instant"), call(2, "gated"), call(2, "gated"), call("2", "instant")])
      yield* peer.open
      yield* until(() => peer.answers().length === 2)
      assert.deepStrictEqual(bodies(peer.sent).map(ids), [[1, 2, 2, "2"]])
      assert.deepStrictEqual(bodies(peer.sent)[0]?.map(codeOf), [-32600, undefined, -32600, undefined])
      assert.strictEqual(peer.calls.filter((made) => made.startsWith("gated")).length, 3)
    })))
})

describe("Connection, with many requests", () => {
  it.scoped("refuses one more than it may have in flight, and goes on when there is room", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* connect({ peer: { maxInFlight: 2 } })
      peer.send(modern(1, "never"))
      peer.send(modern(2, "gated"))
      peer.send(modern(3, "gated"))
      assert.deepStrictEqual(ids(peer.sent), [3])
      assert.deepStrictEqual(peer.sent.map(codeOf), [-32603])
      assert.strictEqual(messageOf(peer.sent[0]), "Too many requests in flight on this connection")
      assert.strictEqual(peer.running("gated"), 1)
      peer.send(modern(4, "instant"))
      assert.strictEqual(textOf(peer.sent[1]), "at once")
      peer.send(cancelled(1))
      yield* until(() => peer.running("never") === 0)
      peer.send(modern(3, "gated"))
      yield* peer.open
      yield* until(() => peer.sent.length === 4)
      assert.deepStrictEqual(ids(peer.sent), [3, 4, 2, 3])
    })))

  it.scoped("counts each request of a batch", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* connect({ peer: { maxInFlight: 2 } })
      peer.handshake("2025-03-26")
      peer.send([call(1, "gated"), call(2, "gated"), call(3, "gated"), ping(4)])
      yield* peer.open
      yield* until(() => peer.answers().length === 1)
      const [replies] = peer.answers() as unknown as [ReadonlyArray<Json>]
      assert.deepStrictEqual(replies.map(codeOf), [undefined, undefined, -32603, undefined])
    })))

  it.scoped("does not count subscriptions, but keeps their ids", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* connect({ peer: { maxInFlight: 1 } })
      for (const id of ["a", "b", "c"]) peer.send(listen(id))
      peer.send(modern("a", "instant"))
      peer.send(modern(1, "gated"))
      peer.send(modern(2, "gated"))
      peer.send(listen("d"))
      assert.deepStrictEqual(peer.answers().map(({ error, id }) => [id, (error as Json).code]), [
        ["a", -32600],
        [2, -32603]
      ])
      assert.strictEqual(peer.subscriptions.size, 4)
      assert.lengthOf(peer.notified("notifications/subscriptions/acknowledged"), 4)
    })))

  it.scoped("allows 1,024 unless told otherwise", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* connect()
      for (let id = 0; id < 1025; id++) peer.send(modern(id, "never"))
      assert.deepStrictEqual(ids(peer.sent), [1024])
    })))
})

describe("Connection, with a call that ends itself", () => {
  it.scoped("answers with an error, so that nobody waits for an answer that will not come", () =>
    quiet(Effect.gen(function*() {
      const peer = yield* connect()
      peer.send(modern(1, "selfish"))
      yield* until(() => peer.answers().length === 1)
      assert.deepStrictEqual([ids(peer.answers()), codeOf(peer.answers()[0])], [[1], -32603])
    })))
})

describe("Connection, ending", () => {
  it.effect("ends subscriptions with their results, interrupts the rest, and then says nothing", () =>
    quiet(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const peer = yield* Scope.extend(connect(), scope)
      peer.send(listen("a"))
      peer.send(modern(1, "never"))
      peer.send(listen(0))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(ids(peer.answers()), ["a", 0])
      assert.isTrue(peer.answers().every(({ result }) => (result as Json).resultType === "complete"))
      assert.strictEqual(peer.running("never"), 0)
      assert.strictEqual(peer.subscriptions.size, 0)
      const before = peer.sent.length
      peer.send(modern(2, "instant"))
      peer.connection.receiveText("{")
      assert.isFalse(peer.arrivals[0]?.notify("{}"))
      assert.lengthOf(peer.sent, before)
      assert.deepStrictEqual(peer.calls, ["never 1"])
    })))

  it.effect("does not wait long for a call that cannot be interrupted", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const peer = yield* Scope.extend(connect({ peer: { patience: 20 } }), scope)
      peer.send(modern(1, "stubborn"))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(peer.running("stubborn"), 1)
      yield* peer.open
      yield* until(() => peer.running("stubborn") === 0)
      assert.deepStrictEqual(peer.sent, [])
    }))

  it.scoped("ends the subscriptions alone when its transport stops reading, and is idle when all is answered", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      peer.send(listen("a"))
      peer.send(modern(1, "gated"))
      const idle = yield* Effect.fork(peer.connection.idle)
      yield* peer.connection.end
      yield* until(() => peer.answers().length === 1)
      assert.deepStrictEqual(ids(peer.answers()), ["a"])
      assert.isNull(idle.unsafePoll())
      assert.strictEqual(peer.running("gated"), 1)
      yield* peer.open
      yield* Fiber.join(idle)
      assert.deepStrictEqual(ids(peer.answers()), ["a", 1])
    }))

  it.scoped("ends a subscription without a word when the client cancels it", () =>
    Effect.gen(function*() {
      const peer = yield* connect()
      peer.send(listen("a"))
      assert.strictEqual(peer.subscriptions.size, 1)
      peer.send(cancelled("a"))
      yield* peer.connection.idle
      assert.strictEqual(peer.subscriptions.size, 0)
      assert.deepStrictEqual(peer.answers(), [])
    }))

  it.effect("tells no client to forget a question when the connection has closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const peer = yield* Scope.extend(connect(), scope)
      peer.handshake("2025-11-25", { elicitation: {} })
      peer.send(call(7, "asking"))
      yield* until(() => peer.sent.some(({ method }) => method === "elicitation/create"))
      const before = peer.sent.length
      yield* Scope.close(scope, Exit.void)
      assert.lengthOf(peer.sent, before)
    }))
})

describe("Connection, logging what it refuses", () => {
  it.scoped("says why, and nothing of what was sent", () => {
    const logs = collected()
    return Effect.gen(function*() {
      const peer = yield* connect()
      peer.connection.receiveText("{\"secret\": ")
      peer.send({ jsonrpc: "1.0", id: 1, method: "secret" })
      peer.send([{ secret: 1 }])
      peer.send(modern(1, "gated"))
      peer.send(modern(1, "secret"))
      peer.send(modern(2, "instant"))
      assert.lengthOf(logs.lines, 4)
      assert.isTrue(logs.lines.every((line) => line.startsWith("WARN A message was refused: ")), logs.lines.join("\n"))
      assert.isFalse(logs.lines.some((line) => line.includes("secret")))
    }).pipe(Effect.provide(logs.layer))
  })

  it.scopedLive("says it ten times a second at most, and then how many were left out", () => {
    const logs = collected()
    return Effect.gen(function*() {
      const peer = yield* connect()
      for (let time = 0; time < 25; time++) peer.connection.receiveText("{")
      assert.lengthOf(logs.lines, 10)
      assert.lengthOf(peer.sent, 25)
      // By the machine's own second.
      yield* Effect.sleep("10 millis").pipe(Effect.repeat({ until: () => logs.lines.length > 10, times: 200 }))
      assert.deepStrictEqual(logs.lines.slice(10), ["WARN 15 more messages of this connection were refused"])
      for (let time = 0; time < 10; time++) peer.connection.receiveText("{")
      assert.lengthOf(logs.lines, 21)
    }).pipe(Effect.provide(logs.layer))
  })

  it.effect("says how many were left out when it closes", () => {
    const logs = collected()
    return Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        const peer = yield* connect()
        for (let time = 0; time < 12; time++) peer.connection.receiveText("{")
      }))
      assert.deepStrictEqual(logs.lines.slice(10), ["WARN 2 more messages of this connection were refused"])
    }).pipe(Effect.provide(logs.layer))
  })
})
