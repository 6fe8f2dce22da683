import { assert, describe, it } from "@effect/vitest"
import * as Overload from "causeway-mcp/policy/Overload"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"

const calm = { loopDelayMs: 1, heapRatio: 0.2 }

/** A guard whose measurements the test sets, and the lines it logs. */
const guarded = (options: Omit<Overload.Options, "measure"> = {}) =>
  Effect.gen(function*() {
    const seen = { now: calm, lines: [] as Array<string> }
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ logLevel, message }) => seen.lines.push(`${logLevel.label} ${String(message)}`))
    )
    const overload = yield* Effect.provide(Overload.make({ ...options, measure: () => seen.now }), logger)
    const look = TestClock.adjust("250 millis")
    return { overload, seen, look }
  })

const priorities = ["background", "normal", "critical"] as const

describe("Overload", () => {
  it.scoped("lets everything in while all is well", () =>
    Effect.gen(function*() {
      const { look, overload } = yield* guarded()
      yield* look
      assert.deepStrictEqual(overload.pressure(), { level: 0, ...calm })
      assert.deepStrictEqual(priorities.map(overload.turnsAway), [0, 0, 0])
    }))

  for (
    const [level, delay, heap, away] of [
      [1, 100, 0.85, [true, false, false]],
      [2, 250, 0.92, [true, true, false]],
      [3, 1000, 0.97, [true, true, true]]
    ] as const
  ) {
    it.scoped(`enters level ${level} at once, by the loop or by the heap`, () =>
      Effect.gen(function*() {
        for (const now of [{ ...calm, loopDelayMs: delay }, { ...calm, heapRatio: heap }]) {
          const { look, overload, seen } = yield* guarded()
          seen.now = {
            loopDelayMs: Math.min(now.loopDelayMs, delay - 0.01),
            heapRatio: Math.min(now.heapRatio, heap - 1e-9)
          }
          yield* look
          assert.strictEqual(overload.pressure().level, level - 1)
          seen.now = now
          yield* look
          assert.deepStrictEqual(overload.pressure(), { level, ...now })
          assert.deepStrictEqual(priorities.map((priority) => overload.turnsAway(priority) > 0), [...away])
        }
      }))
  }

  it.scoped("leaves a level one step at a time, each after a calm second", () =>
    Effect.gen(function*() {
      const { look, overload, seen } = yield* guarded()
      seen.now = { ...calm, loopDelayMs: 2000 }
      yield* look
      seen.now = calm
      const levels: Array<number> = []
      for (let looks = 0; looks < 16; looks++) {
        yield* look
        levels.push(overload.pressure().level)
      }
      assert.deepStrictEqual(levels, [3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0])
    }))

  it.scoped("begins to count the calm anew when it was disturbed", () =>
    Effect.gen(function*() {
      const { look, overload, seen } = yield* guarded()
      const high = { ...calm, loopDelayMs: 300 }
      for (const now of [high, calm, calm, calm, high, calm, calm, calm, calm]) {
        seen.now = now
        yield* look
      }
      assert.strictEqual(overload.pressure().level, 2)
      yield* look
      assert.strictEqual(overload.pressure().level, 1)
    }))

  it.scoped("sends those away for seconds by the level, and not all for the same time", () =>
    Effect.gen(function*() {
      const { look, overload, seen } = yield* guarded()
      seen.now = { ...calm, loopDelayMs: 300 }
      yield* look
      const times = Array.from({ length: 100 }, () => overload.turnsAway("normal"))
      assert.isAtLeast(Math.min(...times), 2000)
      assert.isAtMost(Math.max(...times), 4000)
      assert.isAtLeast(new Set(times).size, 8)
    }))

  it.scoped("logs a change with its level, and one line a second at most", () =>
    Effect.gen(function*() {
      const { look, seen } = yield* guarded({ calmFor: "500 millis" })
      for (const loopDelayMs of [120, 2000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) {
        seen.now = { ...calm, loopDelayMs }
        yield* look
      }
      assert.deepStrictEqual(seen.lines.map((line) => line.replace(/ after.*; /u, ": ")), [
        "WARN Overload level 1: background calls are turned away",
        "WARN Overload level 2: background and normal calls are turned away",
        "INFO Overload level 0: every call is let in"
      ])
      assert.include(seen.lines[0] ?? "", "the event loop was 120 ms late, the heap is at 20 % of its limit")
    }))

  it.effect("looks no more when its scope is closed", () =>
    Effect.gen(function*() {
      let looks = 0
      const measure = () => {
        looks++
        return calm
      }
      yield* Effect.scoped(Effect.zipRight(Overload.make({ measure }), TestClock.adjust("1 seconds")))
      assert.strictEqual(looks, 4)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(looks, 4)
    }))

  const wrong: ReadonlyArray<readonly [what: string, options: Overload.Options]> = [
    ["delays that fall", { loopDelayMs: [300, 200, 1000] }],
    ["a delay of nothing", { loopDelayMs: [0, 200, 1000] }],
    ["a ratio above one", { heapRatio: [0.5, 0.9, 1.1] }],
    ["a threshold that is no number", { loopDelayMs: [1, NaN, 3] }],
    ["an interval of nothing", { every: 0 }],
    ["a calm of nothing", { calmFor: 0 }]
  ]
  for (const [what, options] of wrong) {
    it.scoped(`refuses ${what}`, () =>
      Effect.map(Effect.flip(Overload.make(options)), (error) => assert.instanceOf(error, Overload.InvalidOptions)))
  }

  it.scopedLive("sees a loop that was held up, by Node's own measure", () =>
    Effect.gen(function*() {
      const overload = yield* Overload.make({ every: "20 millis", loopDelayMs: [60, 5000, 10_000] })
      const end = performance.now() + 300
      while (performance.now() < end) { /* holds up everybody */ }
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => overload.pressure().level > 0 }).pipe(
        Effect.timeout("5 seconds")
      )
      assert.strictEqual(overload.pressure().level, 1)
      assert.isAbove(overload.pressure().heapRatio, 0)
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger))))
})
