/**
 * What is known of the sources and models, soon: whoever looks at a page does not
 * wait for a source that hangs.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Health from "../../health/Health.js"
import type * as Target from "../../llm/Target.js"

/** How long a probe waits for a new verdict when there is an older one: a balancer gives up on those that are slow. */
const patience = Duration.millis(250)

/**
 * The verdict on the sources: within a quarter of a second once there was one, and
 * then it may be the last one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ report }: Context.Tag.Service<Health.Health>): Effect.Effect<Health.Report> => {
  let last: Health.Report | undefined
  return Effect.suspend(() => {
    const before = last
    const asked = before === undefined
      ? report
      : Effect.map(Effect.timeoutOption(report, patience), Option.getOrElse(() => before))
    return Effect.tap(asked, (found) => Effect.sync(() => void (last = found)))
  })
}

/**
 * A model, as pages show it. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Model {
  readonly id: string
  readonly breaker: Target.Status["breaker"]
  readonly restsForMs?: number
  readonly because?: string | undefined
  readonly inFlight: number
  readonly headroom: number
  readonly latencyMs?: number
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const modelOf = (
  { breaker, coolingFor, coolingReason, headroom, id, inFlight, latencyMs }: Target.Status
): Model => ({
  id,
  breaker,
  ...(coolingFor === undefined ? {} : { restsForMs: Math.ceil(Duration.toMillis(coolingFor)), because: coolingReason }),
  inFlight,
  headroom,
  ...(latencyMs === undefined ? {} : { latencyMs: Math.round(latencyMs) })
})
