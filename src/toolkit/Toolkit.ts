/**
 * A typed set of tools with their handlers.
 *
 * @since 0.1.0
 */
import type { Pipeable } from "effect/Pipeable"
import { Prototype as PipeablePrototype } from "effect/Pipeable"
import type { Asking } from "../ask/Asking.js"
import * as Policy from "../policy/Policy.js"
import * as Tool from "../tool/Tool.js"
import type { ToolCall } from "../tool/ToolCall.js"

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: unique symbol = Symbol.for("~causeway/Toolkit")

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * Tools in the order in which they are listed. `R` is what their handlers need
 * beside what each call brings along, `S` how safe they are to repeat.
 *
 * @since 0.1.0
 * @category models
 */
export interface Toolkit<out R, out S extends Tool.Safety = Tool.Safety> extends Pipeable {
  readonly [TypeId]: { readonly requirements: () => R; readonly safety: () => S }
  readonly handlers: ReadonlyArray<Tool.AnyHandler>
}

/**
 * What a call brings along, so that no layer has to.
 *
 * @since 0.1.0
 * @category type-level
 */
export type CallServices = ToolCall | Asking

const prototype = { [TypeId]: TypeId, pipe: PipeablePrototype.pipe }

const fromHandlers = <R, S extends Tool.Safety>(handlers: ReadonlyArray<Tool.AnyHandler>): Toolkit<R, S> =>
  Object.assign(Object.create(prototype), { handlers })

/**
 * Gathers handlers. A name that stands twice is refused when the toolkit is made
 * a layer, where both tools can be named.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Handlers extends ReadonlyArray<Tool.AnyHandler>>(
  ...handlers: Handlers
): Toolkit<Exclude<Tool.Requirements<Handlers[number]>, CallServices>, Handlers[number]["tool"]["safety"]> =>
  fromHandlers(handlers)

/**
 * Joins toolkits, in order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge = <Toolkits extends ReadonlyArray<Toolkit<unknown>>>(
  ...toolkits: Toolkits
): Toolkit<
  Toolkits[number] extends Toolkit<infer R, infer _S> ? R : never,
  Toolkits[number] extends Toolkit<infer _R, infer S> ? S : never
> => fromHandlers(toolkits.flatMap((toolkit) => toolkit.handlers))

/**
 * How safe to repeat the tools must be that a policy fits.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Fitting<N extends Policy.Repeats> = [N] extends [never] ? Tool.Safety : Exclude<Tool.Safety, "effectful">

/**
 * Gives a policy to all tools of a toolkit. What a tool sets itself goes before
 * it, and so does what was given to a toolkit further in. A repeating policy does
 * not compile where one of the tools is effectful. What the policy needs is needed
 * by the toolkit from now on.
 *
 * @since 0.1.0
 * @category combinators
 */
export const protect =
  <N extends Policy.Repeats = never, R2 = never>(policy: Policy.Policy<N, R2>) =>
  <R, S extends Fitting<N>>(self: Toolkit<R, S>): Toolkit<R | R2, S> =>
    fromHandlers(
      self.handlers.map((handler) =>
        Tool.withTerms<R2>({ toolkitPolicy: Policy.all(policy, handler.toolkitPolicy) })(handler)
      )
    )
