/**
 * A peer on a pipe to a server of scripted tools, for the tests of `Connection`.
 *
 * @since 0.1.0
 */
import * as PendingAsks from "causeway-mcp/ask/PendingAsks"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Changes from "causeway-mcp/change/Changes"
import * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import type { Handlers } from "causeway-mcp/protocol/Handlers"
import * as JsonBounds from "causeway-mcp/protocol/JsonBounds"
import type { CallTool, InputRequired, ToolResult } from "causeway-mcp/protocol/McpSchema"
import * as Connection from "causeway-mcp/server/Connection"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"

export type Json = { readonly [key: string]: unknown }

const cache = { ttlMs: 0, scope: "private" } as const

const text = (value: string): ToolResult => ({
  _tag: "Complete",
  content: [{ type: "text", text: value }],
  isError: false
})

/** One turn of the event loop. */
export const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

export const until = (isSo: () => boolean) =>
  Effect.gen(function*() {
    for (let turns = 0; !isSo(); turns++) {
      if (turns > 2000) return yield* Effect.dieMessage("it did not come about")
      yield* turn
    }
  })

/** What the tools of a test do, and how many calls of each are running. */
const bench = Effect.gen(function*() {
  const gate = yield* Deferred.make<void>()
  const running = new Map<string, number>()
  const calls: Array<string> = []
  const counted = <A, E>(name: string, effect: Effect.Effect<A, E>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => running.set(name, (running.get(name) ?? 0) + 1)),
      () => effect,
      () => Effect.sync(() => running.set(name, (running.get(name) ?? 0) - 1))
    )
  const question: InputRequired = {
    _tag: "InputRequired",
    inputRequests: {
      name: {
        method: "elicitation/create",
        params: { message: "Your name?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } }
      }
    }
  }
  const tools: { readonly [name: string]: (call: CallTool) => Effect.Effect<ToolResult | InputRequired> } = {
    instant: () => Exit.succeed(text("at once")),
    gated: () => counted("gated", Effect.as(Deferred.await(gate), text("through"))),
    never: () => counted("never", Effect.never),
    stubborn: () => counted("stubborn", Effect.uninterruptible(Effect.as(Deferred.await(gate), text("in the end")))),
    selfish: () => Effect.zipRight(Effect.yieldNow(), Effect.interrupt),
    asking: ({ inputResponses }) =>
      Effect.succeed(inputResponses === undefined ? question : text(JSON.stringify(inputResponses.name)))
  }
  const subscriptions = new Set<object>()
  const handlers: Handlers<Principal.Principal> = {
    server: { name: "srv", version: "1.0.0" },
    cache,
    logging: true,
    tools: {
      listChanged: true,
      list: () => Exit.succeed({ tools: [], cache }),
      call: (context, call) => {
        calls.push(`${call.name} ${JSON.stringify(context.requestId)}`)
        const { count = 0 } = call.arguments
        for (let step = 1; step <= Number(count); step++) context.progress({ progress: step })
        context.log({ level: "info", data: "called" })
        return tools[call.name]?.(call) ?? Effect.dieMessage("no such tool")
      }
    },
    resources: {
      listChanged: true,
      subscribe: true,
      list: () => Exit.succeed({ resources: [], cache }),
      templates: () => Exit.succeed({ resourceTemplates: [], cache }),
      read: () => Exit.succeed({ _tag: "Complete", contents: [], cache })
    },
    listen: (_, wanted, listener) => {
      const subscription = {}
      subscriptions.add(subscription)
      listener.acknowledge(wanted)
      return Exit.succeed(() => void subscriptions.delete(subscription))
    }
  }
  return {
    handlers,
    calls,
    open: Deferred.succeed(gate, undefined),
    running: (name: string) => running.get(name) ?? 0,
    subscriptions
  }
})

export interface Options {
  readonly peer?: Partial<Connection.Peer>
  readonly services?: Partial<Connection.Services>
}

/** A peer of a server with the tools above, and all that was sent to it. */
export const connect = ({ peer, services }: Options = {}) =>
  Effect.gen(function*() {
    const tools = yield* bench
    const dispatcher = Dispatcher.make(tools.handlers)
    const changes = yield* Changes.makeMemory
    const sent: Array<Json> = []
    let standing: Dispatcher.Standing | undefined
    const arrivals: Array<Dispatcher.Arrival<Principal.Principal>> = []
    const connection = yield* Connection.make({
      dispatcher: {
        ...dispatcher,
        line: (message, known, arrival) => {
          standing = known
          arrivals.push(arrival)
          return dispatcher.line(message, known, arrival)
        }
      },
      pendingAsks: yield* PendingAsks.makeMemory,
      changes,
      bounds: JsonBounds.defaults,
      ...services
    }, { caller: Principal.local, send: (json) => void sent.push(JSON.parse(json)), ...peer })
    const send = (message: unknown) => connection.receiveText(JSON.stringify(message))
    return {
      ...tools,
      arrivals,
      changes,
      connection,
      send,
      sent,
      /** The answers to these ids, in the order they came. */
      answers: () => sent.filter((message) => message.method === undefined),
      notified: (method: string) => sent.filter((message) => message.method === method).map(({ params }) => params),
      /** How the peer stands, by what the dispatcher was told last. */
      standing: () => {
        send({ jsonrpc: "2.0", method: "notifications/unheard" })
        return standing
      },
      handshake: (protocolVersion = "2025-11-25", capabilities: Json = {}) => {
        send({
          jsonrpc: "2.0",
          id: "handshake",
          method: "initialize",
          params: { protocolVersion, capabilities, clientInfo: { name: "test", version: "1" } }
        })
        send({ jsonrpc: "2.0", method: "notifications/initialized" })
        sent.length = 0
      }
    }
  })

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {}
}

export const call = (id: unknown, name: string, more: Json = {}): Json => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: {}, ...more }
})

export const modern = (id: unknown, name: string, more: Json = {}): Json => call(id, name, { _meta: meta, ...more })

export const listen = (id: unknown): Json => ({
  jsonrpc: "2.0",
  id,
  method: "subscriptions/listen",
  params: { notifications: { toolsListChanged: true }, _meta: meta }
})

export const cancelled = (requestId: unknown): Json => ({
  jsonrpc: "2.0",
  method: "notifications/cancelled",
  params: { requestId }
})

export const ping = (id: unknown): Json => ({ jsonrpc: "2.0", id, method: "ping" })

export const subscribe = (id: unknown, uri: string, method = "resources/subscribe"): Json => ({
  jsonrpc: "2.0",
  id,
  method,
  params: { uri }
})

export const ids = (messages: ReadonlyArray<Json>) => messages.map(({ id }) => id)

export const codeOf = (message: Json | undefined) => (message?.error as Json | undefined)?.code

export const messageOf = (message: Json | undefined) => String((message?.error as Json | undefined)?.message)

export const textOf = (message: Json | undefined) =>
  (message?.result as { readonly content: ReadonlyArray<Json> } | undefined)?.content[0]?.text

export const collected = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`))
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

/** Without the warnings that refusals are. */
export const quiet = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provide(effect, Logger.remove(Logger.defaultLogger))
