import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, serve, Wire } from "./Fixture.js"
import type { Headers } from "./WireHttp.js"
import { isJson } from "./WireHttp.js"
import type { Json } from "./Words.js"
import { at, handshakes, initialize, isError, isOld, modern, notice, oldCall, plain, textOf, until } from "./Words.js"

const stream = { accept: "text/event-stream" }
const tools = { _tag: "ToolsChanged" } as const
const updated = (uri: string) => ({ _tag: "ResourceUpdated", uri }) as const

/** Opens the stream of a session by GET. */
const listening = (session: Headers) =>
  Effect.gen(function*() {
    const { http } = yield* Wire
    const visit = yield* http.open("GET", { ...stream, ...session })
    yield* until(() => visit.status() !== undefined, "the stream")
    assert.deepStrictEqual([visit.status(), visit.header("content-type")], [200, "text/event-stream"])
    return visit
  })

const methods = (messages: ReadonlyArray<unknown>) => messages.map((message) => at(message, "method"))

const negotiated = [
  ["2025-11-25", "2025-11-25"],
  ["2025-06-18", "2025-06-18"],
  ["2025-03-26", "2025-03-26"],
  ["2024-11-05", "2025-03-26"],
  [modern, "2025-11-25"],
  ["2099-01-01", "2025-11-25"],
  ["1.0", "2025-11-25"],
  ["", "2025-11-25"],
  ["__proto__", "2025-11-25"]
] as const

layer(wire(), { excludeTestServices: true })("§14, sessions", (it) => {
  for (const [wanted, given] of negotiated) {
    it.scoped(`§14.1: initialize with ${JSON.stringify(wanted)} settles ${given}, on both transports`, () =>
      Effect.gen(function*() {
        const { http, pipe } = yield* Wire
        const reply = yield* http.post(initialize(wanted))
        const answers = [reply.json, yield* (yield* pipe()).ask(initialize(wanted))]
        for (const answer of answers) {
          assert.strictEqual(at(answer, "result", "protocolVersion"), given)
          assert.deepStrictEqual(at(answer, "result", "serverInfo"), { name: "wire", version: "1.0.0" })
          assert.deepStrictEqual(at(answer, "result", "capabilities", "tools"), { listChanged: true })
          assert.isUndefined(at(answer, "result", "capabilities", "extensions"))
          isOld(answer)
        }
        assert.match(String(reply.header("mcp-session-id")), /^[\x21-\x7e]{32,}$/u)
      }))
  }

  for (
    const params of [{}, { protocolVersion: 1, capabilities: {}, clientInfo: { name: "c", version: "1" } }, {
      protocolVersion: "2025-11-25",
      capabilities: [],
      clientInfo: { name: "c", version: "1" }
    }, { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c" } }]
  ) {
    it.effect(`§14.1: an initialize with ${JSON.stringify(params)} is -32602 and opens no session`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const reply = yield* http.post(plain("initialize", params))
        isError(reply.json, -32602, 1)
        assert.isUndefined(reply.header("mcp-session-id"))
      }))
  }

  it.effect("§14.3: ids are visible ASCII, never the same twice, whatever the client says of itself", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const clients = ["x", "Zürich\u0000\r\n", "\ud800", "n".repeat(5000)].map((name): Json => ({
        ...initialize("2025-11-25", { elicitation: {}, experimental: { [name]: { a: "\u2028" } } }),
        params: { protocolVersion: "2025-11-25", capabilities: { [name]: {} }, clientInfo: { name, version: name } }
      }))
      const ids = new Set<string>()
      for (const client of [...clients, ...clients]) {
        const { "mcp-session-id": id } = yield* http.session(client)
        assert.match(id, /^[\x21-\x7e]{32,8192}$/u)
        ids.add(id)
        assert.strictEqual((yield* http.post(plain("ping"), { "mcp-session-id": id })).status, 200)
      }
      assert.strictEqual(ids.size, 8)
    }))

  it.effect("§14.3: another user's id, another server's, a changed one and garbage are all 404 alike", () =>
    Effect.scoped(Effect.gen(function*() {
      const { http } = yield* Wire
      const alice = { "x-test-user": "alice" }
      const { "mcp-session-id": id } = yield* http.session(initialize("2025-11-25"), alice)
      const elsewhere = yield* (yield* serve()).http.session(initialize("2025-11-25"), alice)
      const middle = Math.floor(id.length / 2)
      const bad: ReadonlyArray<Headers> = [
        { "mcp-session-id": id, "x-test-user": "bob" },
        { "mcp-session-id": id },
        { ...alice, ...elsewhere },
        ...[id.slice(1), id.slice(0, -1), `${id}A`, `${id}, ${id}`, id.toUpperCase(), "x", "", "__proto__", "\u00ff"]
          .map((other) => ({ ...alice, "mcp-session-id": other })),
        { ...alice, "mcp-session-id": [id, id] },
        ...["A", "B"].map((letter) => ({
          ...alice,
          "mcp-session-id": `${id.slice(0, middle)}${letter}${id.slice(middle + 1)}`
        })).filter((headers) => headers["mcp-session-id"] !== id)
      ]
      const bodies = new Set<string>()
      for (const headers of bad) {
        const reply = yield* http.post(plain("tools/list"), headers)
        isJson(reply, 404)
        bodies.add(reply.body)
        assert.strictEqual((yield* http.post(notice("notifications/initialized"), headers)).status, 404)
        // A GET without a session is 405, and an empty header names none.
        const expected = headers["mcp-session-id"] === "" ? 405 : 404
        isJson(yield* http.ask("GET", { ...stream, ...headers }), expected)
        // Opening a session needs none.
        assert.strictEqual((yield* http.post(initialize("2025-11-25"), headers)).status, 200)
      }
      assert.strictEqual(bodies.size, 1)
      assert.strictEqual((yield* http.post(plain("tools/list"), { ...alice, "mcp-session-id": ` ${id} ` })).status, 200)
    })))

  it.effect("§14.3: DELETE is 405 and ends nothing, GET without a session is 405", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const session = yield* http.session(initialize("2025-11-25"))
      for (
        const [verb, headers] of [["DELETE", session], ["DELETE", {}], ["GET", stream], ["GET", {
          ...session,
          accept: "application/json"
        }]] as const
      ) {
        const reply = yield* http.ask(verb, headers)
        isJson(reply, 405)
        assert.strictEqual(reply.header("allow"), "POST")
      }
      assert.strictEqual((yield* http.post(plain("tools/list"), session)).status, 200)
    }))

  it.scoped("§14.3: the stream of a session hears of lists, and of the resources it subscribed to alone", () =>
    Effect.gen(function*() {
      const { http, publish } = yield* Wire
      const one = yield* http.session(initialize("2025-11-25"))
      const other = yield* http.session(initialize("2025-06-18"))
      const [first, second] = [yield* listening(one), yield* listening(other)]
      for (const uri of ["wire://first", "wire://second"]) {
        const reply = yield* http.post(plain("resources/subscribe", { uri }), one)
        assert.deepStrictEqual(at(reply.json, "result"), {})
      }
      yield* http.post(plain("resources/unsubscribe", { uri: "wire://second" }), one)
      yield* publish(updated("wire://second"), updated("wire://first"), { _tag: "TaskChanged", taskId: "t" })
      yield* publish({ _tag: "PromptsChanged" }, { _tag: "ResourcesChanged" }, tools)
      const lists = ["prompts", "resources", "tools"].map((kind) => `notifications/${kind}/list_changed`)
      yield* until(() => first.events().length === 4 && second.events().length === 3, "the announcements")
      assert.deepStrictEqual(methods(first.events()), ["notifications/resources/updated", ...lists])
      assert.strictEqual(at(first.events()[0], "params", "uri"), "wire://first")
      assert.deepStrictEqual(methods(second.events()), lists)
      for (const message of [...first.events(), ...second.events()]) isOld(message)
    }))

  it.scoped("§14.3: of several streams of a session each message goes on one, the newest that is open", () =>
    Effect.gen(function*() {
      const { http, publish } = yield* Wire
      const session = yield* http.session(initialize("2025-11-25"))
      const streams = [yield* listening(session), yield* listening(session), yield* listening(session)]
      const heard = () => streams.map((visit) => visit.events().length)
      yield* publish(tools, { _tag: "PromptsChanged" })
      yield* until(() => streams[2]?.events().length === 2, "the announcements")
      assert.deepStrictEqual(heard(), [0, 0, 2])
      streams[1]?.leave()
      streams[2]?.leave()
      // The server has to notice that they have gone.
      for (let told = 0; told < 200 && streams[0]?.events().length === 0; told++) {
        yield* publish(tools)
        yield* http.post(plain("ping"), session)
      }
      assert.isAtLeast(heard()[0] ?? 0, 1)
      assert.deepStrictEqual(heard().slice(1), [0, 2])
    }))

  it.scoped("§14.2: a peer on a pipe hears the same unasked, once it is initialized and not before", () =>
    Effect.gen(function*() {
      const { pipe, publish } = yield* Wire
      for (const version of handshakes) {
        const [peer, silent] = [yield* pipe(), yield* pipe()]
        yield* publish(tools)
        yield* peer.handshake(version)
        assert.deepStrictEqual(
          at(yield* peer.ask(plain("resources/subscribe", { uri: "wire://first" }, 1)), "result"),
          {}
        )
        yield* publish(updated("wire://second"), updated("wire://first"), tools)
        yield* until(() => peer.told("notifications/tools/list_changed").length === 1, "the announcement")
        assert.lengthOf(peer.told("notifications/resources/updated"), 1)
        assert.isDefined(yield* silent.ask(plain("ping", {}, "barrier")))
        assert.lengthOf(silent.received, 1)
      }
    }))

  it.scoped("§14.2: the log level is the session's own, from info unless it says otherwise", () =>
    Effect.gen(function*() {
      const { http, pipe } = yield* Wire
      const one = yield* http.session(initialize("2025-11-25"))
      const other = yield* http.session(initialize("2025-11-25"))
      const heard = (session: Headers) =>
        Effect.map(http.post(oldCall("talk"), session), ({ events, json }) => {
          assert.strictEqual(textOf(json), "talked")
          return events.slice(0, -1).map((message) => at(message, "params", "level"))
        })
      assert.deepStrictEqual(yield* heard(one), ["info", "warning", "error"])
      assert.deepStrictEqual(
        at((yield* http.post(plain("logging/setLevel", { level: "error" }), one)).json, "result"),
        {}
      )
      assert.deepStrictEqual(yield* heard(one), ["error"])
      assert.deepStrictEqual(yield* heard(other), ["info", "warning", "error"])
      for (const level of ["loud", "", null, 5, "__proto__"]) {
        isError((yield* http.post(plain("logging/setLevel", { level }), one)).json, -32602, 1)
      }
      yield* http.post(plain("logging/setLevel", { level: "debug" }), one)
      assert.deepStrictEqual(yield* heard(one), ["debug", "info", "warning", "error"])
      const peer = yield* pipe()
      yield* peer.handshake("2025-03-26")
      yield* peer.ask(plain("logging/setLevel", { level: "warning" }, 1))
      yield* peer.ask(oldCall("talk", {}, {}, 2))
      assert.deepStrictEqual(peer.told("notifications/message").map((message) => at(message, "params", "level")), [
        "warning",
        "error"
      ])
    }))

  it.effect("§15.4: a session's version counts more than the header's", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const batch = [plain("ping", {}, 1)]
      const oldest = yield* http.session(initialize("2025-03-26"))
      const newest = yield* http.session(initialize("2025-11-25"))
      for (const version of [undefined, ...handshakes]) {
        const header = { "mcp-protocol-version": version }
        const allowed = version === undefined || version === "2025-03-26"
        const ofOldest = yield* http.post(batch, { ...oldest, ...header })
        assert.strictEqual(ofOldest.status, allowed ? 200 : 400)
        isError((yield* http.post(batch, { ...newest, ...header })).json, -32600)
        const listed = yield* http.post(plain("prompts/get", { name: "plain" }), { ...newest, ...header })
        assert.strictEqual(listed.status, 200)
        isOld(listed.json)
      }
    }))
})
