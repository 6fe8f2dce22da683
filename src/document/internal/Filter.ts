/**
 * Which passages may be found: a filter read once, so every store understands
 * it alike.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Metadata, MetadataValue } from "../Document.js"
import * as Moment from "../Moment.js"

/**
 * Numbers from `min` to `max`, both included.
 *
 * @since 0.1.0
 * @category models
 */
export interface Range {
  readonly min?: number | undefined
  readonly max?: number | undefined
}

/**
 * A filter as it is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Filter {
  readonly metadata?: { readonly [key: string]: MetadataValue | ReadonlyArray<MetadataValue> | Range } | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly documentIds?: ReadonlyArray<string> | undefined
}

/**
 * What a fact must be: one of some values, type and value equal, none of them
 * impossible and at least one; or a number from `min` to `max`, infinite where
 * nothing was said.
 *
 * @since 0.1.0
 * @category models
 */
export type Test =
  | { readonly _tag: "OneOf"; readonly values: ReadonlyArray<MetadataValue> }
  | { readonly _tag: "Within"; readonly min: number; readonly max: number }

/**
 * A filter that something may match.
 *
 * @since 0.1.0
 * @category models
 */
export interface Compiled {
  readonly metadata: ReadonlyArray<readonly [key: string, test: Test]>
  /** Epoch milliseconds, inclusive. */
  readonly since?: number
  /** Epoch milliseconds, exclusive. */
  readonly until?: number
  readonly documentIds?: ReadonlySet<string>
}

const unstorable = /[\0\p{Cs}]/u

/**
 * Whether a text can be stored anywhere: no NUL, no half surrogate pair. What
 * cannot be stored cannot be found either.
 *
 * @since 0.1.0
 * @category guards
 */
export const isStorable = (text: string): boolean => !unstorable.test(text)

const isPossible = (value: MetadataValue): boolean =>
  typeof value === "string" ? isStorable(value) : typeof value === "boolean" || Number.isFinite(value)

const isList = (condition: ReadonlyArray<MetadataValue> | Range): condition is ReadonlyArray<MetadataValue> =>
  Array.isArray(condition)

/** `undefined` when nothing can pass, a sentence when it is no condition. */
const test = (
  key: string,
  condition: MetadataValue | ReadonlyArray<MetadataValue> | Range
): Either.Either<Test | undefined, string> => {
  if (typeof condition !== "object" || isList(condition)) {
    const values = (typeof condition === "object" ? condition : [condition]).filter(isPossible)
    return Either.right(values.length === 0 ? undefined : { _tag: "OneOf", values })
  }
  // what came from outside the compiler's reach may be null, or a range in other words
  const stray = condition === null ? "null" : Object.keys(condition).find((name) => name !== "min" && name !== "max")
  if (stray !== undefined) {
    return Either.left(
      `the condition for ${JSON.stringify(key)} has no meaning (${stray}): give a value, a list of ` +
        "values, or a range with min, max or both"
    )
  }
  const { max = Infinity, min = -Infinity } = condition
  if (typeof min !== "number" || typeof max !== "number" || Number.isNaN(min) || Number.isNaN(max)) {
    return Either.left(`the range for ${JSON.stringify(key)} is not of numbers: give min, max or both`)
  }
  return Either.right(min > max ? undefined : { _tag: "Within", min, max })
}

const fields = new Set(["metadata", "since", "until", "documentIds"])

/** A field that is misspelt would let everything through. */
const shape = (filter: Filter): string | undefined => {
  const stray = Object.keys(filter).find((name) => !fields.has(name))
  if (stray !== undefined) return `a filter has no ${JSON.stringify(stray)}: give ${[...fields].join(", ")}`
  if (filter.metadata !== undefined && (typeof filter.metadata !== "object" || filter.metadata === null)) {
    return "metadata is no object: give conditions by the facts' names"
  }
  return filter.documentIds === undefined || Array.isArray(filter.documentIds)
    ? undefined
    : "documentIds is no list: give the ids of documents in one"
}

const moment = (name: "since" | "until", text: string | undefined): Either.Either<number | undefined, string> => {
  if (text === undefined) return Either.right(undefined)
  const millis = typeof text === "string" ? Moment.millis(text) : undefined
  return millis === undefined
    ? Either.left(`${name} is not an ISO 8601 date of the years 1 to 9999, for example 2026-11-22T09:00:00Z`)
    : Either.right(millis)
}

/**
 * Reads a filter. `undefined` when no passage can match it: an empty list, a
 * value no store can hold. A sentence that names the field when it is none: a date
 * that is no date, a range that is not of numbers, a field that filters do not have.
 *
 * @since 0.1.0
 * @category constructors
 */
export const compile = (filter: Filter | undefined): Either.Either<Compiled | undefined, string> =>
  Either.gen(function*() {
    const wrong = filter === undefined ? undefined : shape(filter)
    if (wrong !== undefined) return yield* Either.left(wrong)
    let isPossibleAtAll = true
    const metadata: Array<readonly [string, Test]> = []
    for (const [key, condition] of Object.entries(filter?.metadata ?? {})) {
      const compiled = yield* test(key, condition)
      if (compiled === undefined || !isStorable(key)) isPossibleAtAll = false
      else metadata.push([key, compiled])
    }
    const since = yield* moment("since", filter?.since)
    const until = yield* moment("until", filter?.until)
    const documentIds = filter?.documentIds === undefined ? undefined : new Set(filter.documentIds.filter(isStorable))
    if (!isPossibleAtAll || documentIds?.size === 0) return undefined
    return {
      metadata,
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
      ...(documentIds === undefined ? {} : { documentIds })
    }
  })

/**
 * What a filter looks at.
 *
 * @since 0.1.0
 * @category models
 */
export interface Filtered {
  readonly id: string
  readonly publishedAt: number | undefined
  readonly metadata: Metadata
}

/** Whether a value is one that a test lets pass, however many those are. */
const tester = (test: Test): (value: MetadataValue) => boolean => {
  if (test._tag === "Within") return (value) => typeof value === "number" && value >= test.min && value <= test.max
  const values = new Set(test.values)
  return (value) => values.has(value)
}

/**
 * Makes a function that says whether a document passes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const passing = (filter: Compiled): (document: Filtered) => boolean => {
  const tests = filter.metadata.map(([key, test]) => [key, tester(test)] as const)
  return (document) =>
    isNamedAndTimely(filter, document) && tests.every(([key, test]) => {
      const value = Object.hasOwn(document.metadata, key) ? document.metadata[key] : undefined
      return value !== undefined && test(value)
    })
}

/** Whether id and date pass. */
const isNamedAndTimely = (filter: Compiled, document: Filtered): boolean => {
  if (filter.documentIds !== undefined && !filter.documentIds.has(document.id)) return false
  if (filter.since !== undefined && !(document.publishedAt !== undefined && document.publishedAt >= filter.since)) {
    return false
  }
  return filter.until === undefined || (document.publishedAt !== undefined && document.publishedAt < filter.until)
}

/**
 * Whether a filter lets everything through.
 *
 * @since 0.1.0
 * @category guards
 */
export const isOpen = (filter: Compiled): boolean =>
  filter.metadata.length === 0 && filter.since === undefined && filter.until === undefined &&
  filter.documentIds === undefined

/**
 * The number of documents a list asks for, made to fit 1 to 1,000.
 *
 * @since 0.1.0
 * @category combinators
 */
export const listLimitOf = (limit: number): number => limit >= 1 ? Math.min(Math.trunc(limit), 1000) : 1
