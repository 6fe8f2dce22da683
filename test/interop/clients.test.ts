import { assert, describe, it } from "@effect/vitest"
import * as V2 from "@modelcontextprotocol/client"
import { StdioClientTransport as V2StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import * as Effect from "effect/Effect"
import { callEverything, modes, v1, v2 } from "./everything.js"
import { http, stdio } from "./server.js"

describe("the reference server over HTTP", () => {
  it.scopedLive("serves SDK v1 and every mode of the v2 client, all tools", () =>
    Effect.gen(function*() {
      const { url } = yield* http()
      const first = yield* v1(new StreamableHTTPClientTransport(new URL(url)) as Parameters<Client["connect"]>[0])
      yield* callEverything(first)
      for (const [name, mode, revision] of modes) {
        const client = yield* v2(new V2.StreamableHTTPClientTransport(new URL(url)), mode)
        assert.strictEqual(client.getNegotiatedProtocolVersion(), revision, name)
        yield* callEverything(client)
      }
    }), 60_000)
})

describe("the reference server over stdio", () => {
  it.scopedLive("serves SDK v1, all tools", () =>
    Effect.gen(function*() {
      const client = yield* v1(new StdioClientTransport({ ...(yield* stdio), stderr: "ignore" }))
      yield* callEverything(client)
    }), 60_000)

  for (const [name, mode, revision] of modes) {
    it.scopedLive(`serves the v2 client in mode ${name}, all tools`, () =>
      Effect.gen(function*() {
        const client = yield* v2(new V2StdioClientTransport({ ...(yield* stdio), stderr: "ignore" }), mode)
        assert.strictEqual(client.getNegotiatedProtocolVersion(), revision)
        yield* callEverything(client)
      }), 60_000)
  }
})
