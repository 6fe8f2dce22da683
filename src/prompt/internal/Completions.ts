/**
 * Suggestions as a client may see them: 100 at most, with how many there are.
 *
 * @since 0.1.0
 */
import type { Completion } from "../../protocol/McpSchema.js"

const most = 100

/** The first of these values. */
export const first = (values: ReadonlyArray<string>): Completion => ({
  values: values.length > most ? values.slice(0, most) : values,
  total: values.length,
  hasMore: values.length > most
})

/** Those of these values that begin with what was typed, whatever the case. */
export const startingWith = (values: ReadonlyArray<string>, typed: string): Completion => {
  const start = typed.toLowerCase()
  return first(values.filter((value) => value.toLowerCase().startsWith(start)))
}
