/**
 * The tools of a registry at one moment, and what is made of them once.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Principal } from "../../auth/Principal.js"
import type * as Catalog from "../../catalog/Catalog.js"
import * as Visible from "../../catalog/Visible.js"
import type { ToolDescription } from "../../protocol/McpSchema.js"
import type * as Tool from "../../tool/Tool.js"
import * as ToolCodec from "../../tool/ToolCodec.js"
import * as ToolName from "../../tool/ToolName.js"

/**
 * A handler, ready to be called.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly tool: Tool.Any
  readonly codec: ToolCodec.ToolCodec
  readonly run: Tool.AnyHandler["run"]
  /** What was provided where the handler was registered. */
  readonly services: Context.Context<unknown>
}

/**
 * Immutable: a change of the tools makes another one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  readonly entries: ReadonlyMap<string, Entry>
  /** What a caller may see; the same array each time. */
  readonly list: (caller: Principal) => ReadonlyArray<ToolDescription>
  readonly warnings: ReadonlyArray<string>
}

/**
 * Checks handlers and compiles their schemas; each problem names its tool.
 *
 * @since 0.1.0
 * @category constructors
 */
export const compile = (
  handlers: ReadonlyArray<Tool.AnyHandler>,
  services: Context.Context<unknown>
): Effect.Effect<Catalog.Compiled<Entry>> =>
  Effect.gen(function*() {
    const entries = new Map<string, Entry>()
    const problems: Array<string> = []
    for (const { run, tool } of handlers) {
      const wrong = ToolName.check(tool.name)
      if (wrong !== undefined) problems.push(`tool "${tool.name}": ${wrong}`)
      else if (entries.has(tool.name)) problems.push(`tool "${tool.name}": the name stands twice`)
      const codec = yield* Effect.either(ToolCodec.make(tool))
      if (Either.isLeft(codec)) problems.push(...codec.left.map((problem) => `tool "${tool.name}": ${problem}`))
      else entries.set(tool.name, { tool, codec: codec.right, run, services })
    }
    return { entries, problems }
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (entries: ReadonlyMap<string, Entry>): Snapshot => {
  const all = [...entries.values()]
  return {
    entries,
    warnings: all.flatMap((entry) => ToolName.lint(entry.tool)),
    list: Visible.make(all.map(({ codec, tool }) => ({ scopes: tool.scopes, description: codec.description })))
  }
}
