/**
 * One MCP server: what is registered, joined to the protocol, ready for any
 * transport.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as PendingAsks from "../ask/PendingAsks.js"
import type { Principal } from "../auth/Principal.js"
import * as Sealer from "../auth/Sealer.js"
import { Changes } from "../change/Changes.js"
import * as ClientTimeout from "../middleware/ClientTimeout.js"
import type { Priority } from "../policy/Policy.js"
import * as Policy from "../policy/Policy.js"
import type * as McpPrompt from "../prompt/McpPrompt.js"
import type { PromptRegistryError } from "../prompt/PromptRegistry.js"
import * as PromptRegistry from "../prompt/PromptRegistry.js"
import type { Arrival, Headers, Reply } from "../protocol/Dispatcher.js"
import * as Dispatcher from "../protocol/Dispatcher.js"
import type { Handlers } from "../protocol/Handlers.js"
import * as HeaderValue from "../protocol/HeaderValue.js"
import * as JsonBounds from "../protocol/JsonBounds.js"
import type { CacheHint, Icon, Implementation } from "../protocol/McpSchema.js"
import type * as McpResource from "../resource/McpResource.js"
import type { ResourceRegistryError } from "../resource/ResourceRegistry.js"
import * as ResourceRegistry from "../resource/ResourceRegistry.js"
import { TaskStore } from "../task/TaskStore.js"
import * as Toolkit from "../toolkit/Toolkit.js"
import type { ToolRegistryError } from "../toolkit/ToolRegistry.js"
import * as ToolRegistry from "../toolkit/ToolRegistry.js"
import type { Peer } from "./Connection.js"
import * as Connection from "./Connection.js"
import * as Listening from "./Listening.js"
import type { Posted } from "./Posted.js"
import * as RegistryHandlers from "./RegistryHandlers.js"
import * as Sessions from "./Sessions.js"
import * as StepUp from "./StepUp.js"
import * as TaskRunner from "./TaskRunner.js"
import * as Urgency from "./Urgency.js"

/**
 * @since 0.1.0
 * @category tags
 */
export class McpServer extends Context.Tag("causeway/McpServer")<McpServer, {
  readonly info: Implementation
  /** Understands one HTTP POST; the transport runs `reply`, and cancels it. */
  readonly post: (message: unknown, headers: Headers, arrival: Arrival<Principal>) => Posted
  /**
   * Tells an older client over HTTP what it did not ask for, on the stream it
   * opened with GET: changes of lists and of resources. `send` gives false when
   * the reader is too slow, and is then called no more. Gives what ends it;
   * `undefined` when there is no such session of this caller.
   */
  readonly openStream: (
    session: string,
    caller: Principal,
    send: (json: string) => boolean
  ) => (() => void) | undefined
  /** Which calls like this one go first when there is too much to do; `undefined` for what is let in as long as anything is. */
  readonly priority: (message: unknown) => Priority | undefined
  /**
   * Tells whoever observes calls that a message was turned away by a transport
   * which had too much to do; or that something was, of which nothing is known.
   */
  readonly turnedAway: (message?: unknown, caller?: Principal) => void
  /** The reply to a body that is not JSON. */
  readonly unparsable: Reply
  /** Serves a peer on a pipe until the scope closes. */
  readonly connect: (peer: Peer) => Effect.Effect<Connection.Connection, never, Scope.Scope>
}>() {}

/**
 * Who the server is, how it lists what it offers, and how long things keep.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options<out R = never> {
  readonly name: string
  readonly version: string
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly websiteUrl?: string | undefined
  readonly icons?: ReadonlyArray<Icon> | undefined
  /** Tells the model how the tools belong together. */
  readonly instructions?: string | undefined
  /** Items in one page of a list, 1 or more; 100 unless given. */
  readonly pageSize?: number | undefined
  /** How long a client may keep a list; a minute unless given. */
  readonly listTimeToLive?: Duration.DurationInput | undefined
  /**
   * What holds for the calls of all tools, unless a toolkit or a tool says otherwise;
   * `Policy.standard` unless given. Its timeout is that of resources and prompts too;
   * time for which a user is asked does not count.
   */
  readonly policy?: Policy.Policy<Policy.Repeats, R> | undefined
  /** Whether handlers may log to clients (`ToolCall.log`); false unless given. */
  readonly logging?: boolean | undefined
  /**
   * Seals what clients carry for the server: states of questions, ids of
   * sessions. All instances need the same; random unless given, and then only
   * this process can read them.
   */
  readonly sealer?: Sealer.Sealer | undefined
  /** How long a client may take to bring back an answer, or to answer a question put to it; 10 minutes unless given. */
  readonly askTimeout?: Duration.DurationInput | undefined
  /** Subscriptions open at once; 10,000 unless given. */
  readonly maxSubscriptions?: number | undefined
  /** How long results of tasks are kept, and how many tasks run at once. */
  readonly tasks?: {
    /** From a task's creation; an hour unless given. */
    readonly timeToLive?: Duration.DurationInput | undefined
    /** How long clients are told to wait between two looks; a second unless given. */
    readonly pollInterval?: Duration.DurationInput | undefined
    /** 256 unless given. */
    readonly maxRunning?: number | undefined
  } | undefined
  /** What a text may hold before it is parsed, for peers on pipes; see `JsonBounds.defaults`. */
  readonly bounds?: Partial<JsonBounds.Bounds> | undefined
  /** Extensions to declare, with their settings, by their names. */
  readonly extensions?: Handlers<Principal>["extensions"]
}

const implementation = (options: Options<unknown>): Implementation => ({
  name: options.name,
  version: options.version,
  ...(options.title === undefined ? {} : { title: options.title }),
  ...(options.description === undefined ? {} : { description: options.description }),
  ...(options.websiteUrl === undefined ? {} : { websiteUrl: options.websiteUrl }),
  ...(options.icons === undefined ? {} : { icons: options.icons })
})

const timeoutOf = ({ policy }: Options<unknown>): Duration.Duration =>
  Option.getOrElse((policy ?? Policy.standard).timeout, () => Duration.infinity)

const taskRunner = (
  registry: Context.Tag.Service<ToolRegistry.ToolRegistry>,
  changes: Context.Tag.Service<Changes> | undefined,
  options: Options<unknown>
): Effect.Effect<TaskRunner.TaskRunner | undefined, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.serviceOption(TaskStore),
    (store) =>
      Option.isNone(store) ? Effect.succeed(undefined) : TaskRunner.make({
        store: store.value,
        registry,
        changes,
        timeToLive: options.tasks?.timeToLive,
        pollInterval: options.tasks?.pollInterval,
        maxRunning: options.tasks?.maxRunning
      })
  )

/**
 * Joins what is registered to the protocol. Resources, prompts, tasks and
 * announcements of changes are served when `ResourceRegistry`, `PromptRegistry`,
 * `TaskStore` and `Changes` are there; without `PendingAsks` answers of older
 * clients must come to this process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options<unknown>
): Effect.Effect<Context.Tag.Service<McpServer>, never, ToolRegistry.ToolRegistry | Scope.Scope> =>
  Effect.gen(function*() {
    const registry = yield* ToolRegistry.ToolRegistry
    const resources = Option.getOrUndefined(yield* Effect.serviceOption(ResourceRegistry.ResourceRegistry))
    const prompts = Option.getOrUndefined(yield* Effect.serviceOption(PromptRegistry.PromptRegistry))
    const changes = Option.getOrUndefined(yield* Effect.serviceOption(Changes))
    const shared = yield* Effect.serviceOption(PendingAsks.PendingAsks)
    const pendingAsks = Option.isSome(shared) ? shared.value : yield* PendingAsks.makeMemory
    const sealer = options.sealer ?? (yield* Sealer.random)
    const clock = yield* Effect.clock
    const isVisible = (uri: string, caller: Principal): boolean => resources?.isVisible(uri, caller) === true
    const runner = yield* taskRunner(registry, changes, options)
    const askTimeout = Duration.decode(options.askTimeout ?? "10 minutes")
    const cache: CacheHint = {
      ttlMs: Math.round(Duration.toMillis(options.listTimeToLive ?? "1 minute")),
      scope: "private"
    }
    const common: RegistryHandlers.Options = {
      sealer,
      clock,
      pageSize: Math.max(1, options.pageSize ?? 100),
      cache,
      stateTimeToLive: Duration.toMillis(askTimeout),
      announces: changes !== undefined
    }
    const listen = changes === undefined ? undefined : yield* Listening.make({
      changes,
      readTask: runner?.read,
      isVisible,
      most: options.maxSubscriptions ?? 10_000
    })
    const info = implementation(options)
    const dispatcher = Dispatcher.make<Principal>({
      server: info,
      instructions: options.instructions,
      cache,
      logging: options.logging,
      extensions: options.extensions,
      tools: RegistryHandlers.tools(registry, runner, common),
      resources: resources === undefined ? undefined : RegistryHandlers.resources(resources, common),
      prompts: prompts === undefined ? undefined : RegistryHandlers.prompts(prompts, common),
      complete: resources === undefined && prompts === undefined
        ? undefined
        : RegistryHandlers.complete(resources, prompts),
      tasks: runner?.handlers,
      listen
    }, {
      hasSessions: true,
      onDefect: (incident, cause) => Effect.logError(`A request hit a defect; incident ${incident}`, cause)
    })
    const registries = { tools: registry, resources, prompts }
    const sessions = Sessions.make({ dispatcher, sealer, pendingAsks, changes, clock, isVisible, askTimeout })
    const services: Connection.Services = {
      dispatcher,
      // The answer can come on that pipe alone, so nothing that is shared needs to work for it.
      pendingAsks: yield* PendingAsks.makeMemory,
      changes,
      askTimeout,
      bounds: { ...JsonBounds.defaults, ...options.bounds },
      isVisible
    }
    return {
      info,
      post: (message, headers, came) => {
        const timeoutMs = ClientTimeout.ofHeader(headers(ClientTimeout.header))
        const arrival = timeoutMs === undefined ? came : { ...came, timeoutMs }
        const session = headers("mcp-session-id")
        const exchange = session === undefined
          ? dispatcher.post(message, headers, arrival)
          : sessions.post(HeaderValue.trim(session), message, headers, arrival)
        const scopes = StepUp.lacking(registries, message, arrival.caller)
        if (scopes !== undefined) return { ...exchange, reply: StepUp.challenge(exchange.reply, scopes) }
        return exchange.handshake === undefined
          ? exchange
          : { ...exchange, session: sessions.open(exchange.handshake, arrival.caller) }
      },
      openStream: (session, caller, send) => sessions.listen(session, caller, send),
      priority: (message) => Urgency.of(registry, message),
      turnedAway: (message, caller) => Urgency.tell(registry, message, caller),
      unparsable: dispatcher.unparsable,
      connect: (peer) => Connection.make(services, peer)
    }
  })

/**
 * A server of whatever is in the `ToolRegistry`, and of what else is provided:
 * see `make`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options<unknown>): Layer.Layer<McpServer, never, ToolRegistry.ToolRegistry> =>
  Layer.scoped(McpServer, make(options))

/**
 * A server of these tools: it needs exactly what their handlers and policies need.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTools = <R, PR = never>(
  toolkit: Toolkit.Toolkit<R>,
  options: Options<PR>
): Layer.Layer<McpServer, ToolRegistryError, R | PR> =>
  Layer.provide(layer(options), ToolRegistry.layer<R, PR>(toolkit, { policy: options.policy }))

const noTools: Toolkit.Toolkit<never> = Toolkit.make()

/**
 * A server of tools, resources and prompts: it needs exactly what their handlers
 * and policies need. A group that is absent is not declared.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = <
  RT = never,
  PR = never,
  const Resources extends ReadonlyArray<McpResource.Any> = readonly [],
  const Prompts extends ReadonlyArray<McpPrompt.Any> = readonly []
>(
  offer: {
    readonly tools?: Toolkit.Toolkit<RT> | undefined
    readonly resources?: Resources | undefined
    readonly prompts?: Prompts | undefined
  },
  options: Options<PR>
): Layer.Layer<
  McpServer,
  ToolRegistryError | ResourceRegistryError | PromptRegistryError,
  RT | PR | McpResource.Requirements<Resources[number]> | McpPrompt.Requirements<Prompts[number]>
> => {
  const timeout = timeoutOf(options)
  const { prompts, resources } = offer
  // Groups that are absent are no layers at all, so that the server does not find them.
  return layer(options).pipe(
    Layer.provide(Layer.mergeAll(
      ToolRegistry.layer<RT, PR>(offer.tools ?? noTools, { policy: options.policy }),
      resources === undefined ? Layer.empty : ResourceRegistry.layer(resources, { timeout }),
      prompts === undefined ? Layer.empty : PromptRegistry.layer(prompts, { timeout })
    ))
  )
}
