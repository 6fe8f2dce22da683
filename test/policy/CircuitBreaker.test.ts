import { assert, describe, it } from "@effect/vitest"
import * as CircuitBreaker from "causeway-mcp/policy/CircuitBreaker"
import * as FastCheck from "effect/FastCheck"

/** The middle of its range: no spread of the open time, and half of the calls of a ramp. */
const middle = () => 0.5

const make = (options: CircuitBreaker.Options = {}) => CircuitBreaker.make({ random: middle, ...options })

const acquire = (breaker: CircuitBreaker.CircuitBreaker, now: number): CircuitBreaker.Permit => {
  const permit = breaker.tryAcquire(now)
  if (permit === undefined) throw new Error(`no permit at ${now} while ${breaker.state(now)}`)
  return permit
}

const succeed = (breaker: CircuitBreaker.CircuitBreaker, now: number, times = 1, took = 0) => {
  for (let i = 0; i < times; i++) acquire(breaker, now).succeed(now + took)
}

const fail = (breaker: CircuitBreaker.CircuitBreaker, now: number, times = 1, options?: { isConnection?: boolean }) => {
  for (let i = 0; i < times; i++) acquire(breaker, now).fail(now, options)
}

/** Opened at 0, for five seconds. */
const opened = (options?: CircuitBreaker.Options) => {
  const breaker = make(options)
  fail(breaker, 0, 5, { isConnection: true })
  assert.strictEqual(breaker.state(0), "open")
  return breaker
}

describe("CircuitBreaker while closed", () => {
  it("lets all calls through", () => {
    const breaker = make()
    for (let i = 0; i < 100; i++) assert.isFalse(acquire(breaker, 0).isProbe)
    assert.strictEqual(breaker.state(0), "closed")
    assert.strictEqual(breaker.reopensAt(0), -Infinity)
  })

  it("opens when half of ten calls have failed, not at nine", () => {
    const breaker = make()
    succeed(breaker, 0, 4)
    fail(breaker, 0, 5)
    assert.strictEqual(breaker.state(0), "closed")
    fail(breaker, 0)
    assert.strictEqual(breaker.state(0), "open")
  })

  it("stays closed below the share", () => {
    const breaker = make()
    succeed(breaker, 0, 60)
    fail(breaker, 0, 59)
    assert.strictEqual(breaker.state(0), "closed")
  })

  it("opens when four of five calls were slow", () => {
    const breaker = make({ slowAfter: "1 second" })
    succeed(breaker, 0, 2, 1000)
    succeed(breaker, 0, 7, 1001)
    assert.strictEqual(breaker.state(1001), "closed")
    succeed(breaker, 0, 1, 1001)
    assert.strictEqual(breaker.state(1001), "open")
  })

  it("takes no success for slow unless told what slow is", () => {
    const breaker = make()
    succeed(breaker, 0, 20, 25_000)
    assert.strictEqual(breaker.state(25_000), "closed")
  })

  it("opens at five failures of the connection in a row, however few calls there were", () => {
    const breaker = make()
    fail(breaker, 0, 4, { isConnection: true })
    succeed(breaker, 0)
    fail(breaker, 0, 4, { isConnection: true })
    assert.strictEqual(breaker.state(0), "closed")
    fail(breaker, 0, 1, { isConnection: true })
    assert.strictEqual(breaker.state(0), "open")
  })

  it("forgets calls that are older than the window", () => {
    const breaker = make({ window: "30 seconds" })
    fail(breaker, 0, 9)
    fail(breaker, 30_000, 9)
    assert.strictEqual(breaker.state(30_000), "closed")
    fail(breaker, 59_999)
    assert.strictEqual(breaker.state(59_999), "open")
  })

  it("does not count what is ignored, and does not end a row by it", () => {
    const breaker = make()
    fail(breaker, 0, 4, { isConnection: true })
    for (let i = 0; i < 100; i++) acquire(breaker, 0).ignore(0)
    fail(breaker, 0, 1, { isConnection: true })
    assert.strictEqual(breaker.state(0), "open")
  })
})

describe("CircuitBreaker while open", () => {
  it("lets no call through until its time is over", () => {
    const breaker = opened()
    assert.isUndefined(breaker.tryAcquire(0))
    assert.isUndefined(breaker.tryAcquire(4999))
    assert.strictEqual(breaker.reopensAt(4999), 5000)
    assert.strictEqual(breaker.state(5000), "halfOpen")
  })

  it("stays open a fifth longer or shorter by chance", () => {
    assert.strictEqual(opened({ random: () => 0 }).reopensAt(0), 4000)
    assert.approximately(opened({ random: () => 1 - Number.EPSILON }).reopensAt(0), 6000, 0.001)
  })

  it("stays open twice as long each time it trips anew, two minutes at most, and as at first once it was closed", () => {
    const breaker = opened({ ramp: 0 })
    let now = 0
    const times: Array<number> = []
    for (let trip = 0; trip < 8; trip++) {
      times.push(breaker.reopensAt(now) - now)
      now = breaker.reopensAt(now)
      fail(breaker, now)
    }
    assert.deepStrictEqual(times, [5, 10, 20, 40, 80, 120, 120, 120].map((seconds) => seconds * 1000))
    now = breaker.reopensAt(now)
    succeed(breaker, now, 2)
    assert.strictEqual(breaker.state(now), "closed")
    fail(breaker, now, 5, { isConnection: true })
    assert.strictEqual(breaker.reopensAt(now) - now, 5000)
  })

  it("never stays open for longer than two minutes, the spread included", () => {
    const breaker = opened({ random: () => 1 - Number.EPSILON, openFor: "10 minutes" })
    assert.strictEqual(breaker.reopensAt(0), 120_000)
  })

  it("can be forced to let one probe through", () => {
    const breaker = opened()
    const permit = breaker.force(0)
    assert.isTrue(permit?.isProbe)
    assert.isUndefined(breaker.force(0))
    assert.isUndefined(breaker.tryAcquire(5000))
    permit?.ignore(0)
    assert.isDefined(breaker.force(0))
  })

  it("stays open as it was when a forced probe fails before its time", () => {
    const breaker = opened()
    for (let i = 0; i < 20; i++) breaker.force(i)?.fail(i, { isConnection: true })
    assert.strictEqual(breaker.reopensAt(20), 5000)
    assert.strictEqual(breaker.state(20), "open")
  })

  it("goes on with the next probe at once when a forced one succeeds", () => {
    const breaker = opened()
    breaker.force(100)?.succeed(150)
    assert.strictEqual(breaker.state(150), "halfOpen")
    succeed(breaker, 150)
    assert.strictEqual(breaker.state(150), "closed")
  })

  it("gives a common permit when it is forced while closed", () => {
    const breaker = make()
    assert.isFalse(breaker.force(0)?.isProbe)
    assert.isDefined(breaker.force(0))
  })
})

describe("CircuitBreaker while half open", () => {
  it("lets one probe through at a time", () => {
    const breaker = opened()
    const probe = acquire(breaker, 5000)
    assert.isTrue(probe.isProbe)
    assert.isUndefined(breaker.tryAcquire(5000))
    assert.isUndefined(breaker.tryAcquire(500_000))
    probe.succeed(5100)
    assert.isTrue(acquire(breaker, 5100).isProbe)
  })

  it("closes at the second success", () => {
    const breaker = opened()
    succeed(breaker, 5000)
    assert.strictEqual(breaker.state(5000), "halfOpen")
    succeed(breaker, 5000)
    assert.strictEqual(breaker.state(5000), "closed")
  })

  it("opens for longer at the first failure, of whatever kind", () => {
    for (const isConnection of [true, false]) {
      const breaker = opened()
      succeed(breaker, 5000)
      fail(breaker, 5000, 1, { isConnection })
      assert.strictEqual(breaker.state(5000), "open")
      assert.strictEqual(breaker.reopensAt(5000), 15_000)
      succeed(breaker, 15_000)
      assert.strictEqual(breaker.state(15_000), "halfOpen")
    }
  })

  it("lets the next probe go at once when one is ignored", () => {
    const breaker = opened()
    for (let i = 0; i < 5; i++) acquire(breaker, 5000).ignore(5000)
    assert.strictEqual(breaker.state(5000), "halfOpen")
    assert.isTrue(acquire(breaker, 5000).isProbe)
  })
})

describe("CircuitBreaker after closing", () => {
  it("lets a fifth of the calls through, then a half, then all", () => {
    let draw = 0
    const breaker = opened({ random: () => draw++ / 100 % 1 })
    succeed(breaker, 10_000, 2)
    const closedAt = 10_000
    const share = (from: number): number => {
      draw = 0
      let count = 0
      for (let i = 0; i < 100; i++) if (breaker.tryAcquire(closedAt + from) !== undefined) count++
      return count
    }
    assert.deepStrictEqual([0, 4999, 5000, 9999, 10_000].map(share), [20, 20, 50, 50, 100])
  })

  it("lets all calls through at once when told so", () => {
    const breaker = opened({ ramp: 0, random: () => 0.99 })
    succeed(breaker, 6000, 2)
    assert.isDefined(breaker.tryAcquire(6000))
  })

  it("does not remember failures from before it opened", () => {
    const breaker = opened({ ramp: 0 })
    succeed(breaker, 5000, 2)
    fail(breaker, 5000, 4, { isConnection: true })
    assert.strictEqual(breaker.state(5000), "closed")
  })
})

type Step =
  | { readonly op: "wait"; readonly millis: number }
  | { readonly op: "acquire" | "force" }
  | { readonly op: "end"; readonly which: number; readonly outcome: Outcome; readonly keep: boolean }

type Outcome = "succeed" | "fail" | "connection" | "ignore"

const end = (permit: CircuitBreaker.Permit, outcome: Outcome, now: number): void => {
  if (outcome === "ignore") permit.ignore(now)
  else if (outcome === "fail" || outcome === "connection") {
    permit.fail(now, { isConnection: outcome === "connection" })
  } else permit.succeed(now)
}

const steps: FastCheck.Arbitrary<ReadonlyArray<Step>> = FastCheck.array(
  FastCheck.oneof(
    {
      weight: 2,
      arbitrary: FastCheck.record({ op: FastCheck.constant("wait" as const), millis: FastCheck.nat(9000) })
    },
    { weight: 4, arbitrary: FastCheck.record({ op: FastCheck.constant("acquire" as const) }) },
    { weight: 1, arbitrary: FastCheck.record({ op: FastCheck.constant("force" as const) }) },
    {
      weight: 5,
      arbitrary: FastCheck.record({
        op: FastCheck.constant("end" as const),
        which: FastCheck.nat(1000),
        outcome: FastCheck.constantFrom<Array<Outcome>>(
          "succeed",
          "succeed",
          "fail",
          "connection",
          "connection",
          "ignore"
        ),
        keep: FastCheck.boolean()
      })
    }
  ),
  { minLength: 20, maxLength: 150, size: "max" }
)

const options: CircuitBreaker.Options = { minCalls: 4, consecutive: 3, slowAfter: "4 seconds", random: middle }

describe("CircuitBreaker, whatever happens", () => {
  it("has one probe under way at most, counts each permit once, and is not changed by late results", () => {
    let late = 0
    FastCheck.assert(
      FastCheck.property(steps, (steps) => {
        const breaker = CircuitBreaker.make(options)
        // Its twin is told nothing that is late or told twice.
        const twin = CircuitBreaker.make(options)
        const open: Array<{ readonly permits: ReadonlyArray<CircuitBreaker.Permit>; epoch: number; isEnded: boolean }> =
          []
        let now = 0
        let epoch = 0
        const look = () => [breaker.state(now) === "closed", breaker.reopensAt(now)] as const
        for (const step of steps) {
          const [wasClosed, before] = look()
          if (step.op === "wait") now += step.millis
          else if (step.op === "end") {
            const call = open[step.which % Math.max(1, open.length)]
            if (call === undefined) continue
            const [permit, twins] = call.permits
            if (permit === undefined || twins === undefined) throw new Error("a call has two permits")
            const isLate = call.epoch !== epoch
            if (isLate && !call.isEnded) late++
            end(permit, step.outcome, now)
            if (!call.isEnded && !isLate) end(twins, step.outcome, now)
            call.isEnded = true
            if (!step.keep) open.splice(open.indexOf(call), 1)
          } else {
            const permit = step.op === "acquire" ? breaker.tryAcquire(now) : breaker.force(now)
            const twins = step.op === "acquire" ? twin.tryAcquire(now) : twin.force(now)
            assert.strictEqual(permit?.isProbe, twins?.isProbe)
            if (permit !== undefined && twins !== undefined) {
              open.push({ permits: [permit, twins], epoch, isEnded: false })
            }
          }
          const [isClosed, after] = look()
          if (isClosed !== wasClosed || after > before) epoch++
          assert.deepStrictEqual([breaker.state(now), breaker.reopensAt(now)], [twin.state(now), twin.reopensAt(now)])
          assert.isAtMost(open.filter(({ isEnded, permits }) => !isEnded && permits[0]?.isProbe === true).length, 1)
        }
      }),
      { numRuns: 500 }
    )
    assert.isAbove(late, 100)
  })

  it("closes again when the other side is well", () => {
    FastCheck.assert(
      FastCheck.property(steps, (steps) => {
        const breaker = CircuitBreaker.make(options)
        const permits: Array<CircuitBreaker.Permit> = []
        let now = 0
        for (const step of steps) {
          if (step.op === "wait") now += step.millis
          else if (step.op === "end") {
            const permit = permits[step.which % Math.max(1, permits.length)]
            if (permit !== undefined) end(permit, step.outcome, now)
          } else {
            const permit = breaker.tryAcquire(now)
            if (permit !== undefined) permits.push(permit)
          }
        }
        for (const permit of permits) permit.ignore(now)
        // The longest it stays open, and a moment for the two probes.
        const until = now + 120_000 + 1000
        while (now < until) {
          breaker.tryAcquire(now)?.succeed(now)
          now += 250
        }
        assert.strictEqual(breaker.state(now), "closed")
      }),
      { numRuns: 300 }
    )
  })
})

describe("CircuitBreaker.make", () => {
  it("refuses options out of their range, by name", () => {
    const refused = (options: CircuitBreaker.Options) => {
      const [name = ""] = Object.keys(options)
      assert.throws(() => CircuitBreaker.make(options), RangeError, new RegExp(`^${name} `, "u"))
    }
    for (const wrong of [0, -1, 1.5, NaN, Infinity]) {
      refused({ minCalls: wrong })
      refused({ consecutive: wrong })
      refused({ successesToClose: wrong })
    }
    for (const wrong of [0, -0.1, 1.1, NaN]) {
      refused({ failureRate: wrong })
      refused({ slowRate: wrong })
    }
    for (const wrong of [0, Infinity]) {
      refused({ window: wrong })
      refused({ openFor: wrong })
      refused({ maxOpen: wrong })
    }
    refused({ ramp: Infinity })
  })
})

describe("CircuitBreaker.off", () => {
  it("never opens", () => {
    for (let i = 0; i < 100; i++) {
      CircuitBreaker.off.tryAcquire(i)?.fail(i, { isConnection: true })
      CircuitBreaker.off.force(i)?.fail(i, { isConnection: true })
    }
    assert.strictEqual(CircuitBreaker.off.state(100), "closed")
    assert.strictEqual(CircuitBreaker.off.reopensAt(100), -Infinity)
    assert.isFalse(CircuitBreaker.off.tryAcquire(100)?.isProbe)
  })
})
