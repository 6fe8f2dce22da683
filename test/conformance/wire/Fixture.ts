/**
 * The server that the wire tests speak to, made as any server is, and what its
 * handlers did.
 *
 * @since 0.1.0
 */
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Changes from "causeway-mcp/change/Changes"
import * as Policy from "causeway-mcp/policy/Policy"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Ledger from "./Ledger.js"
import { prompts, resources } from "./Offer.js"
import { plainToolkit, toolkit } from "./Tools.js"
import * as WireHttp from "./WireHttp.js"
import * as WirePipe from "./WirePipe.js"

type Server = typeof McpServer.McpServer.Service

export interface Options {
  readonly server?: Partial<McpServer.Options>
  readonly http?: Partial<HttpTransport.Settings>
  /** Tools alone: neither resources, prompts, tasks nor announcements. */
  readonly isBare?: boolean
  /** As `isBare`, with announcements. */
  readonly isListening?: boolean
}

const counted = (ledger: Ledger.Ledger): Layer.Layer<Changes.Changes> =>
  Layer.effect(
    Changes.Changes,
    Effect.map(Changes.makeMemory, ({ listen, publish }) => ({
      publish,
      listen: (listener) => {
        ledger.add("listeners", 1)
        const stop = listen(listener)
        return () => {
          ledger.add("listeners", -1)
          stop()
        }
      }
    }))
  )

/** Refusals are warnings, and these tests are full of them. */
export const quiet = Logger.remove(Logger.defaultLogger)

const serverOf = (ledger: Ledger.Ledger, options: Options) => {
  const settings: McpServer.Options = {
    name: "wire",
    version: "1.0.0",
    pageSize: 2,
    logging: true,
    // What is limited or queued here is tested elsewhere.
    policy: Policy.timeout("30 seconds"),
    ...options.server
  }
  const changes = counted(ledger)
  const bare = McpServer.layerOf({ tools: plainToolkit(ledger) }, settings)
  if (options.isBare === true) return bare
  if (options.isListening === true) return Layer.provideMerge(bare, changes)
  const tools = toolkit(ledger)
  return McpServer.layerOf({ tools, resources: resources(ledger), prompts }, settings).pipe(
    Layer.provideMerge(Layer.merge(changes, TaskStore.layerMemory))
  )
}

const authenticator = Authenticator.make(({ header }) =>
  Effect.succeed(Principal.make({ id: header("x-test-user") ?? "local", scopes: ["*"] }))
)

export interface Served {
  readonly port: number
  readonly ledger: Ledger.Ledger
  readonly http: WireHttp.Client
  readonly pipe: (user?: string) => Effect.Effect<WirePipe.Pipe, never, Scope.Scope>
  readonly publish: (...events: ReadonlyArray<Changes.Event>) => Effect.Effect<void>
  /** Closes what serves, as the end of a program does; the client stays. */
  readonly stop: Effect.Effect<void>
}

/** Serves one server on both transports until the scope closes. */
export const serve = (options: Options = {}): Effect.Effect<Served, never, Scope.Scope> =>
  Effect.gen(function*() {
    const ledger = Ledger.make()
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const context: Context.Context<McpServer.McpServer> = yield* Layer.buildWithScope(
      Layer.orDie(serverOf(ledger, options)),
      scope
    )
    const server: Server = Context.get(context, McpServer.McpServer)
    const changes = Context.getOption(context, Changes.Changes)
    const { port } = yield* HttpTransport.make({ port: 0, ...options.http }).pipe(
      Effect.provideService(Authenticator.Authenticator, authenticator),
      Effect.provideService(McpServer.McpServer, server),
      Scope.extend(scope),
      Effect.orDie
    )
    const served: Served = {
      port,
      ledger,
      http: yield* WireHttp.make(port),
      pipe: (user) =>
        WirePipe.open(user).pipe(Effect.provideService(McpServer.McpServer, server), Effect.provide(quiet)),
      publish: (...events) =>
        changes._tag === "None" ? Effect.void : Effect.forEach(events, changes.value.publish, { discard: true }),
      stop: Scope.close(scope, Exit.void)
    }
    return served
  }).pipe(Effect.provide(quiet))

/** One server for the tests of a file. */
export class Wire extends Context.Tag("test/Wire")<Wire, Served>() {}

export const layer = (options?: Options): Layer.Layer<Wire> => Layer.scoped(Wire, serve(options))
