/**
 * Runs a handler: with its services, within its time, and again where that may
 * help.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Ask from "../../ask/Ask.js"
import * as Asking from "../../ask/Asking.js"
import * as Handling from "../../catalog/Handling.js"
import * as Attempts from "../../policy/Attempts.js"
import * as Deadline from "../../policy/Deadline.js"
import type { Parts } from "../../policy/Policy.js"
import * as TimeLimit from "../../policy/TimeLimit.js"
import { isExit } from "../../protocol/Ended.js"
import type * as Tool from "../../tool/Tool.js"
import type { Call } from "../../tool/ToolCall.js"
import { ToolCall } from "../../tool/ToolCall.js"
import { ToolError } from "../../tool/ToolError.js"
import * as ClientTimeout from "../ClientTimeout.js"
import type { Answering } from "./Answer.js"
import type { Ending, Next, Visit } from "./Visit.js"
import { failed, millisOf } from "./Visit.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly tool: Tool.Any
  readonly run: Tool.AnyHandler["run"]
  /** What was provided where the handler was registered. */
  readonly services: Context.Context<unknown>
  readonly policy: Pick<Parts, "retry" | "attemptTimeout">
  /** Milliseconds in all, of a call that somebody waits for. */
  readonly timeout: number
  /** The same of a task. */
  readonly taskTimeout: number
  readonly clock: Clock.Clock
  readonly watch: Deadline.Watch
  readonly answering: Answering
}

const format = (millis: number): string => Duration.format(Duration.millis(Math.round(millis)))

/**
 * What is known of the time of calls.
 *
 * @since 0.1.0
 * @category models
 */
export interface Timing {
  /** Milliseconds that a call may take: the policy's, or the client's when they are fewer. */
  readonly durationOf: (visit: Visit) => number
  /** Whether that is the client's. */
  readonly isHurried: (visit: Visit) => boolean
  /** The failure of a call that took longer. */
  readonly timedOut: (visit: Visit) => ToolError
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const timing = (
  { taskTimeout, timeout, tool }: Pick<Options, "tool" | "timeout" | "taskTimeout">
): Timing => {
  const clientOf = ({ request }: Visit): number | undefined =>
    request.isTask === true ? undefined : ClientTimeout.least(ClientTimeout.ofMeta(request.meta), request.timeoutMs)
  const own = (visit: Visit): number => visit.request.isTask === true ? taskTimeout : timeout
  const hurryOf = (visit: Visit): number | undefined => {
    const client = clientOf(visit)
    return client !== undefined && client < own(visit) ? client : undefined
  }
  return {
    durationOf: (visit) => hurryOf(visit) ?? own(visit),
    isHurried: (visit) => hurryOf(visit) !== undefined,
    timedOut: (visit) => {
      const client = hurryOf(visit)
      const words = client === undefined
        ? `within ${format(own(visit))}`
        : `within the ${format(client)} that the client gave it`
      return new ToolError({
        code: "timed_out",
        message: `${tool.name} did not finish ${words}. Try again, or ask for less.`
      })
    }
  }
}

/** What a handler finds: what is around the call, what was there at registration, and the call itself. */
const contextOf = (
  ambient: Context.Context<never>,
  registered: Context.Context<unknown>,
  call: Call,
  run: Asking.Run,
  watch: Deadline.Watch
): Context.Context<unknown> => {
  const services = new Map(ambient.unsafeMap)
  for (const [key, service] of registered.unsafeMap) services.set(key, service)
  services.set(ToolCall.key, call)
  services.set(Asking.Asking.key, run)
  services.set(Deadline.Deadline.key, watch)
  return Context.unsafeMake(services)
}

/**
 * The innermost part of the stack. At once where the handler's effect is an
 * `Exit`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options, { timedOut }: Timing): Next => {
  const { answering, clock, policy, run, services, taskTimeout, timeout, tool, watch } = options
  const attempts = { ...policy, timeout: Option.none() }
  const isRetried = Option.isSome(policy.retry)
  const isPlain = !isRetried && Option.isNone(policy.attemptTimeout)

  /** The tries of a handler, which all begin with what is known. */
  const trying = (
    visit: Visit,
    handler: Effect.Effect<unknown, unknown, unknown>,
    asking: Asking.Run
  ): Effect.Effect<unknown, unknown, unknown> => {
    if (isPlain) return handler
    const { observation } = visit
    // A question ends the call, whatever the handler made of it, so there is no other try.
    const once = isRetried
      ? Effect.catchAll(
        Ask.fromStart(handler),
        (error) => asking.asked.size === 0 ? Effect.fail(error) : Effect.die(error)
      )
      : handler
    return Attempts.run(attempts, once, {
      onTimeout: (millis) => {
        observation?.step?.("timeout", "expired")
        return new ToolError({
          code: "timed_out",
          message: `${tool.name} did not finish within ${format(millis)}. Try again, or ask for less.`
        })
      },
      onAgain: () => observation?.step?.("retry", "again"),
      onExhausted: () => observation?.step?.("retry", "exhausted")
    })
  }

  const start = (visit: Visit, handler: Effect.Effect<unknown, unknown, unknown>): Ending =>
    Effect.withFiberRuntime((fiber) => {
      const { request } = visit
      visit.isBegun = true
      const now = millisOf(clock)
      const around = fiber.getFiberRef(TimeLimit.current)
      const limit = Math.min(around, visit.limit, now + (request.isTask === true ? taskTimeout : timeout))
      const duration = Math.max(0, Math.ceil(limit - now))
      const call: Call = {
        caller: request.caller,
        requestId: request.requestId,
        toolName: tool.name,
        deadline: clock.unsafeCurrentTimeMillis() + duration,
        reportProgress: request.reportProgress,
        log: request.log,
        beginTask: request.beginTask,
        meta: request.meta
      }
      const asking = Asking.start(request.asking)
      const tried = trying(visit, handler, asking)
      const observed = visit.observation?.around?.(tried) ?? tried
      // The watch runs it in a fiber of its own, which takes the limit with it when it ends.
      const limited = limit < around ? Effect.zipRight(FiberRef.set(TimeLimit.current, limit), observed) : observed
      // What a fiber runs in has no services but those that were put there.
      const ambient = fiber.currentContext as Context.Context<never>
      const running = watch.runIn(contextOf(ambient, services, call, asking, watch), limited, {
        duration,
        onTimeout: () => {
          visit.observation?.step?.("timeout", "expired")
          return Exit.fail(failed(timedOut(visit)))
        },
        onDetach: () => Effect.logWarning(`Tool ${tool.name} still runs although its time is over`)
      })
      return Handling.conclude(running, asking, answering.conclude, visit)
    })

  return (visit) => {
    const handler = Handling.begin(run, visit.input)
    if (!isExit(handler)) return start(visit, handler)
    visit.isBegun = true
    return answering.conclude(visit, handler)
  }
}
