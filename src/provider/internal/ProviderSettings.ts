/**
 * Reads what the environment says about model providers: where they are, which
 * models to ask for which kind of work, how fast, and what may be spent.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Chat from "../../llm/Chat.js"
import type * as Limits from "../../llm/Limits.js"
import * as Price from "../../llm/Price.js"
import * as Capabilities from "../Capabilities.js"

/**
 * An address and a key, with the models to ask there.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  /** The setting that holds its URL, for errors. */
  readonly urlSetting: string
  readonly keySetting: string
  readonly provider: string
  /** Whether it passes requests on to others, each with a key of its own. */
  readonly isGateway: boolean
  /** `anthropic` speaks a wire of its own. */
  readonly vendor: Capabilities.Vendor | "anthropic"
  readonly baseUrl: string | undefined
  readonly apiKey: Redacted.Redacted
  /** For each class of work, in the order they are asked. */
  readonly models: { readonly [C in Chat.TaskClass]: ReadonlyArray<string> }
  readonly limits: Limits.Options
}

/**
 * All of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  /** In the order of each class. */
  readonly endpoints: { readonly [C in Chat.TaskClass]: ReadonlyArray<Endpoint> }
  /** Each endpoint once, in the order of the default class. */
  readonly all: ReadonlyArray<Endpoint>
  readonly deadlines: { readonly [C in Chat.TaskClass]: Duration.Duration | undefined }
  readonly attemptTimeout: Duration.Duration | undefined
  readonly wire: "whole" | "stream"
  readonly hedgeAfter: Duration.Duration | undefined
  readonly budget: {
    readonly total: number | undefined
    readonly perTenant: number | undefined
    readonly period: Duration.Duration | undefined
    readonly unpriced: "refuse" | "allow"
  }
  readonly prices: ReadonlyArray<Price.Price>
  readonly isCached: boolean
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

const suffixes: { readonly [C in Chat.TaskClass]: string } = {
  default: "",
  strictJson: "_STRICT_JSON",
  reasoning: "_REASONING",
  longContextBatch: "_LONG_CONTEXT"
}

const forEachClass = <A>(f: (name: Chat.TaskClass) => A): { readonly [C in Chat.TaskClass]: A } => ({
  default: f("default"),
  strictJson: f("strictJson"),
  reasoning: f("reasoning"),
  longContextBatch: f("longContextBatch")
})

/** A setting that is read by `parse`, which says what it expected when it cannot. */
const parsed = <A>(name: string, description: string, parse: (text: string) => Either.Either<A, string>) =>
  optionalText(name, description).pipe(Config.mapOrFail(Option.match({
    onNone: () => Either.right<A | undefined>(undefined),
    onSome: (text) => Either.mapLeft(parse(text), (sentence) => ConfigError.InvalidData([name], sentence))
  })))

const duration = (name: string, description: string) =>
  parsed(name, description, (text) =>
    Either.fromOption(
      Option.filter(Duration.decodeUnknown(text), (duration) => {
        const millis = Duration.toMillis(duration)
        return millis > 0 && millis < Infinity
      }),
      () => "Expected a duration above zero, for example 20 seconds."
    ))

const amount = (name: string, description: string) =>
  parsed(name, description, (text) => {
    const value = Number(text)
    return value > 0 && value < Infinity ? Either.right(value) : Either.left("Expected a number above zero.")
  })

const limit = (name: string, description: string, isWhole: boolean) =>
  parsed(name, description, (text) => {
    const value = Number(text)
    return value >= 1 && (isWhole ? Number.isSafeInteger(value) : value < Infinity)
      ? Either.right(value)
      : Either.left(`Expected a ${isWhole ? "whole " : ""}number of at least 1.`)
  })

const oneOf = <const T extends string>(name: string, description: string, values: ReadonlyArray<T>) =>
  parsed(name, description, (text) =>
    Either.fromNullable(
      values.find((value) => value === text.toLowerCase()),
      () => `Expected one of ${values.join(", ")}.`
    ))

const limits = (prefix: string): Config.Config<Limits.Options> =>
  Config.all({
    requestsPerMinute: limit(`${prefix}_REQUESTS_PER_MINUTE`, "Requests in any minute", false),
    tokensPerMinute: limit(`${prefix}_TOKENS_PER_MINUTE`, "Tokens sent and answered in any minute", false),
    concurrency: limit(`${prefix}_CONCURRENCY`, "Calls at once", true)
  })

const gateway: Config.Config<Option.Option<Endpoint>> = Config.all({
  url: optionalText(
    "LLM_GATEWAY_URL",
    "Base URL of an OpenAI-compatible gateway, for example https://gateway.example/v1"
  ),
  key: optionalSecret("LLM_GATEWAY_KEY", "The gateway's key"),
  vendor: gatewayVendor,
  models: Config.all(forEachClass((name) => modelList(`LLM_MODELS${suffixes[name]}`))),
  limits: limits("LLM_GATEWAY")
}).pipe(Config.mapOrFail(({ key, limits, models, url, vendor: named }) => {
  if (Option.isNone(url)) {
    return Option.isSome(key)
      ? Either.left(ConfigError.MissingData(["LLM_GATEWAY_URL"], "Expected it because LLM_GATEWAY_KEY is set."))
      : Either.right(Option.none())
  }
  if (Option.isNone(key)) {
    return Either.left(ConfigError.MissingData(["LLM_GATEWAY_KEY"], "Expected it because LLM_GATEWAY_URL is set."))
  }
  const vendor = Option.getOrElse(named, () => Capabilities.vendorOf(url.value))
  const otherwise = Option.getOrElse(models.default, () => Capabilities.table[vendor].models)
  return Either.right(Option.some({
    urlSetting: "LLM_GATEWAY_URL",
    keySetting: "LLM_GATEWAY_KEY",
    provider: vendor === "generic" ? "gateway" : vendor,
    isGateway: true,
    vendor,
    baseUrl: url.value,
    apiKey: key.value,
    models: forEachClass((name) => Option.getOrElse(models[name], () => otherwise)),
    limits
  }))
}))

/** Vendors that are asked directly: the prefix of their settings. */
const direct = {
  deepseek: "DEEPSEEK",
  mistral: "MISTRAL",
  qwen: "QWEN",
  openai: "OPENAI",
  anthropic: "ANTHROPIC",
  gemini: "GEMINI"
} as const

type Direct = keyof typeof direct

/** Who is asked first for which kind of work; whoever has no key is left out. */
const orders: { readonly [C in Chat.TaskClass]: ReadonlyArray<Direct> } = {
  default: ["deepseek", "mistral", "qwen", "openai", "anthropic", "gemini"],
  strictJson: ["openai", "anthropic", "qwen", "mistral", "gemini", "deepseek"],
  reasoning: ["anthropic", "openai", "deepseek", "gemini", "qwen", "mistral"],
  longContextBatch: ["gemini", "qwen", "anthropic", "deepseek", "openai", "mistral"]
}

const anthropicModel = "claude-haiku-4-5"

const directEndpoint = (vendor: Direct): Config.Config<Option.Option<Endpoint>> => {
  const prefix = direct[vendor]
  return Config.all({
    key: optionalSecret(`${prefix}_API_KEY`, `The key of ${vendor}`),
    url: optionalText(`${prefix}_BASE_URL`, `Another address of ${vendor}, for example of another region`),
    models: modelList(`${prefix}_MODEL`),
    limits: limits(prefix)
  }).pipe(Config.map(({ key, limits, models, url }) =>
    Option.map(key, (apiKey): Endpoint => {
      const row = vendor === "anthropic" ? undefined : Capabilities.table[vendor]
      const names = Option.getOrElse(models, () => [row?.models[0] ?? anthropicModel])
      return {
        urlSetting: `${prefix}_BASE_URL`,
        keySetting: `${prefix}_API_KEY`,
        provider: vendor,
        isGateway: false,
        vendor,
        baseUrl: Option.getOrElse(url, () => row?.baseUrl),
        apiKey,
        models: forEachClass(() => names),
        limits
      }
    })
  ))
}

const decodePrices = Schema.decodeUnknownEither(Schema.parseJson(Schema.Array(Price.Price)))

const prices = parsed(
  "LLM_PRICES",
  "Prices beside the built-in ones, as a JSON list",
  (text) =>
    Either.mapLeft(
      decodePrices(text),
      () =>
        "Expected a JSON list such as [{\"provider\":\"gateway\",\"model\":\"m\",\"from\":\"2026-01-01\"," +
        "\"inputPerMillion\":0.2,\"outputPerMillion\":0.8}]."
    )
)

/**
 * Reads the settings. One that cannot be used is one `ConfigError` that names
 * the variable and shows no secret.
 *
 * @since 0.1.0
 * @category constructors
 */
export const config: Config.Config<Settings> = Config.all({
  gateway,
  direct: Config.all({
    deepseek: directEndpoint("deepseek"),
    mistral: directEndpoint("mistral"),
    qwen: directEndpoint("qwen"),
    openai: directEndpoint("openai"),
    anthropic: directEndpoint("anthropic"),
    gemini: directEndpoint("gemini")
  }),
  deadlines: Config.all(
    forEachClass((name) =>
      duration(`LLM_DEADLINE${suffixes[name]}`, `The longest a whole call of the class ${name} may take`)
    )
  ),
  attemptTimeout: duration(
    "LLM_ATTEMPT_TIMEOUT",
    "How long a model may be silent before the next is asked: until its first text, or for a whole answer"
  ),
  wire: oneOf("LLM_WIRE", "How answers are fetched: stream, or whole", ["stream", "whole"]),
  hedgeAfter: duration("LLM_HEDGE_AFTER", "Asks a second provider when the first is silent for this long"),
  total: amount("LLM_BUDGET_USD", "The most that may be spent in a period"),
  perTenant: amount("LLM_BUDGET_USD_PER_TENANT", "The most each tenant may spend in a period"),
  period: duration("LLM_BUDGET_PERIOD", "How long a period of the budget is; a day unless given"),
  unpriced: oneOf("LLM_UNPRICED", "What is done with models without a price when there is a budget", [
    "refuse",
    "allow"
  ]),
  prices,
  cache: oneOf("LLM_CACHE", "Whether answers asked for at temperature 0 are kept", ["on", "off"])
}).pipe(Config.map((read): Settings => {
  // Traffic that was given a gateway leaves by no other door, whatever keys lie about.
  const endpoints = forEachClass((name) =>
    Option.isSome(read.gateway) ? [read.gateway.value] : Arr.getSomes(orders[name].map((vendor) => read.direct[vendor]))
  )
  return {
    endpoints,
    all: endpoints.default,
    deadlines: read.deadlines,
    attemptTimeout: read.attemptTimeout,
    wire: read.wire ?? "stream",
    hedgeAfter: read.hedgeAfter,
    budget: { total: read.total, perTenant: read.perTenant, period: read.period, unpriced: read.unpriced ?? "refuse" },
    prices: read.prices ?? [],
    isCached: read.cache !== "off"
  }
}))
