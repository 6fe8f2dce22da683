/**
 * Tells the log which requests were refused and why, and never lets those who
 * send them fill it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { McpError } from "../../protocol/McpError.js"
import { Code } from "../../protocol/McpError.js"
import * as Instrument from "../../telemetry/Instrument.js"
import * as Telemetry from "../../telemetry/Telemetry.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Refusals {
  /** `reason` must hold nothing of the request; `peer` is a remote address. */
  readonly note: (status: number, reason: string, peer: string | undefined) => void
  /** Says how many were left out so far, and says nothing from then on. */
  readonly close: () => void
}

const perWindow = 10
const windowMillis = 1000

const words: ReadonlyMap<number, string> = new Map([
  [Code.ParseError, "the body is not JSON"],
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
 * @category constructors
 */
export const reasonOf = (refusal: McpError): string => words.get(refusal.code) ?? `error ${refusal.code}`

/**
 * At most ten lines in a second, and then one with how many there were besides.
 * The seconds are the machine's own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (run: (effect: Effect.Effect<void>) => unknown): Refusals => {
  let began = -Infinity
  let noted = 0
  let leftOut = 0
  let timer: NodeJS.Timeout | undefined
  let isOpen = true
  const counter = Instrument.counter(Telemetry.Metric.httpRefusals, "Requests over HTTP that were refused.")
  const count = Instrument.keep((status: number) => counter({ [Telemetry.Label.status]: String(status) }))

  const sumUp = (): void => {
    timer = undefined
    const count = leftOut
    leftOut = 0
    if (count > 0) run(Effect.logWarning(`Refused ${count} more requests in the same second`))
  }

  return {
    note: (status, reason, peer) => {
      count(status)(1)
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
      // Clients probe with GET and with methods; that is no fault of anyone.
      const isProbe = status === 405 || reason === words.get(Code.MethodNotFound)
      const line = `Refused a request with ${status}: ${reason}`
      run(
        (isProbe ? Effect.logDebug(line) : Effect.logWarning(line)).pipe(
          Effect.annotateLogs("peer", peer ?? "unknown")
        )
      )
    },
    close: () => {
      isOpen = false
      clearTimeout(timer)
      sumUp()
    }
  }
}
