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
import type { Principal } from "../auth/Principal.js"
import { isAllowed } from "../auth/Principal.js"
import type { McpError } from "../protocol/McpError.js"
import { invalidParams } from "../protocol/McpError.js"
import type { ToolDescription, ToolResult } from "../protocol/McpSchema.js"
import type * as Tool from "../tool/Tool.js"
import type { Call } from "../tool/ToolCall.js"
import { ToolCall } from "../tool/ToolCall.js"
import * as ToolCodec from "../tool/ToolCodec.js"
import { ToolError } from "../tool/ToolError.js"
import * as ToolName from "../tool/ToolName.js"
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
  /**
   * Answers a call, or says in the result why it could not. Fails only when there
   * is no such tool. A defect of the handler is logged with an incident id and
   * answered as `internal`. Already an `Exit` when the handler's effect is one.
   */
  readonly call: (request: Request) => Effect.Effect<ToolResult, McpError>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How long a call may take in all; 30 seconds unless given. */
  readonly timeout?: Duration.DurationInput | undefined
}

interface Entry {
  readonly tool: Tool.Any
  readonly codec: ToolCodec.ToolCodec
  readonly run: Tool.AnyHandler["run"]
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

const settle = (entry: Entry, exit: Exit.Exit<unknown, unknown>): Effect.Effect<ToolResult> => {
  if (Exit.isSuccess(exit)) {
    const encoded = entry.codec.encode(exit.value)
    return Either.isRight(encoded)
      ? Exit.succeed(encoded.right)
      : internal(entry.tool.name, "answered what its own schema refuses", Cause.die(encoded.left))
  }
  const failure = Cause.failureOption(exit.cause)
  if (Option.isSome(failure)) {
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
const finish = (entry: Entry, exit: Exit.Exit<unknown, unknown>): Effect.Effect<ToolResult> => {
  try {
    return settle(entry, exit)
  } catch (defect) {
    return internal(entry.tool.name, "answered what cannot be written", Cause.die(defect))
  }
}

const start = (entry: Entry, input: unknown): Effect.Effect<unknown, unknown, unknown> => {
  try {
    return entry.run(input)
  } catch (defect) {
    return Exit.die(defect)
  }
}

const compile = (handlers: ReadonlyArray<Tool.AnyHandler>): Effect.Effect<Map<string, Entry>, ToolRegistryError> =>
  Effect.gen(function*() {
    const entries = new Map<string, Entry>()
    const problems: Array<string> = []
    for (const handler of handlers) {
      const tool = handler.tool
      const wrong = ToolName.check(tool.name)
      if (wrong !== undefined) problems.push(`tool "${tool.name}": ${wrong}`)
      else if (entries.has(tool.name)) problems.push(`tool "${tool.name}": the name stands twice`)
      const codec = yield* Effect.either(ToolCodec.make(tool))
      if (Either.isLeft(codec)) problems.push(`tool "${tool.name}": ${codec.left}`)
      else entries.set(tool.name, { tool, codec: codec.right, run: handler.run })
    }
    const [first, ...rest] = problems
    return first === undefined ? entries : yield* new ToolRegistryError({ problems: [first, ...rest] })
  })

/**
 * Makes a registry of a toolkit's handlers. Fails with every problem found:
 * names that break the specification or stand twice, schemas without a JSON form.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R>(
  toolkit: Toolkit<R>,
  options: Options = {}
): Effect.Effect<Context.Tag.Service<ToolRegistry>, ToolRegistryError, R> =>
  Effect.gen(function*() {
    // The toolkit's own type says which services its erased handlers need.
    const context = (yield* Effect.context<R>()) as Context.Context<unknown>
    const clock = yield* Effect.clock
    const timeout = Duration.decode(options.timeout ?? "30 seconds")
    const timeoutMillis = Duration.toMillis(timeout)
    const entries = yield* compile(toolkit.handlers)
    const descriptions = [...entries.values()]
    const everything = descriptions.map((entry) => entry.codec.description)
    const lists = new Map<string, ReadonlyArray<ToolDescription>>()
    const scopes = [...new Set(descriptions.flatMap((entry) => entry.tool.scopes))].sort()

    const list = (caller: Principal): ReadonlyArray<ToolDescription> => {
      if (scopes.length === 0 || caller.scopes.has("*")) return everything
      // Only scopes that some tool asks for make a difference, so the lists kept are few.
      const key = scopes.filter((scope) => caller.scopes.has(scope)).join(" ")
      const known = lists.get(key)
      if (known !== undefined) return known
      const allowed = descriptions.filter((entry) => isAllowed(caller, entry.tool.scopes))
        .map((entry) => entry.codec.description)
      if (lists.size < 1024) lists.set(key, allowed)
      return allowed
    }

    const timedOut = (name: string) =>
      new ToolError({
        code: "timed_out",
        message: `${name} did not finish within ${Duration.format(timeout)}. Try again, or ask for less.`
      })

    const call = (request: Request): Effect.Effect<ToolResult, McpError> => {
      const entry = entries.get(request.name)
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
      const effect = start(entry, decoded.right)
      if (Exit.isExit(effect)) return finish(entry, effect)
      const toolCall: Call = {
        caller: request.caller,
        requestId: request.requestId,
        toolName: entry.tool.name,
        deadline: clock.unsafeCurrentTimeMillis() + timeoutMillis,
        reportProgress: request.reportProgress,
        meta: request.meta
      }
      return effect.pipe(
        Effect.timeoutFail({ duration: timeout, onTimeout: () => timedOut(entry.tool.name) }),
        Effect.mapInputContext((ambient: Context.Context<never>) =>
          Context.add(Context.merge(ambient, context), ToolCall, toolCall)
        ),
        Effect.exit,
        Effect.flatMap((exit) => finish(entry, exit))
      )
    }

    return {
      list,
      warnings: descriptions.flatMap((entry) => ToolName.lint(entry.tool)),
      find: (name) => Option.map(Option.fromNullable(entries.get(name)), (entry) => entry.codec.description),
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
): Layer.Layer<ToolRegistry, ToolRegistryError, R> => Layer.effect(ToolRegistry, make(toolkit, options))
