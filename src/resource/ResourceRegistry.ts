/**
 * The resources a server offers now: list them, read one, complete the
 * variables of a template.
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
import type * as McpResource from "./McpResource.js"
import { unavailable } from "./ResourceError.js"
import * as UriTemplate from "./UriTemplate.js"

/**
 * Resources that cannot be served: each problem names its URI or template.
 *
 * @since 0.1.0
 * @category errors
 */
export class ResourceRegistryError extends Schema.TaggedError<ResourceRegistryError>(
  "causeway/ResourceRegistry/ResourceRegistryError"
)("ResourceRegistryError", { problems: Schema.NonEmptyArray(Schema.String) }) {
  override get message() {
    return `These resources cannot be served: ${this.problems.join("; ")}`
  }
}

/**
 * A read, as the server hands it to the registry.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReadRequest extends McpResource.ResourceCall {
  /** Answers of the client to earlier questions, and what was computed before them. */
  readonly asking: Asking.Inputs
}

/**
 * A question for values that suit a variable of a template.
 *
 * @since 0.1.0
 * @category models
 */
export interface CompleteRequest {
  /** The template, as it is listed. */
  readonly uri: string
  readonly argument: Mcp.Complete["argument"]
  /** The variables that were chosen before. */
  readonly context: Mcp.Complete["context"]
  readonly caller: Principal
}

/**
 * @since 0.1.0
 * @category tags
 */
export class ResourceRegistry extends Context.Tag("causeway/ResourceRegistry")<ResourceRegistry, {
  /**
   * The resources this caller may see: those under a fixed URI in the order of
   * registration, then what the templates list. The same array as long as nothing
   * changes and no template lists; then already an `Exit`. A template that cannot
   * list now lists nothing, and the log says so.
   */
  readonly list: (caller: Principal) => Effect.Effect<ReadonlyArray<Mcp.Resource>>
  /** The templates this caller may see, in the order of registration; the same array as long as nothing changes. */
  readonly templates: (caller: Principal) => ReadonlyArray<Mcp.ResourceTemplate>
  /**
   * Reads a resource. A fixed URI wins over templates; those are tried in the
   * order of registration. Fails with `invalidParams` and `{ uri }` when there is
   * no such resource for this caller, and with whatever `McpError` the handler
   * fails with. Is paused when the handler lacks an answer of the client. Already
   * an `Exit` when the handler's effect is one. Defects are left to the caller.
   */
  readonly read: (request: ReadRequest) => Effect.Effect<Mcp.ReadResult | Asking.Paused, McpError>
  /** Suggests values; fails with `invalidParams` when there is no such template for this caller, or no such variable. */
  readonly complete: (request: CompleteRequest) => Effect.Effect<Mcp.Completion, McpError>
  /**
   * Adds resources, or replaces those of the same URIs and templates, and
   * announces it. The services the handlers need are taken from where this runs.
   */
  readonly add: <Resources extends ReadonlyArray<McpResource.Any>>(
    ...resources: Resources
  ) => Effect.Effect<void, ResourceRegistryError, McpResource.Requirements<Resources[number]>>
  /** Takes a resource or a template away and announces it; false when there was none. Reads under way go on. */
  readonly remove: (uriOrTemplate: string) => Effect.Effect<boolean>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How long a read, a completion or the listing of a template may take; 30 seconds unless given. */
  readonly timeout?: Duration.DurationInput | undefined
}

interface State extends Entry.Entries {
  readonly list: (caller: Principal) => ReadonlyArray<Mcp.Resource>
  readonly templates: (caller: Principal) => ReadonlyArray<Mcp.ResourceTemplate>
  readonly listing: ReadonlyArray<Entry.Patterned>
}

const itemOf = <A>(entry: { readonly resource: McpResource.Any; readonly description: A }) => ({
  scopes: entry.resource.scopes,
  item: entry.description
})

const stateOf = (entries: Entry.Entries): State => ({
  ...entries,
  list: Visible.make([...entries.directs.values()].map(itemOf)),
  templates: Visible.make([...entries.patterns.values()].map(itemOf)),
  listing: [...entries.patterns.values()].filter((entry) => entry.resource.list !== undefined)
})

const compile = (
  resources: ReadonlyArray<McpResource.Any>,
  context: Context.Context<unknown>
): Either.Either<Entry.Entries, ResourceRegistryError> =>
  Either.mapLeft(Entry.compile(resources, context), (problems) => new ResourceRegistryError({ problems }))

/**
 * Makes a registry. Fails with every problem found: URIs that are not absolute
 * or stand twice, templates that cannot be understood, parameters that do not
 * fit their template.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Resources extends ReadonlyArray<McpResource.Any>>(
  resources: Resources,
  options: Options = {}
): Effect.Effect<
  Context.Tag.Service<ResourceRegistry>,
  ResourceRegistryError,
  McpResource.Requirements<Resources[number]>
> =>
  Effect.gen(function*() {
    // The resources' own types say which services their erased handlers need.
    const context = (yield* Effect.context<McpResource.Requirements<Resources[number]>>()) as Context.Context<unknown>
    const changes = yield* Effect.serviceOption(Changes.Changes)
    const timeout = Duration.decode(options.timeout ?? "30 seconds")
    let state = stateOf(yield* compile(resources, context))

    const announce = Option.match(changes, {
      onNone: () => Effect.void,
      onSome: ({ publish }) => publish({ _tag: "ResourcesChanged" })
    })

    const within = <A>(
      effect: Effect.Effect<A, unknown, unknown>,
      services: Context.Context<unknown>
    ): Effect.Effect<A, unknown> =>
      effect.pipe(
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => unavailable(`The resource was not ready within ${Duration.format(timeout)}. Try again.`)
        }),
        Effect.mapInputContext((ambient: Context.Context<never>) => Context.merge(ambient, services))
      )

    /** The entry for a URI, with its handler ready to begin. */
    const find = (request: ReadRequest) => {
      const direct = state.directs.get(request.uri)
      if (direct !== undefined) {
        return isAllowed(request.caller, direct.resource.scopes)
          ? { entry: direct, effect: Outcome.begin(() => direct.resource.read(request)) }
          : undefined
      }
      for (const entry of state.patterns.values()) {
        if (!isAllowed(request.caller, entry.resource.scopes)) continue
        const values = UriTemplate.match(entry.uriTemplate, request.uri)
        const parameters = values === undefined ? undefined : entry.decode(values)
        if (parameters !== undefined && Either.isRight(parameters)) {
          return { entry, effect: Outcome.begin(() => entry.resource.read(parameters.right, request)) }
        }
      }
      return undefined
    }

    const read = (request: ReadRequest): Effect.Effect<Mcp.ReadResult | Asking.Paused, McpError> => {
      const found = find(request)
      if (found === undefined) return Outcome.notFound(request.uri)
      const { effect, entry } = found
      const exit = Outcome.exitOf(effect)
      if (exit !== undefined) return Outcome.settle(entry.resource, request.uri, exit, false)
      const run = Asking.start(request.asking)
      return within(effect, Context.add(entry.context, Asking.Asking, run)).pipe(
        Effect.exit,
        Effect.flatMap((exit): Effect.Effect<Mcp.ReadResult | Asking.Paused, McpError> => {
          const paused = Asking.paused(run)
          return paused === undefined
            ? Outcome.settle(entry.resource, request.uri, exit, run.answers.size > 0)
            : Exit.succeed(paused)
        })
      )
    }

    const complete = (request: CompleteRequest): Effect.Effect<Mcp.Completion, McpError> => {
      const { argument, caller, uri } = request
      const entry = state.patterns.get(uri)
      if (entry === undefined || !isAllowed(caller, entry.resource.scopes)) {
        return Exit.fail(
          invalidParams("Unknown resource template", { uri: uri.slice(0, UriTemplate.maxTemplateLength) })
        )
      }
      if (!entry.uriTemplate.names.includes(argument.name)) {
        return Exit.fail(invalidParams(`The template has no variable ${JSON.stringify(argument.name.slice(0, 128))}`))
      }
      const completer = entry.complete.get(argument.name)
      if (completer === undefined) {
        return Exit.succeed(Completions.startingWith(entry.literals.get(argument.name) ?? [], argument.value))
      }
      const finish = (exit: Exit.Exit<ReadonlyArray<string>, unknown>): Effect.Effect<Mcp.Completion, McpError> =>
        Exit.isSuccess(exit) ? Exit.succeed(Completions.first(exit.value)) : Outcome.fail(uri, exit.cause)
      const effect = Outcome.begin(() => completer(argument.value, { caller, arguments: request.context }))
      const exit = Outcome.exitOf(effect)
      return exit === undefined ? Effect.flatMap(Effect.exit(within(effect, entry.context)), finish) : finish(exit)
    }

    const listOf = (entry: Entry.Patterned, caller: Principal): Effect.Effect<ReadonlyArray<Mcp.Resource>> =>
      within(Outcome.begin(() => entry.resource.list?.(caller) ?? Exit.succeed([])), entry.context).pipe(
        Effect.map((listed) =>
          listed.map((resource) =>
            entry.resource.mimeType === undefined || resource.mimeType !== undefined
              ? resource
              : { ...resource, mimeType: entry.resource.mimeType }
          )
        ),
        Effect.catchAll((error) =>
          Effect.as(
            Effect.logWarning(`Resources of ${entry.resource.uriTemplate} were not listed`, Cause.fail(error)),
            []
          )
        )
      )

    const list = (caller: Principal): Effect.Effect<ReadonlyArray<Mcp.Resource>> => {
      const fixed = state.list(caller)
      const listing = state.listing.filter((entry) => isAllowed(caller, entry.resource.scopes))
      if (listing.length === 0) return Exit.succeed(fixed)
      return Effect.map(
        Effect.forEach(listing, (entry) => listOf(entry, caller), { concurrency: 4 }),
        (listed) => {
          const found = new Map(fixed.map((resource) => [resource.uri, resource]))
          for (const resource of listed.flat()) {
            if (!found.has(resource.uri)) found.set(resource.uri, resource)
          }
          return [...found.values()]
        }
      )
    }

    const add = <Added extends ReadonlyArray<McpResource.Any>>(
      ...added: Added
    ): Effect.Effect<void, ResourceRegistryError, McpResource.Requirements<Added[number]>> =>
      Effect.gen(function*() {
        const context = (yield* Effect.context<McpResource.Requirements<Added[number]>>()) as Context.Context<unknown>
        const entries = yield* compile(added, context)
        state = stateOf({
          directs: new Map([...state.directs, ...entries.directs]),
          patterns: new Map([...state.patterns, ...entries.patterns])
        })
        if (added.length > 0) yield* announce
      })

    const remove = (uriOrTemplate: string): Effect.Effect<boolean> =>
      Effect.suspend(() => {
        const directs = new Map(state.directs)
        const patterns = new Map(state.patterns)
        if (!directs.delete(uriOrTemplate) && !patterns.delete(uriOrTemplate)) return Effect.succeed(false)
        state = stateOf({ directs, patterns })
        return Effect.as(announce, true)
      })

    return { list, templates: (caller: Principal) => state.templates(caller), read, complete, add, remove }
  })

/**
 * A registry as a layer: it needs exactly what the handlers need, less what each
 * read brings along. Announces changes through `Changes` when that is provided
 * to it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Resources extends ReadonlyArray<McpResource.Any>>(
  resources: Resources,
  options?: Options
): Layer.Layer<ResourceRegistry, ResourceRegistryError, McpResource.Requirements<Resources[number]>> =>
  Layer.effect(ResourceRegistry, make(resources, options))
