import { assert, describe, it } from "@effect/vitest"
import * as RetryBudget from "causeway-mcp/policy/RetryBudget"
import * as FastCheck from "effect/FastCheck"

const withdrawAll = (budget: RetryBudget.RetryBudget, now: number): number => {
  let count = 0
  while (budget.tryWithdraw(now)) count++
  return count
}

describe("RetryBudget", () => {
  it("keeps 2,000 calls that all fail within four seconds to a seventh more at most", () => {
    const budget = RetryBudget.make({ ratio: 0.1, minPerSecond: 1 })
    let retries = 0
    for (let call = 0; call < 2000; call++) {
      budget.deposit(call * 2)
      if (budget.tryWithdraw(call * 2)) retries++
    }
    // A tenth of the calls, and a retry a second: ten saved up and four earned.
    assert.isAtLeast(retries, 200)
    assert.isAtMost(retries, 200 + 10 + 4)
    assert.isAtMost((2000 + retries) / 2000, 1.15)
  })

  it("never allows more than its share of the calls and its floor", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.double({ min: 0, max: 1, noNaN: true }),
        FastCheck.double({ min: 0, max: 5, noNaN: true }),
        FastCheck.array(
          FastCheck.record({ pause: FastCheck.nat(3000), deposits: FastCheck.nat(20), retries: FastCheck.nat(20) }),
          { maxLength: 60, size: "max" }
        ),
        (ratio, minPerSecond, steps) => {
          const budget = RetryBudget.make({ ratio, minPerSecond })
          let now = 0
          let deposits = 0
          let retries = 0
          for (const step of steps) {
            now += step.pause
            for (let i = 0; i < step.deposits; i++) budget.deposit(now)
            deposits += step.deposits
            const balance = budget.balance(now)
            let granted = 0
            for (let i = 0; i < step.retries; i++) if (budget.tryWithdraw(now)) granted++
            assert.strictEqual(granted, Math.min(step.retries, balance))
            retries += granted
            const floor = minPerSecond === 0 ? 0 : Math.max(1, minPerSecond * 10) + minPerSecond * now / 1000
            assert.isAtMost(retries, ratio * deposits + floor + 1e-6)
          }
        }
      )
    )
  })

  it("allows its floor when there are no first calls, and no more than ten seconds of it at once", () => {
    const budget = RetryBudget.make({ minPerSecond: 2 })
    assert.strictEqual(withdrawAll(budget, 0), 20)
    assert.strictEqual(withdrawAll(budget, 499), 0)
    assert.strictEqual(withdrawAll(budget, 500), 1)
    assert.strictEqual(withdrawAll(budget, 1_000_000), 20)
  })

  it("saves up one whole retry however low the floor is", () => {
    const budget = RetryBudget.make({ minPerSecond: 0.01 })
    assert.strictEqual(withdrawAll(budget, 0), 1)
    assert.strictEqual(withdrawAll(budget, 99_000), 0)
    assert.strictEqual(withdrawAll(budget, 100_000), 1)
  })

  it("counts ten tenths as one", () => {
    const budget = RetryBudget.make({ ratio: 0.1, minPerSecond: 0 })
    for (let call = 0; call < 9; call++) budget.deposit(0)
    assert.isFalse(budget.tryWithdraw(0))
    budget.deposit(0)
    assert.isTrue(budget.tryWithdraw(0))
    assert.isFalse(budget.tryWithdraw(0))
  })

  it("forgets first calls after their time, and spends the oldest first", () => {
    const budget = RetryBudget.make({ ratio: 1, minPerSecond: 0, ttl: "10 seconds" })
    budget.deposit(0)
    budget.deposit(5000)
    assert.strictEqual(budget.balance(9999), 2)
    assert.isTrue(budget.tryWithdraw(9999))
    assert.strictEqual(budget.balance(10_000), 1)
    assert.strictEqual(budget.balance(14_999), 1)
    assert.strictEqual(budget.balance(15_000), 0)
  })

  it("allows none when it has neither a share nor a floor", () => {
    const budget = RetryBudget.make({ ratio: 0, minPerSecond: 0 })
    for (let call = 0; call < 1000; call++) budget.deposit(call)
    assert.isFalse(budget.tryWithdraw(1000))
    assert.strictEqual(budget.balance(1000), 0)
  })

  it("refuses options out of their range, by name", () => {
    for (const wrong of [-1, NaN, Infinity]) {
      assert.throws(() => RetryBudget.make({ ratio: wrong }), RangeError, /^ratio/u)
      assert.throws(() => RetryBudget.make({ minPerSecond: wrong }), RangeError, /^minPerSecond/u)
    }
    assert.throws(() => RetryBudget.make({ ttl: 0 }), RangeError, /^ttl/u)
    assert.throws(() => RetryBudget.make({ ttl: Infinity }), RangeError, /^ttl/u)
  })
})
