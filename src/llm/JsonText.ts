/**
 * Finds the JSON value in what a model wrote around it (a code fence, a sentence
 * before or after, a byte order mark), and mends what is nearly JSON.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as JsonBounds from "../protocol/JsonBounds.js"
import type { JsonSchema } from "../protocol/JsonSchema.js"
import * as JsonMend from "./internal/JsonMend.js"

/**
 * A value, and whether the text had to be mended to give it: then it may be
 * less sure than one that was written well.
 *
 * @since 0.1.0
 * @category models
 */
export interface Mended {
  readonly value: unknown
  readonly isMended: boolean
}

/** Levels of a value; what reads it further down may go by the stack. */
const maxDepth = 128

/** How often a text may be read over in the search for a value, and what one more opening costs beyond its length. */
const maxPasses = 8
const openingCost = 256
const freeOpenings = 64

/**
 * As `mend`, without saying whether it was mended.
 *
 * @since 0.1.0
 * @category combinators
 */
export const parse = (text: string, schema?: JsonSchema): Option.Option<unknown> =>
  Option.map(mend(text, schema), (mended) => mended.value)

/**
 * The JSON value of a text: the whole text, or else the longest object or list
 * in it (a model that cites `[1]` before its object meant the object). A bare
 * text or number counts only when it is the whole text. What is JSON is never
 * changed; only an object or list that is not is mended, where that takes no
 * guess: comments, a comma too many, other quotes, names without quotes, the
 * literals of JavaScript and Python, JSON that was escaped once too often. `NaN`
 * and `Infinity` become `null`. A value that the end of the text cuts off is
 * none, nor are its parts; nor is one of more than 128 levels.
 *
 * With a `schema` whose value is an object or a list, a JSON text that holds
 * JSON is read once more. Takes time linear in the text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const mend = (text: string, schema?: JsonSchema): Option.Option<Mended> => {
  const trimmed = text.replace(/^\uFEFF/u, "").trim()
  const whole = strict(trimmed)
  if (Option.isNone(whole)) return search(trimmed)
  if (typeof whole.value === "string" && isContainer(schema)) {
    const inner = whole.value.trim()
    const value = Option.orElse(strict(inner), () => Option.map(search(inner), (found) => found.value))
    if (Option.isSome(value) && typeof value.value === "object") {
      return Option.some({ value: value.value, isMended: true })
    }
  }
  return Option.some({ value: whole.value, isMended: false })
}

/** Whether only objects and lists can fit a schema, as far as its root says. */
const isContainer = (schema: JsonSchema | undefined): boolean => {
  const type = schema?.type
  return type === "object" || type === "array" ||
    (Array.isArray(type) && type.length > 0 && type.every((one) => one === "object" || one === "array"))
}

const bounds: JsonBounds.Bounds = {
  maxDepth,
  maxNodes: Number.POSITIVE_INFINITY,
  maxStringLength: Number.POSITIVE_INFINITY
}

const tryParse = Option.liftThrowable((text: string): unknown => JSON.parse(text))

const strict = (text: string): Option.Option<unknown> =>
  JsonBounds.check(text, bounds) === undefined ? tryParse(text) : Option.none()

interface Candidate extends Mended {
  readonly length: number
}

const search = (text: string): Option.Option<Mended> => {
  const opening = /[[{]/gu
  let best: Candidate | undefined
  let work = maxPasses * text.length + freeOpenings * openingCost
  let wasEscaped = false
  for (let match = opening.exec(text); match !== null && work >= 0; match = opening.exec(text)) {
    const start = match.index
    const close = closing(text, start)
    const exact = close === -1 || !couldOpen(text, start) ? Option.none() : strict(text.slice(start, close + 1))
    work -= openingCost + (close === -1 ? text.length : close + 1) - start
    if (Option.isSome(exact)) {
      best = better(best, { value: exact.value, isMended: false, length: close + 1 - start })
      opening.lastIndex = close + 1
      continue
    }
    const mended = JsonMend.read(text, start, maxDepth)
    work -= mended.end - start
    if (mended._tag === "Read") {
      best = better(best, { value: mended.value, isMended: true, length: mended.end - start })
      opening.lastIndex = mended.end
    } else if (mended._tag === "Cut" && close === -1) {
      // The rest is this value, cut off: its parts would pass for the whole.
      return best !== undefined && best.length > text.length - start ? found(best) : Option.none()
    } else {
      // Tried once, because it reads to the end of the text.
      const isEscaped: boolean = !wasEscaped && nextSign(text, start + 1) === "\\"
      const plain = isEscaped ? unescaped(text, start) : undefined
      wasEscaped ||= isEscaped
      if (plain !== undefined) best = better(best, plain)
      opening.lastIndex = plain !== undefined ? start + plain.length : close === -1 ? start + 1 : close + 1
    }
  }
  return best === undefined ? Option.none() : found(best)
}

const found = ({ isMended, value }: Candidate): Option.Option<Mended> => Option.some({ value, isMended })

/** The longer of two; but what had to be mended goes only before a shorter list, which may be a citation. */
const better = (best: Candidate | undefined, next: Candidate): Candidate => {
  if (best === undefined) return next
  if (best.isMended === next.isMended) return next.length > best.length ? next : best
  const [exact, mended] = best.isMended ? [next, best] : [best, next]
  return Array.isArray(exact.value) && mended.length > exact.length ? mended : exact
}

/** Sorts out most of the brackets of prose before the parser makes an error of each. */
const couldOpen = (text: string, start: number): boolean => {
  const next = nextSign(text, start + 1)
  return text.charCodeAt(start) === 123 ? next === "\"" || next === "}" : /[[\]{"\-\dtfn]/u.test(next)
}

const nextSign = (text: string, from: number): string => {
  let at = from
  while (" \n\r\t".includes(text.charAt(at)) && at < text.length) at++
  return text.charAt(at)
}

/** JSON whose quotes were escaped as if it stood in a JSON text. */
const unescaped = (text: string, start: number): Candidate | undefined => {
  const end = text.lastIndexOf(text.charCodeAt(start) === 123 ? "}" : "]")
  const inner = Option.getOrUndefined(tryParse(`"${text.slice(start, end + 1)}"`))
  const value = typeof inner === "string" ? strict(inner) : Option.none()
  return Option.isSome(value) ? { value: value.value, isMended: true, length: end + 1 - start } : undefined
}

/** The index of the bracket that balances the one at `start`, or -1; brackets inside strings do not count. */
const closing = (text: string, start: number): number => {
  let depth = 0
  let inString = false
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (inString) {
      if (unit === 92) at++
      else if (unit === 34) inString = false
    } else if (unit === 34) inString = true
    else if (unit === 123 || unit === 91) depth++
    else if (unit === 125 || unit === 93) {
      depth--
      if (depth === 0) return at
    }
  }
  return -1
}
