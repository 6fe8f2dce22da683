import { assert, describe, it } from "@effect/vitest"
import { FetchFailed } from "causeway-mcp/auth/internal/JsonFetch"
import * as KeySet from "causeway-mcp/auth/internal/KeySet"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"

interface Play {
  answer: Effect.Effect<string, FetchFailed>
  fetches: number
  changes: number
}

const down = Effect.fail(new FetchFailed({ what: "it did not answer" }))

const make = (answer: Effect.Effect<string, FetchFailed>) =>
  Effect.gen(function*() {
    const play: Play = { answer, fetches: 0, changes: 0 }
    const keySet = yield* KeySet.make<{ readonly text: string }>({
      clock: yield* Effect.clock,
      fetch: Effect.suspend(() => {
        play.fetches += 1
        return Effect.map(play.answer, (text) => ({ text }))
      }),
      cooldownMillis: 30_000,
      staleMillis: 86_400_000,
      isSame: (left, right) => left.text === right.text,
      changed: () => {
        play.changes += 1
      }
    })
    return { keySet, play }
  }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))

const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

describe("KeySet", () => {
  it.scoped("fetches once for all who come at once, and nothing before", () =>
    Effect.gen(function*() {
      const { keySet, play } = yield* make(Effect.delay(Effect.succeed("a"), "1 second"))
      assert.strictEqual(play.fetches, 0)
      const fiber = yield* Effect.fork(
        Effect.all(Array.from({ length: 1000 }, () => keySet.current), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.strictEqual(new Set(yield* Fiber.join(fiber)).size, 1)
      assert.strictEqual(play.fetches, 1)
    }))

  it.scoped("goes on fetching for the others when the one who began leaves", () =>
    Effect.gen(function*() {
      const { keySet, play } = yield* make(Effect.delay(Effect.succeed("a"), "1 second"))
      const first = yield* Effect.fork(keySet.current)
      yield* Effect.yieldNow()
      const second = yield* Effect.fork(keySet.current)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(second)).text, "a")
      assert.strictEqual(play.fetches, 1)
    }))

  it.scoped("fetches for unknown keys once in a cooldown, however many come", () =>
    Effect.gen(function*() {
      const { keySet, play } = yield* make(Effect.succeed("a"))
      const keys = yield* keySet.current
      const flood = Effect.forEach(Array.from({ length: 1000 }), () => keySet.newer(keys), { concurrency: "unbounded" })
      yield* flood
      assert.strictEqual(play.fetches, 1)
      for (const fetches of [2, 3]) {
        yield* TestClock.adjust("30 seconds")
        assert.deepStrictEqual([...new Set(yield* flood)], [undefined])
        assert.strictEqual(play.fetches, fetches)
      }
      assert.strictEqual(play.changes, 0)
    }))

  it.scoped("gives new keys to a token of one, says that they have changed, and to others without a fetch", () =>
    Effect.gen(function*() {
      const { keySet, play } = yield* make(Effect.succeed("a"))
      const old = yield* keySet.current
      play.answer = Effect.succeed("b")
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* keySet.newer(old), { text: "b" })
      assert.deepStrictEqual(yield* keySet.newer(old), { text: "b" })
      assert.deepStrictEqual([play.fetches, play.changes], [2, 1])
    }))

  it.scoped("fetches keys of ten minutes anew while they serve", () =>
    Effect.gen(function*() {
      const { keySet, play } = yield* make(Effect.succeed("a"))
      yield* keySet.current
      play.answer = Effect.delay(Effect.succeed("b"), "1 second")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* keySet.current).text, "a")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* keySet.current).text, "b")
      assert.strictEqual(play.fetches, 2)
    }))

  it.scoped("serves keys that cannot be fetched anew for a day, and not longer", () =>
    Effect.gen(function*() {
      const { keySet, play } = yield* make(Effect.succeed("a"))
      yield* keySet.current
      play.answer = down
      for (let hour = 0; hour < 23; hour++) {
        yield* TestClock.adjust("1 hour")
        assert.strictEqual((yield* quiet(keySet.current)).text, "a")
      }
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Effect.flip(quiet(keySet.current)))._tag, "Unavailable")
      play.answer = Effect.succeed("b")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* keySet.current).text, "b")
    }))

  it.scoped("says at once that there are none between two tries, and tries again two seconds later", () =>
    Effect.gen(function*() {
      const { keySet, play } = yield* make(down)
      for (let turn = 0; turn < 100; turn++) yield* Effect.flip(quiet(keySet.current))
      assert.strictEqual(play.fetches, 1)
      play.answer = Effect.succeed("a")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* keySet.current).text, "a")
    }))

  it.scoped("cannot tell of an unknown key while the server is away", () =>
    Effect.gen(function*() {
      const { keySet, play } = yield* make(Effect.succeed("a"))
      const keys = yield* keySet.current
      play.answer = down
      yield* TestClock.adjust("30 seconds")
      for (let turn = 0; turn < 100; turn++) {
        assert.strictEqual((yield* Effect.flip(quiet(keySet.newer(keys))))._tag, "Unavailable")
      }
      assert.strictEqual(play.fetches, 2)
    }))
})
