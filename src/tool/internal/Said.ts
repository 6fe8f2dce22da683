/**
 * Makes of what was said of a tool what is known of it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { JsonSchema } from "../../protocol/JsonSchema.js"
import type { Contract, Safety, TaskOptions } from "./Contract.js"
import type { Description, Mirrored, Parameters } from "./ToolOptions.js"

/**
 * What may be said of a tool of either form.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Said extends Description<Safety, TaskOptions["support"]> {
  readonly parameters?: Parameters
  readonly success?: Schema.Schema.All
  readonly failure?: Schema.Schema.All
  readonly inputSchema?: JsonSchema | undefined
  readonly outputSchema?: JsonSchema | undefined
  readonly headers?: Mirrored
}

/**
 * With what was left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const contractOf = (name: string, form: "evidence" | "raw", options: Said): Omit<Contract, "pipe"> => ({
  name,
  title: options.title,
  description: options.description,
  safety: options.safety,
  isDestructive: options.safety === "effectful" && options.isDestructive !== false,
  isOpenWorld: options.isOpenWorld === true,
  isPublic: options.isPublic === true,
  scopes: options.scopes ?? [],
  icons: options.icons ?? [],
  form,
  parameters: Schema.isSchema(options.parameters)
    ? options.parameters
    : Schema.Struct((options.parameters ?? {}) as Schema.Struct.Fields),
  success: options.success,
  failure: options.failure ?? Schema.Never,
  inputSchema: options.inputSchema,
  outputSchema: options.outputSchema,
  headers: options.headers ?? {},
  task: { support: options.task ?? "forbidden", begins: options.taskBegins ?? "atOnce" }
})
