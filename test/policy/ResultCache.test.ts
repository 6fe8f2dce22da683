import { assert, describe, it, layer } from "@effect/vitest"
import * as ResultCache from "causeway-mcp/policy/ResultCache"
import * as ResultCacheLaws from "causeway-mcp/testing/ResultCacheLaws"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"

layer(ResultCache.layerMemory)("ResultCache.layerMemory", (it) => {
  for (const { check, name } of ResultCacheLaws.laws) it.effect(name, () => check)
})

const kept = (length: number): ResultCache.Kept => ({ json: "x".repeat(length), madeAt: length })

const key = FastCheck.constantFrom("", "a", "ab", "abc", "b", "ba", "B")

const operation = FastCheck.oneof(
  FastCheck.record({ kind: FastCheck.constant("get" as const), key }),
  FastCheck.record({
    kind: FastCheck.constant("set" as const),
    key,
    length: FastCheck.nat(120),
    forMillis: FastCheck.integer({ min: -10, max: 500 })
  }),
  FastCheck.record({ kind: FastCheck.constant("forget" as const), key }),
  FastCheck.record({ kind: FastCheck.constant("pass" as const), millis: FastCheck.nat(200) })
)

describe("ResultCache.make", () => {
  for (const { check, name } of ResultCacheLaws.timedLaws) {
    it.effect(name, () => Effect.provide(check(TestClock.adjust), ResultCache.layerMemory))
  }

  it.effect("is an Exit already, so that no fiber is needed", () =>
    Effect.gen(function*() {
      const cache = yield* ResultCache.make()
      assert.isTrue(Exit.isExit(cache.get("a")))
      yield* cache.set("a", kept(1), 1000)
      assert.isTrue(Exit.isExit(cache.get("a")))
    }))

  it.effect("forgets at the very moment the time has passed, and not before", () =>
    Effect.gen(function*() {
      const cache = yield* ResultCache.make()
      yield* cache.set("a", kept(1), 60_000)
      yield* TestClock.adjust("59999 millis")
      assert.isTrue(Option.isSome(yield* cache.get("a")))
      yield* TestClock.adjust("1 millis")
      assert.isTrue(Option.isNone(yield* cache.get("a")))
    }))

  it.effect("lets the longest unused go when it holds too much", () =>
    Effect.gen(function*() {
      const cache = yield* ResultCache.make({ maxBytes: 10_000 })
      for (const name of ["a", "b", "c"]) yield* cache.set(name, kept(2500), 1000)
      yield* cache.get("a")
      yield* cache.set("d", kept(2500), 1000)
      const found = yield* Effect.filter(["a", "b", "c", "d"], (name) => Effect.map(cache.get(name), Option.isSome))
      assert.deepStrictEqual(found, ["a", "c", "d"])
    }))

  it.effect("counts small answers with what they cost to keep", () =>
    Effect.gen(function*() {
      const cache = yield* ResultCache.make({ maxBytes: 100_000 })
      for (let index = 0; index < 10_000; index++) yield* cache.set(`${index}`, kept(0), 1000)
      const found = yield* Effect.filter(Array.from({ length: 10_000 }, (_, index) => `${index}`), (name) =>
        Effect.map(cache.get(name), Option.isSome))
      assert.isBelow(found.length, 500)
      assert.isAbove(found.length, 400)
    }))

  it("is as a map that forgets, with room for everything", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(operation, { maxLength: 100, size: "max" }), (operations) => {
        let now = 0
        const clock = Object.assign(Clock.make(), { unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n })
        const cache = Effect.runSync(Effect.withClock(ResultCache.make({ maxEntryBytes: 100 }), clock))
        const model = new Map<string, { readonly kept: ResultCache.Kept; readonly until: number }>()
        for (const step of operations) {
          if (step.kind === "pass") now += step.millis
          else if (step.kind === "forget") {
            Effect.runSync(cache.forget(step.key))
            for (const known of [...model.keys()]) if (known.startsWith(step.key)) model.delete(known)
          } else if (step.kind === "set") {
            Effect.runSync(cache.set(step.key, kept(step.length), step.forMillis))
            model.delete(step.key)
            if (step.length <= 100) model.set(step.key, { kept: kept(step.length), until: now + step.forMillis })
          } else {
            const found = model.get(step.key)
            const expected = found === undefined || found.until <= now ? Option.none() : Option.some(found.kept)
            assert.deepStrictEqual(Effect.runSync(cache.get(step.key)), expected)
          }
        }
      }),
      { numRuns: 500 }
    )
  })
})
