/**
 * What a client can read: one resource under a fixed URI, or many under a URI
 * template; with the code that reads it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import type { Pipeable } from "effect/Pipeable"
import { Prototype as PipeablePrototype } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import type { NotAnswered } from "../ask/Ask.js"
import type { Asking } from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import type * as Completion from "../catalog/Completion.js"
import type { Call } from "../catalog/Handling.js"
import type { StringFields as Strings } from "../catalog/StringFields.js"
import type { McpError } from "../protocol/McpError.js"
import type { Annotations, CacheHint, Icon, Resource } from "../protocol/McpSchema.js"
import type { ResourceError } from "./ResourceError.js"
import type { Variables } from "./UriTemplate.js"

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: unique symbol = Symbol.for("~causeway/McpResource")

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * One read as a handler sees it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResourceCall extends Call {
  /** As the client wrote it. */
  readonly uri: string
}

/**
 * One content: text, or bytes in base64. The URI is the one that was read and
 * the MIME type is the resource's, unless they are given.
 *
 * @since 0.1.0
 * @category models
 */
export type Content =
  & {
    readonly uri?: string
    readonly mimeType?: string
    /** For a resource that names no MIME type either. */
    readonly usualMimeType?: string
    readonly _meta?: { readonly [key: string]: unknown }
  }
  & ({ readonly text: string } | { readonly blob: string })

/**
 * What a read gives: one content or several. None at all means not found.
 *
 * @since 0.1.0
 * @category models
 */
export type Contents = Content | ReadonlyArray<Content>

/**
 * What a read may fail with. The client sees the words of all three.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure = ResourceError | McpError | NotAnswered

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
 * Completions by the names of the variables they are for.
 *
 * @since 0.1.0
 * @category models
 */
export type Completers = Completion.Completers<Failure>

interface Shown {
  readonly name: string
  readonly title: string | undefined
  readonly description: string | undefined
  readonly mimeType: string | undefined
  readonly annotations: Annotations | undefined
  readonly icons: ReadonlyArray<Icon>
  readonly scopes: ReadonlyArray<string>
  readonly cache: CacheHint
}

/**
 * A resource under a fixed URI. `R` is what its handler needs, beside what each
 * read brings along.
 *
 * @since 0.1.0
 * @category models
 */
export interface McpResource<out R> extends Shown, Pipeable {
  readonly [TypeId]: { readonly requirements: () => R }
  readonly _tag: "Resource"
  readonly uri: string
  /** In bytes, as far as it is known. */
  readonly size: number | undefined
  readonly read: (call: ResourceCall) => Effect.Effect<Contents, unknown, unknown>
}

/**
 * Resources under the URIs that a template describes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Template<out R> extends Shown, Pipeable {
  readonly [TypeId]: { readonly requirements: () => R }
  readonly _tag: "Template"
  readonly uriTemplate: string
  /** The fields of the variables; `undefined` when all are strings. */
  readonly parameters: Schema.Struct.Fields | undefined
  /** Takes what the fields decoded; every caller with the scopes may know of it without one. */
  readonly isVisible: ((parameters: unknown, caller: Principal) => boolean) | undefined
  /** Takes what the fields decoded. */
  readonly read: (parameters: unknown, call: ResourceCall) => Effect.Effect<Contents, unknown, unknown>
  readonly complete: Completion.Completers<unknown>
  readonly list: ((caller: Principal) => Effect.Effect<ReadonlyArray<Resource>, unknown, unknown>) | undefined
}

/**
 * Anything that can be registered.
 *
 * @since 0.1.0
 * @category models
 */
export type Any = McpResource<unknown> | Template<unknown>

/**
 * What a resource needs, beside what each read brings along.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Requirements<T extends Any> = T extends McpResource<infer R> ? R : T extends Template<infer R> ? R : never

interface Description {
  /** For programs; `title` is for people. */
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly mimeType?: string
  readonly annotations?: Annotations
  readonly icons?: ReadonlyArray<Icon>
  /** All of these are needed to see and to read it; without them it is not found. */
  readonly scopes?: ReadonlyArray<string>
  /**
   * How long, and by whom, what was read may be kept; not at all unless given.
   * `public` is for what everybody reads alike, and refused beside `scopes`.
   */
  readonly cache?: CacheHint
}

const notKept: CacheHint = Object.freeze({ ttlMs: 0, scope: "private" })

const shown = (options: Description): Shown => ({
  name: options.name,
  title: options.title,
  description: options.description,
  mimeType: options.mimeType,
  annotations: options.annotations,
  icons: options.icons ?? [],
  scopes: options.scopes ?? [],
  cache: options.cache ?? notKept
})

const prototype = { [TypeId]: TypeId, pipe: PipeablePrototype.pipe }

/**
 * A resource under one URI. `read` may ask the user with `Ask`.
 *
 * The URI is absolute and has no fragment; it is checked when a registry is made.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E extends Failure, R>(
  uri: string,
  options: Description & {
    /** In bytes. */
    readonly size?: number
    readonly read: (call: ResourceCall) => Effect.Effect<Contents, E, R>
  }
): McpResource<Exclude<R, Asking>> =>
  Object.assign(Object.create(prototype), shown(options), {
    _tag: "Resource",
    uri,
    size: options.size,
    read: options.read
  })

/**
 * Fails to compile, with a sentence, where a field is not written as a string or
 * needs services to decode: a URI has neither.
 *
 * @since 0.1.0
 * @category type-level
 */
export type StringFields<P extends Schema.Struct.Fields> = Strings<
  P,
  "a parameter must be encoded as a string, as in Schema.NumberFromString"
>

/**
 * What a template's handler is given.
 *
 * @since 0.1.0
 * @category type-level
 */
export type Parameters<T extends string, P extends Schema.Struct.Fields> = [keyof P] extends [never] ? Variables<T>
  : Schema.Simplify<Schema.Struct.Type<P>>

/**
 * Resources under the URIs of a template (RFC 6570: see `UriTemplate.parse`).
 *
 * `parameters` names every variable and no other; their encoded sides are
 * strings. A URI whose variables they refuse is not found. Without them each
 * variable is a string. `read` may ask the user with `Ask`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const template = <
  const T extends string,
  E extends Failure,
  R,
  C extends Completers,
  P extends Schema.Struct.Fields = {},
  LE extends Failure = never,
  LR = never
>(
  uriTemplate: T,
  options: Description & {
    /**
     * Beside a handler TypeScript infers nothing from `Schema.optionalWith(field, options)`;
     * write `field.pipe(Schema.optionalWith(options))`.
     */
    readonly parameters?: P & StringFields<P>
    /**
     * Whether a caller who has the scopes may know of what such a URI names: what
     * it may not is not found, and nothing is announced of it. True unless given.
     */
    readonly isVisible?: (parameters: Parameters<T, P>, caller: Principal) => boolean
    readonly read: (parameters: Parameters<T, P>, call: ResourceCall) => Effect.Effect<Contents, E, R>
    /** Suggests values for a variable; one whose schema is made of literals suggests those by itself. */
    readonly complete?:
      & C
      & NoInfer<Completion.OnlyNames<C, keyof Parameters<T, P>, "the template has no such variable">>
    /** Resources to list that the template can read; their MIME type is the template's unless given. */
    readonly list?: (caller: Principal) => Effect.Effect<ReadonlyArray<Resource>, LE, LR>
  }
): Template<Exclude<R, Asking> | Completion.Requirements<C> | NoInfer<LR>> =>
  Object.assign(Object.create(prototype), shown(options), {
    _tag: "Template",
    uriTemplate,
    parameters: options.parameters,
    isVisible: options.isVisible,
    read: options.read,
    complete: options.complete ?? {},
    list: options.list
  })

interface ContentOptions {
  /** Unless the one that was read. */
  readonly uri?: string
  /** Unless the resource's. */
  readonly mimeType?: string
}

/**
 * A content of text.
 *
 * @since 0.1.0
 * @category contents
 */
export const text = (text: string, options?: ContentOptions): Content => ({ ...options, text })

/**
 * A content of JSON, `application/json` unless the resource says otherwise.
 * Throws for what has no JSON form, such as a bigint.
 *
 * @since 0.1.0
 * @category contents
 */
export const json = (value: unknown, options?: ContentOptions): Content => ({
  ...options,
  usualMimeType: "application/json",
  text: JSON.stringify(value) ?? "null"
})

/**
 * A content of bytes.
 *
 * @since 0.1.0
 * @category contents
 */
export const bytes = (bytes: Uint8Array, options?: ContentOptions): Content => ({
  ...options,
  blob: Encoding.encodeBase64(bytes)
})
