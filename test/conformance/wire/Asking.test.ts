import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { layer as wire, serve, Wire } from "./Fixture.js"
import type { Client, Headers, Visit } from "./WireHttp.js"
import type { Json } from "./Words.js"
import {
  at,
  call,
  cancelled,
  claim,
  codeOf,
  echo,
  filled,
  handshakes,
  initialize,
  isError,
  isOld,
  Key,
  messageOf,
  modern,
  oldCall,
  plain,
  textOf,
  until
} from "./Words.js"

const forms = { elicitation: {} }
const olds = ["2025-11-25", "2025-06-18"] as const

const answer = (id: unknown, result: unknown): Json => ({ jsonrpc: "2.0", id, result })

const question = (visit: Visit, index = 0): unknown => visit.events()[index]

/** Starts a call that asks, and waits for its question. */
const asking = (http: Client, headers: Headers, id: unknown = 1) =>
  Effect.gen(function*() {
    const visit = yield* http.start(oldCall("ask_name", {}, {}, id), headers)
    yield* until(() => visit.events().length === 1, () => `the question; got ${visit.status()} ${visit.text()}`)
    return visit
  })

const isAQuestion = (message: unknown): void => {
  assert.deepStrictEqual(
    [at(message, "jsonrpc"), at(message, "method"), at(message, "params", "message")],
    ["2.0", "elicitation/create", "What is your name?"]
  )
  assert.match(String(at(message, "id")), /^[\x21-\x7e]{16,}$/u)
  isOld(message)
}

layer(wire(), { excludeTestServices: true })("§14, asking older clients", (it) => {
  for (const version of olds) {
    it.scoped(`§14.3, ${version}: over HTTP the question goes out on the call's own stream, and the answer comes by POST`, () =>
      Effect.gen(function*() {
        const { http, ledger } = yield* Wire
        const steps = ledger.count("ask_name step")
        const session = yield* http.session(initialize(version, forms))
        const visit = yield* asking(http, session)
        isAQuestion(question(visit))
        const taken = yield* http.post(answer(at(question(visit), "id"), filled("Ada")), session)
        assert.deepStrictEqual([taken.status, taken.body], [202, ""])
        yield* until(visit.isEnded, "the answer")
        assert.strictEqual(textOf(visit.events().at(-1)), "Hello, Ada!")
        isOld(visit.events().at(-1))
        assert.strictEqual(ledger.count("ask_name step"), steps + 1)
      }))

    it.scoped(`§14.2, ${version}: on a pipe it is a request among the others`, () =>
      Effect.gen(function*() {
        const { pipe } = yield* Wire
        const peer = yield* pipe()
        yield* peer.handshake(version, forms)
        peer.say(oldCall("ask_twice", {}, {}, 1))
        for (const [index, name] of ["Ada", "Bob"].entries()) {
          yield* until(() => peer.told("elicitation/create").length === index + 1, "a question")
          peer.say(answer(at(peer.told("elicitation/create")[index], "id"), filled(name)))
        }
        yield* until(() => peer.answers(1).length === 1, "the answer")
        assert.strictEqual(textOf(peer.answers(1)[0]), "Ada and Bob")
      }))

    for (
      const [what, result, expected] of [
        ["decline", { action: "decline" }, "declined"],
        ["cancel", { action: "cancel" }, "dismissed"]
      ] as const
    ) {
      it.scoped(`§7, ${version}: ${what} is a failure of the tool that the model can read`, () =>
        Effect.gen(function*() {
          const { http } = yield* Wire
          const session = yield* http.session(initialize(version, forms))
          const visit = yield* asking(http, session)
          yield* http.post(answer(at(question(visit), "id"), result), session)
          yield* until(visit.isEnded, "the answer")
          const last = visit.events().at(-1)
          assert.strictEqual(at(last, "result", "isError"), true)
          assert.include(String(textOf(last)), expected)
        }))
    }

    it.scoped(`§14.2, ${version}: an error for an answer ends the call at once`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const session = yield* http.session(initialize(version, forms))
        const visit = yield* asking(http, session)
        const id = at(question(visit), "id")
        yield* http.post({ jsonrpc: "2.0", id, error: { code: -1, message: "SECRET" } }, session)
        yield* until(visit.isEnded, "the answer")
        assert.strictEqual(at(visit.events().at(-1), "result", "isError"), true)
        assert.notInclude(visit.text(), "SECRET")
      }))
  }

  it.scoped("§14.4: an answer counts in its own session alone, of its own user alone, and once", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const alice = { "x-test-user": "alice" }
      const session = { ...alice, ...(yield* http.session(initialize("2025-11-25", forms), alice)) }
      const second = { ...alice, ...(yield* http.session(initialize("2025-11-25", forms), alice)) }
      const eve = { "x-test-user": "eve" }
      const foreign = { ...eve, ...(yield* http.session(initialize("2025-11-25", forms), eve)) }
      const visit = yield* asking(http, session)
      const id = at(question(visit), "id")
      const posted = (result: unknown, headers: Headers, asId = id) =>
        Effect.map(http.post(answer(asId, result), headers), ({ status }) => status)
      const eves = filled("Eve")
      assert.strictEqual(yield* posted(eves, second), 202)
      assert.strictEqual(yield* posted(eves, foreign), 202)
      assert.strictEqual(yield* posted(eves, alice), 202)
      assert.strictEqual(yield* posted(eves, {}), 202)
      assert.strictEqual(yield* posted(eves, { ...session, ...eve }), 404)
      assert.strictEqual(yield* posted(eves, { "mcp-session-id": "x" }), 404)
      for (const other of ["srv-1", 1, `${String(id)} `, String(id).toUpperCase()]) {
        assert.strictEqual(yield* posted(eves, session, other), 202)
      }
      assert.isFalse(visit.isEnded())
      assert.strictEqual(yield* posted(filled("Ada"), session), 202)
      assert.strictEqual(yield* posted(eves, session), 202)
      yield* until(visit.isEnded, "the answer")
      assert.strictEqual(textOf(visit.events().at(-1)), "Hello, Ada!")
    }))

  it.scoped("§14.4: on pipes too, another peer's answer is none", () =>
    Effect.gen(function*() {
      const { pipe } = yield* Wire
      const [one, other] = [yield* pipe(), yield* pipe()]
      yield* one.handshake("2025-11-25", forms)
      yield* other.handshake("2025-11-25", forms)
      one.say(oldCall("ask_name"))
      yield* until(() => one.told("elicitation/create").length === 1, "the question")
      const id = at(one.told("elicitation/create")[0], "id")
      other.say(answer(id, filled("Eve")))
      yield* other.ask(plain("ping"))
      assert.deepStrictEqual(one.answers(1), [])
      one.say(answer(id, filled("Ada")))
      yield* until(() => one.answers(1).length === 1, "the answer")
      assert.strictEqual(textOf(one.answers(1)[0]), "Hello, Ada!")
    }))

  it.scoped("§14.2: a call that is cancelled while it asks ends, and its late answer is none", () =>
    Effect.gen(function*() {
      const { pipe } = yield* Wire
      const peer = yield* pipe()
      yield* peer.handshake("2025-11-25", forms)
      peer.say(oldCall("ask_name", {}, {}, 0))
      yield* until(() => peer.told("elicitation/create").length === 1, "the question")
      const id = at(peer.told("elicitation/create")[0], "id")
      peer.say(cancelled(0))
      yield* until(() => peer.told("notifications/cancelled").length === 1, "the question to be taken back")
      assert.strictEqual(at(peer.told("notifications/cancelled")[0], "params", "requestId"), id)
      peer.say(answer(id, filled("Ada")))
      assert.strictEqual(textOf(yield* peer.ask(echo("on", "next"))), "on")
      assert.deepStrictEqual(peer.answers(0), [])
    }))

  const unreachable: ReadonlyArray<readonly [what: string, version: string, capabilities: Json, headers: Headers]> = [
    ["has no word for it", "2025-03-26", forms, {}],
    ["did not declare it", "2025-11-25", {}, {}],
    ["did not declare it", "2025-06-18", {}, {}],
    ["can open links alone", "2025-11-25", { elicitation: { url: {} } }, {}],
    ["takes no streams", "2025-11-25", forms, { accept: "application/json" }]
  ]
  for (const [what, version, capabilities, headers] of unreachable) {
    it.effect(`§14.4, ${version}: a client that ${what} hears so at once`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const session = { ...(yield* http.session(initialize(version, capabilities))), ...headers }
        const tool = yield* http.post(oldCall("ask_name"), session)
        assert.strictEqual(tool.status, 200)
        assert.strictEqual(at(tool.json, "result", "isError"), true, tool.body)
        isOld(tool.json)
        for (
          const message of [
            plain("prompts/get", { name: "ask_name" }),
            plain("resources/read", { uri: "wire://asking" })
          ]
        ) {
          const reply = yield* http.post(message, session)
          assert.isNumber(codeOf(reply.json), reply.body)
          isOld(reply.json)
        }
      }))
  }

  it.effect("§14.4: a client without a session hears so at once, in every handshake version", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      for (const version of [undefined, ...handshakes]) {
        const reply = yield* http.post(oldCall("ask_name"), { "mcp-protocol-version": version })
        assert.strictEqual(at(reply.json, "result", "isError"), true, reply.body)
      }
    }))

  it.scoped("§2: to a client of 2026-07-28 no request goes out on any transport, whatever it declared before", () =>
    Effect.gen(function*() {
      const { http, pipe } = yield* Wire
      const peer = yield* pipe()
      yield* peer.handshake("2025-11-25", forms)
      isError(yield* peer.ask(call("ask_name", {}, {}, 1)), -32021, 1)
      const meta = { [Key.capabilities]: forms, progressToken: 1, [Key.logLevel]: "debug" }
      const on = yield* peer.ask(call("ask_name", {}, { _meta: meta }, 2))
      assert.strictEqual(at(on, "result", "resultType"), "input_required")
      assert.deepStrictEqual(peer.told("elicitation/create"), [])
      const session = yield* http.session(initialize("2025-11-25", forms))
      const reply = yield* http.post(call("ask_name", {}, { _meta: meta }), { ...session, accept: "text/event-stream" })
      assert.lengthOf(reply.events, 1)
      assert.strictEqual(at(reply.json, "result", "resultType"), "input_required")
      assert.strictEqual((yield* http.post(call("ask_name"), session)).status, 400)
    }))

  it.effect("§15.1: a header of 2026-07-28 does not make answers of responses", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const session = yield* http.session(initialize("2025-11-25", forms))
      const reply = yield* http.post(answer("srv-1", {}), { ...session, "mcp-protocol-version": modern })
      isError(reply.json, -32600)
    }))

  it.effect("§7: prompts and resources ask on 2026-07-28 what tools ask", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      for (
        const [method, params] of [["prompts/get", { name: "ask_name" }], ["resources/read", {
          uri: "wire://asking"
        }]] as const
      ) {
        const refused = yield* http.post(claim(method, params))
        assert.deepStrictEqual([refused.status, codeOf(refused.json)], [400, -32021])
        assert.notInclude(messageOf(refused.json), "undefined")
      }
    }))
})

layer(Layer.empty)("§14.4, a client that never answers", (it) => {
  it.scoped("§14.4: the call ends when the time to answer is over, and the question is taken back", () =>
    Effect.gen(function*() {
      const { pipe } = yield* serve({ server: { askTimeout: "5 minutes" } })
      const peer = yield* pipe()
      yield* peer.handshake("2025-11-25", forms)
      peer.say(oldCall("ask_name"))
      yield* until(() => peer.told("elicitation/create").length === 1, "the question")
      yield* TestClock.adjust("299 seconds")
      yield* peer.ask(plain("ping", {}, "barrier"))
      assert.deepStrictEqual(peer.answers(1), [])
      yield* TestClock.adjust("1 second")
      yield* until(() => peer.answers(1).length === 1, "the answer")
      assert.strictEqual(at(peer.answers(1)[0], "result", "isError"), true)
      assert.lengthOf(peer.told("notifications/cancelled"), 1)
    }))
})
