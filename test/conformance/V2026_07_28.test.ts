import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { clientCapabilities, errorOf, meta, modern, now, parsed, peer, serverInfo } from "../protocol/Conversation.js"
import type { Json } from "./Catalogue.js"
import { overHttp, rich, server, suite } from "./Catalogue.js"

const end = { resultType: "complete", _meta: { [serverInfo]: server } }
const kept = { ttlMs: 1500, cacheScope: "public", ...end }

const claiming = (params: Json): Json => ({ ...params, _meta: meta() })

suite("2026-07-28", "over HTTP", {
  introduction: {
    supportedVersions: ["2026-07-28"],
    capabilities: { tools: {}, resources: {}, prompts: {}, completions: {} },
    instructions: "Ask.",
    ...kept
  },
  toolPages: [{ tools: [rich.add], nextCursor: "" }, { tools: [rich.list] }],
  resourcePage: { resources: [rich.resource] },
  templatePage: { resourceTemplates: [rich.template] },
  promptPage: { prompts: [rich.prompt] },
  content: rich.blocks,
  contents: [
    { uri: "test://a", mimeType: "text/plain", text: "abc", _meta: rich._meta },
    { uri: "test://a", blob: "AAAA" }
  ],
  add: { structuredContent: { sum: 5 }, ...end },
  list: { structuredContent: [1], ...end },
  fail: { resultType: "complete", _meta: { ...rich._meta, [serverInfo]: server } },
  kept,
  end,
  resourceNotFound: -32602
}, (dispatcher, method, params) => overHttp("2026-07-28")(dispatcher, method, claiming(params)))

describe("2026-07-28, a conversation without a transport", () => {
  it("needs no opening, keeps nothing, and mixes with a handshake on the same pipe", () => {
    const { line } = peer()
    const result = (exchange: ReturnType<typeof line>) => parsed(now(exchange)).body?.result as Json
    assert.strictEqual(result(line(modern("tools/call", { name: "t" }))).resultType, "complete")
    assert.deepStrictEqual(result(line(modern("server/discover"))).supportedVersions, ["2026-07-28"])
    assert.deepStrictEqual(result(line(modern("server/discover"))).supportedVersions, ["2026-07-28"])
    const opened = line({
      jsonrpc: "2.0",
      id: 2,
      method: "initialize",
      params: { protocolVersion: "2026-07-28", capabilities: {}, clientInfo: { name: "c", version: "1" } }
    })
    assert.strictEqual(result(opened).protocolVersion, "2025-11-25")
    const version = opened.handshake?.version
    assert.isUndefined(result(line({ jsonrpc: "2.0", id: 3, method: "tools/list" }, version)).resultType)
    assert.strictEqual(result(line(modern("tools/list"), version)).resultType, "complete")
  })

  it("writes the structured result as the handler wrote it, parsed by nobody", () => {
    const structuredJson = "{\"n\":1.0,\"big\":9007199254740993,  \"spaced\":true}"
    const { line } = peer({
      server: { name: "s", version: "1" },
      cache: { ttlMs: 0, scope: "private" },
      tools: {
        listChanged: false,
        list: () => {
          throw new Error("not asked")
        },
        call: () => Effect.succeed({ _tag: "Complete", content: [], structuredJson, isError: false })
      }
    })
    assert.include(now(line(modern("tools/call", { name: "t" }))).body ?? "", `"structuredContent":${structuredJson},`)
  })

  it("refuses the three broken envelopes over HTTP with 400 and -32602", () => {
    const { postModern } = peer()
    const broken = [
      {},
      { _meta: { [clientCapabilities]: {} } },
      { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } }
    ]
    for (const params of broken) {
      const reply = now(postModern({ jsonrpc: "2.0", id: 1, method: "tools/list", params }))
      assert.deepStrictEqual([reply.status, errorOf(reply).code], [400, -32602])
    }
  })
})
