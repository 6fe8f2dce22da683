/**
 * Which passages may be found: a filter read once, so every store understands
 * it alike.
 *
 * @since 0.1.0
 */
import type { Metadata, MetadataValue } from "../Document.js"
import * as Moment from "../Moment.js"

/**
 * A filter as it is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Filter {
  readonly metadata?: { readonly [key: string]: MetadataValue | ReadonlyArray<MetadataValue> } | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly documentIds?: ReadonlyArray<string> | undefined
}

/**
 * A filter that something may match.
 *
 * @since 0.1.0
 * @category models
 */
export interface Compiled {
  /** Every key must have one of its values, type and value equal; no list is empty. */
  readonly metadata: ReadonlyArray<readonly [key: string, values: ReadonlyArray<MetadataValue>]>
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

/**
 * Reads a filter; `undefined` when no passage can match it: an empty list, a
 * date that is none, a value no store can hold.
 *
 * @since 0.1.0
 * @category constructors
 */
export const compile = (filter: Filter | undefined): Compiled | undefined => {
  const metadata: Array<readonly [string, ReadonlyArray<MetadataValue>]> = []
  for (const [key, wanted] of Object.entries(filter?.metadata ?? {})) {
    const values = (typeof wanted === "object" ? wanted : [wanted]).filter(isPossible)
    if (values.length === 0 || !isStorable(key)) return undefined
    metadata.push([key, values])
  }
  const since = filter?.since === undefined ? undefined : Moment.millis(filter.since)
  const until = filter?.until === undefined ? undefined : Moment.millis(filter.until)
  if ((filter?.since !== undefined && since === undefined) || (filter?.until !== undefined && until === undefined)) {
    return undefined
  }
  const documentIds = filter?.documentIds === undefined ? undefined : new Set(filter.documentIds.filter(isStorable))
  if (documentIds?.size === 0) return undefined
  return {
    metadata,
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(documentIds === undefined ? {} : { documentIds })
  }
}

/**
 * Whether a document passes.
 *
 * @since 0.1.0
 * @category guards
 */
export const matches = (
  filter: Compiled,
  document: { readonly id: string; readonly publishedAt: number | undefined; readonly metadata: Metadata }
): boolean => {
  if (filter.documentIds !== undefined && !filter.documentIds.has(document.id)) return false
  if (filter.since !== undefined && !(document.publishedAt !== undefined && document.publishedAt >= filter.since)) {
    return false
  }
  if (filter.until !== undefined && !(document.publishedAt !== undefined && document.publishedAt < filter.until)) {
    return false
  }
  return filter.metadata.every(([key, values]) => {
    const value = Object.hasOwn(document.metadata, key) ? document.metadata[key] : undefined
    return value !== undefined && values.includes(value)
  })
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
