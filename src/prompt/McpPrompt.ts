/**
 * A prompt that a person can choose in a client: its name, what it asks for, and
 * the messages it becomes.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Pipeable } from "effect/Pipeable"
import { Prototype as PipeablePrototype } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import type { NotAnswered } from "../ask/Ask.js"
import type { Asking } from "../ask/Asking.js"
import type * as Completion from "../catalog/Completion.js"
import type { Call } from "../catalog/Handling.js"
import type { StringFields as Strings } from "../catalog/StringFields.js"
import type { McpError } from "../protocol/McpError.js"
import type { ContentBlock, Icon, PromptResult } from "../protocol/McpSchema.js"
import type { PromptError } from "./PromptError.js"

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: unique symbol = Symbol.for("~causeway/McpPrompt")

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * One use of a prompt as its handler sees it.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromptCall extends Call {
  readonly name: string
}

/**
 * One message: who says it, and one block of content.
 *
 * @since 0.1.0
 * @category models
 */
export type Message = PromptResult["messages"][number]

/**
 * What a prompt becomes: one message or several.
 *
 * @since 0.1.0
 * @category models
 */
export type Messages = Message | ReadonlyArray<Message>

/**
 * What a prompt may fail with. The client sees the words of all three.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure = PromptError | McpError | NotAnswered

export type {
  /**
   * Gives the values that fit what was typed so far.
   *
   * @since 0.1.0
   * @category models
   */
  Complete,
  /**
   * What is known when something is completed.
   *
   * @since 0.1.0
   * @category models
   */
  CompletionContext
} from "../catalog/Completion.js"

/**
 * Completions by the names of the arguments they are for.
 *
 * @since 0.1.0
 * @category models
 */
export type Completers = Completion.Completers<Failure>

/**
 * A prompt with the code that makes its messages. `R` is what that needs, beside
 * what each use brings along.
 *
 * @since 0.1.0
 * @category models
 */
export interface McpPrompt<out R> extends Pipeable {
  readonly [TypeId]: { readonly requirements: () => R }
  readonly name: string
  readonly title: string | undefined
  readonly description: string
  readonly icons: ReadonlyArray<Icon>
  readonly scopes: ReadonlyArray<string>
  readonly arguments: Schema.Struct.Fields
  /** Takes what the fields decoded. */
  readonly messages: (args: unknown, call: PromptCall) => Effect.Effect<Messages, unknown, unknown>
  readonly complete: Completion.Completers<unknown>
}

/**
 * Any prompt.
 *
 * @since 0.1.0
 * @category models
 */
export type Any = McpPrompt<unknown>

/**
 * What a prompt needs, beside what each use brings along.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Requirements<T extends Any> = T extends McpPrompt<infer R> ? R : never

/**
 * Fails to compile, with a sentence, where a field is not written as a string or
 * needs services to decode: an argument has neither.
 *
 * @since 0.1.0
 * @category type-level
 */
export type StringFields<P extends Schema.Struct.Fields> = Strings<
  P,
  "an argument must be encoded as a string, as in Schema.NumberFromString"
>

const prototype = { [TypeId]: TypeId, pipe: PipeablePrototype.pipe }

/**
 * Makes a prompt.
 *
 * `arguments` are struct fields whose encoded sides are strings; one is required
 * unless its field is optional, and its `description` and `title` annotations
 * are shown. `messages` may ask the user with `Ask`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <
  E extends Failure,
  R,
  C extends Completers,
  P extends Schema.Struct.Fields = {}
>(
  name: string,
  options: {
    readonly title?: string
    /** Tells a person what the prompt is for. */
    readonly description: string
    /**
     * Beside a handler TypeScript infers nothing from `Schema.optionalWith(field, options)`;
     * write `field.pipe(Schema.optionalWith(options))`.
     */
    readonly arguments?: P & StringFields<P>
    readonly messages: (
      args: Schema.Simplify<Schema.Struct.Type<P>>,
      call: PromptCall
    ) => Effect.Effect<Messages, E, R>
    /** Suggests values for an argument; one whose schema is made of literals suggests those by itself. */
    readonly complete?: C & NoInfer<Completion.OnlyNames<C, keyof P, "the prompt has no such argument">>
    readonly icons?: ReadonlyArray<Icon>
    /** All of these are needed to see and to use the prompt; without them it is not known. */
    readonly scopes?: ReadonlyArray<string>
  }
): McpPrompt<Exclude<R, Asking> | Completion.Requirements<C>> =>
  Object.assign(Object.create(prototype), {
    name,
    title: options.title,
    description: options.description,
    icons: options.icons ?? [],
    scopes: options.scopes ?? [],
    arguments: options.arguments ?? {},
    messages: options.messages,
    complete: options.complete ?? {}
  })

const message = (role: Message["role"], content: string | ContentBlock): Message => ({
  role,
  content: typeof content === "string" ? { type: "text", text: content } : content
})

/**
 * What the user says.
 *
 * @since 0.1.0
 * @category messages
 */
export const user = (content: string | ContentBlock): Message => message("user", content)

/**
 * What the assistant says.
 *
 * @since 0.1.0
 * @category messages
 */
export const assistant = (content: string | ContentBlock): Message => message("assistant", content)
