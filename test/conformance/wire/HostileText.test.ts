import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import { ids, line, nested, oversized, unparsable, withParams } from "./HostileTexts.js"
import type { Headers } from "./WireHttp.js"
import { repeating } from "./WireHttp.js"
import {
  asked,
  at,
  call,
  claim,
  codeOf,
  echo,
  filled,
  initialize,
  isError,
  Key,
  modern,
  oldCall,
  plain,
  textOf
} from "./Words.js"

const isServing = Effect.gen(function*() {
  const { http } = yield* Wire
  assert.strictEqual(textOf((yield* http.post(echo("still here"))).json), "still here")
})

/** What both transports answer to the same bytes. */
const both = (bytes: string | Buffer, headers: Headers = {}) =>
  Effect.scoped(Effect.gen(function*() {
    const { http, pipe } = yield* Wire
    const reply = yield* http.post(bytes, headers)
    const peer = yield* pipe()
    yield* peer.handshake("2025-03-26")
    peer.say(Buffer.concat([Buffer.from(bytes), Buffer.from("\n")]))
    yield* peer.until(2)
    // The pipe goes on where it was.
    assert.strictEqual(textOf(yield* peer.ask(echo("on", "next"))), "on")
    return [reply, peer.received[1]] as const
  }))

layer(wire(), { excludeTestServices: true })("§2, texts that are none", (it) => {
  for (const [what, bytes] of unparsable) {
    it.effect(`§2: ${what} is a parse error without an id, on both transports`, () =>
      Effect.gen(function*() {
        const [reply, answer] = yield* both(bytes)
        assert.strictEqual(reply.status, 400)
        isError(reply.json, -32700)
        isError(answer, -32700)
        yield* isServing
      }))
  }

  for (const [what, text] of oversized) {
    it.effect(`§13: ${what} are refused, on both transports`, () =>
      Effect.gen(function*() {
        const [reply, answer] = yield* both(text)
        assert.strictEqual(reply.status, 400)
        isError(reply.json, -32600)
        isError(answer, -32600)
        yield* isServing
      }))
  }

  it.effect("§13: what is large but within bounds is served", () =>
    Effect.gen(function*() {
      for (const text of [withParams(nested(100)), withParams(`[${"1,".repeat(50_000)}1]`)]) {
        const [reply, answer] = yield* both(text)
        assert.deepStrictEqual([at(reply.json, "result"), at(answer, "result")], [{}, {}])
      }
      const long = "ä".repeat(200_000)
      const [reply, answer] = yield* both(line(oldCall("echo", { text: long })))
      assert.isTrue(textOf(reply.json) === long && textOf(answer) === long)
    }))

  it.scoped("§13: a string over the limit is refused on a pipe, where longer lines may come", () =>
    Effect.gen(function*() {
      const { pipe } = yield* Wire
      const peer = yield* pipe()
      peer.say(echo("x".repeat(2 * 1024 * 1024)))
      yield* peer.until(1)
      isError(peer.received[0], -32600)
      assert.strictEqual(textOf(yield* peer.ask(echo("on", 2))), "on")
    }))

  for (const [json, isGood, id] of ids) {
    it.effect(`§2: the id ${json.slice(0, 40)} is ${isGood ? "repeated" : "refused"}`, () =>
      Effect.gen(function*() {
        const [reply, answer] = yield* both(`{"jsonrpc":"2.0","id":${json},"method":"ping"}`)
        for (const message of [reply.json, answer]) {
          if (isGood) assert.deepStrictEqual([at(message, "id"), at(message, "result")], [id, {}])
          else isError(message, -32600)
        }
        yield* isServing
      }))
  }

  it.effect("§2: the id -0 is a number that equals it", () =>
    Effect.gen(function*() {
      const [reply, answer] = yield* both("{\"jsonrpc\":\"2.0\",\"id\":-0,\"method\":\"ping\"}")
      for (const message of [reply.json, answer]) assert.isTrue(at(message, "id") === 0)
    }))

  const batches: ReadonlyArray<readonly [what: string, items: ReadonlyArray<unknown>]> = [
    ["101 messages", Array.from({ length: 101 }, (_, id) => plain("ping", {}, id))],
    ["no message", []],
    ["a batch", [[plain("ping")]]],
    ["a batch among others", [plain("ping"), [plain("ping")]]],
    ["an id of null", [plain("ping", {}, null)]]
  ]
  for (const [what, items] of batches) {
    it.effect(`§14.3: a batch of ${what} is refused`, () =>
      Effect.gen(function*() {
        const [reply, answer] = yield* both(line(items))
        assert.strictEqual(reply.status, 400)
        isError(reply.json, -32600)
        isError(answer, -32600)
        yield* isServing
      }))
  }

  it.effect("§14.3: a batch of 100 messages is answered whole", () =>
    Effect.gen(function*() {
      const [reply, answer] = yield* both(line(Array.from({ length: 100 }, (_, id) => plain("ping", {}, id))))
      for (const all of [reply.json, answer]) assert.isTrue(Array.isArray(all) && all.length === 100)
    }))
})

layer(wire(), { excludeTestServices: true })("§13, strings and numbers inside of good messages", (it) => {
  const strings = [
    "\ud800",
    "\udc00x",
    "\ude00\ud83d",
    "\u0000",
    "\u2028\u2029",
    "\ufeff",
    "😀",
    "</script>",
    "\r\n\r\ndata: x\n\n"
  ]
  for (const text of strings) {
    it.scoped(`§9: ${JSON.stringify(text)} comes back as it went, in JSON, in a stream and on a pipe`, () =>
      Effect.gen(function*() {
        const { http, pipe } = yield* Wire
        const message = call("echo", { text }, { _meta: { progressToken: text } }, text)
        for (const accept of ["application/json", "text/event-stream"]) {
          const reply = yield* http.post(message, { accept })
          assert.strictEqual(textOf(reply.json), text)
          assert.strictEqual(at(reply.json, "id"), text)
          assert.isAtMost(reply.events.length, 1)
        }
        const peer = yield* pipe()
        assert.strictEqual(textOf(yield* peer.ask(message)), text)
        yield* isServing
      }))

    it.scoped(`§13: ${JSON.stringify(text)} where a name, a URI, a cursor, a task or an answer is wanted breaks nothing`, () =>
      Effect.gen(function*() {
        const { http, pipe } = yield* Wire
        const peer = yield* pipe()
        const messages = [
          call(text),
          claim("prompts/get", { name: text }),
          claim("prompts/get", { name: "greeting", arguments: { [text]: text } }),
          claim("resources/read", { uri: text }),
          claim("tools/list", { cursor: text }),
          claim("tasks/get", { taskId: text, _meta: { [Key.capabilities]: { extensions: { [Key.tasks]: {} } } } })
        ]
        for (const [id, message] of messages.entries()) {
          isError(yield* peer.ask({ ...message, id }), -32602, id)
          const reply = yield* http.post(message)
          assert.include([-32602, -32020], codeOf(reply.json))
        }
        const first = yield* peer.ask(call("ask_name", { topic: text }, asked, "q"))
        const requestState = at(first, "result", "requestState")
        const answered = { ...asked, requestState, inputResponses: { user_name: filled(text) } }
        assert.strictEqual(textOf(yield* peer.ask(call("ask_name", { topic: text }, answered, "a"))), `Hello, ${text}!`)
        const session = yield* http.session(initialize("2025-11-25", { [text]: { [text]: text } }))
        assert.strictEqual((yield* http.post(plain("ping"), session)).status, 200)
        yield* isServing
      }))
  }

  for (
    const uri of [
      "wire://note/%",
      "wire://note/%zz",
      "wire://note/%ff",
      "wire://note/%00",
      "wire://note/../first",
      "wire://note/a%2Fb",
      `wire://note/${"x".repeat(100_000)}`,
      "wire://",
      "://",
      "wire:// first",
      "%"
    ]
  ) {
    it.effect(`§6.3: the URI ${uri.slice(0, 30)} is read or not found, and breaks nothing`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const reply = yield* http.post(plain("resources/read", { uri }))
        assert.strictEqual(reply.status, 200)
        assert.include([undefined, -32002], codeOf(reply.json), reply.body)
        yield* isServing
      }))
  }

  for (const json of ["1e999", "-1e999", "1.5", "9007199254740993", "null", "{}", "[]", "true"]) {
    it.effect(`§3.2: the progress token ${json} is refused`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const message = call("echo", { text: "x" }, { _meta: { progressToken: "TOKEN" } })
        const text = JSON.stringify(message).replace("\"TOKEN\"", json)
        isError((yield* http.post(text, repeating(message))).json, -32602, 1)
        yield* isServing
      }))
  }

  for (const json of ["1e999", "-0", "9007199254740993", "1e-999", "0.1e1"]) {
    it.effect(`§13: the number ${json} for an argument is taken or told to the model, never a fault`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const message = call("mirrored", { amount: "AMOUNT" })
        const text = JSON.stringify(message).replace("\"AMOUNT\"", json)
        const reply = yield* http.post(text, { ...repeating(message), "mcp-param-amount": "0" })
        assert.include([undefined, -32020], codeOf(reply.json), reply.body)
        const reflected = JSON.stringify(call("reflect", { a: "AMOUNT" })).replace("\"AMOUNT\"", json)
        assert.isString(
          textOf((yield* http.post(reflected, { ...repeating(call("reflect")), "mcp-protocol-version": modern })).json)
        )
        yield* isServing
      }))
  }
})
