/**
 * The tools a server offers now: list them, find one, call one.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Paused } from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import { isAllowed } from "../auth/Principal.js"
import * as Catalog from "../catalog/Catalog.js"
import { Health } from "../health/Health.js"
import type { Observation } from "../middleware/Observer.js"
import { CallObserver } from "../middleware/Observer.js"
import * as Stack from "../middleware/Stack.js"
import { Overload } from "../policy/Overload.js"
import * as Policy from "../policy/Policy.js"
import type { McpError } from "../protocol/McpError.js"
import { invalidParams } from "../protocol/McpError.js"
import type { ToolDescription, ToolResult } from "../protocol/McpSchema.js"
import type { ParameterHeader } from "../protocol/ParameterHeader.js"
import type * as Tool from "../tool/Tool.js"
import * as Snapshot from "./internal/Snapshot.js"
import * as Warned from "./internal/Warned.js"
import type { Plan } from "./Plan.js"
import type { Toolkit } from "./Toolkit.js"

/**
 * A toolkit that cannot be served: each problem names its tool.
 *
 * @since 0.1.0
 * @category errors
 */
export class ToolRegistryError extends Schema.TaggedError<ToolRegistryError>("causeway/ToolRegistry/ToolRegistryError")(
  "ToolRegistryError",
  { problems: Schema.NonEmptyArray(Schema.String) }
) {
  override get message() {
    return `These tools cannot be served: ${this.problems.join("; ")}`
  }
}

/**
 * A call, as the server hands it to the registry.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request extends Stack.Request {}

/**
 * A call that a transport turned away, as far as it is known.
 *
 * @since 0.1.0
 * @category models
 */
export interface TurnedAway extends Pick<Request, "name" | "arguments" | "caller" | "requestId" | "meta"> {}

/**
 * @since 0.1.0
 * @category tags
 */
export class ToolRegistry extends Context.Tag("causeway/ToolRegistry")<ToolRegistry, {
  /** What this caller may see, in the order of registration; the same array as long as nothing changes. */
  readonly list: (caller: Principal) => ReadonlyArray<ToolDescription>
  readonly find: (name: string) => Option.Option<ToolDescription>
  /**
   * What could be better, a sentence each: of names for a model's use, see
   * `ToolName.lint`, and of policies, see `Plan`. Logged when the tools are registered.
   */
  readonly warnings: ReadonlyArray<string>
  /** What stands around each tool, in the order of registration. */
  readonly plan: ReadonlyArray<Plan>
  /** Which arguments of a tool are mirrored in HTTP headers; `undefined` when none are. */
  readonly headers: (name: string) => ReadonlyArray<ParameterHeader> | undefined
  /** All scopes of a tool, when this caller lacks one of them; `undefined` otherwise, and when there is no such tool. */
  readonly lacking: (name: string, caller: Principal) => ReadonlyArray<string> | undefined
  /** How many milliseconds a call may take that somebody waits for; `Infinity` without a limit. */
  readonly timeout: (name: string) => number
  /** Whether calls of a tool are turned away early or late when there is too much to do; `undefined` when there is no such tool. */
  readonly priority: (name: string) => Policy.Priority | undefined
  /** Tells whoever observes calls of one that was turned away before it came here; or of something that was not read. */
  readonly turnedAway: (call?: TurnedAway) => void
  /** Whether a call of a tool may, or must, become a task, and when; `undefined` when there is no such tool. */
  readonly task: (name: string) => Tool.TaskOptions | undefined
  /**
   * Adds tools, or replaces those of the same names, and announces it. The
   * services the handlers need are taken from where this runs.
   */
  readonly add: <R>(toolkit: Toolkit<R>) => Effect.Effect<void, ToolRegistryError, R>
  /** Takes a tool away and announces it; false when there was none. Calls under way go on. */
  readonly remove: (name: string) => Effect.Effect<boolean>
  /**
   * Answers a call, or says in the result why it could not. Fails when there is
   * no such tool, and with whatever `McpError` the handler fails with. Is paused
   * when the handler lacks an answer of the client. A defect of the handler is logged with an incident id and
   * answered as `internal`. To be run once; already an `Exit` when the handler's
   * effect is one and its policy has to wait for nothing.
   */
  readonly call: (request: Request) => Effect.Effect<ToolResult | Paused, McpError>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<out R = never> {
  /**
   * What holds for the calls of all tools, unless a toolkit or a tool says
   * otherwise: `Policy.standard` unless given. Parts that repeat are left out for
   * effectful tools.
   */
  readonly policy?: Policy.Policy<Policy.Repeats, R> | undefined
}

/** Of a name that somebody made up, no more than is of use. */
const nameOf = ({ name }: TurnedAway): string => name.slice(0, 128)

/** What is known of the end of a call that did not begin. */
const nothing = { isDegraded: false, isCached: false, millis: 0 }

/**
 * Makes a registry of a toolkit's handlers. Fails with every problem found:
 * names that break the specification or stand twice, schemas without a JSON form,
 * foreign schemas that cannot be checked, headers that cannot be mirrored.
 * Changes of the tools are announced when `Changes` is provided here; a
 * `CallObserver`, an `Overload` and a `Health` that are provided here are used.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R, PR = never>(
  toolkit: Toolkit<R>,
  options: Options<PR> = {}
): Effect.Effect<Context.Tag.Service<ToolRegistry>, ToolRegistryError, R | PR | Scope.Scope> =>
  Effect.gen(function*() {
    const policy = options.policy ?? Policy.standard
    const services = Context.omit(Tracer.ParentSpan)((yield* Effect.context<PR>()) as Context.Context<unknown>)
    const observer = Option.getOrUndefined(yield* Effect.serviceOption(CallObserver))
    const shared: Stack.Shared = yield* Stack.share({
      overload: Option.getOrUndefined(yield* Effect.serviceOption(Overload)),
      health: Option.getOrUndefined(yield* Effect.serviceOption(Health)),
      observer,
      isHidden: (name, caller): boolean => {
        const scopes = catalog.view.entries.get(name)?.tool.scopes
        return scopes !== undefined && !isAllowed(caller, scopes)
      }
    })
    const open = Catalog.make({
      compile: ({ handlers }: Toolkit<unknown>, registered) =>
        Snapshot.compile(handlers, registered, { policy, services, shared }),
      refuse: (problems) => new ToolRegistryError({ problems }),
      view: (entries: ReadonlyMap<string, Snapshot.Entry>) => Snapshot.make(entries, policy),
      changed: { _tag: "ToolsChanged" }
    })
    const catalog = yield* open<R>(toolkit)

    let told: ReadonlySet<string> = new Set()
    const warn = Effect.suspend(() => {
      const { warnings } = catalog.view
      const news = warnings.filter((warning) => !told.has(warning))
      told = new Set(warnings)
      return Warned.log(news)
    })
    yield* warn

    const begin = (request: TurnedAway & Pick<Request, "isTask">): Observation | undefined => {
      const { arguments: given, caller, isTask, meta, requestId } = request
      const tool = catalog.view.entries.get(request.name)?.tool
      const name = tool === undefined ? nameOf(request) : tool.name
      return observer?.begin({ tool, name, caller, requestId, meta, arguments: given, isTask: isTask === true })
    }

    const unknown = (request: Request): Effect.Effect<never, McpError> => {
      const error = invalidParams(`Unknown tool: ${nameOf(request)}`)
      begin(request)?.end({ ...nothing, outcome: "error", code: String(error.code) })
      return Exit.fail(error)
    }

    return {
      list: (caller) => catalog.view.list(caller),
      get warnings() {
        return catalog.view.warnings
      },
      get plan() {
        return catalog.view.plans
      },
      find: (name) =>
        Option.map(Option.fromNullable(catalog.view.entries.get(name)), (entry) => entry.codec.description),
      headers: (name) => catalog.view.entries.get(name)?.codec.headers,
      lacking: (name, caller) => {
        const scopes = catalog.view.entries.get(name)?.tool.scopes
        return scopes === undefined || isAllowed(caller, scopes) ? undefined : scopes
      },
      timeout: (name) => catalog.view.entries.get(name)?.stack.timeout ?? Infinity,
      priority: (name) => catalog.view.entries.get(name)?.stack.priority,
      turnedAway: (call) => {
        if (call === undefined) return observer?.turnedAway?.()
        const observation = begin(call)
        observation?.step?.("overload", "refused")
        observation?.end({ ...nothing, outcome: "failed", code: "temporarily_unavailable" })
      },
      task: (name) => catalog.view.entries.get(name)?.tool.task,
      add: <R2>(added: Toolkit<R2>) => Effect.zipLeft(catalog.add<R2>(added), warn),
      remove: catalog.remove,
      call: (request) => catalog.view.entries.get(request.name)?.stack.call(request) ?? unknown(request)
    }
  })

/**
 * A registry as a layer: it needs exactly what the handlers and the policies need,
 * less what each call brings along.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R, PR = never>(
  toolkit: Toolkit<R>,
  options?: Options<PR>
): Layer.Layer<ToolRegistry, ToolRegistryError, R | PR> => Layer.scoped(ToolRegistry, make(toolkit, options))
