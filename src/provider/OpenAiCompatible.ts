/**
 * Asks any model behind an OpenAI-compatible endpoint: Chat Completions as each
 * vendor really speaks it, every failure classified once.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Chat from "../llm/Chat.js"
import * as JsonText from "../llm/JsonText.js"
import * as Llm from "../llm/Llm.js"
import * as LlmError from "../llm/LlmError.js"
import * as Prompt from "../llm/Prompt.js"
import * as Capabilities from "./Capabilities.js"
import * as ChatCompletions from "./internal/ChatCompletions.js"
import * as ChatStream from "./internal/ChatStream.js"
import * as HttpCall from "./internal/HttpCall.js"
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
  /** What the endpoint accepts; the row of the vendor that the URL's host names unless given. */
  readonly capabilities?: Capabilities.Capabilities | undefined
  /** Further headers of every request; the key's header cannot be replaced. */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
  /** The longest a whole answer may take; 60 seconds unless given. */
  readonly timeout?: Duration.DurationInput | undefined
  /** The longest until the first text of a stream; 20 seconds unless given. */
  readonly firstTextTimeout?: Duration.DurationInput | undefined
  /** The longest between two texts of a stream, whatever else comes; 15 seconds unless given. */
  readonly idleTimeout?: Duration.DurationInput | undefined
  /** The longest a whole stream may take; 5 minutes unless given. */
  readonly streamTimeout?: Duration.DurationInput | undefined
  /** The longest `ping` may take; 3 seconds unless given. */
  readonly pingTimeout?: Duration.DurationInput | undefined
}

/**
 * Builds a model. Fails with a `ConfigError` that names the option when the URL,
 * the key or a header cannot be used. The model never retries: a policy or a
 * chain decides that by the error.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Llm.Model, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const capabilities = options.capabilities ?? Capabilities.table[Capabilities.vendorOf(options.baseUrl)]
    const endpoint = HttpCall.check({
      provider: options.provider,
      baseUrl: options.baseUrl,
      apiKey: options.apiKey,
      auth: capabilities.auth,
      headers: options.headers ?? {}
    })
    if (Either.isLeft(endpoint)) {
      return yield* Effect.fail(ConfigError.InvalidData([endpoint.left[0]], endpoint.left[1]))
    }
    const call = yield* HttpCall.make(endpoint.right)
    const { model, provider } = options
    const encode = (request: Chat.Request | Llm.ObjectRequest, stream: boolean): string =>
      ChatCompletions.encode(request, { model, capabilities, stream })

    const complete = (
      request: Chat.Request | Llm.ObjectRequest
    ): Effect.Effect<{ readonly text: string; readonly provenance: Chat.Provenance }, LlmError.LlmError> =>
      Effect.gen(function*() {
        const startedAt = yield* Clock.currentTimeMillis
        const reply = yield* call.exchange(
          "POST",
          "/chat/completions",
          encode(request, false),
          options.timeout ?? "60 seconds"
        )
        const now = yield* Clock.currentTimeMillis
        const completion = yield* Replies.completion(provider, reply, now)
        return {
          text: completion.text,
          provenance: Replies.provenance(provider, completion.model ?? model, completion.usage, now - startedAt)
        }
      })

    const traced = (method: string) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
      Effect.withSpan(self, `OpenAiCompatible.${method}`, {
        captureStackTrace: false,
        attributes: { "gen_ai.provider.name": provider, "gen_ai.request.model": model }
      })

    return {
      provider,
      model,
      generateText: (request) =>
        Effect.map(complete(request), ({ provenance, text }) => ({
          ...provenance,
          text,
          citations: Prompt.citations(text, idsOf(request))
        })).pipe(traced("generateText")),
      generateObject: (request) =>
        Effect.flatMap(complete(request), ({ provenance, text }) =>
          Option.match(JsonText.parse(text), {
            onNone: () =>
              new LlmError.LlmError({ reason: "Degraded", provider, description: "the answer holds no JSON" }),
            onSome: (value) => Effect.succeed({ ...provenance, value })
          })).pipe(traced("generateObject")),
      streamText: (request) =>
        ChatStream.make({
          provider,
          model,
          call,
          body: encode(request, true),
          ids: idsOf(request),
          firstTextTimeout: Duration.decode(options.firstTextTimeout ?? "20 seconds"),
          idleTimeout: Duration.decode(options.idleTimeout ?? "15 seconds"),
          streamTimeout: Duration.decode(options.streamTimeout ?? "5 minutes")
        }),
      ping: call.exchange("GET", "/models", undefined, options.pingTimeout ?? "3 seconds").pipe(
        Effect.flatMap((reply) => Replies.alive(provider, reply)),
        traced("ping")
      )
    }
  })

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
