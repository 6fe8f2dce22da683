/**
 * Asks an `/embeddings` endpoint for the vectors of one batch, again after a
 * failure that may pass, and no longer than the caller has time.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"
import * as LlmError from "../../llm/LlmError.js"
import * as Backoff from "../../policy/Backoff.js"
import * as TimeLimit from "../../policy/TimeLimit.js"
import * as Telemetry from "../../telemetry/Telemetry.js"
import * as EmbeddingWire from "./EmbeddingWire.js"
import type { HttpCall } from "./HttpCall.js"
import * as RequestGate from "./RequestGate.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  readonly shape: EmbeddingWire.Shape
  readonly call: HttpCall
  readonly requestsPerMinute: number | undefined
  /** Of one request, in milliseconds. */
  readonly timeout: number
  readonly retries: number
}

/** Whoever is asked to wait longer than this is told so, also when nobody set a limit. */
const longestWait = 60_000

/**
 * Makes the call. Only what may pass is asked for again: after as long as the
 * provider wants, or else by full jitter from half a second to ten seconds; a
 * wait that would not end in time is not begun.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  settings: Settings
): (texts: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Float32Array>, LlmError.LlmError> => {
  const { call, shape, timeout } = settings
  const { provider } = shape
  const gate = RequestGate.make(settings.requestsPerMinute)
  const schedule = Backoff.fullJitter({ base: "500 millis", cap: "10 seconds", times: settings.retries })

  const late = (reason: LlmError.Reason, description: string) =>
    Effect.fail(new LlmError.LlmError({ reason, provider, description, phase: "queue" }))

  const send = (body: string, count: number): Effect.Effect<ReadonlyArray<Float32Array>, LlmError.LlmError> =>
    Effect.flatMap(TimeLimit.remaining, (left) =>
      left === 0
        ? late("TimedOut", "no time was left to ask")
        : Effect.flatMap(call.exchange("POST", "/embeddings", body, Math.min(timeout, left)), (reply) =>
          Effect.clockWith((clock) =>
            EmbeddingWire.decode(shape, count, reply, clock.unsafeCurrentTimeMillis())
          )))

  const attempt = (body: string, count: number): Effect.Effect<ReadonlyArray<Float32Array>, LlmError.LlmError> =>
    Effect.flatMap(gate.enter, (isOpen) =>
      isOpen
        ? Effect.withSpan(send(body, count), "OpenAiEmbedder.request", {
          // A request is made for several callers, each of whom has a trace of its own.
          root: true,
          captureStackTrace: false,
          kind: "client",
          attributes: {
            [Telemetry.Attribute.operation]: "embeddings",
            [Telemetry.Attribute.provider]: provider,
            [Telemetry.Attribute.requestModel]: shape.model
          }
        })
        : late("RateLimited", "the turn for one more request would not come within the time left"))

  const retrying = (
    body: string,
    count: number,
    state: unknown
  ): Effect.Effect<ReadonlyArray<Float32Array>, LlmError.LlmError> =>
    Effect.catchAll(attempt(body, count), (error) => {
      const asked = error.retryAfterMs ?? 0
      const held = asked === 0 ? Effect.void : gate.hold(Math.min(asked, longestWait))
      if (!error.isRetryable || error.phase === "queue") return Effect.fail(error)
      return Effect.zipRight(
        held,
        Effect.clockWith((clock) => {
          const now = clock.unsafeCurrentTimeMillis()
          return Effect.flatMap(schedule.step(now, undefined, state), ([next, , decision]) => {
            if (ScheduleDecision.isDone(decision)) return Effect.fail(error)
            const delay = Math.max(asked, ScheduleIntervals.start(decision.intervals) - now, 0)
            return Effect.flatMap(TimeLimit.remaining, (left) =>
              delay >= left || asked > longestWait
                ? Effect.fail(error)
                : Effect.zipRight(clock.sleep(Duration.millis(delay)), retrying(body, count, next)))
          })
        })
      )
    })

  return (texts) => Effect.suspend(() => retrying(EmbeddingWire.encode(shape, texts), texts.length, schedule.initial))
}
