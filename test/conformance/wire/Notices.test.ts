import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import type { Json } from "./Words.js"
import { at, call, cancelled, claim, handshakes, initialize, isError, Key, oldCall, textOf, until } from "./Words.js"

const levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
const said = ["debug", "info", "warning", "error"]

let names = 0
const fresh = (): string => `g${++names}`

const wanting = (more: Json) => ({ _meta: more })

/** What a call says before its answer, over HTTP and on a pipe. */
const heard = (message: Json) =>
  Effect.scoped(Effect.gen(function*() {
    const { http, pipe } = yield* Wire
    const reply = yield* http.post(message)
    const peer = yield* pipe()
    yield* peer.ask(message)
    assert.deepStrictEqual(peer.received.at(-1), reply.json)
    const events = reply.events.slice(0, -1)
    assert.deepStrictEqual(peer.received.slice(0, -1), events)
    return events
  }))

const params = (messages: ReadonlyArray<unknown>, method: string, field: string) =>
  messages.filter((message) => at(message, "method") === method).map((message) => at(message, "params", field))

layer(wire(), { excludeTestServices: true })("§6.7, what a call says before its answer", (it) => {
  for (const token of ["p", "", "1", 1, 0, -5]) {
    it.effect(`§6.7: progress bears the token ${JSON.stringify(token)} as it came, and grows`, () =>
      Effect.gen(function*() {
        const events = yield* heard(call("count", { n: 4 }, wanting({ progressToken: token })))
        assert.deepStrictEqual(params(events, "notifications/progress", "progress"), [1, 2, 3, 4])
        for (const event of events) assert.strictEqual(at(event, "params", "progressToken"), token)
      }))
  }

  it.effect("§6.7: nothing is said to a client that did not ask for it", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* heard(call("count", { n: 4 })), [])
      assert.deepStrictEqual(yield* heard(call("talk")), [])
    }))

  for (const [rank, level] of levels.entries()) {
    it.effect(`§6.7: a client that wants ${level} hears that and what is more severe, in order`, () =>
      Effect.gen(function*() {
        const events = yield* heard(call("talk", {}, wanting({ [Key.logLevel]: level })))
        assert.deepStrictEqual(
          params(events, "notifications/message", "level"),
          said.filter((one) => levels.indexOf(one) >= rank)
        )
      }))
  }

  it.effect("§6.7: a level nobody knows is -32602", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      for (const level of ["", "loud", "ERROR", "warn", null, 3, ["error"], "__proto__"]) {
        isError((yield* http.post(call("talk", {}, wanting({ [Key.logLevel]: level })))).json, -32602, 1)
      }
    }))

  it.effect("§6.7: progress and log come in the order they were said", () =>
    Effect.gen(function*() {
      const events = yield* heard(call("count", { n: 3 }, wanting({ progressToken: 1, [Key.logLevel]: "info" })))
      const pair = ["notifications/progress", "notifications/message"]
      assert.deepStrictEqual(events.map((event) => at(event, "method")), [...pair, ...pair, ...pair])
    }))

  it.effect("§4.2: a client that takes JSON alone hears the answer alone", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const message = call("count", { n: 3 }, wanting({ progressToken: 1, [Key.logLevel]: "debug" }))
      const reply = yield* http.post(message, { accept: "application/json" })
      assert.deepStrictEqual([reply.header("content-type"), textOf(reply.json)], ["application/json", "3"])
    }))

  it.scoped("§6.7: nothing is said of a call after its answer, and the connection goes on", () =>
    Effect.gen(function*() {
      const { http, ledger, pipe } = yield* Wire
      const gate = fresh()
      const message = call("gossip", { gate }, wanting({ progressToken: 1, [Key.logLevel]: "debug" }))
      const finished = ledger.count("gossip finished")
      const peer = yield* pipe()
      yield* peer.ask(message)
      const reply = yield* http.post(message)
      assert.lengthOf(reply.events, 2)
      ledger.open(gate)
      yield* until(() => ledger.count("gossip finished") === finished + 2, "the gossip")
      yield* peer.ask(claim("server/discover", {}, "barrier"))
      assert.deepStrictEqual(peer.received.map((one) => at(one, "id")), [undefined, 1, "barrier"])
    }))

  for (const version of [undefined, ...handshakes]) {
    it.scoped(`§6.7, ${version ?? "2026-07-28"}: a call that cannot be stopped is not answered once it was cancelled`, () =>
      Effect.gen(function*() {
        const { http, ledger, pipe } = yield* Wire
        const gate = fresh()
        const before = ledger.count("stubborn begun")
        const over = () => ledger.count("stubborn finished") + ledger.count("stubborn interrupted")
        const ended = over()
        const peer = yield* pipe()
        if (version !== undefined) yield* peer.handshake(version)
        peer.say((version === undefined ? call : oldCall)("stubborn", { gate }, {}, "s"))
        const session = version === undefined ? {} : yield* http.session(initialize(version))
        const visit = version === undefined
          ? undefined
          : yield* http.start(oldCall("stubborn", { gate }, {}, "s"), session)
        const calls = visit === undefined ? 1 : 2
        yield* until(() => ledger.count("stubborn begun") === before + calls)
        peer.say(cancelled("s"), cancelled("s"))
        if (visit !== undefined) {
          yield* http.post(cancelled("s"), session)
          yield* until(visit.isEnded, "the end of the response, though the call goes on")
        }
        ledger.open(gate)
        yield* until(() => over() === ended + calls, "the calls to end")
        yield* peer.ask(claim("server/discover", {}, "barrier"))
        assert.deepStrictEqual(peer.answers("s"), [])
        assert.strictEqual(visit?.text() ?? "", "")
      }))
  }
})
