import { assert, describe, it } from "@effect/vitest"
import * as JsonRpc from "causeway-mcp/protocol/JsonRpc"
import { invalidParams, invalidRequest } from "causeway-mcp/protocol/McpError"
import * as FastCheck from "effect/FastCheck"

const message = (more: object): unknown => ({ jsonrpc: "2.0", ...more })

const character = FastCheck.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code))

describe("JsonRpc.read", () => {
  it("tells a request, a notification, a response and a batch apart", () => {
    assert.deepStrictEqual(JsonRpc.read(message({ id: 1, method: "m", params: { a: 1 } })), {
      _tag: "Request",
      id: 1,
      method: "m",
      params: { a: 1 }
    })
    assert.deepStrictEqual(JsonRpc.read(message({ method: "m" })), { _tag: "Notification", method: "m", params: {} })
    assert.strictEqual(JsonRpc.read(message({ id: 1, result: {} }))._tag, "Response")
    assert.strictEqual(JsonRpc.read(message({ error: { code: 1, message: "" } }))._tag, "Response")
    assert.strictEqual(JsonRpc.read([])._tag, "Batch")
  })

  for (const id of [0, -0, 7, "", "a", "7", Number.MAX_SAFE_INTEGER, "x".repeat(1024)]) {
    it(`accepts the id ${JSON.stringify(id).slice(0, 20)}`, () => {
      const read = JsonRpc.read(message({ id, method: "m" }))
      assert.strictEqual(read._tag === "Request" ? read.id : undefined, id)
    })
  }

  for (const id of [null, 1.5, 2 ** 53, true, {}, [], "x".repeat(1025), "x".repeat(10_000)]) {
    it(`refuses the id ${JSON.stringify(id).slice(0, 20)} and does not repeat it`, () => {
      const read = JsonRpc.read(message({ id, method: "m" }))
      assert.deepInclude(read, { _tag: "Invalid", id: undefined })
    })
  }

  it("refuses the id 2^53+1, which JSON.parse has already changed", () => {
    const read = JsonRpc.read(JSON.parse("{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"method\":\"m\"}"))
    assert.deepInclude(read, { _tag: "Invalid", id: undefined })
  })

  for (
    const [what, broken] of [
      ["a missing version", { id: 5, method: "m" }],
      ["another version", { jsonrpc: "1.0", id: 5, method: "m" }],
      ["a missing method", { jsonrpc: "2.0", id: 5 }],
      ["a method that is no string", { jsonrpc: "2.0", id: 5, method: 1 }],
      ["a null method beside a result", { jsonrpc: "2.0", id: 5, method: null, result: {} }],
      ["params in an array", { jsonrpc: "2.0", id: 5, method: "m", params: [] }],
      ["params that are null", { jsonrpc: "2.0", id: 5, method: "m", params: null }]
    ] as const
  ) {
    it(`refuses ${what} and repeats the id`, () => {
      assert.deepInclude(JsonRpc.read(broken), { _tag: "Invalid", id: 5 })
    })
  }

  it("refuses what is no object", () => {
    for (const value of [null, 1, "x", true, undefined]) assert.strictEqual(JsonRpc.read(value)._tag, "Invalid")
  })

  it("takes the last of duplicate keys, as JSON.parse does", () => {
    const read = JsonRpc.read(JSON.parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"a\",\"method\":\"b\"}"))
    assert.deepInclude(read, { _tag: "Request", id: 2, method: "b" })
  })
})

describe("JsonRpc encoding", () => {
  it("writes an id with the type it came with", () => {
    assert.strictEqual(JsonRpc.result(0, "{}"), "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}")
    assert.strictEqual(JsonRpc.result("0", "{}"), "{\"jsonrpc\":\"2.0\",\"id\":\"0\",\"result\":{}}")
    assert.strictEqual(JsonRpc.result("", "{}"), "{\"jsonrpc\":\"2.0\",\"id\":\"\",\"result\":{}}")
    assert.strictEqual(
      JsonRpc.result(Number.MAX_SAFE_INTEGER, "{}"),
      "{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,\"result\":{}}"
    )
  })

  it("gives back any id that it read", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof(FastCheck.string({ unit: character }), FastCheck.maxSafeInteger()), (id) => {
        const read = JsonRpc.read(JSON.parse(JSON.stringify(message({ id, method: "m" }))))
        if (read._tag !== "Request") throw new Error("not read")
        assert.strictEqual(JSON.parse(JsonRpc.result(read.id, "{}")).id, read.id)
      })
    )
  })

  it("writes an error without an id, with null, and with data", () => {
    assert.strictEqual(
      JsonRpc.error(undefined, invalidRequest("no")),
      "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"no\"}}"
    )
    assert.strictEqual(
      JsonRpc.error(null, invalidRequest("no")),
      "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"no\"}}"
    )
    assert.strictEqual(
      JsonRpc.error("a\"b", invalidParams("line\nend", { uri: "x://y" })),
      "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"error\":{\"code\":-32602,\"message\":\"line\\nend\",\"data\":{\"uri\":\"x://y\"}}}"
    )
  })

  it("writes a notification on one line", () => {
    assert.strictEqual(
      JsonRpc.notification("notifications/x", { a: "\n" }),
      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{\"a\":\"\\n\"}}"
    )
  })
})
