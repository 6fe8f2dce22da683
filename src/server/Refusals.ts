/**
 * Tells the log which messages were refused and why, and never lets those who
 * send them fill it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { McpError } from "../protocol/McpError.js"
import { Code } from "../protocol/McpError.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Refusals {
  /** Runs what logs one line, or counts it as left out. The line must hold nothing of what was refused. */
  readonly note: (line: Effect.Effect<void>) => void
  /** Says how many were left out so far, and says nothing from then on. */
  readonly close: () => void
}

const perWindow = 10
const windowMillis = 1000

const words: ReadonlyMap<number, string> = new Map([
  [Code.ParseError, "it is not JSON"],
  [Code.InvalidRequest, "invalid request"],
  [Code.MethodNotFound, "method not found"],
  [Code.InvalidParams, "invalid params"],
  [Code.InternalError, "internal error"],
  [Code.HeaderMismatch, "a header is missing or differs from the body"],
  [Code.MissingClientCapability, "the client lacks a capability"],
  [Code.UnsupportedProtocolVersion, "unsupported protocol version"]
])

/**
 * Why the protocol refused a message, without the error's own sentence: that one
 * may quote the message.
 *
 * @since 0.1.0
 * @category accessors
 */
export const reasonOf = (refusal: McpError): string => words.get(refusal.code) ?? `error ${refusal.code}`

/**
 * Whether clients find out in this way what a server has: nothing is wrong then.
 *
 * @since 0.1.0
 * @category guards
 */
export const isProbe = (refusal: McpError): boolean => refusal.code === Code.MethodNotFound

/**
 * At most ten lines in a second, and then one with how many there were besides,
 * as `rest` says it. The seconds are the machine's own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  run: (effect: Effect.Effect<void>) => unknown,
  rest: (count: number) => string
): Refusals => {
  let began = -Infinity
  let noted = 0
  let leftOut = 0
  let timer: NodeJS.Timeout | undefined
  let isOpen = true

  const sumUp = (): void => {
    timer = undefined
    const count = leftOut
    leftOut = 0
    if (count > 0) run(Effect.logWarning(rest(count)))
  }

  return {
    note: (line) => {
      if (!isOpen) return
      const now = performance.now()
      if (now - began >= windowMillis) {
        began = now
        noted = 0
      }
      if (noted >= perWindow) {
        leftOut += 1
        timer ??= setTimeout(sumUp, began + windowMillis - now)
        return
      }
      noted += 1
      run(line)
    },
    close: () => {
      isOpen = false
      clearTimeout(timer)
      sumUp()
    }
  }
}
