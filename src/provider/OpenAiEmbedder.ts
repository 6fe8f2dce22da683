/**
 * Asks any OpenAI-compatible `/embeddings` endpoint for vectors, in batches,
 * within limits, and checks what comes back.
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
import type * as Scope from "effect/Scope"
import * as BatchingEmbedder from "../embedding/BatchingEmbedder.js"
import * as Embedder from "../embedding/Embedder.js"
import * as WatchedEmbedder from "../embedding/WatchedEmbedder.js"
import * as LlmError from "../llm/LlmError.js"
import * as Telemetry from "../telemetry/Telemetry.js"
import * as Capabilities from "./Capabilities.js"
import * as EmbeddingCall from "./internal/EmbeddingCall.js"
import * as EmbeddingWire from "./internal/EmbeddingWire.js"
import * as HttpCall from "./internal/HttpCall.js"
import * as TextCut from "./internal/TextCut.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The name that stands in errors, for example `openai`. */
  readonly provider: string
  /** For example `text-embedding-3-small`. */
  readonly model: string
  /** Up to but without `/embeddings`; `http` or `https`, no user, query or fragment. */
  readonly baseUrl: string
  readonly apiKey: Redacted.Redacted
  /** How long its vectors are; other lengths are refused. */
  readonly dimensions: number
  /** Whether `dimensions` is sent, for models that can shorten their vectors; not unless given. */
  readonly sendDimensions?: boolean | undefined
  /** Further headers of every request; the key's header cannot be replaced. */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
  /** How much words count against these vectors, 0 to 1; 0.5 unless given. */
  readonly lexicalWeight?: number | undefined
  /** Texts in one request at most; 64 unless given. */
  readonly maxTexts?: number | undefined
  /** Longer texts are cut to this many UTF-16 units before they are sent; 24,000 unless given, some 8,000 tokens of English. */
  readonly maxTextLength?: number | undefined
  /** Requests under way at once; 4 unless given. */
  readonly concurrency?: number | undefined
  /** Requests per minute, waited for; no limit unless given. */
  readonly requestsPerMinute?: number | undefined
  /** The longest one request may take; 10 seconds unless given. */
  readonly timeout?: Duration.DurationInput | undefined
  /** How many times a request is made again after a failure that may pass, honouring `Retry-After`, within the caller's deadline; 3 unless given. */
  readonly retries?: number | undefined
}

/** More would be more than one answer may hold. */
const maxAnswerBytes = 256 * 1024 * 1024

/** What is wrong with an option, in a sentence, when its value is none of those allowed. */
const problem = (options: Options): readonly [option: string, sentence: string] | undefined => {
  const whole = (option: keyof Options, least: number, most: number): readonly [string, string] | undefined => {
    const value = options[option]
    return value === undefined || (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most)
      ? undefined
      : [option, `Expected a whole number from ${least} to ${most}.`]
  }
  const { lexicalWeight, model, provider, requestsPerMinute, timeout } = options
  const millis = Option.map(Duration.decodeUnknown(timeout ?? defaults.timeout), Duration.toMillis)
  return provider.trim() === "" ?
    ["provider", "Expected a name."] :
    model.trim() === "" ?
    ["model", "Expected a name."] :
    whole("dimensions", 1, 65_536) ??
      whole("maxTexts", 1, 2048) ??
      whole("maxTextLength", 1, 1_000_000) ??
      whole("concurrency", 1, 1000) ??
      whole("retries", 0, 20) ??
      (Option.isSome(millis) && millis.value > 0 && millis.value < Infinity
        ? undefined
        : ["timeout", "Expected a duration above zero, for example 10 seconds."]) ??
      (requestsPerMinute === undefined || (requestsPerMinute > 0 && requestsPerMinute < Infinity)
        ? undefined
        : ["requestsPerMinute", "Expected a number above zero."]) ??
      (lexicalWeight === undefined || (lexicalWeight >= 0 && lexicalWeight <= 1)
        ? undefined
        : ["lexicalWeight", "Expected a number from 0 to 1."]) ??
      (EmbeddingWire.maxBytes(options.dimensions, options.maxTexts ?? defaults.maxTexts) > maxAnswerBytes
        ? ["maxTexts", "So many texts of so many dimensions make an answer that is too large to read."]
        : undefined)
}

const defaults = { maxTexts: 64, maxTextLength: 24_000, concurrency: 4, timeout: "10 seconds", retries: 3 } as const

/** What a text is the reason for; of a request that is merely rejected, nobody knows what was wrong with it. */
const refusals: ReadonlySet<string> = new Set<LlmError.Reason>(["ContextTooLong", "ContentBlocked"])
const doubtful: LlmError.Reason = "RequestRejected"

const translate = (error: LlmError.LlmError): Embedder.EmbedderError =>
  new Embedder.EmbedderError({
    embedder: error.provider,
    description: error.description,
    isRetryable: error.isRetryable,
    ...(error.reason === doubtful ? {} : { isRefusal: refusals.has(error.reason) }),
    cause: error
  })

/** A call that was not sent says nothing of the provider. */
const isOfProvider = (error: Embedder.EmbedderError): boolean =>
  !(error.cause instanceof LlmError.LlmError && error.cause.phase === "queue") &&
  (error.isRetryable || error.isRefusal === false)

/**
 * Builds an embedder whose id is `provider/model@dimensions`. An empty text, or
 * one of blanks as far as it would be sent, gives the zero vector without being sent; all others come back
 * of length 1. Every answer is checked: as many vectors as texts, in their order
 * by `index`, each of `dimensions` finite numbers, or the call fails, not
 * retryable. A text that is too long or that the provider's rules forbid is a
 * refusal. `ping` tells how the last request went, and asks for one word's vector
 * at most once a minute when there was none. A wait that `Retry-After` asks for holds up all requests, and is
 * not begun when it is longer than the caller's time or than a minute. When the
 * scope closes, whoever still waits fails as retryable. Fails with a
 * `ConfigError` that names the option that cannot be used.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Embedder.Embedding, ConfigError.ConfigError, HttpClient.HttpClient | Scope.Scope> =>
  Effect.gen(function*() {
    const wrong = problem(options)
    if (wrong !== undefined) return yield* Effect.fail(ConfigError.InvalidData([wrong[0]], wrong[1]))
    const { dimensions, model, provider } = options
    const maxTexts = options.maxTexts ?? defaults.maxTexts
    const maxTextLength = options.maxTextLength ?? defaults.maxTextLength
    const capabilities = Capabilities.forModel(Capabilities.vendorOf(options.baseUrl), model)
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
    const ask = EmbeddingCall.make({
      shape: { provider, model, dimensions, sendDimensions: options.sendDimensions === true },
      call: yield* HttpCall.make(endpoint.right, EmbeddingWire.maxBytes(dimensions, maxTexts)),
      requestsPerMinute: options.requestsPerMinute,
      timeout: Duration.toMillis(options.timeout ?? defaults.timeout),
      retries: options.retries ?? defaults.retries
    })
    const watched = WatchedEmbedder.make({
      id: `${provider}/${model}@${dimensions}`,
      dimensions,
      embed: (texts) => Effect.mapError(ask(texts), translate)
    }, { isDown: isOfProvider })
    const batched = yield* BatchingEmbedder.make(watched, {
      maxTexts,
      concurrency: options.concurrency ?? defaults.concurrency
    })

    const embed = (texts: ReadonlyArray<string>) => {
      const beginnings = texts.map((text) => TextCut.beginning(text, maxTextLength))
      const sent = [...beginnings.keys()].filter((at) => beginnings[at]?.trim() !== "")
      return Effect.map(batched.embed(sent.map((at) => beginnings[at] ?? "")), (vectors) => {
        if (sent.length === texts.length) return vectors
        const all = Array.from(texts, (): Float32Array => new Float32Array(dimensions))
        for (const [nth, vector] of vectors.entries()) all[sent[nth] ?? 0] = vector
        return all
      })
    }

    return {
      id: batched.id,
      dimensions,
      ...(options.lexicalWeight === undefined ? {} : { lexicalWeight: options.lexicalWeight }),
      embed: (texts) =>
        Effect.withSpan(embed(texts), "OpenAiEmbedder.embed", {
          captureStackTrace: false,
          attributes: {
            [Telemetry.Attribute.operation]: "embeddings",
            [Telemetry.Attribute.provider]: provider,
            [Telemetry.Attribute.requestModel]: model
          }
        }),
      ping: batched.ping
    }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<Embedder.Embedder, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Layer.scoped(Embedder.Embedder, make(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Embedder.Embedder, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Layer.scoped(Embedder.Embedder, Effect.flatMap(Config.unwrap(options), make))
