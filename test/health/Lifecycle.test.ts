import { assert, describe, it } from "@effect/vitest"
import * as Lifecycle from "causeway-mcp/health/Lifecycle"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"

describe("Lifecycle", () => {
  it.effect("starts, is ready once, drains for good, and says since when", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => lines.push(String(message))))
      yield* Effect.gen(function*() {
        const { begin, drain, since, state } = yield* Lifecycle.Lifecycle
        assert.deepStrictEqual([state(), since()], ["starting", 0])
        yield* TestClock.adjust("1 seconds")
        yield* begin
        assert.deepStrictEqual([state(), since()], ["ready", 1000])
        yield* TestClock.adjust("1 seconds")
        yield* begin
        assert.deepStrictEqual([state(), since()], ["ready", 1000])
        yield* drain
        yield* TestClock.adjust("1 seconds")
        yield* drain
        yield* begin
        assert.deepStrictEqual([state(), since()], ["draining", 2000])
      }).pipe(Effect.provide(Lifecycle.layer), Effect.provide(logger))
      assert.lengthOf(lines, 1)
      assert.match(lines[0] ?? "", /^Draining/)
    }))

  it.effect("drains though it was never ready", () =>
    Effect.gen(function*() {
      const lifecycle = yield* Lifecycle.make
      yield* lifecycle.drain
      yield* lifecycle.begin
      assert.strictEqual(lifecycle.state(), "draining")
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger))))
})
