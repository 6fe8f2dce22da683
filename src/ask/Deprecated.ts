/**
 * Two questions that revision 2026-07-28 still has and advises against: to the
 * client's model, and for the folders it works in. They work with every client
 * that declares them; for new servers prefer a model and arguments of your own.
 *
 * Source: MCP 2026-07-28, sampling and roots (deprecated features).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isObject } from "../protocol/JsonRpc.js"
import type { ToolDescription } from "../protocol/McpSchema.js"
import * as Ask from "./Ask.js"
import * as FormSchema from "./internal/FormSchema.js"

/** Taken as it is: to rebuild it by its keys would let one of them become its prototype. */
const Open = Schema.declare(isObject, { identifier: "object" })

const block = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct({ ...fields, _meta: Schema.optionalWith(Open, { exact: true }) })

/**
 * One piece of what is said to a model, or by it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Block = Schema.Union(
  block({ type: Schema.Literal("text"), text: Schema.String }),
  block({ type: Schema.Literal("image"), data: Schema.String, mimeType: Schema.String }),
  block({ type: Schema.Literal("audio"), data: Schema.String, mimeType: Schema.String }),
  block({ type: Schema.Literal("tool_use"), id: Schema.String, name: Schema.String, input: Open }),
  block({
    type: Schema.Literal("tool_result"),
    toolUseId: Schema.String,
    content: Schema.Array(Open),
    structuredContent: Schema.optionalWith(Schema.Unknown, { exact: true }),
    isError: Schema.optionalWith(Schema.Boolean, { exact: true })
  })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Block = typeof Block.Type

const Content = Schema.Union(Block, Schema.Array(Block))

/**
 * What the client's model said.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Sampled = Schema.Struct({
  role: Schema.Literal("user", "assistant"),
  content: Content,
  /** The name of the model, as the client tells it. */
  model: Schema.String,
  /** `endTurn`, `stopSequence`, `maxTokens`, `toolUse` or a word of the provider. */
  stopReason: Schema.optionalWith(Schema.String, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Sampled extends Schema.Schema.Type<typeof Sampled> {}

/**
 * What the client's model is asked. `tools` and `toolChoice` need the client's
 * `sampling.tools`, an `includeContext` other than `none` its `sampling.context`.
 * Each `tool_use` of the model must be answered, before anything else, by a user
 * message of nothing but the matching `tool_result` blocks.
 *
 * @since 0.1.0
 * @category models
 */
export interface SampleParams {
  readonly messages: ReadonlyArray<{
    readonly role: "user" | "assistant"
    readonly content: Block | ReadonlyArray<Block>
  }>
  /** The client may sample fewer, never more. */
  readonly maxTokens: number
  readonly modelPreferences?: {
    readonly hints?: ReadonlyArray<{ readonly name?: string }>
    /** Each of the three from 0 (does not matter) to 1 (matters most). */
    readonly costPriority?: number
    readonly speedPriority?: number
    readonly intelligencePriority?: number
  }
  readonly systemPrompt?: string
  readonly includeContext?: "none" | "thisServer" | "allServers"
  readonly temperature?: number
  readonly stopSequences?: ReadonlyArray<string>
  readonly metadata?: { readonly [key: string]: unknown }
  readonly tools?: ReadonlyArray<ToolDescription>
  readonly toolChoice?: { readonly mode?: "auto" | "required" | "none" }
}

/**
 * A folder or file the client works in.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Root = Schema.Struct({
  /** A `file:` URI by the specification; untrusted like every other word of the client. */
  uri: Schema.String,
  name: Schema.optionalWith(Schema.String, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Root extends Schema.Schema.Type<typeof Root> {}

const Roots = Schema.Struct({ roots: Schema.Array(Root) })

/** Reads a result by its schema; whatever else stands in it is ignored. */
const shaped = <A, I>(schema: Schema.Schema<A, I>): Ask.Question<A>["decode"] => (result) =>
  Effect.mapError(FormSchema.decoder(schema)(result), (why) => new Ask.Misfit({ why }))

/**
 * Asks the client's model. A result of another shape is asked for again.
 *
 * @since 0.1.0
 * @category constructors
 */
export const sample = (params: SampleParams, options: Ask.Options = {}): Ask.Question<Sampled> =>
  Ask.make<Sampled>({
    key: options.key,
    request: { method: "sampling/createMessage", params: { ...params } },
    decode: shaped(Sampled)
  })

/**
 * Asks for the folders that the client works in: what it offers, not what the
 * server may read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const roots = (options: Ask.Options = {}): Ask.Question<ReadonlyArray<Root>> =>
  Ask.make<ReadonlyArray<Root>>({
    key: options.key,
    request: { method: "roots/list", params: {} },
    decode: (result) => Effect.map(shaped(Roots)(result), ({ roots }) => roots)
  })
