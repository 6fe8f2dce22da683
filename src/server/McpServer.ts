/**
 * One MCP server: what is registered, joined to the protocol, ready for any
 * transport.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Principal } from "../auth/Principal.js"
import type { Arrival, Exchange, Headers, Reply } from "../protocol/Dispatcher.js"
import * as Dispatcher from "../protocol/Dispatcher.js"
import type { Handlers } from "../protocol/Handlers.js"
import type { CacheHint, Icon, Implementation, ToolPage } from "../protocol/McpSchema.js"
import type { Toolkit } from "../toolkit/Toolkit.js"
import type { ToolRegistryError } from "../toolkit/ToolRegistry.js"
import * as ToolRegistry from "../toolkit/ToolRegistry.js"
import type { Peer } from "./Connection.js"
import * as Connection from "./Connection.js"
import * as Cursor from "./Cursor.js"

/**
 * @since 0.1.0
 * @category tags
 */
export class McpServer extends Context.Tag("causeway/McpServer")<McpServer, {
  readonly info: Implementation
  /** Understands one HTTP POST; the transport runs `reply`, and cancels it. */
  readonly post: (message: unknown, headers: Headers, arrival: Arrival<Principal>) => Exchange
  /** The reply to a body that is not JSON. */
  readonly unparsable: Reply
  /** Serves a peer on a pipe until the scope closes. */
  readonly connect: (peer: Peer) => Effect.Effect<Connection.Connection, never, Scope.Scope>
}>() {}

/**
 * Who the server is and how it lists what it offers.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly name: string
  readonly version: string
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly websiteUrl?: string | undefined
  readonly icons?: ReadonlyArray<Icon> | undefined
  /** Tells the model how the tools belong together. */
  readonly instructions?: string | undefined
  /** Tools in one page of a list, 1 or more; 100 unless given. */
  readonly pageSize?: number | undefined
  /** How long a client may keep a list; a minute unless given. */
  readonly listTimeToLive?: Duration.DurationInput | undefined
  /** How long a call may take in all; 30 seconds unless given. */
  readonly callTimeout?: Duration.DurationInput | undefined
}

const implementation = (options: Options): Implementation => ({
  name: options.name,
  version: options.version,
  ...(options.title === undefined ? {} : { title: options.title }),
  ...(options.description === undefined ? {} : { description: options.description }),
  ...(options.websiteUrl === undefined ? {} : { websiteUrl: options.websiteUrl }),
  ...(options.icons === undefined ? {} : { icons: options.icons })
})

const toolHandlers = (
  registry: Context.Tag.Service<ToolRegistry.ToolRegistry>,
  pageSize: number,
  cache: CacheHint
): NonNullable<Handlers<Principal>["tools"]> => {
  // A registry gives the same array as long as nothing changes, so a page is made once and its JSON can be kept.
  const pages = new WeakMap<object, Map<number, ToolPage>>()
  // Not while the layers are built: standard output may not yet be kept for the protocol.
  let unsaid = registry.warnings
  const warnOnce = Effect.suspend(() => {
    const warnings = unsaid
    unsaid = []
    return Effect.forEach(warnings, (warning) => Effect.logWarning(warning), { discard: true })
  })
  return {
    listChanged: false,
    list: (context, cursor) => {
      const tools = registry.list(context.caller)
      const offset = Cursor.decode(cursor, tools.map((tool) => tool.name))
      if (Either.isLeft(offset)) return Exit.fail(offset.left)
      const known = pages.get(tools) ?? new Map<number, ToolPage>()
      pages.set(tools, known)
      const page = known.get(offset.right) ?? {
        tools: tools.slice(offset.right, offset.right + pageSize),
        ...(offset.right + pageSize < tools.length
          ? { nextCursor: Cursor.encode(offset.right + pageSize, tools.map((tool) => tool.name)) }
          : {}),
        cache
      }
      known.set(offset.right, page)
      return unsaid.length === 0 ? Exit.succeed(page) : Effect.as(warnOnce, page)
    },
    call: (context, request) =>
      registry.call({
        name: request.name,
        arguments: request.arguments,
        caller: context.caller,
        requestId: context.requestId,
        reportProgress: context.progress,
        meta: context.meta
      })
  }
}

/**
 * Joins the registered tools to the protocol.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<McpServer>, never, ToolRegistry.ToolRegistry> =>
  Effect.gen(function*() {
    const registry = yield* ToolRegistry.ToolRegistry
    const cache: CacheHint = {
      ttlMs: Math.round(Duration.toMillis(options.listTimeToLive ?? "1 minute")),
      scope: "private"
    }
    const info = implementation(options)
    const dispatcher = Dispatcher.make<Principal>({
      server: info,
      instructions: options.instructions,
      cache,
      tools: toolHandlers(registry, Math.max(1, options.pageSize ?? 100), cache)
    }, {
      onDefect: (incident, cause) => Effect.logError(`A request hit a defect; incident ${incident}`, cause)
    })
    return {
      info,
      post: dispatcher.post,
      unparsable: dispatcher.unparsable,
      connect: (peer) => Connection.make(dispatcher, peer)
    }
  })

/**
 * A server of whatever is in the `ToolRegistry`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<McpServer, never, ToolRegistry.ToolRegistry> =>
  Layer.effect(McpServer, make(options))

/**
 * A server of these tools: it needs exactly what their handlers need.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTools = <R>(
  toolkit: Toolkit<R>,
  options: Options
): Layer.Layer<McpServer, ToolRegistryError, R> =>
  Layer.provide(layer(options), ToolRegistry.layer(toolkit, { timeout: options.callTimeout }))
