/**
 * Talks to a dispatcher without a transport: messages in, parsed replies out.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import type { Handlers } from "causeway-mcp/protocol/Handlers"
import type { ToolResult } from "causeway-mcp/protocol/McpSchema"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

export const protocolVersion = "io.modelcontextprotocol/protocolVersion"
export const clientCapabilities = "io.modelcontextprotocol/clientCapabilities"
export const serverInfo = "io.modelcontextprotocol/serverInfo"

export const server = { name: "srv", version: "1.0.0" }

/** The end of every result of 2026-07-28 that this server gives. */
export const modernEnd = `,"resultType":"complete","_meta":{"${serverInfo}":${JSON.stringify(server)}}}`

export const text = (text: string): ToolResult => ({
  _tag: "Complete",
  content: [{ type: "text", text }],
  isError: false
})

const cache = { ttlMs: 0, scope: "private" } as const

/** One tool that says `hi`, and nothing else. */
export const small: Handlers<string> = {
  server,
  cache,
  tools: {
    listChanged: false,
    list: () => Effect.succeed({ tools: [], cache }),
    call: () => Effect.succeed(text("hi"))
  }
}

/** A server whose one tool does what `call` does. */
export const withCall = (call: NonNullable<Handlers<string>["tools"]>["call"]): Handlers<string> => ({
  server,
  cache,
  tools: { listChanged: false, list: () => Effect.succeed({ tools: [], cache }), call }
})

export type Json = { readonly [key: string]: unknown }

/** `_meta` of a request of 2026-07-28. */
export const meta = (more: Json = {}): Json => ({ [protocolVersion]: "2026-07-28", [clientCapabilities]: {}, ...more })

export const request = (method: string, params?: Json, id: unknown = 1): Json => ({
  jsonrpc: "2.0",
  id,
  method,
  ...(params === undefined ? {} : { params })
})

export const modern = (method: string, params: Json = {}, id: unknown = 1): Json =>
  request(method, { ...params, _meta: meta(params._meta as Json | undefined) }, id)

export const headers = (values: { readonly [name: string]: string | undefined }): Dispatcher.Headers => (name) =>
  values[name]

/** The headers that a client sends with a request of 2026-07-28. */
export const headersFor = (message: Json): Dispatcher.Headers => {
  const params = message.params as Json | undefined
  const name = params?.name ?? params?.uri
  return headers({
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": String(message.method),
    "mcp-name": typeof name === "string" ? name : undefined
  })
}

/** The reply that is there at once; fails the test when there is something to wait for. */
export const now = (exchange: Dispatcher.Exchange): Dispatcher.Reply => {
  assert.isTrue(Exit.isExit(exchange.reply), "the reply was not there at once")
  return Effect.runSync(exchange.reply)
}

export interface Answered {
  readonly status: number
  readonly body: Json | undefined
}

export const parsed = (reply: Dispatcher.Reply): Answered => ({
  status: reply.status,
  body: reply.body === undefined ? undefined : JSON.parse(reply.body)
})

export const errorOf = (
  reply: Dispatcher.Reply
): { readonly code: unknown; readonly message: string; readonly data?: unknown } => {
  const { body } = parsed(reply)
  assert.isDefined(body?.error, `expected an error, got ${reply.body}`)
  return body?.error as { readonly code: unknown; readonly message: string }
}

/** Somebody who sends messages to a server of these handlers. */
export const peer = (
  handlers: Handlers<string> = small,
  options: Dispatcher.Options = {},
  standing: Partial<Dispatcher.Standing> = {}
) => {
  const dispatcher = Dispatcher.make(handlers, options)
  const notified: Array<Json> = []
  const arrival: Dispatcher.Arrival<string> = {
    caller: "alice",
    canStream: true,
    notify: (json) => {
      notified.push(JSON.parse(json))
      return true
    }
  }
  const post = (message: unknown, given: Dispatcher.Headers = headers({})) => dispatcher.post(message, given, arrival)
  return {
    notified,
    post,
    /** Posts a request of 2026-07-28 with the headers it needs. */
    postModern: (message: Json) => post(message, headersFor(message)),
    /** Posts a request under a handshake revision. */
    postLegacy: (version: string, message: unknown) => post(message, headers({ "mcp-protocol-version": version })),
    /** Posts a message of a session; of one that is not known with `null`. */
    postIn: (session: Dispatcher.Standing | null, message: unknown, given: Dispatcher.Headers = headers({})) =>
      dispatcher.post(message, given, arrival, session),
    line: (message: unknown, version?: string) =>
      dispatcher.line(
        message,
        version === undefined ? undefined : { version, clientCapabilities: {}, clientInfo: undefined, ...standing },
        arrival
      ),
    dispatcher,
    arrival
  }
}
