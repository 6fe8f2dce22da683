/**
 * Cuts a list into pages, the same way for tools, resources, templates and
 * prompts.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type { McpError } from "../protocol/McpError.js"
import type { CacheHint } from "../protocol/McpSchema.js"
import * as Cursor from "./Cursor.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Items in one page, 1 or more. */
  readonly pageSize: number
  /**
   * How long a page may be kept. A `public` scope is lowered to `private`: what
   * is listed depends on the caller's scopes.
   */
  readonly cache: CacheHint
}

/**
 * Gives the page of a list where the cursor stands; the first without a cursor.
 * Fails with `invalidParams` for a cursor that the list did not give out, or
 * gave out before its keys changed.
 *
 * `key` names an item, `build` makes a page of a slice. As long as the array is
 * the same object, so is the page: an array belongs to one list, and does not
 * change.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pager {
  <A, P>(
    items: ReadonlyArray<A>,
    cursor: string | undefined,
    key: (item: A) => string,
    build: (slice: ReadonlyArray<A>, nextCursor: string | undefined, cache: CacheHint) => P
  ): Exit.Exit<P, McpError>
}

interface List {
  readonly keys: ReadonlyArray<string>
  readonly pages: Map<number, unknown>
}

/**
 * Makes a pager of one page size.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Pager => {
  const pageSize = Math.max(1, Math.floor(options.pageSize))
  const cache: CacheHint = Object.freeze({ ttlMs: options.cache.ttlMs, scope: "private" })
  const lists = new WeakMap<object, List>()

  return <A, P>(
    items: ReadonlyArray<A>,
    cursor: string | undefined,
    key: (item: A) => string,
    build: (slice: ReadonlyArray<A>, nextCursor: string | undefined, cache: CacheHint) => P
  ): Exit.Exit<P, McpError> => {
    const list: List = lists.get(items) ?? { keys: items.map(key), pages: new Map() }
    lists.set(items, list)
    const decoded = Cursor.decode(cursor, list.keys)
    if (Either.isLeft(decoded)) return Exit.fail(decoded.left)
    const offset = decoded.right
    const end = offset + pageSize
    // Pages are kept by their array, and an array belongs to one list, so its pages were built by this `build`.
    const known = list.pages.get(offset) as P | undefined
    if (known !== undefined) return Exit.succeed(known)
    const nextCursor = end < items.length ? Cursor.encode(end, list.keys) : undefined
    const page = build(items.slice(offset, end), nextCursor, cache)
    // Anybody can write a cursor, so only those that this page size gives out are worth memory.
    if (offset % pageSize === 0) list.pages.set(offset, page)
    return Exit.succeed(page)
  }
}
