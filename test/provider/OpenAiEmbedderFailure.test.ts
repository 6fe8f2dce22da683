import { assert, describe, it } from "@effect/vitest"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { always, inTime, make, numbersOf, reasonOf, status, unit } from "./openAiEmbedder.js"

describe("OpenAiEmbedder.make, when the provider fails", () => {
  for (const code of [408, 409, 425, 429, 500, 502, 503, 504, 529]) {
    it.scoped(`asks again after a ${code}`, () =>
      Effect.gen(function*() {
        const { asked, embedder } = yield* make((_, nth) => nth < 2 ? status(code) : "answer")
        assert.strictEqual((yield* inTime(embedder.embed(["a"]), 30_000)).length, 1)
        assert.strictEqual(asked.length, 3)
      }))
  }

  for (const code of [301, 400, 401, 402, 403, 404, 413, 422]) {
    it.scoped(`does not ask again after a ${code}`, () =>
      Effect.gen(function*() {
        const { asked, embedder } = yield* make(always(status(code)))
        const error = yield* inTime(Effect.flip(embedder.embed(["a"])), 30_000)
        assert.isFalse(error.isRetryable)
        assert.strictEqual(error.embedder, "acme")
        assert.strictEqual(asked.length, 1)
      }))
  }

  it.scoped("asks again when the connection breaks, and as often as told", () =>
    Effect.gen(function*() {
      const passing = yield* make((_, nth) => nth === 0 ? "reset" : "answer")
      assert.strictEqual((yield* inTime(passing.embedder.embed(["a"]), 30_000)).length, 1)
      for (const retries of [0, 1, 3]) {
        const { asked, embedder } = yield* make(always("reset"), { retries })
        const error = yield* inTime(Effect.flip(embedder.embed(["a"])), 120_000)
        assert.isTrue(error.isRetryable)
        assert.strictEqual(reasonOf(error), "Transient")
        assert.strictEqual(asked.length, 1 + retries)
      }
    }))

  it.scoped("does not ask again when the account has no credit left", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(
        always(status(429, {}, "{\"error\":{\"message\":\"You have no money.\",\"code\":\"insufficient_quota\"}}"))
      )
      const error = yield* inTime(Effect.flip(embedder.embed(["a"])), 30_000)
      assert.isFalse(error.isRetryable)
      assert.strictEqual(
        error.message,
        "Embedder acme: the account has no quota or credit left (429, insufficient_quota)"
      )
      assert.strictEqual(asked.length, 1)
    }))

  it.scoped("waits as long as it is asked to, and no request passes meanwhile", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make((_, nth) => nth === 0 ? status(429, { "retry-after": "20" }) : "answer")
      const first = yield* Effect.fork(embedder.embed(["a"]))
      yield* TestClock.adjust("10 millis")
      const second = yield* Effect.fork(embedder.embed(["b"]))
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.strictEqual(asked.length, 3)
      assert.isAtLeast(asked[1]?.at ?? 0, 20_000)
      assert.isAtLeast(asked[2]?.at ?? 0, 20_000)
    }))

  it.scoped("fails at once when the wait that is asked for does not fit the caller's time", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always(status(429, { "retry-after": "20" })))
      const error = yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["a"]), "10 seconds")), 60)
      assert.isTrue(error.isRetryable)
      assert.strictEqual(reasonOf(error), "RateLimited")
      assert.strictEqual(asked.length, 1)
      // Others are told at once too, without a request.
      const other = yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["b"]), "10 seconds")), 60)
      assert.isTrue(other.isRetryable)
      assert.strictEqual(asked.length, 1)
    }))

  it.scoped("fails at once when it is asked to wait longer than a minute, whoever waits", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always(status(503, { "retry-after": "61" })))
      assert.isTrue((yield* inTime(Effect.flip(embedder.embed(["a"])), 60)).isRetryable)
      assert.strictEqual(asked.length, 1)
    }))

  it.scoped("begins no try for which there is no time", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always(status(500)), { retries: 20 })
      const error = yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["a"]), "3 seconds")), 10_000)
      assert.strictEqual(reasonOf(error), "Transient")
      assert.isAtMost(Math.max(...asked.map(({ at }) => at)), 3000)
      const late = yield* Effect.flip(TimeLimit.within(embedder.embed(["a"]), 0))
      assert.isTrue(late.isRetryable)
    }))

  it.scoped("ends a request after its time, and by the caller's when that is shorter", () =>
    Effect.gen(function*() {
      const { aborted, asked, embedder } = yield* make(always("hang"), { timeout: "2 seconds", retries: 1 })
      const error = yield* inTime(Effect.flip(embedder.embed(["a"])), 10_000)
      assert.strictEqual(reasonOf(error), "TimedOut")
      assert.isTrue(error.isRetryable)
      assert.deepStrictEqual([asked.length, aborted()], [2, 2])
      const before = yield* Clock.currentTimeMillis
      yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["a"]), "1 second")), 10_000)
      assert.isAtMost((yield* Clock.currentTimeMillis) - before, 1050)
      assert.deepStrictEqual([asked.length, aborted()], [3, 3])
    }))

  it.scoped("breaks the request off when its caller goes away", () =>
    Effect.gen(function*() {
      const { aborted, asked, embedder } = yield* make(always("hang"))
      const fiber = yield* Effect.fork(embedder.embed(["a"]))
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual([asked.length, aborted()], [1, 0])
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("10 millis")
      assert.strictEqual(aborted(), 1)
    }))

  it.scoped("asks for the halves of a request that is refused, and not when the key is", () =>
    Effect.gen(function*() {
      const refusing = yield* make((texts) => texts.includes("bad") ? status(400) : "answer")
      const both = Effect.all([
        Effect.flip(refusing.embedder.embed(["bad"])),
        refusing.embedder.embed(["good", "fine"])
      ], {
        concurrency: "unbounded"
      })
      const [error, vectors] = yield* inTime(both, 1000)
      assert.strictEqual(reasonOf(error), "RequestRejected")
      assert.deepStrictEqual(vectors, ["good", "fine"].map((text) => unit(numbersOf(text))))
      const locked = yield* make(always(status(401)))
      yield* inTime(Effect.flip(locked.embedder.embed(["a", "b", "c"])), 1000)
      assert.strictEqual(locked.asked.length, 1)
    }))

  for (
    const [code, body, isRefusal] of [
      [400, "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"too long\"}}", true],
      [400, "{\"error\":{\"message\":\"no\"}}", undefined],
      [401, "{\"error\":{\"message\":\"no\"}}", false],
      [404, "{\"error\":{\"message\":\"no\"}}", false],
      [503, "{\"error\":{\"message\":\"no\"}}", false]
    ] as const
  ) {
    it.scoped(`says of a ${code} with ${body} that it is ${isRefusal === undefined ? "perhaps" : isRefusal ? "" : "not "}the text's fault`, () =>
      Effect.gen(function*() {
        const { embedder } = yield* make(always(status(code, {}, body)), { retries: 0 })
        assert.strictEqual((yield* inTime(Effect.flip(embedder.embed(["a"])), 1000)).isRefusal, isRefusal)
      }))
  }

  it.scoped("tells by its ping how the last request went, and asks for itself at most once a minute", () =>
    Effect.gen(function*() {
      let answer: "answer" | "reset" = "answer"
      const { asked, embedder } = yield* make(() => answer, { retries: 0 })
      const ping = Effect.isEffect(embedder.ping) ? embedder.ping : assert.fail("no ping")
      yield* inTime(embedder.embed(["a"]), 50)
      yield* ping
      answer = "reset"
      yield* inTime(Effect.flip(embedder.embed(["b"])), 50)
      assert.strictEqual(
        (yield* Effect.flip(ping)).message,
        "Embedder acme: the connection broke before an answer came (ECONNRESET)"
      )
      assert.strictEqual(asked.length, 2)
      answer = "answer"
      yield* TestClock.adjust("1 minute")
      yield* Effect.all(Array.from({ length: 20 }, () => ping))
      assert.deepStrictEqual(asked.map(({ body }) => body.input), [["a"], ["b"], ["text"]])
    }))

  it.scoped("is not called down for a request that was never sent", () =>
    Effect.gen(function*() {
      const { embedder } = yield* make(always("answer"), { requestsPerMinute: 1 })
      yield* inTime(embedder.embed(["a"]), 50)
      yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["b"]), "1 second")), 60)
      yield* (Effect.isEffect(embedder.ping) ? embedder.ping : assert.fail("no ping"))
    }))
})
