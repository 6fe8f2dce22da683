/**
 * What is said of a tool where it is made, apart from its types.
 *
 * @since 0.1.0
 */
import type { Pipeable } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import type { JsonSchema } from "../../protocol/JsonSchema.js"
import type { Icon } from "../../protocol/McpSchema.js"

/**
 * What a second call with the same arguments does: nothing at all to the world
 * (`readOnly`), nothing more than the first (`idempotent`), or something again
 * (`effectful`).
 *
 * @since 0.1.0
 * @category models
 */
export type Safety = "readOnly" | "idempotent" | "effectful"

/**
 * Whether a call may go on as a task (`optional`: when the client knows tasks),
 * must (`required`: other clients are refused), or never does (`forbidden`); and
 * whether it is one from the start (`atOnce`), or from where the handler says
 * `ToolCall.continueAsTask` (`whenTold`).
 *
 * Source: MCP extension `io.modelcontextprotocol/tasks`.
 *
 * @since 0.1.0
 * @category models
 */
export interface TaskOptions {
  readonly support: "forbidden" | "optional" | "required"
  readonly begins: "atOnce" | "whenTold"
}

/**
 * What is known of every tool.
 *
 * @since 0.1.0
 * @category models
 */
export interface Contract extends Pipeable {
  readonly name: string
  readonly title: string | undefined
  readonly description: string
  readonly safety: Safety
  readonly isDestructive: boolean
  readonly isOpenWorld: boolean
  readonly scopes: ReadonlyArray<string>
  readonly icons: ReadonlyArray<Icon>
  /** Whether the same arguments have the same answer for every caller of every tenant. */
  readonly isPublic: boolean
  /** Whether answers are evidence, or go out as the handler gives them. */
  readonly form: "evidence" | "raw"
  readonly parameters: Schema.Schema.All
  /** Of the data inside the evidence; of the structured content on a raw tool; absent on a raw tool without any. */
  readonly success: Schema.Schema.All | undefined
  readonly failure: Schema.Schema.All
  /** A foreign schema of the arguments, on a raw tool; it is listed as it is, and `parameters` says nothing then. */
  readonly inputSchema: JsonSchema | undefined
  /** A foreign schema of the structured content, on a raw tool. */
  readonly outputSchema: JsonSchema | undefined
  /** The names of HTTP headers, by the parameters that are mirrored in them. */
  readonly headers: { readonly [parameter: string]: string }
  readonly task: TaskOptions
}
