/**
 * Measures the process that the server runs in: memory, processor time, open
 * files, and how late its event loop is.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { readdir } from "node:fs/promises"
import { monitorEventLoopDelay } from "node:perf_hooks"
import * as Instrument from "./Instrument.js"
import * as Telemetry from "./Telemetry.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The program's version, for `causeway_build_info`; left out unless given. */
  readonly version?: string | undefined
  /** How often it looks; every 10 seconds unless given. */
  readonly every?: Duration.DurationInput | undefined
}

/** How often the loop is asked to come back, in milliseconds: Node counts that time with the delay. */
const resolution = 20

const percentiles = [50, 99, 100] as const

const seconds = (nanos: number): number => Math.max(0, nanos / 1e9 - resolution / 1000)

/** Linux alone tells. */
const openFiles = Effect.map(
  Effect.promise(() => readdir("/proc/self/fd").catch(() => undefined)),
  (found) => found?.length
)

const { Label, Metric, ProcessMetric } = Telemetry

const instruments = () => {
  const delay = Instrument.gauge(Metric.eventLoopDelay, "How late the event loop was in the last interval, in seconds.")
  return {
    delays: percentiles.map((percentile) => [percentile, delay({ [Label.percentile]: String(percentile) })] as const),
    resident: Instrument.gauge(ProcessMetric.residentMemory, "Memory that the process has, in bytes.")(),
    cpu: Instrument.counter(ProcessMetric.cpu, "Processor time that the process took, in seconds.")(),
    start: Instrument.gauge(ProcessMetric.startTime, "When the process began, in seconds since the epoch.")(),
    heapUsed: Instrument.gauge(ProcessMetric.heapUsed, "Memory of the heap that is in use, in bytes.")(),
    heapTotal: Instrument.gauge(ProcessMetric.heapTotal, "Memory of the heap, in bytes.")(),
    external: Instrument.gauge(ProcessMetric.external, "Memory outside of the heap, in bytes.")()
  }
}

/**
 * Looks at once, and then at intervals until the scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const histogram = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution })
        histogram.enable()
        return histogram
      }),
      (histogram) => Effect.sync(() => histogram.disable())
    )
    const { cpu, delays, external, heapTotal, heapUsed, resident, start } = instruments()
    start.set(Math.round(performance.timeOrigin) / 1000)
    if (options.version !== undefined) {
      Instrument.gauge(Metric.buildInfo, "Always 1; the version stands in the label.")({
        [Label.version]: options.version
      }).set(1)
    }
    let taken = 0
    const look = Effect.gen(function*() {
      const { user, system } = process.cpuUsage()
      const all = (user + system) / 1e6
      cpu(all - taken)
      taken = all
      const memory = process.memoryUsage()
      resident.set(memory.rss)
      heapUsed.set(memory.heapUsed)
      heapTotal.set(memory.heapTotal)
      external.set(memory.external)
      // Before the first sample its figures are none.
      for (const [percentile, level] of delays) {
        level.set(histogram.max > 0 ? seconds(histogram.percentile(percentile)) : 0)
      }
      histogram.reset()
      const files = yield* openFiles
      if (files !== undefined) {
        Instrument.gauge(ProcessMetric.openFiles, "Files and sockets that the process has open.")().set(files)
      }
    })
    yield* look
    yield* Effect.forkScoped(Effect.schedule(look, Schedule.spaced(Duration.decode(options.every ?? "10 seconds"))))
  })

/**
 * Measures for as long as the layer is there.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<never> => Layer.scopedDiscard(make(options))
