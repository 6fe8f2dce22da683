/**
 * A model that is asked over HTTP, whatever its dialect: whole answers, objects
 * and streams, each within its time.
 *
 * @since 0.1.0
 */
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Chat from "../../llm/Chat.js"
import * as Check from "../../llm/Check.js"
import * as JsonText from "../../llm/JsonText.js"
import type * as Llm from "../../llm/Llm.js"
import * as LlmError from "../../llm/LlmError.js"
import * as Prompt from "../../llm/Prompt.js"
import * as AnswerReader from "./AnswerReader.js"
import * as AnswerStream from "./AnswerStream.js"
import type { Encoded } from "./Dialect.js"
import type { HttpCall } from "./HttpCall.js"
import * as RateHeaders from "./RateHeaders.js"
import * as Replies from "./Replies.js"

/**
 * The limits of calls that nobody else keeps the time of, in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Times {
  readonly timeout: number
  readonly pingTimeout: number
  readonly stream: AnswerStream.Limits
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  /** The module that users know it by, which its spans are named after. */
  readonly name: string
  readonly provider: string
  readonly model: string
  readonly traits: Llm.Traits
  readonly call: HttpCall
  readonly times: Times
  /** How whole answers are asked for. */
  readonly wire: "whole" | "stream"
  readonly encode: (request: Chat.Request | Llm.ObjectRequest, stream: boolean) => Encoded
}

/**
 * Reads the limits, or fails with a `ConfigError` that names the one that is
 * none. Those that are not given are 60 and 3 seconds for an answer and a ping;
 * 20 and 15 seconds and 5 minutes for a stream's first text, its next and its end.
 *
 * @since 0.1.0
 * @category configuration
 */
export const times = (options: {
  readonly timeout?: Duration.DurationInput | undefined
  readonly pingTimeout?: Duration.DurationInput | undefined
  readonly firstTextTimeout?: Duration.DurationInput | undefined
  readonly idleTimeout?: Duration.DurationInput | undefined
  readonly streamTimeout?: Duration.DurationInput | undefined
}): Effect.Effect<Times, ConfigError.ConfigError> =>
  Effect.all({
    timeout: millis("timeout", options.timeout ?? "60 seconds"),
    pingTimeout: millis("pingTimeout", options.pingTimeout ?? "3 seconds"),
    stream: Effect.all({
      firstText: millis("firstTextTimeout", options.firstTextTimeout ?? "20 seconds"),
      idle: millis("idleTimeout", options.idleTimeout ?? "15 seconds"),
      total: millis("streamTimeout", options.streamTimeout ?? "5 minutes")
    })
  })

const millis = (
  option: string,
  duration: Duration.DurationInput
): Effect.Effect<number, ConfigError.ConfigError> => {
  const decoded = Duration.decodeUnknown(duration)
  return Option.isSome(decoded) && Duration.toMillis(decoded.value) > 0
    ? Effect.succeed(Duration.toMillis(decoded.value))
    : Effect.fail(ConfigError.InvalidData([option], "Expected a duration above zero, for example 20 seconds."))
}

type Request = Chat.Request | Llm.ObjectRequest
type Ask = (
  request: Request,
  observer: Llm.Observer | undefined
) => Effect.Effect<AnswerStream.Answer, LlmError.LlmError>

const idsOf = (request: Chat.Request): ReadonlyArray<string> => (request.context ?? []).map((passage) => passage.id)

/** A model that declines in plain words does so too when it is told what JSON is; so it is told apart. */
const withoutJson = (provider: string, { provenance, text }: AnswerStream.Answer): LlmError.LlmError => {
  const isRefusal = Check.isRefusal(text, "json")
  return Replies.faulty(provider, {
    reason: "Degraded",
    flaw: isRefusal ? "refusal" : "invalidJson",
    description: isRefusal ? "the model declined to answer" : "the answer holds no JSON",
    partial: text,
    usage: provenance.usage
  })
}

/**
 * Makes the model. A call that is watched by an observer has no time limit and
 * no span of its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (settings: Settings): Llm.Model => {
  const { call, encode, model, name, provider, times, traits } = settings

  const streaming = (request: Request, observer: Llm.Observer | undefined): AnswerStream.Options => ({
    provider,
    model,
    call,
    request: encode(request, true),
    ids: idsOf(request),
    observer,
    limits: times.stream
  })

  const whole: Ask = (request, observer) =>
    Effect.clockWith((clock) => {
      const startedAt = clock.unsafeCurrentTimeNanos()
      const { body, dialect } = encode(request, false)
      observer?.enter("answer")
      const exchanged = call.exchange("POST", dialect.path, body, observer === undefined ? times.timeout : undefined)
      return Effect.matchEffect(exchanged, {
        onFailure: (error) =>
          Effect.fail(
            error.phase === undefined && error.reason === "Transient"
              ? LlmError.withFields(error, { phase: "answer" })
              : error
          ),
        onSuccess: (reply) => {
          if (observer !== undefined) {
            const left = RateHeaders.find(reply.headers)
            if (left !== undefined) observer.remaining(left)
          }
          const elapsedMs = Number(clock.unsafeCurrentTimeNanos() - startedAt) / 1e6
          return Either.map(
            AnswerReader.whole(dialect, provider, reply, clock.unsafeCurrentTimeMillis()),
            (completion) => ({
              text: completion.text,
              provenance: Replies.provenance(provider, completion.model ?? model, completion.usage, elapsedMs)
            })
          )
        }
      })
    })

  const answer: Ask = settings.wire === "stream"
    ? (request, observer) => Effect.suspend(() => AnswerStream.gather(streaming(request, observer)))
    : whole

  const span = {
    captureStackTrace: false,
    kind: "client",
    attributes: { "gen_ai.provider.name": provider, "gen_ai.request.model": model }
  } as const
  const traced = <A, E, R>(
    self: Effect.Effect<A, E, R>,
    method: string,
    observer: Llm.Observer | undefined
  ): Effect.Effect<A, E, R> => observer === undefined ? Effect.withSpan(self, `${name}.${method}`, span) : self

  return {
    provider,
    model,
    traits,
    generateText: (request, observer) =>
      traced(
        Effect.map(answer(request, observer), ({ provenance, text }) => ({
          ...provenance,
          text,
          citations: Prompt.citations(text, idsOf(request))
        })),
        "generateText",
        observer
      ),
    generateObject: (request, observer) =>
      traced(
        Effect.flatMap(answer(request, observer), (found) =>
          Option.match(JsonText.parse(found.text, request.schema), {
            onNone: () => Effect.fail(withoutJson(provider, found)),
            onSome: (value) => Effect.succeed({ ...found.provenance, value, text: found.text })
          })),
        "generateObject",
        observer
      ),
    streamText: (request, observer) => {
      const deltas = Stream.suspend(() => AnswerStream.make(streaming(request, observer)))
      return observer === undefined ? Stream.withSpan(deltas, `${name}.streamText`, span) : deltas
    },
    ping: traced(
      Effect.flatMap(
        call.exchange("GET", "/models", undefined, times.pingTimeout),
        (reply) => Replies.alive(provider, reply)
      ),
      "ping",
      undefined
    )
  }
}
