/**
 * Looks at intervals at what has no event to be counted by: whether sources answer,
 * and how much the process has to do.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Health from "../health/Health.js"
import * as Overload from "../policy/Overload.js"
import * as Instrument from "../telemetry/Instrument.js"
import * as Telemetry from "../telemetry/Telemetry.js"

const { Label, Metric } = Telemetry

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How often it looks; every 5 seconds unless given. */
  readonly every?: Duration.DurationInput | undefined
}

/**
 * Writes `causeway_source_up` of the `Health` and `causeway_overload_level` of the
 * `Overload` that are provided here, at once and then until the scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const health = Option.getOrUndefined(yield* Effect.serviceOption(Health.Health))
    const overload = Option.getOrUndefined(yield* Effect.serviceOption(Overload.Overload))
    const up = Instrument.gauge(Metric.sourceUp, "1 while the source answers, 0 while it does not.")
    const sources = Instrument.keep((name: string) =>
      Instrument.keep((kind: string) => up({ [Label.source]: name, [Label.kind]: kind }))
    )
    const level = overload === undefined
      ? undefined
      : Instrument.gauge(Metric.overloadLevel, "0 is well; from 1 to 3 more and more calls are turned away.")()
    const look = Effect.suspend(() => {
      if (overload !== undefined) level?.set(overload.pressure().level)
      return health === undefined ? Effect.void : Effect.map(health.report, (report) => {
        for (const { kind, name, status } of report.sources) sources(name)(kind).set(status === "up" ? 1 : 0)
      })
    })
    yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(Duration.decode(options.every ?? "5 seconds"))))
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<never> => Layer.scopedDiscard(make(options))
