import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Provider } from "./harness.js"
import { ask, eventually, line, millis, provider, question, well, world } from "./harness.js"
import { isFreeAgain, isQuiet } from "./laws.js"

const plenty = { concurrency: 2000 }

const policy = (ms: number) =>
  ChainPolicy.all(ChainPolicy.deadline(ms), ChainPolicy.timeouts({ answer: ms }), ChainPolicy.noRetry)

const times = <A>(count: number, one: Effect.Effect<A>) =>
  Effect.all(Array.from({ length: count }, () => one), { concurrency: "unbounded" })

const asked = ({ server }: Provider) => Effect.map(server.requests, (requests) => requests.length)

/** In no stretch of time more than a burst and what flows in meanwhile. */
const isLawful = ({ places }: Provider, burst: number, perSecond: number): void => {
  const taken = places.filter(({ ended }) => ended !== "refunded").map(({ takenAt }) => takenAt)
  for (const [from, at] of taken.entries()) {
    for (let to = from; to < taken.length; to++) {
      const span = (taken[to] ?? 0) - at
      const most = burst + span / 1000 * perSecond + 1e-6
      assert.isAtMost(to - from + 1, most, `${to - from + 1} requests in ${span} ms`)
    }
  }
}

const limited = (retryAfter: string | undefined, ...then: ReadonlyArray<FakeProvider.Reply>) => ({
  replies: [
    FakeProvider.status(
      429,
      { error: { message: "Slow down.", type: "rate_limit_error" } },
      retryAfter === undefined ? {} : { "retry-after": retryAfter }
    ),
    ...then
  ]
})

describe("limits over sockets", () => {
  it.live("keep a thousand callers within sixty requests a minute, in every stretch of time", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [well], limits: { ...plenty, requestsPerMinute: 60 } })
      const second = yield* provider("second", { replies: [well], limits: plenty, http: { connections: 50 } })
      const one = yield* world([first, second], policy(15_000))
      const told = yield* times(1000, ask(one.chain))
      assert.deepStrictEqual(told.flatMap(({ error }) => error?.message ?? []).slice(0, 3), [])
      isLawful(first, 5, 55 / 60)
      const count = yield* asked(first)
      assert.isAtLeast(count, 5)
      assert.strictEqual(count + (yield* asked(second)), 1000)
      yield* isQuiet(one)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))

  it.live("let those wait whose turn comes within the deadline, and fail the others at once", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", {
        replies: [well],
        limits: { ...plenty, requestsPerMinute: 600, burst: 0.01 }
      })
      const one = yield* world([first], policy(2000))
      const told = yield* times(200, ask(one.chain))
      isLawful(first, 6, 9.9)
      const answered = told.filter(({ answer }) => answer !== undefined)
      assert.isAtLeast(answered.length, 6)
      assert.isAtMost(answered.length, 6 + 1 + 2 * 9.9)
      // Who was let in last may have been sent too late to be answered.
      assert.isAtMost((yield* asked(first)) - answered.length, 1)
      for (const { elapsedMs, error, stoodStillMs } of told) {
        assert.isAtMost(elapsedMs - stoodStillMs, 2050)
        if (error !== undefined) assert.include(["Exhausted", "TimedOut"], error.reason)
      }
      yield* isQuiet(one)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))

  it.live("count tokens as well, and give back what was reserved and not used", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", {
        replies: [FakeProvider.text("ok", { usage: { prompt_tokens: 10, completion_tokens: 10 } })],
        limits: { ...plenty, tokensPerMinute: 60_000, burst: 0.1 }
      })
      const one = yield* world([first], policy(1000))
      const request = { ...question, maxTokens: 1900 }
      const reserved = 1900
      const told = yield* times(20, ask(one.chain, "text", request))
      // At most three reservations fit at once; what comes back lets others in.
      assert.isAtLeast(told.filter(({ answer }) => answer !== undefined).length, 3)
      const left = first.target.limits.headroom(yield* millis) * 6000
      assert.isAbove(left, 6000 - reserved)
      assert.isTrue(first.places.every(({ ended }) => typeof ended === "object" && ended.tokens === 20))
      yield* isQuiet(one)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))

  it.live("allow no more than a burst after a quiet time", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [well], limits: { ...plenty, requestsPerMinute: 60 } })
      const one = yield* world([first], policy(500))
      yield* ask(one.chain)
      yield* Effect.sleep("1500 millis")
      yield* times(50, ask(one.chain))
      isLawful(first, 5, 55 / 60)
      yield* isQuiet(one)
    }).pipe(Effect.scoped))
})

describe("models that ask to be left alone", () => {
  it.live("are all passed on to the caller at once, with the time until the first is back", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", limited("20"))
      const second = yield* provider("second", limited("7"))
      const third = yield* provider("third", limited("40"))
      const one = yield* world([first, second, third], policy(3000))
      const { attempts, elapsedMs, error, stoodStillMs } = yield* ask(one.chain)
      assert.deepStrictEqual(attempts.map(line), [
        "first failed RateLimited",
        "second failed RateLimited (failover)",
        "third failed RateLimited (failover)"
      ])
      assert.deepStrictEqual(attempts.map(({ retryAfterMs }) => retryAfterMs), [20_000, 7000, 40_000])
      assert.strictEqual(error?.reason, "Exhausted")
      assert.isAtMost(error?.retryAfterMs ?? Infinity, 7000)
      assert.isAbove(error?.retryAfterMs ?? 0, 6000)
      assert.isTrue(error?.isRetryable)
      assert.isBelow(elapsedMs - stoodStillMs, 1000)
      const again = yield* ask(one.chain)
      assert.deepStrictEqual(again.attempts.map(line), [
        "first skipped cooldown",
        "second skipped cooldown",
        "third skipped cooldown"
      ])
      assert.isBelow(again.elapsedMs - again.stoodStillMs, 200)
      assert.strictEqual(yield* asked(first), 1)
      yield* isQuiet(one)
    }).pipe(Effect.scoped))

  it.live("are waited for when they are the last and soon back", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", limited("30"))
      const second = yield* provider("second", limited("0.4", well))
      const one = yield* world([first, second], policy(5000))
      const { answer, attempts, elapsedMs } = yield* ask(one.chain)
      assert.strictEqual(answer?.provider, "second")
      assert.deepStrictEqual(attempts.map(line), [
        "first failed RateLimited",
        "second failed RateLimited (failover)",
        "second answered (retry)"
      ])
      assert.isAtLeast(elapsedMs, 400)
      yield* isQuiet(one)
    }).pipe(Effect.scoped))

  it.live("are left alone for the longest time any of their answers said", () =>
    Effect.gen(function*() {
      const said = (...seconds: ReadonlyArray<readonly [delayMs: number, retryAfter: string]>) =>
        Effect.gen(function*() {
          const replies = seconds.map(([ms, text]) =>
            FakeProvider.delayed(
              ms,
              FakeProvider.status(429, { error: { message: "Slow down." } }, { "retry-after": text })
            )
          )
          const first = yield* provider("first", { replies })
          const one = yield* world([first], policy(4000))
          // Both are under way when the first of them is answered.
          const calls = yield* Effect.fork(times(2, ask(one.chain)))
          yield* Effect.orDie(eventually(Effect.map(asked(first), (count) => count === 2)))
          const told = yield* Fiber.join(calls)
          assert.strictEqual(yield* asked(first), 2)
          const from = Math.max(...told.map(({ endedAt }) => endedAt))
          yield* isQuiet(one)
          return first.target.cooling.until - from
        })
      const shortened = yield* said([300, "90"], [700, "2"])
      assert.isAbove(shortened, 80_000)
      const extended = yield* said([300, "10"], [700, "90"])
      assert.isAbove(extended, 89_000)
    }).pipe(Effect.scoped))
})

describe("an outage of all models", () => {
  it.live("adds fifteen in a hundred requests for each model at most", () =>
    Effect.gen(function*() {
      const dead = {
        replies: [FakeProvider.status(500)],
        breaker: false,
        limits: plenty
      } as const
      const first = yield* provider("first", dead)
      const second = yield* provider("second", dead)
      const third = yield* provider("third", dead)
      const one = yield* world(
        [first, second, third],
        ChainPolicy.all(ChainPolicy.deadline("15 seconds"), ChainPolicy.timeouts({ answer: "14 seconds" }))
      )
      const calls = 400
      const told = yield* Effect.forEach(
        Array.from({ length: calls }, (_, index) => index),
        (index) => Effect.zipRight(Effect.sleep(index * 5), ask(one.chain)),
        { concurrency: "unbounded" }
      )
      assert.isTrue(told.every(({ error }) => error?.reason === "Exhausted"))
      for (const one of [first, second, third]) {
        assert.isAtMost((yield* asked(one)) / calls, 1.15, one.name)
      }
      for (const { attempts } of told) {
        assert.isAtMost(attempts.filter(({ outcome }) => outcome !== "skipped").length, 4)
      }
      yield* isQuiet(one)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))
})
