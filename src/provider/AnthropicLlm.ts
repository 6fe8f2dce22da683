/**
 * Asks Claude by Anthropic's own Messages API, every failure classified once.
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
import * as AnthropicMessages from "./internal/AnthropicMessages.js"
import * as AnthropicModels from "./internal/AnthropicModels.js"
import * as AnthropicReader from "./internal/AnthropicReader.js"
import * as AnthropicStream from "./internal/AnthropicStream.js"
import type * as ChatStream from "./internal/ChatStream.js"
import * as HttpCall from "./internal/HttpCall.js"
import * as RateHeaders from "./internal/RateHeaders.js"
import * as Replies from "./internal/Replies.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The name that stands in attempts and errors; `anthropic` unless given. */
  readonly provider?: string | undefined
  readonly model: string
  readonly apiKey: Redacted.Redacted
  /** Up to but without `/messages`; `https://api.anthropic.com/v1` unless given. */
  readonly baseUrl?: string | undefined
  /** The longest answer of a request that does not say, in tokens, which the API has to be told; 1024 unless given. */
  readonly maxTokens?: number | undefined
  /**
   * How it is held to JSON: by a schema it enforces, by a tool it has to call, or
   * by words; what the model's family does best unless given. A schema that it
   * cannot enforce goes the next way by itself.
   */
  readonly json?: "schema" | "tool" | "prompt" | undefined
  /**
   * Fields of every request besides, which go before ours: `thinking`, for
   * example, which is off or low by default save for the task `reasoning`.
   */
  readonly extraBody?: { readonly [field: string]: unknown } | undefined
  /** Further headers of every request, such as `anthropic-beta`; the key's header cannot be replaced. */
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

const version = "2023-06-01"

/**
 * Builds a model. Fails with a `ConfigError` that names the option when the URL,
 * the key, a header, a length or a time cannot be used. What the model's family
 * does not take is left out of requests: `seed` always, temperature and top-p of
 * the newer ones. The model never retries: a policy or a chain decides that by
 * the error. A call that is watched by an observer has no time limit and no span
 * of its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Llm.Model, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { model, provider = "anthropic" } = options
    const call = yield* HttpCall.make(yield* endpointOf(options, provider))
    const known = AnthropicModels.contractOf(model)
    const contract: AnthropicModels.Contract = { ...known, json: options.json ?? known.json }
    const maxTokens = options.maxTokens ?? 1024
    if (!Number.isInteger(maxTokens) || maxTokens < 1) {
      return yield* invalid("maxTokens", "Expected a whole number above zero.")
    }
    const timeout = yield* millis("timeout", options.timeout ?? "60 seconds")
    const pingTimeout = yield* millis("pingTimeout", options.pingTimeout ?? "3 seconds")
    const limits: ChatStream.Limits = {
      firstText: yield* millis("firstTextTimeout", options.firstTextTimeout ?? "20 seconds"),
      idle: yield* millis("idleTimeout", options.idleTimeout ?? "15 seconds"),
      total: yield* millis("streamTimeout", options.streamTimeout ?? "5 minutes")
    }

    const encode = (request: Chat.Request | Llm.ObjectRequest, stream: boolean): AnthropicMessages.Encoded =>
      AnthropicMessages.encode(request, { model, contract, maxTokens, extraBody: options.extraBody ?? {}, stream })

    const streaming = (
      request: Chat.Request | Llm.ObjectRequest,
      observer: Llm.Observer | undefined
    ): AnthropicStream.Options => ({
      provider,
      model,
      call,
      request: encode(request, true),
      ids: idsOf(request),
      observer,
      limits
    })

    const whole = (
      request: Chat.Request | Llm.ObjectRequest,
      observer: Llm.Observer | undefined
    ): Effect.Effect<ChatStream.Answer, LlmError.LlmError> =>
      Effect.clockWith((clock) => {
        const startedAt = clock.unsafeCurrentTimeNanos()
        const { body, tool } = encode(request, false)
        observer?.enter("answer")
        return Effect.matchEffect(
          call.exchange("POST", "/messages", body, observer === undefined ? timeout : undefined),
          {
            onFailure: (error) =>
              Effect.fail(
                error.phase === undefined && error.reason === "Transient"
                  ? LlmError.withFields(error, { phase: "answer" })
                  : error
              ),
            onSuccess: (reply) => {
              const left = observer === undefined ? undefined : RateHeaders.find(reply.headers)
              if (left !== undefined) {
                observer?.remaining(left)
              }
              const elapsedMs = Number(clock.unsafeCurrentTimeNanos() - startedAt) / 1e6
              return Either.map(
                AnthropicReader.whole(reply, clock.unsafeCurrentTimeMillis(), { provider, tool }),
                (completion) => ({
                  text: completion.text,
                  provenance: Replies.provenance(provider, completion.model ?? model, completion.usage, elapsedMs)
                })
              )
            }
          }
        )
      })

    const answer = options.wire === "stream"
      ? (request: Chat.Request | Llm.ObjectRequest, observer: Llm.Observer | undefined) =>
        Effect.suspend(() => AnthropicStream.gather(streaming(request, observer)))
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
    ): Effect.Effect<A, E, R> => observer === undefined ? Effect.withSpan(self, `AnthropicLlm.${method}`, span) : self

    return {
      provider,
      model,
      traits: {
        contextTokens: contract.contextTokens,
        maxOutputTokens: contract.maxOutputTokens,
        json: contract.json === "tool" ? "object" : contract.json
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
        const deltas = Stream.suspend(() => AnthropicStream.make(streaming(request, observer)))
        return observer === undefined ? Stream.withSpan(deltas, "AnthropicLlm.streamText", span) : deltas
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

const endpointOf = (
  options: Options,
  provider: string
): Effect.Effect<HttpCall.Endpoint, ConfigError.ConfigError> => {
  const baseUrl = options.baseUrl ?? "https://api.anthropic.com/v1"
  if (/\/messages\/*$/u.test(baseUrl.trim())) {
    return invalid("baseUrl", "Expected the base URL alone, without /messages.")
  }
  const endpoint = HttpCall.check({
    provider,
    baseUrl,
    apiKey: options.apiKey,
    auth: { header: "x-api-key" },
    headers: { "anthropic-version": version, ...options.headers }
  })
  return Either.isLeft(endpoint) ? invalid(endpoint.left[0], endpoint.left[1]) : Effect.succeed(endpoint.right)
}

const invalid = (option: string, sentence: string): Effect.Effect<never, ConfigError.ConfigError> =>
  Effect.fail(ConfigError.InvalidData([option], sentence))

const millis = (
  option: string,
  duration: Duration.DurationInput
): Effect.Effect<number, ConfigError.ConfigError> => {
  const decoded = Duration.decodeUnknown(duration)
  return Option.isSome(decoded) && Duration.toMillis(decoded.value) > 0
    ? Effect.succeed(Duration.toMillis(decoded.value))
    : invalid(option, "Expected a duration above zero, for example 20 seconds.")
}

const idsOf = (request: Chat.Request): ReadonlyArray<string> => (request.context ?? []).map((passage) => passage.id)

/**
 * Provides Claude as the `Llm`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<Llm.Llm, ConfigError.ConfigError, HttpClient.HttpClient> => Layer.effect(Llm.Llm, make(options))

/**
 * Provides Claude as the `Llm`, its options read through `Config`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Llm.Llm, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(Llm.Llm, Effect.flatMap(Config.unwrap(options), make))
