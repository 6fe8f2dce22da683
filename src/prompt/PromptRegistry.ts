/**
 * The prompts a server offers now: list them, make one's messages, complete its
 * arguments.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Asking from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import { isAllowed } from "../auth/Principal.js"
import * as Changes from "../change/Changes.js"
import type { McpError } from "../protocol/McpError.js"
import { invalidParams } from "../protocol/McpError.js"
import type * as Mcp from "../protocol/McpSchema.js"
import * as Completions from "./internal/Completions.js"
import * as Entry from "./internal/Entry.js"
import * as Outcome from "./internal/Outcome.js"
import * as Visible from "./internal/Visible.js"
import type * as McpPrompt from "./McpPrompt.js"
import { unavailable } from "./PromptError.js"

/**
 * Prompts that cannot be served: each problem names its prompt.
 *
 * @since 0.1.0
 * @category errors
 */
export class PromptRegistryError extends Schema.TaggedError<PromptRegistryError>(
  "causeway/PromptRegistry/PromptRegistryError"
)("PromptRegistryError", { problems: Schema.NonEmptyArray(Schema.String) }) {
  override get message() {
    return `These prompts cannot be served: ${this.problems.join("; ")}`
  }
}

/**
 * A use of a prompt, as the server hands it to the registry.
 *
 * @since 0.1.0
 * @category models
 */
export interface GetRequest extends McpPrompt.PromptCall {
  readonly arguments: Mcp.GetPrompt["arguments"]
  /** Answers of the client to earlier questions, and what was computed before them. */
  readonly asking: Asking.Inputs
}

/**
 * A question for values that suit an argument of a prompt.
 *
 * @since 0.1.0
 * @category models
 */
export interface CompleteRequest {
  readonly name: string
  readonly argument: Mcp.Complete["argument"]
  /** The arguments that were chosen before. */
  readonly context: Mcp.Complete["context"]
  readonly caller: Principal
}

/**
 * @since 0.1.0
 * @category tags
 */
export class PromptRegistry extends Context.Tag("causeway/PromptRegistry")<PromptRegistry, {
  /** What this caller may see, in the order of registration; the same array as long as nothing changes. */
  readonly list: (caller: Principal) => ReadonlyArray<Mcp.Prompt>
  /**
   * Makes the messages of a prompt. Fails with `invalidParams` when there is no
   * such prompt for this caller and when an argument is missing or does not fit;
   * and with whatever `McpError` the handler fails with. Is paused when the
   * handler lacks an answer of the client. Already an `Exit` when the handler's
   * effect is one. Defects are left to the caller.
   */
  readonly get: (request: GetRequest) => Effect.Effect<Mcp.PromptResult | Asking.Paused, McpError>
  /** Suggests values; fails with `invalidParams` when there is no such prompt for this caller, or no such argument. */
  readonly complete: (request: CompleteRequest) => Effect.Effect<Mcp.Completion, McpError>
  /**
   * Adds prompts, or replaces those of the same names, and announces it. The
   * services the handlers need are taken from where this runs.
   */
  readonly add: <Prompts extends ReadonlyArray<McpPrompt.Any>>(
    ...prompts: Prompts
  ) => Effect.Effect<void, PromptRegistryError, McpPrompt.Requirements<Prompts[number]>>
  /** Takes a prompt away and announces it; false when there was none. Uses under way go on. */
  readonly remove: (name: string) => Effect.Effect<boolean>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How long making a prompt or a completion may take; 30 seconds unless given. */
  readonly timeout?: Duration.DurationInput | undefined
}

interface State {
  readonly entries: ReadonlyMap<string, Entry.Entry>
  readonly list: (caller: Principal) => ReadonlyArray<Mcp.Prompt>
}

const stateOf = (entries: ReadonlyMap<string, Entry.Entry>): State => ({
  entries,
  list: Visible.make(
    [...entries.values()].map((entry) => ({ scopes: entry.prompt.scopes, item: entry.description }))
  )
})

const compile = (
  prompts: ReadonlyArray<McpPrompt.Any>,
  context: Context.Context<unknown>
): Either.Either<ReadonlyMap<string, Entry.Entry>, PromptRegistryError> =>
  Either.mapLeft(Entry.compile(prompts, context), (problems) => new PromptRegistryError({ problems }))

/**
 * Makes a registry. Fails with every problem found: names that stand twice or
 * are none, arguments without a JSON form, completions of what is no argument.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Prompts extends ReadonlyArray<McpPrompt.Any>>(
  prompts: Prompts,
  options: Options = {}
): Effect.Effect<
  Context.Tag.Service<PromptRegistry>,
  PromptRegistryError,
  McpPrompt.Requirements<Prompts[number]>
> =>
  Effect.gen(function*() {
    // The prompts' own types say which services their erased handlers need.
    const context = (yield* Effect.context<McpPrompt.Requirements<Prompts[number]>>()) as Context.Context<unknown>
    const changes = yield* Effect.serviceOption(Changes.Changes)
    const timeout = Duration.decode(options.timeout ?? "30 seconds")
    let state = stateOf(yield* compile(prompts, context))

    const announce = Option.match(changes, {
      onNone: () => Effect.void,
      onSome: ({ publish }) => publish({ _tag: "PromptsChanged" })
    })

    const within = <A>(
      effect: Effect.Effect<A, unknown, unknown>,
      services: Context.Context<unknown>
    ): Effect.Effect<A, unknown> =>
      effect.pipe(
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => unavailable(`The prompt was not ready within ${Duration.format(timeout)}. Try again.`)
        }),
        Effect.mapInputContext((ambient: Context.Context<never>) => Context.merge(ambient, services))
      )

    const find = (name: string, caller: Principal): Either.Either<Entry.Entry, McpError> => {
      const entry = state.entries.get(name)
      return entry === undefined || !isAllowed(caller, entry.prompt.scopes)
        ? Either.left(invalidParams(`Unknown prompt: ${name.slice(0, 128)}`))
        : Either.right(entry)
    }

    const get = (request: GetRequest): Effect.Effect<Mcp.PromptResult | Asking.Paused, McpError> => {
      const found = find(request.name, request.caller)
      if (Either.isLeft(found)) return Exit.fail(found.left)
      const { context, decode, prompt } = found.right
      const args = decode(request.arguments)
      if (Either.isLeft(args)) return Exit.fail(args.left)
      const effect = Outcome.begin(() => prompt.messages(args.right, request))
      const exit = Outcome.exitOf(effect)
      if (exit !== undefined) return Outcome.settle(prompt, exit)
      const run = Asking.start(request.asking)
      return within(effect, Context.add(context, Asking.Asking, run)).pipe(
        Effect.exit,
        Effect.flatMap((exit): Effect.Effect<Mcp.PromptResult | Asking.Paused, McpError> => {
          const paused = Asking.paused(run)
          return paused === undefined ? Outcome.settle(prompt, exit) : Exit.succeed(paused)
        })
      )
    }

    const complete = (request: CompleteRequest): Effect.Effect<Mcp.Completion, McpError> => {
      const { argument, caller, name } = request
      const found = find(name, caller)
      if (Either.isLeft(found)) return Exit.fail(found.left)
      const entry = found.right
      if (!entry.names.has(argument.name)) {
        return Exit.fail(
          invalidParams(`The prompt ${name} has no argument ${JSON.stringify(argument.name.slice(0, 128))}`)
        )
      }
      const completer = entry.complete.get(argument.name)
      if (completer === undefined) {
        return Exit.succeed(Completions.startingWith(entry.literals.get(argument.name) ?? [], argument.value))
      }
      const finish = (exit: Exit.Exit<ReadonlyArray<string>, unknown>): Effect.Effect<Mcp.Completion, McpError> =>
        Exit.isSuccess(exit) ? Exit.succeed(Completions.first(exit.value)) : Outcome.fail(name, exit.cause)
      const effect = Outcome.begin(() => completer(argument.value, { caller, arguments: request.context }))
      const exit = Outcome.exitOf(effect)
      return exit === undefined ? Effect.flatMap(Effect.exit(within(effect, entry.context)), finish) : finish(exit)
    }

    const add = <Added extends ReadonlyArray<McpPrompt.Any>>(
      ...added: Added
    ): Effect.Effect<void, PromptRegistryError, McpPrompt.Requirements<Added[number]>> =>
      Effect.gen(function*() {
        const context = (yield* Effect.context<McpPrompt.Requirements<Added[number]>>()) as Context.Context<unknown>
        const entries = yield* compile(added, context)
        state = stateOf(new Map([...state.entries, ...entries]))
        if (added.length > 0) yield* announce
      })

    const remove = (name: string): Effect.Effect<boolean> =>
      Effect.suspend(() => {
        const entries = new Map(state.entries)
        if (!entries.delete(name)) return Effect.succeed(false)
        state = stateOf(entries)
        return Effect.as(announce, true)
      })

    return { list: (caller: Principal) => state.list(caller), get, complete, add, remove }
  })

/**
 * A registry as a layer: it needs exactly what the handlers need, less what each
 * use brings along. Announces changes through `Changes` when that is provided to
 * it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Prompts extends ReadonlyArray<McpPrompt.Any>>(
  prompts: Prompts,
  options?: Options
): Layer.Layer<PromptRegistry, PromptRegistryError, McpPrompt.Requirements<Prompts[number]>> =>
  Layer.effect(PromptRegistry, make(prompts, options))
