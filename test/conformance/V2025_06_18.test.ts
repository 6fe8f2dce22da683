import * as Struct from "effect/Struct"
import type { Expected, Json } from "./Catalogue.js"
import { onPipe, overHttp, rich, suite } from "./Catalogue.js"

const bare = (self: object): Json => Struct.omit({ icons: undefined, ...self }, "icons")

const expected: Expected = {
  introduction: {
    protocolVersion: "2025-06-18",
    capabilities: { tools: {}, resources: {}, prompts: {}, completions: {} },
    serverInfo: { name: "catalogue", version: "1.0.0", title: "The catalogue" },
    instructions: "Ask."
  },
  toolPages: [
    { tools: [bare(rich.add)], nextCursor: "" },
    { tools: [{ name: "list", description: "Lists", inputSchema: { type: "object" } }] }
  ],
  resourcePage: { resources: [bare(rich.resource)] },
  templatePage: { resourceTemplates: [bare(rich.template)] },
  promptPage: { prompts: [bare(rich.prompt)] },
  content: rich.blocks.map(bare),
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

suite("2025-06-18", "on a pipe", expected, onPipe("2025-06-18"))
suite("2025-06-18", "over HTTP", expected, overHttp("2025-06-18"))
