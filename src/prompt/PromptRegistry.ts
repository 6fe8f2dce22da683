/**
 * The prompts a server offers now: list them, make one's messages, complete its
 * arguments.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Asking from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import { isAllowed } from "../auth/Principal.js"
import * as Catalog from "../catalog/Catalog.js"
import type * as Completion from "../catalog/Completion.js"
import * as Handling from "../catalog/Handling.js"
import type { Unavailable } from "../catalog/Unavailable.js"
import * as Visible from "../catalog/Visible.js"
import type { McpError } from "../protocol/McpError.js"
import { invalidParams } from "../protocol/McpError.js"
import type * as Mcp from "../protocol/McpSchema.js"
import * as Entry from "./internal/Entry.js"
import type * as McpPrompt from "./McpPrompt.js"
import { PromptError } from "./PromptError.js"

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
export interface CompleteRequest extends Completion.Request {
  readonly name: string
}

/**
 * @since 0.1.0
 * @category tags
 */
export class PromptRegistry extends Context.Tag("causeway/PromptRegistry")<PromptRegistry, {
  /** What this caller may see, in the order of registration; the same array as long as nothing changes. */
  readonly list: (caller: Principal) => ReadonlyArray<Mcp.Prompt>
  /** All scopes of a prompt, when this caller lacks one of them; `undefined` otherwise, and when there is no such prompt. */
  readonly lacking: (name: string, caller: Principal) => ReadonlyArray<string> | undefined
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

interface View {
  readonly entries: ReadonlyMap<string, Entry.Entry>
  readonly list: (caller: Principal) => ReadonlyArray<Mcp.Prompt>
}

const open = Catalog.make({
  compile: (prompts: ReadonlyArray<McpPrompt.Any>, services) => Effect.sync(() => Entry.compile(prompts, services)),
  refuse: (problems) => new PromptRegistryError({ problems }),
  view: (entries): View => ({ entries, list: Visible.make([...entries.values()]) }),
  changed: { _tag: "PromptsChanged" }
})

/** What a handler's own error means to the client. */
const reasonOf = (failure: unknown): McpError | Unavailable | undefined => {
  if (!(failure instanceof PromptError)) return undefined
  const { reason } = failure
  return reason._tag === "Unavailable"
    ? reason
    : invalidParams(reason.message, { problems: [{ argument: reason.argument, message: reason.message }] })
}

const isSeveral = (messages: McpPrompt.Messages): messages is ReadonlyArray<McpPrompt.Message> =>
  Array.isArray(messages)

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
    const catalog = yield* open<McpPrompt.Requirements<Prompts[number]>>(prompts)
    const handling = Handling.make({ name: "prompt", timeout: options.timeout, reason: reasonOf })

    const find = (name: string, caller: Principal): Either.Either<Entry.Entry, McpError> => {
      const entry = catalog.view.entries.get(name)
      return entry === undefined || !isAllowed(caller, entry.scopes)
        ? Either.left(invalidParams(`Unknown prompt: ${name.slice(0, 128)}`))
        : Either.right(entry)
    }

    const get = (request: GetRequest): Effect.Effect<Mcp.PromptResult | Asking.Paused, McpError> => {
      const found = find(request.name, request.caller)
      if (Either.isLeft(found)) return Exit.fail(found.left)
      const { decode, prompt, services } = found.right
      const args = decode(request.arguments)
      if (Either.isLeft(args)) return Exit.fail(args.left)
      return handling.run(Handling.begin(prompt.messages, args.right, request), {
        key: prompt.name,
        services,
        asking: request.asking,
        settle: (messages): Effect.Effect<Mcp.PromptResult> =>
          Exit.succeed({
            _tag: "Complete",
            description: prompt.description,
            messages: isSeveral(messages) ? messages : [messages]
          })
      })
    }

    const complete = (request: CompleteRequest): Effect.Effect<Mcp.Completion, McpError> => {
      const { argument, caller, name } = request
      const found = find(name, caller)
      if (Either.isLeft(found)) return Exit.fail(found.left)
      return found.right.names.has(argument.name)
        ? handling.complete(name, found.right, request)
        : Exit.fail(invalidParams(`The prompt ${name} has no argument ${JSON.stringify(argument.name.slice(0, 128))}`))
    }

    return {
      list: (caller: Principal) => catalog.view.list(caller),
      lacking: (name, caller) => {
        const scopes = catalog.view.entries.get(name)?.scopes
        return scopes === undefined || isAllowed(caller, scopes) ? undefined : scopes
      },
      get,
      complete,
      add: (...added) => catalog.add(added),
      remove: catalog.remove
    }
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
