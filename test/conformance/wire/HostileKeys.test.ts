import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import type { Headers } from "./WireHttp.js"
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
  isObject,
  Key,
  listen,
  modern,
  oldCall,
  plain,
  textOf,
  until
} from "./Words.js"

const own = Object.getOwnPropertyNames(Object.prototype).sort()

/** Asserts that nothing has reached the prototypes of this process, and that the server still serves. */
const isUnharmed = Effect.gen(function*() {
  const { http } = yield* Wire
  assert.deepStrictEqual(Object.getOwnPropertyNames(Object.prototype).sort(), own)
  for (const one of [{}, [], "", 0, () => {}]) {
    for (const key of ["polluted", "method", "name", "elicitation", "isError"]) {
      if (!(key === "name" && typeof one === "function")) assert.isFalse(Reflect.has(Object(one), key))
    }
  }
  assert.strictEqual(textOf((yield* http.post(echo("unharmed"))).json), "unharmed")
})

const envelope = `"_meta":{"${Key.version}":"${modern}","${Key.capabilities}":{}}`

const asTool = (name: string): Headers => ({
  "mcp-protocol-version": modern,
  "mcp-method": "tools/call",
  "mcp-name": name
})

const poison = "{\"polluted\":true,\"method\":\"ping\",\"name\":\"echo\",\"elicitation\":{},\"isError\":true}"

/** The same members at every depth of a value that JSON has. */
const poisoned = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(poisoned).join(",")}]`
  if (!isObject(value)) return JSON.stringify(value)
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${poisoned(member)}`)
  const keys = [`"__proto__":${poison}`, `"constructor":{"prototype":${poison}}`, `"prototype":${poison}`]
  return `{${[keys[0], ...members, keys[1], keys[2]].join(",")}}`
}

const words = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"]

const messages = [
  call("reflect", { a: { b: [{ c: 1 }] } }),
  call("echo", { text: "x" }),
  call("mirrored", { where: { city: "x" } }),
  call("ask_name", { topic: "t" }, { ...asked, inputResponses: { user_name: filled("Ada") } }),
  claim("prompts/get", { name: "greeting", arguments: { who: "x" } }),
  claim("resources/read", { uri: "wire://first" }),
  claim("completion/complete", {
    ref: { type: "ref/prompt", name: "greeting" },
    argument: { name: "who", value: "" },
    context: { arguments: { who: "x" } }
  }),
  claim("tools/list"),
  claim("server/discover"),
  claim("tasks/update", { taskId: "x", inputResponses: { a: {} } }),
  initialize("2025-11-25", { elicitation: {}, sampling: { tools: {} } }),
  plain("tools/call", { name: "reflect", arguments: { a: { b: 1 } } }),
  plain("resources/subscribe", { uri: "wire://first" })
]

layer(wire(), { excludeTestServices: true })("§13, keys that would be the language's own", (it) => {
  for (const message of messages) {
    it.scoped(`§13: takes ${String(message.method)} ${at(message, "params", "name")} with __proto__ and constructor at every depth`, () =>
      Effect.gen(function*() {
        const { http, pipe } = yield* Wire
        const text = poisoned(message)
        const headers = at(message, "params", "_meta") === undefined ? {} : {
          "mcp-protocol-version": modern,
          "mcp-method": String(message.method),
          "mcp-name": String(
            at(message, "params", "name") ?? at(message, "params", "uri") ?? at(message, "params", "taskId")
          ),
          "mcp-param-city": "x"
        }
        const reply = yield* http.post(text, headers)
        assert.isBelow(reply.status, 500)
        assert.strictEqual(at(reply.json, "id"), message.id)
        assert.notStrictEqual(codeOf(reply.json), -32603, reply.body)
        const peer = yield* pipe()
        peer.say(`${text}\n`)
        yield* peer.until(1)
        assert.strictEqual(at(peer.received[0], "id"), message.id)
        assert.notStrictEqual(codeOf(peer.received[0]), -32603)
        yield* isUnharmed
      }))
  }

  it.effect("§13: what a tool takes and gives back is data, whatever its keys", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const args = `{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"a":{"__proto__":1}}`
      const text =
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"reflect","arguments":${args},${envelope}}}`
      const reply = yield* http.post(text, asTool("reflect"))
      assert.strictEqual(textOf(reply.json), args)
      yield* isUnharmed
    }))

  const inherited: ReadonlyArray<readonly [what: string, text: string, headers: Headers, code: number]> = [
    ["a method", `{"jsonrpc":"2.0","id":1,"__proto__":{"method":"ping"}}`, {}, -32600],
    ["a version of JSON-RPC", `{"__proto__":{"jsonrpc":"2.0"},"id":1,"method":"ping"}`, {}, -32600],
    [
      "an envelope",
      `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"__proto__":{"${Key.version}":"${modern}"}}}}`,
      { "mcp-protocol-version": modern },
      -32602
    ],
    ["_meta", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"__proto__":{${envelope}}}}`, {
      "mcp-protocol-version": modern
    }, -32602],
    [
      "a name",
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"name":"echo"},${envelope}}}`,
      asTool("echo"),
      -32020
    ],
    [
      "an argument",
      `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"greeting","arguments":{"__proto__":"x"},${envelope}}}`,
      { ...asTool("greeting"), "mcp-method": "prompts/get" },
      -32602
    ],
    [
      "a capability",
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask_name","_meta":{"${Key.version}":"${modern}","${Key.capabilities}":{"__proto__":{"elicitation":{}}}}}}`,
      asTool("ask_name"),
      -32021
    ]
  ]
  for (const [what, text, headers, code] of inherited) {
    it.effect(`§13: ${what} is not taken from a __proto__`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        isError((yield* http.post(text, headers)).json, code, 1)
        yield* isUnharmed
      }))
  }

  for (const word of words) {
    it.scoped(`§13: ${word} is no tool, prompt, method, resource, task, level, version or answer`, () =>
      Effect.gen(function*() {
        const { http, pipe } = yield* Wire
        const codes = []
        for (
          const message of [
            call(word),
            claim("prompts/get", { name: word }),
            claim("resources/read", { uri: word }),
            claim("tools/list", { cursor: word }),
            claim("tasks/get", { taskId: word, _meta: { [Key.capabilities]: { extensions: { [Key.tasks]: {} } } } }),
            claim("completion/complete", {
              ref: { type: "ref/prompt", name: word },
              argument: { name: word, value: "" }
            }),
            claim(word)
          ]
        ) codes.push(codeOf((yield* http.post(message)).json))
        assert.deepStrictEqual(codes, [-32602, -32602, -32602, -32602, -32602, -32602, -32601])
        const peer = yield* pipe()
        yield* peer.handshake("2025-11-25")
        isError(yield* peer.ask(plain(word, {}, 1)), -32601, 1)
        isError(yield* peer.ask(plain("logging/setLevel", { level: word }, 2)), -32602, 2)
        const again = yield* http.post(call("ask_name", {}, { ...asked, inputResponses: JSON.parse(`{"${word}":{}}`) }))
        assert.strictEqual(at(again.json, "result", "resultType"), "input_required")
        peer.say(listen(JSON.parse(`{"toolsListChanged":true,"${word}":true}`), word))
        yield* until(() => peer.received.length === 4, "the ack")
        assert.deepStrictEqual(at(peer.received[3], "params", "notifications"), { toolsListChanged: true })
        assert.strictEqual(at(peer.received[3], "params", "_meta", Key.subscriptionId), word)
        yield* isUnharmed
      }))
  }
})

layer(wire(), { excludeTestServices: true })("§2, keys that come twice or in other letters", (it) => {
  const written = (parts: { readonly head?: string; readonly params?: string; readonly given?: string }): string =>
    `{"jsonrpc":"2.0","id":1,${parts.head ?? ""}"method":"tools/call","params":{${
      parts.params ?? ""
    }"name":"echo","arguments":{${parts.given ?? ""}"text":"b"},${envelope}}}`
  const doubled: ReadonlyArray<readonly [what: string, text: string]> = [
    ["the method", written({ head: `"method":"ping",` })],
    ["the id", written({ head: `"id":2,` })],
    ["the version of JSON-RPC", written({ head: `"jsonrpc":"2.0",` })],
    ["the parameters", written({ head: `"params":{"name":"never"},` })],
    ["the method, once with an escape", written({ head: `"meth\\u006fd":"ping",` })],
    ["a key that means nothing", written({ head: `"x":1,"x":[{}],` })],
    ["__proto__", written({ head: `"__proto__":{},"__proto__":{},` })],
    ["the name", written({ params: `"name":"never",` })],
    ["the arguments", written({ params: `"arguments":{"text":"a"},` })],
    ["_meta", written({ params: `"_meta":{},` })],
    ["an argument", written({ given: `"text":"a",` })],
    ["an argument, with the same value", written({ given: `"text":"b",` })],
    ["the name in a batch", `[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"never","name":"echo"}}]`],
    ["the text in a response", `{"jsonrpc":"2.0","id":"srv-1","result":{"action":"decline","action":"accept"}}`]
  ]
  for (const [what, text] of doubled) {
    it.scoped(`§2: refuses a message in which ${what} stands twice, since others may believe the first`, () =>
      Effect.gen(function*() {
        const { http, ledger, pipe } = yield* Wire
        const peer = yield* pipe()
        for (const headers of [asTool("echo"), asTool("never"), {}]) {
          const { json, status } = yield* http.post(text, headers)
          assert.strictEqual(status, 400)
          isError(json, -32600)
        }
        peer.say(`${text}\n`)
        yield* peer.until(1)
        isError(peer.received[0], -32600)
        assert.strictEqual(ledger.count("never begun"), 0)
        yield* isUnharmed
      }))
  }

  it.effect("§2: deeper down a key may stand twice, and the last counts", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const text = written({ given: `"more":{"a":[{"b":1,"b":{"c":1,"c":2}}]},` })
      assert.strictEqual((yield* http.post(text, asTool("echo"))).status, 200)
    }))

  const folded: ReadonlyArray<readonly [what: string, text: string, code: number, id?: unknown]> = [
    ["Method", `{"jsonrpc":"2.0","id":1,"Method":"ping"}`, -32600, 1],
    ["METHOD", `{"jsonrpc":"2.0","id":1,"METHOD":"ping"}`, -32600, 1],
    ["method with a blank", `{"jsonrpc":"2.0","id":1,"method ":"ping"}`, -32600, 1],
    ["JsonRpc", `{"JsonRpc":"2.0","id":1,"method":"ping"}`, -32600, 1],
    ["jſonrpc", `{"jſonrpc":"2.0","id":1,"method":"ping"}`, -32600, 1],
    ["jsonrpc 2", `{"jsonrpc":2.0,"id":1,"method":"ping"}`, -32600, 1],
    ["Error without error", `{"jsonrpc":"2.0","id":1,"Error":{}}`, -32600, 1]
  ]
  for (const [what, text, code, id] of folded) {
    it.scoped(`§2: ${what} is not what it resembles`, () =>
      Effect.gen(function*() {
        const { http, pipe } = yield* Wire
        isError((yield* http.post(text)).json, code, id)
        const peer = yield* pipe()
        peer.say(`${text}\n`)
        yield* peer.until(1)
        isError(peer.received[0], code, id)
        yield* isUnharmed
      }))
  }

  it.scoped("§2: paramſ, Params and _Meta are no params and no _meta; ID is no id", () =>
    Effect.gen(function*() {
      const { http, pipe } = yield* Wire
      const peer = yield* pipe()
      for (const key of ["paramſ", "Params", "PARAMS", "params\u0000"]) {
        const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","${
          JSON.stringify(key).slice(1, -1)
        }":{"name":"never",${envelope}}}`
        isError((yield* http.post(text, asTool("never"))).json, -32602, 1)
        isError((yield* http.post(text)).json, -32602, 1)
        isError(
          yield* Effect.flatMap(Effect.sync(() => peer.say(`${text}\n`)), () => peer.ask(plain("x", {}, 9))),
          -32602,
          9
        )
      }
      for (const key of ["_Meta", "_META", "_meta "]) {
        const text = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"${key}":{"${Key.version}":"${modern}"}}}`
        isError((yield* http.post(text, { "mcp-protocol-version": modern })).json, -32602, 1)
      }
      for (const key of ["ID", "Id", "id "]) {
        const text = `{"jsonrpc":"2.0","${key}":1,"method":"tools/call","params":{"name":"never"}}`
        assert.strictEqual((yield* http.post(text)).status, 202)
      }
      assert.strictEqual((yield* Wire).ledger.count("never begun"), 0)
      yield* isUnharmed
    }))

  it.scoped("§2: an id that is in flight may come again over HTTP, and not on one pipe", () =>
    Effect.gen(function*() {
      const { http, ledger, pipe } = yield* Wire
      const before = ledger.count("gated begun")
      const visits = [
        yield* http.start(call("gated", { gate: "twice" })),
        yield* http.start(call("gated", { gate: "twice" }))
      ]
      const peer = yield* pipe()
      peer.say(
        call("gated", { gate: "twice" }, {}, 1),
        call("gated", { gate: "twice" }, {}, 1),
        call("gated", { gate: "twice" }, {}, "1")
      )
      yield* until(() => ledger.count("gated begun") === before + 4)
      yield* until(() => peer.received.length === 1, "the refusal")
      isError(peer.received[0], -32600, 1)
      ledger.open("twice")
      yield* until(() => visits.every((visit) => visit.isEnded()) && peer.received.length === 3, "all answers")
      for (const visit of visits) assert.include(visit.text(), "through")
      assert.lengthOf(peer.answers("1"), 1)
      assert.lengthOf(peer.answers(1), 2)
      const session = yield* http.session(initialize("2025-11-25"))
      const both = yield* Effect.all([1, 2].map((n) => http.post(oldCall("echo", { text: String(n) }), session)), {
        concurrency: 2
      })
      assert.deepStrictEqual(both.map(({ json }) => textOf(json)), ["1", "2"])
    }))
})
