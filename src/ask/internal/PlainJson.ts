/**
 * Tells whether a value comes back from JSON as it went in.
 *
 * @since 0.1.0
 */

const words = (value: unknown): string => {
  switch (typeof value) {
    case "undefined":
      return "undefined"
    case "number":
      return `${value}`
    case "bigint":
      return "a bigint"
    case "symbol":
      return "a symbol"
    case "function":
      return "a function"
    default: {
      const name: unknown = value?.constructor?.name
      return typeof name === "string" && name !== "" && name !== "Object"
        ? `an instance of ${name}`
        : "a special object"
    }
  }
}

const isPlainObject = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && Object.getOwnPropertySymbols(value).length === 0
}

/**
 * What a value holds that JSON does not, and where: `undefined` when it is plain
 * JSON throughout. With `mayLack`, properties that are `undefined` count as
 * absent.
 *
 * @since 0.1.0
 * @category guards
 */
export const problem = (value: unknown, mayLack = false): string | undefined => {
  const above = new Set<object>()

  const inside = (members: Iterable<readonly [string, unknown]>, holder: object): string | undefined => {
    above.add(holder)
    for (const [path, member] of members) {
      const found = visit(member, path)
      if (found !== undefined) return found
    }
    above.delete(holder)
    return undefined
  }

  const visit = (node: unknown, path: string): string | undefined => {
    if (node === null || typeof node === "string" || typeof node === "boolean") return undefined
    const where = path === "" ? "it" : path.slice(0, 200)
    if (typeof node === "number") return Number.isFinite(node) ? undefined : `${where} is ${words(node)}`
    if (typeof node !== "object") return `${where} is ${words(node)}`
    if (above.has(node)) return `${where} holds itself`
    if (Array.isArray(node)) {
      return inside(Array.from(node, (member, index) => [`${path}[${index}]`, member] as const), node)
    }
    if (!isPlainObject(node)) return `${where} is ${words(node)}`
    const members = Object.entries(node).filter(([, member]) => !mayLack || member !== undefined)
    return inside(members.map(([key, member]) => [path === "" ? key : `${path}.${key}`, member] as const), node)
  }

  return visit(value, "")
}
