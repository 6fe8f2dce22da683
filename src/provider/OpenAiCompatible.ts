/**
 * Asks any model behind an OpenAI-compatible endpoint: Chat Completions as each
 * vendor really speaks it, every failure classified once.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type * as Chat from "../llm/Chat.js"
import * as JsonText from "../llm/JsonText.js"
import * as Llm from "../llm/Llm.js"
import * as LlmError from "../llm/LlmError.js"
import * as Prompt from "../llm/Prompt.js"
import * as Capabilities from "./Capabilities.js"
import * as ChatCompletions from "./internal/ChatCompletions.js"
import * as ChatReader from "./internal/ChatReader.js"
import * as ChatStream from "./internal/ChatStream.js"
import * as HttpCall from "./internal/HttpCall.js"
import * as RateHeaders from "./internal/RateHeaders.js"
import * as Replies from "./internal/Replies.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The name that stands in attempts and errors, for example `deepseek`. */
  readonly provider: string
  readonly model: string
  /** Up to but without `/chat/completions`; `http` or `https`, no user, query or fragment. */
  readonly baseUrl: string
  readonly apiKey: Redacted.Redacted
  /** What the endpoint accepts; `Capabilities.forModel` of the vendor that the URL's host names unless given. */
  readonly capabilities?: Capabilities.Capabilities | undefined
  /** Further headers of every request; the key's header cannot be replaced. */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
  /**
   * How whole answers are asked for: whole, or as streams that are gathered, so
   * that a provider that falls silent is noticed sooner; `whole` unless given.
   */
  readonly wire?: "whole" | "stream" | undefined
  /** The longest a whole answer may take; 60 seconds unless given. This and the next three rule where nobody else keeps the time: they count for nothing in a call with an observer. */
  readonly timeout?: Duration.DurationInput | undefined
  /** The longest until the first text of a stream; 20 seconds unless given. */
  readonly firstTextTimeout?: Duration.DurationInput | undefined
  /** The longest between two texts of a stream, whatever else comes; 15 seconds unless given. */
  readonly idleTimeout?: Duration.DurationInput | undefined
  /** The longest a whole stream may take, from the request on; 5 minutes unless given. */
  readonly streamTimeout?: Duration.DurationInput | undefined
  /** The longest `ping` may take; 3 seconds unless given. */
  readonly pingTimeout?: Duration.DurationInput | undefined
}

/**
 * Builds a model. Fails with a `ConfigError` that names the option when the URL,
 * the key, a header or a time cannot be used. The model never retries: a policy
 * or a chain decides that by the error. A call that is watched by an observer
 * has no time limit and no span of its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Llm.Model, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { model, provider } = options
    const capabilities = options.capabilities ??
      Capabilities.forModel(Capabilities.vendorOf(options.baseUrl), model)
    const endpoint = HttpCall.check({
      provider,
      baseUrl: options.baseUrl,
      apiKey: options.apiKey,
      auth: capabilities.auth,
      headers: { ...capabilities.headers, ...options.headers }
    })
    if (Either.isLeft(endpoint)) {
      return yield* Effect.fail(ConfigError.InvalidData([endpoint.left[0]], endpoint.left[1]))
    }
    const call = yield* HttpCall.make(endpoint.right)
    const timeout = yield* millis("timeout", options.timeout ?? "60 seconds")
    const pingTimeout = yield* millis("pingTimeout", options.pingTimeout ?? "3 seconds")
    const limits: ChatStream.Limits = {
      firstText: yield* millis("firstTextTimeout", options.firstTextTimeout ?? "20 seconds"),
      idle: yield* millis("idleTimeout", options.idleTimeout ?? "15 seconds"),
      total: yield* millis("streamTimeout", options.streamTimeout ?? "5 minutes")
    }
    const { endsWithDone } = capabilities

    const streaming = (request: Chat.Request | Llm.ObjectRequest, observer: Llm.Observer | undefined) => ({
      provider,
      model,
      call,
      body: ChatCompletions.encode(request, { model, capabilities, stream: true }),
      ids: idsOf(request),
      endsWithDone,
      observer,
      limits
    })

    const whole = (
      request: Chat.Request | Llm.ObjectRequest,
      observer: Llm.Observer | undefined
    ): Effect.Effect<ChatStream.Answer, LlmError.LlmError> =>
      Effect.clockWith((clock) => {
        const startedAt = clock.unsafeCurrentTimeNanos()
        const body = ChatCompletions.encode(request, { model, capabilities, stream: false })
        observer?.enter("answer")
        const exchanged = call.exchange("POST", "/chat/completions", body, observer === undefined ? timeout : undefined)
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
              ChatReader.whole(reply, clock.unsafeCurrentTimeMillis(), { provider, endsWithDone }),
              (completion) => ({
                text: completion.text,
                provenance: Replies.provenance(provider, completion.model ?? model, completion.usage, elapsedMs)
              })
            )
          }
        })
      })

    const answer = options.wire === "stream"
      ? (request: Chat.Request | Llm.ObjectRequest, observer: Llm.Observer | undefined) =>
        Effect.suspend(() => ChatStream.gather(streaming(request, observer)))
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
    ): Effect.Effect<A, E, R> =>
      observer === undefined ? Effect.withSpan(self, `OpenAiCompatible.${method}`, span) : self

    return {
      provider,
      model,
      traits: {
        contextTokens: capabilities.contextTokens,
        maxOutputTokens: capabilities.maxOutputTokens,
        json: capabilities.jsonMode
      },
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
          Effect.flatMap(answer(request, observer), ({ provenance, text }) =>
            Option.match(JsonText.parse(text, request.schema), {
              onNone: () =>
                Effect.fail(Replies.faulty(provider, {
                  reason: "Degraded",
                  flaw: "invalidJson",
                  description: "the answer holds no JSON",
                  partial: text,
                  usage: provenance.usage
                })),
              onSome: (value) => Effect.succeed({ ...provenance, value, text })
            })),
          "generateObject",
          observer
        ),
      streamText: (request, observer) => {
        const deltas = Stream.suspend(() => ChatStream.make(streaming(request, observer)))
        return observer === undefined ? Stream.withSpan(deltas, "OpenAiCompatible.streamText", span) : deltas
      },
      ping: traced(
        Effect.flatMap(
          call.exchange("GET", "/models", undefined, pingTimeout),
          (reply) => Replies.alive(provider, reply)
        ),
        "ping",
        undefined
      )
    }
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

const idsOf = (request: Chat.Request): ReadonlyArray<string> => (request.context ?? []).map((passage) => passage.id)

/**
 * Provides one endpoint as the `Llm`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<Llm.Llm, ConfigError.ConfigError, HttpClient.HttpClient> => Layer.effect(Llm.Llm, make(options))

/**
 * Provides one endpoint as the `Llm`, its options read through `Config`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Llm.Llm, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(Llm.Llm, Effect.flatMap(Config.unwrap(options), make))
