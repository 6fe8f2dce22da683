/**
 * Watches whether the process can keep up, and says which calls to turn away
 * when it cannot.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { getHeapStatistics } from "node:v8"
import type { Priority } from "./Policy.js"

/**
 * 0: all is well; 1: calls of priority `background` are turned away; 2: those of
 * `normal` too; 3: all.
 *
 * @since 0.1.0
 * @category models
 */
export type Level = 0 | 1 | 2 | 3

/**
 * What was seen last.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pressure {
  readonly level: Level
  /** How late the event loop was, as the 99th percentile of the last interval, in milliseconds. */
  readonly loopDelayMs: number
  /** Of the heap's limit, from 0 to 1. */
  readonly heapRatio: number
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Overload extends Context.Tag("causeway/Overload")<Overload, {
  readonly pressure: () => Pressure
  /** How many milliseconds to stay away, not the same for everybody; 0 when the call may come in. */
  readonly turnsAway: (priority: Priority) => number
}>() {}

/**
 * Thresholds that do not rise, or a time that is not above zero.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOptions
  extends Schema.TaggedError<InvalidOptions>("causeway/Overload/InvalidOptions")("InvalidOptions", {
    description: Schema.String
  })
{
  override get message() {
    return this.description
  }
}

/**
 * Thresholds for the levels 1, 2 and 3, rising.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Milliseconds; 100, 250 and 1,000 unless given. */
  readonly loopDelayMs?: readonly [number, number, number] | undefined
  /** Of the heap's limit; 0.85, 0.92 and 0.97 unless given. */
  readonly heapRatio?: readonly [number, number, number] | undefined
  /** How often it looks; a quarter of a second unless given. */
  readonly every?: Duration.DurationInput | undefined
  /** How long it must be calm before a level is left; a second unless given. */
  readonly calmFor?: Duration.DurationInput | undefined
  /** Measures; Node's own histogram of the loop's delay and heap statistics unless given. */
  readonly measure?: (() => { readonly loopDelayMs: number; readonly heapRatio: number }) | undefined
}

interface Measured {
  readonly loopDelayMs: number
  readonly heapRatio: number
}

type Thresholds = readonly [number, number, number]

const usualDelays: Thresholds = [100, 250, 1000]
const usualRatios: Thresholds = [0.85, 0.92, 0.97]

/** How often the histogram takes a sample; its values hold this time too. */
const resolutionMs = 20
const logEveryMs = 1000

/** The lowest level at which calls of a priority are turned away. */
const barredFrom: { readonly [P in Priority]: Level } = { background: 1, normal: 2, critical: 3 }

const turned: { readonly [L in Level]: string } = {
  0: "every call is let in",
  1: "background calls are turned away",
  2: "background and normal calls are turned away",
  3: "every call is turned away"
}

const levelOf = (value: number, [one, two, three]: Thresholds): Level =>
  value >= three ? 3 : value >= two ? 2 : value >= one ? 1 : 0

const below = (level: Level): Level => (level === 3 ? 2 : level === 2 ? 1 : 0)

const isRising = (thresholds: Thresholds, most: number): boolean => {
  const [one, two, three] = thresholds
  return one > 0 && one <= two && two <= three && three <= most
}

/** Node's own histogram, begun anew with each look at it. */
const nodeMeasure = (everyMs: number): Effect.Effect<() => Measured, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
        histogram.enable()
        return histogram
      }),
      (histogram) => Effect.sync(() => histogram.disable())
    ),
    (histogram) => {
      let looked = performance.now()
      return () => {
        const now = performance.now()
        // A histogram begun anew leaves out its first sample, which may be the one that matters; the look is late by it too.
        const lateMs = now - looked - everyMs
        looked = now
        const sampledMs = histogram.count === 0 ? 0 : histogram.percentile(99) / 1e6 - resolutionMs
        histogram.reset()
        const { heap_size_limit, used_heap_size } = getHeapStatistics()
        return { loopDelayMs: Math.max(0, lateMs, sampledMs), heapRatio: used_heap_size / heap_size_limit }
      }
    }
  )

/**
 * Looks at intervals until the scope closes. A level is entered at once and left
 * one step at a time; each change is logged, at most one line a second. Fails when
 * thresholds do not rise, or a time is not above zero.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Context.Tag.Service<Overload>, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const delays = options.loopDelayMs ?? usualDelays
    const ratios = options.heapRatio ?? usualRatios
    const every = Duration.decode(options.every ?? "250 millis")
    const calmMs = Duration.toMillis(options.calmFor ?? "1 second")
    if (!isRising(delays, Infinity)) {
      return yield* new InvalidOptions({ description: "loopDelayMs must rise from above 0" })
    }
    if (!isRising(ratios, 1)) {
      return yield* new InvalidOptions({ description: "heapRatio must rise from above 0 to 1 at most" })
    }
    if (!(Duration.toMillis(every) > 0 && calmMs > 0)) {
      return yield* new InvalidOptions({ description: "every and calmFor must be above 0" })
    }

    const clock = yield* Effect.clock
    const measure = options.measure ?? (yield* nodeMeasure(Duration.toMillis(every)))
    let pressure: Pressure = { level: 0, loopDelayMs: 0, heapRatio: 0 }
    /** Since when less was measured than the level stands for. */
    let calmSince: number | undefined
    let logged: Level = 0
    let loggedAt = -Infinity
    let turnedAway = 0

    const nextLevel = (measured: Level, now: number): Level => {
      const { level } = pressure
      if (measured >= level) {
        calmSince = undefined
        return measured
      }
      calmSince ??= now
      if (now - calmSince < calmMs) return level
      calmSince = now
      return below(level)
    }

    const report = (now: number): Effect.Effect<void> => {
      const { heapRatio, level, loopDelayMs } = pressure
      if (level === logged || now - loggedAt < logEveryMs) return Effect.void
      const line = `Overload level ${level} after ${logged}: the event loop was ${Math.round(loopDelayMs)} ms late, ` +
        `the heap is at ${Math.round(heapRatio * 100)} % of its limit; ${turned[level]}`
      const isWorse = level > logged
      logged = level
      loggedAt = now
      return isWorse ? Effect.logWarning(line) : Effect.logInfo(line)
    }

    const look = Effect.suspend(() => {
      const now = clock.unsafeCurrentTimeMillis()
      const { heapRatio, loopDelayMs } = measure()
      const delayed = levelOf(loopDelayMs, delays)
      const filled = levelOf(heapRatio, ratios)
      pressure = { level: nextLevel(delayed > filled ? delayed : filled, now), loopDelayMs, heapRatio }
      return report(now)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(every), look)))

    return {
      pressure: () => pressure,
      turnsAway: (priority) => {
        const { level } = pressure
        if (level < barredFrom[priority]) return 0
        // Those that are turned away together should not come back together.
        turnedAway = (turnedAway + 1) % 8
        return Math.round(calmMs * level * (1 + turnedAway / 8))
      }
    }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Overload, InvalidOptions> => Layer.scoped(Overload, make(options))
