import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as ChainTelemetry from "causeway-mcp/llm/internal/ChainTelemetry"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as Target from "causeway-mcp/llm/Target"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type * as Tracer from "effect/Tracer"

const unasked = new LlmError.LlmError({ reason: "Unsupported", provider: "test", description: "it is never asked" })

const model = (provider: string, model: string): Llm.Model => ({
  provider,
  model,
  generateText: () => Effect.fail(unasked),
  generateObject: () => Effect.fail(unasked),
  streamText: () => Stream.fail(unasked),
  ping: Effect.void
})

const request: Chat.Request = { messages: [{ role: "user", text: "the secret question" }], maxTokens: 64 }

const attempt: Chat.Attempt = { provider: "from-answer", model: "from-answer", outcome: "answered", elapsedMs: 120 }

const answer: Chat.TextAnswer = {
  provider: "mistral",
  model: "mistral-small-2603",
  text: "the secret answer",
  citations: [],
  usage: { inputTokens: 12, outputTokens: 7, cachedInputTokens: 3 },
  attempts: [attempt, attempt],
  cost: { certainty: "estimated", usd: 0.002 }
}

const error = new LlmError.LlmError({
  reason: "TimedOut",
  provider: "mistral",
  description: "no answer within the time given",
  status: 504,
  phase: "firstToken",
  retryAfterMs: 1500,
  partial: Redacted.make("the secret answer"),
  attempts: [attempt],
  cost: { certainty: "unknown", usd: 0 }
})

const setting = Effect.gen(function*() {
  const chain = "spans"
  const first = yield* Target.make(model("mistral", "small"), { id: `${chain}/first` })
  const second = yield* Target.make(model("qwen", "plus"), { id: `${chain}/second` })
  return { chain, first, second, telemetry: ChainTelemetry.make(chain, [first, second]) }
})

/** Runs an effect within a span made by `wrap`, and gives that span once it has ended. */
const spanOf = <A>(
  wrap: (self: Effect.Effect<A, LlmError.LlmError>) => Effect.Effect<A, LlmError.LlmError>,
  self: Effect.Effect<A, LlmError.LlmError>
): Effect.Effect<Tracer.Span> =>
  Effect.gen(function*() {
    const seen: Array<Tracer.Span> = []
    const inside = Effect.zipRight(
      Effect.map(Effect.orDie(Effect.currentSpan), (span) => seen.push(span)),
      self
    )
    yield* Effect.exit(wrap(inside))
    const [span] = seen
    return span ?? (yield* Effect.dieMessage("there was no span"))
  })

describe("ChainTelemetry.call", () => {
  it.effect("tells in its span what was asked for and who answered, with tokens, cost and tries", () =>
    Effect.gen(function*() {
      const { chain, telemetry } = yield* setting
      const span = yield* spanOf((self) => telemetry.call("generateText", request, self), Effect.succeed(answer))
      assert.strictEqual(span.name, "llm.call")
      assert.strictEqual(span.status._tag, "Ended")
      assert.deepStrictEqual(Object.fromEntries(span.attributes), {
        "gen_ai.operation.name": "chat",
        "gen_ai.output.type": "text",
        "gen_ai.request.max_tokens": 64,
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.response.model": "mistral-small-2603",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "llm.chain": chain,
        "llm.task": "default",
        "llm.attempts": 2,
        "llm.cost.usd": 0.002,
        "llm.cost.certainty": "estimated"
      })
    }))

  it.effect("tells what was wrong with the best answer there was, and that it was kept from before", () =>
    Effect.gen(function*() {
      const { telemetry } = yield* setting
      const span = yield* spanOf(
        (self) => telemetry.call("generateText", request, self),
        Effect.succeed<Chat.TextAnswer>({ ...answer, flaw: "truncated", isCached: true })
      )
      assert.strictEqual(span.attributes.get("llm.degraded.reason"), "truncated")
      assert.strictEqual(span.attributes.get("llm.cached"), true)
    }))

  it.effect("tells which kind of answer was asked for", () =>
    Effect.gen(function*() {
      const { telemetry } = yield* setting
      const asked = (method: "generateObject" | "streamText") =>
        spanOf(
          (self) => telemetry.call(method, { ...request, task: "reasoning", temperature: 0, seed: 4 }, self),
          Effect.succeed(answer)
        )
      const object = yield* asked("generateObject")
      assert.strictEqual(object.attributes.get("gen_ai.output.type"), "json")
      assert.isUndefined(object.attributes.get("gen_ai.request.stream"))
      assert.strictEqual(object.attributes.get("gen_ai.request.temperature"), 0)
      assert.strictEqual(object.attributes.get("gen_ai.request.seed"), 4)
      assert.strictEqual(object.attributes.get("llm.task"), "reasoning")
      const stream = yield* asked("streamText")
      assert.strictEqual(stream.attributes.get("gen_ai.output.type"), "text")
      assert.strictEqual(stream.attributes.get("gen_ai.request.stream"), true)
    }))

  it.effect("tells why it failed, and hands the error on", () =>
    Effect.gen(function*() {
      const { telemetry } = yield* setting
      const failing: Effect.Effect<Chat.TextAnswer, LlmError.LlmError> = Effect.fail(error)
      const span = yield* spanOf((self) => telemetry.call("generateText", request, self), failing)
      assert.strictEqual(span.attributes.get("error.type"), "TimedOut")
      assert.strictEqual(span.attributes.get("llm.attempts"), 1)
      assert.strictEqual(span.attributes.get("llm.cost.certainty"), "unknown")
      const handedOn = yield* Effect.flip(telemetry.call("generateText", request, failing))
      assert.deepStrictEqual([handedOn.reason, handedOn.phase], ["TimedOut", "firstToken"])
    }))

  it.effect("tells a bug from a failure, and lets it pass as a bug", () =>
    Effect.gen(function*() {
      const { first, telemetry } = yield* setting
      const bug = Effect.die("bug")
      for (
        const span of [
          yield* spanOf((self) => telemetry.call("generateText", request, self), bug),
          yield* spanOf((self) => telemetry.attempt(first, undefined, self), bug)
        ]
      ) assert.strictEqual(span.attributes.get("error.type"), "Defect")
      const exit = yield* Effect.exit(telemetry.call("generateText", request, bug))
      assert.deepStrictEqual(exit, Exit.die("bug"))
    }))

  it.effect("puts no prompt, answer or part of one in a span", () =>
    Effect.gen(function*() {
      const { first, telemetry } = yield* setting
      const outcomes: ReadonlyArray<Effect.Effect<Chat.TextAnswer, LlmError.LlmError>> = [
        Effect.succeed(answer),
        Effect.fail(error)
      ]
      for (const outcome of outcomes) {
        for (
          const span of [
            yield* spanOf((self) => telemetry.call("generateText", request, self), outcome),
            yield* spanOf((self) => telemetry.attempt(first, "retry", self), outcome)
          ]
        ) {
          assert.isAbove(span.attributes.size, 4)
          assert.notInclude(JSON.stringify([...span.attributes]), "secret")
        }
      }
    }))

  it.effect("makes no span where tracing is switched off", () =>
    Effect.gen(function*() {
      const { first, telemetry } = yield* setting
      const inside = Effect.map(Effect.option(Effect.currentSpan), (span) => ({ ...answer, span }))
      const got = yield* Effect.withTracerEnabled(
        telemetry.call("generateText", request, telemetry.attempt(first, undefined, inside)),
        false
      )
      assert.deepStrictEqual(got.span, Option.none())
      const traced = yield* telemetry.call("generateText", request, inside)
      assert.isTrue(Option.isSome(traced.span))
    }))
})

describe("ChainTelemetry.attempt", () => {
  it.effect("is a client's span within the call's, and tells whom it asked and what came of it", () =>
    Effect.gen(function*() {
      const { chain, first, telemetry } = yield* setting
      const span = yield* spanOf(
        (self) => telemetry.call("generateText", request, telemetry.attempt(first, "failover", self)),
        Effect.succeed(answer)
      )
      assert.deepStrictEqual([span.name, span.kind], ["llm.attempt", "client"])
      assert.strictEqual(Option.getOrThrow(span.parent)._tag, "Span")
      assert.deepStrictEqual(Object.fromEntries(span.attributes), {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.request.model": "small",
        "gen_ai.response.model": "mistral-small-2603",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "llm.target": `${chain}/first`,
        "llm.attempt.cause": "failover",
        "llm.attempt.outcome": "answered",
        "llm.cost.usd": 0.002,
        "llm.cost.certainty": "estimated"
      })
    }))

  it.effect("tells where it failed and for how long the model is left alone then", () =>
    Effect.gen(function*() {
      const { first, telemetry } = yield* setting
      yield* TestClock.adjust("1 minute")
      const failing = Effect.zipRight(
        Effect.sync(() => first.cooling.begin(60_000, { reason: "RateLimited", atLeast: 2000 })),
        Effect.fail(error)
      )
      const { attributes } = yield* spanOf((self) => telemetry.attempt(first, undefined, self), failing)
      assert.strictEqual(attributes.get("llm.attempt.outcome"), "failed")
      assert.strictEqual(attributes.get("error.type"), "TimedOut")
      assert.strictEqual(attributes.get("llm.attempt.phase"), "firstToken")
      assert.strictEqual(attributes.get("http.response.status_code"), 504)
      assert.strictEqual(attributes.get("llm.retry_after.ms"), 1500)
      assert.strictEqual(attributes.get("llm.cooldown.ms"), 2000)
      assert.isFalse(attributes.has("llm.attempt.cause"))
    }))

  it.effect("tells that it was interrupted", () =>
    Effect.gen(function*() {
      const { first, telemetry } = yield* setting
      const seen: Array<Tracer.Span> = []
      const waiting = Effect.zipRight(
        Effect.map(Effect.orDie(Effect.currentSpan), (span) => seen.push(span)),
        Effect.never
      )
      for (const wrap of [Effect.interruptible, Effect.uninterruptible]) {
        const fiber = yield* Effect.fork(wrap(telemetry.attempt(first, undefined, Effect.interruptible(waiting))))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
      }
      assert.deepStrictEqual(seen.map((span) => [span.status._tag, span.attributes.get("llm.attempt.outcome")]), [
        ["Ended", "interrupted"],
        ["Ended", "interrupted"]
      ])
    }))

  it.effect("takes what is no answer yet as it is", () =>
    Effect.gen(function*() {
      const { first, telemetry } = yield* setting
      const stream = { pull: "more" }
      assert.strictEqual(yield* telemetry.attempt(first, undefined, Effect.succeed(stream)), stream)
      const span = yield* spanOf((self) => telemetry.attempt(first, undefined, self), Effect.succeed(stream))
      assert.strictEqual(span.attributes.get("llm.attempt.outcome"), "answered")
    }))
})
