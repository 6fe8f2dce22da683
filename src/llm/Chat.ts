/**
 * The words of a conversation with a model: messages, the passages it may rely
 * on, what came back and what it cost in tokens.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * @since 0.1.0
 * @category models
 */
export interface Message {
  readonly role: "system" | "user" | "assistant"
  readonly text: string
}

/**
 * Something the answer may rely on and cite by id. Providers render it into the
 * prompt; the extractive model answers from nothing else.
 *
 * @since 0.1.0
 * @category models
 */
export interface ContextPassage {
  readonly id: string
  readonly title?: string | undefined
  readonly text: string
  readonly publishedAt?: string | undefined
}

/**
 * What kind of work it is; a router picks the fitting models by it.
 *
 * @since 0.1.0
 * @category models
 */
export type TaskClass = "default" | "strictJson" | "reasoning" | "longContextBatch"

/**
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly messages: ReadonlyArray<Message>
  readonly context?: ReadonlyArray<ContextPassage> | undefined
  readonly task?: TaskClass | undefined
  readonly maxTokens?: number | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly seed?: number | undefined
  /** Texts that end an answer when they come up. */
  readonly stop?: ReadonlyArray<string> | undefined
  /** Whose budget pays and whose cached answers may be used; one for all unless given. */
  readonly tenant?: string | undefined
  /** What a model has to be labelled with to be asked, all of them; for example where it keeps data. */
  readonly labels?: ReadonlyArray<string> | undefined
}

/**
 * Where an attempt was: waiting for a place, connecting, waiting for the
 * response's headers, for the first text of a stream, for its next text, for a
 * whole answer; or the call as a whole.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Phase = Schema.Literal("queue", "connect", "headers", "firstToken", "idle", "answer", "total")

/**
 * @since 0.1.0
 * @category models
 */
export type Phase = typeof Phase.Type

/**
 * What makes a readable answer no use.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Flaw = Schema.Literal(
  "empty",
  "truncated",
  "refusal",
  "invalidJson",
  "schemaMismatch",
  "wrongLanguage",
  "repetition",
  "offContext",
  "echo",
  "wrongModel",
  "guardrail"
)

/**
 * @since 0.1.0
 * @category models
 */
export type Flaw = typeof Flaw.Type

/**
 * What a call cost in US dollars. `exact` rests on reported usage and a known
 * price; `estimated` on counted text or a call that was cut off; of `unknown`
 * only the part in `usd` is known, and the whole may be more.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Cost = Schema.Struct({
  certainty: Schema.Literal("exact", "estimated", "unknown"),
  usd: Schema.NonNegative
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Cost extends Schema.Schema.Type<typeof Cost> {}

/**
 * Tokens used; absent figures are unknown, not zero.
 *
 * @since 0.1.0
 * @category models
 */
export interface Usage {
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  /** Of the input tokens, those the provider had cached. */
  readonly cachedInputTokens?: number | undefined
  /** Of the input tokens, those the provider wrote to its cache. */
  readonly cacheWriteTokens?: number | undefined
  /** What the provider itself says it charged, in US dollars; zero is not taken for free. */
  readonly reportedUsd?: number | undefined
}

/**
 * One try on the way to an answer, or a model that was passed over. `reason` is
 * the error's reason when it failed, and why it was not asked when skipped.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Attempt = Schema.Struct({
  provider: Schema.String,
  model: Schema.String,
  outcome: Schema.Literal("answered", "failed", "skipped"),
  reason: Schema.optionalWith(Schema.String, { exact: true }),
  /** Where it stood when it failed. */
  phase: Schema.optionalWith(Phase, { exact: true }),
  flaw: Schema.optionalWith(Flaw, { exact: true }),
  /** Why this try was made, when it was not the first of its call. */
  cause: Schema.optionalWith(Schema.Literal("failover", "retry", "repair", "lengthen", "hedge", "probe"), {
    exact: true
  }),
  elapsedMs: Schema.NonNegative,
  firstTokenMs: Schema.optionalWith(Schema.NonNegative, { exact: true }),
  retryAfterMs: Schema.optionalWith(Schema.NonNegative, { exact: true }),
  cost: Schema.optionalWith(Cost, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Attempt extends Schema.Schema.Type<typeof Attempt> {}

/**
 * Who answered, how it went, what it used.
 *
 * @since 0.1.0
 * @category models
 */
export interface Provenance {
  readonly provider: string
  readonly model: string
  readonly usage: Usage
  /** Every try in the order they ended; the last one answered, but for those that were given up then. */
  readonly attempts: ReadonlyArray<Attempt>
  /** Of all tries together; absent where nobody knows prices. */
  readonly cost?: Cost | undefined
  /** Whether the answer was kept from an earlier, equal call; it cost nothing this time. */
  readonly isCached?: boolean | undefined
  /** What is wrong with the best answer there was, when that is what was asked for. */
  readonly flaw?: Flaw | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface TextAnswer extends Provenance {
  readonly text: string
  /** Ids of context passages the text cites as `[id]`, in order of appearance, each once, only ids that were given. */
  readonly citations: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ObjectAnswer extends Provenance {
  /** Parsed JSON. A chain has checked it against the schema; a single model has not. */
  readonly value: unknown
  /** The text the value was read from, when it came as text. */
  readonly text?: string | undefined
}

/**
 * A piece of a streamed answer; the last one carries the provenance.
 *
 * @since 0.1.0
 * @category models
 */
export type Delta =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Done"; readonly answer: TextAnswer }

/**
 * Adds tokens up. A figure that one side does not know is the other's; unknown
 * on both sides stays unknown.
 *
 * @since 0.1.0
 * @category combinators
 */
export const addUsage = (self: Usage, that: Usage): Usage => {
  const sum: { -readonly [K in keyof Usage]: number } = {}
  for (const name of figures) {
    const value = add(self[name], that[name])
    if (value !== undefined) sum[name] = value
  }
  return sum
}

const figures = ["inputTokens", "outputTokens", "cachedInputTokens", "cacheWriteTokens", "reportedUsd"] as const

const add = (self: number | undefined, that: number | undefined): number | undefined =>
  self === undefined ? that : that === undefined ? self : self + that

const certainties = ["exact", "estimated", "unknown"] as const

/**
 * Adds costs up. The sum is as certain as the less certain of the two.
 *
 * @since 0.1.0
 * @category combinators
 */
export const addCost = (self: Cost, that: Cost): Cost => ({
  certainty: certainties[Math.max(certainties.indexOf(self.certainty), certainties.indexOf(that.certainty))] ??
    "unknown",
  usd: self.usd + that.usd
})

/**
 * The cost of nothing, to add to.
 *
 * @since 0.1.0
 * @category constants
 */
export const noCost: Cost = { certainty: "exact", usd: 0 }
