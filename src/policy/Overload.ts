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
import * as LoopWatch from "./internal/LoopWatch.js"
import type { Priority } from "./Policy.js"

/**
 * 0: all is well; 1: calls of priority `background` are turned away, and of
 * `normal` those for which there is no time in a turn of the event loop; 2: more
 * and more of `normal`; 3: all.
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
  /**
   * How many milliseconds to stay away, not the same for everybody; 0 when the
   * call may come in. `tool` is what is begun then: the log names it when the event
   * loop is held up after that. Who asks without one, and was let in, is let in with
   * one right after.
   */
  readonly turnsAway: (priority: Priority, tool?: string) => number
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
  /** Tells how late the loop is at the moment; a timer of 25 ms unless given. */
  readonly watch?: LoopWatch.LoopWatch | undefined
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

/** The lowest level at which all calls of a priority are turned away; of `normal` ones, a share is let in before. */
const barredFrom: { readonly [P in Priority]: Level } = { background: 1, normal: 3, critical: 3 }

/** With each look of level 2 fewer, down to one in 64, and more with each one below. */
const nextShare = (share: number, isPressed: boolean): number =>
  isPressed ? Math.max(1 / 64, share * 0.7) : Math.min(1, Math.max(1 / 64, share) * 1.5)

const turned: { readonly [L in Level]: string } = {
  0: "every call is let in",
  1: "background calls are turned away, and normal ones as far as need be",
  2: "background calls are turned away, and more and more of the normal ones",
  3: "every call is turned away"
}

const levelOf = (value: number, [one, two, three]: Thresholds): Level =>
  value >= three ? 3 : value >= two ? 2 : value >= one ? 1 : 0

const below = (level: Level): Level => (level === 3 ? 2 : level === 2 ? 1 : 0)

const above = (level: Level): Level => (level === 0 ? 1 : level === 1 ? 2 : 3)

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

/** What may have held up the loop, as far as that can be known. */
const blame = ({ tools }: LoopWatch.Stall): string =>
  tools.length === 0
    ? "no call began just before, so one that was under way did it, or garbage collection"
    : `what began just before: ${tools.join(", ")}`

/**
 * Looks at intervals until the scope closes. A level by the heap is entered at
 * once; one by the event loop when two looks in a row have seen it, so that a
 * single pause is none, and one step at a time, since the step before may do. Levels
 * are left one step at a time; each change is logged, and so is what held up the
 * loop for as long as level 2 takes, at most one line of each a second.
 *
 * Of `normal` calls, none is let in while the heap is at level 2; while the event
 * loop is, fewer with each look. Since what is let in may be what makes it late,
 * nobody would get anything done if all were turned away and let in by turns.
 *
 * At any moment, calls are also turned away when the turn of the loop that they
 * came in has taken too long already: at level 0 as long as level 3 says, above it
 * as long as level 1 says for `normal`, and level 2 for `critical` calls. So much
 * work is done in each turn, and the rest is answered soon.
 *
 * Fails when thresholds do not rise, or a time is not above zero.
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
    const watch = options.watch ?? (yield* LoopWatch.make)
    const [firstDelay, secondDelay, thirdDelay] = delays
    const mostLate: { readonly [P in Priority]: number } = {
      background: 0,
      normal: firstDelay,
      critical: secondDelay
    }
    let pressure: Pressure = { level: 0, loopDelayMs: 0, heapRatio: 0 }
    /** Since when less was measured than the level stands for. */
    let calmSince: number | undefined
    let logged: Level = 0
    let loggedAt = -Infinity
    let blamedAt = -Infinity
    let turnedAway = 0
    /** Of normal calls, the part that is let in, and how much of the next one is. */
    let share = 1
    let credit = 0
    /** What was seen last when a call was let in whose tool was not told. */
    let asked: Pressure | undefined
    const isOfShare = (): boolean => {
      if (share === 1) return true
      credit += share
      if (credit < 1) return false
      credit -= 1
      return true
    }

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

    const reportLevel = (now: number): Effect.Effect<void> => {
      const { heapRatio, level, loopDelayMs } = pressure
      if (level === logged || now - loggedAt < logEveryMs) return Effect.void
      const line = `Overload level ${level} after ${logged}: the event loop was ${Math.round(loopDelayMs)} ms late, ` +
        `the heap is at ${Math.round(heapRatio * 100)} % of its limit; ${turned[level]}`
      const isWorse = level > logged
      logged = level
      loggedAt = now
      return isWorse ? Effect.logWarning(line) : Effect.logInfo(line)
    }

    const reportStall = (now: number): Effect.Effect<void> => {
      const stall = watch.takeWorst()
      if (stall === undefined || stall.ms < secondDelay || now - blamedAt < logEveryMs) return Effect.void
      blamedAt = now
      return Effect.logWarning(`The event loop was held up for ${Math.round(stall.ms)} ms; ${blame(stall)}`)
    }

    const look = Effect.suspend(() => {
      const now = Number(clock.unsafeCurrentTimeNanos()) / 1e6
      const { heapRatio, loopDelayMs } = measure()
      // One pause, be it of garbage collection, says nothing of the next second.
      const delayed = levelOf(Math.min(loopDelayMs, pressure.loopDelayMs), delays)
      const step = delayed > pressure.level ? above(pressure.level) : delayed
      const filled = levelOf(heapRatio, ratios)
      pressure = { level: nextLevel(step > filled ? step : filled, now), loopDelayMs, heapRatio }
      share = filled >= 2 ? 0 : nextShare(share, step >= 2)
      return Effect.zipRight(reportStall(now), reportLevel(now))
    })
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(every), look)))

    return {
      pressure: () => pressure,
      turnsAway: (priority, tool) => {
        const { level } = pressure
        // A transport has asked for this call just now, and a share is not taken of a share.
        const isAsked = tool !== undefined && asked === pressure
        asked = undefined
        const isAway = !isAsked && (
          level >= barredFrom[priority] ||
          watch.late() >= (level === 0 ? thirdDelay : mostLate[priority]) ||
          (priority === "normal" && !isOfShare())
        )
        if (!isAway) {
          if (tool === undefined) asked = pressure
          else watch.begin(tool)
          return 0
        }
        // Those that are turned away together should not come back together.
        turnedAway = (turnedAway + 1) % 8
        return Math.round(calmMs * Math.max(1, level) * (1 + turnedAway / 8))
      }
    }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Overload, InvalidOptions> => Layer.scoped(Overload, make(options))
