/**
 * A typed set of tools with their handlers.
 *
 * @since 0.1.0
 */
import type { Pipeable } from "effect/Pipeable"
import { Prototype as PipeablePrototype } from "effect/Pipeable"
import type { Asking } from "../ask/Asking.js"
import type * as Tool from "../tool/Tool.js"
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
 * beside what each call brings along.
 *
 * @since 0.1.0
 * @category models
 */
export interface Toolkit<out R> extends Pipeable {
  readonly [TypeId]: { readonly requirements: () => R }
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

const fromHandlers = <R>(handlers: ReadonlyArray<Tool.AnyHandler>): Toolkit<R> =>
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
): Toolkit<Exclude<Tool.Requirements<Handlers[number]>, CallServices>> => fromHandlers(handlers)

/**
 * Joins toolkits, in order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge = <Toolkits extends ReadonlyArray<Toolkit<unknown>>>(
  ...toolkits: Toolkits
): Toolkit<Toolkits[number] extends Toolkit<infer R> ? R : never> =>
  fromHandlers(toolkits.flatMap((toolkit) => toolkit.handlers))
