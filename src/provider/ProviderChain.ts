/**
 * Reads from the settings which models to ask and in which order, and makes one
 * chain of them; with nothing set, the model that needs no network.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Llm from "../llm/Llm.js"
import * as LlmChain from "../llm/LlmChain.js"
import * as Capabilities from "./Capabilities.js"
import * as ExtractiveLlm from "./ExtractiveLlm.js"
import * as OpenAiCompatible from "./OpenAiCompatible.js"

/**
 * What was chosen: the models in the order they are asked, and one line about
 * it for people.
 *
 * @since 0.1.0
 * @category models
 */
export interface Choice {
  /** The whole chain, to ask. */
  readonly model: Llm.Model
  /** Its members in the order they are asked; several may share an endpoint. */
  readonly models: Arr.NonEmptyReadonlyArray<Llm.Model>
  /** One member for each endpoint, under the endpoint's own name: what a health check pings. */
  readonly endpoints: Arr.NonEmptyReadonlyArray<Llm.Model>
  /** One line, without a secret. */
  readonly description: string
}

/**
 * What `layerConfig` chose.
 *
 * @since 0.1.0
 * @category tags
 */
export class ProviderChain extends Context.Tag("causeway/ProviderChain")<ProviderChain, Choice>() {}

/** Endpoints that are asked directly, in the order of the chain, and the prefix of their settings. */
const direct = [
  ["DEEPSEEK", "deepseek"],
  ["MISTRAL", "mistral"],
  ["QWEN", "qwen"],
  ["OPENAI", "openai"]
] as const

interface Endpoint {
  /** The setting that holds its URL, for errors. */
  readonly urlSetting: string
  readonly keySetting: string
  readonly modelSetting: string
  readonly provider: string
  readonly vendor: Capabilities.Vendor
  readonly baseUrl: string
  readonly apiKey: Redacted.Redacted
  readonly models: ReadonlyArray<string>
}

/** An empty variable counts as absent: that is how a shell or a compose file leaves one out. */
const optionalText = (name: string, description: string): Config.Config<Option.Option<string>> =>
  Config.string(name).pipe(
    Config.map((value) => value.trim()),
    Config.option,
    Config.map(Option.filter((value) => value !== "")),
    Config.withDescription(description)
  )

const optionalSecret = (name: string, description: string): Config.Config<Option.Option<Redacted.Redacted>> =>
  Config.map(optionalText(name, description), Option.map((value) => Redacted.make(value)))

/** A list of names between commas; names are trimmed, empty ones dropped, repeats are an error. */
const modelList = (name: string) =>
  optionalText(name, "Model names between commas, in the order they are asked").pipe(
    Config.mapOrFail(Option.match({
      onNone: () => Either.right(Option.none<ReadonlyArray<string>>()),
      onSome: (text) => {
        const names = text.split(",").map((model) => model.trim()).filter((model) => model !== "")
        const repeated = names.find((model, index) => names.indexOf(model) !== index)
        if (names.length === 0) return Either.left(ConfigError.InvalidData([name], "Expected at least one model name."))
        return repeated === undefined
          ? Either.right(Option.some<ReadonlyArray<string>>(names))
          : Either.left(ConfigError.InvalidData([name], `Names the model ${repeated} twice.`))
      }
    }))
  )

const gatewayVendor = optionalText("LLM_GATEWAY_VENDOR", "What the gateway is; found by its host unless given").pipe(
  Config.mapOrFail(Option.match({
    onNone: () => Either.right(Option.none<Capabilities.Vendor>()),
    onSome: (text) => {
      const vendor = Capabilities.vendors.find((vendor) => vendor === text.toLowerCase())
      return vendor === undefined
        ? Either.left(
          ConfigError.InvalidData(["LLM_GATEWAY_VENDOR"], `Expected one of ${Capabilities.vendors.join(", ")}.`)
        )
        : Either.right(Option.some(vendor))
    }
  }))
)

const gateway: Config.Config<Option.Option<Endpoint>> = Config.all({
  url: optionalText(
    "LLM_GATEWAY_URL",
    "Base URL of an OpenAI-compatible gateway, for example https://gateway.example/v1"
  ),
  key: optionalSecret("LLM_GATEWAY_KEY", "The gateway's key"),
  vendor: gatewayVendor,
  models: modelList("LLM_MODELS")
}).pipe(Config.mapOrFail(({ key, models, url, vendor: named }) => {
  if (Option.isNone(url)) {
    return Option.isSome(key)
      ? Either.left(ConfigError.MissingData(["LLM_GATEWAY_URL"], "Expected it because LLM_GATEWAY_KEY is set."))
      : Either.right(Option.none())
  }
  if (Option.isNone(key)) {
    return Either.left(ConfigError.MissingData(["LLM_GATEWAY_KEY"], "Expected it because LLM_GATEWAY_URL is set."))
  }
  const vendor = Option.getOrElse(named, () => Capabilities.vendorOf(url.value))
  return Either.right(Option.some({
    urlSetting: "LLM_GATEWAY_URL",
    keySetting: "LLM_GATEWAY_KEY",
    modelSetting: "LLM_MODELS",
    provider: vendor === "generic" ? "gateway" : vendor,
    vendor,
    baseUrl: url.value,
    apiKey: key.value,
    models: Option.getOrElse(models, () => Capabilities.table[vendor].models)
  }))
}))

const directEndpoint = (prefix: string, vendor: Capabilities.Vendor): Config.Config<Option.Option<Endpoint>> => {
  const row = Capabilities.table[vendor]
  return Config.all({
    key: optionalSecret(`${prefix}_API_KEY`, `The key of ${vendor}`),
    url: optionalText(`${prefix}_BASE_URL`, `Another address of ${vendor}, for example of another region`),
    models: modelList(`${prefix}_MODEL`)
  }).pipe(Config.map(({ key, models, url }) =>
    Option.map(key, (apiKey) => ({
      urlSetting: `${prefix}_BASE_URL`,
      keySetting: `${prefix}_API_KEY`,
      modelSetting: `${prefix}_MODEL`,
      provider: vendor,
      vendor,
      baseUrl: Option.getOrElse(url, () => row.baseUrl ?? ""),
      apiKey,
      models: Option.getOrElse(models, (): ReadonlyArray<string> => row.models.slice(0, 1))
    }))
  ))
}

interface Settings {
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly limits: { readonly attemptTimeout?: Duration.Duration; readonly deadline?: Duration.Duration }
}

const limit = (name: string, description: string): Config.Config<Option.Option<Duration.Duration>> =>
  optionalText(name, description).pipe(Config.mapOrFail(Option.match({
    onNone: () => Either.right(Option.none<Duration.Duration>()),
    onSome: (text) => {
      const duration = Option.filter(Duration.decodeUnknown(text), (duration) => Duration.toMillis(duration) > 0)
      return Option.isSome(duration)
        ? Either.right(duration)
        : Either.left(ConfigError.InvalidData([name], "Expected a duration above zero, for example 20 seconds."))
    }
  })))

const settings: Config.Config<Settings> = Config.all({
  gateway,
  direct: Config.all(direct.map(([prefix, vendor]) => directEndpoint(prefix, vendor))),
  attemptTimeout: limit("LLM_ATTEMPT_TIMEOUT", "The longest one model may take, for example 20 seconds"),
  deadline: limit("LLM_DEADLINE", "The longest a whole call may take, all models together")
}).pipe(Config.map((read) => ({
  // Traffic that was given a gateway leaves by no other door, whatever keys lie about.
  endpoints: Option.isSome(read.gateway) ? [read.gateway.value] : Arr.getSomes(read.direct),
  limits: {
    ...(Option.isSome(read.attemptTimeout) ? { attemptTimeout: read.attemptTimeout.value } : {}),
    ...(Option.isSome(read.deadline) ? { deadline: read.deadline.value } : {})
  }
})))

/**
 * Reads the settings and builds the chain:
 *
 * - `LLM_GATEWAY_URL` and `LLM_GATEWAY_KEY`: everything through one gateway, the models of `LLM_MODELS` (between
 *   commas) in order. `LLM_GATEWAY_VENDOR` says what the gateway is when its host does not.
 * - else `DEEPSEEK_API_KEY`, `MISTRAL_API_KEY`, `QWEN_API_KEY`, `OPENAI_API_KEY`: those that are set, in this order,
 *   each with `…_MODEL` (between commas) and `…_BASE_URL`.
 * - else `ExtractiveLlm`.
 *
 * `LLM_ATTEMPT_TIMEOUT` (20 seconds unless given) and `LLM_DEADLINE` (none
 * unless given) bound the chain. A setting that cannot be used is one
 * `ConfigError` that names the variable and shows no secret.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Choice, ConfigError.ConfigError, HttpClient.HttpClient> = Effect.gen(function*() {
  const { endpoints, limits } = yield* settings
  const connected = yield* Effect.forEach(endpoints, connect)
  const models = connected.flat()
  const firsts = connected.flatMap((members) => members.slice(0, 1))
  if (!Arr.isNonEmptyReadonlyArray(models) || !Arr.isNonEmptyReadonlyArray(firsts)) {
    return {
      model: ExtractiveLlm.model,
      models: [ExtractiveLlm.model],
      endpoints: [ExtractiveLlm.model],
      description: "no model provider is configured: answers are extracted from the passages found (extractive)"
    }
  }
  const model = yield* Effect.mapError(
    LlmChain.make(models, limits),
    (error) => ConfigError.InvalidData(["LLM_MODELS"], error.description)
  )
  return { model, models, endpoints: firsts, description: describeEndpoints(endpoints) }
})

const connect = (
  endpoint: Endpoint
): Effect.Effect<ReadonlyArray<Llm.Model>, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Effect.forEach(endpoint.models, (model) =>
    OpenAiCompatible.make({
      provider: endpoint.provider,
      model,
      baseUrl: endpoint.baseUrl,
      apiKey: endpoint.apiKey,
      capabilities: Capabilities.forModel(endpoint.vendor, model)
    })).pipe(Effect.mapError((error) => renamed(error, endpoint)))

/** The model's own error names an option; the reader of the settings knows variables. */
const renamed = (error: ConfigError.ConfigError, endpoint: Endpoint): ConfigError.ConfigError =>
  error._op === "InvalidData"
    ? ConfigError.InvalidData([error.path[0] === "apiKey" ? endpoint.keySetting : endpoint.urlSetting], error.message)
    : error

const describeEndpoints = (endpoints: ReadonlyArray<Endpoint>): string =>
  endpoints.map((endpoint) =>
    `${endpoint.models.map((model) => `${endpoint.provider}/${model}`).join(", then ")} at ${hostOf(endpoint.baseUrl)}`
  ).join("; then ")

const hostOf = (url: string): string => URL.canParse(url) ? new URL(url).host : "an unknown host"

/**
 * One line about what was chosen, for a server to print when it starts.
 *
 * @since 0.1.0
 * @category combinators
 */
export const describe: Effect.Effect<string, never, ProviderChain> = Effect.map(
  ProviderChain,
  (choice) => choice.description
)

/**
 * Provides what the settings choose as the `Llm`, and the choice itself.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<Llm.Llm | ProviderChain, ConfigError.ConfigError, HttpClient.HttpClient> = Layer
  .effectContext(
    Effect.map(make, (choice) => Context.make(Llm.Llm, choice.model).pipe(Context.add(ProviderChain, choice)))
  )
