import { assert, describe, it } from "@effect/vitest"
import * as Budget from "causeway-mcp/llm/Budget"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as TestClock from "effect/TestClock"

const refused = (budget: Budget.Budget, tenant: string | undefined, usd: number | undefined) =>
  Effect.flip(budget.reserve(tenant, usd))

/** A wall clock that a test sets, beside one that only goes forward. */
const twoClocks = () => {
  const at = { wall: 0, steady: 0 }
  const clock: Clock.Clock = {
    ...Clock.make(),
    unsafeCurrentTimeMillis: () => at.wall,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(at.steady * 1e6))
  }
  return { at, clock }
}

const hour = 3_600_000

describe("Budget", () => {
  it.effect("lets exactly ten of a hundred calls at once through when there is room for ten", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ total: 1 })
      const results = yield* Effect.forEach(
        Array.from({ length: 100 }),
        () => Effect.either(Effect.zipLeft(budget.reserve("a", 0.1), Effect.yieldNow())),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(results.filter(Either.isRight).length, 10)
      assert.strictEqual(yield* budget.left(), 0)
    }))

  it.effect("has room for as many as a limit holds, without a remainder of adding up", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ perTenant: 0.3 })
      for (let n = 0; n < 3; n++) yield* budget.reserve("a", 0.1)
      assert.strictEqual(yield* budget.left("a"), 0)
      assert.strictEqual((yield* refused(budget, "a", 0.1)).reason, "BudgetExceeded")
    }))

  it.effect("settles less or more than was reserved, and the first of settle and release counts", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ total: 10 })
      const cheap = yield* budget.reserve("a", 5)
      assert.strictEqual(yield* budget.left(), 5)
      yield* cheap.settle(1)
      yield* cheap.release
      yield* cheap.settle(9)
      assert.strictEqual(yield* budget.left(), 9)
      const dear = yield* budget.reserve("a", 5)
      yield* dear.settle(20)
      assert.strictEqual(yield* budget.left(), 0)
      assert.strictEqual((yield* refused(budget, "a", 0.01)).reason, "BudgetExceeded")
    }))

  it.effect("gives back all of a call that was never sent, and keeps all when nobody can say what it cost", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ total: 10 })
      const unsent = yield* budget.reserve(undefined, 4)
      yield* unsent.release
      yield* unsent.release
      assert.strictEqual(yield* budget.left(), 10)
      for (const usd of [Number.NaN, -5, Number.POSITIVE_INFINITY]) {
        const reservation = yield* budget.reserve(undefined, 1)
        yield* reservation.settle(usd)
      }
      assert.strictEqual(yield* budget.left(), 7)
    }))

  it.effect("begins anew with each period, and says how long that is", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ total: 1, period: "1 hour" })
      yield* TestClock.adjust("15 minutes")
      yield* budget.reserve("a", 1)
      assert.strictEqual((yield* refused(budget, "a", 0.5)).retryAfterMs, 45 * 60_000)
      yield* TestClock.adjust("44 minutes")
      assert.strictEqual((yield* refused(budget, "a", 0.5)).retryAfterMs, 60_000)
      yield* TestClock.adjust("1 minute")
      yield* budget.reserve("a", 0.5)
      assert.strictEqual(yield* budget.left("a"), 0.5)
    }))

  it.effect("counts a call in the period in which it was reserved, however late it is settled", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ total: 10, perTenant: 10, period: "1 hour" })
      const late = yield* budget.reserve("a", 5)
      const later = yield* budget.reserve("a", 5)
      yield* TestClock.adjust("1 hour")
      const own = yield* budget.reserve("a", 2)
      yield* late.settle(100)
      yield* later.release
      assert.strictEqual(yield* budget.left(), 8)
      assert.strictEqual(yield* budget.left("a"), 8)
      yield* own.settle(3)
      assert.strictEqual(yield* budget.left("a"), 7)
    }))

  it.effect("gives no money back when the wall clock is set back, and begins anew in time all the same", () => {
    const { at, clock } = twoClocks()
    return Effect.gen(function*() {
      const budget = Budget.make({ total: 1, period: "1 hour" })
      at.wall = 10 * hour + 60_000
      at.steady = 60_000
      yield* budget.reserve("a", 1)
      at.wall -= hour
      assert.strictEqual(yield* budget.left(), 0)
      assert.strictEqual((yield* refused(budget, "a", 1)).retryAfterMs, hour)
      at.wall += hour - 1
      at.steady += hour - 1
      assert.strictEqual(yield* budget.left(), 0)
      at.wall = 11 * hour
      assert.strictEqual(yield* budget.left(), 1)
    }).pipe(Effect.withClock(clock))
  })

  it.effect("is not stuck when the wall clock was far ahead for a moment", () => {
    const { at, clock } = twoClocks()
    return Effect.gen(function*() {
      const budget = Budget.make({ total: 1, period: "1 hour" })
      at.wall = 87_600 * hour
      yield* budget.reserve("a", 1)
      at.wall = 0
      const error = yield* refused(budget, "a", 1)
      assert.strictEqual(error.retryAfterMs, hour)
      at.wall = hour
      at.steady = hour
      yield* budget.reserve("a", 1)
    }).pipe(Effect.withClock(clock))
  })

  it.effect("holds each tenant to its own limit, those without a name together", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ total: 10, perTenant: 1, tenants: { big: 5, none: 0 } })
      yield* budget.reserve("a", 1)
      assert.include((yield* refused(budget, "a", 0.1)).description, "this tenant")
      yield* budget.reserve("b", 1)
      yield* budget.reserve("big", 5)
      yield* budget.reserve(undefined, 1)
      assert.strictEqual((yield* refused(budget, undefined, 0.1)).reason, "BudgetExceeded")
      assert.strictEqual((yield* refused(budget, "none", 0.1)).reason, "BudgetExceeded")
      assert.strictEqual(yield* budget.left(), 2)
      yield* budget.reserve("c", 1)
      yield* budget.reserve("d", 1)
      assert.strictEqual(yield* budget.left("big"), 0)
      assert.include((yield* refused(budget, "e", 0.5)).description, "in all")
    }))

  it.effect("takes the names of Object's own members for names", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ perTenant: 1, tenants: { ["__proto__"]: 3 } })
      for (const tenant of ["constructor", "toString", "hasOwnProperty", ""]) {
        assert.strictEqual(yield* budget.left(tenant), 1)
        yield* budget.reserve(tenant, 1)
        assert.strictEqual(yield* budget.left(tenant), 0)
      }
      assert.strictEqual(yield* budget.left("__proto__"), 3)
      yield* budget.reserve("__proto__", 2)
      assert.strictEqual(yield* budget.left("__proto__"), 1)
      assert.strictEqual(yield* budget.left("other"), 1)
    }))

  it.effect("puts nothing aside when one of two limits refuses", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ total: 1, perTenant: 0.4 })
      yield* refused(budget, "a", 0.5)
      assert.strictEqual(yield* budget.left(), 1)
      yield* budget.reserve("b", 0.4)
      yield* budget.reserve("c", 0.4)
      yield* refused(budget, "a", 0.4)
      assert.strictEqual(yield* budget.left("a"), 0.2)
    }))

  it.effect("refuses what has no price unless it may not, and then only while something is left", () =>
    Effect.gen(function*() {
      const strict = Budget.make({ total: 1 })
      for (const usd of [undefined, Number.NaN, -1, Number.POSITIVE_INFINITY]) {
        const error = yield* refused(strict, "a", usd)
        assert.strictEqual(error.reason, "BudgetExceeded")
        assert.isUndefined(error.retryAfterMs)
        assert.match(error.message, /price of this model is not known; give it a price/u)
      }
      const open = Budget.make({ total: 1, unpriced: "allow" })
      const reservation = yield* open.reserve("a", undefined)
      assert.strictEqual(yield* open.left(), 1)
      yield* reservation.settle(1)
      assert.strictEqual((yield* refused(open, "a", undefined)).reason, "BudgetExceeded")
    }))

  it.effect("tells no time to come back to a call that no period has room for, and lets a free one through", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ total: 1 })
      const error = yield* refused(budget, "a", 2)
      assert.isUndefined(error.retryAfterMs)
      assert.strictEqual(error.description, "this call may cost more than may be spent in all in a whole period")
      yield* budget.reserve("a", 1)
      yield* budget.reserve("a", 0)
    }))

  it.effect("has no end without a limit, and no beginning anew with an infinite period", () =>
    Effect.gen(function*() {
      const endless = Budget.make({})
      yield* endless.reserve("a", 1e9)
      assert.strictEqual(yield* endless.left(), Number.POSITIVE_INFINITY)
      assert.strictEqual(yield* endless.left("a"), Number.POSITIVE_INFINITY)
      const once = Budget.make({ total: 1, period: Number.POSITIVE_INFINITY })
      yield* once.reserve("a", 1)
      yield* TestClock.adjust("3650 days")
      assert.isUndefined((yield* refused(once, "a", 1)).retryAfterMs)
    }))

  it.effect("forgets the tenant unused the longest, never one whose call is under way", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ perTenant: 1, maxTenants: 2 })
      const spend = (tenant: string) => Effect.flatMap(budget.reserve(tenant, 0.5), (own) => own.settle(0.5))
      yield* spend("a")
      yield* spend("b")
      yield* spend("a")
      yield* spend("c")
      assert.strictEqual(yield* budget.left("a"), 0)
      assert.strictEqual(yield* budget.left("b"), 1)
      const first = yield* budget.reserve("d", 1)
      yield* budget.reserve("e", 1)
      const error = yield* refused(budget, "f", 0.1)
      assert.match(error.description, /more tenants/u)
      assert.strictEqual(yield* budget.left("d"), 0)
      yield* first.release
      yield* budget.reserve("f", 0.1)
    }))

  it.effect("keeps no account of tenants that used nothing", () =>
    Effect.gen(function*() {
      const budget = Budget.make({ perTenant: 1, maxTenants: 1 })
      yield* Effect.flatMap(budget.reserve("kept", 1), (own) => own.settle(1))
      // An account that was looked at or refused only would push the kept one out.
      yield* budget.left("seen")
      yield* refused(budget, "seen", 5)
      assert.strictEqual(yield* budget.left("kept"), 0)
      const roomy = Budget.make({ perTenant: 1, maxTenants: 2 })
      const spend = (tenant: string) => Effect.flatMap(roomy.reserve(tenant, 1), (own) => own.settle(1))
      yield* spend("first")
      yield* Effect.flatMap(roomy.reserve("unsent", 1), (own) => own.release)
      yield* spend("second")
      assert.strictEqual(yield* roomy.left("first"), 0)
    }))

  it("names the option that is out of its range", () => {
    const wrong: ReadonlyArray<readonly [string, Budget.Options]> = [
      ["total", { total: -1 }],
      ["total", { total: Number.NaN }],
      ["perTenant", { perTenant: -0.01 }],
      ["tenants.acme", { tenants: { acme: Number.NaN } }],
      ["period", { period: 0 }],
      ["period", { period: Number.NaN }],
      ["maxTenants", { maxTenants: 0 }],
      ["maxTenants", { maxTenants: 1.5 }]
    ]
    for (const [name, options] of wrong) {
      assert.throws(() => Budget.make(options), RangeError, name)
    }
  })

  it.effect("never lets reservations exceed a limit, and has all back when all are released", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(FastCheck.record({
            tenant: FastCheck.constantFrom("a", "b", undefined),
            usd: FastCheck.double({ min: 0, max: 2, noNaN: true }),
            then: FastCheck.constantFrom("hold", "release", "settle")
          })),
          (steps) =>
            Effect.runPromise(Effect.gen(function*() {
              const budget = Budget.make({ total: 3, perTenant: 2, period: Number.POSITIVE_INFINITY })
              const held: Array<Budget.Reservation> = []
              for (const step of steps) {
                const reservation = yield* Effect.either(budget.reserve(step.tenant, step.usd))
                if (Either.isLeft(reservation)) continue
                if (step.then === "hold") held.push(reservation.right)
                else if (step.then === "release") yield* reservation.right.release
                else yield* reservation.right.settle(0)
                const left = yield* budget.left()
                assert.isTrue(left >= 0 && left <= 3)
              }
              yield* Effect.forEach(held, (reservation) => reservation.release)
              assert.strictEqual(yield* budget.left(), 3)
              assert.strictEqual(yield* budget.left("a"), 2)
            }))
        )
      )
    ))
})
