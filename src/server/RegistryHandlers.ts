/**
 * What the registries answer, as the protocol asks for it: pages of lists,
 * calls, and questions that go back to the client sealed.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type { Paused } from "../ask/Asking.js"
import * as Asking from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import type { Sealer } from "../auth/Sealer.js"
import type { PromptRegistry } from "../prompt/PromptRegistry.js"
import { isExit } from "../protocol/Answer.js"
import type { Handlers, RequestContext } from "../protocol/Handlers.js"
import type { McpError } from "../protocol/McpError.js"
import { invalidParams } from "../protocol/McpError.js"
import type * as Mcp from "../protocol/McpSchema.js"
import * as McpTask from "../protocol/McpTask.js"
import * as Revisions from "../protocol/Revisions.js"
import type { ResourceRegistry } from "../resource/ResourceRegistry.js"
import * as ToolCodec from "../tool/ToolCodec.js"
import type { ToolRegistry } from "../toolkit/ToolRegistry.js"
import * as Page from "./Page.js"
import * as RequestState from "./RequestState.js"
import type { TaskRunner } from "./TaskRunner.js"

type Registry<Tag> = Tag extends Context.Tag<infer _I, infer S> ? S : never

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly sealer: Sealer
  readonly clock: Clock.Clock
  readonly pageSize: number
  readonly cache: Mcp.CacheHint
  /** Milliseconds for which a client may bring back the state of a question. */
  readonly stateTimeToLive: number
  /** Whether changes of lists and resources are announced. */
  readonly announces: boolean
}

const noResponses: { readonly [key: string]: never } = Object.freeze({})

interface Resumable {
  readonly inputResponses?: { readonly [key: string]: unknown }
  readonly requestState?: string
}

/** What a call is run with, and how its questions go back: sealed to the caller and to the request. */
const resuming = ({ clock, sealer, stateTimeToLive }: Options) => {
  const bind = (
    context: RequestContext<Principal>,
    method: string,
    target: string,
    given: unknown
  ): RequestState.Bound => ({
    caller: context.caller,
    method,
    target,
    arguments: given,
    now: clock.unsafeCurrentTimeMillis(),
    timeToLive: stateTimeToLive
  })
  return {
    inputs: (
      context: RequestContext<Principal>,
      method: string,
      target: string,
      given: unknown,
      { inputResponses, requestState }: Resumable
    ): Either.Either<Asking.Inputs, McpError> => {
      const { clientCapabilities } = context
      if (requestState === undefined) {
        // Nothing was asked, so nothing can have been answered.
        return Either.right({ memo: Asking.nothing, responses: noResponses, clientCapabilities })
      }
      return Either.map(
        RequestState.open(sealer, requestState, bind(context, method, target, given)),
        (memo) => ({ memo, responses: inputResponses ?? noResponses, clientCapabilities })
      )
    },
    outcome: <A extends { readonly _tag: string }>(
      answer: Effect.Effect<A | Paused, McpError>,
      context: RequestContext<Principal>,
      method: string,
      target: string,
      given: unknown
    ): Effect.Effect<Exclude<A, Paused> | Mcp.InputRequired, McpError> => {
      const written = (value: A | Paused): Exclude<A, Paused> | Mcp.InputRequired =>
        isPaused(value)
          ? {
            _tag: "InputRequired",
            inputRequests: value.requests,
            requestState: RequestState.seal(sealer, value.memo, bind(context, method, target, given))
          }
          : value as Exclude<A, Paused>
      if (Exit.isExit(answer)) {
        const exit = answer as Exit.Exit<A | Paused, McpError>
        return Exit.isSuccess(exit) && isPaused(exit.value)
          ? Exit.succeed(written(exit.value))
          : exit as Exit.Exit<Exclude<A, Paused>, McpError>
      }
      return Effect.map(answer, written)
    }
  }
}

const nameOf = ({ name }: { readonly name: string }): string => name

const next = (nextCursor: string | undefined, cache: Mcp.CacheHint) =>
  nextCursor === undefined ? { cache } : { nextCursor, cache }

const toolPage = (
  tools: ReadonlyArray<Mcp.ToolDescription>,
  cursor: string | undefined,
  cache: Mcp.CacheHint
): Mcp.ToolPage => ({ tools, ...next(cursor, cache) })

const resourcePage = (
  resources: ReadonlyArray<Mcp.Resource>,
  cursor: string | undefined,
  cache: Mcp.CacheHint
): Mcp.ResourcePage => ({ resources, ...next(cursor, cache) })

const templatePage = (
  resourceTemplates: ReadonlyArray<Mcp.ResourceTemplate>,
  cursor: string | undefined,
  cache: Mcp.CacheHint
): Mcp.ResourceTemplatePage => ({ resourceTemplates, ...next(cursor, cache) })

const promptPage = (
  prompts: ReadonlyArray<Mcp.Prompt>,
  cursor: string | undefined,
  cache: Mcp.CacheHint
): Mcp.PromptPage => ({ prompts, ...next(cursor, cache) })

const isPaused = (value: { readonly _tag: string }): value is Paused => value._tag === "Paused"

/**
 * @since 0.1.0
 * @category constructors
 */
export const tools = (
  registry: Registry<typeof ToolRegistry>,
  runner: TaskRunner | undefined,
  options: Options
): NonNullable<Handlers<Principal>["tools"]> => {
  const page = Page.make(options)
  const resume = resuming(options)
  // Not while the layers are built: standard output may not yet be kept for the protocol.
  let unsaid = registry.warnings
  const warnOnce = Effect.suspend(() => {
    const warnings = unsaid
    unsaid = []
    return Effect.forEach(warnings, (warning) => Effect.logWarning(warning), { discard: true })
  })
  return {
    listChanged: options.announces,
    list: (context, cursor) => {
      const found = page(registry.list(context.caller), cursor, nameOf, toolPage)
      return unsaid.length === 0 ? found : Effect.zipRight(warnOnce, found)
    },
    headers: registry.headers,
    unasked: ToolCodec.fromUnasked,
    call: (context, request) => {
      const inputs = resume.inputs(context, "tools/call", request.name, request.arguments, request)
      if (Either.isLeft(inputs)) return Exit.fail(inputs.left)
      const call = {
        name: request.name,
        arguments: request.arguments,
        caller: context.caller,
        requestId: context.requestId,
        reportProgress: context.progress,
        log: context.log,
        meta: context.meta,
        beginTask: never,
        asking: inputs.right
      }
      const clientKnowsTasks = McpTask.isKnown(context.clientCapabilities) &&
        Revisions.stateless.includes(context.revision)
      const answer = runner === undefined ? registry.call(call) : runner.call(call, { clientKnowsTasks })
      return resume.outcome(answer, context, "tools/call", request.name, request.arguments)
    }
  }
}

const never = Exit.succeed(false)

/**
 * @since 0.1.0
 * @category constructors
 */
export const resources = (
  registry: Registry<typeof ResourceRegistry>,
  options: Options
): NonNullable<Handlers<Principal>["resources"]> => {
  const page = Page.make(options)
  const resume = resuming(options)
  return {
    listChanged: options.announces,
    subscribe: options.announces,
    list: (context, cursor) => {
      const cut = (resources: ReadonlyArray<Mcp.Resource>) => page(resources, cursor, (_) => _.uri, resourcePage)
      const listed = registry.list(context.caller)
      return isExit(listed) && Exit.isSuccess(listed) ? cut(listed.value) : Effect.flatMap(listed, cut)
    },
    templates: (context, cursor) =>
      page(registry.templates(context.caller), cursor, (template) => template.uriTemplate, templatePage),
    read: (context, request) => {
      const inputs = resume.inputs(context, "resources/read", request.uri, undefined, request)
      if (Either.isLeft(inputs)) return Exit.fail(inputs.left)
      const answer = registry.read({
        uri: request.uri,
        caller: context.caller,
        requestId: context.requestId,
        meta: context.meta,
        progress: context.progress,
        log: context.log,
        asking: inputs.right
      })
      return resume.outcome(answer, context, "resources/read", request.uri, undefined)
    }
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const prompts = (
  registry: Registry<typeof PromptRegistry>,
  options: Options
): NonNullable<Handlers<Principal>["prompts"]> => {
  const page = Page.make(options)
  const resume = resuming(options)
  return {
    listChanged: options.announces,
    list: (context, cursor) => page(registry.list(context.caller), cursor, nameOf, promptPage),
    get: (context, request) => {
      const inputs = resume.inputs(context, "prompts/get", request.name, request.arguments, request)
      if (Either.isLeft(inputs)) return Exit.fail(inputs.left)
      const answer = registry.get({
        name: request.name,
        arguments: request.arguments,
        caller: context.caller,
        requestId: context.requestId,
        meta: context.meta,
        progress: context.progress,
        log: context.log,
        asking: inputs.right
      })
      return resume.outcome(answer, context, "prompts/get", request.name, request.arguments)
    }
  }
}

/**
 * Completes the arguments of prompts and the parameters of templates.
 *
 * @since 0.1.0
 * @category constructors
 */
export const complete = (
  resources: Registry<typeof ResourceRegistry> | undefined,
  prompts: Registry<typeof PromptRegistry> | undefined
): NonNullable<Handlers<Principal>["complete"]> =>
({ caller }, { argument, context, ref }) => {
  if (ref.type === "ref/prompt") {
    return prompts === undefined
      ? Exit.fail(invalidParams("Unknown prompt"))
      : prompts.complete({ name: ref.name, argument, context, caller })
  }
  return resources === undefined
    ? Exit.fail(invalidParams("Unknown resource template"))
    : resources.complete({ uri: ref.uri, argument, context, caller })
}
