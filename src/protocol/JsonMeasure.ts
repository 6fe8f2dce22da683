/**
 * Takes a copy of a JSON value of unknown size, or says why it is too much.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Limits {
  /** Of the JSON text, counted as UTF-16 units. */
  readonly maxBytes: number
  readonly maxDepth: number
  /** Of one object or list. */
  readonly maxMembers: number
  /** Of one object; `maxMembers` unless given. */
  readonly maxNames?: number | undefined
}

/** Longer names are no names, and each is matched against patterns. */
const maxNameLength = 128

const halfSurrogate = /\p{Cs}/u

/**
 * A copy whose objects have no prototype, so that `in` sees their own members
 * only; or the rest of a sentence that says what is wrong.
 *
 * @since 0.1.0
 * @category constructors
 */
export const copy = (value: unknown, limits: Limits): Either.Either<unknown, string> => {
  let left = limits.maxBytes
  const take = (value: unknown, depth: number): Either.Either<unknown, string> => {
    if (typeof value === "string") left -= value.length + 2
    else if (value === null || typeof value === "boolean") left -= 4
    else if (typeof value === "number") {
      if (!Number.isFinite(value)) return Either.left("holds a number that JSON cannot write")
      left -= 1
    } else if (typeof value !== "object") return Either.left("is not JSON")
    else {
      if (depth >= limits.maxDepth) return Either.left(`is nested more than ${limits.maxDepth} levels deep`)
      const entries: Iterable<readonly [string | number, unknown]> = Array.isArray(value)
        ? value.entries()
        : Object.entries(value)
      const out: object = Array.isArray(value) ? [] : Object.create(null)
      const most = Array.isArray(value) ? limits.maxMembers : limits.maxNames ?? limits.maxMembers
      let members = 0
      for (const [key, member] of entries) {
        if (++members > most) return Either.left(`has more than ${most} members in one place`)
        if (typeof key === "string") {
          left -= key.length + 3
          if (key.length > maxNameLength) return Either.left(`has a property name over ${maxNameLength} characters`)
          if (halfSurrogate.test(key)) return Either.left("has a property name that is not Unicode text")
        }
        const taken = take(member, depth + 1)
        if (Either.isLeft(taken)) return taken
        Object.defineProperty(out, key, { value: taken.right, enumerable: true, writable: true, configurable: true })
      }
      left -= 2
      value = out
    }
    return left < 0
      ? Either.left(`is larger than ${Math.round(limits.maxBytes / 1024)} KiB`)
      : Either.right(value)
  }
  return take(value, 0)
}
