import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import type { Case, Expected } from "./HttpEraCases.js"
import { cases } from "./HttpEraCases.js"
import type { Headers } from "./WireHttp.js"
import { isJson } from "./WireHttp.js"
import { at, call, claim, echo, initialize, isError, isOld, Key, modern, plain, textOf } from "./Words.js"

layer(wire(), { excludeTestServices: true })("§15.1, the table for HTTP", (it) => {
  const check = (one: Case, expected: Expected, session: Headers) =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const { message, verb = "POST", version } = one
      const reply = verb === "POST"
        ? yield* http.post(message, {
          ...(version === undefined ? {} : { "mcp-protocol-version": version ?? undefined }),
          ...one.headers,
          ...session
        })
        : yield* http.ask(verb, session)
      assert.strictEqual(reply.status, expected.status, reply.body)
      assert.isUndefined(
        message !== undefined && at(message, "method") === "initialize" ? undefined : reply.header("mcp-session-id")
      )
      if (expected.status === 405) assert.strictEqual(reply.header("allow"), "POST")
      if (expected.status === 202) assert.strictEqual(reply.body, "")
      else if (verb !== "HEAD") isJson(reply, expected.status)
      if (expected.code !== undefined) isError(reply.json, expected.code, expected.id)
      if (expected.data !== undefined) assert.deepStrictEqual(at(reply.json, "error", "data"), expected.data)
      if (one.row === 16 || one.row === 19) isOld(reply.json)
      const next = yield* http.post(echo("still here"))
      assert.strictEqual(textOf(next.json), "still here")
    })

  for (const one of cases) {
    it.effect(`§15.1 row ${one.row}: ${one.what}`, () => check(one, one.expected, {}))
    if (one.verb === "GET") continue
    it.effect(`§15.1 row ${one.row}, naming sessions: ${one.what}`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        yield* check(one, one.inSession ?? one.expected, yield* http.session(initialize("2025-11-25")))
        yield* check(one, one.inNone ?? one.expected, { "mcp-session-id": "nobody-has-this" })
      }))
  }

  it.effect("§15.1 row 17: names the keys that are missing", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const reply = yield* http.post(plain("tools/list", { _meta: { [Key.capabilities]: {} } }), {
        "mcp-protocol-version": modern
      })
      assert.include(reply.body, "protocolVersion")
      assert.notInclude(String(at(reply.json, "error", "message")), "clientCapabilities")
    }))

  it.effect("§15.1: an id comes back as it went out, in answers and in errors", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      for (const id of [0, -1, 42, Number.MAX_SAFE_INTEGER, "", "0", "42", "ü \u2028 \"\\"]) {
        for (const message of [echo("x", id), call("no_such_tool", {}, {}, id), claim("no/such", {}, id)]) {
          const reply = yield* http.post(message)
          assert.strictEqual(at(reply.json, "id"), id)
        }
      }
    }))
})
