/**
 * Runs the calls that become tasks: begins them, lets them go on when their
 * request is over, runs them again when their questions were answered, and
 * answers for them.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Paused } from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import type { Changes } from "../change/Changes.js"
import * as ClientTimeout from "../middleware/ClientTimeout.js"
import * as ClientCapability from "../protocol/ClientCapability.js"
import type * as Handlers from "../protocol/Handlers.js"
import { Code, invalidParams, McpError, missingClientCapability } from "../protocol/McpError.js"
import type { ToolResult } from "../protocol/McpSchema.js"
import * as McpTask from "../protocol/McpTask.js"
import type { Again, TaskStore, TaskStoreError } from "../task/TaskStore.js"
import { ownerOf } from "../task/TaskStore.js"
import * as ToolCodec from "../tool/ToolCodec.js"
import { ToolError } from "../tool/ToolError.js"
import type { Request, ToolRegistry } from "../toolkit/ToolRegistry.js"
import * as TaskFlights from "./internal/TaskFlights.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly store: Context.Tag.Service<TaskStore>
  readonly registry: Context.Tag.Service<ToolRegistry>
  /** Told of every task that changes, if given. */
  readonly changes?: Context.Tag.Service<Changes> | undefined
  /** How long a task is kept from its beginning, running or not; one hour unless given. */
  readonly timeToLive?: Duration.DurationInput | undefined
  /** How long a client should wait between two looks; one second unless given. */
  readonly pollInterval?: Duration.DurationInput | undefined
  /** How many tasks run here at once, at least 1; 256 unless given. Those that wait for answers do not count. */
  readonly maxRunning?: number | undefined
  /** After how many milliseconds without a sign of life other instances give a task up; 30,000 unless given. */
  readonly leaseMillis?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface TaskRunner {
  /**
   * Answers a call, with a task when the tool's options and the client allow or
   * demand one. The same `Exit` as the registry's for a tool that never is one.
   */
  readonly call: (
    request: Request,
    context: { readonly clientKnowsTasks: boolean }
  ) => Effect.Effect<ToolResult | Paused | McpTask.Created, McpError>
  readonly handlers: Handlers.TaskHandlers<Principal>
  /** A task as the caller may see it; `None` also when the store cannot tell. */
  readonly read: (taskId: string, caller: Principal) => Effect.Effect<Option.Option<McpTask.State>>
}

const needsTasks = Exit.fail(missingClientCapability({ extensions: { [McpTask.extension]: {} } }))

const unknownTask = (taskId: string): McpError => invalidParams(`Unknown task: ${taskId.slice(0, 64)}`)

const refused = (error: TaskStoreError): Effect.Effect<never, McpError> =>
  Effect.zipRight(
    Effect.logWarning(error.message, error),
    Effect.fail(new McpError({ code: Code.InternalError, message: error.message }))
  )

const nothing = (): void => undefined

/** A task may ask no more than the client declared with the request that runs it, as any call. */
const answerable = <A extends ToolResult | Paused>(request: Request, answer: A): Effect.Effect<A, McpError> => {
  if (answer._tag !== "Paused") return Exit.succeed(answer)
  const { clientCapabilities } = request.asking
  const missing = Object.values(answer.requests)
    .map(({ method, params }) => ClientCapability.missing(method, params, clientCapabilities))
    .find((lacking) => lacking !== undefined)
  return missing === undefined ? Exit.succeed(answer) : Exit.fail(missingClientCapability(missing))
}

/** Nobody waits for a task's call, and tasks have neither progress nor log. */
const inBackground = (request: Request): Request => ({
  ...request,
  isTask: true,
  beginTask: Exit.succeed(true),
  reportProgress: nothing,
  log: nothing
})

/**
 * Makes a runner. When the scope closes, the tasks that run here fail, and say
 * that the server stopped.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<TaskRunner, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { changes, registry, store } = options
    const timeToLive = Duration.decode(options.timeToLive ?? "1 hour")
    const ttlMs = Duration.isFinite(timeToLive) ? Math.max(1, Math.ceil(Duration.toMillis(timeToLive))) : null
    const pollIntervalMs = Math.max(1, Math.ceil(Duration.toMillis(options.pollInterval ?? "1 second")))
    const maxRunning = Math.max(1, Math.trunc(options.maxRunning ?? 256))
    const leaseMillis = Math.max(3, Math.trunc(options.leaseMillis ?? 30_000))
    const publish = (taskId: string) => changes?.publish({ _tag: "TaskChanged", taskId }) ?? Effect.void
    const flights = yield* TaskFlights.make({ store, publish, maxRunning, leaseMillis })

    yield* Effect.sleep("1 minute").pipe(
      Effect.zipRight(Effect.repeat(store.sweep, { while: (swept) => swept >= 1_000, times: 9 })),
      Effect.catchAll((error) => Effect.logWarning("Expired tasks could not be deleted", error)),
      Effect.forever,
      Effect.forkScoped
    )

    const create = (request: Request) => {
      const memo: TaskFlights.Carried = { memo: request.asking.memo, names: {}, used: [] }
      return TaskFlights.apart(store.create({
        owner: ownerOf(request.caller),
        tool: request.name,
        arguments: request.arguments,
        memo,
        ttlMs,
        pollIntervalMs,
        leaseMillis
      }))
    }

    const busy = Exit.succeed(ToolCodec.fromToolError(
      new ToolError({
        code: "rate_limited",
        message: `The server runs ${maxRunning} tasks, which is its limit. Try again shortly.`,
        retryAfterMs: pollIntervalMs
      })
    ))

    /** How long a call may take that may become a task and has not. */
    const patienceOf = ({ meta, name, timeoutMs }: Request): Duration.Duration =>
      Duration.millis(
        Math.min(registry.timeout(name), ClientTimeout.least(ClientTimeout.ofMeta(meta), timeoutMs) ?? Infinity)
      )

    const timedOut = (name: string, patience: Duration.Duration) =>
      ToolCodec.fromToolError(
        new ToolError({
          code: "timed_out",
          message: `${name} did not finish within ${Duration.format(patience)}. Try again, or ask for less.`
        })
      )

    const launch = (flight: TaskFlights.Flight, request: Request): Effect.Effect<void> =>
      flights.launch(
        flight,
        Effect.flatMap(
          Effect.suspend(() => registry.call(inBackground(request))),
          (answer) => answerable(request, answer)
        ),
        () => Effect.void
      )

    const atOnce = (request: Request): Effect.Effect<ToolResult | McpTask.Created, McpError> =>
      Effect.suspend((): Effect.Effect<ToolResult | McpTask.Created, McpError> => {
        if (!flights.reserve()) return busy
        return create(request).pipe(
          Effect.matchEffect({
            onFailure: (error) => {
              flights.release()
              return refused(error)
            },
            onSuccess: ({ run, state }) =>
              Effect.as(
                launch(TaskFlights.flight(request.name, run), request),
                { _tag: "Task" as const, task: state }
              )
          })
        )
      }).pipe(Effect.uninterruptible)

    const whenTold = (
      request: Request
    ): Effect.Effect<ToolResult | Paused | McpTask.Created, McpError> =>
      Effect.suspend(() => {
        const reply = Deferred.unsafeMake<ToolResult | Paused | McpTask.Created, McpError>(FiberId.none)
        const flight = TaskFlights.flight(request.name)
        const patience = patienceOf(request)
        const oneByOne = Effect.unsafeMakeSemaphore(1).withPermits(1)
        let isBeginning = false
        let isAbandoned = false
        const leave = Effect.suspend(() => flight.fiber === undefined ? Effect.void : Fiber.interrupt(flight.fiber))

        const beginTask = oneByOne(
          Effect.suspend(() => {
            if (flight.run !== undefined) return Exit.succeed(true)
            if (isAbandoned || !flights.reserve()) return Exit.succeed(false)
            isBeginning = true
            return create(request).pipe(
              Effect.matchEffect({
                onFailure: (error) => {
                  isBeginning = false
                  flights.release()
                  return Effect.logWarning(`A call of ${request.name} cannot become a task`, error).pipe(
                    Effect.zipRight(isAbandoned ? Effect.forkDaemon(leave) : Effect.void),
                    Effect.as(false)
                  )
                },
                onSuccess: ({ run, state }) => {
                  isBeginning = false
                  flight.run = run
                  return Effect.as(Deferred.succeed(reply, { _tag: "Task", task: state }), true)
                }
              })
            )
          }).pipe(Effect.uninterruptible)
        )

        // Instead of the registry's timeout, which would still be there when the call has become a task.
        const late: Effect.Effect<ToolResult> = Effect.flatMap(Effect.sleep(patience), () => {
          if (flight.run !== undefined) return Effect.never
          if (isBeginning) return late
          isAbandoned = true
          const tooSlow = timedOut(request.name, patience)
          // At once: the call may take its time to stop.
          return Effect.zipRight(Deferred.succeed(reply, tooSlow), Exit.succeed(tooSlow))
        })
        const call = Effect.suspend(() =>
          registry.call({
            ...request,
            isTask: true,
            beginTask,
            reportProgress: (update) => {
              if (flight.run === undefined) request.reportProgress(update)
            },
            log: (message) => {
              if (flight.run === undefined) request.log(message)
            }
          })
        )
        const settled = Effect.flatMap(Effect.raceFirst(call, late), (answer) =>
          // Before there is a task, the protocol says it.
          flight.run === undefined ? Exit.succeed(answer) : answerable(request, answer))
        return flights.launch(flight, settled, (landing) => Deferred.done(reply, landing)).pipe(
          Effect.zipRight(Deferred.await(reply)),
          Effect.onInterrupt(() => {
            isAbandoned = true
            return flight.run === undefined && !isBeginning ? leave : Effect.void
          })
        )
      })

    const again = (context: Handlers.RequestContext<Principal>, next: Again): Effect.Effect<void> => {
      // Written by this module, when the task was created or paused.
      const { memo, names, used } = next.memo as TaskFlights.Carried
      const responses = Object.entries(next.responses)
        .map(([name, response]) => [Object.hasOwn(names, name) ? names[name] : name, response])
      return launch(TaskFlights.flight(next.tool, next.run, used), {
        name: next.tool,
        arguments: next.arguments,
        caller: context.caller,
        requestId: context.requestId,
        meta: context.meta,
        reportProgress: nothing,
        log: nothing,
        beginTask: Exit.succeed(true),
        asking: {
          memo,
          responses: Object.fromEntries(responses),
          clientCapabilities: context.clientCapabilities
        }
      })
    }

    const update: TaskRunner["handlers"]["update"] = (context, { inputResponses, taskId }) =>
      Effect.suspend(() => {
        // Before the answers are taken, since who takes the last one must run the call.
        if (!flights.reserve()) {
          return Effect.fail(
            new McpError({
              code: Code.InternalError,
              message: `The server runs ${maxRunning} tasks, which is its limit. Send the answers again shortly.`
            })
          )
        }
        return TaskFlights.apart(store.answer(taskId, ownerOf(context.caller), inputResponses, leaseMillis)).pipe(
          Effect.matchEffect({
            onFailure: (error) => {
              flights.release()
              return refused(error)
            },
            onSuccess: (answered) => {
              if (answered._tag === "Again") return Effect.zipRight(again(context, answered), publish(taskId))
              flights.release()
              if (answered._tag === "Unknown") return Effect.fail(unknownTask(taskId))
              return answered._tag === "Waiting" ? publish(taskId) : Effect.void
            }
          })
        )
      }).pipe(Effect.uninterruptible)

    const handlers: TaskRunner["handlers"] = {
      get: (context, taskId) =>
        store.get(taskId, ownerOf(context.caller)).pipe(
          Effect.catchAll(refused),
          Effect.flatMap(Option.match({
            onNone: () => Effect.fail(unknownTask(taskId)),
            onSome: Effect.succeed
          }))
        ),
      update,
      cancel: (context, taskId) =>
        store.cancel(taskId, ownerOf(context.caller)).pipe(
          Effect.catchAll(refused),
          Effect.flatMap((outcome) => {
            if (outcome === "unknown") return Effect.fail(unknownTask(taskId))
            return outcome === "cancelled" ? Effect.zipRight(flights.stop(taskId), publish(taskId)) : Effect.void
          })
        )
    }

    return {
      call: (request, { clientKnowsTasks }) => {
        const options = registry.task(request.name)
        if (options === undefined || options.support === "forbidden") return registry.call(request)
        if (!clientKnowsTasks && options.support === "optional") return registry.call(request)
        // The registry refuses a caller who may not use the tool; there is nothing to make a task of.
        if (!registry.list(request.caller).some(({ name }) => name === request.name)) return registry.call(request)
        if (!clientKnowsTasks) return needsTasks
        return options.begins === "atOnce" ? atOnce(request) : whenTold(request)
      },
      handlers,
      read: (taskId, caller) =>
        store.get(taskId, ownerOf(caller)).pipe(
          Effect.catchAll((error) => Effect.as(Effect.logWarning(error.message, error), Option.none()))
        )
    }
  })
