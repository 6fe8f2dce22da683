import { assert, describe, it } from "@effect/vitest"
import * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import * as Era from "causeway-mcp/protocol/Era"
import * as JsonRpc from "causeway-mcp/protocol/JsonRpc"
import * as V2025_03_26 from "causeway-mcp/protocol/revision/V2025_03_26"
import * as V2025_06_18 from "causeway-mcp/protocol/revision/V2025_06_18"
import * as V2025_11_25 from "causeway-mcp/protocol/revision/V2025_11_25"
import * as Revisions from "causeway-mcp/protocol/Revisions"
import type { Json } from "./Conversation.js"
import { clientCapabilities, meta, protocolVersion, request } from "./Conversation.js"

const legacy = ["2025-11-25", "2025-06-18", "2025-03-26"]

const post = (message: unknown, header?: string): Era.Verdict => Era.post(JsonRpc.read(message), header)

/** The request that a message cancels. */
const cancelled = ({ tells }: Era.Heard): unknown => {
  const [tell] = tells
  return tell?._tag === "Cancel" ? tell.id : undefined
}

const refused = (verdict: Era.Verdict): Era.Refused => {
  assert.strictEqual(verdict._tag, "Refused", JSON.stringify(verdict))
  return verdict as Era.Refused
}

/** Asserts a refusal by its row, status and code. */
const refuses = (verdict: Era.Verdict, row: number, status: number, code: number): Era.Refused => {
  const refusal = refused(verdict)
  assert.deepStrictEqual([refusal.row, refusal.status, refusal.error.code], [row, status, code])
  return refusal
}

const is = (verdict: Era.Verdict, row: number, tag: Era.Verdict["_tag"]) =>
  assert.deepStrictEqual([verdict.row, verdict._tag], [row, tag])

const claim = (method: string, more: Json = {}, id: unknown = 1): Json => request(method, { _meta: meta(more) }, id)

const initialize = request("initialize", {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "c", version: "1" }
})

const told = (params?: Json): Json => ({
  jsonrpc: "2.0",
  method: "notifications/x",
  ...(params === undefined ? {} : { params })
})

describe("the HTTP table (15.1)", () => {
  it("row 4 answers what is not JSON with 400 and -32700, without an id", () => {
    const { unparsable } = Dispatcher.make<null>({
      server: { name: "s", version: "1" },
      cache: { ttlMs: 0, scope: "private" }
    })
    assert.strictEqual(unparsable.status, 400)
    assert.strictEqual(
      unparsable.body,
      "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"Parse error: not JSON\"}}"
    )
  })

  it("row 5 refuses an array in which anything makes a claim, even something invalid", () => {
    const ping = request("ping")
    for (const header of [undefined, "2025-03-26", "2025-11-25", "2026-07-28"]) {
      const refusal = refuses(post([ping, claim("tools/list")], header), 5, 400, -32600)
      assert.strictEqual(refusal.id, undefined)
      refuses(post([{ params: { _meta: meta() } }], header), 5, 400, -32600)
      refuses(post([1, claim("tools/list")], header), 5, 400, -32600)
    }
  })

  it("row 6 refuses an empty array, and one with anything invalid in it", () => {
    for (const items of [[], [1], [null], [[]], [request("ping"), {}], [request("ping", undefined, null)]]) {
      const refusal = refuses(post(items), 6, 400, -32600)
      assert.strictEqual(refusal.id, null)
    }
  })

  it("row 6 refuses an array of more than a hundred messages", () => {
    const many = (count: number) => Array.from({ length: count }, (_, id) => request("ping", undefined, id))
    is(post(many(100)), 7, "Batch")
    refuses(post(many(101)), 6, 400, -32600)
  })

  it("row 7 takes an array as a batch without a header and under 2025-03-26 only", () => {
    const items = [request("ping"), told(), { jsonrpc: "2.0", id: 4, result: {} }]
    for (const header of [undefined, "2025-03-26"]) {
      const verdict = post(items, header)
      is(verdict, 7, "Batch")
      assert.strictEqual(verdict._tag === "Batch" ? verdict.revision : undefined, V2025_03_26.revision)
    }
    for (const header of ["2025-06-18", "2025-11-25", "2024-11-05"]) {
      assert.strictEqual(refuses(post(items, header), 7, 400, -32600).id, null)
    }
    assert.strictEqual(refuses(post(items, "2026-07-28"), 7, 400, -32600).id, undefined)
  })

  it("row 8 hears a posted response, and refuses it when the header looks modern", () => {
    for (const response of [{ jsonrpc: "2.0", id: 1, result: {} }, { jsonrpc: "2.0", error: { code: 1 } }]) {
      for (const header of [undefined, ...legacy]) is(post(response, header), 8, "Heard")
      for (const header of ["2026-07-28", "v999.0.0"]) refuses(post(response, header), 8, 400, -32600)
    }
  })

  it("row 9 refuses what is no message, and repeats the id when it can be read", () => {
    assert.strictEqual(refuses(post({ jsonrpc: "2.0", id: 7 }), 9, 400, -32600).id, 7)
    assert.strictEqual(refuses(post(request("ping", undefined, null)), 9, 400, -32600).id, null)
    assert.strictEqual(refuses(post(null), 9, 400, -32600).id, null)
    assert.strictEqual(refuses(post("x", "2025-06-18"), 9, 400, -32600).id, null)
    assert.strictEqual(refuses(post("x", "2026-07-28"), 9, 400, -32600).id, undefined)
    assert.strictEqual(refuses(post(claim("tools/list", {}, null)), 9, 400, -32600).id, undefined)
  })

  for (
    const [what, more] of [
      ["a version that is no string", { [protocolVersion]: 20260728 }],
      ["a null version", { [protocolVersion]: null }],
      ["no capabilities", { [clientCapabilities]: undefined }],
      ["capabilities that are an array", { [clientCapabilities]: [] }],
      ["capabilities that are null", { [clientCapabilities]: null }],
      ["a client without a version", { "io.modelcontextprotocol/clientInfo": { name: "c" } }],
      ["a client that is a string", { "io.modelcontextprotocol/clientInfo": "c" }],
      ["a client with a title that is no string", {
        "io.modelcontextprotocol/clientInfo": { name: "c", version: "1", title: 1 }
      }],
      ["an unknown log level", { "io.modelcontextprotocol/logLevel": "loud" }],
      ["a fractional progress token", { progressToken: 1.5 }],
      ["a null progress token", { progressToken: null }],
      ["an endless progress token", { progressToken: "x".repeat(1025) }]
    ] as ReadonlyArray<readonly [string, Json]>
  ) {
    it(`row 10 refuses a claim with ${what}, and names the key`, () => {
      const key = Object.keys(more)[0] ?? ""
      // As it arrives: a key whose value is undefined is not there.
      const message = JSON.parse(JSON.stringify(claim("tools/list", more)))
      for (const header of [undefined, "2026-07-28", "2025-11-25"]) {
        const refusal = refuses(post(message, header), 10, 400, -32602)
        assert.include(refusal.error.message, key)
        assert.strictEqual(refusal.id, 1)
      }
    })
  }

  it("row 11 refuses a claim that differs from the header, whatever both are", () => {
    for (const header of ["2025-11-25", "2027-01-01", "2026-07-28, 2026-07-28", ""]) {
      refuses(post(claim("tools/list"), header), 11, 400, -32020)
    }
    refuses(post(claim("tools/list", { [protocolVersion]: "v999.0.0" }), "2026-07-28"), 11, 400, -32020)
  })

  it("row 12 refuses a claim of a version that is not served, handshake versions included", () => {
    for (const version of ["v999.0.0", "2027-01-01", "2025-11-25", "", "__proto__", "constructor"]) {
      for (const header of [undefined, version]) {
        const refusal = refuses(post(claim("initialize", { [protocolVersion]: version }), header), 12, 400, -32022)
        assert.deepStrictEqual(refusal.error.data, { supported: ["2026-07-28"], requested: version })
      }
    }
  })

  it("row 13 refuses a good claim without a header", () => {
    refuses(post(claim("tools/list")), 13, 400, -32020)
  })

  it("row 14 takes a claim that agrees with the header", () => {
    for (const method of ["tools/list", "initialize", "ping", "no/such"]) {
      const verdict = post(claim(method), "2026-07-28")
      is(verdict, 14, "Stateless")
      assert.strictEqual(verdict._tag === "Stateless" ? verdict.revision.version : "", "2026-07-28")
    }
  })

  it("row 14 does not need to know the client", () => {
    const verdict = post(claim("tools/list"), "2026-07-28")
    assert.strictEqual(verdict._tag === "Stateless" ? verdict.envelope.clientInfo : null, undefined)
  })

  it("row 15 refuses an initialize under a modern header", () => {
    for (const header of ["2026-07-28", "2027-01-01", "v999.0.0"]) refuses(post(initialize, header), 15, 400, -32020)
  })

  it("row 16 takes an initialize, and ignores any other header", () => {
    for (const header of [undefined, ...legacy, "2024-11-05", "", "1.0"]) is(post(initialize, header), 16, "Opening")
  })

  it("row 17 refuses a request without a claim under a modern header, and names what is missing", () => {
    for (const header of ["2026-07-28", "2027-01-01", "v999.0.0"]) {
      for (const method of ["tools/list", "ping", "server/discover"]) {
        const both = refuses(post(request(method), header), 17, 400, -32602)
        assert.include(both.error.message, protocolVersion)
        assert.include(both.error.message, clientCapabilities)
        const one = refuses(post(request(method, { _meta: { [clientCapabilities]: {} } }), header), 17, 400, -32602)
        assert.include(one.error.message, protocolVersion)
        assert.notInclude(one.error.message, clientCapabilities)
        refuses(post(request(method, { _meta: 5 }), header), 17, 400, -32602)
      }
    }
  })

  it("row 18 refuses an older version that nobody serves, and lists all that are", () => {
    for (const header of ["2024-11-05", "2025-01-01", "", "1.0", "2025-11-25, 2025-11-25"]) {
      const refusal = refuses(post(request("tools/list"), header), 18, 400, -32022)
      assert.deepStrictEqual(refusal.error.data, { supported: ["2026-07-28", ...legacy], requested: header })
    }
  })

  it("row 19 serves the version in the header, and 2025-03-26 without one", () => {
    const under = (header: string | undefined, message: unknown = request("tools/list")) => {
      const verdict = post(message, header)
      is(verdict, 19, "Settled")
      return verdict._tag === "Settled" ? verdict.revision.version : undefined
    }
    for (const header of legacy) assert.strictEqual(under(header), header)
    assert.strictEqual(under(undefined), "2025-03-26")
    assert.strictEqual(under(undefined, request("server/discover")), "2025-03-26")
    assert.strictEqual(under("2025-11-25", request("tools/list", { _meta: { progressToken: 1 } })), "2025-11-25")
    assert.strictEqual(
      under("2025-11-25", request("tools/list", { _meta: { [clientCapabilities]: {} } })),
      "2025-11-25"
    )
  })

  it("row 20 hears a modern notification, and refuses one whose claim differs from the header", () => {
    is(post(told({ _meta: meta() }), "2026-07-28"), 20, "Heard")
    is(post(told({ _meta: meta() })), 20, "Heard")
    is(post(told(), "2026-07-28"), 20, "Heard")
    is(post(told(), "v999.0.0"), 20, "Heard")
    const refusal = refuses(post(told({ _meta: meta() }), "2025-11-25"), 20, 400, -32020)
    assert.strictEqual(refusal.id, undefined)
    refuses(post(told({ _meta: meta({ [protocolVersion]: 1 }) }), "2026-07-28"), 20, 400, -32020)
  })

  it("row 21 hears any other notification", () => {
    for (const header of [undefined, ...legacy, "2024-11-05"]) is(post(told(), header), 21, "Heard")
  })

  it("row 20 cancels nothing, since losing the connection does; row 21 passes a cancel on", () => {
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } }
    for (const [header, id] of [["2026-07-28", undefined], [undefined, 1], ["2025-11-25", 1]] as const) {
      const verdict = post(cancel, header)
      assert.deepStrictEqual(verdict._tag === "Heard" ? cancelled(verdict) : null, id)
    }
  })
})

describe("the pipe table (15.2)", () => {
  const line = (message: unknown, settled?: string): Era.Verdict =>
    Era.line(JsonRpc.read(message), settled === undefined ? undefined : Revisions.negotiate(settled))

  it("row 1 answers what is not JSON with -32700, without an id", () => {
    const { unparsable } = Dispatcher.make<null>({
      server: { name: "s", version: "1" },
      cache: { ttlMs: 0, scope: "private" }
    })
    const body = JSON.parse(unparsable.body ?? "")
    assert.strictEqual(body.error.code, -32700)
    assert.isFalse(Object.hasOwn(body, "id"))
  })

  it("row 2 takes an array under 2025-03-26 only", () => {
    is(line([request("ping")], "2025-03-26"), 2, "Batch")
    for (const settled of ["2025-06-18", "2025-11-25"]) {
      assert.strictEqual(refuses(line([request("ping")], settled), 2, 400, -32600).id, null)
    }
    assert.strictEqual(refuses(line([request("ping")]), 2, 400, -32600).id, undefined)
    for (const items of [[], [1], [claim("tools/list")], Array.from({ length: 101 }, () => told())]) {
      refuses(line(items, "2025-03-26"), 2, 400, -32600)
    }
  })

  it("row 3 hears a response", () => {
    for (const settled of [undefined, ...legacy]) is(line({ jsonrpc: "2.0", id: 1, result: {} }, settled), 3, "Heard")
  })

  it("row 4 takes a claim at any time, and refuses a broken or unknown one", () => {
    for (const settled of [undefined, ...legacy]) {
      for (const method of ["server/discover", "initialize", "tools/call"]) {
        is(line(claim(method), settled), 4, "Stateless")
      }
      refuses(line(claim("tools/list", { [clientCapabilities]: 1 }), settled), 4, 400, -32602)
      refuses(line(claim("tools/list", { [protocolVersion]: null }), settled), 4, 400, -32602)
      for (const version of ["2025-11-25", "2027-01-01"]) {
        const refusal = refuses(line(claim("tools/list", { [protocolVersion]: version }), settled), 4, 400, -32022)
        assert.deepStrictEqual(refusal.error.data, { supported: ["2026-07-28"], requested: version })
      }
    }
  })

  it("row 5 takes the first initialize and refuses a second", () => {
    is(line(initialize), 5, "Opening")
    for (const settled of legacy) assert.strictEqual(refuses(line(initialize, settled), 5, 400, -32600).id, 1)
  })

  it("row 6 serves the version that was settled", () => {
    for (const revision of [V2025_11_25.revision, V2025_06_18.revision, V2025_03_26.revision]) {
      const verdict = line(request("tools/list"), revision.version)
      is(verdict, 6, "Settled")
      assert.strictEqual(verdict._tag === "Settled" ? verdict.revision : undefined, revision)
    }
  })

  it("row 7 answers ping before anything is settled, and asks for a claim or an initialize otherwise", () => {
    is(line(request("ping")), 7, "Settled")
    for (const method of ["tools/list", "server/discover", "no/such"]) {
      const refusal = refuses(line(request(method)), 7, 400, -32602)
      assert.include(refusal.error.message, protocolVersion)
      assert.include(refusal.error.message, "initialize")
    }
  })

  it("row 8 cancels by id, of either type, in either era", () => {
    const cancel = (requestId: unknown, more: Json = {}): Json => ({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId, ...more }
    })
    for (const settled of [undefined, ...legacy]) {
      for (const id of [0, 7, "7", ""]) {
        const verdict = line(cancel(id), settled)
        is(verdict, 8, "Heard")
        assert.strictEqual(verdict._tag === "Heard" ? cancelled(verdict) : undefined, id)
        const claimed = line(cancel(id, { _meta: meta() }), settled)
        assert.strictEqual(claimed._tag === "Heard" ? cancelled(claimed) : undefined, id)
      }
      for (const id of [undefined, null, 1.5, {}, "x".repeat(2000)]) {
        const verdict = line(cancel(id), settled)
        is(verdict, 8, "Heard")
        assert.deepStrictEqual(verdict._tag === "Heard" ? cancelled(verdict) : null, undefined)
      }
    }
  })

  it("row 9 hears any other notification", () => {
    for (const settled of [undefined, ...legacy]) {
      is(line({ jsonrpc: "2.0", method: "notifications/initialized" }, settled), 9, "Heard")
      is(line(told({ _meta: meta() }), settled), 9, "Heard")
    }
  })

  it("refuses what is no message, for which there is no row", () => {
    assert.strictEqual(refuses(line(5), 0, 400, -32600).id, undefined)
    assert.strictEqual(refuses(line(5, "2025-11-25"), 0, 400, -32600).id, null)
    assert.strictEqual(refuses(line({ jsonrpc: "2.0", id: "a" }), 0, 400, -32600).id, "a")
  })
})
