/**
 * Lets so many calls of a tool, or of an upstream, run at once.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Bulkhead from "../../policy/Bulkhead.js"
import type { Concurrency } from "../../policy/Policy.js"
import { isExit } from "../../protocol/Ended.js"
import { ToolError } from "../../tool/ToolError.js"
import * as CallKey from "../CallKey.js"
import type { Ending, Next } from "./Visit.js"
import { limited, millisOf, refuse, when } from "./Visit.js"

/**
 * The options of a bulkhead, with what was left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const optionsOf = ({ limit, maxWait, perCaller, queue }: Concurrency): Bulkhead.Options => ({
  limit,
  queue: queue ?? 4 * limit,
  maxWaitMillis: Duration.toMillis(maxWait ?? "10 seconds"),
  perCaller: perCaller ?? limit
})

/**
 * The places of upstreams that several tools use, by their names and numbers.
 *
 * @since 0.1.0
 * @category models
 */
export type Upstreams = Map<string, Bulkhead.Bulkhead>

/**
 * The places of a tool, or of an upstream: those who name it with other numbers
 * have places of their own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bulkheadOf = (
  upstream: string | undefined,
  options: Bulkhead.Options,
  upstreams: Upstreams
): Bulkhead.Bulkhead => {
  if (upstream === undefined) return Bulkhead.make(options)
  const { limit, maxWaitMillis, perCaller, queue } = options
  const key = [limit, queue, maxWaitMillis, perCaller, upstream].join("|")
  const known = upstreams.get(key)
  if (known !== undefined) return known
  const made = Bulkhead.make(options)
  upstreams.set(key, made)
  return made
}

/** A wait that is shorter is no wait. */
const leastWaitMillis = 1

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { bulkhead, clock, isLazy, options, tool }: {
    readonly tool: string
    readonly bulkhead: Bulkhead.Bulkhead
    readonly options: Bulkhead.Options
    readonly clock: Clock.Clock
    /** Whether what stands further in decides by the state of things, and so when it is its turn. */
    readonly isLazy: boolean
  }
) => {
  const isOpen = options.perCaller >= options.limit
  return (next: Next): Next => (visit) => {
    // Whoever limits tasks is their runner; they may last for hours.
    if (visit.request.isTask === true) return next(visit)
    const ending = isLazy ? Effect.suspend(() => next(visit)) : next(visit)
    if (isExit(ending)) return ending
    const { observation } = visit
    let observed = ending
    if (observation?.step !== undefined) {
      const arrived = millisOf(clock)
      observed = Effect.suspend(() => {
        const waited = millisOf(clock) - arrived
        if (waited >= leastWaitMillis) observation.step?.("concurrency", "waited", waited)
        return ending
      })
    }
    const placed: Ending = bulkhead.run(CallKey.caller(visit.request.caller), observed, ({ reason, retryAfterMs }) => {
      observation?.step?.("concurrency", "refused")
      const why = reason === "queueFull" ? "too many calls wait for it" : "its turn did not come in time"
      return refuse(
        new ToolError({
          code: "temporarily_unavailable",
          message: `${tool} is busy: ${why}. Try again ${when(retryAfterMs)}.`,
          source: tool,
          retryAfterMs: Math.max(0, Math.ceil(retryAfterMs))
        })
      )
    })
    // Only who waits has to know how long.
    return Effect.suspend(() =>
      visit.limit === Infinity || (isOpen && bulkhead.waiting === 0 && bulkhead.running < options.limit)
        ? placed
        : limited(placed, visit.limit)
    )
  }
}
