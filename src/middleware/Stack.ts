/**
 * What stands around a handler, made once for each tool: every part of its policy,
 * in one order, whatever the order in which they were written.
 *
 * The order, from the outside: overload, size of the arguments, scopes, arguments,
 * required sources, idempotency, rate limits, places, coalescing, fallback, cache,
 * breaker, total time, retries, time of one try, handler, confidence, size of the
 * answer. Parts that are not set are not there.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Paused } from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import type { Health } from "../health/Health.js"
import * as Coalescer from "../policy/Coalescer.js"
import * as Deadline from "../policy/Deadline.js"
import { IdempotencyStore } from "../policy/IdempotencyStore.js"
import type { Overload } from "../policy/Overload.js"
import type * as Policy from "../policy/Policy.js"
import * as RateLimiter from "../policy/RateLimiter.js"
import { ResultCache } from "../policy/ResultCache.js"
import { isExit } from "../protocol/Ended.js"
import type { McpError } from "../protocol/McpError.js"
import type { ToolResult } from "../protocol/McpSchema.js"
import type * as Tool from "../tool/Tool.js"
import type { ToolCodec } from "../tool/ToolCodec.js"
import * as CallKey from "./CallKey.js"
import * as Answer from "./internal/Answer.js"
import * as Breaking from "./internal/Breaking.js"
import * as Fallback from "./internal/Fallback.js"
import * as Gate from "./internal/Gate.js"
import * as Incident from "./internal/Incident.js"
import * as Keeping from "./internal/Keeping.js"
import * as Limits from "./internal/Limits.js"
import * as Observed from "./internal/Observed.js"
import * as Once from "./internal/Once.js"
import * as Places from "./internal/Places.js"
import * as Problems from "./internal/Problems.js"
import * as Running from "./internal/Running.js"
import * as Sharing from "./internal/Sharing.js"
import type { Ending, Next, Outcome, Request, Step, Visit } from "./internal/Visit.js"
import { Failed, failed, limited, millisOf } from "./internal/Visit.js"
import * as Levels from "./Levels.js"
import type { Observer } from "./Observer.js"

export type {
  /**
   * A call, as a registry hands it to the stack.
   *
   * @since 0.1.0
   * @category models
   */
  Request
} from "./internal/Visit.js"

/**
 * What the stacks of one registry have in common.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shared {
  readonly clock: Clock.Clock
  readonly watch: Deadline.Watch
  readonly runs: Sharing.Runs
  /** Counts the limits of callers where no other limiter is provided. */
  readonly limiter: Context.Tag.Service<RateLimiter.RateLimiter>
  /** The places of upstreams that several tools use, by their names. */
  readonly upstreams: Places.Upstreams
  readonly overload: Context.Tag.Service<Overload> | undefined
  readonly health: Context.Tag.Service<Health> | undefined
  readonly observer: Observer | undefined
  /** Whether a caller may not know of another tool. */
  readonly isHidden: (tool: string, caller: Principal) => boolean
}

/**
 * What is said of one tool.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly handler: Tool.AnyHandler
  readonly codec: ToolCodec
  /** The policy of the server; those of the toolkit and the tool stand in the handler. */
  readonly policy: Policy.Any
  /** What was provided where the handler was registered. */
  readonly services: Context.Context<unknown>
}

/**
 * Everything around one handler, and the handler.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stack {
  /** Answers a call, whose effect is to be run once. Already an `Exit` where nothing has to be waited for. */
  readonly call: (request: Request) => Effect.Effect<ToolResult | Paused, McpError>
  /** Milliseconds that a call may take which somebody waits for; `Infinity` without a limit. */
  readonly timeout: number
  /** Which calls are turned away first when there is too much to do. */
  readonly priority: Policy.Priority
}

/**
 * Makes what the stacks of a registry have in common; the scope ends the runs
 * that are shared.
 *
 * @since 0.1.0
 * @category constructors
 */
export const share = (
  given: Pick<Shared, "overload" | "health" | "observer" | "isHidden">
): Effect.Effect<Shared, never, Scope.Scope> =>
  Effect.gen(function*() {
    return {
      ...given,
      clock: yield* Effect.clock,
      watch: yield* Deadline.make(),
      runs: { coalescer: yield* Coalescer.make<string, Outcome, Failed | McpError>(), groups: new Map() },
      limiter: yield* RateLimiter.make(),
      upstreams: new Map()
    }
  })

const millisOr = (duration: Option.Option<Duration.Duration>): number =>
  Option.match(duration, { onNone: () => Infinity, onSome: Duration.toMillis })

/** A call that cannot be run does not come to the source; what may stand in for it stands further out. */
const unhindered: Step = (next) => (visit) => visit.hindrance === undefined ? next(visit) : Exit.fail(visit.hindrance)

/** What is needed for a policy and is not there cannot be seen by its type where that was erased. */
class Missing extends Error {}

const need = <I, S>(services: Context.Context<unknown>, tag: Context.Tag<I, S>, what: string): S => {
  const found = Context.getOption(services, tag)
  if (Option.isSome(found)) return found.value
  throw new Missing(`its policy ${what}, and no ${tag.key.slice(tag.key.lastIndexOf("/") + 1)} is provided`)
}

const compose = (options: Options, shared: Shared): Stack => {
  const { codec, handler, services } = options
  const { fallback, requires, run, tool } = handler
  const { clock, observer, watch } = shared
  const levels = { server: options.policy, toolkit: handler.toolkitPolicy, tool: handler.policy }
  const policy = Levels.effective(levels, tool.safety)
  const timeout = millisOr(policy.timeout)
  // The server's is for those who wait.
  const taskTimeout = millisOr(Option.orElse(levels.tool.timeout, () => levels.toolkit.timeout))
  const minConfidence = Option.getOrUndefined(policy.minConfidence)
  const sizes = Option.getOrElse(policy.sizeLimit, (): Policy.SizeLimit => ({}))
  const other = policy.fallbacks.find((one) => one._tag === "Tool")

  const keyOf = (visit: Visit): string =>
    visit.key ??= CallKey.ofAnswer(tool.name, tool.isPublic, visit.request.caller, visit.request.arguments)
  const { inputSchema, outputSchema } = codec.description
  // An answer that was kept by another version of the tool may not be one of this.
  const version = CallKey.version([tool.form, inputSchema, outputSchema])
  const isHidden = (name: string) => ({ request }: Visit): boolean => shared.isHidden(name, request.caller)

  const keeping = Option.map(policy.cache, (cache) =>
    Keeping.make({
      tool,
      cache: need(services, ResultCache, "keeps answers"),
      policy: cache,
      minConfidence,
      clock,
      keyOf: (visit) => `${keyOf(visit)}|${version}`
    }))
  const limiter = policy.rateLimits.length === 0
    ? Option.getOrElse(Context.getOption(services, RateLimiter.RateLimiter), () => shared.limiter)
    : need(services, RateLimiter.RateLimiter, "limits calls")
  const timing = Running.timing({ tool, timeout, taskTimeout })

  const isStale = policy.fallbacks.some(({ _tag }) => _tag === "Stale") && Option.isSome(keeping)
  const within: ReadonlyArray<Step> = [
    ...(policy.coalesce
      ? [Sharing.make({
        runs: shared.runs,
        clock,
        watch,
        keyOf: (visit) => `${keyOf(visit)}|${version}`,
        timeout,
        late: (visit) => {
          visit.observation?.step?.("timeout", "expired")
          return Exit.fail(failed(timing.timedOut(visit)))
        }
      })]
      : []),
    ...(isStale || other !== undefined
      ? [Fallback.make({
        keeping: isStale ? Option.getOrUndefined(keeping) : undefined,
        tool: other === undefined ? undefined : { tool: other.tool, why: other.why },
        isHidden: isHidden(other?.tool ?? "")
      })]
      : []),
    ...Option.match(keeping, { onNone: () => [], onSome: ({ step }) => [step] }),
    ...(requires.length === 0 ? [] : [unhindered]),
    ...Option.match(policy.circuitBreaker, {
      onNone: () => [],
      onSome: (options) => [Breaking.make(tool.name, options, { clock, isHurried: timing.isHurried })]
    })
  ]
  const steps: ReadonlyArray<Step> = [
    ...Option.match(policy.idempotent, {
      onNone: () => [],
      onSome: (idempotent) => [
        Once.make({ tool, codec, store: need(services, IdempotencyStore, "remembers calls"), policy: idempotent })
      ]
    }),
    Limits.make(tool.name, policy.rateLimits, limiter),
    ...Option.match(policy.concurrency, {
      onNone: () => [],
      onSome: (concurrency) => {
        const options = Places.optionsOf(concurrency)
        const bulkhead = Places.bulkheadOf(concurrency.upstream, options, shared.upstreams)
        // That a source is down is known at once.
        const isLazy = within.some((step) => step !== unhindered)
        return [Places.make({ tool: tool.name, bulkhead, options, clock, isLazy })]
      }
    }),
    ...within
  ]
  // What else waits sees to the limit itself, which costs less.
  const isWaiting = within.some((step) => step !== unhindered) || Option.isSome(policy.idempotent)
  const answering = Answer.make({ tool, codec, minConfidence, maxResult: sizes.result ?? Infinity })
  const innermost = Running.make({
    tool,
    run,
    services,
    policy,
    timeout,
    taskTimeout,
    clock,
    watch,
    answering
  }, timing)
  const inside: Next = steps.reduceRight((next, step) => step(next), innermost)

  const priority = Option.getOrElse(policy.priority, (): Policy.Priority => "normal")
  const instead = fallback ?? (other === undefined ? undefined : { tool: other.tool, why: other.why })
  const gate = Gate.make({
    tool,
    codec,
    overload: shared.overload,
    priority,
    maxInput: sizes.input ?? Infinity,
    health: shared.health,
    requires,
    fallback: instead,
    isHidden: isHidden(instead?.tool ?? ""),
    mayAnswerWithout: Option.isSome(keeping) || Option.isSome(policy.idempotent)
  })

  const enter = (visit: Visit): Ending => {
    const refusal = gate(visit)
    if (refusal !== undefined) return Exit.fail(refusal)
    const ending = inside(visit)
    if (isExit(ending)) return ending
    const duration = timing.durationOf(visit)
    if (duration === Infinity) return ending
    // Nothing was waited for until now, so the time counts from the arrival of the call.
    visit.limit = millisOf(clock) + duration
    return isWaiting ? limited(ending, visit.limit) : ending
  }

  /** A policy's own functions may throw. */
  const entered = (visit: Visit): Ending => {
    try {
      return enter(visit)
    } catch (defect) {
      return Incident.report(tool.name, "has a policy that failed", Cause.die(defect), visit.request.requestId)
    }
  }

  const written = (
    exit: Exit.Exit<Outcome, Failed | McpError>,
    { noted }: Request
  ): Effect.Effect<ToolResult | Paused, McpError> => {
    if (Exit.isSuccess(exit)) return Exit.succeed(exit.value._tag === "Answered" ? exit.value.result : exit.value)
    const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
    if (failure instanceof Failed) {
      const { retryAfterMs } = failure.body
      if (noted !== undefined && retryAfterMs !== undefined) {
        noted.retryAfterMs = Math.max(noted.retryAfterMs ?? 0, retryAfterMs)
      }
      return Exit.succeed(failure.result)
    }
    if (failure !== undefined) return Exit.fail(failure)
    // Whatever a handler dies of was reported further in; this is a part of the stack.
    return Cause.isInterrupted(exit.cause)
      ? Exit.failCause(exit.cause as Cause.Cause<never>)
      : Effect.catchAll(
        Incident.report(tool.name, "has a policy that failed", exit.cause),
        ({ result }) => Exit.succeed(result)
      )
  }

  return {
    timeout,
    priority,
    call: (request) => {
      const arrived = observer === undefined ? 0 : millisOf(clock)
      const { caller, meta, requestId } = request
      const observation = observer?.begin({
        tool,
        name: tool.name,
        caller,
        requestId,
        meta,
        arguments: request.arguments,
        isTask: request.isTask === true
      })
      const visit: Visit = {
        request,
        observation,
        input: undefined,
        limit: Infinity,
        key: undefined,
        hindrance: undefined,
        isBegun: false
      }
      const refusal = observation?.refusal
      const entering = refusal === undefined ? entered(visit) : Exit.fail(failed(refusal))
      const ending = observation === undefined ? entering : Observed.end(entering, observation, clock, arrived)
      return isExit(ending) ? written(ending, request) : Effect.matchCauseEffect(ending, {
        onFailure: (cause) => written(Exit.failCause(cause), request),
        onSuccess: (outcome) => Exit.succeed(outcome._tag === "Answered" ? outcome.result : outcome)
      })
    }
  }
}

/**
 * Makes the stack of one tool, or says what is wrong with its policy, a sentence
 * each.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options, shared: Shared): Either.Either<Stack, ReadonlyArray<string>> => {
  const { handler, policy } = options
  const { safety } = handler.tool
  const levels = { server: policy, toolkit: handler.toolkitPolicy, tool: handler.policy }
  const wrong = Problems.find(Levels.effective(levels, safety))
  if (wrong.length > 0) return Either.left(wrong)
  try {
    return Either.right(compose(options, shared))
  } catch (error) {
    // Breakers and places throw at options out of their range, and say which.
    if (error instanceof RangeError || error instanceof Missing) return Either.left([error.message])
    throw error
  }
}
