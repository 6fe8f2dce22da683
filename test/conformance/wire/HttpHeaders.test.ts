import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import type { Headers } from "./WireHttp.js"
import { isJson } from "./WireHttp.js"
import type { Json } from "./Words.js"
import { call, claim, codeOf, echo, handshakes, isError, messageOf, modern, oldCall, plain, textOf } from "./Words.js"

/** What becomes of a request: served, refused for its headers, or past them and refused for its name. */
type Fate = "served" | "mismatch" | "unknown"

const meets = (message: unknown, headers: Headers, fate: Fate) =>
  Effect.gen(function*() {
    const { http } = yield* Wire
    const reply = yield* http.post(message, headers)
    const said = `${JSON.stringify(headers)}: ${reply.body}`
    if (fate === "mismatch") {
      isJson(reply, 400)
      return isError(reply.json, -32020, 1)
    }
    assert.strictEqual(reply.status, 200, said)
    if (fate === "unknown") assert.strictEqual(codeOf(reply.json), -32602, said)
    else assert.isUndefined(codeOf(reply.json), said)
  })

const base64 = (text: string | Buffer): string => `=?base64?${Buffer.from(text).toString("base64")}?=`

const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1")

const methods: ReadonlyArray<readonly [what: string, value: Headers[string], fate: Fate]> = [
  ["equal", "tools/list", "served"],
  ["with blanks around it", " \t tools/list\t ", "served"],
  ["absent", undefined, "mismatch"],
  ["empty", "", "mismatch"],
  ["another method", "tools/call", "mismatch"],
  ["in another case", "Tools/List", "mismatch"],
  ["with more behind it", "tools/list2", "mismatch"],
  ["with less of it", "tools/lis", "mismatch"],
  ["in base64, which is for names alone", base64("tools/list"), "mismatch"],
  ["twice", ["tools/list", "tools/list"], "mismatch"],
  ["twice, and differing", ["tools/list", "tools/call"], "mismatch"]
]

const names: ReadonlyArray<readonly [name: unknown, value: Headers[string], fate: Fate]> = [
  ["echo", "echo", "served"],
  ["echo", "  echo\t", "served"],
  ["echo", base64("echo"), "served"],
  ["echo", ` ${base64("echo")} `, "served"],
  ["echo", undefined, "mismatch"],
  ["echo", "", "mismatch"],
  ["echo", "Echo", "mismatch"],
  ["echo", "ECHO", "mismatch"],
  ["echo", "echo2", "mismatch"],
  ["echo", "\"echo\"", "mismatch"],
  ["echo", "ec%68o", "mismatch"],
  ["echo", ["echo", "echo"], "mismatch"],
  ["echo", base64("Echo"), "mismatch"],
  ["echo", base64(" echo"), "mismatch"],
  ["echo", base64("\ufeffecho"), "mismatch"],
  ["echo", "=?BASE64?ZWNobw==?=", "mismatch"],
  ["echo", "=?base64?ZWNobw==", "mismatch"],
  ["echo", "ZWNobw==?=", "mismatch"],
  ["echo", "ZWNobw==", "mismatch"],
  ["echo", "=?base64?ZWNobw?=", "mismatch"],
  ["echo", "=?base64?ZWNobw=?=", "mismatch"],
  ["echo", "=?base64?ZWNobw===?=", "mismatch"],
  ["echo", "=?base64?ZWNo bw==?=", "mismatch"],
  ["echo", "=?base64?ZWNo\tbw==?=", "mismatch"],
  ["echo", "=?base64?ZWNobw==\u00e9?=", "mismatch"],
  ["echo", "=?base64?Z_-Obw==?=", "mismatch"],
  ["echo", "=?base64?ZWNobw%3D%3D?=", "mismatch"],
  ["echo", `${base64("echo")}${base64("")}`, "mismatch"],
  // No tool has these names, but their headers say the same as their bodies.
  ["grüße", base64("grüße"), "unknown"],
  ["grüße", latin1("grüße"), "mismatch"],
  ["grüße", "gr\u00fc\u00dfe", "mismatch"],
  ["\u0000", base64("\u0000"), "unknown"],
  ["a\r\nmcp-method: tools/list", base64("a\r\nmcp-method: tools/list"), "unknown"],
  ["=?base64?ZWNobw==", "=?base64?ZWNobw==", "unknown"],
  ["ZWNobw==?=", "ZWNobw==?=", "unknown"],
  ["=?BASE64?ZWNobw==?=", "=?BASE64?ZWNobw==?=", "unknown"],
  ["=?base64?ZWNobw==?=", base64("=?base64?ZWNobw==?="), "unknown"],
  ["=?base64?ZWNobw==?=", "=?base64?ZWNobw==?=", "mismatch"],
  ["=?base64?=", "=?base64?=", "unknown"],
  ["\ufffd", base64(Buffer.from([0xff])), "mismatch"],
  ["\ufffd", base64(Buffer.from([0xc0, 0x80])), "mismatch"],
  ["\ufffd", base64(Buffer.from([0xed, 0xa0, 0x80])), "mismatch"],
  ["\ufffd", base64(Buffer.from([0xe2, 0x82])), "mismatch"],
  ["\ud800", base64("\ufffd"), "mismatch"],
  ["two words", "two words", "unknown"],
  ["two words", "two  words", "mismatch"],
  [" padded ", base64(" padded "), "unknown"],
  [" padded ", " padded ", "mismatch"],
  ["", "", "unknown"],
  ["", base64(""), "unknown"],
  ["", "  ", "unknown"],
  ["", undefined, "mismatch"],
  [5, "5", "mismatch"],
  [null, "null", "mismatch"],
  [undefined, "undefined", "mismatch"],
  [undefined, undefined, "mismatch"],
  [["echo"], "echo", "mismatch"]
]

const others: ReadonlyArray<readonly [method: string, params: Json, name: string | undefined, fate: Fate]> = [
  ["prompts/get", { name: "plain" }, "plain", "served"],
  ["prompts/get", { name: "plain" }, "greeting", "mismatch"],
  ["prompts/get", { name: "plain" }, undefined, "mismatch"],
  ["prompts/get", { name: "none" }, "none", "unknown"],
  ["resources/read", { uri: "wire://first" }, "wire://first", "served"],
  ["resources/read", { uri: "wire://first" }, base64("wire://first"), "served"],
  ["resources/read", { uri: "wire://first" }, "WIRE://first", "mismatch"],
  ["resources/read", { uri: "wire://first" }, "wire://first/", "mismatch"],
  ["resources/read", { uri: "wire://first" }, undefined, "mismatch"],
  ["resources/read", { uri: "wire://note/a%20b" }, "wire://note/a b", "mismatch"],
  ["resources/read", { uri: "wire://none" }, "wire://none", "unknown"],
  ["tools/list", {}, "anything", "served"],
  ["tools/list", {}, "=?base64?x?=", "served"],
  ["server/discover", {}, undefined, "served"]
]

const parameters: ReadonlyArray<readonly [what: string, args: Json | null | undefined, headers: Headers, fate: Fate]> =
  [
    ["a string that is equal", { region: "eu" }, { region: "eu" }, "served"],
    ["a string in base64", { region: "eu" }, { region: base64("eu") }, "served"],
    ["a string beyond ASCII", { region: "Zürich" }, { region: base64("Zürich") }, "served"],
    ["blanks around a string", { region: "eu" }, { region: "  eu\t" }, "served"],
    ["a string that differs", { region: "eu" }, { region: "us" }, "mismatch"],
    ["a string in another case", { region: "eu" }, { region: "EU" }, "mismatch"],
    ["a string without its header", { region: "eu" }, {}, "mismatch"],
    ["a string with an empty header", { region: "eu" }, { region: "" }, "mismatch"],
    ["an empty string with an empty header", { region: "" }, { region: "" }, "served"],
    ["an empty string in base64", { region: "" }, { region: base64("") }, "served"],
    ["an empty string without its header", { region: "" }, {}, "mismatch"],
    ["an undecodable string", { region: "eu" }, { region: "=?base64?ZXU?=" }, "mismatch"],
    ["a string that is a number", { region: "42" }, { region: "42" }, "served"],
    ["a string that only as a number is equal", { region: "42" }, { region: "42.0" }, "mismatch"],
    ["a string twice", { region: "eu" }, { region: ["eu", "eu"] }, "mismatch"],
    ...["42", "42.0", "42.000", " 42 ", base64("42")].map((amount) =>
      [`the integer 42 as ${amount}`, { amount: 42 }, { amount }, "served"] as const
    ),
    ...["43", "042", "+42", "0x2a", "0b101010", "4.2e1", "42e0", "42.", ".42", "42.5", "42,0", "4 2", "", "NaN", "٤٢"]
      .map((amount) =>
        [`the integer 42 as ${amount}`, { amount: 42 }, { amount: latin1(amount) }, "mismatch"] as const
      ),
    ["the integer 1000 as 1e3", { amount: 1000 }, { amount: "1e3" }, "mismatch"],
    ["the integer -7 as -7.0", { amount: -7 }, { amount: "-7.0" }, "served"],
    ["the integer 0 as 0", { amount: 0 }, { amount: "0" }, "served"],
    ["the integer 0 as nothing", { amount: 0 }, { amount: "" }, "mismatch"],
    ["the integer 0 without its header", { amount: 0 }, {}, "mismatch"],
    ["the largest integer", { amount: Number.MAX_SAFE_INTEGER }, { amount: "9007199254740991" }, "served"],
    [
      "the largest integer and a half",
      { amount: Number.MAX_SAFE_INTEGER },
      { amount: "9007199254740991.5" },
      "mismatch"
    ],
    [
      "the largest integer, off by one",
      { amount: Number.MAX_SAFE_INTEGER },
      { amount: "9007199254740992" },
      "mismatch"
    ],
    ["true as true", { isLoud: true }, { "is-loud": "true" }, "served"],
    ["false as false", { isLoud: false }, { "IS-LOUD": "false" }, "served"],
    ["false without its header", { isLoud: false }, {}, "mismatch"],
    ...["True", "TRUE", "1", "yes", "false", "", "\"true\""].map((loud) =>
      [`true as ${loud}`, { isLoud: true }, { "is-loud": loud }, "mismatch"] as const
    ),
    ["a nested string", { where: { city: "Bern" } }, { city: "Bern" }, "served"],
    ["a nested string that differs", { where: { city: "Bern" } }, { city: "Basel" }, "mismatch"],
    ["a nested string without its header", { where: { city: "Bern" } }, {}, "mismatch"],
    ["a nested string's header without the string", { where: {} }, { city: "Bern" }, "served"],
    ["no nest, and its header", {}, { city: "Bern" }, "served"],
    ["nothing and no headers", {}, {}, "served"],
    ["no arguments at all", undefined, {}, "served"],
    ["no arguments at all, and headers", undefined, { region: "eu", amount: "0x2a" }, "served"],
    ["an absent string and an undecodable header", {}, { region: "=?base64?x?=" }, "served"],
    ["headers that nobody recognises", { region: "eu" }, { region: "eu", Nonsense: "=?base64?x?=", "": "x" }, "served"],
    ["all of them", { region: "eu", amount: 1, isLoud: true, where: { city: "x" } }, {
      region: "eu",
      amount: "1",
      "is-loud": "true",
      city: "x"
    }, "served"],
    ["the last of them missing", { region: "eu", amount: 1, isLoud: true, where: { city: "x" } }, {
      region: "eu",
      amount: "1",
      "is-loud": "true"
    }, "mismatch"]
  ]

const prefixed = (headers: Headers): Headers =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [`Mcp-Param-${name}`, value]))

layer(wire(), { excludeTestServices: true })("§8.1 to 8.3, headers", (it) => {
  for (const [what, value, fate] of methods) {
    it.effect(`§8.1, Mcp-Method ${what}: ${fate}`, () => meets(claim("tools/list"), { "mcp-method": value }, fate))
  }

  for (const [name, value, fate] of names) {
    it.effect(`§8.2, Mcp-Name ${JSON.stringify(value)} for ${JSON.stringify(name)}: ${fate}`, () =>
      meets(claim("tools/call", { name, arguments: { text: "x" } }), { "mcp-name": value }, fate))
  }

  for (const [method, params, value, fate] of others) {
    it.effect(`§8.1, Mcp-Name ${value} for ${method} ${JSON.stringify(params)}: ${fate}`, () =>
      meets(claim(method, params), { "mcp-name": value }, fate))
  }

  for (const [what, args, headers, fate] of parameters) {
    it.effect(`§8.3, ${what}: ${fate}`, () =>
      meets(claim("tools/call", { name: "mirrored", arguments: args }), prefixed(headers), fate))
  }

  it.effect("§8.3: an argument that is null needs no header, and one is ignored", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      for (const headers of [{}, { region: "eu" }, { region: "=?base64?x?=" }]) {
        const reply = yield* http.post(call("mirrored", { region: null }), prefixed(headers))
        // That null is no string is for the input schema to say, in a result.
        assert.strictEqual(reply.status, 200)
        assert.isUndefined(codeOf(reply.json))
      }
    }))

  it.effect("§8.3: a tool without such headers has nothing to compare", () =>
    meets(echo("x"), prefixed({ region: "us", text: "y" }), "served"))

  it.effect("§8.1: names of headers mean the same in any case", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const reply = yield* http.post(echo("x"), {
        "mcp-protocol-version": undefined,
        "mcp-method": undefined,
        "mcp-name": undefined,
        "MCP-PROTOCOL-VERSION": modern,
        "mCP-mETHOD": "tools/call",
        "Mcp-Name": "echo"
      })
      assert.strictEqual(textOf(reply.json), "x")
    }))

  it.effect("§8.1: says which of the headers it is, Mcp-Method before Mcp-Name", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const refused = (headers: Headers) => Effect.map(http.post(echo("x"), headers), (reply) => messageOf(reply.json))
      assert.include(yield* refused({ "mcp-method": undefined, "mcp-name": undefined }), "Mcp-Method")
      assert.include(yield* refused({ "mcp-method": "x", "mcp-name": "x" }), "Mcp-Method")
      assert.include(yield* refused({ "mcp-name": "x" }), "Mcp-Name")
    }))

  it.effect("§8.1: an older client's requests repeat nothing in headers, and are not held to any", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      for (const version of handshakes) {
        const reply = yield* http.post(oldCall("mirrored", { region: "eu" }), {
          "mcp-protocol-version": version,
          "mcp-method": "nonsense",
          "mcp-name": "=?base64?x?=",
          "mcp-param-region": "us"
        })
        assert.strictEqual(textOf(reply.json), "mirrored")
      }
    }))

  it.scoped("§8.3: a pipe has no headers, and nothing is compared there", () =>
    Effect.gen(function*() {
      const { pipe } = yield* Wire
      const peer = yield* pipe()
      assert.strictEqual(textOf(yield* peer.ask(call("mirrored", { region: "eu", amount: 1 }))), "mirrored")
    }))

  it.effect("§8.1: Mcp-Session-Id and Last-Event-ID mean nothing on 2026-07-28, and never come back", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const reply = yield* http.post(echo("x"), { "mcp-session-id": "x", "last-event-id": "1" })
      assert.strictEqual(textOf(reply.json), "x")
      assert.isUndefined(reply.header("mcp-session-id"))
      assert.strictEqual(codeOf((yield* http.post(plain("tools/list"), { "mcp-session-id": "x" })).json), -32600)
    }))
})
