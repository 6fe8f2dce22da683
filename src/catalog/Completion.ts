/**
 * Suggestions for what a client still has to write: who makes them, and how many
 * of them it sees.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Principal } from "../auth/Principal.js"
import type * as Mcp from "../protocol/McpSchema.js"

/**
 * What is known when a variable or an argument is completed.
 *
 * @since 0.1.0
 * @category models
 */
export interface CompletionContext {
  /** Suggest nothing that this caller may not know. */
  readonly caller: Principal
  /** The values that were chosen before, by their names: untrusted. */
  readonly arguments: { readonly [name: string]: string }
}

/**
 * Gives the values that fit what was typed so far, the most relevant first. The
 * client sees 100 of them at most.
 *
 * @since 0.1.0
 * @category models
 */
export type Complete<out E, out R> = (
  value: string,
  context: CompletionContext
) => Effect.Effect<ReadonlyArray<string>, E, R>

/**
 * Completions by the names of what they are for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Completers<out E> {
  readonly [name: string]: Complete<E, unknown>
}

type RequirementsOf<F> = F extends Complete<unknown, infer R> ? R : never

/**
 * What completions need. Without any, nothing is inferred but the constraint,
 * whose keys are all strings.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Requirements<C extends Completers<unknown>> = string extends keyof C ? never : RequirementsOf<C[keyof C]>

/**
 * Fails to compile, with the sentence `Why`, for a name that is none of `Name`.
 *
 * @since 0.1.0
 * @category type-level
 */
export type OnlyNames<C extends Completers<unknown>, Name, Why extends string> = string extends keyof C ? unknown
  : { readonly [K in Exclude<keyof C, Name>]: Why }

/**
 * A question for values, whatever it is about.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly argument: Mcp.Complete["argument"]
  /** What was chosen before. */
  readonly context: Mcp.Complete["context"]
  readonly caller: Principal
}

/**
 * Where suggestions come from.
 *
 * @since 0.1.0
 * @category models
 */
export interface Completable {
  readonly complete: ReadonlyMap<string, Complete<unknown, unknown>>
  /** What may be written, for names whose schema holds nothing but literals. */
  readonly literals: ReadonlyMap<string, ReadonlyArray<string>>
}

const most = 100

/**
 * The first 100 of these values, and how many there are.
 *
 * @since 0.1.0
 * @category constructors
 */
export const first = (values: ReadonlyArray<string>): Mcp.Completion => ({
  values: values.length > most ? values.slice(0, most) : values,
  total: values.length,
  hasMore: values.length > most
})

/**
 * Those of these values that begin with what was typed, whatever the case.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startingWith = (values: ReadonlyArray<string>, typed: string): Mcp.Completion => {
  const start = typed.toLowerCase()
  return first(values.filter((value) => value.toLowerCase().startsWith(start)))
}
