/**
 * What one tool is: its name, what it takes, what it answers, how it may fail
 * and whether it is safe to repeat; and the handler that fulfils it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type { Pipeable } from "effect/Pipeable"
import { Prototype as PipeablePrototype } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import type { NotAnswered } from "../ask/Ask.js"
import type { JsonSchema } from "../protocol/JsonSchema.js"
import type { McpError } from "../protocol/McpError.js"
import type { ContentBlock } from "../protocol/McpSchema.js"
import type { TaskStore } from "../task/TaskStore.js"
import type * as Evidence from "./Evidence.js"
import type { Contract, Safety, TaskOptions } from "./internal/Contract.js"
import { contractOf, type Said } from "./internal/Said.js"
import type { Terms } from "./internal/Terms.js"
import { noTerms } from "./internal/Terms.js"
import type { Closed, Description, InputOf, Mirrored, Parameters, Unless } from "./internal/ToolOptions.js"
import type { Fallback, ToolError } from "./ToolError.js"

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: unique symbol = Symbol.for("~causeway/Tool")

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

export type {
  /**
   * What a second call with the same arguments does: nothing at all to the world
   * (`readOnly`), nothing more than the first (`idempotent`), or something again
   * (`effectful`).
   *
   * @since 0.1.0
   * @category models
   */
  Safety,
  /**
   * Whether a call may go on as a task, and from when.
   *
   * @since 0.1.0
   * @category models
   */
  TaskOptions
} from "./internal/Contract.js"

/**
 * What a tool needs to be a task, by whether it may be one.
 *
 * @since 0.1.0
 * @category type-level
 */
export interface TaskServices {
  readonly forbidden: never
  readonly optional: TaskStore
  readonly required: TaskStore
}

/**
 * What any handler may fail with beside what its tool declares: a failure in
 * standard words, an error of the protocol, which is passed on as one, and a
 * question that the user did not answer.
 *
 * @since 0.1.0
 * @category type-level
 */
export type CommonFailure = ToolError | McpError | NotAnswered

/**
 * A tool as a contract: a plain value that servers, clients, tests and
 * documentation can import without its handler.
 *
 * The schemas are held untyped and the types are carried beside them, since a
 * `Schema<never>` is not assignable to a `Schema<any>` and inference over many
 * tools would collapse.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tool<
  out Name extends string,
  in out Input,
  in out Answer,
  out Failure,
  out S extends Safety,
  out K extends TaskOptions["support"] = "forbidden"
> extends Contract {
  readonly [TypeId]: {
    readonly input: (_: Input) => Input
    readonly answer: (_: Answer) => Answer
    readonly failure: () => Failure
  }
  readonly name: Name
  readonly safety: S
  readonly task: TaskOptions & { readonly support: K }
  /**
   * Fulfils the contract. The handler's answer, failures and requirements are
   * checked against it; one that may be a task needs a `TaskStore` too.
   */
  readonly implement: <E extends Failure | CommonFailure, R>(
    handler: (input: Input) => Effect.Effect<Answer, E, R>
  ) => ToolHandler<Tool<Name, Input, Answer, Failure, S, K>, E, R | TaskServices[K]>
}

/**
 * Any tool.
 *
 * @since 0.1.0
 * @category models
 */
export interface Any extends Contract {
  readonly [TypeId]: { readonly input: unknown; readonly answer: unknown; readonly failure: unknown }
}

type AnySupport = TaskOptions["support"]

/**
 * What a tool takes, decoded.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Input<T extends Any> = T extends Tool<string, infer I, infer _A, unknown, Safety, AnySupport> ? I : never

/**
 * What a tool's handler answers: evidence, or a raw answer.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Answer<T extends Any> = T extends Tool<string, infer _I, infer A, unknown, Safety, AnySupport> ? A : never

/**
 * @since 0.1.0
 * @category symbols
 */
export const HandlerTypeId: unique symbol = Symbol.for("~causeway/ToolHandler")

/**
 * @since 0.1.0
 * @category symbols
 */
export type HandlerTypeId = typeof HandlerTypeId

/**
 * A tool with the code that answers it. Policies go with it; toolkits gather it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolHandler<out T extends Any, out E, out R> extends Pipeable, Terms {
  readonly [HandlerTypeId]: HandlerTypeId
  readonly tool: T
  /** Takes input that the tool's own schema decoded; answers what the tool's form says. */
  readonly run: (input: unknown) => Effect.Effect<unknown, E, R>
}

/**
 * Any handler.
 *
 * @since 0.1.0
 * @category models
 */
export type AnyHandler = ToolHandler<Any, unknown, unknown>

/**
 * What a handler needs, beside what each call brings along.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Requirements<H> = H extends ToolHandler<Any, unknown, infer R> ? R : never

/**
 * What a raw tool answers: content for the model, structured content for
 * programs, or both. Without content, the structured content stands in it as text.
 *
 * @since 0.1.0
 * @category models
 */
export interface RawAnswer<out A> {
  readonly structured?: A
  readonly content?: ReadonlyArray<ContentBlock>
  /** Marks the answer as a failure that was passed on. */
  readonly isError?: boolean
}

const handlerPrototype = {
  [HandlerTypeId]: HandlerTypeId,
  pipe: PipeablePrototype.pipe
}

const makeHandler = <T extends Any, E, R>(
  tool: T,
  run: (input: unknown) => Effect.Effect<unknown, E, R>,
  { fallback, policy, requires, toolkitPolicy, uses }: Terms
): ToolHandler<T, E, R> =>
  Object.assign(Object.create(handlerPrototype), { tool, run, policy, toolkitPolicy, requires, uses, fallback })

const prototype = {
  [TypeId]: TypeId,
  pipe: PipeablePrototype.pipe,
  implement(this: Any, handler: (input: unknown) => Effect.Effect<unknown, unknown, unknown>) {
    return makeHandler(this, handler, noTerms)
  }
}

const build = (name: string, form: "evidence" | "raw", options: Said) =>
  Object.assign(Object.create(prototype), contractOf(name, form, options))

/**
 * Makes a tool whose every answer is evidence.
 *
 * `parameters` are struct fields, or a schema whose encoded side is a JSON
 * object; `success` is the schema of the data inside the evidence; `failure`
 * declares the errors a handler may fail with beside `CommonFailure`.
 *
 * The name has 1 to 64 letters, digits, `_`, `-` or `.`, and says what comes
 * back: `search_relevant_market_intel`, not `query_documents`. It is checked
 * when a toolkit is made a layer.
 *
 * Source: MCP 2026-07-28, server, tools.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <
  const Name extends string,
  A,
  I,
  const S extends Safety,
  P extends Parameters = {},
  F = never,
  FI = never,
  const K extends AnySupport = "forbidden"
>(
  name: Name,
  options: Description<S, K> & {
    readonly parameters?: P & Closed<P>
    readonly headers?: Mirrored
    readonly success: Schema.Schema<A, I>
    readonly failure?: Schema.Schema<F, FI>
  }
): Tool<Name, InputOf<P>, Evidence.Evidence<A>, F, S, K> => build(name, "evidence", options)

/**
 * Makes a tool that hands on foreign results as they are, without the evidence
 * envelope. Use it to forward another server's answers; prefer `make`.
 *
 * `inputSchema` is a foreign JSON Schema (2020-12, or draft-07 as far as it means
 * the same) that is listed as it is; arguments are checked against it within the
 * bounds of `JsonValidator`, and the handler takes them as they came. So is
 * `outputSchema` for structured content: an answer that does not fit, or is
 * beyond those bounds, is answered as `internal`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const raw = <
  const Name extends string,
  const S extends Safety,
  P extends Parameters = {},
  A = never,
  I = never,
  F = never,
  FI = never,
  const K extends AnySupport = "forbidden",
  In extends JsonSchema | undefined = undefined,
  Out extends JsonSchema | undefined = undefined
>(
  name: Name,
  options: Description<S, K> & {
    readonly parameters?: P & Closed<P> & Unless<In>
    readonly inputSchema?: In
    readonly headers?: Mirrored & Unless<In>
    /** The schema of the structured content; its root must be an object. */
    readonly success?: Schema.Schema<A, I> & Unless<Out>
    readonly outputSchema?: Out
    readonly failure?: Schema.Schema<F, FI>
  }
): Tool<
  Name,
  [In] extends [JsonSchema] ? { readonly [key: string]: unknown } : InputOf<P>,
  RawAnswer<[Out] extends [JsonSchema] ? unknown : A>,
  F,
  S,
  K
> => build(name, "raw", options)

/**
 * A tool and its handler in one block, for a first server.
 *
 * @since 0.1.0
 * @category constructors
 */
export const handle = <
  const Name extends string,
  A,
  I,
  const S extends Safety,
  E extends CommonFailure,
  R,
  P extends Parameters = {},
  const K extends AnySupport = "forbidden"
>(
  name: Name,
  options: Description<S, K> & {
    readonly parameters?: P & Closed<P>
    readonly headers?: Mirrored
    readonly success: Schema.Schema<A, I>
    readonly handler: (input: InputOf<P>) => Effect.Effect<Evidence.Evidence<A>, E, R>
  }
): ToolHandler<Tool<Name, InputOf<P>, Evidence.Evidence<A>, never, S, K>, E, R | TaskServices[K]> =>
  make<Name, A, I, S, P, never, never, K>(name, options).implement(options.handler)

/**
 * Changes what runs around a handler's answer; the tool stays the same.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wrap = <T extends Any, E, R, E2, R2>(
  self: ToolHandler<T, E, R>,
  around: (next: Effect.Effect<unknown, E, R>, input: unknown) => Effect.Effect<unknown, E2, R2>
): ToolHandler<T, E2, R2> => makeHandler(self.tool, (input) => around(self.run(input), input), self)

/**
 * Changes the terms of a handler, whether or not they fit its tool: see
 * `Protect.by` and `Toolkit.protect`, which look. `R2` is what the policies need.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withTerms =
  <R2 = never>(terms: Partial<Terms>) => <T extends Any, E, R>(self: ToolHandler<T, E, R>): ToolHandler<T, E, R | R2> =>
    makeHandler<T, E, R | R2>(self.tool, self.run, { ...noTerms, ...self, ...terms })

/**
 * Whether a value is a handler.
 *
 * @since 0.1.0
 * @category guards
 */
export const isHandler = (value: unknown): value is AnyHandler =>
  typeof value === "object" && value !== null && HandlerTypeId in value

/**
 * Says without which sources a handler cannot answer, by the names of their
 * health checks, or by their kind: then one of that kind is needed. While it is
 * down, calls fail at once with `temporarily_unavailable`, which names it and what
 * to use instead.
 *
 * @since 0.1.0
 * @category combinators
 */
export const requires: {
  (
    names: ReadonlyArray<string>,
    fallback?: Fallback
  ): <T extends Any, E, R>(self: ToolHandler<T, E, R>) => ToolHandler<T, E, R>
  <T extends Any, E, R>(
    self: ToolHandler<T, E, R>,
    names: ReadonlyArray<string>,
    fallback?: Fallback
  ): ToolHandler<T, E, R>
} = dual(
  ([self]) => isHandler(self),
  <T extends Any, E, R>(
    self: ToolHandler<T, E, R>,
    names: ReadonlyArray<string>,
    fallback?: Fallback
  ): ToolHandler<T, E, R> =>
    withTerms({
      requires: [...new Set([...self.requires, ...names])],
      fallback: fallback ?? self.fallback
    })(self)
)

/**
 * Says which sources a handler uses and can do without, at the price of worse
 * answers; by names or kinds, as `requires`. It changes no call: an operator is
 * told of it, by `Plan` and the pages of `OpsApp`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const uses =
  (names: ReadonlyArray<string>) => <T extends Any, E, R>(self: ToolHandler<T, E, R>): ToolHandler<T, E, R> =>
    withTerms({ uses: [...new Set([...self.uses, ...names])] })(self)
