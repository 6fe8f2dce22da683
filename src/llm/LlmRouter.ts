/**
 * A model that passes each request to the model, or chain, for its kind of work.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Chat from "./Chat.js"
import type * as Llm from "./Llm.js"
import * as Target from "./Target.js"
import * as TokenEstimate from "./TokenEstimate.js"

/**
 * The models by kind of work, each with its own deadline and policy; a kind
 * without one is done by `default`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Models {
  readonly default: Llm.Model
  readonly strictJson?: Llm.Model | undefined
  readonly reasoning?: Llm.Model | undefined
  readonly longContextBatch?: Llm.Model | undefined
}

/**
 * Tells what kind of work a request is: a pure function that asks nobody.
 *
 * @since 0.1.0
 * @category models
 */
export type Classify = (request: Chat.Request & { readonly schema?: unknown }) => Chat.TaskClass

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `byRequest` unless given. */
  readonly classify?: Classify | undefined
  /** Input tokens, as estimated, above which `byRequest` takes a request for long context; 60,000 unless given. */
  readonly longContextTokens?: number | undefined
}

/**
 * The standard way to tell: what the request declares, whatever else it holds;
 * else `strictJson` when it has a schema; else `longContextBatch` when it is
 * estimated at more than so many input tokens; else `default`. Nothing is taken
 * for `reasoning` that does not declare it. A limit that is no positive number
 * throws a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const byRequest = (longContextTokens = 60_000): Classify => {
  if (!(longContextTokens > 0)) {
    throw new RangeError(`longContextTokens has to be a number above zero; it is ${longContextTokens}.`)
  }
  return (request) => {
    if (request.task !== undefined) return request.task
    if (request.schema !== undefined) return "strictJson"
    return TokenEstimate.ofRequest(request) > longContextTokens ? "longContextBatch" : "default"
  }
}

/**
 * Makes a model of models: `router` by name, and with the names of its models
 * for a model. Answers and errors name who gave them. It can be asked as long
 * as any of its models can. A class that is none of the four goes to `default`.
 * Options out of their range throw a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (models: Models, options: Options = {}): Llm.Model => {
  const classify = options.classify ?? byRequest(options.longContextTokens)
  const byClass = new Map<Chat.TaskClass, Llm.Model>()
  for (const kind of kinds) {
    const model = models[kind]
    if (model !== undefined) byClass.set(kind, model)
  }
  const distinct = [...new Set(byClass.values())]
  const route = (request: Parameters<Classify>[0]): Llm.Model => byClass.get(classify(request)) ?? models.default
  return {
    provider: "router",
    model: distinct.map((model) => `${model.provider}/${model.model}`).join(", "),
    traits: Target.widest(distinct.map((model) => model.traits ?? {})),
    generateText: (request, observer) => route(request).generateText(request, observer),
    generateObject: (request, observer) => route(request).generateObject(request, observer),
    streamText: (request, observer) => route(request).streamText(request, observer),
    ping: distinct.length === 1
      ? models.default.ping
      : Effect.raceAll(distinct.map((model) => model.ping))
  }
}

const kinds = ["default", "strictJson", "reasoning", "longContextBatch"] as const
