/**
 * Calls of tools behind policies, for the tests of the stack.
 *
 * @since 0.1.0
 */
import type { NotAnswered } from "causeway-mcp/ask/Ask"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import type * as Observer from "causeway-mcp/middleware/Observer"
import { CallObserver } from "causeway-mcp/middleware/Observer"
import * as IdempotencyStore from "causeway-mcp/policy/IdempotencyStore"
import * as Policy from "causeway-mcp/policy/Policy"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as ResultCache from "causeway-mcp/policy/ResultCache"
import type { ToolResult } from "causeway-mcp/protocol/McpSchema"
import type { Evidence } from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import type { ToolCall } from "causeway-mcp/tool/ToolCall"
import * as ToolCodec from "causeway-mcp/tool/ToolCodec"
import type { Body, ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"

export const Stores = Layer.mergeAll(RateLimiter.layerMemory, ResultCache.layerMemory, IdempotencyStore.layerMemory)

/** A tool with one text as its answer, and any text as its argument. */
export const tool = <const S extends Tool.Safety = "readOnly">(
  options: Partial<{
    readonly name: string
    readonly safety: S
    readonly isPublic: boolean
    readonly scopes: ReadonlyArray<string>
  }> = {}
) =>
  Tool.make(options.name ?? "echo_text", {
    description: "Gives back the text it was given, or anything else",
    parameters: { text: Schema.optional(Schema.String), n: Schema.optional(Schema.Number) },
    success: Schema.Unknown,
    // A literal where it is given, and `readOnly` otherwise.
    safety: (options.safety ?? "readOnly") as S,
    isPublic: options.isPublic === true,
    scopes: options.scopes ?? []
  })

export type Handled = Effect.Effect<Evidence<unknown>, ToolError | NotAnswered, Asking.Asking | ToolCall>

/** A handler with a policy that was erased: the types of policies are tested elsewhere. */
export const handler = (
  policy: Policy.Any,
  run: (input: { readonly text?: string | undefined; readonly n?: number | undefined }) => Handled,
  options: Parameters<typeof tool>[0] = {}
): Tool.ToolHandler<Tool.Any, unknown, Asking.Asking | ToolCall> =>
  Tool.withTerms({ policy })(tool(options).implement(run))

export const ada = Principal.make({ id: "ada", tenant: "heronry", scopes: ["*"] })

export const eve = Principal.make({ id: "eve", tenant: "heronry", scopes: ["*"] })

export const request = (more: Partial<ToolRegistry.Request> = {}): ToolRegistry.Request => ({
  name: "echo_text",
  arguments: {},
  caller: ada,
  requestId: 7,
  meta: {},
  reportProgress: () => undefined,
  log: () => undefined,
  beginTask: Exit.succeed(false),
  asking: { memo: Asking.nothing, responses: {}, clientCapabilities: { elicitation: {} } },
  ...more
})

type Registry = Context.Tag.Service<ToolRegistry.ToolRegistry>

/** Calls, and expects that nothing is asked. */
export const answer = (registry: Registry, more?: Partial<ToolRegistry.Request>) =>
  Effect.map(registry.call(request(more)), (result): ToolResult => {
    if (result._tag === "Paused") throw new Error("the call was paused")
    return result
  })

export const bodyOf = (result: ToolResult): Body => {
  const body = result._meta?.[ToolCodec.errorMetaKey]
  if (body === undefined) throw new Error(`the call was answered: ${result.structuredJson}`)
  return body as Body
}

/** The envelope of an answer. */
export const envelopeOf = (result: ToolResult) => {
  if (result.structuredJson === undefined) throw new Error(`the call failed: ${JSON.stringify(result.content)}`)
  return JSON.parse(result.structuredJson) as {
    readonly data: unknown
    readonly confidence: number
    readonly sources: ReadonlyArray<{ readonly cached: boolean }>
    readonly degraded?: { readonly reason: string; readonly missing: ReadonlyArray<string> }
  }
}

export const dataOf = (result: ToolResult): unknown => envelopeOf(result).data

/** A registry of these handlers, with every store in memory; nothing of the server's own unless given. */
export const registry = (
  handlers: ReadonlyArray<Tool.ToolHandler<Tool.Any, unknown, Asking.Asking | ToolCall>>,
  policy: Policy.Policy<Policy.Repeats> = Policy.none
) =>
  ToolRegistry.make(Toolkit.make(...handlers), { policy }).pipe(
    Effect.provide(Stores),
    // Policies for a test are not wise ones.
    Logger.withMinimumLogLevel(LogLevel.Error)
  )

/** Notes what an observer is told. */
export const notes = () => {
  const steps: Array<string> = []
  const ended: Array<Observer.Ended> = []
  const begun: Array<Observer.Begun> = []
  const observer: Observer.Observer = {
    begin: (call) => {
      begun.push(call)
      return {
        step: (step, doing) => void steps.push(`${step} ${doing}`),
        end: (end) => void ended.push(end)
      }
    }
  }
  return { steps, ended, begun, layer: Layer.succeed(CallObserver, observer) }
}
