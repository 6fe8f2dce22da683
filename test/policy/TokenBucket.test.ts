import { assert, describe, it } from "@effect/vitest"
import * as TokenBucket from "causeway-mcp/policy/TokenBucket"
import * as FastCheck from "effect/FastCheck"

const minute = 60_000

/** A limit and a burst below it, and takes as shares of the burst with the pauses before them. */
const traffic = FastCheck.record({
  limit: FastCheck.integer({ min: 1, max: 5000 }),
  burst: FastCheck.option(FastCheck.double({ min: 0.01, max: 0.99, noNaN: true })),
  startsAt: FastCheck.constantFrom(0, 0.25, -5000, 1e9),
  takes: FastCheck.array(
    FastCheck.record({
      pause: FastCheck.oneof(
        FastCheck.constant(0),
        FastCheck.double({ min: 0, max: 500, noNaN: true }),
        FastCheck.integer({ min: 0, max: 30_000 })
      ),
      share: FastCheck.double({ min: 0, max: 1, noNaN: true })
    }),
    { minLength: 1, maxLength: 200, size: "max" }
  )
})

describe("TokenBucket.perMinute", () => {
  it("lets no minute take more than the limit, wherever it begins", () => {
    FastCheck.assert(
      FastCheck.property(traffic, ({ burst, limit, startsAt, takes }) => {
        const options = burst === null
          ? TokenBucket.perMinute(limit)
          : TokenBucket.perMinute(limit, burst * limit)
        const bucket = TokenBucket.make(options)
        const taken: Array<{ readonly at: number; readonly amount: number }> = []
        let now = startsAt
        for (const { pause, share } of takes) {
          now += pause
          const amount = share * options.capacity
          const wait = bucket.tryTake(amount, now)
          if (wait === 0) taken.push({ at: now, amount })
          else {
            // Whoever keeps to the wait is not turned away again.
            now += wait
            assert.strictEqual(bucket.tryTake(amount, now), 0)
            taken.push({ at: now, amount })
          }
        }
        for (const { at } of taken) {
          const sum = taken.reduce(
            (sum, take) => take.at >= at && take.at <= at + minute ? sum + take.amount : sum,
            0
          )
          assert.isAtMost(sum, limit * (1 + 1e-6))
        }
      }),
      { numRuns: 300 }
    )
  })

  it("lets whole requests through up to the limit, also one below twelve a minute", () => {
    for (const limit of [1, 2, 7, 12, 60, 500]) {
      const bucket = TokenBucket.make(TokenBucket.perMinute(limit))
      const taken: Array<number> = []
      for (let now = 0; now <= 3 * minute; now += 10) while (bucket.tryTake(1, now) === 0) taken.push(now)
      for (const from of taken) {
        assert.isAtMost(taken.filter((at) => at >= from && at <= from + minute).length, limit)
      }
      assert.isAtLeast(taken.length, Math.floor(2 * limit * 11 / 12))
    }
  })

  it("lets a twelfth of the limit through at once unless told otherwise", () => {
    assert.deepStrictEqual(TokenBucket.perMinute(120), { capacity: 10, perSecond: 110 / 60 })
    assert.deepStrictEqual(TokenBucket.perMinute(120, 60), { capacity: 60, perSecond: 1 })
  })

  it("refuses a limit and a burst that make no sense", () => {
    for (const limit of [0, -1, NaN, Infinity]) assert.throws(() => TokenBucket.perMinute(limit), RangeError)
    for (const burst of [0, -1, NaN, Infinity, 60, 61]) {
      assert.throws(() => TokenBucket.perMinute(60, burst), RangeError)
    }
  })
})

describe("TokenBucket", () => {
  const make = () => TokenBucket.make({ capacity: 10, perSecond: 2 })

  it("is full at its first moment, whatever that is", () => {
    for (const now of [0, -7, 0.5, 1e12]) {
      const bucket = make()
      assert.strictEqual(bucket.level(now), 10)
      assert.strictEqual(bucket.tryTake(10, now), 0)
      assert.strictEqual(bucket.tryTake(1, now), 500)
      assert.strictEqual(bucket.level(now + 250), 0.5)
    }
  })

  it("tells the wait to the millisecond and takes nothing until then", () => {
    const bucket = make()
    bucket.tryTake(10, 0)
    assert.strictEqual(bucket.tryTake(3, 0), 1500)
    assert.strictEqual(bucket.tryTake(3, 1499), 1)
    assert.strictEqual(bucket.tryTake(3, 1500), 0)
    assert.strictEqual(bucket.level(1500), 0)
  })

  it("gives more than it holds when it is full, and is in debt then", () => {
    const bucket = make()
    assert.strictEqual(bucket.tryTake(30, 0), 0)
    assert.strictEqual(bucket.level(0), -20)
    assert.strictEqual(bucket.tryTake(1, 0), 10_500)
    assert.strictEqual(bucket.tryTake(30, 0), 15_000)
    assert.strictEqual(bucket.tryTake(30, 15_000), 0)
  })

  it("lets someone who needs nothing pass, also while it is in debt", () => {
    const bucket = make()
    bucket.tryTake(30, 0)
    assert.strictEqual(bucket.tryTake(0, 0), 0)
    assert.strictEqual(bucket.level(0), -20)
  })

  it("does not fill while the clock goes back", () => {
    const bucket = make()
    bucket.tryTake(10, 1000)
    assert.strictEqual(bucket.level(0), 0)
    assert.strictEqual(bucket.level(1000), 0)
    assert.strictEqual(bucket.level(1500), 1)
  })

  it("is as before when all that was taken is given back at once", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 0, max: 10 }),
        FastCheck.integer({ min: 0, max: 10 }),
        (before, amount) => {
          const bucket = make()
          bucket.tryTake(before, 0)
          const level = bucket.level(0)
          if (bucket.tryTake(amount, 0) === 0) bucket.give(amount, 0)
          assert.strictEqual(bucket.level(0), level)
        }
      )
    )
  })

  it("comes to the same whether an amount was taken at once or reserved and settled", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.nat(10), FastCheck.nat(25), (reserved, used) => {
        const settled = make()
        settled.tryTake(reserved, 0)
        settled.give(reserved - used, 0)
        assert.strictEqual(settled.level(0), 10 - used)
      })
    )
  })

  it("never holds more than its capacity", () => {
    const bucket = make()
    bucket.give(100, 0)
    assert.strictEqual(bucket.level(1e6), 10)
  })

  it("is lowered to what others say is left, and never raised", () => {
    const bucket = make()
    bucket.lowerTo(4, 0)
    assert.strictEqual(bucket.level(0), 4)
    bucket.lowerTo(9, 0)
    assert.strictEqual(bucket.level(0), 4)
  })

  it("refuses what is no number and changes nothing then", () => {
    const bucket = make()
    for (const wrong of [NaN, Infinity, -Infinity]) {
      assert.throws(() => bucket.tryTake(wrong, 0), RangeError)
      assert.throws(() => bucket.give(wrong, 0), RangeError)
      assert.throws(() => bucket.lowerTo(wrong, 0), RangeError)
      assert.throws(() => bucket.tryTake(1, wrong), RangeError)
      assert.throws(() => bucket.level(wrong), RangeError)
    }
    assert.throws(() => bucket.tryTake(-1, 0), RangeError)
    assert.strictEqual(bucket.level(0), 10)
  })

  it("refuses options that are no positive numbers, by name", () => {
    for (const wrong of [0, -1, NaN, Infinity]) {
      assert.throws(() => TokenBucket.make({ capacity: wrong, perSecond: 1 }), RangeError, /^capacity/u)
      assert.throws(() => TokenBucket.make({ capacity: 1, perSecond: wrong }), RangeError, /^perSecond/u)
    }
  })
})
