import { assert, describe, it } from "@effect/vitest"
import { now, parsed, peer, request } from "../protocol/Conversation.js"
import type { Expected, Json } from "./Catalogue.js"
import { onPipe, overHttp, rich, server, suite } from "./Catalogue.js"

const { outputSchema: _, ...list } = rich.list

const expected: Expected = {
  introduction: {
    protocolVersion: "2025-11-25",
    capabilities: { tools: {}, resources: {}, prompts: {}, completions: {} },
    serverInfo: server,
    instructions: "Ask."
  },
  toolPages: [{ tools: [rich.add], nextCursor: "" }, { tools: [list] }],
  resourcePage: { resources: [rich.resource] },
  templatePage: { resourceTemplates: [rich.template] },
  promptPage: { prompts: [rich.prompt] },
  content: rich.blocks,
  contents: [
    { uri: "test://a", mimeType: "text/plain", text: "abc", _meta: rich._meta },
    { uri: "test://a", blob: "AAAA" }
  ],
  add: { structuredContent: { sum: 5 } },
  list: {},
  fail: { _meta: rich._meta },
  kept: {},
  end: {},
  resourceNotFound: -32002
}

suite("2025-11-25", "on a pipe", expected, onPipe("2025-11-25"))
suite("2025-11-25", "over HTTP", expected, overHttp("2025-11-25"))

describe("2025-11-25, a conversation without a transport", () => {
  it("opens, is told that the client is ready, answers and pings", () => {
    const { line } = peer()
    const ping = request("ping", undefined, 0)
    assert.strictEqual(now(line(ping)).body, "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}")
    const opened = line(request("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "c", version: "1" }
    }))
    assert.strictEqual(
      now(opened).body,
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}," +
        "\"serverInfo\":{\"name\":\"srv\",\"version\":\"1.0.0\"}}}"
    )
    const version = opened.handshake?.version
    assert.deepStrictEqual(now(line({ jsonrpc: "2.0", method: "notifications/initialized" }, version)), {
      status: 202,
      body: undefined
    })
    assert.strictEqual(
      now(line(request("tools/list", undefined, 2), version)).body,
      "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"tools\":[]}}"
    )
    assert.strictEqual(
      now(line(request("tools/call", { name: "t" }, "3"), version)).body,
      "{\"jsonrpc\":\"2.0\",\"id\":\"3\",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}}"
    )
    assert.strictEqual(now(line(ping, version)).body, "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}")
  })

  it("opens over HTTP with any header of a handshake version, and remembers nothing", () => {
    const { post, postLegacy } = peer()
    const initialize = request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "c", version: "1" }
    })
    for (const exchange of [post(initialize), postLegacy("2025-11-25", initialize), postLegacy("1.0", initialize)]) {
      const { body, status } = parsed(now(exchange))
      assert.deepStrictEqual([status, (body?.result as Json).protocolVersion], [200, "2025-06-18"])
    }
    assert.strictEqual(now(postLegacy("2025-11-25", request("ping"))).status, 200)
  })
})
