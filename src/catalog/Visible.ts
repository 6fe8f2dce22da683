/**
 * What each caller may see of a list.
 *
 * @since 0.1.0
 */
import type { Principal } from "../auth/Principal.js"
import { isAllowed } from "../auth/Principal.js"

/** Lists kept at most; callers beyond that get theirs made anew each time. */
const mostLists = 1024

/**
 * Gives what a caller may see, in order; the same array to all who may see the
 * same.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A>(
  entries: ReadonlyArray<{ readonly scopes: ReadonlyArray<string>; readonly description: A }>
): (caller: Principal) => ReadonlyArray<A> => {
  const everything = entries.map(({ description }) => description)
  const scopes = [...new Set(entries.flatMap((entry) => entry.scopes))].sort()
  const lists = new Map<string, ReadonlyArray<A>>()
  return (caller) => {
    if (scopes.length === 0 || caller.scopes.has("*")) return everything
    // Only scopes that something asks for make a difference, so the lists kept are few.
    const key = JSON.stringify(scopes.filter((scope) => caller.scopes.has(scope)))
    const known = lists.get(key)
    if (known !== undefined) return known
    const allowed = entries.filter((entry) => isAllowed(caller, entry.scopes)).map(({ description }) => description)
    if (lists.size < mostLists) lists.set(key, allowed)
    return allowed
  }
}
