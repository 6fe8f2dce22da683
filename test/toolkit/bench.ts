/**
 * Tools, a registry of them and calls, for the tests of the registry.
 *
 * @since 0.1.0
 */
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCodec from "causeway-mcp/tool/ToolCodec"
import type { Body } from "causeway-mcp/tool/ToolError"
import type * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

export const tool = <const Name extends string>(name: Name, scopes: ReadonlyArray<string> = []) =>
  Tool.make(name, {
    description: "A tool that serves the tests of the registry",
    parameters: { name: Schema.optional(Schema.String) },
    success: Schema.String,
    safety: "readOnly",
    scopes
  })

export const greet = tool("greet").implement(({ name }) =>
  Effect.flatMap(Greeting, (greeting) => Evidence.computed("greet", `${greeting}, ${name ?? "you"}`))
)

export const request = (name: string, args: unknown = {}, caller = Principal.local): ToolRegistry.Request => ({
  name,
  arguments: args,
  caller,
  requestId: 7,
  reportProgress: () => undefined,
  log: () => undefined,
  beginTask: Effect.succeed(false),
  meta: {},
  asking: { memo: Asking.nothing, responses: {}, clientCapabilities: { elicitation: {} } }
})

export type Registry = Context.Tag.Service<ToolRegistry.ToolRegistry>

/** Calls, and expects that nothing is asked. */
export const answer = (registry: Registry, request: ToolRegistry.Request) =>
  Effect.map(registry.call(request), (result) => {
    if (result._tag === "Paused") throw new Error("the call was paused")
    return result
  })

export const body = (result: { readonly _meta?: { readonly [key: string]: unknown } }) =>
  result._meta?.[ToolCodec.errorMetaKey] as Body

export const withTools = <R>(toolkit: Toolkit.Toolkit<R>, options?: ToolRegistry.Options) =>
  ToolRegistry.make(toolkit, options)
