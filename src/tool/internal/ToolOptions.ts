/**
 * What may be said of a tool where it is made, and what its handler takes.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import type { JsonSchema } from "../../protocol/JsonSchema.js"
import type { Icon } from "../../protocol/McpSchema.js"

/**
 * What every tool may be told, whatever its form.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Description<S extends string, K extends string> {
  readonly title?: string
  /** Tells a model when to use the tool and what it returns. */
  readonly description: string
  readonly safety: S
  /** Whether an `effectful` tool may destroy something; true unless given. */
  readonly isDestructive?: boolean
  /** Whether the tool reaches beyond the server's own data; false unless given. */
  readonly isOpenWorld?: boolean
  /** All of these are needed to see and to call the tool. */
  readonly scopes?: ReadonlyArray<string>
  /**
   * Whether the same arguments have the same answer for every caller of every
   * tenant, so that all may share what is kept of it; false unless given. Where it
   * is false, an answer is shared by no two callers.
   */
  readonly isPublic?: boolean
  readonly icons?: ReadonlyArray<Icon>
  /** Whether a call may, or must, go on as a task; `forbidden` unless given. */
  readonly task?: K
  /** When a call that becomes a task is one; `atOnce` unless given. */
  readonly taskBegins?: "atOnce" | "whenTold"
}

/**
 * Parameters that clients repeat in an HTTP header, for gateways to read: the
 * part of the header's name behind `Mcp-Param-`, by the parameter's path with
 * dots. Only strings, integers and booleans, and no secrets.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Mirrored {
  readonly [parameter: string]: string
}

/**
 * Struct fields, or a whole schema.
 *
 * @since 0.1.0
 * @category models
 */
export type Parameters = Schema.Struct.Fields | Schema.Schema.AnyNoContext

/**
 * What the handler takes: the decoded side.
 *
 * @since 0.1.0
 * @category type-level
 */
export type InputOf<P extends Parameters> = P extends Schema.Schema.AnyNoContext ? Schema.Schema.Type<P>
  : P extends Schema.Struct.Fields ? Schema.Simplify<Schema.Struct.Type<P>>
  : never

/**
 * Fails to compile when a field needs services to decode: a request has none.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Closed<P extends Parameters> = P extends Schema.Schema.AnyNoContext ? P
  : P extends Schema.Struct.Fields ? [Schema.Struct.Context<P>] extends [never] ? P : never
  : never

/**
 * Fails to compile what a foreign schema already says.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Unless<Foreign> = [Foreign] extends [JsonSchema] ? never : unknown
