/**
 * What a chain tells of itself: spans of calls and tries, and metrics.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Tracer from "effect/Tracer"
import * as Telemetry from "../../telemetry/Telemetry.js"
import type * as Chat from "../Chat.js"
import type * as LlmError from "../LlmError.js"
import type * as Target from "../Target.js"
import * as ChainMetrics from "./ChainMetrics.js"

/**
 * The instruments of one chain. Methods that give no effect return at once and
 * cost a few microseconds at most.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChainTelemetry extends ChainMetrics.ChainMetrics {
  /** The span `llm.call` around a call, with what came of it. */
  readonly call: <A extends Chat.Provenance, R>(
    method: "generateText" | "generateObject" | "streamText",
    request: Chat.Request,
    self: Effect.Effect<A, LlmError.LlmError, R>
  ) => Effect.Effect<A, LlmError.LlmError, R>
  /**
   * The span `llm.attempt` around one try on the wire. It says how long the model
   * is left alone for a failure if that is settled before the effect ends.
   */
  readonly attempt: <A, R>(
    target: Target.Target,
    cause: Chat.Attempt["cause"],
    self: Effect.Effect<A, LlmError.LlmError, R>
  ) => Effect.Effect<A, LlmError.LlmError, R>
}

const { Attribute } = Telemetry

/** As `Effect.withSpan`, with the span at hand for what came of it; next to free where tracing is switched off. */
const spanned = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  name: string,
  options: Tracer.SpanOptions,
  note: (span: Tracer.Span, inside: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) =>
    fiber.getFiberRef(FiberRef.currentTracerEnabled)
      ? Effect.useSpan(
        name,
        { ...options, captureStackTrace: false },
        (span) => note(span, Effect.withParentSpan(self, span))
      )
      : self
  )

const put = (span: Tracer.Span, name: string, value: string | number | boolean | undefined): void => {
  if (value !== undefined) span.attribute(name, value)
}

const putUsage = (span: Tracer.Span, usage: Chat.Usage | undefined): void => {
  if (usage === undefined) return
  put(span, Attribute.inputTokens, usage.inputTokens)
  put(span, Attribute.outputTokens, usage.outputTokens)
  put(span, Attribute.cachedInputTokens, usage.cachedInputTokens)
  put(span, Attribute.cacheWriteTokens, usage.cacheWriteTokens)
}

const putAnswer = (span: Tracer.Span, answer: Chat.Provenance): void => {
  put(span, Attribute.responseModel, answer.model)
  put(span, Attribute.degradedReason, answer.flaw)
  putUsage(span, answer.usage)
  putCost(span, answer.cost)
}

/** What a try succeeds with need not be an answer yet: it may be the beginning of a stream. */
const isAnswer = (value: unknown): value is Chat.Provenance =>
  Predicate.hasProperty(value, "usage") && Predicate.hasProperty(value, "attempts")

const putCost = (span: Tracer.Span, cost: Chat.Cost | undefined): void => {
  if (cost === undefined) return
  put(span, Attribute.costUsd, cost.usd)
  put(span, Attribute.costCertainty, cost.certainty)
}

const putError = (span: Tracer.Span, error: LlmError.LlmError | "Interrupted" | "Defect"): void => {
  if (typeof error === "string") return put(span, Attribute.errorType, error)
  put(span, Attribute.errorType, error.reason)
  put(span, Attribute.phase, error.phase)
  put(span, Attribute.degradedReason, error.flaw)
  put(span, Attribute.status, error.status)
  put(span, Attribute.retryAfterMs, error.retryAfterMs)
  putUsage(span, error.usage)
  putCost(span, error.cost)
}

/** Looks at what an effect ends with, and hands it on as it is. What has no error of its own is given the name of what it is. */
const noting = <A, R>(
  self: Effect.Effect<A, LlmError.LlmError, R>,
  onAnswer: (answer: A) => void,
  onError: (error: LlmError.LlmError | "Interrupted" | "Defect", now: number) => void
): Effect.Effect<A, LlmError.LlmError, R> =>
  Effect.matchCauseEffect(self, {
    onSuccess: (answer) => {
      onAnswer(answer)
      return Effect.succeed(answer)
    },
    onFailure: (cause) =>
      Effect.clockWith((clock) => {
        const error = Option.getOrElse(
          Cause.failureOption(cause),
          () => Cause.isInterrupted(cause) ? "Interrupted" as const : "Defect" as const
        )
        onError(error, Number(clock.unsafeCurrentTimeNanos()) / 1e6)
        return Effect.failCause(cause)
      })
  })

/**
 * Makes the instruments of a chain. Its name and those of its targets stand in
 * metrics, so they have to come from configuration.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (chain: string, targets: ReadonlyArray<Target.Target>): ChainTelemetry => ({
  ...ChainMetrics.make(chain, targets),

  call: (method, request, self) =>
    spanned(self, Telemetry.Span.llmCall, {}, (span, inside) => {
      put(span, Attribute.operation, "chat")
      put(span, Attribute.chain, chain)
      put(span, Attribute.task, request.task ?? "default")
      put(span, Attribute.outputType, method === "generateObject" ? "json" : "text")
      if (method === "streamText") put(span, Attribute.isStream, true)
      put(span, Attribute.maxTokens, request.maxTokens)
      put(span, Attribute.temperature, request.temperature)
      put(span, Attribute.topP, request.topP)
      put(span, Attribute.seed, request.seed)
      return noting(inside, (answer) => {
        put(span, Attribute.provider, Telemetry.genAiProvider(answer.provider))
        put(span, Attribute.attempts, answer.attempts.length)
        if (answer.isCached === true) put(span, Attribute.isCached, true)
        putAnswer(span, answer)
      }, (error) => {
        if (typeof error !== "string") put(span, Attribute.attempts, error.attempts?.length)
        putError(span, error)
      })
    }),

  attempt: (target, cause, self) =>
    spanned(self, Telemetry.Span.llmAttempt, { kind: "client" }, (span, inside) => {
      put(span, Attribute.operation, "chat")
      put(span, Attribute.provider, Telemetry.genAiProvider(target.model.provider))
      put(span, Attribute.requestModel, target.model.model)
      put(span, Attribute.target, target.id)
      put(span, Attribute.cause, cause)
      // It stays so when it is interrupted and nobody looks at what came of it.
      put(span, Attribute.outcome, "interrupted")
      return noting(inside, (answer) => {
        put(span, Attribute.outcome, "answered")
        if (isAnswer(answer)) putAnswer(span, answer)
      }, (error, now) => {
        if (error !== "Interrupted") put(span, Attribute.outcome, "failed")
        putError(span, error)
        const left = Math.max(target.cooling.until, target.account.cooling.until) - now
        if (left > 0) put(span, Attribute.cooldownMs, Math.round(left))
      })
    })
})
