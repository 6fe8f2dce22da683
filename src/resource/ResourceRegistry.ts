/**
 * The resources a server offers now: list them, read one, complete the
 * variables of a template.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Asking from "../ask/Asking.js"
import * as Principal from "../auth/Principal.js"
import * as Catalog from "../catalog/Catalog.js"
import type * as Completion from "../catalog/Completion.js"
import * as Handling from "../catalog/Handling.js"
import * as Visible from "../catalog/Visible.js"
import type { McpError } from "../protocol/McpError.js"
import { invalidParams } from "../protocol/McpError.js"
import type * as Mcp from "../protocol/McpSchema.js"
import * as Entry from "./internal/Entry.js"
import * as Outcome from "./internal/Outcome.js"
import type * as McpResource from "./McpResource.js"
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
export interface CompleteRequest extends Completion.Request {
  /** The template, as it is listed. */
  readonly uri: string
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
  readonly list: (caller: Principal.Principal) => Effect.Effect<ReadonlyArray<Mcp.Resource>>
  /** The templates this caller may see, in the order of registration; the same array as long as nothing changes. */
  readonly templates: (caller: Principal.Principal) => ReadonlyArray<Mcp.ResourceTemplate>
  /** Whether there is such a resource for this caller, as far as that shows without reading it. */
  readonly isVisible: (uri: string, caller: Principal.Principal) => boolean
  /** All scopes of the resource at a URI, when this caller lacks one of them; `undefined` otherwise, and when there is none. */
  readonly lacking: (uri: string, caller: Principal.Principal) => ReadonlyArray<string> | undefined
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

interface View {
  readonly entries: ReadonlyMap<string, Entry.Entry>
  readonly patterns: ReadonlyArray<Entry.Patterned>
  readonly resources: (caller: Principal.Principal) => ReadonlyArray<Mcp.Resource>
  readonly templates: (caller: Principal.Principal) => ReadonlyArray<Mcp.ResourceTemplate>
  /** Whether any resource asks for a scope. */
  readonly isScoped: boolean
  /** The templates that list resources themselves. */
  readonly listing: ReadonlyArray<Entry.Patterned>
}

const viewOf = (entries: ReadonlyMap<string, Entry.Entry>): View => {
  const all = [...entries.values()]
  const patterns = all.filter((entry) => entry._tag === "Patterned")
  return {
    entries,
    patterns,
    resources: Visible.make(all.filter((entry) => entry._tag === "Direct")),
    templates: Visible.make(patterns),
    isScoped: all.some(({ scopes }) => scopes.length > 0),
    listing: patterns.filter((entry) => entry.resource.list !== undefined)
  }
}

const open = Catalog.make({
  compile: (resources: ReadonlyArray<McpResource.Any>, services) =>
    Effect.sync(() => Entry.compile(resources, services)),
  refuse: (problems) => new ResourceRegistryError({ problems }),
  view: viewOf,
  changed: { _tag: "ResourcesChanged" }
})

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
    const catalog = yield* open<McpResource.Requirements<Resources[number]>>(resources)
    const handling = Handling.make({ name: "resource", timeout: options.timeout, reason: Outcome.reason })

    /** The entry for a URI, and how its handler begins. */
    const find = (uri: string, caller: Principal.Principal) => {
      const direct = catalog.view.entries.get(uri)
      if (direct?._tag === "Direct") {
        return Principal.isAllowed(caller, direct.scopes)
          ? { entry: direct, begin: (request: ReadRequest) => Handling.begin(direct.resource.read, request) }
          : undefined
      }
      for (const entry of catalog.view.patterns) {
        if (!Principal.isAllowed(caller, entry.scopes)) continue
        const values = UriTemplate.match(entry.uriTemplate, uri)
        const parameters = values === undefined ? undefined : entry.decode(values)
        if (parameters !== undefined && Either.isRight(parameters)) {
          const { right } = parameters
          if (entry.resource.isVisible?.(right, caller) === false) continue
          return { entry, begin: (request: ReadRequest) => Handling.begin(entry.resource.read, right, request) }
        }
      }
      return undefined
    }

    const read = (request: ReadRequest): Effect.Effect<Mcp.ReadResult | Asking.Paused, McpError> => {
      const found = find(request.uri, request.caller)
      if (found === undefined) return Exit.fail(Outcome.notFound(request.uri))
      const { begin, entry } = found
      return handling.run(begin(request), {
        key: request.uri,
        services: entry.services,
        asking: request.asking,
        settle: (contents, isAnswered) => Outcome.settle(entry.resource, request.uri, contents, isAnswered)
      })
    }

    const complete = (request: CompleteRequest): Effect.Effect<Mcp.Completion, McpError> => {
      const { argument, caller, uri } = request
      const entry = catalog.view.entries.get(uri)
      if (entry?._tag !== "Patterned" || !Principal.isAllowed(caller, entry.scopes)) {
        return Exit.fail(
          invalidParams("Unknown resource template", { uri: uri.slice(0, UriTemplate.maxTemplateLength) })
        )
      }
      return entry.uriTemplate.names.includes(argument.name)
        ? handling.complete(uri, entry, request)
        : Exit.fail(invalidParams(`The template has no variable ${JSON.stringify(argument.name.slice(0, 128))}`))
    }

    const listOf = (
      { resource: { list, mimeType, uriTemplate }, services }: Entry.Patterned,
      caller: Principal.Principal
    ): Effect.Effect<ReadonlyArray<Mcp.Resource>> =>
      handling.within(list === undefined ? Exit.succeed([]) : Handling.begin(list, caller), services).pipe(
        Effect.map((listed) =>
          listed.map((resource) =>
            mimeType === undefined || resource.mimeType !== undefined ? resource : { ...resource, mimeType }
          )
        ),
        Effect.catchAll((error) =>
          Effect.as(Effect.logWarning(`Resources of ${uriTemplate} were not listed`, Cause.fail(error)), [])
        )
      )

    const list = (caller: Principal.Principal): Effect.Effect<ReadonlyArray<Mcp.Resource>> => {
      const { listing, resources } = catalog.view
      const fixed = resources(caller)
      const allowed = listing.filter((entry) => Principal.isAllowed(caller, entry.scopes))
      if (allowed.length === 0) return Exit.succeed(fixed)
      return Effect.map(
        Effect.forEach(allowed, (entry) => listOf(entry, caller), { concurrency: 4 }),
        (listed) => {
          const found = new Map(fixed.map((resource) => [resource.uri, resource]))
          for (const resource of listed.flat()) {
            if (!found.has(resource.uri)) found.set(resource.uri, resource)
          }
          return [...found.values()]
        }
      )
    }

    return {
      list,
      templates: (caller: Principal.Principal) => catalog.view.templates(caller),
      isVisible: (uri, caller) => find(uri, caller) !== undefined,
      lacking: (uri, caller) =>
        catalog.view.isScoped && find(uri, caller) === undefined
          ? find(uri, Principal.make({ ...caller, scopes: ["*"] }))?.entry.scopes
          : undefined,
      read,
      complete,
      add: (...added) => catalog.add(added),
      remove: catalog.remove
    }
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
