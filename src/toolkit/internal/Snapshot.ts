/**
 * The tools of a registry at one moment, and what is made of them once.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Principal } from "../../auth/Principal.js"
import type * as Catalog from "../../catalog/Catalog.js"
import * as Visible from "../../catalog/Visible.js"
import * as Stack from "../../middleware/Stack.js"
import type * as Policy from "../../policy/Policy.js"
import type { ToolDescription } from "../../protocol/McpSchema.js"
import type * as Tool from "../../tool/Tool.js"
import * as ToolCodec from "../../tool/ToolCodec.js"
import * as ToolName from "../../tool/ToolName.js"
import * as Plan from "../Plan.js"

/**
 * A handler, ready to be called.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly handler: Tool.AnyHandler
  readonly tool: Tool.Any
  readonly codec: ToolCodec.ToolCodec
  readonly stack: Stack.Stack
}

/**
 * What holds for all tools of a registry.
 *
 * @since 0.1.0
 * @category models
 */
export interface Common {
  readonly policy: Policy.Any
  /** What was provided where the registry was made. */
  readonly services: Context.Context<unknown>
  readonly shared: Stack.Shared
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
  /** What stands around each tool. */
  readonly plans: ReadonlyArray<Plan.Plan>
}

/**
 * Checks handlers, and compiles their schemas and what stands around them; each
 * problem names its tool.
 *
 * @since 0.1.0
 * @category constructors
 */
export const compile = (
  handlers: ReadonlyArray<Tool.AnyHandler>,
  registered: Context.Context<unknown>,
  { policy, services, shared }: Common
): Effect.Effect<Catalog.Compiled<Entry>> =>
  Effect.gen(function*() {
    const entries = new Map<string, Entry>()
    const problems: Array<string> = []
    // What a policy of the server needs may not be there where tools are added later.
    const available = Context.merge(services, registered)
    for (const handler of handlers) {
      const { tool } = handler
      const wrong = ToolName.check(tool.name)
      if (wrong !== undefined) problems.push(`tool "${tool.name}": ${wrong}`)
      else if (entries.has(tool.name)) problems.push(`tool "${tool.name}": the name stands twice`)
      const codec = yield* Effect.either(ToolCodec.make(tool))
      const stack = Either.flatMap(
        codec,
        (codec) => Stack.make({ handler, codec, policy, services: available }, shared)
      )
      if (Either.isLeft(stack)) problems.push(...stack.left.map((problem) => `tool "${tool.name}": ${problem}`))
      else if (Either.isRight(codec)) {
        entries.set(tool.name, { handler, tool, codec: codec.right, stack: stack.right })
      }
    }
    return { entries, problems }
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (entries: ReadonlyMap<string, Entry>, policy: Policy.Any): Snapshot => {
  const all = [...entries.values()]
  const around = Plan.around(all.map(({ handler }) => handler), policy)
  const plans = all.map(({ handler }) => Plan.make(handler, around))
  return {
    entries,
    plans,
    warnings: [
      ...all.flatMap((entry) => ToolName.lint(entry.tool)),
      ...plans.flatMap(({ tool, warnings }) => warnings.map((warning) => `The policy of ${tool}: ${warning}`))
    ],
    list: Visible.make(all.map(({ codec, tool }) => ({ scopes: tool.scopes, description: codec.description })))
  }
}
