/**
 * What one dispatch of `tools/call` costs in process, without a transport:
 * `npx tsx test/bench/dispatch.ts`.
 *
 * @since 0.1.0
 */
import * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import type { ToolResult } from "causeway-mcp/protocol/McpSchema"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

const result: ToolResult = {
  _tag: "Complete",
  content: [{ type: "text", text: "{\"sum\":5}" }],
  structuredJson: "{\"sum\":5}",
  isError: false
}

const dispatcher = Dispatcher.make<null>({
  server: { name: "bench", version: "1.0.0" },
  cache: { ttlMs: 0, scope: "private" },
  tools: {
    listChanged: false,
    list: () => Effect.succeed({ tools: [], cache: { ttlMs: 0, scope: "private" } }),
    call: () => Effect.succeed(result)
  }
})

const call = { name: "add", arguments: { a: 2, b: 3 } }

const modern = JSON.stringify({
  jsonrpc: "2.0",
  id: 7,
  method: "tools/call",
  params: {
    ...call,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
      "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" }
    }
  }
})

const legacy = JSON.stringify({ jsonrpc: "2.0", id: 7, method: "tools/call", params: call })

const modernHeaders = new Map([
  ["mcp-protocol-version", "2026-07-28"],
  ["mcp-method", "tools/call"],
  ["mcp-name", "add"]
])
const legacyHeaders = new Map([["mcp-protocol-version", "2025-11-25"]])

const arrival: Dispatcher.Arrival<null> = { caller: null, notify: () => true, canStream: true }
const handshake: Dispatcher.Handshake = { version: "2025-11-25", clientCapabilities: {}, clientInfo: undefined }

const ways: Record<string, { readonly text: string; readonly run: (message: unknown) => Dispatcher.Exchange }> = {
  "2026-07-28 over HTTP": {
    text: modern,
    run: (message) => dispatcher.post(message, (name) => modernHeaders.get(name), arrival)
  },
  "2026-07-28 on a pipe": { text: modern, run: (message) => dispatcher.line(message, undefined, arrival) },
  "2025-11-25 over HTTP": {
    text: legacy,
    run: (message) => dispatcher.post(message, (name) => legacyHeaders.get(name), arrival)
  },
  "2025-11-25 on a pipe": { text: legacy, run: (message) => dispatcher.line(message, handshake, arrival) }
}

const rounds = 9
const calls = 100_000

/** The median over rounds, in microseconds per call. */
const time = (once: () => number): number => {
  const times: Array<number> = []
  let bytes = 0
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint()
    for (let index = 0; index < calls; index++) bytes += once()
    times.push(Number(process.hrtime.bigint() - start) / 1000 / calls)
  }
  if (bytes === 0) throw new Error("nothing was answered")
  return times.sort((one, other) => one - other)[rounds >> 1] ?? Number.NaN
}

const lengthOf = ({ reply }: Dispatcher.Exchange): number => {
  if (!Exit.isExit(reply) || Exit.isFailure(reply)) throw new Error("the reply should have been there at once")
  return (reply as Exit.Success<Dispatcher.Reply, never>).value.body?.length ?? 0
}

for (const [name, { run, text }] of Object.entries(ways)) {
  const parsed: unknown = JSON.parse(text)
  const parse = time(() => (JSON.parse(text) === null ? 0 : 1))
  const dispatch = time(() => lengthOf(run(parsed)))
  const both = time(() => lengthOf(run(JSON.parse(text))))
  console.log(
    `${name}: dispatch ${dispatch.toFixed(2)} µs, JSON.parse ${parse.toFixed(2)} µs, together ${both.toFixed(2)} µs`
  )
}
