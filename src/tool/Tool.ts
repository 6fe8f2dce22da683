/**
 * What one tool is: its name, what it takes, what it answers, how it may fail
 * and whether it is safe to repeat; and the handler that fulfils it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Pipeable } from "effect/Pipeable"
import { Prototype as PipeablePrototype } from "effect/Pipeable"
import * as Schema from "effect/Schema"
import type { ContentBlock, Icon } from "../protocol/McpSchema.js"
import type * as Evidence from "./Evidence.js"
import type { ToolError } from "./ToolError.js"

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
export interface Tool<out Name extends string, in out Input, in out Answer, out Failure, out S extends Safety>
  extends Pipeable
{
  readonly [TypeId]: {
    readonly input: (_: Input) => Input
    readonly answer: (_: Answer) => Answer
    readonly failure: () => Failure
  }
  readonly name: Name
  readonly title: string | undefined
  readonly description: string
  readonly safety: S
  readonly isDestructive: boolean
  readonly isOpenWorld: boolean
  readonly scopes: ReadonlyArray<string>
  readonly icons: ReadonlyArray<Icon>
  /** Whether answers are evidence, or go out as the handler gives them. */
  readonly form: "evidence" | "raw"
  readonly parameters: Schema.Schema.All
  /** Of the data inside the evidence; of the structured content on a raw tool; absent on a raw tool without any. */
  readonly success: Schema.Schema.All | undefined
  readonly failure: Schema.Schema.All
  /** Fulfils the contract. The handler's answer, failures and requirements are checked against it. */
  readonly implement: <E extends Failure | ToolError, R>(
    handler: (input: Input) => Effect.Effect<Answer, E, R>
  ) => ToolHandler<Tool<Name, Input, Answer, Failure, S>, E, R>
}

/**
 * Any tool.
 *
 * @since 0.1.0
 * @category models
 */
export interface Any extends Pipeable {
  readonly [TypeId]: { readonly input: unknown; readonly answer: unknown; readonly failure: unknown }
  readonly name: string
  readonly title: string | undefined
  readonly description: string
  readonly safety: Safety
  readonly isDestructive: boolean
  readonly isOpenWorld: boolean
  readonly scopes: ReadonlyArray<string>
  readonly icons: ReadonlyArray<Icon>
  readonly form: "evidence" | "raw"
  readonly parameters: Schema.Schema.All
  readonly success: Schema.Schema.All | undefined
  readonly failure: Schema.Schema.All
}

/**
 * What a tool takes, decoded.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Input<T extends Any> = T extends Tool<string, infer I, infer _A, unknown, Safety> ? I : never

/**
 * What a tool's handler answers: evidence, or a raw answer.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Answer<T extends Any> = T extends Tool<string, infer _I, infer A, unknown, Safety> ? A : never

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
 * A tool with the code that answers it. Policies wrap it; toolkits gather it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolHandler<out T extends Any, out E, out R> extends Pipeable {
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

interface Description<S extends Safety> {
  readonly title?: string
  /** Tells a model when to use the tool and what it returns. */
  readonly description: string
  readonly safety: S
  /** Whether an `effectful` tool may destroy something; true unless given. */
  readonly isDestructive?: boolean
  /** Whether the tool reaches beyond the server's own data; false unless given. */
  readonly isOpenWorld?: boolean
  /** All of these are needed to see and to call the tool. */
  readonly scopes?: ReadonlyArray<string>
  readonly icons?: ReadonlyArray<Icon>
}

type Parameters = Schema.Struct.Fields | Schema.Schema.AnyNoContext

type InputOf<P extends Parameters> = P extends Schema.Schema.AnyNoContext ? Schema.Schema.Type<P>
  : P extends Schema.Struct.Fields ? Schema.Simplify<Schema.Struct.Type<P>>
  : never

/** Fails to compile when a field needs services to decode: a request has none. */
type Closed<P extends Parameters> = P extends Schema.Schema.AnyNoContext ? P
  : P extends Schema.Struct.Fields ? [Schema.Struct.Context<P>] extends [never] ? P : never
  : never

const handlerPrototype = {
  [HandlerTypeId]: HandlerTypeId,
  pipe: PipeablePrototype.pipe
}

const makeHandler = <T extends Any, E, R>(
  tool: T,
  run: (input: unknown) => Effect.Effect<unknown, E, R>
): ToolHandler<T, E, R> => Object.assign(Object.create(handlerPrototype), { tool, run })

const prototype = {
  [TypeId]: TypeId,
  pipe: PipeablePrototype.pipe,
  implement(this: Any, handler: (input: unknown) => Effect.Effect<unknown, unknown, unknown>) {
    return makeHandler(this, handler)
  }
}

const build = (name: string, form: "evidence" | "raw", options: Description<Safety>, schemas: {
  readonly parameters: Parameters | undefined
  readonly success: Schema.Schema.All | undefined
  readonly failure: Schema.Schema.All | undefined
}) =>
  Object.assign(Object.create(prototype), {
    name,
    title: options.title,
    description: options.description,
    safety: options.safety,
    isDestructive: options.safety === "effectful" && options.isDestructive !== false,
    isOpenWorld: options.isOpenWorld === true,
    scopes: options.scopes ?? [],
    icons: options.icons ?? [],
    form,
    parameters: Schema.isSchema(schemas.parameters)
      ? schemas.parameters
      : Schema.Struct((schemas.parameters ?? {}) as Schema.Struct.Fields),
    success: schemas.success,
    failure: schemas.failure ?? Schema.Never
  })

/**
 * Makes a tool whose every answer is evidence.
 *
 * `parameters` are struct fields, or a schema whose encoded side is a JSON
 * object; `success` is the schema of the data inside the evidence; `failure`
 * declares the errors a handler may fail with beside `ToolError`.
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
  FI = never
>(
  name: Name,
  options: Description<S> & {
    readonly parameters?: P & Closed<P>
    readonly success: Schema.Schema<A, I>
    readonly failure?: Schema.Schema<F, FI>
  }
): Tool<Name, InputOf<P>, Evidence.Evidence<A>, F, S> =>
  build(name, "evidence", options, {
    parameters: options.parameters,
    success: options.success,
    failure: options.failure
  })

/**
 * Makes a tool that hands on foreign results as they are, without the evidence
 * envelope. Use it to forward another server's answers; prefer `make`.
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
  FI = never
>(
  name: Name,
  options: Description<S> & {
    readonly parameters?: P & Closed<P>
    /** The schema of the structured content; its root must be an object. */
    readonly success?: Schema.Schema<A, I>
    readonly failure?: Schema.Schema<F, FI>
  }
): Tool<Name, InputOf<P>, RawAnswer<A>, F, S> =>
  build(name, "raw", options, {
    parameters: options.parameters,
    success: options.success,
    failure: options.failure
  })

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
  E extends ToolError,
  R,
  P extends Parameters = {}
>(
  name: Name,
  options: Description<S> & {
    readonly parameters?: P & Closed<P>
    readonly success: Schema.Schema<A, I>
    readonly handler: (input: InputOf<P>) => Effect.Effect<Evidence.Evidence<A>, E, R>
  }
): ToolHandler<Tool<Name, InputOf<P>, Evidence.Evidence<A>, never, S>, E, R> =>
  make<Name, A, I, S, P>(name, options).implement(options.handler)

/**
 * Changes what runs around a handler's answer; the tool stays the same.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wrap = <T extends Any, E, R, E2, R2>(
  self: ToolHandler<T, E, R>,
  around: (next: Effect.Effect<unknown, E, R>, input: unknown) => Effect.Effect<unknown, E2, R2>
): ToolHandler<T, E2, R2> => makeHandler(self.tool, (input) => around(self.run(input), input))
