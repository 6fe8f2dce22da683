/**
 * A server that uses every field of the neutral model, and a suite that holds
 * its answers in one revision against what that revision should say, byte for
 * byte.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import type { Handlers } from "causeway-mcp/protocol/Handlers"
import { invalidParams } from "causeway-mcp/protocol/McpError"
import type * as Mcp from "causeway-mcp/protocol/McpSchema"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

export type Json = { readonly [key: string]: unknown }

export const icons = [{ src: "https://example.com/i.png", mimeType: "image/png", sizes: ["48x48"] }]
const _meta = { "com.example/note": 1 }
const annotations = { audience: ["user"], priority: 0.5, lastModified: "2026-01-01T00:00:00Z" } as const

export const server = {
  name: "catalogue",
  version: "1.0.0",
  title: "The catalogue",
  description: "Everything once",
  websiteUrl: "https://example.com",
  icons
}

const objectSchema = { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] }
const inputSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: { a: { $ref: "#/$defs/n" } },
  $defs: { n: { type: "number", $anchor: "n" } },
  additionalProperties: false,
  allOf: [{ if: { required: ["a"] }, then: {}, else: {} }]
}

const add: Mcp.ToolDescription = {
  name: "add",
  title: "Add",
  description: "Adds",
  icons,
  inputSchema,
  outputSchema: objectSchema,
  annotations: { title: "Adding", readOnlyHint: true },
  _meta
}

const list: Mcp.ToolDescription = {
  name: "list",
  description: "Lists",
  inputSchema: { type: "object" },
  outputSchema: { type: "array", items: { type: "number" } }
}

const resource: Mcp.Resource = {
  uri: "test://a",
  name: "a",
  title: "A",
  description: "The first",
  mimeType: "text/plain",
  annotations,
  size: 3,
  icons,
  _meta
}

const template: Mcp.ResourceTemplate = {
  uriTemplate: "test://{id}",
  name: "any",
  title: "Any",
  mimeType: "text/plain",
  annotations,
  icons,
  _meta
}

const prompt: Mcp.Prompt = {
  name: "greet",
  title: "Greet",
  description: "Greets",
  arguments: [{ name: "who", title: "Who", description: "Whom to greet", required: true }],
  icons,
  _meta
}

const blocks: ReadonlyArray<Mcp.ContentBlock> = [
  { type: "text", text: "one\n\"two\"", annotations, _meta },
  { type: "image", data: "AAAA", mimeType: "image/png" },
  { type: "audio", data: "AAAA", mimeType: "audio/wav", _meta },
  { type: "resource_link", ...resource },
  { type: "resource", resource: { uri: "test://a", mimeType: "text/plain", text: "abc", _meta }, annotations, _meta }
]

const cache = { ttlMs: 1500, scope: "public" } as const

const results: ReadonlyMap<string, Mcp.ToolResult> = new Map<string, Mcp.ToolResult>([
  ["blocks", { _tag: "Complete", content: blocks, isError: false }],
  ["add", {
    _tag: "Complete",
    content: [{ type: "text", text: "{\"sum\":5}" }],
    structuredJson: "{\"sum\":5}",
    isError: false
  }],
  ["list", { _tag: "Complete", content: [{ type: "text", text: "[1]" }], structuredJson: "[1]", isError: false }],
  ["fail", { _tag: "Complete", content: [{ type: "text", text: "no" }], isError: true, _meta }]
])

export const handlers: Handlers<null> = {
  server,
  instructions: "Ask.",
  cache,
  tools: {
    listChanged: false,
    list: (_, cursor) =>
      Effect.succeed(cursor === undefined ? { tools: [add], nextCursor: "", cache } : { tools: [list], cache }),
    call: (_, { name }) => {
      const result = results.get(name)
      return result === undefined ? Exit.fail(invalidParams(`Unknown tool: ${name}`)) : Effect.succeed(result)
    }
  },
  resources: {
    listChanged: false,
    subscribe: false,
    list: () => Effect.succeed({ resources: [resource], cache }),
    templates: () => Effect.succeed({ resourceTemplates: [template], nextCursor: "n", cache }),
    read: (_, { uri }) =>
      uri === "test://a"
        ? Effect.succeed({
          _tag: "Complete",
          contents: [{ uri, mimeType: "text/plain", text: "abc", _meta }, { uri, blob: "AAAA" }],
          cache
        })
        : Exit.fail(invalidParams("Resource not found", { uri }))
  },
  prompts: {
    listChanged: false,
    list: () => Effect.succeed({ prompts: [prompt], cache }),
    get: () =>
      Effect.succeed({
        _tag: "Complete",
        description: "A greeting",
        messages: blocks.map((content) => ({ role: "user", content }))
      })
  },
  complete: () => Effect.succeed({ values: Array.from({ length: 101 }, (_, index) => `v${index}`), total: 250 })
}

/** What a revision should answer: the result of each request, keys in order. */
export interface Expected {
  readonly introduction: Json
  readonly toolPages: readonly [Json, Json]
  readonly resourcePage: Json
  readonly templatePage: Json
  readonly promptPage: Json
  /** The blocks above, as this revision shows them. */
  readonly content: ReadonlyArray<object>
  readonly contents: ReadonlyArray<Json>
  /** What `add`, `list` and `fail` give besides their text. */
  readonly add: Json
  readonly list: Json
  readonly fail: Json
  /** What follows the fields of a result that may be kept, and of one that may not. */
  readonly kept: Json
  readonly end: Json
  readonly resourceNotFound: number
}

export const rich = { add, list, resource, template, prompt, blocks, annotations, _meta, inputSchema, objectSchema }

/** Asks the catalogue everything, in one revision, and compares the bytes. */
export const suite = (
  version: string,
  how: string,
  expected: Expected,
  ask: (dispatcher: Dispatcher.Dispatcher<null>, method: string, params: Json) => Dispatcher.Exchange
): void => {
  describe(`${version}, all of it, ${how}`, () => {
    const dispatcher = Dispatcher.make(handlers)

    const says = (method: string, params: Json, result: Json) => {
      const { reply } = ask(dispatcher, method, params)
      assert.isTrue(Exit.isExit(reply))
      assert.deepStrictEqual(Effect.runSync(reply), {
        status: 200,
        body: JSON.stringify({ jsonrpc: "2.0", id: "q", result })
      })
    }

    const { end, kept } = expected

    it("introduces the server", () => {
      const isStateless = version === "2026-07-28"
      const initialize = { protocolVersion: version, capabilities: {}, clientInfo: { name: "c", version: "1" } }
      if (isStateless) says("server/discover", {}, expected.introduction)
      else says("initialize", initialize, expected.introduction)
    })

    it("lists tools, page by page", () => {
      says("tools/list", {}, { ...expected.toolPages[0], ...kept })
      says("tools/list", { cursor: "" }, { ...expected.toolPages[1], ...kept })
    })

    it("calls a tool for every kind of content", () =>
      says("tools/call", { name: "blocks" }, { content: expected.content, ...end }))

    it("calls a tool for an object", () =>
      says("tools/call", { name: "add", arguments: { a: 1 } }, {
        content: [{ type: "text", text: "{\"sum\":5}" }],
        ...expected.add
      }))

    it("calls a tool for something else than an object", () =>
      says("tools/call", { name: "list" }, { content: [{ type: "text", text: "[1]" }], ...expected.list }))

    it("calls a tool that fails", () =>
      says("tools/call", { name: "fail" }, {
        content: [{ type: "text", text: "no" }],
        isError: true,
        ...expected.fail
      }))

    it("lists resources and templates", () => {
      says("resources/list", {}, { ...expected.resourcePage, ...kept })
      says("resources/templates/list", {}, { ...expected.templatePage, nextCursor: "n", ...kept })
    })

    it("reads a resource", () => says("resources/read", { uri: "test://a" }, { contents: expected.contents, ...kept }))

    it("does not find a resource, in this revision's code", () => {
      const reply = Effect.runSync(ask(dispatcher, "resources/read", { uri: "test://b" }).reply)
      const error = { code: expected.resourceNotFound, message: "Resource not found", data: { uri: "test://b" } }
      assert.deepStrictEqual(reply, { status: 200, body: JSON.stringify({ jsonrpc: "2.0", id: "q", error }) })
    })

    it("does not find a tool", () => {
      const reply = Effect.runSync(ask(dispatcher, "tools/call", { name: "constructor" }).reply)
      const error = { code: -32602, message: "Unknown tool: constructor" }
      assert.deepStrictEqual(reply, { status: 200, body: JSON.stringify({ jsonrpc: "2.0", id: "q", error }) })
    })

    it("lists prompts", () => says("prompts/list", {}, { ...expected.promptPage, ...kept }))

    it("gets a prompt", () =>
      says("prompts/get", { name: "greet", arguments: { who: "you" } }, {
        messages: expected.content.map((content) => ({ role: "user", content })),
        description: "A greeting",
        ...end
      }))

    it("completes with a hundred values at most, and says that there are more", () =>
      says("completion/complete", {
        ref: { type: "ref/prompt", name: "greet" },
        argument: { name: "who", value: "v" }
      }, {
        completion: { values: Array.from({ length: 100 }, (_, index) => `v${index}`), total: 250, hasMore: true },
        ...end
      }))
  })
}

/** Asks under a handshake of this version, on a pipe; `initialize` comes before it. */
export const onPipe =
  (version: string) => (dispatcher: Dispatcher.Dispatcher<null>, method: string, params: Json): Dispatcher.Exchange =>
    dispatcher.line(
      { jsonrpc: "2.0", id: "q", method, params },
      method === "initialize" ? undefined : { version, clientCapabilities: {}, clientInfo: undefined },
      { caller: null, notify: () => true, canStream: true }
    )

/** Asks over HTTP, naming the version in the header. */
export const overHttp =
  (version: string) => (dispatcher: Dispatcher.Dispatcher<null>, method: string, params: Json): Dispatcher.Exchange => {
    const name = params.name ?? params.uri
    const headers: Json = { "mcp-protocol-version": version, "mcp-method": method, "mcp-name": name }
    return dispatcher.post(
      { jsonrpc: "2.0", id: "q", method, params },
      (header) => headers[header] as string | undefined,
      { caller: null, notify: () => true, canStream: true }
    )
  }
