import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as RawHttp from "../../integration/RawHttp.js"
import { layer as wire, Wire } from "./Fixture.js"
import { accepts, inBand, orders, refusedHosts, removed, strange, types } from "./HttpStatusCases.js"
import type { Reply } from "./WireHttp.js"
import { isJson, repeating } from "./WireHttp.js"
import { at, call, claim, codeOf, echo, handshakes, initialize, isError, Key, listen, plain, textOf } from "./Words.js"

const isAnswered = (reply: Reply): void => {
  assert.strictEqual(reply.status, 200, reply.body)
  assert.strictEqual(textOf(reply.json), "x")
}

layer(wire(), { excludeTestServices: true })("§4 and §5, statuses", (it) => {
  for (const method of [...removed, ...strange]) {
    it.effect(`§4.1: ${JSON.stringify(method)} is 404 with a body and its id`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        for (const id of [0, "", "x"]) {
          const reply = yield* http.post(claim(method, { taskId: "x" }, id))
          isJson(reply, 404)
          isError(reply.json, -32601, id)
        }
      }))
  }

  for (const [what, message, code] of inBand) {
    it.effect(`§4.1: ${what} is ${code} in a 200`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const reply = yield* http.post(message)
        isJson(reply, 200)
        isError(reply.json, code, at(message, "id"))
      }))
  }

  it.effect("§4.1: a client that cannot be asked is 400, and told what it lacks in an object", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      for (
        const [message, needs] of [
          [call("ask_name"), { elicitation: { form: {} } }],
          [claim("prompts/get", { name: "ask_name" }), { elicitation: { form: {} } }],
          [claim("resources/read", { uri: "wire://asking" }), { elicitation: { form: {} } }],
          [call("job_gated", { gate: "g" }), { extensions: { [Key.tasks]: {} } }]
        ] as const
      ) {
        const reply = yield* http.post(message)
        isJson(reply, 400)
        isError(reply.json, -32021, 1)
        assert.deepStrictEqual(at(reply.json, "error", "data"), { requiredCapabilities: needs })
      }
    }))

  it.effect("§4.1: older clients hear of an unknown method in a 200", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      for (const version of handshakes) {
        const reply = yield* http.post(plain("no/such"), { "mcp-protocol-version": version })
        isJson(reply, 200)
        isError(reply.json, -32601, 1)
      }
    }))

  it.effect("§4.1: a resource that is not there is -32602 with its URI now, and was -32002", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const uri = "wire://none"
      const now = yield* http.post(claim("resources/read", { uri }))
      assert.deepStrictEqual([codeOf(now.json), at(now.json, "error", "data", "uri")], [-32602, uri])
      for (const version of handshakes) {
        const before = yield* http.post(plain("resources/read", { uri }), { "mcp-protocol-version": version })
        assert.deepStrictEqual([codeOf(before.json), at(before.json, "error", "data", "uri")], [-32002, uri])
      }
    }))

  for (const [what, headers, status] of refusedHosts) {
    it.effect(`§13: ${what} is ${status}, for every verb and era`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        isJson(yield* http.post(echo("x"), headers), status)
        isJson(yield* http.post(initialize("2025-11-25"), headers), status)
        for (const verb of ["GET", "DELETE", "PUT", "OPTIONS"]) isJson(yield* http.ask(verb, headers), status)
        isAnswered(yield* http.post(echo("x")))
      }))
  }

  it.effect("§13: a page of this machine may ask", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      for (const origin of ["http://localhost:6274", "http://127.0.0.1", "http://[::1]:1"]) {
        isAnswered(yield* http.post(echo("x"), { origin }))
      }
    }))

  it.scoped("§13: two Host headers are 400, whichever of them is ours", () =>
    Effect.gen(function*() {
      const { port } = yield* Wire
      const body = JSON.stringify(echo("x"))
      const headers = { ...repeating(echo("x")), "content-type": "application/json", "content-length": body.length }
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
      for (
        const [first, second] of [["localhost", "localhost"], ["localhost", "evil.example"], [
          "evil.example",
          "localhost"
        ]]
      ) {
        const raw = yield* RawHttp.open(port)
        raw.write(`POST /mcp HTTP/1.1\r\nHost: ${first}\r\nhOST: ${second}\r\n${lines}\r\n${body}`)
        assert.match(yield* raw.until(/\}$/u), /^HTTP\/1.1 400 [^]*content-type: application\/json\r\n/u)
      }
    }))

  for (const [type, isTaken] of types) {
    it.effect(`§4.2: the media type ${JSON.stringify(type)} is ${isTaken ? "taken" : "415"}`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const reply = yield* http.post(echo("x"), { "content-type": type })
        if (isTaken) isAnswered(reply)
        else isJson(reply, 415)
      }))
  }

  for (const [accept, status, type] of accepts) {
    it.effect(`§4.2: Accept: ${accept} is ${status} in ${type}`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const reply = yield* http.post(echo("x"), { accept })
        assert.deepStrictEqual([reply.status, reply.header("content-type")], [status, type])
        if (status === 200) isAnswered(reply)
      }))
  }

  it.effect("§4.2: a body over the limit is 413, declared or not, and the next is served", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const body = JSON.stringify(echo("y".repeat(2 * 1024 * 1024)))
      isJson(yield* http.post(body), 413)
      isJson(yield* http.post(body, { "content-length": undefined, "transfer-encoding": "chunked" }), 413)
      isAnswered(yield* http.post(echo("x")))
    }))

  for (const [what, message, headers, status, code] of orders) {
    it.effect(`§5: ${what}`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const reply = yield* http.post(message, headers)
        isJson(reply, status)
        if (code !== undefined) assert.strictEqual(codeOf(reply.json), code, reply.body)
      }))
  }
})

layer(wire({ isBare: true }), { excludeTestServices: true })("§4.1, what a server does not have", (it) => {
  it.effect("§4.1: methods of groups that are not declared are 404", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const found = yield* http.post(claim("server/discover"))
      assert.deepStrictEqual(at(found.json, "result", "capabilities"), { tools: {}, logging: {} })
      for (
        const message of [
          claim("resources/list"),
          claim("resources/templates/list"),
          claim("resources/read", { uri: "wire://first" }),
          claim("prompts/list"),
          claim("prompts/get", { name: "plain" }),
          claim("completion/complete"),
          claim("tasks/get", { taskId: "x" }),
          listen({ toolsListChanged: true })
        ]
      ) {
        const reply = yield* http.post(message)
        isJson(reply, 404)
        isError(reply.json, -32601, at(message, "id"))
      }
    }))
})
