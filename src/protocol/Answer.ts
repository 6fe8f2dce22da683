/**
 * The answers of one server in one revision: a request in, the handlers asked,
 * the reply out.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import type { Handlers, RequestContext } from "./Handlers.js"
import * as JsonRpc from "./JsonRpc.js"
import type { McpError } from "./McpError.js"
import { Code, internalError, methodNotFound } from "./McpError.js"
import type * as Mcp from "./McpSchema.js"
import type { Common } from "./Meta.js"
import * as Params from "./Params.js"
import * as Progress from "./Progress.js"
import type { Revision } from "./Revision.js"

/**
 * What goes back: the HTTP status, and the JSON text unless there is nothing to say.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reply {
  readonly status: number
  readonly body: string | undefined
}

/**
 * What the answers may be told to do.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /**
   * Told of each defect under the id that the client will see, before the client
   * does. A defect of its own is lost.
   */
  readonly onDefect?: ((incident: string, cause: Cause.Cause<unknown>) => Effect.Effect<void>) | undefined
}

/**
 * Who asks, and what was said around the request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Asker<out Caller> extends Common {
  readonly caller: Caller
  readonly clientCapabilities: Mcp.ClientCapabilities
  readonly clientInfo: Mcp.Implementation | undefined
  readonly notify: (json: string) => void
}

/**
 * Answers requests of one revision.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer<in Caller> {
  readonly revision: Revision
  /** The reply is an `Exit` when the handler's effect is one. Never throws. */
  readonly request: (request: JsonRpc.Request, asker: Asker<Caller>) => Effect.Effect<Reply>
  /** The reply to an `initialize` that was understood; on a pipe changes of lists can be announced. */
  readonly initialize: (id: Mcp.RequestId, isPipe: boolean) => Effect.Effect<Reply>
}

type Route<Caller> = (
  request: JsonRpc.Request,
  context: RequestContext<Caller>,
  reporter: Progress.Reporter
) => Effect.Effect<Reply>

/**
 * Whether there is nothing to wait for; unlike `Exit.isExit` it remembers the types.
 *
 * @since 0.1.0
 * @category guards
 */
export const isExit = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)

const answered = (id: Mcp.RequestId, json: string): Exit.Exit<Reply> =>
  Exit.succeed({ status: 200, body: JsonRpc.result(id, json) })

/**
 * A reply that refuses.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refused = (id: Mcp.RequestId | null | undefined, error: McpError, status: number): Exit.Exit<Reply> =>
  Exit.succeed({ status, body: JsonRpc.error(id, error) })

/** What is declared: exactly the groups that are served. */
const capabilities = (handlers: Handlers<never>, isPipe: boolean): JsonRpc.Json => {
  const group = (self: { readonly listChanged: boolean } | undefined, name: string): JsonRpc.Json =>
    self === undefined ? {} : { [name]: isPipe && self.listChanged ? { listChanged: true } : {} }
  return {
    ...group(handlers.tools, "tools"),
    ...group(handlers.resources, "resources"),
    ...group(handlers.prompts, "prompts"),
    ...(handlers.complete === undefined ? {} : { completions: {} })
  }
}

const hex = (value: number): string => value.toString(16).padStart(8, "0")

const newIncident: Effect.Effect<string> = Effect.zipWith(
  Random.nextIntBetween(0, 2 ** 32),
  Random.nextIntBetween(0, 2 ** 32),
  (high, low) => hex(high) + hex(low)
)

/**
 * Joins handlers to a revision. What never changes is written here, once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Caller>(revision: Revision, handlers: Handlers<Caller>, options: Options): Answer<Caller> => {
  const { isStateless, reading } = revision
  const writing = revision.writing(handlers.server)
  const { onDefect } = options

  const broken = (id: Mcp.RequestId, cause: Cause.Cause<unknown>): Effect.Effect<Reply> =>
    Effect.flatMap(newIncident, (incident) => {
      const told = onDefect === undefined ? Effect.void : Effect.suspend(() => onDefect(incident, cause))
      // The client gets its answer even when the defect cannot be reported.
      return Effect.zipRight(Effect.exit(told), refused(id, internalError(incident), 200))
    })

  const failed = (request: JsonRpc.Request, error: McpError): Exit.Exit<Reply> => {
    const isUnmet = isStateless && error.code === Code.MissingClientCapability
    return refused(request.id, writing.error(request.method, error), isUnmet ? 400 : 200)
  }

  const route = <P, A>(
    decode: Params.Decode<P>,
    ask: (context: RequestContext<Caller>, params: P) => Effect.Effect<A, McpError>,
    encode: (value: A, request: JsonRpc.Request, context: RequestContext<Caller>) => string | McpError
  ): Route<Caller> =>
  (request, context, reporter) => {
    const settle = (exit: Exit.Exit<A, McpError>): Effect.Effect<Reply> => {
      try {
        if (Exit.isSuccess(exit)) {
          const written = encode(exit.value, request, context)
          return typeof written === "string" ? answered(request.id, written) : failed(request, written)
        }
        const failure = Cause.failureOrCause(exit.cause)
        if (Either.isLeft(failure)) return failed(request, failure.left)
        return Cause.isDie(failure.right) ? broken(request.id, failure.right) : Exit.failCause(failure.right)
      } catch (defect) {
        return broken(request.id, Cause.die(defect))
      }
    }
    const params = decode(request.params)
    if (Either.isLeft(params)) return failed(request, params.left)
    let asked: Effect.Effect<A, McpError>
    try {
      asked = ask(context, params.right)
    } catch (defect) {
      asked = Exit.die(defect)
    }
    if (isExit(asked)) {
      reporter.close()
      return settle(asked)
    }
    const reply = Effect.matchCauseEffect(asked, {
      onFailure: (cause) => settle(Exit.failCause(cause)),
      onSuccess: (value) => settle(Exit.succeed(value))
    })
    return reporter === Progress.silent ? reply : Effect.ensuring(reply, Effect.sync(reporter.close))
  }

  /** For what may ask back: a result, or questions first. */
  const orAsk = <A extends { readonly _tag: "Complete" }>(encode: (value: A) => string) =>
  (
    value: A | Mcp.InputRequired,
    request: JsonRpc.Request,
    context: RequestContext<Caller>
  ): string | McpError =>
    value._tag === "InputRequired"
      ? Either.merge(writing.inputRequired(request.method, value, context.clientCapabilities))
      : encode(value)

  const constant = (json: string): Route<Caller> => (request) => answered(request.id, json)

  const introduction = (isPipe: boolean): string =>
    writing.introduction({
      capabilities: capabilities(handlers, isPipe),
      instructions: handlers.instructions,
      cache: handlers.cache
    })

  const onPipe = introduction(true)
  const onPost = introduction(false)

  const { complete, prompts, resources, tools } = handlers
  const served: ReadonlyArray<readonly [string, Route<Caller>]> = [
    isStateless ? ["server/discover", constant(onPost)] : ["ping", constant("{}")],
    ...(tools === undefined ? [] : [
      ["tools/list", route(Params.cursor, (context, cursor) => tools.list(context, cursor), writing.toolPage)],
      [
        "tools/call",
        route(reading.callTool, (context, call) => tools.call(context, call), orAsk(writing.toolResult))
      ]
    ] as const),
    ...(resources === undefined ? [] : [
      [
        "resources/list",
        route(Params.cursor, (context, cursor) => resources.list(context, cursor), writing.resourcePage)
      ],
      [
        "resources/templates/list",
        route(Params.cursor, (context, cursor) => resources.templates(context, cursor), writing.templatePage)
      ],
      [
        "resources/read",
        route(reading.readResource, (context, read) => resources.read(context, read), orAsk(writing.readResult))
      ]
    ] as const),
    ...(prompts === undefined ? [] : [
      ["prompts/list", route(Params.cursor, (context, cursor) => prompts.list(context, cursor), writing.promptPage)],
      [
        "prompts/get",
        route(reading.getPrompt, (context, get) => prompts.get(context, get), orAsk(writing.promptResult))
      ]
    ] as const),
    ...(complete === undefined ? [] : [
      ["completion/complete", route(reading.complete, complete, writing.completion)]
    ] as const)
  ]
  const routes: ReadonlyMap<string, Route<Caller>> = new Map(
    served.filter(([method]) => revision.methods.has(method))
  )

  return {
    revision,
    initialize: (id, isPipe) => answered(id, isPipe ? onPipe : onPost),
    request: (request, asker) => {
      const found = routes.get(request.method)
      if (found === undefined) return refused(request.id, methodNotFound(request.method), isStateless ? 404 : 200)
      const { progressToken } = asker
      const reporter = progressToken === undefined ? Progress.silent : Progress.make(progressToken, asker.notify)
      const context: RequestContext<Caller> = {
        caller: asker.caller,
        requestId: request.id,
        revision: revision.version,
        clientCapabilities: asker.clientCapabilities,
        clientInfo: asker.clientInfo,
        meta: asker.meta,
        progress: reporter.report
      }
      return found(request, context, reporter)
    }
  }
}
