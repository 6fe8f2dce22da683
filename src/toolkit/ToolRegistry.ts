/**
 * The tools a server offers now: list them, find one, call one.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Inputs, Paused } from "../ask/Asking.js"
import * as Asking from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import { isAllowed } from "../auth/Principal.js"
import * as Catalog from "../catalog/Catalog.js"
import * as Handling from "../catalog/Handling.js"
import * as Deadline from "../policy/Deadline.js"
import { isExit } from "../protocol/Ended.js"
import { invalidParams, McpError } from "../protocol/McpError.js"
import type { ToolDescription, ToolResult } from "../protocol/McpSchema.js"
import type { ParameterHeader } from "../protocol/ParameterHeader.js"
import type * as Tool from "../tool/Tool.js"
import type { Call } from "../tool/ToolCall.js"
import { ToolCall } from "../tool/ToolCall.js"
import * as ToolCodec from "../tool/ToolCodec.js"
import { ToolError } from "../tool/ToolError.js"
import type { Entry } from "./internal/Snapshot.js"
import * as Snapshot from "./internal/Snapshot.js"
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
export interface Request extends Omit<Call, "toolName" | "deadline"> {
  readonly name: string
  readonly arguments: unknown
  /** Answers of the client to earlier questions, and what was computed before them. */
  readonly asking: Inputs
  /** Whether nobody waits for the call, or `beginTask` may bring that about: the registry then sets it no timeout. */
  readonly isTask?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category tags
 */
export class ToolRegistry extends Context.Tag("causeway/ToolRegistry")<ToolRegistry, {
  /** What this caller may see, in the order of registration; the same array as long as nothing changes. */
  readonly list: (caller: Principal) => ReadonlyArray<ToolDescription>
  readonly find: (name: string) => Option.Option<ToolDescription>
  /** What could serve a model better, a sentence each: see `ToolName.lint`. */
  readonly warnings: ReadonlyArray<string>
  /** Which arguments of a tool are mirrored in HTTP headers; `undefined` when none are. */
  readonly headers: (name: string) => ReadonlyArray<ParameterHeader> | undefined
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
   * answered as `internal`. Already an `Exit` when the handler's effect is one.
   */
  readonly call: (request: Request) => Effect.Effect<ToolResult | Paused, McpError>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How long a call may take in all; 30 seconds unless given. */
  readonly timeout?: Duration.DurationInput | undefined
}

const incidentOf = (): string => globalThis.crypto.randomUUID().slice(0, 8)

const internal = (toolName: string, what: string, cause: Cause.Cause<unknown>): Effect.Effect<ToolResult> =>
  Effect.suspend(() => {
    const incident = incidentOf()
    return Effect.logError(`Tool ${toolName} ${what}; incident ${incident}`, cause).pipe(
      Effect.as(ToolCodec.fromToolError(
        new ToolError({
          code: "internal",
          message: `The tool failed inside; incident ${incident}. Trying again is unlikely to help.`,
          details: { incident }
        })
      ))
    )
  })

const settle = (entry: Entry, exit: Exit.Exit<unknown, unknown>): Effect.Effect<ToolResult, McpError> => {
  if (Exit.isSuccess(exit)) {
    const encoded = entry.codec.encode(exit.value)
    return Either.isRight(encoded)
      ? Exit.succeed(encoded.right)
      : internal(entry.tool.name, "answered what its own schema refuses", Cause.die(encoded.left))
  }
  const failure = Cause.failureOption(exit.cause)
  if (Option.isSome(failure)) {
    if (failure.value instanceof McpError) return Exit.fail(failure.value)
    const encoded = entry.codec.encodeFailure(failure.value)
    if (encoded === undefined) return internal(entry.tool.name, "failed with an error it did not declare", exit.cause)
    const result = Exit.succeed(encoded)
    return failure.value instanceof ToolError && failure.value.cause !== undefined
      ? Effect.zipRight(Effect.logDebug(`Tool ${entry.tool.name} failed`, exit.cause), result)
      : result
  }
  // When the peer cancels, this line is not reached: an interruption seen here came from inside the handler.
  return internal(
    entry.tool.name,
    Cause.isInterruptedOnly(exit.cause) ? "interrupted itself" : "hit a defect",
    exit.cause
  )
}

/** JSON has no form for some values that an open schema lets through: a bigint, an object that holds itself. */
const finish = (entry: Entry, exit: Exit.Exit<unknown, unknown>): Effect.Effect<ToolResult, McpError> => {
  try {
    return settle(entry, exit)
  } catch (defect) {
    return internal(entry.tool.name, "answered what cannot be written", Cause.die(defect))
  }
}

const open = Catalog.make({
  compile: ({ handlers }: Toolkit<unknown>, services) => Snapshot.compile(handlers, services),
  refuse: (problems) => new ToolRegistryError({ problems }),
  view: Snapshot.make,
  changed: { _tag: "ToolsChanged" }
})

/** What a handler finds: what is around the call, what was there at registration, and the call itself. */
const contextOf = (
  entry: Entry,
  ambient: Context.Context<never>,
  call: Call,
  run: Asking.Run,
  watch: Deadline.Watch
): Context.Context<unknown> => {
  const services = new Map(ambient.unsafeMap)
  for (const [key, service] of entry.services.unsafeMap) services.set(key, service)
  services.set(ToolCall.key, call)
  services.set(Asking.Asking.key, run)
  services.set(Deadline.Deadline.key, watch)
  return Context.unsafeMake(services)
}

/**
 * Makes a registry of a toolkit's handlers. Fails with every problem found:
 * names that break the specification or stand twice, schemas without a JSON form,
 * foreign schemas that cannot be checked, headers that cannot be mirrored.
 * Changes of the tools are announced when `Changes` is provided here.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R>(
  toolkit: Toolkit<R>,
  options: Options = {}
): Effect.Effect<Context.Tag.Service<ToolRegistry>, ToolRegistryError, R | Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    const deadline = yield* Deadline.make()
    const timeout = Duration.decode(options.timeout ?? "30 seconds")
    const timeoutMillis = Duration.toMillis(timeout)
    const catalog = yield* open<R>(toolkit)

    const timedOut = (name: string) =>
      new ToolError({
        code: "timed_out",
        message: `${name} did not finish within ${Duration.format(timeout)}. Try again, or ask for less.`
      })

    const run = (
      entry: Entry,
      request: Request,
      effect: Effect.Effect<unknown, unknown, unknown>,
      ambient: Context.Context<never>
    ): Effect.Effect<ToolResult | Paused, McpError> => {
      const { name } = entry.tool
      const duration = request.isTask === true ? Infinity : timeoutMillis
      const call: Call = {
        caller: request.caller,
        requestId: request.requestId,
        toolName: name,
        deadline: clock.unsafeCurrentTimeMillis() + duration,
        reportProgress: request.reportProgress,
        log: request.log,
        beginTask: request.beginTask,
        meta: request.meta
      }
      const asking = Asking.start(request.asking)
      const running = deadline.runIn(contextOf(entry, ambient, call, asking, deadline), effect, {
        duration,
        onTimeout: () => Exit.fail(timedOut(name)),
        onDetach: () => Effect.logWarning(`Tool ${name} still runs although its time is over`)
      })
      return Handling.conclude(running, asking, finish, entry)
    }

    const call = (request: Request): Effect.Effect<ToolResult | Paused, McpError> => {
      const entry = catalog.view.entries.get(request.name)
      if (entry === undefined) return Exit.fail(invalidParams(`Unknown tool: ${request.name.slice(0, 128)}`))
      if (!isAllowed(request.caller, entry.tool.scopes)) {
        return Exit.succeed(ToolCodec.fromToolError(
          new ToolError({
            code: "insufficient_scope",
            message: `${entry.tool.name} needs the scopes ${entry.tool.scopes.join(", ")}.`
          })
        ))
      }
      const decoded = entry.codec.decode(request.arguments)
      if (Either.isLeft(decoded)) return Exit.succeed(ToolCodec.fromToolError(decoded.left))
      const effect = Handling.begin(entry.run, decoded.right)
      return isExit(effect)
        ? finish(entry, effect)
        : Effect.contextWithEffect((ambient: Context.Context<never>) => run(entry, request, effect, ambient))
    }

    return {
      list: (caller) => catalog.view.list(caller),
      get warnings() {
        return catalog.view.warnings
      },
      find: (name) =>
        Option.map(Option.fromNullable(catalog.view.entries.get(name)), (entry) => entry.codec.description),
      headers: (name) => catalog.view.entries.get(name)?.codec.headers,
      task: (name) => catalog.view.entries.get(name)?.tool.task,
      add: <R2>(added: Toolkit<R2>) => catalog.add<R2>(added),
      remove: catalog.remove,
      call
    }
  })

/**
 * A registry as a layer: it needs exactly what the handlers need, less what
 * each call brings along.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R>(
  toolkit: Toolkit<R>,
  options?: Options
): Layer.Layer<ToolRegistry, ToolRegistryError, R> => Layer.scoped(ToolRegistry, make(toolkit, options))
