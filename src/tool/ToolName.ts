/**
 * What a tool may be called, and what a model makes of the name.
 *
 * @since 0.1.0
 */
import type * as Tool from "./Tool.js"

const validName = /^[A-Za-z0-9_.-]{1,64}$/u
const asking: ReadonlySet<string> = new Set([
  "get",
  "fetch",
  "query",
  "read",
  "load",
  "retrieve",
  "search",
  "find",
  "list",
  "lookup"
])
const vague: ReadonlySet<string> = new Set([
  "data",
  "info",
  "information",
  "stuff",
  "thing",
  "things",
  "item",
  "items",
  "document",
  "documents",
  "record",
  "records",
  "content",
  "result",
  "results",
  "object",
  "objects",
  "details"
])

/**
 * What is wrong with a tool's name: `undefined` when it keeps to the
 * specification.
 *
 * @since 0.1.0
 * @category guards
 */
export const check = (name: string): string | undefined =>
  validName.test(name) ? undefined : "a name has 1 to 64 letters, digits, underscores, hyphens or dots"

/**
 * What could serve a model better: a vague name, a description too short to
 * choose by. Each a sentence.
 *
 * @since 0.1.0
 * @category guards
 */
export const lint = (tool: Tool.Any): ReadonlyArray<string> => {
  const words = tool.name.split(/[_.-]+|(?<=[a-z])(?=[A-Z])/u).map((word) => word.toLowerCase())
  const [first] = words
  const last = words[words.length - 1]
  return [
    ...(first !== undefined && last !== undefined && words.length <= 3 && asking.has(first) && vague.has(last)
      ? [`tool "${tool.name}": the name is vague; say what is returned, for example search_relevant_market_intel`]
      : []),
    ...(tool.description.trim().length < 20
      ? [`tool "${tool.name}": the description is too short for a model to choose by`]
      : [])
  ]
}
