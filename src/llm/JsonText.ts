/**
 * Finds the JSON value in what a model wrote around it: a code fence, a
 * sentence before or after, a byte order mark.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"

/** How many openings are tried before giving up, so that a text full of brackets stays cheap. */
const maxTries = 8

/**
 * The JSON value of a text: the whole text, or else the longest balanced object
 * or array in it that parses (a model that cites `[1]` before its object meant
 * the object). A bare string or number counts only when it is the whole text.
 * Takes time linear in the text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const parse = (text: string): Option.Option<unknown> => {
  const trimmed = text.replace(/^\uFEFF/u, "").trim()
  const whole = tryParse(trimmed)
  if (Option.isSome(whole)) return whole
  let best: Option.Option<unknown> = Option.none()
  let length = 0
  let from = 0
  for (let tries = 0; tries < maxTries; tries++) {
    const start = nextOpening(trimmed, from)
    if (start === -1) break
    const end = closing(trimmed, start)
    const candidate = end - start + 1 > length ? tryParse(trimmed.slice(start, end + 1)) : Option.none()
    if (Option.isSome(candidate)) {
      best = candidate
      length = end - start + 1
    }
    from = end === -1 ? start + 1 : end + 1
  }
  return best
}

const tryParse = Option.liftThrowable((text: string): unknown => JSON.parse(text))

const nextOpening = (text: string, from: number): number => {
  const brace = text.indexOf("{", from)
  const bracket = text.indexOf("[", from)
  return brace === -1 ? bracket : bracket === -1 ? brace : Math.min(brace, bracket)
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
