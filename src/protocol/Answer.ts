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
import { isExit } from "./Ended.js"
import type { Arrival, Exchange, Reply, Standing, Tell } from "./Exchange.js"
import type { Handlers, RequestContext, TaskHandlers } from "./Handlers.js"
import * as Introduction from "./Introduction.js"
import * as JsonRpc from "./JsonRpc.js"
import type * as Logging from "./Logging.js"
import type { McpError } from "./McpError.js"
import { Code, internalError, invalidRequest, methodNotFound, missingClientCapability } from "./McpError.js"
import type * as Mcp from "./McpSchema.js"
import * as McpTask from "./McpTask.js"
import type { Common } from "./Meta.js"
import * as Orders from "./Orders.js"
import * as Params from "./Params.js"
import * as Questions from "./Questions.js"
import type { Revision, Writing } from "./Revision.js"
import * as Subscription from "./Subscription.js"
import * as Voice from "./Voice.js"

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
  readonly arrival: Arrival<Caller>
  readonly clientCapabilities: Mcp.ClientCapabilities
  readonly clientInfo: Mcp.Implementation | undefined
  /** The least severe level the client wants to see; none unless given. */
  readonly logLevel: Logging.Level | undefined
  /** How questions of the server's own are put to it, where they can be. */
  readonly ask: Standing["ask"]
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
  readonly request: (request: JsonRpc.Request, asker: Asker<Caller>) => Exchange
  /** The reply to an `initialize` that was understood; changes are declared where they can be announced. */
  readonly initialize: (id: Mcp.RequestId, canAnnounce: boolean) => Effect.Effect<Reply>
}

type Route<Caller> = (
  request: JsonRpc.Request,
  context: RequestContext<Caller>,
  voice: Voice.Voice,
  asker: Asker<Caller>
) => Effect.Effect<Reply>

const missingTasks = missingClientCapability({ extensions: { [McpTask.extension]: {} } })

const noTells: ReadonlyArray<Tell> = []

const unasked = (reason: string): Mcp.ToolResult => ({
  _tag: "Complete",
  content: [{ type: "text", text: reason }],
  isError: true
})

const answered = (id: Mcp.RequestId, json: string): Exit.Exit<Reply> =>
  Exit.succeed({ status: 200, body: JsonRpc.result(id, json) })

/**
 * A reply that refuses.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refused = (id: Mcp.RequestId | null | undefined, error: McpError, status: number): Exit.Exit<Reply> =>
  Exit.succeed({ status, body: JsonRpc.error(id, error), refusal: error })

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
      const body = JsonRpc.error(id, internalError(incident))
      return Effect.zipRight(Effect.exit(told), Exit.succeed({ status: 200, body }))
    })

  const failed = (request: JsonRpc.Request, error: McpError): Exit.Exit<Reply> => {
    const isUnmet = isStateless && error.code === Code.MissingClientCapability
    return Exit.succeed({
      status: isUnmet ? 400 : 200,
      body: JsonRpc.error(request.id, writing.error(request.method, error))
    })
  }

  /** Ends what may be said, and writes what came out. */
  const concluded = <A>(
    request: JsonRpc.Request,
    exit: Exit.Exit<A, McpError>,
    encode: (value: A) => string | McpError
  ): Effect.Effect<Reply> => {
    try {
      if (Exit.isSuccess(exit)) {
        const written = encode(exit.value)
        return typeof written === "string" ? answered(request.id, written) : failed(request, written)
      }
      const failure = Cause.failureOrCause(exit.cause)
      if (Either.isLeft(failure)) return failed(request, failure.left)
      return Cause.isDie(failure.right) ? broken(request.id, failure.right) : Exit.failCause(failure.right)
    } catch (defect) {
      return broken(request.id, Cause.die(defect))
    }
  }

  const start = <A>(make: () => Effect.Effect<A, McpError>): Effect.Effect<A, McpError> => {
    try {
      return make()
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  const run = <A>(
    request: JsonRpc.Request,
    voice: Voice.Voice,
    asked: Effect.Effect<A, McpError>,
    encode: (value: A) => string | McpError
  ): Effect.Effect<Reply> => {
    if (isExit(asked)) {
      if (voice !== Voice.silence) Voice.close(voice)
      return concluded(request, asked, encode)
    }
    const reply = Effect.matchCauseEffect(asked, {
      onFailure: (cause) => concluded(request, Exit.failCause(cause), encode),
      onSuccess: (value) => concluded(request, Exit.succeed(value), encode)
    })
    return voice === Voice.silence ? reply : Effect.ensuring(reply, Effect.sync(() => Voice.close(voice)))
  }

  const route = <P, A>(
    decode: Params.Decode<P>,
    ask: (context: RequestContext<Caller>, params: P) => Effect.Effect<A, McpError>,
    encode: (value: A) => string
  ): Route<Caller> =>
  (request, context, voice) => {
    const params = decode(request.params)
    return Either.isLeft(params)
      ? failed(request, params.left)
      : run(request, voice, start(() => ask(context, params.right)), encode)
  }

  /** For what may ask back: a result, or questions first. */
  const asking = <P extends Mcp.InputResponses, A extends { readonly _tag: "Complete" | "Task" }>(
    decode: Params.Decode<P>,
    ask: (context: RequestContext<Caller>, params: P) => Effect.Effect<A | Mcp.InputRequired, McpError>,
    encode: (value: A) => string,
    /** What a call answers whose client cannot be asked; where it has no words for it, the request fails. */
    refuse?: (unasked: Questions.Unasked) => string
  ): Route<Caller> =>
  (request, context, voice, asker) => {
    const params = decode(request.params)
    if (Either.isLeft(params)) return failed(request, params.left)
    const first = start(() => ask(context, params.right))
    const { inputRequired } = writing
    if (inputRequired !== undefined) {
      return run(request, voice, first, (value) =>
        value._tag === "InputRequired"
          ? Either.merge(inputRequired(value, context.clientCapabilities))
          // The tag says which it is.
          : encode(value as A))
    }
    type Outcome = A | Mcp.InputRequired | Questions.Unasked
    const settled = (value: A | Mcp.InputRequired): Effect.Effect<Outcome, McpError> => {
      if (value._tag !== "InputRequired") return Exit.succeed(value)
      if (asker.ask === undefined) return Exit.succeed(Questions.unreachable)
      return Effect.catchTag(
        Questions.settle(
          value,
          (inputs) => Effect.suspend(() => ask(context, { ...params.right, ...inputs })),
          asker.ask,
          asker.clientCapabilities,
          revision
        ),
        "Unasked",
        (unasked) => Effect.succeed(unasked)
      )
    }
    const whole: Effect.Effect<Outcome, McpError> = isExit(first)
      ? Exit.isSuccess(first) ? settled(first.value) : first
      : Effect.flatMap(first, settled)
    return run(request, voice, whole, (value) => {
      if (value._tag !== "Unasked") return encode(value as A)
      return refuse === undefined ? invalidRequest(value.reason) : refuse(value)
    })
  }

  /** Refuses a client that does not know tasks: it could not have heard of one. */
  const knowing = (found: Route<Caller>): Route<Caller> => (request, context, voice, asker) =>
    McpTask.isKnown(asker.clientCapabilities)
      ? found(request, context, voice, asker)
      : failed(request, missingTasks)

  const words: Subscription.Words = {
    task: (state) => writing.task?.fields(state) ?? "",
    last: (id) => JsonRpc.result(id, writing.listened?.(id) ?? "{}")
  }

  const subscription = (
    request: JsonRpc.Request,
    context: RequestContext<Caller>,
    asker: Asker<Caller>,
    listen: NonNullable<Handlers<Caller>["listen"]>
  ): Pick<Exchange, "reply" | "end" | "held"> => {
    const wanted = Params.listen(request.params)
    if (Either.isLeft(wanted)) return { reply: failed(request, wanted.left) }
    if (wanted.right.taskIds !== undefined && !McpTask.isKnown(asker.clientCapabilities)) {
      return { reply: failed(request, missingTasks) }
    }
    if (!asker.arrival.canStream) {
      return {
        reply: failed(request, invalidRequest("A subscription is a stream: Accept must list text/event-stream"))
      }
    }
    const { end, held, whole } = Subscription.open(
      request.id,
      asker.arrival.notify,
      words,
      (listener) => start(() => listen(context, Subscription.honoured(wanted.right, handlers), listener))
    )
    const reply = Effect.matchCauseEffect(whole, {
      onFailure: (cause) => concluded(request, Exit.failCause(cause), () => ""),
      onSuccess: (body) => Exit.succeed({ status: 200, body })
    })
    return { end, held, reply }
  }

  const aboutTasks = (
    tasks: TaskHandlers<Caller>,
    { heard, state }: NonNullable<Writing["task"]>
  ): ReadonlyArray<readonly [string, Route<Caller>]> => [
    ["tasks/get", knowing(route(Params.taskId, (context, id) => tasks.get(context, id), state))],
    [
      "tasks/update",
      knowing(route(Params.updateTask, (context, update) => tasks.update(context, update), () => heard))
    ],
    ["tasks/cancel", knowing(route(Params.taskId, (context, id) => tasks.cancel(context, id), () => heard))]
  ]

  const constant = (json: string): Route<Caller> => (request) => answered(request.id, json)

  const introduction = (canAnnounce: boolean): string =>
    writing.introduction({
      capabilities: Introduction.capabilities(handlers, { isStateless, canAnnounce }),
      instructions: handlers.instructions,
      cache: handlers.cache
    })

  const announcing = introduction(true)
  const silentOne = introduction(false)

  const { complete, listen, prompts, resources, tasks, tools } = handlers
  const served: ReadonlyArray<readonly [string, Route<Caller>]> = [
    isStateless ? ["server/discover", constant(announcing)] : ["ping", constant("{}")],
    ...(tools === undefined ? [] : [
      ["tools/list", route(Params.cursor, (context, cursor) => tools.list(context, cursor), writing.toolPage)],
      [
        "tools/call",
        asking(
          reading.callTool,
          (context, call) => tools.call(context, call),
          (value) => (value._tag === "Task" ? writing.task?.created(value.task) ?? "{}" : writing.toolResult(value)),
          ({ reason }) => writing.toolResult((tools.unasked ?? unasked)(reason))
        )
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
        asking(reading.readResource, (context, read) => resources.read(context, read), writing.readResult)
      ]
    ] as const),
    ...(prompts === undefined ? [] : [
      ["prompts/list", route(Params.cursor, (context, cursor) => prompts.list(context, cursor), writing.promptPage)],
      [
        "prompts/get",
        asking(reading.getPrompt, (context, get) => prompts.get(context, get), writing.promptResult)
      ]
    ] as const),
    ...(complete === undefined ? [] : [
      ["completion/complete", route(reading.complete, complete, writing.completion)]
    ] as const),
    ...(tasks === undefined || writing.task === undefined ? [] : aboutTasks(tasks, writing.task))
  ]
  const routes: ReadonlyMap<string, Route<Caller>> = new Map(
    served.filter(([method]) => revision.methods.has(method))
  )

  const standing = Orders.served(revision, handlers)
  const canListen = listen !== undefined && revision.methods.has("subscriptions/listen")

  return {
    revision,
    initialize: (id, canAnnounce) => answered(id, canAnnounce ? announcing : silentOne),
    request: (request, asker) => {
      const { id, method } = request
      const found = routes.get(method)
      if (found === undefined && method !== "subscriptions/listen") {
        const order = standing.get(method)?.(request.params)
        const cancelledByDisconnect = isStateless
        if (order === undefined) {
          const reply = refused(id, methodNotFound(method), isStateless ? 404 : 200)
          return { reply, id, cancelledByDisconnect, tells: noTells }
        }
        return Either.isLeft(order)
          ? { reply: failed(request, order.left), id, cancelledByDisconnect, tells: noTells }
          : { reply: answered(id, "{}"), id, cancelledByDisconnect, tells: [order.right] }
      }
      const logLevel = handlers.logging === true ? asker.logLevel : undefined
      const voice = Voice.make(asker.progressToken, logLevel, asker.arrival.notify)
      const context: RequestContext<Caller> = {
        caller: asker.arrival.caller,
        requestId: id,
        revision: revision.version,
        clientCapabilities: asker.clientCapabilities,
        clientInfo: asker.clientInfo,
        timeoutMs: asker.arrival.timeoutMs,
        noted: asker.arrival.noted,
        meta: asker.meta,
        progress: voice.progress.report,
        log: voice.log.log
      }
      if (found !== undefined) {
        const reply = found(request, context, voice, asker)
        return { reply, id, cancelledByDisconnect: isStateless, tells: noTells }
      }
      return canListen
        ? { ...subscription(request, context, asker, listen), id, cancelledByDisconnect: isStateless, tells: noTells }
        : {
          reply: refused(id, methodNotFound(method), isStateless ? 404 : 200),
          id,
          cancelledByDisconnect: isStateless,
          tells: noTells
        }
    }
  }
}
