/**
 * Lets equal calls that come at the same time share one run.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Coalescer } from "../../policy/Coalescer.js"
import type { Watch } from "../../policy/Deadline.js"
import type { McpError } from "../../protocol/McpError.js"
import * as ClientTimeout from "../ClientTimeout.js"
import type { Ending, Failed, Next, Outcome, Request, Visit } from "./Visit.js"
import { isResumed, millisOf } from "./Visit.js"

/**
 * Those who wait for one run.
 *
 * @since 0.1.0
 * @category models
 */
export type Group = Set<Request>

/**
 * The runs of a registry that are shared.
 *
 * @since 0.1.0
 * @category models
 */
export interface Runs {
  readonly coalescer: Coalescer<string, Outcome, Failed | McpError>
  readonly groups: Map<string, Group>
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly runs: Runs
  readonly clock: Clock.Clock
  readonly watch: Watch
  readonly keyOf: (visit: Visit) => string
  /** Milliseconds that a run may take. */
  readonly timeout: number
  /** The failure of a call that cannot wait for the run. */
  readonly late: (visit: Visit) => Ending
}

/** A caller whose own time ends this little sooner than the run's waits for the run's own end. */
const nearlyMillis = 50

const nobody = Exit.succeed(false)

/** How long one of many waits is its own affair. */
const patient = (meta: Request["meta"]): Request["meta"] => {
  if (!Object.hasOwn(meta, ClientTimeout.metaKey)) return meta
  const { [ClientTimeout.metaKey]: _, ...rest } = meta
  return rest
}

/** The call of a run that many wait for: what it reports goes to all of them, and nobody can be asked in it. */
const shared = (request: Request, group: Group): Request => ({
  ...request,
  reportProgress: (update) => {
    for (const member of group) member.reportProgress(update)
  },
  log: (message) => {
    for (const member of group) member.log(message)
  },
  beginTask: nobody,
  timeoutMs: undefined,
  meta: patient(request.meta),
  asking: { ...request.asking, clientCapabilities: {} }
})

/**
 * @since 0.1.0
 * @category constructors
 */
export const make =
  ({ clock, keyOf, late, runs: { coalescer, groups }, timeout, watch }: Options) => (next: Next): Next => (visit) => {
    // A task has its own life, and what the client answered belongs to its own call.
    if (visit.request.isTask === true || isResumed(visit)) return next(visit)
    return Effect.suspend(() => {
      const key = keyOf(visit)
      const group: Group = groups.get(key) ?? new Set()
      groups.set(key, group)
      group.add(visit.request)
      let isMine = false
      const joined: Ending = coalescer.run(
        key,
        Effect.suspend(() => {
          isMine = true
          return next({ ...visit, request: shared(visit.request, group), limit: Infinity })
        })
      )
      const left = visit.limit - millisOf(clock)
      const waited: Ending = left + nearlyMillis < timeout
        ? watch.run(joined, { duration: Math.max(0, Math.ceil(left)), onTimeout: () => late(visit) })
        : joined
      return waited.pipe(
        Effect.ensuring(Effect.sync(() => {
          group.delete(visit.request)
          if (group.size === 0 && groups.get(key) === group) groups.delete(key)
        })),
        Effect.flatMap((outcome): Ending => {
          // Whoever is to be asked is asked alone.
          if (outcome._tag === "Paused") return next(visit)
          if (isMine) return Exit.succeed(outcome)
          visit.observation?.step?.("coalesce", "joined")
          const { value: _, ...answer } = outcome
          return Exit.succeed({ ...answer, isCached: true })
        })
      )
    })
  }
