/**
 * A server of the tools that the transport laws ask for, made as any server is.
 */
import * as Policy from "causeway-mcp/policy/Policy"
import * as Server from "causeway-mcp/server/McpServer"
import { McpServer } from "causeway-mcp/server/McpServer"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"

const about = { description: "A tool that serves the laws of transports", safety: "readOnly" } as const

const text = (value: string): Tool.RawAnswer<never> => ({ content: [{ type: "text", text: value }] })

const toolkit = (probe: TransportLaws.Probe, log: (line: string) => void) =>
  Toolkit.make(
    Tool.raw("echo", { ...about, parameters: { text: Schema.String } }).implement((input) =>
      Effect.succeed(text(input.text))
    ),
    Tool.raw("slow", { ...about, parameters: { ms: Schema.Number } }).implement((input) =>
      Effect.as(Effect.sleep(input.ms), text("slept"))
    ),
    Tool.raw("count", { ...about, parameters: { n: Schema.Number } }).implement((input) =>
      Effect.gen(function*() {
        for (let progress = 1; progress <= input.n; progress++) {
          yield* ToolCall.progress({ progress })
          yield* Effect.yieldNow()
        }
        return text(String(input.n))
      })
    ),
    Tool.raw("tick", { ...about, parameters: { ms: Schema.Number } }).implement((input) =>
      Effect.zipRight(ToolCall.progress({ progress: 1 }), Effect.as(Effect.sleep(input.ms), text("ticked")))
    ),
    Tool.raw("never", about).implement(() => TransportLaws.never(probe)),
    Tool.raw("chat", about).implement(() =>
      Effect.sync(() => {
        log("this must not reach the client")
        return text("said")
      })
    ),
    Tool.raw("stubborn", { ...about, parameters: { ms: Schema.Number } }).implement((input) =>
      Effect.uninterruptible(Effect.gen(function*() {
        probe.add(1)
        yield* Effect.sleep(input.ms)
        probe.add(-1)
        return text("stubborn")
      }))
    )
  )

/** Transports carry more than a tool gives unless told otherwise. */
const policy = Policy.all(Policy.standard, Policy.sizeLimit({ result: 2 ** 20 }))

/** Holds nothing that has to be given back: its scope is never closed. */
export const make = (
  probe: TransportLaws.Probe,
  log: (line: string) => void = () => {}
): typeof McpServer.Service =>
  Effect.runSync(
    Server.make({ name: "fixture", version: "0.0.0" }).pipe(
      Effect.provideServiceEffect(ToolRegistry.ToolRegistry, ToolRegistry.make(toolkit(probe, log), { policy })),
      Effect.provideServiceEffect(Scope.Scope, Scope.make())
    )
  )

export const layer = (probe: TransportLaws.Probe): Layer.Layer<McpServer> => Layer.succeed(McpServer, make(probe))

export const modern = (id: string | number, name: string, args: object, meta: object = {}) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: {
    name,
    arguments: args,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "test", version: "0.0.0" },
      "io.modelcontextprotocol/clientCapabilities": {},
      ...meta
    }
  }
})

export const legacy = (id: string | number, name: string, args: object) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args }
})
