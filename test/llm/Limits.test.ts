import { assert, describe, it } from "@effect/vitest"
import * as Limits from "causeway-mcp/llm/Limits"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as TestClock from "effect/TestClock"

const taken = (result: Limits.Permit | number): Limits.Permit => {
  if (typeof result !== "number") return result
  throw new Error(`no place for ${result} ms`)
}

const now = Clock.clockWith((clock) => Effect.sync(() => Number(clock.unsafeCurrentTimeNanos()) / 1e6))

/** The most that was taken in any minute: one that begins with something taken is among the worst. */
const worstMinute = (log: ReadonlyArray<{ readonly at: number; readonly amount: number }>): number =>
  Math.max(
    0,
    ...log.map(({ at }) =>
      log.filter((entry) => entry.at >= at && entry.at < at + 60_000).reduce((sum, { amount }) => sum + amount, 0)
    )
  )

describe("Limits.tryTake", () => {
  it("sets no limit by itself", () => {
    const limits = Limits.make()
    for (let call = 0; call < 1_000; call++) taken(limits.tryTake(1e9, 0))
    assert.strictEqual(limits.inFlight, 1_000)
    assert.strictEqual(limits.concurrency, Infinity)
    assert.strictEqual(limits.headroom(0), 1)
  })

  it("answers infinity when all places are taken, and a permit when one is given back", () => {
    const limits = Limits.make({ concurrency: 2 })
    const first = taken(limits.tryTake(1, 0))
    taken(limits.tryTake(1, 0))
    assert.strictEqual(limits.tryTake(1, 0), Infinity)
    first.settle(1, 5)
    taken(limits.tryTake(1, 5))
    assert.strictEqual(limits.inFlight, 2)
  })

  it("says after how long there is a request again", () => {
    const limits = Limits.make({ requestsPerMinute: 60 })
    for (let call = 0; call < 5; call++) taken(limits.tryTake(0, 0))
    const wait = limits.tryTake(0, 0)
    assert.isNumber(wait)
    assert.approximately(Number(wait), 60_000 / 55, 1)
    taken(limits.tryTake(0, Number(wait)))
  })

  it("lets one of one and a half requests a minute through in every minute", () => {
    const limits = Limits.make({ requestsPerMinute: 1.5 })
    taken(limits.tryTake(0, 0))
    assert.isNumber(limits.tryTake(0, 59_999))
    taken(limits.tryTake(0, 66_000))
  })

  it("says the longer of two waits", () => {
    const limits = Limits.make({ requestsPerMinute: 60, tokensPerMinute: 6_000, burst: 0.1 })
    for (let call = 0; call < 6; call++) taken(limits.tryTake(100, 0))
    const wait = Number(limits.tryTake(600, 0))
    assert.approximately(wait, 600 / (5_400 / 60_000), 1)
    assert.isAbove(wait, Number(limits.tryTake(1, 0)))
  })

  it("answers NaN for more tokens than a whole minute allows, also when nothing is free", () => {
    const limits = Limits.make({ tokensPerMinute: 1_000, concurrency: 1 })
    assert.isNaN(limits.tryTake(1_001, 0))
    assert.isNaN(limits.tryTake(NaN, 0))
    taken(limits.tryTake(10, 0))
    assert.isNaN(limits.tryTake(1_001, 0))
    assert.strictEqual(limits.tryTake(10, 0), Infinity)
  })

  it("lets more than a burst through when the bucket is full, and makes the next wait for it", () => {
    const limits = Limits.make({ tokensPerMinute: 1_000 })
    taken(limits.tryTake(1_000, 0))
    assert.approximately(Number(limits.tryTake(250, 0)), 1_000 / (750 / 60_000), 1)
  })

  it("changes nothing when it refuses", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.record({
        requestsPerMinute: FastCheck.integer({ min: 1, max: 100 }),
        tokensPerMinute: FastCheck.integer({ min: 10, max: 10_000 }),
        concurrency: FastCheck.integer({ min: 1, max: 5 })
      }),
      FastCheck.array(FastCheck.tuple(FastCheck.nat(2_000), FastCheck.nat(2_500)), { minLength: 20, maxLength: 80 }),
      (options, steps) => {
        const asked = Limits.make(options)
        const spared = Limits.make(options)
        let at = 0
        for (const [pause, tokens] of steps) {
          at += pause
          const result = asked.tryTake(tokens, at)
          // The other limits never hear of what was refused, and stay the same all the same.
          if (typeof result !== "number") taken(spared.tryTake(tokens, at))
          assert.strictEqual(asked.inFlight, spared.inFlight)
          assert.approximately(asked.headroom(at), spared.headroom(at), 1e-9)
        }
      }
    ))
  })

  it("never lets more requests or tokens through in any minute than the limit", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.integer({ min: 1, max: 60 }),
      FastCheck.integer({ min: 40, max: 4_000 }),
      FastCheck.option(FastCheck.double({ min: 0.01, max: 0.99, noNaN: true }), { nil: undefined }),
      FastCheck.array(
        FastCheck.tuple(
          FastCheck.oneof(FastCheck.constant(0), FastCheck.nat(100), FastCheck.nat(20_000)),
          FastCheck.double({ min: 0, max: 1, noNaN: true }),
          FastCheck.boolean()
        ),
        { minLength: 50, maxLength: 300 }
      ),
      (requestsPerMinute, tokensPerMinute, burst, steps) => {
        const limits = Limits.make({ requestsPerMinute, tokensPerMinute, burst })
        const largest = tokensPerMinute * (burst ?? 0.25)
        const requests: Array<{ at: number; amount: number }> = []
        const tokens: Array<{ at: number; amount: number }> = []
        let at = 0
        for (const [pause, share, waits] of steps) {
          at += pause
          const amount = share * largest
          let result = limits.tryTake(amount, at)
          if (typeof result === "number" && waits) {
            at += result
            result = limits.tryTake(amount, at)
          }
          if (typeof result === "number") continue
          requests.push({ at, amount: 1 })
          tokens.push({ at, amount })
          result.settle(amount, at)
        }
        assert.isAtMost(worstMinute(requests), requestsPerMinute)
        assert.isAtMost(worstMinute(tokens), tokensPerMinute * (1 + 1e-6))
      }
    ))
  })
})

describe("Limits.Permit", () => {
  const tokensLeft = (limits: Limits.Limits, at: number): number => limits.headroom(at) * 250

  it("gives back what was reserved and not used", () => {
    const limits = Limits.make({ tokensPerMinute: 1_000 })
    const permit = taken(limits.tryTake(200, 0))
    assert.approximately(tokensLeft(limits, 0), 50, 1e-6)
    permit.settle(20, 0)
    assert.approximately(tokensLeft(limits, 0), 230, 1e-6)
  })

  it("takes what was used and not reserved into debt", () => {
    const limits = Limits.make({ tokensPerMinute: 1_000 })
    taken(limits.tryTake(100, 0)).settle(350, 0)
    assert.strictEqual(limits.headroom(0), 0)
    assert.approximately(Number(limits.tryTake(50, 0)), 150 / (750 / 60_000), 1)
  })

  it("keeps what was reserved when nobody knows what was used", () => {
    const limits = Limits.make({ tokensPerMinute: 1_000 })
    taken(limits.tryTake(100, 0)).settle(undefined, 0)
    assert.approximately(tokensLeft(limits, 0), 150, 1e-6)
    taken(limits.tryTake(100, 0)).settle(-5, 0)
    taken(limits.tryTake(10, 0)).settle(NaN, 0)
    assert.approximately(tokensLeft(limits, 0), 40, 1e-6)
  })

  it("gets over a figure that cannot be within two minutes", () => {
    const limits = Limits.make({ tokensPerMinute: 1_000 })
    for (const used of [1e12, Infinity]) taken(limits.tryTake(0, 0)).settle(used, 0)
    assert.isNumber(limits.tryTake(1, 60_000))
    taken(limits.tryTake(1, 120_000))
  })

  it("gives all back when the call was never sent", () => {
    const limits = Limits.make({ tokensPerMinute: 1_000, requestsPerMinute: 12, concurrency: 3 })
    taken(limits.tryTake(200, 0)).refund(0)
    assert.strictEqual(limits.headroom(0), 1)
    assert.strictEqual(limits.inFlight, 0)
  })

  it("does not give the request back when the call was sent", () => {
    const limits = Limits.make({ requestsPerMinute: 12 })
    taken(limits.tryTake(0, 0)).settle(0, 0)
    assert.isNumber(limits.tryTake(0, 0))
  })

  it("comes back to full from anything that is done with permits, however often", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.array(
        FastCheck.tuple(
          FastCheck.constantFrom("take", "settle", "refund"),
          FastCheck.nat(30),
          FastCheck.nat(300),
          FastCheck.nat(3_000)
        ),
        { maxLength: 200 }
      ),
      (steps) => {
        const limits = Limits.make({ requestsPerMinute: 120, tokensPerMinute: 2_000, concurrency: 4 })
        const permits: Array<Limits.Permit> = []
        let at = 0
        for (const [what, which, tokens, pause] of steps) {
          at += pause
          if (what === "take") {
            const result = limits.tryTake(tokens, at)
            if (typeof result !== "number") permits.push(result)
          } else if (what === "settle") permits[which]?.settle(tokens * 2, at)
          else permits[which]?.refund(at)
          assert.isAtLeast(limits.inFlight, 0)
          assert.isAtMost(limits.inFlight, 4)
          assert.isAtLeast(limits.headroom(at), 0)
          assert.isAtMost(limits.headroom(at), 1)
        }
        for (const permit of permits) {
          permit.settle(0, at)
          permit.refund(at)
        }
        assert.strictEqual(limits.inFlight, 0)
        assert.strictEqual(limits.headroom(at + 300_000), 1)
      }
    ))
  })
})

describe("Limits.sync", () => {
  it("lowers levels to what the provider says, and never raises them", () => {
    const limits = Limits.make({ requestsPerMinute: 120, tokensPerMinute: 1_000 })
    limits.sync({ tokens: 25, requests: 1_000 }, 0)
    assert.approximately(limits.headroom(0), 0.1, 1e-9)
    limits.sync({ tokens: 1_000 }, 0)
    assert.approximately(limits.headroom(0), 0.1, 1e-9)
    limits.sync({ requests: 0 }, 0)
    assert.strictEqual(limits.headroom(0), 0)
  })

  it("takes no notice of what is no number", () => {
    const limits = Limits.make({ requestsPerMinute: 120, tokensPerMinute: 1_000 })
    limits.sync({ tokens: NaN, requests: -1 }, 0)
    assert.strictEqual(limits.headroom(0), 1)
  })
})

describe("Limits.released", () => {
  it.effect("does not wait while a place is free", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ concurrency: 1 })
      yield* limits.released
      taken(limits.tryTake(0, 0)).settle(0, 0)
      yield* limits.released
    }))

  it.effect("wakes those who wait in the order of asking, one for each place", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ concurrency: 2 })
      const permits = [taken(limits.tryTake(0, 0)), taken(limits.tryTake(0, 0))]
      const order: Array<number> = []
      const fibers = yield* Effect.forEach([0, 1, 2, 3], (caller) =>
        Effect.fork(Effect.map(limits.released, () => {
          permits.push(taken(limits.tryTake(0, 0)))
          order.push(caller)
        })))
      yield* Effect.yieldNow()
      assert.deepStrictEqual(order, [])
      permits[0]?.settle(0, 0)
      permits[1]?.refund(0)
      yield* Fiber.joinAll(fibers.slice(0, 2))
      assert.deepStrictEqual(order, [0, 1])
      permits[2]?.settle(0, 0)
      permits[3]?.settle(0, 0)
      yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(order, [0, 1, 2, 3])
      assert.strictEqual(limits.inFlight, 2)
    }))

  it.effect("keeps a place that came free for the one who was woken", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ concurrency: 1 })
      const permit = taken(limits.tryTake(0, 0))
      const fiber = yield* Effect.fork(Effect.map(limits.released, () => limits.tryTake(0, 0)))
      yield* Effect.yieldNow()
      permit.settle(0, 0)
      assert.strictEqual(limits.tryTake(0, 0), Infinity)
      taken(yield* Fiber.join(fiber))
    }))

  it.effect("passes over those who have left", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ concurrency: 1 })
      const permit = taken(limits.tryTake(0, 0))
      const leaving = yield* Effect.fork(limits.released)
      const staying = yield* Effect.fork(limits.released)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(leaving)
      permit.settle(0, 0)
      yield* Fiber.join(staying)
    }))

  it.effect("keeps no place for those who have left", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ concurrency: 1 })
      const permit = taken(limits.tryTake(0, 0))
      const leaving = yield* Effect.fork(limits.released)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(leaving)
      permit.settle(0, 0)
      taken(limits.tryTake(0, 0))
    }))

  it.effect("wakes the next when the one who was woken is interrupted before it could try", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ concurrency: 1 })
      const permit = taken(limits.tryTake(0, 0))
      const first = yield* Effect.fork(Effect.map(limits.released, () => limits.tryTake(0, 0)))
      const second = yield* Effect.fork(Effect.map(limits.released, () => limits.tryTake(0, 0)))
      yield* Effect.yieldNow()
      permit.settle(0, 0)
      yield* Fiber.interruptAsFork(first, FiberId.none)
      taken(yield* Fiber.join(second))
      assert.strictEqual(limits.inFlight, 1)
    }))

  it.effect("wakes the next when the one who was woken does not want the place any more", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ concurrency: 1 })
      const permit = taken(limits.tryTake(0, 0))
      const fibers = yield* Effect.forEach([0, 1, 2, 3, 4], () => Effect.fork(limits.released))
      yield* Effect.yieldNow()
      permit.settle(0, 0)
      yield* Fiber.joinAll(fibers)
      taken(limits.tryTake(0, 0))
    }))

  it.effect("lets every caller through once, whoever leaves in between", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ concurrency: 3 })
      let most = 0
      let done = 0
      const call: Effect.Effect<void> = Effect.suspend(() => {
        const result = limits.tryTake(0, 0)
        if (typeof result === "number") return Effect.zipRight(limits.released, call)
        most = Math.max(most, limits.inFlight)
        return Effect.ensuring(
          Effect.sleep("1 second"),
          Effect.sync(() => {
            done += 1
            result.settle(0, 0)
          })
        )
      })
      const fibers = yield* Effect.forEach(Array.from({ length: 60 }), () => Effect.fork(call))
      yield* Effect.yieldNow()
      yield* Effect.forEach(fibers.filter((_, index) => index % 4 === 3), Fiber.interrupt)
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers.filter((_, index) => index % 4 !== 3), Fiber.join)
      assert.strictEqual(most, 3)
      assert.strictEqual(done, 45)
      assert.strictEqual(limits.inFlight, 0)
    }))
})

describe("Limits under load", () => {
  it.effect("lets no more than 60 of 1,000 callers at once through in any minute", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ requestsPerMinute: 60, concurrency: 20 })
      const log: Array<{ at: number; amount: number }> = []
      // All ask at once; those that are refused ask again one at a time and in
      // bursts, since the fake clock takes 10 ms and more for every wake-up.
      const again = yield* Effect.makeSemaphore(1)
      const attempt = Effect.map(now, (at) => {
        const result = limits.tryTake(100, at)
        if (typeof result !== "number") log.push({ at, amount: 1 })
        return result
      })
      const persist: Effect.Effect<Limits.Permit> = Effect.flatMap(
        attempt,
        (result) =>
          typeof result === "number"
            ? Effect.zipRight(result === Infinity ? limits.released : Effect.sleep(Math.max(result, 5_000)), persist)
            : Effect.succeed(result)
      )
      const call = Effect.gen(function*() {
        const first = yield* attempt
        const permit = typeof first === "number" ? yield* again.withPermits(1)(persist) : first
        permit.settle(80, yield* now)
      })
      const fibers = yield* Effect.forEach(Array.from({ length: 1_000 }), () => Effect.fork(call))
      yield* Effect.yieldNow()
      yield* TestClock.adjust("3 minutes")
      assert.isAbove(log.length, 150)
      assert.isAtMost(worstMinute(log), 60)
      yield* Fiber.interruptAll(fibers)
    }))

  it("uses up the limit and no more when it is asked a hundred times a second for ten minutes", () => {
    const limits = Limits.make({ requestsPerMinute: 60 })
    const log: Array<{ at: number; amount: number }> = []
    for (let at = 0; at < 600_000; at += 10) {
      const result = limits.tryTake(1, at)
      if (typeof result === "number") continue
      log.push({ at, amount: 1 })
      result.settle(1, at)
    }
    assert.isAtMost(worstMinute(log), 60)
    assert.isAbove(log.length, 540)
  })
})

describe("Limits.make", () => {
  it.each<[string, Limits.Options]>([
    ["requestsPerMinute", { requestsPerMinute: 0 }],
    ["requestsPerMinute", { requestsPerMinute: -1 }],
    ["requestsPerMinute", { requestsPerMinute: NaN }],
    ["tokensPerMinute", { tokensPerMinute: Infinity }],
    ["tokensPerMinute", { tokensPerMinute: 0.5 }],
    ["concurrency", { concurrency: 0 }],
    ["concurrency", { concurrency: 1.5 }],
    ["burst", { burst: 0 }],
    ["burst", { burst: 1 }],
    ["burst", { burst: NaN }]
  ])("refuses a %s out of its range: %o", (name, options) => {
    assert.throws(() => Limits.make(options), RangeError, new RegExp(`^${name} `, "u"))
  })
})
