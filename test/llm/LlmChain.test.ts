import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const request: Chat.Request = { messages: [{ role: "user", text: "?" }] }

const model = (provider: string, ...steps: ReadonlyArray<TestLlm.Step>) => TestLlm.make({ provider, steps })

const trail = (attempts: ReadonlyArray<Chat.Attempt> | undefined) =>
  attempts?.map((attempt) => [attempt.provider, attempt.outcome, attempt.reason, attempt.elapsedMs])

/** Runs an effect while the clock moves on. */
const during = <A, E>(effect: Effect.Effect<A, E>, millis: number) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(millis)
    return yield* Fiber.join(fiber)
  })

describe("LlmChain.make", () => {
  it.effect("refuses the same model twice, and no model at all", () =>
    Effect.gen(function*() {
      const a = yield* model("a")
      const b = yield* model("b")
      const twice = yield* Effect.flip(LlmChain.make([a, b, a]))
      assert.strictEqual(twice._tag, "InvalidChain")
      assert.strictEqual(twice.message, "the chain names the model a/scripted twice")
      const none: ReadonlyArray<TestLlm.Script> = []
      // The type forbids an empty chain; plain JavaScript does not.
      const empty = yield* Effect.flip(LlmChain.make(none as unknown as readonly [TestLlm.Script]))
      assert.strictEqual(empty.message, "a chain needs at least one model")
    }))

  it.effect("answers from the first model and asks no other", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([model("a", TestLlm.text("hello")), model("b")])
      const chain = yield* LlmChain.make([a, b])
      const answer = yield* chain.generateText(request)
      assert.strictEqual(answer.text, "hello")
      assert.deepStrictEqual(trail(answer.attempts), [["a", "answered", undefined, 0]])
      assert.strictEqual((yield* b.requests).length, 0)
    }))

  it.effect("asks the next at once when one is rate limited, and shows the trail", () =>
    Effect.gen(function*() {
      const a = yield* model("a", TestLlm.fail("RateLimited", { retryAfterMs: 30_000 }))
      const b = yield* model("b", TestLlm.fail("Degraded"))
      const c = yield* model("c", TestLlm.object({ x: 1 }))
      const chain = yield* LlmChain.make([a, b, c])
      // No clock is moved: a pause between two models would never end.
      const answer = yield* chain.generateObject({ ...request, schema: { type: "object" } })
      assert.deepStrictEqual(answer.value, { x: 1 })
      assert.strictEqual(answer.provider, "c")
      assert.deepStrictEqual(trail(answer.attempts), [
        ["a", "failed", "RateLimited", 0],
        ["b", "failed", "Degraded", 0],
        ["c", "answered", undefined, 0]
      ])
    }))

  it.effect("fails as Exhausted with the smallest wait when every model failed", () =>
    Effect.gen(function*() {
      const a = yield* model("a", TestLlm.fail("RateLimited", { retryAfterMs: 9000 }))
      const b = yield* model("b", TestLlm.fail("RateLimited", { retryAfterMs: 4000 }))
      const c = yield* model("c", TestLlm.fail("QuotaExhausted"))
      const error = yield* Effect.flip((yield* LlmChain.make([a, b, c])).generateText(request))
      assert.strictEqual(error.reason, "Exhausted")
      assert.strictEqual(error.retryAfterMs, 4000)
      assert.deepStrictEqual(error.attempts?.map((attempt) => attempt.reason), [
        "RateLimited",
        "RateLimited",
        "QuotaExhausted"
      ])
      assert.isTrue(error.isRetryable)
      assert.isFalse(error.shouldFailOver)
    }))

  for (const reason of ["ContentBlocked", "RequestRejected"] satisfies ReadonlyArray<LlmError.Reason>) {
    it.effect(`stops at ${reason} and asks no further model`, () =>
      Effect.gen(function*() {
        const [a, b] = yield* Effect.all([model("a", TestLlm.fail(reason)), model("b")])
        const error = yield* Effect.flip((yield* LlmChain.make([a, b])).generateText(request))
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(error.provider, "a")
        assert.deepStrictEqual(trail(error.attempts), [["a", "failed", reason, 0]])
        assert.strictEqual((yield* b.requests).length, 0)
      }))
  }

  it.effect("gives a silent model its attempt timeout and then asks the next", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([model("a", TestLlm.hang), model("b", TestLlm.text("ok", { delay: 500 }))])
      const chain = yield* LlmChain.make([a, b])
      const answer = yield* during(chain.generateText(request), 20_500)
      assert.deepStrictEqual(trail(answer.attempts), [
        ["a", "failed", "TimedOut", 20_000],
        ["b", "answered", undefined, 500]
      ])
    }))

  it.effect("fails as TimedOut when the deadline passes, and names the models it skipped", () =>
    Effect.gen(function*() {
      const [a, b, c] = yield* Effect.all([model("a", TestLlm.hang), model("b", TestLlm.hang), model("c")])
      const chain = yield* LlmChain.make([a, b, c], { attemptTimeout: "700 millis", deadline: "1 second" })
      const error = yield* during(Effect.flip(chain.generateText(request)), 1000)
      assert.strictEqual(error.reason, "TimedOut")
      assert.deepStrictEqual(trail(error.attempts), [
        ["a", "failed", "TimedOut", 700],
        ["b", "failed", "TimedOut", 300],
        ["c", "skipped", "TimedOut", 0]
      ])
      assert.strictEqual((yield* c.requests).length, 0)
    }))

  it.effect("stops at once when it is interrupted", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([model("a", TestLlm.hang), model("b")])
      const fiber = yield* Effect.fork((yield* LlmChain.make([a, b])).generateText(request))
      yield* TestClock.adjust(10)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.strictEqual((yield* b.requests).length, 0)
    }))

  it.effect("goes past an exhausted chain within a chain and flattens its trail", () =>
    Effect.gen(function*() {
      const [a, b, c] = yield* Effect.all([
        model("a", TestLlm.fail("Transient")),
        model("b", TestLlm.fail("Malformed")),
        model("c", TestLlm.text("ok"))
      ])
      const inner = yield* LlmChain.make([a, b], { name: "inner" })
      const answer = yield* (yield* LlmChain.make([inner, c])).generateText(request)
      assert.deepStrictEqual(answer.attempts.map((attempt) => attempt.provider), ["a", "b", "c"])
    }))

  it.effect("leaves a defect a defect", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([model("a"), model("b", TestLlm.text("never"))])
      const exit = yield* Effect.exit((yield* LlmChain.make([a, b])).generateText(request))
      assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Die")
      assert.strictEqual((yield* b.requests).length, 0)
    }))

  it.effect("can be asked as long as one of its models can", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([model("a"), model("b")])
      const down = { ...a, ping: Effect.never }
      const chain = yield* LlmChain.make([down, b], { attemptTimeout: "1 second" })
      yield* during(chain.ping, 1000)
    }))
})

describe("LlmChain streams", () => {
  const collect = (stream: Stream.Stream<Chat.Delta, LlmError.LlmError>) => {
    const seen: Array<string> = []
    return Effect.map(
      Effect.either(Stream.runForEach(stream, (delta) =>
        Effect.sync(() => {
          seen.push(delta._tag === "Text" ? delta.text : `done by ${delta.answer.provider}`)
        }))),
      (result) => ({ seen, result })
    )
  }

  it.effect("changes models before the first text, and the last piece has the whole trail", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([model("a", TestLlm.fail("Transient")), model("b", TestLlm.text("hello"))])
      const deltas = yield* Stream.runCollect((yield* LlmChain.make([a, b])).streamText(request))
      const last = [...deltas].at(-1)
      assert.deepStrictEqual([...deltas].map((delta) => delta._tag), ["Text", "Done"])
      assert.isTrue(last?._tag === "Done")
      if (last?._tag === "Done") assert.deepStrictEqual(last.answer.attempts.map((a) => a.provider), ["a", "b"])
    }))

  it.effect("never glues: a stream that breaks after its first text fails with the trail", () =>
    Effect.gen(function*() {
      const a = yield* model("a", TestLlm.fail("Transient"))
      const b = yield* model("b", TestLlm.fail("Transient", { after: "half an" }))
      const c = yield* model("c")
      const { result, seen } = yield* collect((yield* LlmChain.make([a, b, c])).streamText(request))
      assert.deepStrictEqual(seen, ["half an"])
      assert.isTrue(result._tag === "Left" && result.left.reason === "Transient")
      if (result._tag === "Left") {
        assert.deepStrictEqual(result.left.attempts?.map((attempt) => attempt.provider), ["a", "b"])
      }
      assert.strictEqual((yield* c.requests).length, 0)
    }))

  it.effect("does not take an empty text for the first one", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([
        model("a", TestLlm.fail("Transient", { after: "" })),
        model("b", TestLlm.text("x"))
      ])
      const { seen } = yield* collect((yield* LlmChain.make([a, b])).streamText(request))
      assert.deepStrictEqual(seen, ["x", "done by b"])
    }))

  it.effect("gives a silent stream its attempt timeout and interrupts it", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([model("a", TestLlm.hang), model("b", TestLlm.text("x"))])
      const chain = yield* LlmChain.make([a, b], { attemptTimeout: "2 seconds" })
      const { seen } = yield* during(collect(chain.streamText(request)), 2000)
      assert.deepStrictEqual(seen, ["x", "done by b"])
      assert.strictEqual(yield* a.interrupted, 1)
    }))

  it.effect("fails a stream that ends without its last piece", () =>
    Effect.gen(function*() {
      const a = yield* model("a")
      const cut = { ...a, streamText: () => Stream.make<[Chat.Delta]>({ _tag: "Text", text: "x" }) }
      const { result } = yield* collect((yield* LlmChain.make([cut])).streamText(request))
      assert.isTrue(result._tag === "Left" && result.left.reason === "Malformed")
    }))

  it.effect("holds the deadline also after the first text", () =>
    Effect.gen(function*() {
      const a = yield* model("a", TestLlm.fail("Transient", { after: "slow", delay: "1 hour" }))
      const chain = yield* LlmChain.make([a], { deadline: "3 seconds" })
      const { result, seen } = yield* during(collect(chain.streamText(request)), 3000)
      assert.deepStrictEqual(seen, ["slow"])
      assert.isTrue(result._tag === "Left" && result.left.reason === "TimedOut")
    }))
})
