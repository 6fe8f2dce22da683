/**
 * Reads from the settings which models to ask and in which order, and makes one
 * chain of them; with nothing set, the model that needs no network.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Budget from "../llm/Budget.js"
import * as CachingLlm from "../llm/CachingLlm.js"
import * as ChainPolicy from "../llm/ChainPolicy.js"
import type * as Chat from "../llm/Chat.js"
import * as CoalescingLlm from "../llm/CoalescingLlm.js"
import * as Limits from "../llm/Limits.js"
import * as Llm from "../llm/Llm.js"
import * as LlmChain from "../llm/LlmChain.js"
import * as LlmRouter from "../llm/LlmRouter.js"
import * as Price from "../llm/Price.js"
import * as PriceTable from "../llm/PriceTable.js"
import * as ResponseCache from "../llm/ResponseCache.js"
import * as Target from "../llm/Target.js"
import * as AnthropicLlm from "./AnthropicLlm.js"
import * as Capabilities from "./Capabilities.js"
import * as ExtractiveLlm from "./ExtractiveLlm.js"
import * as ProviderSettings from "./internal/ProviderSettings.js"
import * as OpenAiCompatible from "./OpenAiCompatible.js"

/**
 * What was chosen: the models in the order they are asked, and one line about
 * it for people.
 *
 * @since 0.1.0
 * @category models
 */
export interface Choice {
  /** All of it, to ask: each kind of work goes to its own chain. */
  readonly model: Llm.Model
  /** The members of the default chain in the order they are asked; several may share an endpoint. */
  readonly models: Arr.NonEmptyReadonlyArray<Llm.Model>
  /** One member for each endpoint, under the endpoint's own name: what a health check pings. */
  readonly endpoints: Arr.NonEmptyReadonlyArray<Llm.Model>
  /** How each member is, by what the chains have seen of it; none without a provider. */
  readonly status: Effect.Effect<ReadonlyArray<Target.Status>>
  /** What may still be spent in this period, in all and of a tenant; nothing when there is no budget. */
  readonly budget: Budget.Budget | undefined
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

const extractive: Choice = {
  model: ExtractiveLlm.model,
  models: [ExtractiveLlm.model],
  endpoints: [ExtractiveLlm.model],
  status: Effect.succeed([]),
  budget: undefined,
  description: "no model provider is configured: answers are extracted from the passages found (extractive)"
}

/**
 * Reads the settings and builds what they say. Where models are:
 *
 * - `LLM_GATEWAY_URL` and `LLM_GATEWAY_KEY`: everything through one gateway, the models of `LLM_MODELS` (between
 *   commas) in order. `LLM_GATEWAY_VENDOR` says what the gateway is when its host does not. Other kinds of work may
 *   have their own: `LLM_MODELS_STRICT_JSON`, `LLM_MODELS_REASONING`, `LLM_MODELS_LONG_CONTEXT`.
 * - else those of `DEEPSEEK_API_KEY`, `MISTRAL_API_KEY`, `QWEN_API_KEY`, `OPENAI_API_KEY`, `ANTHROPIC_API_KEY` and
 *   `GEMINI_API_KEY` that are set, each with `…_MODEL` (between commas) and `…_BASE_URL`: in this order, but OpenAI
 *   and Anthropic first for JSON, Anthropic and OpenAI for reasoning, Gemini and Qwen for long texts.
 * - else `ExtractiveLlm`.
 *
 * A model that stands in several chains is one target: its limits, its breaker
 * and what it costs are counted once. What else can be set is in the guide on
 * configuration. A setting that cannot be used is one `ConfigError` that names
 * the variable and shows no secret.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Choice, ConfigError.ConfigError, HttpClient.HttpClient | Scope.Scope> = Effect.gen(
  function*() {
    const settings = yield* ProviderSettings.config
    const members = yield* connect(settings)
    const of = (name: Chat.TaskClass): ReadonlyArray<Target.Target> =>
      settings.endpoints[name].flatMap((endpoint) =>
        endpoint.models[name].flatMap((model) => members.get(endpoint.provider)?.get(model) ?? [])
      )
    const targets = of("default")
    const firsts = settings.all.flatMap((endpoint) =>
      endpoint.models.default.slice(0, 1).flatMap((model) => members.get(endpoint.provider)?.get(model) ?? [])
    )
    if (!Arr.isNonEmptyReadonlyArray(targets) || !Arr.isNonEmptyReadonlyArray(firsts)) return extractive
    const budget = budgetOf(settings)
    const unpriced = [...members].flatMap(([provider, models]) =>
      [...models].flatMap(([model, target]) => target.price === undefined ? [`${provider}/${model}`] : [])
    )
    if (budget !== undefined && settings.budget.unpriced === "refuse" && unpriced.length > 0) {
      return yield* Effect.fail(ConfigError.InvalidData(
        ["LLM_PRICES"],
        `A budget is set, and the price of ${unpriced.join(", ")} is not known: give it here, or set ` +
          "LLM_UNPRICED=allow to ask models whose cost is not counted."
      ))
    }
    const chain = (name: Chat.TaskClass, preset: ChainPolicy.Part) => {
      const own = of(name)
      return LlmChain.make(Arr.isNonEmptyReadonlyArray(own) ? own : targets, {
        name,
        policy: policyOf(settings, name, preset),
        ...(budget === undefined ? {} : { budget })
      }).pipe(Effect.mapError((error) => ConfigError.InvalidData([`LLM_MODELS`], error.message)))
    }
    const router = LlmRouter.make({
      default: yield* chain("default", ChainPolicy.interactive),
      strictJson: yield* chain("strictJson", ChainPolicy.strictJson),
      reasoning: yield* chain("reasoning", ChainPolicy.reasoning),
      longContextBatch: yield* chain("longContextBatch", ChainPolicy.longContextBatch)
    })
    const model = settings.isCached
      ? yield* CoalescingLlm.make(CachingLlm.make(router, yield* ResponseCache.memory()))
      : router
    const all = [...members.values()].flatMap((models) => [...models.values()])
    return {
      model,
      models: Arr.map(targets, (target) => target.model),
      endpoints: Arr.map(firsts, (target) => target.model),
      status: Effect.clockWith((clock) =>
        Effect.sync(() => {
          const now = Number(clock.unsafeCurrentTimeNanos()) / 1e6
          return all.map((target) => Target.status(target, now))
        })
      ),
      budget,
      description: describeEndpoints(settings)
    }
  }
)

type Members = ReadonlyMap<string, ReadonlyMap<string, Target.Target>>

/** Each model of each endpoint once, whichever kinds of work it is for. */
const connect = (
  settings: ProviderSettings.Settings
): Effect.Effect<Members, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const day = DateTime.formatIsoDateUtc(DateTime.unsafeMake(yield* Clock.currentTimeMillis))
    const prices = Price.merge(PriceTable.table, { version: "settings", prices: settings.prices })
    const members = new Map<string, Map<string, Target.Target>>()
    for (const endpoint of settings.all) {
      // Behind a gateway each model may have a key of its own, which fails for itself alone.
      const account = endpoint.isGateway ? undefined : Target.account(endpoint.provider)
      const limits = Limits.make(endpoint.limits)
      const targets = new Map<string, Target.Target>()
      for (const name of new Set(Object.values(endpoint.models).flat())) {
        const model = yield* modelOf(endpoint, name, settings.wire)
        const price = Price.find(prices, { provider: endpoint.provider, model: name, day })
        targets.set(
          name,
          yield* Target.make(model, {
            ...(account === undefined ? {} : { account }),
            limits,
            ...(price === undefined ? {} : { price })
          }).pipe(
            Effect.mapError((error) => ConfigError.InvalidData([endpoint.keySetting], error.message))
          )
        )
      }
      members.set(endpoint.provider, targets)
    }
    return members
  })

const modelOf = (
  endpoint: ProviderSettings.Endpoint,
  model: string,
  wire: "whole" | "stream"
): Effect.Effect<Llm.Model, ConfigError.ConfigError, HttpClient.HttpClient> => {
  const { apiKey, baseUrl, provider, vendor } = endpoint
  return (vendor === "anthropic"
    ? AnthropicLlm.make({ provider, model, apiKey, wire, ...(baseUrl === undefined ? {} : { baseUrl }) })
    : OpenAiCompatible.make({
      provider,
      model,
      baseUrl: baseUrl ?? "",
      apiKey,
      wire,
      capabilities: Capabilities.forModel(vendor, model)
    })).pipe(Effect.mapError((error) => renamed(error, endpoint)))
}

/** The model's own error names an option; the reader of the settings knows variables. */
const renamed = (error: ConfigError.ConfigError, endpoint: ProviderSettings.Endpoint): ConfigError.ConfigError =>
  error._op === "InvalidData"
    ? ConfigError.InvalidData([error.path[0] === "apiKey" ? endpoint.keySetting : endpoint.urlSetting], error.message)
    : error

const budgetOf = ({ budget }: ProviderSettings.Settings): Budget.Budget | undefined =>
  budget.total === undefined && budget.perTenant === undefined ? undefined : Budget.make(budget)

const policyOf = (
  settings: ProviderSettings.Settings,
  name: Chat.TaskClass,
  preset: ChainPolicy.Part
): ChainPolicy.Part => {
  const deadline = settings.deadlines[name]
  const { attemptTimeout, hedgeAfter } = settings
  const isDefault = name === "default"
  return ChainPolicy.all(
    deadline === undefined ? preset : ChainPolicy.stretch(preset, deadline),
    ...(isDefault && attemptTimeout !== undefined
      ? [ChainPolicy.timeouts({ headers: attemptTimeout, firstToken: attemptTimeout, answer: attemptTimeout })]
      : []),
    ...(isDefault && hedgeAfter !== undefined ? [ChainPolicy.hedge({ after: hedgeAfter })] : [])
  )
}

const describeEndpoints = ({ all }: ProviderSettings.Settings): string =>
  all.map(({ baseUrl, models, provider }) =>
    `${models.default.map((model) => `${provider}/${model}`).join(", then ")} at ${hostOf(baseUrl)}`
  ).join("; then ")

const hostOf = (url: string | undefined): string =>
  url === undefined ? "api.anthropic.com" : URL.canParse(url) ? new URL(url).host : "an unknown host"

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
  .scopedContext(
    Effect.map(make, (choice) => Context.make(Llm.Llm, choice.model).pipe(Context.add(ProviderChain, choice)))
  )
