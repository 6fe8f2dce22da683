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
import type { Call } from "../catalog/Handling.js"
import type { PromptRegistry } from "../prompt/PromptRegistry.js"
import { isExit } from "../protocol/Ended.js"
import type { Handlers, RequestContext } from "../protocol/Handlers.js"
import { invalidParams, McpError } from "../protocol/McpError.js"
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

/** How calls of one method begin, and how their questions go back: sealed to the caller and to the request. */
const resuming = (method: string, { clock, sealer, stateTimeToLive }: Options) => {
  const bind = (context: RequestContext<Principal>, target: string, given: unknown): RequestState.Bound => ({
    caller: context.caller,
    method,
    target,
    arguments: given,
    now: clock.unsafeCurrentTimeMillis(),
    timeToLive: stateTimeToLive
  })

  const written = <A extends { readonly _tag: string }>(
    value: A | Paused,
    context: RequestContext<Principal>,
    target: string,
    given: unknown
  ): Exclude<A, Paused> | Mcp.InputRequired =>
    isPaused(value)
      ? {
        _tag: "InputRequired",
        inputRequests: value.requests,
        requestState: RequestState.seal(sealer, value.memo, bind(context, target, given))
      }
      : value as Exclude<A, Paused>

  return {
    /** What a call is run with; or why its state is refused. */
    inputs: (
      context: RequestContext<Principal>,
      target: string,
      given: unknown,
      { inputResponses, requestState }: Resumable
    ): Asking.Inputs | McpError => {
      const { clientCapabilities } = context
      if (requestState === undefined) {
        // Nothing was asked, so nothing can have been answered.
        return { memo: Asking.nothing, responses: noResponses, clientCapabilities }
      }
      const opened = RequestState.open(sealer, requestState, bind(context, target, given))
      return Either.isLeft(opened)
        ? opened.left
        : { memo: opened.right, responses: inputResponses ?? noResponses, clientCapabilities }
    },
    outcome: <A extends { readonly _tag: string }>(
      answer: Effect.Effect<A | Paused, McpError>,
      context: RequestContext<Principal>,
      target: string,
      given: unknown
    ): Effect.Effect<Exclude<A, Paused> | Mcp.InputRequired, McpError> => {
      if (!isExit(answer)) return Effect.map(answer, (value) => written(value, context, target, given))
      return Exit.isSuccess(answer) && isPaused(answer.value)
        ? Exit.succeed(written(answer.value, context, target, given))
        : answer as Exit.Exit<Exclude<A, Paused>, McpError>
    }
  }
}

/** What handlers of resources and prompts are told of a request. */
const callOf = ({ caller, log, meta, progress, requestId }: RequestContext<Principal>): Call => ({
  caller,
  requestId,
  meta,
  progress,
  log
})

const nameOf = ({ name }: { readonly name: string }): string => name

/** Writes the pages of a list, whose items stand under this key. */
const pageOf =
  <K extends string>(key: K) => <A>(items: ReadonlyArray<A>, nextCursor: string | undefined, cache: Mcp.CacheHint) =>
    // A computed key has the type of all strings; this one is `K`.
    ({ [key]: items, ...(nextCursor === undefined ? {} : { nextCursor }), cache }) as
      & { readonly [_ in K]: ReadonlyArray<A> }
      & { readonly nextCursor?: string; readonly cache: Mcp.CacheHint }

const toolPage = pageOf("tools")
const resourcePage = pageOf("resources")
const templatePage = pageOf("resourceTemplates")
const promptPage = pageOf("prompts")

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
  const resume = resuming("tools/call", options)
  return {
    listChanged: options.announces,
    list: (context, cursor) => page(registry.list(context.caller), cursor, nameOf, toolPage),
    headers: registry.headers,
    unasked: ToolCodec.fromUnasked,
    call: (context, request) => {
      const asking = resume.inputs(context, request.name, request.arguments, request)
      if (asking instanceof McpError) return Exit.fail(asking)
      const call = {
        name: request.name,
        arguments: request.arguments,
        caller: context.caller,
        requestId: context.requestId,
        reportProgress: context.progress,
        log: context.log,
        meta: context.meta,
        timeoutMs: context.timeoutMs,
        noted: context.noted,
        beginTask: never,
        asking
      }
      const answer = runner === undefined ? registry.call(call) : runner.call(call, {
        clientKnowsTasks: McpTask.isKnown(context.clientCapabilities) && Revisions.stateless.includes(context.revision)
      })
      return resume.outcome(answer, context, request.name, request.arguments)
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
  const resume = resuming("resources/read", options)
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
      const { uri } = request
      const asking = resume.inputs(context, uri, undefined, request)
      return asking instanceof McpError
        ? Exit.fail(asking)
        : resume.outcome(registry.read({ ...callOf(context), uri, asking }), context, uri, undefined)
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
  const resume = resuming("prompts/get", options)
  return {
    listChanged: options.announces,
    list: (context, cursor) => page(registry.list(context.caller), cursor, nameOf, promptPage),
    get: (context, request) => {
      const { arguments: given, name } = request
      const asking = resume.inputs(context, name, given, request)
      return asking instanceof McpError
        ? Exit.fail(asking)
        : resume.outcome(registry.get({ ...callOf(context), name, arguments: given, asking }), context, name, given)
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
