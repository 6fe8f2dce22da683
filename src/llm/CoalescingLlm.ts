/**
 * A model that is asked once when several callers ask the same at the same time.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import type * as Scope from "effect/Scope"
import * as Coalescer from "../policy/Coalescer.js"
import * as TimeLimit from "../policy/TimeLimit.js"
import * as Chat from "./Chat.js"
import type * as Llm from "./Llm.js"
import * as LlmError from "./LlmError.js"
import * as ResponseCache from "./ResponseCache.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /**
   * Whether calls are joined at any temperature; only at temperature 0 unless
   * given, since two who ask above that may want two answers.
   */
  readonly all?: boolean | undefined
}

/**
 * Lets equal calls for a text or an object share one run of the model. Equal is
 * what has the same key in a response cache, so the tenant counts, and what is
 * checked by the same function `validate`. Streams are not joined.
 *
 * One of those who share a run is told what it cost and used: whoever takes the
 * result first. The others have the same answer or error, with its attempts,
 * where all that was to be paid is zero. Each has a copy of a value.
 *
 * The run has no time limit of a caller; the model's own bounds it. A caller
 * whose limit passes fails as `TimedOut`, in phase `total`, and the others wait
 * on; when none is left the run is interrupted. For an observer the phase
 * `answer` begins when its caller joins; other phases it does not hear of.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (model: Llm.Model, options: Options = {}): Effect.Effect<Llm.Model, never, Scope.Scope> =>
  Effect.gen(function*() {
    const texts = yield* Coalescer.make<string, Shared<Chat.TextAnswer>, Shared<LlmError.LlmError>>()
    const objects = yield* Coalescer.make<string, Shared<Chat.ObjectAnswer>, Shared<LlmError.LlmError>>()
    const isJoined = (request: Chat.Request): boolean => options.all === true || ResponseCache.isCacheable(request)
    const identify = identities()

    return {
      provider: model.provider,
      model: model.model,
      traits: model.traits,
      ping: model.ping,
      streamText: model.streamText,
      generateText: (request, observer) =>
        isJoined(request)
          ? join(
            texts,
            () => ResponseCache.keyOf("generateText", model, request),
            model,
            () => model.generateText(request, withoutPhases(observer)),
            observer
          )
          : model.generateText(request, observer),
      generateObject: (request, observer) =>
        isJoined(request)
          ? Effect.map(
            join(
              objects,
              () => `${ResponseCache.keyOf("generateObject", model, request)} ${identify(request.validate)}`,
              model,
              () => model.generateObject(request, withoutPhases(observer)),
              observer
            ),
            // Callers may do with a value what they like, and the run's own is never handed out.
            (answer) => ({ ...answer, value: copyOf(answer.value) })
          )
          : model.generateObject(request, observer)
    }
  })

/** What is no JSON, or is nested too deep to be copied, is shared. */
const copyOf = (value: unknown): unknown => {
  try {
    return structuredClone(value)
  } catch {
    return value
  }
}

/** What a run came to; the first to take it is billed. */
interface Shared<out A> {
  readonly result: A
  isBilled: boolean
}

const share = <A>(result: A): Shared<A> => ({ result, isBilled: false })

const take = <A>(shared: Shared<A>, unbilled: (result: A) => A): A => {
  if (shared.isBilled) return unbilled(shared.result)
  shared.isBilled = true
  return shared.result
}

const join = <A extends Chat.Provenance>(
  coalescer: Coalescer.Coalescer<string, Shared<A>, Shared<LlmError.LlmError>>,
  key: () => string,
  model: Llm.Model,
  ask: () => Effect.Effect<A, LlmError.LlmError>,
  observer: Llm.Observer | undefined
): Effect.Effect<A, LlmError.LlmError> => {
  const joined = Effect.suspend(() => {
    observer?.enter("answer")
    return coalescer.run(key(), Effect.mapBoth(Effect.suspend(ask), { onSuccess: share, onFailure: share }))
  }).pipe(Effect.mapBoth({
    onSuccess: (shared) => take<A>(shared, unbilledAnswer),
    onFailure: (shared) => take(shared, unbilledError)
  }))
  // Only who has a limit pays for a timer.
  return Effect.flatMap(
    FiberRef.get(TimeLimit.current),
    (limit) => limit === Number.POSITIVE_INFINITY ? joined : untilLimit(joined, model)
  )
}

const untilLimit = <A>(
  joined: Effect.Effect<A, LlmError.LlmError>,
  model: Llm.Model
): Effect.Effect<A, LlmError.LlmError> =>
  Effect.flatMap(TimeLimit.remaining, (left) =>
    left <= 0
      ? Effect.fail(timedOut(model))
      : Effect.timeoutFail(joined, { duration: left, onTimeout: () => timedOut(model) }))

const timedOut = (model: Llm.Model): LlmError.LlmError =>
  new LlmError.LlmError({
    reason: "TimedOut",
    provider: model.provider,
    description: "the time for this call was over before the answer it shares with others came",
    phase: "total",
    attempts: []
  })

const unbilledAnswer = <A extends Chat.Provenance>(answer: A): A => ({
  ...answer,
  usage: { inputTokens: 0, outputTokens: 0 },
  cost: Chat.noCost,
  attempts: answer.attempts.map(unbilledAttempt)
})

const unbilledError = (error: LlmError.LlmError): LlmError.LlmError =>
  LlmError.withFields(error, {
    cost: Chat.noCost,
    usage: { inputTokens: 0, outputTokens: 0 },
    ...(error.attempts === undefined ? {} : { attempts: error.attempts.map(unbilledAttempt) })
  })

const unbilledAttempt = (attempt: Chat.Attempt): Chat.Attempt =>
  attempt.cost === undefined ? attempt : { ...attempt, cost: Chat.noCost }

/** A run belongs to no single caller, who may leave; what the provider has left is true for all. */
const withoutPhases = (observer: Llm.Observer | undefined): Llm.Observer | undefined =>
  observer === undefined ? undefined : { enter: () => {}, remaining: observer.remaining }

/** Numbers functions by who they are, for as long as they live. */
const identities = (): (f: Llm.ObjectRequest["validate"]) => number => {
  const known = new WeakMap<object, number>()
  let last = 0
  return (f) => {
    if (f === undefined) return 0
    const number = known.get(f) ?? ++last
    known.set(f, number)
    return number
  }
}
