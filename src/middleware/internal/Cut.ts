/**
 * Makes JSON smaller by leaving out the ends of its longest lists.
 *
 * @since 0.1.0
 */

/**
 * A list that was cut.
 *
 * @since 0.1.0
 * @category models
 */
export interface Missing {
  /** Names and indexes joined by dots. */
  readonly path: string
  readonly left: number
  readonly of: number
}

/** A list, and what it takes: its own bytes, and those of each member. */
interface List {
  readonly path: string
  readonly members: Array<unknown>
  readonly sizes: ReadonlyArray<number>
  readonly bytes: number
}

const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? "null")

const isRecord = (value: unknown): value is { [name: string]: unknown } => typeof value === "object" && value !== null

/** All lists of two members or more, the largest first. */
const listsIn = (value: unknown, path: string, found: Array<List> = []): Array<List> => {
  if (Array.isArray(value)) {
    if (value.length > 1) {
      const sizes = value.map((member) => sizeOf(member) + 1)
      found.push({ path, members: value, sizes, bytes: sizes.reduce((sum, size) => sum + size, 0) })
    }
    for (const [index, member] of value.entries()) {
      if (isRecord(member)) listsIn(member, `${path}.${index}`, found)
    }
  } else if (isRecord(value)) {
    for (const [name, member] of Object.entries(value)) {
      if (isRecord(member)) listsIn(member, path === "" ? name : `${path}.${name}`, found)
    }
  }
  return found
}

/** An answer of very many lists would be looked through as often. */
const mostCuts = 8

/**
 * Takes at least `excess` bytes out of JSON that was parsed, which it changes: from
 * the end of the largest list, of which one member is left, then of the next, and
 * so on, eight lists at most. What is missing; `undefined` when that is not enough.
 *
 * @since 0.1.0
 * @category combinators
 */
export const cut = (value: unknown, path: string, excess: number): ReadonlyArray<Missing> | undefined => {
  const missing: Array<Missing> = []
  let rest = excess
  while (missing.length < mostCuts) {
    if (rest <= 0) return missing
    // Looked for anew each time, since what was inside of a member that is gone is gone with it.
    const [first, ...others] = listsIn(value, path)
    if (first === undefined) return undefined
    const largest = others.reduce((one, other) => (other.bytes > one.bytes ? other : one), first)
    const { members, path: at, sizes } = largest
    const of = members.length
    let keep = of
    while (keep > 1 && rest > 0) {
      keep--
      rest -= sizes[keep] ?? 0
    }
    members.length = keep
    missing.push({ path: at, left: of - keep, of })
  }
  return rest <= 0 ? missing : undefined
}

/**
 * What was left out, in words.
 *
 * @since 0.1.0
 * @category constructors
 */
export const describe = (missing: ReadonlyArray<Missing>): string => {
  const parts = missing.slice(0, 3).map(({ left, of, path }) => `${left} of ${of} items of ${path}`)
  const more = missing.length - parts.length
  return `the answer was too large: ${parts.join(", ")}${more === 0 ? "" : ` and some of ${more} other lists`} ${
    missing.length === 1 && missing[0]?.left === 1 ? "was" : "were"
  } left out; ask for less to see them`
}
