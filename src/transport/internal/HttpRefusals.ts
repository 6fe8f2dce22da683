/**
 * Counts the requests that were refused, and tells the log why.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Log from "../../server/Refusals.js"
import * as Instrument from "../../telemetry/Instrument.js"
import * as Telemetry from "../../telemetry/Telemetry.js"
import * as HttpShedding from "./HttpShedding.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Refusals {
  /** `reason` must hold nothing of the request; `peer` is a remote address. Nothing is wrong with a probe. */
  readonly note: (status: number, reason: string, peer: string | undefined, isProbe?: boolean) => void
  /** Says how many were left out so far, and says nothing from then on. */
  readonly close: () => void
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (run: (effect: Effect.Effect<void>) => unknown): Refusals => {
  const log = Log.make(run, (count) => `Refused ${count} more requests in the same second`)
  const counter = Instrument.counter(Telemetry.Metric.httpRefusals, "Requests over HTTP that were refused.")
  const count = Instrument.keep((status: number) => counter({ [Telemetry.Label.status]: String(status) }))
  const shed = Instrument.counter(Telemetry.Metric.shed, "Requests over HTTP for which there was no room.")
  const countShed = Instrument.keep((reason: string) => shed({ [Telemetry.Label.reason]: reason }))
  return {
    note: (status, reason, peer, isProbe = status === 405) => {
      count(status)(1)
      if (status === 503) countShed(HttpShedding.labelOf(reason))(1)
      const line = `Refused a request with ${status}: ${reason}`
      log.note(
        (isProbe ? Effect.logDebug(line) : Effect.logWarning(line)).pipe(
          Effect.annotateLogs("peer", peer ?? "unknown")
        )
      )
    },
    close: log.close
  }
}
