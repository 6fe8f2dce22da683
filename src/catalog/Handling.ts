/**
 * How the handlers of what a server offers are run: how they begin, what they
 * find, how long they may take, and what a client is told of their end.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { NotAnswered } from "../ask/Ask.js"
import * as Asking from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import { isExit } from "../protocol/Ended.js"
import type * as Logging from "../protocol/Logging.js"
import { Code, McpError } from "../protocol/McpError.js"
import type * as Mcp from "../protocol/McpSchema.js"
import * as Completion from "./Completion.js"
import { Unavailable } from "./Unavailable.js"

/**
 * What every handler is told of the request it answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call {
  readonly caller: Principal
  readonly requestId: Mcp.RequestId
  /** The request's `_meta`: untrusted, for trace context and extensions. */
  readonly meta: { readonly [key: string]: unknown }
  /** Tells the client how far the handler has come; does nothing when nobody asked. */
  readonly progress: (update: Mcp.Progress) => void
  /** Writes to the client's log; does nothing below the level it asked for. Holds no secret: it leaves the process. */
  readonly log: (message: Logging.Message) => void
}

/**
 * Begins a handler. One that throws before it gives an effect is as broken as one
 * whose effect dies.
 *
 * @since 0.1.0
 * @category combinators
 */
export const begin = <Args extends ReadonlyArray<unknown>, A>(
  handler: (...args: Args) => Effect.Effect<A, unknown, unknown>,
  ...args: Args
): Effect.Effect<A, unknown, unknown> => {
  try {
    return handler(...args)
  } catch (defect) {
    return Exit.die(defect)
  }
}

/**
 * Ends a run: paused where it lacks an answer, and otherwise as `settle` says of
 * `subject` and the run's exit.
 *
 * @since 0.1.0
 * @category combinators
 */
export const conclude = <A, E, R, Subject, B, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  run: Asking.Run,
  settle: (subject: Subject, exit: Exit.Exit<A, E>) => Effect.Effect<B, E2, R2>,
  subject: Subject
): Effect.Effect<B | Asking.Paused, E2, R | R2> =>
  Effect.flatMap(Effect.exit(effect), (exit): Effect.Effect<B | Asking.Paused, E2, R2> => {
    // A question ends a run in a way that a handler may have caught; what came out then means nothing.
    const paused = Asking.paused(run)
    return paused === undefined ? settle(subject, exit) : Exit.succeed(paused)
  })

/**
 * What sets one kind of handler apart.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Kind {
  /** For sentences: `resource`. */
  readonly name: string
  /** How long a handler may take; 30 seconds unless given. */
  readonly timeout: Duration.DurationInput | undefined
  /** What the client is told of the kind's own error; `undefined` for any other failure. */
  readonly reason: (failure: unknown, key: string) => McpError | Unavailable | undefined
}

/**
 * What a handler is run with.
 *
 * @since 0.1.0
 * @category models
 */
export interface Run<in A, out B> {
  /** The name or URI that was asked for. */
  readonly key: string
  readonly services: Context.Context<unknown>
  readonly asking: Asking.Inputs
  /** Makes the result. `isAnswered` says that it may depend on what a client answered. */
  readonly settle: (value: A, isAnswered: boolean) => Effect.Effect<B, McpError>
}

/**
 * Runs the handlers of one kind. A failure that was not declared becomes a
 * defect, and so does a handler that stops itself; defects are left to the caller.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handling {
  /** Limits the time, and provides the services over those that are around. */
  readonly within: <A>(
    effect: Effect.Effect<A, unknown, unknown>,
    services: Context.Context<unknown>
  ) => Effect.Effect<A, unknown>
  /** What comes of a handler that may ask; already an `Exit` when its effect is one. */
  readonly run: <A, B>(
    effect: Effect.Effect<A, unknown, unknown>,
    options: Run<A, B>
  ) => Effect.Effect<B | Asking.Paused, McpError>
  /** Suggests values; already an `Exit` when the effect of the completion is one. */
  readonly complete: (
    key: string,
    entry: Completion.Completable & { readonly services: Context.Context<unknown> },
    request: Completion.Request
  ) => Effect.Effect<Mcp.Completion, McpError>
}

/** The failure as the client sees it. */
const fail = (kind: Kind, key: string, cause: Cause.Cause<unknown>): Effect.Effect<never, McpError> => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure instanceof McpError) return Exit.fail(failure)
  const reason = failure instanceof NotAnswered || failure instanceof Unavailable ? failure : kind.reason(failure, key)
  if (reason instanceof McpError) return Exit.fail(reason)
  if (reason !== undefined) {
    // That there is no answer is nobody's fault; like a client that cannot be asked.
    const code = failure instanceof NotAnswered ? Code.InvalidRequest : Code.InternalError
    const told = Exit.fail(new McpError({ code, message: reason.message }))
    return reason.cause === undefined
      ? told
      : Effect.zipRight(Effect.logDebug(`The ${kind.name} ${key} was not ready`, Cause.fail(reason)), told)
  }
  return Option.match(Cause.keepDefects(cause), {
    onSome: Exit.failCause,
    onNone: () => Exit.die(failure ?? new Error(`the handler of the ${kind.name} ${key} interrupted itself`))
  })
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (kind: Kind): Handling => {
  const timeout = Duration.decode(kind.timeout ?? "30 seconds")

  const within: Handling["within"] = (effect, services) =>
    effect.pipe(
      Effect.timeoutFail({
        duration: timeout,
        onTimeout: () =>
          new Unavailable({
            message: `The ${kind.name} was not ready within ${Duration.format(timeout)}. Try again.`
          })
      }),
      Effect.mapInputContext((ambient: Context.Context<never>) => Context.merge(ambient, services))
    )

  return {
    within,
    run: (effect, { asking, key, services, settle }) => {
      if (isExit(effect)) {
        return Exit.isSuccess(effect) ? settle(effect.value, false) : fail(kind, key, effect.cause)
      }
      const run = Asking.start(asking)
      return conclude(
        within(effect, Context.add(services, Asking.Asking, run)),
        run,
        ({ answers }, exit) =>
          Exit.isSuccess(exit) ? settle(exit.value, answers.size > 0) : fail(kind, key, exit.cause),
        run
      )
    },
    complete: (key, { complete, literals, services }, { argument, caller, context }) => {
      const completer = complete.get(argument.name)
      if (completer === undefined) {
        return Exit.succeed(Completion.startingWith(literals.get(argument.name) ?? [], argument.value))
      }
      const finish = (exit: Exit.Exit<ReadonlyArray<string>, unknown>): Effect.Effect<Mcp.Completion, McpError> =>
        Exit.isSuccess(exit) ? Exit.succeed(Completion.first(exit.value)) : fail(kind, key, exit.cause)
      const effect = begin(completer, argument.value, { caller, arguments: context })
      return isExit(effect) ? finish(effect) : Effect.flatMap(Effect.exit(within(effect, services)), finish)
    }
  }
}
