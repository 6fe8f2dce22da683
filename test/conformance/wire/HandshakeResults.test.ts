import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import { isJson } from "./WireHttp.js"
import { at, codeOf, echo, handshakes, initialize, isOld, itemsAt, notice, oldCall, plain } from "./Words.js"

layer(wire(), { excludeTestServices: true })("§14.3, batches", (it) => {
  it.effect("§14.3: each request of a batch is answered, notifications and responses are not", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const session = yield* http.session(initialize("2025-03-26"))
      for (const headers of [{}, { "mcp-protocol-version": "2025-03-26" }, session]) {
        const reply = yield* http.post([
          plain("ping", {}, "a"),
          notice("notifications/initialized"),
          oldCall("echo", { text: "x" }, {}, 2),
          { jsonrpc: "2.0", id: "srv-1", result: {} },
          plain("no/such", {}, 3),
          initialize("2025-11-25", {}, 4)
        ], headers)
        isJson(reply, 200)
        assert.deepStrictEqual(itemsAt(reply.json).map((answer) => at(answer, "id")), ["a", 2, 3, 4])
        assert.deepStrictEqual(itemsAt(reply.json).map(codeOf), [undefined, undefined, -32601, -32600])
        assert.isUndefined(reply.header("mcp-session-id"))
        isOld(reply.json)
        const heard = yield* http.post([notice("x"), { jsonrpc: "2.0", id: 1, result: {} }], headers)
        assert.deepStrictEqual([heard.status, heard.body], [202, ""])
      }
    }))
})

/** One request for each method, with results that hold everything. */
const requests = [
  plain("ping"),
  plain("tools/list"),
  oldCall("echo", { text: "x" }),
  oldCall("echo", { text: 5 }),
  oldCall("count", { n: 2 }, { _meta: { progressToken: "p" } }),
  oldCall("none"),
  plain("resources/list"),
  plain("resources/templates/list"),
  plain("resources/read", { uri: "wire://first" }),
  plain("resources/read", { uri: "wire://none" }),
  plain("prompts/list"),
  plain("prompts/get", { name: "plain" }),
  plain("completion/complete", { ref: { type: "ref/prompt", name: "greeting" }, argument: { name: "who", value: "" } }),
  plain("logging/setLevel", { level: "info" }),
  plain("resources/subscribe", { uri: "wire://first" }),
  plain("resources/unsubscribe", { uri: "wire://first" }),
  plain("server/discover")
]

layer(wire(), { excludeTestServices: true })("§14.2, results", (it) => {
  for (const version of handshakes) {
    for (const request of requests) {
      it.scoped(`§14.2, ${version}: nothing of 2026-07-28 in the answer to ${JSON.stringify(at(request, "method"))} ${JSON.stringify(request.params)}`, () =>
        Effect.gen(function*() {
          const { http, pipe } = yield* Wire
          const session = yield* http.session(initialize(version))
          const reply = yield* http.post(request, session)
          assert.strictEqual(reply.status, 200)
          const peer = yield* pipe()
          yield* peer.handshake(version)
          const answer = yield* peer.ask(request)
          assert.deepStrictEqual(answer, reply.json)
          for (const message of [...reply.events, reply.json, ...peer.received]) isOld(message)
          const method = String(request.method)
          if (["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"].includes(method)) {
            assert.deepStrictEqual(at(answer, "result"), {})
          }
        }))
    }
  }

  it.effect("§14.3: the same server answers the stateless era beside, with all that belongs to it", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const session = yield* http.session(initialize("2025-11-25"))
      const reply = yield* http.post(echo("x"), session)
      assert.strictEqual(at(reply.json, "result", "resultType"), "complete")
      assert.isUndefined(reply.header("mcp-session-id"))
    }))
})
