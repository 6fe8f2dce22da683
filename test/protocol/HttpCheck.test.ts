import { assert, describe, it } from "@effect/vitest"
import * as HeaderValue from "causeway-mcp/protocol/HeaderValue"
import type { Json } from "./Conversation.js"
import { errorOf, headers, modern, now, parsed, peer, protocolVersion, request } from "./Conversation.js"

const call = modern("tools/call", { name: "greet" })
const good = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "greet" }

const answer = (message: Json, given: { readonly [name: string]: string | undefined }) => {
  const reply = now(peer().post(message, headers(given)))
  const { body, status } = parsed(reply)
  return { status, code: body?.error === undefined ? undefined : errorOf(reply).code, id: body?.id }
}

const mismatch = { status: 400, code: -32020, id: 1 }
const fine = { status: 200, code: undefined, id: 1 }

describe("the headers of a request of 2026-07-28 over HTTP", () => {
  it("passes when all of them agree with the body", () => assert.deepStrictEqual(answer(call, good), fine))

  it("takes blanks off both ends of each", () => {
    const padded = Object.fromEntries(Object.entries(good).map(([name, value]) => [name, ` \t${value} `]))
    assert.deepStrictEqual(answer(call, padded), fine)
  })

  it("refuses a missing, empty or different Mcp-Method, also in another case", () => {
    for (const method of [undefined, "", "tools/list", "TOOLS/CALL", "tools/call, tools/call"]) {
      assert.deepStrictEqual(answer(call, { ...good, "mcp-method": method }), mismatch)
    }
  })

  it("does not decode Mcp-Method", () => {
    const encoded = `=?base64?${btoa("tools/call")}?=`
    assert.deepStrictEqual(answer(call, { ...good, "mcp-method": encoded }), mismatch)
  })

  it("refuses a missing, empty, different or undecodable Mcp-Name", () => {
    for (const name of [undefined, "", "Greet", "greet2", "=?base64?Z3JlZXQ?=", "=?BASE64?Z3JlZXQ=?=", "gré"]) {
      assert.deepStrictEqual(answer(call, { ...good, "mcp-name": name }), mismatch)
    }
  })

  it("decodes Mcp-Name before it compares", () => {
    assert.deepStrictEqual(answer(call, { ...good, "mcp-name": "=?base64?Z3JlZXQ=?=" }), fine)
    for (const name of ["grüß 💡", " blank ", "=?base64?Z3JlZXQ=?="]) {
      const message = modern("tools/call", { name })
      assert.deepStrictEqual(answer(message, { ...good, "mcp-name": HeaderValue.encode(name) }), fine)
    }
  })

  it("tells an empty Mcp-Name from an absent one", () => {
    const message = modern("tools/call", { name: "" })
    assert.deepStrictEqual(answer(message, { ...good, "mcp-name": "" }), fine)
    assert.deepStrictEqual(answer(message, { ...good, "mcp-name": "=?base64??=" }), fine)
    assert.deepStrictEqual(answer(message, { ...good, "mcp-name": undefined }), mismatch)
  })

  it("compares Mcp-Name with the name of a prompt and the URI of a resource", () => {
    for (const [method, key] of [["prompts/get", "name"], ["resources/read", "uri"]] as const) {
      const message = modern(method, { [key]: "greet" })
      // The server has neither, which is found out only after the headers agree.
      assert.deepStrictEqual(answer(message, { ...good, "mcp-method": method }), { status: 404, code: -32601, id: 1 })
      assert.deepStrictEqual(answer(message, { ...good, "mcp-method": method, "mcp-name": "x" }), mismatch)
      assert.deepStrictEqual(answer(message, { ...good, "mcp-method": method, "mcp-name": undefined }), mismatch)
    }
  })

  it("refuses a name in the body that is no string", () => {
    assert.deepStrictEqual(answer(modern("tools/call", { name: 7 }), { ...good, "mcp-name": "7" }), mismatch)
  })

  it("needs no Mcp-Name where nothing is named, and ignores one", () => {
    const list = { ...good, "mcp-method": "tools/list" }
    assert.deepStrictEqual(answer(modern("tools/list"), { ...list, "mcp-name": undefined }), fine)
    assert.deepStrictEqual(answer(modern("tools/list"), { ...list, "mcp-name": "anything" }), fine)
  })

  it("compares with the last of duplicate keys in the body, which is the one that is served", () => {
    const text = JSON.stringify(call).replace("\"method\":", "\"method\":\"tools/list\",\"method\":")
    assert.deepStrictEqual(answer(JSON.parse(text), good), fine)
    assert.deepStrictEqual(answer(JSON.parse(text), { ...good, "mcp-method": "tools/list" }), mismatch)
  })
})

describe("the order of checks over HTTP (5)", () => {
  /** Fails every step from the envelope on; each entry mends one more step. */
  const steps: ReadonlyArray<readonly [string, Json, Record<string, string | undefined>, number, number]> = [
    [
      "the envelope comes before the header",
      request("no/such", { _meta: { [protocolVersion]: "v999.0.0" } }),
      { "mcp-protocol-version": "2026-07-28" },
      400,
      -32602
    ],
    [
      "the header comes before the version",
      modern("no/such", { _meta: { [protocolVersion]: "v999.0.0" } }),
      { "mcp-protocol-version": "2026-07-28" },
      400,
      -32020
    ],
    [
      "the version comes before Mcp-Method",
      modern("no/such", { _meta: { [protocolVersion]: "v999.0.0" } }),
      { "mcp-protocol-version": "v999.0.0" },
      400,
      -32022
    ],
    ["Mcp-Method comes before the method", modern("no/such"), { "mcp-protocol-version": "2026-07-28" }, 400, -32020],
    [
      "Mcp-Method comes before Mcp-Name",
      modern("tools/call", { name: 5 }),
      { "mcp-protocol-version": "2026-07-28", "mcp-method": "x", "mcp-name": "y" },
      400,
      -32020
    ],
    [
      "the method comes before its parameters",
      modern("completion/complete", { ref: 5 }),
      { "mcp-protocol-version": "2026-07-28", "mcp-method": "completion/complete" },
      404,
      -32601
    ],
    [
      "the parameters come last, inside a 200",
      modern("tools/list", { cursor: 5 }),
      { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" },
      200,
      -32602
    ]
  ]
  for (const [name, message, given, status, code] of steps) {
    it(`has an order: ${name}`, () => assert.deepStrictEqual(answer(message, given), { status, code, id: 1 }))
  }
})
