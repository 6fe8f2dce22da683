/**
 * Is told of every call of a tool: how it began, what each policy did to it and
 * how it ended. Metrics, traces and the audit are observers.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Principal } from "../auth/Principal.js"
import type { RequestId } from "../protocol/McpSchema.js"
import type * as Tool from "../tool/Tool.js"
import type { ToolError } from "../tool/ToolError.js"

/**
 * The parts of the stack that have something to tell.
 *
 * @since 0.1.0
 * @category models
 */
export type Step =
  | "overload"
  | "authorize"
  | "validate"
  | "requirements"
  | "idempotency"
  | "rateLimit"
  | "concurrency"
  | "coalesce"
  | "fallback"
  | "cache"
  | "circuitBreaker"
  | "timeout"
  | "retry"
  | "minConfidence"
  | "sizeLimit"

/**
 * What a step did. The pairs that occur: `overload` refused; `authorize` refused;
 * `validate` refused; `requirements` refused; `idempotency` replayed, waited,
 * mismatch, refused; `rateLimit` taken, refused, local, uncounted (with refused, where such calls are refused); `concurrency`
 * waited (with its time), refused; `coalesce` joined; `fallback` stale, told;
 * `cache` hit, miss, stored; `circuitBreaker` refused, opened, closed; `timeout`
 * expired; `retry` again, exhausted; `minConfidence` refused, marked; `sizeLimit`
 * refused, cut.
 *
 * @since 0.1.0
 * @category models
 */
export type Doing =
  | "refused"
  | "taken"
  | "local"
  | "uncounted"
  | "replayed"
  | "waited"
  | "mismatch"
  | "joined"
  | "stale"
  | "told"
  | "hit"
  | "miss"
  | "stored"
  | "opened"
  | "closed"
  | "expired"
  | "again"
  | "exhausted"
  | "marked"
  | "cut"

/**
 * A call that begins. Arguments are here for those who need their size or a
 * hash: they belong to the caller, and leave the process in no log, metric or
 * trace unless somebody decided so.
 *
 * @since 0.1.0
 * @category models
 */
export interface Begun {
  /** `undefined` when there is no such tool; its name is then the caller's own invention. */
  readonly tool: Tool.Any | undefined
  readonly name: string
  readonly caller: Principal
  readonly requestId: RequestId
  readonly meta: { readonly [key: string]: unknown }
  readonly arguments: unknown
  readonly isTask: boolean
}

/**
 * A source that an answer cites, of which no more is promised than this.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cited {
  /** The source's own name for the item, for example a document's id. */
  readonly id: string
  readonly kind: string
}

/**
 * How a call ended: answered; failed as a tool, with a code of `ToolError` or the
 * tag of a declared failure; refused as a protocol error; paused to ask; or
 * interrupted, by the client or by the end of the server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ended {
  readonly outcome: "answered" | "failed" | "error" | "paused" | "interrupted"
  readonly code?: string | undefined
  readonly isDegraded: boolean
  /** Whether the answer is one that was kept or shared. */
  readonly isCached: boolean
  readonly confidence?: number | undefined
  /** Where the answer says that it comes from; absent where it says nothing, and where it is told again to a repeated call. */
  readonly sources?: ReadonlyArray<Cited> | undefined
  /** Milliseconds, from the arrival of the call to its end. */
  readonly millis: number
}

/**
 * What is noted of one call. Its methods must not throw, and cost little: they
 * run where the call runs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Observation {
  /** The call is not run and ends with this: for who has to know of every call that is. */
  readonly refusal?: ToolError | undefined
  readonly step?: ((step: Step, doing: Doing, millis?: number) => void) | undefined
  readonly end: (ended: Ended) => void
  /** Runs the handler inside of something, such as a span; not for a handler whose effect is an `Exit`. */
  readonly around?: (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) | undefined
}

/**
 * Begins to observe a call; `undefined` when this one is of no interest.
 *
 * @since 0.1.0
 * @category models
 */
export interface Observer {
  readonly begin: (call: Begun) => Observation | undefined
  /** Something was turned away before it was read, since there was too much to do; it may have been a call. */
  readonly turnedAway?: (() => void) | undefined
}

/**
 * The observer of a server's tools. Nobody observes unless it is provided where
 * the server is made.
 *
 * @since 0.1.0
 * @category tags
 */
export class CallObserver extends Context.Tag("causeway/CallObserver")<CallObserver, Observer>() {}

/**
 * Joins observers; each is told in order, and the first is outermost.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge = (...observers: ReadonlyArray<Observer>): Observer => {
  const [only, ...others] = observers
  if (only !== undefined && others.length === 0) return only
  const counting = observers.filter(({ turnedAway }) => turnedAway !== undefined)
  return {
    turnedAway: counting.length === 0 ? undefined : () => {
      for (const observer of counting) observer.turnedAway?.()
    },
    begin: (call) => {
      const observations: Array<Observation> = []
      for (const observer of observers) {
        const observation = observer.begin(call)
        if (observation !== undefined) observations.push(observation)
      }
      return observations.length < 2 ? observations[0] : together(observations)
    }
  }
}

/** Keeps a method absent where nobody has it, so that nothing is done for it. */
const together = (observations: ReadonlyArray<Observation>): Observation => {
  const steps = observations.filter(({ step }) => step !== undefined)
  const arounds = observations.filter(({ around }) => around !== undefined)
  const refusal = observations.find((observation) => observation.refusal !== undefined)?.refusal
  return {
    ...(refusal === undefined ? {} : { refusal }),
    step: steps.length === 0 ? undefined : (step, doing, millis) => {
      for (const observation of steps) observation.step?.(step, doing, millis)
    },
    end: (ended) => {
      for (const observation of observations) observation.end(ended)
    },
    around: arounds.length === 0 ?
      undefined :
      (effect) => arounds.reduceRight((inner, observation) => observation.around?.(inner) ?? inner, effect)
  }
}

/**
 * Makes observers, such as `Measure.observer`, and joins them.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  ...observers: ReadonlyArray<Effect.Effect<Observer, E, R>>
): Layer.Layer<CallObserver, E, Exclude<R, Scope.Scope>> =>
  Layer.scoped(CallObserver, Effect.map(Effect.all(observers), (made) => merge(...made)))
