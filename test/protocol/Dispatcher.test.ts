import { assert, describe, it } from "@effect/vitest"
import * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import type { Handlers } from "causeway-mcp/protocol/Handlers"
import { invalidParams, McpError, missingClientCapability } from "causeway-mcp/protocol/McpError"
import type { ToolPage } from "causeway-mcp/protocol/McpSchema"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Json } from "./Conversation.js"
import {
  clientCapabilities,
  errorOf,
  headers,
  meta,
  modern,
  modernEnd,
  now,
  parsed,
  peer,
  request,
  server,
  small,
  text,
  withCall
} from "./Conversation.js"

const call = modern("tools/call", { name: "t" })
const legacyCall = request("tools/call", { name: "t" })

const removed = ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]
const unserved = ["subscriptions/listen", "tasks/get", "tasks/update", "tasks/cancel", "sampling/createMessage"]
const odd = ["", "no/such", "TOOLS/CALL", "__proto__", "constructor", "toString", "hasOwnProperty"]

describe("Dispatcher, method by method", () => {
  for (const method of [...removed, ...unserved, ...odd]) {
    it(`does not find ${JSON.stringify(method)} on 2026-07-28: 404 with a body and the id`, () => {
      const { line, postModern } = peer()
      for (const exchange of [postModern(modern(method, {}, "a")), line(modern(method, {}, "a"))]) {
        const reply = now(exchange)
        assert.deepStrictEqual([reply.status, errorOf(reply).code, parsed(reply).body?.id], [404, -32601, "a"])
      }
    })
  }

  for (const version of ["2025-11-25", "2025-06-18", "2025-03-26"]) {
    const methods = [...removed.filter((method) => method !== "initialize" && method !== "ping"), ...unserved, ...odd]
    for (const method of [...methods, "server/discover", "tasks/list", "tasks/result"]) {
      it(`does not find ${JSON.stringify(method)} on ${version}: -32601 inside a 200`, () => {
        const { line, postLegacy } = peer()
        for (const exchange of [postLegacy(version, request(method)), line(request(method), version)]) {
          const reply = now(exchange)
          assert.deepStrictEqual([reply.status, errorOf(reply).code, parsed(reply).body?.id], [200, -32601, 1])
        }
      })
    }
  }

  it("does not find the methods of a group that is absent, and does not declare it", () => {
    const { line } = peer(small)
    for (
      const method of [
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete"
      ]
    ) {
      assert.strictEqual(errorOf(now(line(modern(method)))).code, -32601)
      assert.strictEqual(errorOf(now(line(request(method), "2025-11-25"))).code, -32601)
    }
    const discovered = parsed(now(line(modern("server/discover")))).body?.result as Json
    assert.deepStrictEqual(discovered.capabilities, { tools: {} })
  })

  it("declares nothing for a server that serves nothing", () => {
    const { line } = peer({ server, cache: { ttlMs: 0, scope: "private" } })
    assert.strictEqual(errorOf(now(line(modern("tools/list")))).code, -32601)
    const discovered = parsed(now(line(modern("server/discover")))).body?.result as Json
    assert.deepStrictEqual(discovered.capabilities, {})
  })

  it("declares changes of lists only where they can be told", () => {
    const changing: Handlers<string> = {
      ...small,
      tools: { ...withCall(() => Effect.never).tools, listChanged: true } as NonNullable<Handlers<string>["tools"]>
    }
    const { line, post } = peer(changing)
    const initialize = request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "c", version: "1" }
    })
    const declared = (exchange: Dispatcher.Exchange) => (parsed(now(exchange)).body?.result as Json).capabilities
    assert.deepStrictEqual(declared(line(initialize)), { tools: { listChanged: true } })
    assert.deepStrictEqual(declared(post(initialize)), { tools: {} })
    assert.deepStrictEqual(declared(peer(changing, { hasSessions: true }).post(initialize)), {
      tools: { listChanged: true }
    })
    assert.deepStrictEqual(declared(line(modern("server/discover"))), { tools: {} })
    const listening = peer({ ...changing, listen: () => Effect.never })
    assert.deepStrictEqual(declared(listening.line(modern("server/discover"))), { tools: { listChanged: true } })
  })
})

describe("Dispatcher, what an exchange says", () => {
  it("cancels a request of 2026-07-28 with its connection, and no other", () => {
    const { line, postLegacy, postModern } = peer()
    assert.isTrue(postModern(call).cancelledByDisconnect)
    assert.isTrue(line(call).cancelledByDisconnect)
    for (const version of ["2025-11-25", "2025-06-18", "2025-03-26"]) {
      assert.isFalse(postLegacy(version, legacyCall).cancelledByDisconnect)
      assert.isFalse(line(legacyCall, version).cancelledByDisconnect)
    }
  })

  it("names the request, also when it is refused", () => {
    const { line, post } = peer()
    assert.strictEqual(line(call).id, 1)
    assert.strictEqual(post(call).id, 1)
    assert.strictEqual(line(request("no/such", undefined, "a"), "2025-11-25").id, "a")
    assert.strictEqual(line({ jsonrpc: "2.0", id: 0 }).id, 0)
    assert.isUndefined(line({ jsonrpc: "2.0", method: "notifications/initialized" }).id)
    assert.isUndefined(line(5).id)
  })

  it("passes on a cancel of a line or of an older client", () => {
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "7", reason: "bored" } }
    const { line, post, postLegacy } = peer()
    const tells: ReadonlyArray<Dispatcher.Tell> = [{ _tag: "Cancel", id: "7" }]
    assert.deepStrictEqual(line(cancel).tells, tells)
    assert.deepStrictEqual(line(cancel, "2025-11-25").tells, tells)
    assert.deepStrictEqual(postLegacy("2025-11-25", cancel).tells, tells)
    assert.deepStrictEqual(line({ ...cancel, params: {} }).tells, [])
    assert.deepStrictEqual(post(cancel, headers({ "mcp-protocol-version": "2026-07-28" })).tells, [])
  })

  it("settles a handshake with what the client said", () => {
    const params = {
      protocolVersion: "2025-06-18",
      capabilities: { roots: {} },
      clientInfo: { name: "c", version: "1", title: "C" }
    }
    const exchange = peer().line(request("initialize", params))
    assert.deepStrictEqual(exchange.handshake, {
      version: "2025-06-18",
      clientCapabilities: { roots: {} },
      clientInfo: { name: "c", version: "1", title: "C" }
    })
  })

  for (
    const [what, params] of [
      ["a version", { capabilities: {}, clientInfo: { name: "c", version: "1" } }],
      ["capabilities", { protocolVersion: "2025-11-25", clientInfo: { name: "c", version: "1" } }],
      ["a client", { protocolVersion: "2025-11-25", capabilities: {} }],
      ["a client's version", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c" } }]
    ] as const
  ) {
    it(`settles nothing without ${what}`, () => {
      const { line, post } = peer()
      for (const exchange of [line(request("initialize", params)), post(request("initialize", params))]) {
        assert.strictEqual(errorOf(now(exchange)).code, -32602)
        assert.isUndefined(exchange.handshake)
      }
    })
  }

  it("accepts notifications and responses with 202 and nothing to say", () => {
    const { line, post, postLegacy } = peer()
    const initialized = { jsonrpc: "2.0", method: "notifications/initialized" }
    const response = { jsonrpc: "2.0", id: 1, result: {} }
    for (const exchange of [line(initialized), post(initialized), postLegacy("2025-11-25", response), line(response)]) {
      assert.deepStrictEqual(now(exchange), { status: 202, body: undefined })
    }
  })
})

describe("Dispatcher, asking handlers", () => {
  it("tells the handler who asks, in which revision, and what came with it", () => {
    const contexts: Array<Json> = []
    const { dispatcher, line } = peer(withCall(({ log: _log, progress: _progress, ...context }) => {
      contexts.push(context)
      return Effect.succeed(text(""))
    }))
    const clientInfo = { name: "c", version: "1" }
    const said = meta({
      "io.modelcontextprotocol/clientInfo": clientInfo,
      [clientCapabilities]: { sampling: {} },
      "com.example/x": 1
    })
    now(line(request("tools/call", { name: "t", _meta: said }, "a")))
    now(dispatcher.line(
      request("tools/call", { name: "t", _meta: { "com.example/x": 2 } }, 2),
      { version: "2025-06-18", clientCapabilities: { roots: {} }, clientInfo },
      { caller: "bob", notify: () => true, canStream: true, timeoutMs: 1500 }
    ))
    now(line(legacyCall, "2025-03-26"))
    assert.deepStrictEqual(contexts, [
      {
        caller: "alice",
        requestId: "a",
        revision: "2026-07-28",
        clientCapabilities: { sampling: {} },
        clientInfo,
        timeoutMs: undefined,
        noted: undefined,
        meta: said
      },
      {
        caller: "bob",
        requestId: 2,
        revision: "2025-06-18",
        clientCapabilities: { roots: {} },
        clientInfo,
        timeoutMs: 1500,
        noted: undefined,
        meta: { "com.example/x": 2 }
      },
      {
        caller: "alice",
        requestId: 1,
        revision: "2025-03-26",
        clientCapabilities: {},
        clientInfo: undefined,
        timeoutMs: undefined,
        noted: undefined,
        meta: {}
      }
    ])
  })

  it.effect("waits for a handler that has to wait", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { line } = peer(withCall(() => Effect.as(Deferred.await(gate), text("late"))))
      const exchange = line(call)
      assert.isFalse(Exit.isExit(exchange.reply))
      const fiber = yield* Effect.fork(exchange.reply)
      yield* Deferred.succeed(gate, undefined)
      const reply = yield* Fiber.join(fiber)
      assert.strictEqual(
        reply.body,
        `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"late"}]${modernEnd}}`
      )
    }))

  it("has the reply at once when the handler has, also when that is a refusal", () => {
    const refusing = peer(withCall(() => Exit.fail(invalidParams("Unknown tool: t"))))
    for (const exchange of [refusing.postModern(call), refusing.postLegacy("2025-11-25", legacyCall)]) {
      const reply = now(exchange)
      assert.strictEqual(reply.status, 200)
      assert.deepStrictEqual(errorOf(reply), { code: -32602, message: "Unknown tool: t" })
    }
  })

  it.effect("says the same when a refusal takes time", () =>
    Effect.gen(function*() {
      const refusal = Effect.fail(invalidParams("Unknown tool: t"))
      for (const answer of [refusal, Effect.zipRight(Effect.yieldNow(), refusal), invalidParams("Unknown tool: t")]) {
        const reply = yield* peer(withCall(() => answer)).line(call).reply
        assert.deepStrictEqual(errorOf(reply), { code: -32602, message: "Unknown tool: t" })
      }
    }))

  it("gives the old code for a missing resource to resources alone", () => {
    const { line } = peer(withCall(() => Exit.fail(invalidParams("no such page", { uri: "x://y" }))))
    assert.strictEqual(errorOf(now(line(legacyCall, "2025-11-25"))).code, -32602)
  })

  it("answers a missing client capability with 400 on 2026-07-28, and other errors with 200", () => {
    const statusOf = (error: McpError) => now(peer(withCall(() => Exit.fail(error))).postModern(call)).status
    assert.strictEqual(statusOf(missingClientCapability({ sampling: {} })), 400)
    for (const code of [-32020, -32022, -32601, -32602, -32603, 5]) {
      assert.strictEqual(statusOf(new McpError({ code, message: "relayed" })), 200)
    }
  })
})

describe("Dispatcher, lists", () => {
  it("writes a page once for each revision, as long as the page is the same object", () => {
    let reads = 0
    const page: ToolPage = {
      get tools() {
        reads++
        return []
      },
      cache: { ttlMs: 1, scope: "public" }
    }
    const { line } = peer({
      ...small,
      tools: { listChanged: false, list: () => Effect.succeed(page), call: () => Effect.never }
    })
    const first = now(line(modern("tools/list", {}, 1)))
    const second = now(line(modern("tools/list", {}, "b")))
    assert.strictEqual(reads, 1)
    now(line(request("tools/list"), "2025-11-25"))
    now(line(request("tools/list"), "2025-11-25"))
    assert.strictEqual(reads, 2)
    const body = `"result":{"tools":[],"ttlMs":1,"cacheScope":"public"${modernEnd}}`
    assert.strictEqual(first.body, `{"jsonrpc":"2.0","id":1,${body}`)
    assert.strictEqual(second.body, `{"jsonrpc":"2.0","id":"b",${body}`)
  })

  it("makes of any time to live a whole number that is not negative", () => {
    for (const [given, written] of [[1.9, 1], [-5, 0], [Number.NaN, 0], [Number.POSITIVE_INFINITY, 0]] as const) {
      const { line } = peer({ server, cache: { ttlMs: given, scope: "private" } })
      assert.strictEqual((parsed(now(line(modern("server/discover")))).body?.result as Json).ttlMs, written)
    }
  })
})

describe("Dispatcher, odd bytes", () => {
  it("answers an id that cannot be sent back without one", () => {
    const { postModern, post } = peer()
    for (const id of [null, 1.5, 2 ** 53 + 2, "x".repeat(10_000), {}, true]) {
      const reply = now(postModern(modern("tools/list", {}, id)))
      assert.strictEqual(reply.status, 400)
      assert.strictEqual(errorOf(reply).code, -32600)
      assert.isFalse(Object.hasOwn(parsed(reply).body ?? {}, "id"))
      assert.strictEqual(parsed(now(post(request("ping", undefined, id)))).body?.id, null)
    }
  })

  for (const id of [0, "", "1", 1, -1, Number.MIN_SAFE_INTEGER]) {
    it(`answers the id ${JSON.stringify(id)} with the same`, () => {
      const { line, postModern } = peer()
      assert.strictEqual(parsed(now(postModern(modern("tools/list", {}, id)))).body?.id, id)
      assert.strictEqual(parsed(now(line(request("ping", undefined, id)))).body?.id, id)
    })
  }

  it("never throws, whatever comes", () => {
    const { line, post } = peer()
    const odd = [
      undefined,
      null,
      0,
      "",
      [],
      {},
      [[]],
      { jsonrpc: "2.0" },
      { jsonrpc: "2.0", method: "__proto__", id: 1 },
      { jsonrpc: "2.0", method: "tools/call", id: 1, params: { _meta: null } },
      { jsonrpc: "2.0", method: "tools/call", id: 1, params: { _meta: [] } },
      JSON.parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"__proto__\":{\"_meta\":1}}}")
    ]
    for (const message of odd) {
      for (const exchange of [post(message), line(message), line(message, "2025-03-26"), line(message, "2025-11-25")]) {
        assert.isNumber(now(exchange).status)
      }
    }
  })

  it("takes no claim from keys that sound like the language's own", () => {
    const hidden = "{\"__proto__\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"},\"constructor\":1}"
    const message = JSON.parse(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":${hidden}}}`
    )
    const { line } = peer()
    assert.strictEqual(errorOf(now(line(message))).code, -32602)
    assert.isDefined(parsed(now(line(message, "2025-11-25"))).body?.result)
  })

  it("refuses what nests too deeply in the words of a refusal", () => {
    const reply = Dispatcher.outOfBounds("the message nests too deeply")
    assert.strictEqual(reply.status, 400)
    assert.strictEqual(errorOf(reply).code, -32600)
    assert.strictEqual(reply.refusal?.message, "the message nests too deeply")
  })
})
