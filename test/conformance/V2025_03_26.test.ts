import { assert, describe, it } from "@effect/vitest"
import { now, parsed, peer, request } from "../protocol/Conversation.js"
import type { Expected, Json } from "./Catalogue.js"
import { onPipe, overHttp, rich, suite } from "./Catalogue.js"

const annotations = { audience: ["user"], priority: 0.5 }
const { inputSchema } = rich

const expected: Expected = {
  introduction: {
    protocolVersion: "2025-03-26",
    capabilities: { tools: {}, resources: {}, prompts: {}, completions: {} },
    serverInfo: { name: "catalogue", version: "1.0.0" },
    instructions: "Ask."
  },
  toolPages: [
    {
      tools: [{
        name: "add",
        description: "Adds",
        inputSchema,
        annotations: { title: "Adding", readOnlyHint: true }
      }],
      nextCursor: ""
    },
    { tools: [{ name: "list", description: "Lists", inputSchema: { type: "object" } }] }
  ],
  resourcePage: {
    resources: [{
      uri: "test://a",
      name: "a",
      description: "The first",
      mimeType: "text/plain",
      annotations,
      size: 3
    }]
  },
  templatePage: {
    resourceTemplates: [{ uriTemplate: "test://{id}", name: "any", mimeType: "text/plain", annotations }]
  },
  promptPage: {
    prompts: [{
      name: "greet",
      description: "Greets",
      arguments: [{ name: "who", description: "Whom to greet", required: true }]
    }]
  },
  content: [
    { type: "text", text: "one\n\"two\"", annotations },
    { type: "image", data: "AAAA", mimeType: "image/png" },
    { type: "audio", data: "AAAA", mimeType: "audio/wav" },
    { type: "text", text: "A: test://a", annotations },
    { type: "resource", resource: { uri: "test://a", mimeType: "text/plain", text: "abc" }, annotations }
  ],
  contents: [{ uri: "test://a", mimeType: "text/plain", text: "abc" }, { uri: "test://a", blob: "AAAA" }],
  add: {},
  list: {},
  fail: { _meta: rich._meta },
  kept: {},
  end: {},
  resourceNotFound: -32002
}

suite("2025-03-26", "on a pipe", expected, onPipe("2025-03-26"))
suite("2025-03-26", "over HTTP", expected, overHttp("2025-03-26"))
// A client of this revision had no header to name it in.
suite(
  "2025-03-26",
  "over HTTP without a header",
  expected,
  (dispatcher, method, params) =>
    dispatcher.post({ jsonrpc: "2.0", id: "q", method, params }, () => undefined, {
      caller: null,
      notify: () => true,
      canStream: true
    })
)

describe("2025-03-26, a conversation without a transport", () => {
  it("answers a client of the version before it, and takes its batches", () => {
    const { line } = peer()
    const opened = line(request("initialize", {
      protocolVersion: "2024-11-05",
      capabilities: {},
      clientInfo: { name: "c", version: "1" }
    }))
    assert.strictEqual((parsed(now(opened)).body?.result as Json).protocolVersion, "2025-03-26")
    assert.strictEqual(
      now(line([request("ping", undefined, 5)], opened.handshake?.version)).body,
      "[{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}]"
    )
  })
})
