/**
 * Asks any model behind an OpenAI-compatible endpoint: Chat Completions as each
 * vendor really speaks it, every failure classified once.
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
import * as Capabilities from "./Capabilities.js"
import * as ChatCompletions from "./internal/ChatCompletions.js"
import * as ChatDialect from "./internal/ChatDialect.js"
import * as HttpCall from "./internal/HttpCall.js"
import * as HttpModel from "./internal/HttpModel.js"

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
    const times = yield* HttpModel.times(options)
    const call = yield* HttpCall.make(endpoint.right)
    const dialect = ChatDialect.make(capabilities)
    return HttpModel.make({
      name: "OpenAiCompatible",
      provider,
      model,
      traits: {
        contextTokens: capabilities.contextTokens,
        maxOutputTokens: capabilities.maxOutputTokens,
        json: capabilities.jsonMode
      },
      call,
      times,
      wire: options.wire ?? "whole",
      encode: (request, stream) => ({ body: ChatCompletions.encode(request, { model, capabilities, stream }), dialect })
    })
  })

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
