import { assert, describe, it } from "@effect/vitest"
import * as Limits from "causeway-mcp/llm/Limits"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as Target from "causeway-mcp/llm/Target"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"

const modelOf = (of: Partial<Pick<Llm.Model, "provider" | "model" | "traits">> = {}): Llm.Model => ({
  provider: "acme",
  model: "small",
  generateText: () => Effect.dieMessage("nobody asks it"),
  generateObject: () => Effect.dieMessage("nobody asks it"),
  streamText: () => Stream.dieMessage("nobody asks it"),
  ping: Effect.void,
  ...of
})

const targetOf = (options: Target.Options = {}): Target.Target => Effect.runSync(Target.make(modelOf(), options))

const ask = { messages: [{ role: "user" as const, text: "How are rates?" }] }

const minute = 60_000

describe("Target.widest", () => {
  it("is what the most capable can do, where that is known of each", () => {
    assert.deepStrictEqual(
      Target.widest([{ contextTokens: 10, maxOutputTokens: 5 }, { contextTokens: 30 }]),
      { contextTokens: 30 }
    )
    assert.deepStrictEqual(Target.widest([]), {})
  })
})

describe("Target.make", () => {
  it.effect("is named after provider and model, and weighs 1", () =>
    Effect.gen(function*() {
      const target = yield* Target.make(modelOf())
      assert.strictEqual(target.id, "acme/small")
      assert.strictEqual(target.weight, 1)
      assert.strictEqual(target.limits.concurrency, Infinity)
      assert.isUndefined(target.price)
    }))

  it.effect("knows of a model what the options say, and else what it says itself", () =>
    Effect.gen(function*() {
      const target = yield* Target.make(modelOf({ traits: { contextTokens: 1_000, json: "schema" } }), {
        traits: { contextTokens: 500, json: undefined }
      })
      assert.deepStrictEqual(target.traits, {
        contextTokens: 500,
        maxOutputTokens: undefined,
        json: "schema",
        canCorrect: undefined
      })
    }))

  it.effect("shares limits with others that were given the same value", () =>
    Effect.gen(function*() {
      const limits = Limits.make({ concurrency: 1 })
      const one = yield* Target.make(modelOf(), { limits })
      const other = yield* Target.make(modelOf({ model: "large" }), { limits })
      one.limits.tryTake(1, 0)
      assert.strictEqual(other.limits.tryTake(1, 0), Infinity)
    }))

  it.effect("has a breaker that opens, or none", () =>
    Effect.gen(function*() {
      const guarded = yield* Target.make(modelOf(), { breaker: { consecutive: 1 } })
      const unguarded = yield* Target.make(modelOf(), { breaker: false })
      for (const { breaker } of [guarded, unguarded]) {
        for (let call = 0; call < 20; call++) breaker.tryAcquire(call)?.fail(call, { isConnection: true })
      }
      assert.strictEqual(guarded.breaker.state(20), "open")
      assert.strictEqual(unguarded.breaker.state(20), "closed")
    }))

  it.effect("has an account of its own unless it is given one", () =>
    Effect.gen(function*() {
      const one = yield* Target.make(modelOf())
      const other = yield* Target.make(modelOf())
      assert.notStrictEqual(one.account, other.account)
      const account = Target.account("team key")
      const shared = yield* Target.make(modelOf(), { account })
      assert.strictEqual(shared.account, account)
      assert.strictEqual(account.name, "team key")
    }))

  const price = { provider: "acme", model: "small", from: "2026-11-01", inputPerMillion: 1, outputPerMillion: 2 }

  it.effect.each<[path: string, options: Target.Options, model?: Partial<Pick<Llm.Model, "provider" | "model">>]>([
    ["id", { id: " " }],
    ["provider", {}, { provider: "" }],
    ["model", {}, { model: "" }],
    ["weight", { weight: 0 }],
    ["weight", { weight: -1 }],
    ["weight", { weight: NaN }],
    ["weight", { weight: Infinity }],
    ["limits.requestsPerMinute", { limits: { requestsPerMinute: -1 } }],
    ["limits.tokensPerMinute", { limits: { requestsPerMinute: 60, tokensPerMinute: NaN } }],
    ["limits.concurrency", { limits: { concurrency: 0 } }],
    ["limits.burst", { limits: { burst: 2 } }],
    ["breaker.failureRate", { breaker: { minCalls: 5, failureRate: 1.5 } }],
    ["breaker.window", { breaker: { window: 0 } }],
    ["retryBudget.ratio", { retryBudget: { ratio: -1 } }],
    ["retryBudget.ttl", { retryBudget: { ttl: 0 } }],
    ["traits.contextTokens", { traits: { contextTokens: 0 } }],
    ["traits.maxOutputTokens", { traits: { maxOutputTokens: NaN } }],
    ["price.inputPerMillion", { price: { ...price, inputPerMillion: -1 } }],
    ["price.from", { price: { ...price, from: "yesterday" } }]
  ])("refuses %s out of its range, and names it", ([path, options, model]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Target.make(modelOf(model), options))
      assert.strictEqual(error._tag, "InvalidTarget")
      assert.strictEqual(error.path.join("."), path)
      assert.isTrue(error.message.startsWith(`${path}: `), error.message)
    }))
})

describe("Target.Cooling", () => {
  const begun = (...times: ReadonlyArray<[now: number, options: Parameters<Target.Cooling["begin"]>[1]]>) => {
    const { cooling } = Target.account("key")
    for (const [now, options] of times) cooling.begin(now, options)
    return cooling
  }

  it("is not cooling at first", () => {
    const cooling = begun()
    assert.strictEqual(cooling.until, -Infinity)
    assert.isUndefined(cooling.reason)
  })

  it("lasts for the least time, or for what was asked when that is longer", () => {
    assert.strictEqual(begun([5, { reason: "RateLimited", atLeast: 1_000 }]).until, 1_005)
    assert.strictEqual(begun([5, { reason: "RateLimited", atLeast: 1_000, asked: 7_000 }]).until, 7_005)
    assert.strictEqual(begun([5, { reason: "RateLimited", atLeast: 1_000, asked: 10 }]).until, 1_005)
  })

  it("lasts an hour at most, whatever was asked", () => {
    assert.strictEqual(begun([0, { reason: "RateLimited", atLeast: 1_000, asked: 999_999_000 }]).until, 60 * minute)
    assert.strictEqual(begun([0, { reason: "RateLimited", atLeast: 1_000, asked: Infinity }]).until, 60 * minute)
  })

  it("takes no notice of a time asked for that cannot be", () => {
    assert.strictEqual(begun([0, { reason: "RateLimited", atLeast: 1_000, asked: NaN }]).until, 1_000)
    assert.strictEqual(begun([0, { reason: "RateLimited", atLeast: 1_000, asked: -5_000 }]).until, 1_000)
  })

  it("is not shortened by a later, shorter one, and keeps its reason", () => {
    const cooling = begun(
      [0, { reason: "RateLimited", atLeast: 1_000, asked: 30_000 }],
      [1_000, { reason: "ModelUnavailable", atLeast: 1_000 }]
    )
    assert.strictEqual(cooling.until, 30_000)
    assert.strictEqual(cooling.reason, "RateLimited")
  })

  it("is prolonged by a longer one, and takes its reason", () => {
    const cooling = begun(
      [0, { reason: "RateLimited", atLeast: 1_000, asked: 30_000 }],
      [1_000, { reason: "QuotaExhausted", atLeast: 10 * minute }]
    )
    assert.strictEqual(cooling.until, 10 * minute + 1_000)
    assert.strictEqual(cooling.reason, "QuotaExhausted")
  })

  it("never moves to an earlier moment", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.array(FastCheck.record({
        pause: FastCheck.oneof(FastCheck.nat(100), FastCheck.nat(100_000)),
        reason: FastCheck.constantFrom("RateLimited", "QuotaExhausted"),
        atLeast: FastCheck.nat(10_000),
        upTo: FastCheck.nat(100_000),
        asked: FastCheck.oneof(FastCheck.double(), FastCheck.nat(5_000_000)),
        resets: FastCheck.boolean()
      })),
      (steps) => {
        const { cooling } = Target.account("key")
        let now = 0
        for (const { pause, resets, ...options } of steps) {
          now += pause
          const before = cooling.until
          cooling.begin(now, options)
          assert.isAtLeast(cooling.until, Math.max(before, now + options.atLeast))
          assert.isAtMost(cooling.until, Math.max(before, now + Math.max(options.atLeast, 60 * minute)))
          if (resets) cooling.reset()
        }
      }
    ))
  })

  const quota = { reason: "QuotaExhausted", atLeast: 10 * minute, upTo: 60 * minute }

  it("doubles with each such reason in a row, up to the most", () => {
    const { cooling } = Target.account("key")
    const lengths: Array<number> = []
    let now = 0
    for (let time = 0; time < 5; time++) {
      cooling.begin(now, quota)
      lengths.push((cooling.until - now) / minute)
      now = cooling.until
    }
    assert.deepStrictEqual(lengths, [10, 20, 40, 60, 60])
  })

  it("doubles once for calls that fail together", () => {
    const cooling = begun([0, quota], [1, quota], [2, quota], [10 * minute + 2, quota], [10 * minute + 3, quota])
    assert.strictEqual(cooling.until, 30 * minute + 3)
  })

  it("starts anew after a success and after another reason", () => {
    const { cooling } = Target.account("key")
    cooling.begin(0, quota)
    cooling.reset()
    cooling.begin(20 * minute, quota)
    assert.strictEqual(cooling.until, 30 * minute)
    cooling.begin(30 * minute, { reason: "AuthRejected", atLeast: minute })
    cooling.begin(40 * minute, quota)
    assert.strictEqual(cooling.until, 50 * minute)
  })

  it("goes on after a success that comes while it lasts", () => {
    const { cooling } = Target.account("key")
    cooling.begin(0, quota)
    cooling.reset()
    assert.strictEqual(cooling.until, 10 * minute)
    cooling.begin(5 * minute, quota)
    assert.strictEqual(cooling.until, 15 * minute)
  })
})

describe("Target.Record", () => {
  it("knows nothing at first", () => {
    const { record } = targetOf()
    assert.isUndefined(record.latency(0))
    assert.isUndefined(record.median())
    assert.isUndefined(record.firstTokenP95())
    assert.strictEqual(record.successRate(0), 1)
  })

  it("rises to a slow answer at once, and falls to fast ones bit by bit", () => {
    const { record } = targetOf()
    record.answered(0, 100, undefined)
    record.answered(1_000, 2_000, undefined)
    assert.strictEqual(record.latency(1_000), 2_000)
    record.answered(11_000, 100, undefined)
    assert.approximately(record.latency(11_000) ?? 0, 100 + 1_900 / Math.E, 1)
  })

  it("rises with a slow failure, and does not fall with a fast one", () => {
    const { record } = targetOf()
    record.answered(0, 500, undefined)
    record.failed(5_000, 1)
    assert.strictEqual(record.latency(5_000), 500)
    record.failed(6_000, 4_000)
    assert.strictEqual(record.latency(6_000), 4_000)
  })

  it("forgets how fast it was after half a minute without a try", () => {
    const { record } = targetOf()
    record.answered(0, 9_000, undefined)
    assert.strictEqual(record.latency(30_000), 9_000)
    assert.isUndefined(record.latency(30_001))
    record.answered(40_000, 100, undefined)
    assert.strictEqual(record.latency(40_000), 100)
  })

  it("gives the median from five answers on, and the 95th percentile from twenty on", () => {
    const { record } = targetOf()
    for (let answer = 1; answer <= 20; answer++) {
      assert.strictEqual(record.median() === undefined, answer <= 5)
      assert.isUndefined(record.firstTokenP95())
      record.answered(answer, answer * 100, answer * 10)
    }
    assert.strictEqual(record.median(), 1_000)
    assert.strictEqual(record.firstTokenP95(), 190)
  })

  it("takes whole answers for first texts where nothing streams", () => {
    const { record } = targetOf()
    for (let answer = 1; answer <= 20; answer++) record.answered(answer, answer * 100, undefined)
    assert.strictEqual(record.firstTokenP95(), 1_900)
    record.answered(21, 100, 50)
    assert.isUndefined(record.firstTokenP95())
  })

  it("gives the exact percentiles of the last 128 answers", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.array(FastCheck.nat(5_000), { minLength: 20, maxLength: 400, size: "max" }),
      (times) => {
        const { record } = targetOf()
        for (const [index, time] of times.entries()) record.answered(index, time, time)
        const last = times.slice(-128).sort((a, b) => a - b)
        assert.strictEqual(record.median(), last[Math.ceil(0.5 * last.length) - 1])
        assert.strictEqual(record.firstTokenP95(), last[Math.ceil(0.95 * last.length) - 1])
      }
    ))
  })

  it("gives the share of answers among recent tries", () => {
    const { record } = targetOf()
    for (let call = 0; call < 100; call++) {
      if (call % 4 === 0) record.failed(call, 10)
      else record.answered(call, 10, undefined)
    }
    assert.approximately(record.successRate(100), 0.75, 0.02)
  })

  it("forgives failures with time", () => {
    const { record } = targetOf()
    for (let call = 0; call < 50; call++) record.failed(call, 10)
    assert.isBelow(record.successRate(50), 0.05)
    assert.isAbove(record.successRate(5 * minute), 0.99)
  })

  it("keeps a success rate from above 0 to 1, and a time to answer within those seen", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.array(FastCheck.tuple(FastCheck.boolean(), FastCheck.nat(20_000), FastCheck.nat(60_000))),
      (tries) => {
        const { record } = targetOf()
        let now = 0
        const seen: Array<number> = []
        for (const [isAnswer, elapsed, pause] of tries) {
          now += pause
          seen.push(elapsed)
          if (isAnswer) record.answered(now, elapsed, undefined)
          else record.failed(now, elapsed)
          const rate = record.successRate(now)
          assert.isTrue(rate > 0 && rate <= 1, `rate ${rate}`)
          const latency = record.latency(now)
          if (latency !== undefined) {
            assert.isAtLeast(latency, Math.min(...seen) - 1e-6)
            assert.isAtMost(latency, Math.max(...seen))
          }
        }
      }
    ))
  })
})

describe("Target.obstacle", () => {
  const at = (inputTokens: number, now = 0) => ({ now, inputTokens })

  it("finds none when nothing is known of the model", () => {
    assert.isUndefined(Target.obstacle(targetOf(), { ...ask, maxTokens: 1e9, schema: {} }, at(1e9)))
  })

  it("finds a request too long that does not fit the window with its answer", () => {
    const target = targetOf({ traits: { contextTokens: 1_000 } })
    assert.isUndefined(Target.obstacle(target, { ...ask, maxTokens: 200 }, at(800)))
    assert.deepStrictEqual(Target.obstacle(target, { ...ask, maxTokens: 201 }, at(800)), { reason: "contextTooLong" })
    assert.isUndefined(Target.obstacle(target, ask, at(1_000)))
    assert.strictEqual(Target.obstacle(target, ask, at(1_001))?.reason, "contextTooLong")
  })

  it("counts no more of an answer than the model gives", () => {
    const target = targetOf({ traits: { contextTokens: 1_000, maxOutputTokens: 100 } })
    assert.isUndefined(Target.obstacle(target, { ...ask, maxTokens: 5_000 }, at(900)))
    assert.strictEqual(Target.obstacle(target, { ...ask, maxTokens: 5_000 }, at(901))?.reason, "contextTooLong")
  })

  it("finds JSON unsupported only where a model does none at all", () => {
    for (const json of ["schema", "object", "prompt"] as const) {
      assert.isUndefined(Target.obstacle(targetOf({ traits: { json } }), { ...ask, schema: {} }, at(1)))
    }
    const target = targetOf({ traits: { json: "none" } })
    assert.deepStrictEqual(Target.obstacle(target, { ...ask, schema: {} }, at(1)), { reason: "unsupported" })
    assert.isUndefined(Target.obstacle(target, ask, at(1)))
  })

  it("wants all labels that were asked for", () => {
    const target = targetOf({ labels: ["eu", "no-training"] })
    assert.isUndefined(Target.obstacle(target, { ...ask, labels: [] }, at(1)))
    assert.isUndefined(Target.obstacle(target, { ...ask, labels: ["no-training", "eu"] }, at(1)))
    assert.deepStrictEqual(Target.obstacle(target, { ...ask, labels: ["eu", "us"] }, at(1)), { reason: "label" })
  })

  it("says for how long a model is still left alone", () => {
    const target = targetOf()
    target.cooling.begin(0, { reason: "RateLimited", atLeast: 1_000 })
    assert.deepStrictEqual(Target.obstacle(target, ask, at(1, 400)), { reason: "cooldown", retryAfterMs: 600 })
    assert.isUndefined(Target.obstacle(target, ask, at(1, 1_000)))
  })

  it("leaves all models of an account alone together", () => {
    const account = Target.account("team key")
    const one = targetOf({ account })
    const other = targetOf({ account })
    one.account.cooling.begin(0, { reason: "QuotaExhausted", atLeast: 5_000 })
    other.cooling.begin(0, { reason: "RateLimited", atLeast: 1_000 })
    assert.deepStrictEqual(Target.obstacle(one, ask, at(1, 1)), { reason: "cooldown", retryAfterMs: 4_999 })
    assert.deepStrictEqual(Target.obstacle(other, ask, at(1, 1)), { reason: "cooldown", retryAfterMs: 4_999 })
  })

  it("says what never fits before what will pass", () => {
    const target = targetOf({ traits: { contextTokens: 10 } })
    target.cooling.begin(0, { reason: "RateLimited", atLeast: 1_000 })
    assert.strictEqual(Target.obstacle(target, ask, at(11))?.reason, "contextTooLong")
  })

  it("takes no place and asks no breaker", () => {
    const target = targetOf({ limits: { concurrency: 1 }, breaker: { consecutive: 1 } })
    target.limits.tryTake(0, 0)
    target.breaker.tryAcquire(0)?.fail(0, { isConnection: true })
    assert.isUndefined(Target.obstacle(target, ask, at(1, 1)))
  })
})

describe("Target.status", () => {
  it("tells of a target at rest", () => {
    assert.deepStrictEqual(Target.status(targetOf({ id: "first" }), 0), {
      id: "first",
      provider: "acme",
      model: "small",
      breaker: "closed",
      coolingFor: undefined,
      coolingReason: undefined,
      inFlight: 0,
      headroom: 1,
      latencyMs: undefined,
      successRate: 1
    })
  })

  it("tells who is left alone for longest, why, and how much is left of the limits", () => {
    const target = targetOf({ limits: { concurrency: 4 }, breaker: { consecutive: 1 } })
    target.cooling.begin(0, { reason: "RateLimited", atLeast: 1_000 })
    target.account.cooling.begin(0, { reason: "AuthRejected", atLeast: 3_000 })
    target.limits.tryTake(0, 0)
    target.record.answered(0, 250, undefined)
    target.breaker.tryAcquire(0)?.fail(0, { isConnection: true })
    const status = Target.status(target, 500)
    assert.deepStrictEqual(status.coolingFor, Duration.millis(2_500))
    assert.strictEqual(status.coolingReason, "AuthRejected")
    assert.strictEqual(status.inFlight, 1)
    assert.strictEqual(status.headroom, 0.75)
    assert.strictEqual(status.latencyMs, 250)
    assert.strictEqual(status.breaker, "open")
    assert.isUndefined(Target.status(target, 3_000).coolingReason)
  })
})
