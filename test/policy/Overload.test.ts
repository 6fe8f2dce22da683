import { assert, describe, it } from "@effect/vitest"
import * as Overload from "causeway-mcp/policy/Overload"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"

const calm = { loopDelayMs: 1, heapRatio: 0.2 }

/** A guard whose measurements the test sets, and the lines it logs. */
const guarded = (options: Omit<Overload.Options, "measure" | "watch"> = {}) =>
  Effect.gen(function*() {
    const seen = {
      ...{ now: calm, late: 0, begun: [] as Array<string>, lines: [] as Array<string> },
      stall: undefined as { readonly ms: number; readonly tools: ReadonlyArray<string> } | undefined
    }
    const watch = {
      late: () => seen.late,
      begin: (tool: string) => void seen.begun.push(tool),
      takeWorst: () => seen.stall
    }
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ logLevel, message }) => seen.lines.push(`${logLevel.label} ${String(message)}`))
    )
    const overload = yield* Effect.provide(Overload.make({ ...options, watch, measure: () => seen.now }), logger)
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
      assert.deepStrictEqual(priorities.map((priority) => overload.turnsAway(priority)), [0, 0, 0])
    }))

  for (
    const [level, delay, heap, away] of [
      [1, 100, 0.85, [true, false, false]],
      [2, 250, 0.92, [true, true, false]],
      [3, 1000, 0.97, [true, true, true]]
    ] as const
  ) {
    it.scoped(`enters level ${level} by the heap at once, and by the loop when two looks have seen it, step by step`, () =>
      Effect.gen(function*() {
        for (const now of [{ ...calm, loopDelayMs: delay }, { ...calm, heapRatio: heap }]) {
          const { look, overload, seen } = yield* guarded()
          const isLoop = now.loopDelayMs === delay
          seen.now = {
            loopDelayMs: Math.min(now.loopDelayMs, delay - 0.01),
            heapRatio: Math.min(now.heapRatio, heap - 1e-9)
          }
          for (let looks = 0; looks < 5; looks++) yield* look
          assert.strictEqual(overload.pressure().level, level - 1)
          seen.now = now
          yield* look
          assert.strictEqual(overload.pressure().level, isLoop ? level - 1 : level)
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
      for (let looks = 0; looks < 4; looks++) yield* look
      assert.strictEqual(overload.pressure().level, 3)
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
      for (const now of [high, high, high, calm, calm, calm, high, high, calm, calm, calm, calm]) {
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
      seen.now = { ...calm, heapRatio: 0.93 }
      yield* look
      const times = Array.from({ length: 100 }, () => overload.turnsAway("normal"))
      assert.isAtLeast(Math.min(...times), 2000)
      assert.isAtMost(Math.max(...times), 4000)
      assert.isAtLeast(new Set(times).size, 8)
    }))

  it.scoped("logs a change with its level, and one line a second at most", () =>
    Effect.gen(function*() {
      const { look, seen } = yield* guarded({ calmFor: "500 millis" })
      for (const loopDelayMs of [120, 120, 2000, 2000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) {
        seen.now = { ...calm, loopDelayMs }
        yield* look
      }
      assert.deepStrictEqual(seen.lines.map((line) => line.replace(/ after.*; /u, ": ")), [
        "WARN Overload level 1: background calls are turned away, and normal ones as far as need be",
        "WARN Overload level 2: background calls are turned away, and more and more of the normal ones",
        "INFO Overload level 0: every call is let in"
      ])
      assert.include(seen.lines[0] ?? "", "the event loop was 120 ms late, the heap is at 20 % of its limit")
    }))

  it.scoped("takes one pause for no overload, however long", () =>
    Effect.gen(function*() {
      const { look, overload, seen } = yield* guarded()
      for (const loopDelayMs of [1, 3000, 1, 1, 3000, 1]) {
        seen.now = { ...calm, loopDelayMs }
        yield* look
        assert.strictEqual(overload.pressure().level, 0)
      }
    }))

  it.scoped("lets so much in that a turn of the loop stays short, and no more", () =>
    Effect.gen(function*() {
      const { look, overload, seen } = yield* guarded()
      const away = () => priorities.map((priority) => overload.turnsAway(priority) > 0)
      seen.late = 999
      assert.deepStrictEqual(away(), [false, false, false])
      seen.late = 1000
      assert.deepStrictEqual(away(), [true, true, true])
      seen.now = { ...calm, loopDelayMs: 150 }
      yield* look
      yield* look
      seen.late = 0
      assert.deepStrictEqual(away(), [true, false, false])
      seen.late = 100
      assert.deepStrictEqual(away(), [true, true, false])
      seen.late = 250
      assert.deepStrictEqual(away(), [true, true, true])
      // What comes in the next turn is looked at anew.
      seen.late = 0
      assert.deepStrictEqual(away(), [true, false, false])
    }))

  it.scoped("lets fewer and fewer normal calls in while the loop is late, and more again when it is not", () =>
    Effect.gen(function*() {
      const { look, overload, seen } = yield* guarded()
      const letIn = () =>
        Array.from({ length: 640 }, () => overload.turnsAway("normal")).filter((away) => away === 0).length
      seen.now = { ...calm, loopDelayMs: 300 }
      for (let looks = 0; looks < 3; looks++) yield* look
      assert.approximately(letIn(), 448, 2)
      for (let looks = 0; looks < 20; looks++) yield* look
      assert.approximately(letIn(), 10, 1)
      seen.now = calm
      const after: Array<number> = []
      for (let looks = 0; looks < 12; looks++) {
        yield* look
        after.push(letIn())
      }
      assert.deepStrictEqual([...after].sort((a, b) => a - b), after)
      assert.strictEqual(after.at(-1), 640)
      seen.now = { ...calm, heapRatio: 0.93 }
      yield* look
      assert.strictEqual(letIn(), 0)
    }))

  it.scoped("asks a call once that a transport has asked for", () =>
    Effect.gen(function*() {
      const { look, overload, seen } = yield* guarded()
      seen.now = { ...calm, loopDelayMs: 300 }
      for (let looks = 0; looks < 10; looks++) yield* look
      for (let n = 0; n < 100; n++) {
        if (overload.turnsAway("normal") === 0) assert.strictEqual(overload.turnsAway("normal", "sums"), 0)
      }
      assert.isAtLeast(seen.begun.length, 3)
      // What was asked before is no answer to what is asked after it.
      assert.isAbove(overload.turnsAway("normal", "sums"), 0)
    }))

  it.scoped("heals although the date is set back while it is overloaded", () =>
    Effect.gen(function*() {
      const clock = yield* Effect.clock
      let back = 0
      const dated: typeof clock = Object.create(clock, {
        unsafeCurrentTimeMillis: { value: () => clock.unsafeCurrentTimeMillis() - back },
        unsafeCurrentTimeNanos: { value: () => clock.unsafeCurrentTimeNanos() }
      })
      const seen = { loopDelayMs: 0, heapRatio: 0.99 }
      const overload = yield* Overload.make({ measure: () => ({ ...seen }) }).pipe(
        Effect.withClock(dated),
        Effect.provide(Logger.remove(Logger.defaultLogger))
      )
      yield* TestClock.adjust("250 millis")
      assert.strictEqual(overload.pressure().level, 3)
      seen.heapRatio = 0
      yield* TestClock.adjust("250 millis")
      back = 3_600_000
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(overload.pressure().level, 0)
    }))

  it.scoped("names what began before the loop was held up, and what it cannot know", () =>
    Effect.gen(function*() {
      const { look, overload, seen } = yield* guarded()
      overload.turnsAway("normal", "long_sums")
      overload.turnsAway("normal")
      assert.deepStrictEqual(seen.begun, ["long_sums"])
      seen.stall = { ms: 249, tools: ["short_sums"] }
      yield* look
      seen.stall = { ms: 2000.4, tools: ["long_sums", "other_sums"] }
      yield* look
      yield* look
      seen.stall = { ms: 400, tools: [] }
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen.lines, [
        "WARN The event loop was held up for 2000 ms; what began just before: long_sums, other_sums",
        "WARN The event loop was held up for 400 ms; no call began just before, so one that was under way did it, or " +
        "garbage collection"
      ])
      seen.now = { ...calm, heapRatio: 0.99 }
      yield* look
      overload.turnsAway("normal", "turned_away")
      assert.lengthOf(seen.begun, 1)
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

  const hold = (millis: number): void => {
    const end = performance.now() + millis
    while (performance.now() < end) { /* holds up everybody */ }
  }

  it.scopedLive("sees a loop that is held up again and again, by Node's own measure", () =>
    Effect.gen(function*() {
      const overload = yield* Overload.make({ every: "20 millis", loopDelayMs: [60, 5000, 10_000] })
      yield* Effect.repeat(Effect.zipRight(Effect.sleep("1 millis"), Effect.sync(() => hold(150))), {
        until: () => overload.pressure().level > 0
      }).pipe(Effect.timeout("5 seconds"))
      assert.strictEqual(overload.pressure().level, 1)
      assert.isAbove(overload.pressure().heapRatio, 0)
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger))))

  it.scopedLive("knows in the middle of a turn how long it has taken, and afterwards who began it", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.gen(function*() {
      const overload = yield* Overload.make({ every: "20 millis", loopDelayMs: [60, 100, 150] })
      yield* Effect.sleep("60 millis")
      overload.turnsAway("normal", "early_tool")
      // The loop comes round meanwhile, and what began before is above suspicion.
      yield* Effect.sleep("80 millis")
      assert.strictEqual(overload.turnsAway("normal", "evil_loop"), 0)
      hold(300)
      assert.isAbove(overload.turnsAway("critical", "late_tool"), 0)
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => lines.length > 0 }).pipe(
        Effect.timeout("5 seconds")
      )
      assert.strictEqual(overload.turnsAway("normal"), 0)
      assert.match(lines[0] ?? "", /^The event loop was held up for \d+ ms; what began just before: evil_loop$/u)
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
})
