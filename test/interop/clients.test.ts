import { assert, describe, it } from "@effect/vitest"
import * as V2 from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import * as Effect from "effect/Effect"
import { callEverything } from "./everything.js"
import type { V1Carrier } from "./official-v1.js"
import { v1 } from "./official-v1.js"
import { modes, v2 } from "./official-v2.js"
import { connected } from "./official.js"
import { http, stdio } from "./server.js"

describe("the reference server over HTTP", () => {
  it.scopedLive("serves SDK v1 and every mode of the v2 client, all tools", () =>
    Effect.gen(function*() {
      const { url } = yield* http()
      const first = new StreamableHTTPClientTransport(new URL(url)) as V1Carrier
      yield* callEverything(yield* connected(() => v1(first)))
      for (const [name, mode, revision] of modes) {
        const client = yield* connected(() => v2(new V2.StreamableHTTPClientTransport(new URL(url)), mode))
        assert.strictEqual(client.revision, revision, name)
        yield* callEverything(client)
      }
    }), 60_000)
})

// All others meet the full server on standard streams: this one takes seconds to start.
describe("the reference server over stdio", () => {
  it.scopedLive(
    "serves the v2 client, which tries it in a process of its own first, all tools",
    () =>
      Effect.gen(function*() {
        const carrier = new StdioClientTransport({ ...(yield* stdio), stderr: "ignore" })
        const client = yield* connected(() => v2(carrier, "auto"))
        assert.strictEqual(client.revision, "2026-07-28")
        yield* callEverything(client)
      }),
    60_000
  )
})
