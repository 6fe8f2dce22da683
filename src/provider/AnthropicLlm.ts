/**
 * Asks Claude by Anthropic's own Messages API, every failure classified once.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Llm from "../llm/Llm.js"
import * as AnthropicDialect from "./internal/AnthropicDialect.js"
import * as AnthropicMessages from "./internal/AnthropicMessages.js"
import * as AnthropicModels from "./internal/AnthropicModels.js"
import * as HttpCall from "./internal/HttpCall.js"
import * as HttpModel from "./internal/HttpModel.js"

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
  /**
   * The longest answer of a request that does not say, in tokens, which the API
   * has to be told; unless given 4,096, and 16,384 where the model thinks first,
   * since that counts.
   */
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
    const { maxTokens } = options
    if (maxTokens !== undefined && (!Number.isInteger(maxTokens) || maxTokens < 1)) {
      return yield* invalid("maxTokens", "Expected a whole number above zero.")
    }
    const times = yield* HttpModel.times(options)
    return HttpModel.make({
      name: "AnthropicLlm",
      provider,
      model,
      traits: {
        contextTokens: contract.contextTokens,
        maxOutputTokens: contract.maxOutputTokens,
        json: contract.json === "tool" ? "object" : contract.json
      },
      call,
      times,
      wire: options.wire ?? "whole",
      encode: (request, stream) => {
        const { body, tool } = AnthropicMessages.encode(request, {
          model,
          contract,
          maxTokens,
          extraBody: options.extraBody ?? {},
          stream
        })
        return { body, dialect: AnthropicDialect.make({ tool }) }
      }
    })
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
