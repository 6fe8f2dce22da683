/**
 * A server with a public tool and a scoped one behind an authenticator, and
 * requests that say exactly what came back.
 */
import type { Authenticator } from "causeway-mcp/auth/Authenticator"
import * as AuthObserver from "causeway-mcp/auth/AuthObserver"
import * as McpPrompt from "causeway-mcp/prompt/McpPrompt"
import * as McpResource from "causeway-mcp/resource/McpResource"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolCall } from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"

const whoIs = Effect.map(ToolCall, ({ caller }) => ({ id: caller.id, tenant: caller.tenant }))
const success = Schema.Struct({ id: Schema.String, tenant: Schema.String })

/** Counts what was reached behind the door. */
export interface Reached {
  calls: number
}

export const toolkit = (reached: Reached) =>
  Toolkit.make(
    Tool.make("whoami", { description: "Says who asks", success, safety: "readOnly" }).implement(() =>
      Effect.flatMap(whoIs, (who) => {
        reached.calls += 1
        return Evidence.computed("caller", who)
      })
    ),
    Tool.make("write_note", {
      description: "Writes a note",
      success,
      safety: "effectful",
      scopes: ["notes:read", "notes:write"]
    }).implement(() =>
      Effect.flatMap(whoIs, (who) => {
        reached.calls += 1
        return Evidence.computed("caller", who)
      })
    )
  )

const resources = [
  McpResource.make("note://secret", {
    name: "secret",
    description: "A note",
    scopes: ["notes:read"],
    read: () => Effect.succeed({ text: "a secret note" })
  })
] as const

const prompts = [
  McpPrompt.make("summarise_note", {
    description: "Summarises a note",
    scopes: ["notes:read"],
    messages: () => Effect.succeed(McpPrompt.user("Summarise the note."))
  })
] as const

export interface Answer {
  readonly status: number
  readonly text: string
  readonly header: (name: string) => string | null
}

export interface Headers {
  readonly [name: string]: string
}

export interface Guarded {
  readonly url: string
  readonly reached: Reached
  /** Everything that was logged, at every level. */
  readonly logged: ReadonlyArray<string>
  readonly refused: ReadonlyArray<AuthObserver.Refused>
  readonly ask: (init: RequestInit & { readonly path?: string }) => Effect.Effect<Answer>
  readonly post: (message: object, headers?: Headers) => Effect.Effect<Answer>
  readonly call: (tool: string, headers?: Headers) => Effect.Effect<Answer>
}

export const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` })

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "0.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

export const request = (method: string, params: object = {}, id = 1) => ({
  jsonrpc: "2.0",
  id,
  method,
  params: { ...params, _meta: meta }
})

/** Serves until the scope closes, with whatever authenticator is provided. */
export const serve = (
  options: Partial<HttpTransport.Options> = {},
  server: Layer.Layer<McpServer.McpServer> | undefined = undefined
) =>
  Effect.gen(function*() {
    const reached: Reached = { calls: 0 }
    const logged: Array<string> = []
    const refused: Array<AuthObserver.Refused> = []
    const logger = Logger.make(({ annotations, cause, message }) => {
      logged.push(`${String(message)} ${JSON.stringify(annotations)} ${JSON.stringify(cause)}`)
    })
    const served = server ?? Layer.orDie(McpServer.layerOf(
      { tools: toolkit(reached), resources, prompts },
      { name: "guarded", version: "0.0.0" }
    ))
    const { url } = yield* HttpTransport.make({ port: 0, ...options }).pipe(
      Effect.provide(served),
      Effect.provideService(AuthObserver.AuthObserver, { refused: (one) => void refused.push(one) }),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.orDie
    )
    const guarded: Guarded = {
      url,
      reached,
      logged,
      refused,
      ask: ({ path, ...init }) =>
        Effect.promise(async () => {
          const response = await fetch(path === undefined ? url : new URL(path, url), init)
          const text = await response.text()
          return { status: response.status, text, header: (name) => response.headers.get(name) }
        }),
      post: (message, headers = {}) =>
        guarded.ask({
          method: "POST",
          headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
          body: JSON.stringify(message)
        }),
      call: (tool, headers = {}) =>
        guarded.post(request("tools/call", { name: tool, arguments: {} }), {
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": "tools/call",
          "mcp-name": tool,
          ...headers
        })
    }
    return guarded
  })

/** A server behind an authenticator that is made in the same scope. */
export const serveWith = <E>(
  authenticator: Layer.Layer<Authenticator, E>,
  options: Partial<HttpTransport.Options> = {}
) => Effect.flatMap(Layer.build(authenticator), (context) => Effect.provide(serve(options), context))

export const codeOf = (text: string): unknown => Object(Object(JSON.parse(text)).error).code

/** A JSON-RPC error without an id. */
export const isErrorWithoutId = (text: string): boolean => {
  const body: unknown = JSON.parse(text)
  return Object(body).error !== undefined && !Object.hasOwn(Object(body), "id")
}
