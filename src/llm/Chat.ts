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
}

/**
 * Tokens used; absent figures are unknown, not zero.
 *
 * @since 0.1.0
 * @category models
 */
export interface Usage {
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
}

/**
 * One try on the way to an answer. `reason` is the error's reason when it
 * failed or was skipped.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Attempt = Schema.Struct({
  provider: Schema.String,
  model: Schema.String,
  outcome: Schema.Literal("answered", "failed", "skipped"),
  reason: Schema.optionalWith(Schema.String, { exact: true }),
  elapsedMs: Schema.NonNegative
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
  /** Every try in order; the last one answered. */
  readonly attempts: ReadonlyArray<Attempt>
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
  /** Parsed JSON; the caller validates it against the schema it asked for. */
  readonly value: unknown
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
  const inputTokens = add(self.inputTokens, that.inputTokens)
  const outputTokens = add(self.outputTokens, that.outputTokens)
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    ...(outputTokens === undefined ? {} : { outputTokens })
  }
}

const add = (self: number | undefined, that: number | undefined): number | undefined =>
  self === undefined ? that : that === undefined ? self : self + that
