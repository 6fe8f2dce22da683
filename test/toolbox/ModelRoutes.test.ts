import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Answer from "causeway-mcp/toolbox/Answer"
import * as StructuredOutput from "causeway-mcp/toolbox/StructuredOutput"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { answer, caller, failure, finds } from "./harness.js"

const passage = { id: "acme-q3", text: "Acme Corp reported a gross margin of 41%.", confidence: 0.8 }
const schema = {
  type: "object",
  properties: { company: { type: "string" }, revenue: { type: "number" } },
  required: ["company", "revenue"]
}
const fits = TestLlm.object({ company: "Acme Corp", revenue: 4.2 })
const misfits = TestLlm.object({ company: "Acme Corp", revenue: "four" })

const tools = ToolRegistry.layer(Toolkit.make(Answer.make(), StructuredOutput.make())).pipe(
  Layer.provide(Layer.merge(finds([passage]), SessionStore.layerMemory))
)
const over = <E>(model: Layer.Layer<Llm.Llm, E>) => Layer.provide(tools, model)
const scripted = (...steps: ReadonlyArray<TestLlm.Step>) => Layer.provideMerge(tools, TestLlm.layer({ steps }))

/** A chain over a scripted model that the test can look at. */
const chained = (...steps: ReadonlyArray<TestLlm.Step>) =>
  Layer.provideMerge(
    tools,
    Layer.scopedContext(Effect.gen(function*() {
      const context = yield* Layer.build(TestLlm.layer({ steps }))
      const chain = yield* Effect.flatMap(TestLlm.TestLlm, (script) => LlmChain.make([script])).pipe(
        Effect.provide(context)
      )
      return yield* Effect.map(
        Layer.build(Layer.succeed(Llm.Llm, chain)),
        (own) => Context.merge(context, own)
      )
    })).pipe(Layer.orDie)
  )

const ask = answer<Answer.Data>("answer_market_question", { question: "What was Acme Corp's gross margin?" })
const extracting = {
  instruction: "Extract company and revenue (number)",
  text: "company: Acme Corp\nrevenue: 4.2",
  schema
}
const extract = answer<StructuredOutput.Data>("generate_structured_output", extracting)
const refuse = failure("generate_structured_output", extracting)

const answered: Chat.TextAnswer = {
  text: "It was 41% [acme-q3].",
  citations: ["acme-q3"],
  provider: "mistral",
  model: "large",
  usage: {},
  attempts: [{ provider: "mistral", model: "large", outcome: "answered", elapsedMs: 1 }]
}

const giving = (change: Partial<Chat.TextAnswer>) =>
  over(Layer.effect(
    Llm.Llm,
    Effect.map(TestLlm.make(), (model) => ({
      ...model,
      generateText: () => Effect.succeed({ ...answered, ...change })
    }))
  ))

const failing = (fields: Partial<ConstructorParameters<typeof LlmError.LlmError>[0]>) =>
  over(Layer.effect(
    Llm.Llm,
    Effect.map(TestLlm.make(), (model) => ({
      ...model,
      generateObject: () =>
        new LlmError.LlmError({ reason: "Exhausted", provider: "chain", description: "secret words", ...fields })
    }))
  ))

const before = (
  reason: string,
  outcome: "failed" | "skipped" = "failed"
): Chat.Attempt => ({ provider: "deepseek", model: "chat", outcome, reason, elapsedMs: 1 })

describe("Answer, and the model it asks", () => {
  it.effect("asks for a brief answer, for the caller's tenant and so that a cache may answer", () =>
    Effect.gen(function*() {
      yield* ask
      const script = yield* TestLlm.TestLlm
      const [asked] = yield* script.requests
      assert.deepInclude(asked?.request, { tenant: caller.tenant, task: "default", temperature: 0, maxTokens: 400 })
      assert.include(asked?.request.messages[0]?.text, "about 80 words")
    }).pipe(Effect.provide(scripted(TestLlm.text("It was 41% [acme-q3].")))))

  it.effect("tells the model how much time it has", () =>
    Effect.gen(function*() {
      const told: Array<number> = []
      const model = yield* TestLlm.make()
      const keeping: Llm.Model = {
        ...model,
        generateText: () =>
          Effect.map(TimeLimit.remaining, (left) => {
            told.push(left)
            return answered
          })
      }
      yield* Effect.provide(ask, over(Layer.succeed(Llm.Llm, keeping)))
      assert.deepStrictEqual(told, [29_500])
    }))

  it.effect("waits for no model that cannot be interrupted", () =>
    Effect.gen(function*() {
      const model = yield* TestLlm.make()
      const deaf: Llm.Model = {
        ...model,
        generateText: () => Effect.uninterruptible(Effect.delay(Effect.die("too late"), "1 hour"))
      }
      const fiber = yield* Effect.fork(Effect.provide(ask, over(Layer.succeed(Llm.Llm, deaf))))
      yield* TestClock.adjust("29750 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).data.model, "extractive")
    }))

  it.effect("names the models that failed before, and is a little less sure but not degraded", () =>
    Effect.gen(function*() {
      const { confidence, degraded, sources } = yield* ask
      assert.closeTo(confidence, 0.8 * 0.9 * 0.95, 1e-9)
      assert.isUndefined(degraded)
      assert.deepInclude(sources[1], { id: "large", title: "Model of mistral, after deepseek (RateLimited)" })
    }).pipe(Effect.provide(giving({ attempts: [before("RateLimited"), ...answered.attempts] }))))

  it.effect("is as sure as ever when the models passed over were never meant for it", () =>
    Effect.gen(function*() {
      const { confidence, sources } = yield* ask
      assert.closeTo(confidence, 0.8 * 0.9, 1e-9)
      assert.strictEqual(sources[1]?.title, "Model of mistral")
    }).pipe(Effect.provide(giving({ attempts: [before("contextTooLong", "skipped"), ...answered.attempts] }))))

  it.effect("is as sure as ever when the same model was asked twice", () =>
    Effect.gen(function*() {
      const { confidence } = yield* ask
      assert.closeTo(confidence, 0.8 * 0.9, 1e-9)
    }).pipe(
      Effect.provide(giving({
        attempts: [{ ...before("Transient"), provider: "mistral", model: "large" }, ...answered.attempts]
      }))
    ))

  it.effect("says what is wrong with an answer that has a flaw", () =>
    Effect.gen(function*() {
      const { confidence, degraded } = yield* ask
      assert.closeTo(confidence, 0.8 * 0.9 * 0.7, 1e-9)
      assert.include(degraded?.reason, "is cut off")
    }).pipe(Effect.provide(giving({ flaw: "truncated" }))))

  it.effect("marks a model whose answer was kept from before", () =>
    Effect.gen(function*() {
      const { sources } = yield* ask
      assert.deepStrictEqual(sources.map(({ cached }) => cached), [false, true])
    }).pipe(Effect.provide(giving({ isCached: true }))))
})

describe("StructuredOutput, and the model it asks", () => {
  it.effect("asks for the caller's tenant, so that a cache may answer, and says how to judge a value", () =>
    Effect.gen(function*() {
      let problems: ReadonlyArray<unknown> | undefined
      const script = yield* TestLlm.make({ steps: [fits] })
      const judging: Llm.Model = {
        ...script,
        generateObject: (request) => {
          problems = request.validate?.({ company: 1, revenue: 4 })
          return script.generateObject(request)
        }
      }
      yield* Effect.provide(extract, over(Layer.succeed(Llm.Llm, judging)))
      const [asked] = yield* script.requests
      assert.deepInclude(asked?.request, { tenant: caller.tenant, task: "strictJson", temperature: 0 })
      assert.deepStrictEqual(problems?.map((problem) => Object(problem).path), ["/company"])
    }))

  it.effect("lets a chain have the JSON corrected, and is less sure of it", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* extract
      assert.deepStrictEqual(data.value, { company: "Acme Corp", revenue: 4.2 })
      assert.closeTo(confidence, 0.85 * 0.9, 1e-9)
      const script = yield* TestLlm.TestLlm
      assert.lengthOf(yield* script.requests, 2)
    }).pipe(Effect.provide(chained(misfits, fits))))

  it.effect("has nothing corrected twice, and names what is wrong, when the chain could not mend it", () =>
    Effect.gen(function*() {
      const body = yield* refuse
      assert.deepInclude(body, { code: "degraded_only", source: "model", retryable: false })
      assert.include(body.message, "also after one repair")
      assert.include(body.message, "/revenue")
      const script = yield* TestLlm.TestLlm
      assert.lengthOf(yield* script.requests, 2)
    }).pipe(Effect.provide(chained(misfits, misfits, fits))))

  for (
    const [what, fields, body] of [
      ["no model has room under its limits", {
        attempts: [before("limits", "skipped"), before("limits", "skipped")],
        retryAfterMs: 2400
      }, {
        code: "rate_limited",
        retryable: true,
        retryAfterMs: 2400
      }],
      ["every model is left alone for a while", { attempts: [before("cooldown", "skipped")], retryAfterMs: 900 }, {
        code: "temporarily_unavailable",
        retryable: true,
        retryAfterMs: 900
      }],
      ["some may come back", { attempts: [before("AuthRejected"), before("breaker", "skipped")] }, {
        code: "temporarily_unavailable",
        retryable: true
      }],
      ["the budget is spent", { reason: "BudgetExceeded", retryAfterMs: 60_000 }, {
        code: "budget_exceeded",
        retryable: false,
        retryAfterMs: 60_000
      }],
      ["every model was passed over for the budget", { attempts: [before("budget", "skipped")] }, {
        code: "budget_exceeded",
        retryable: false
      }],
      ["a stream broke", { reason: "StreamBroken" }, { code: "temporarily_unavailable", retryable: true }],
      ["a certificate was not accepted", { reason: "Untrusted" }, { code: "degraded_only", retryable: false }],
      ["the time of the call was over", { reason: "TimedOut", phase: "total" }, { code: "timed_out", retryable: true }],
      ["one model took too long", { reason: "TimedOut", phase: "answer" }, {
        code: "temporarily_unavailable",
        retryable: true
      }],
      ["it is too long for all of them", {
        attempts: [before("ContextTooLong"), before("contextTooLong", "skipped")]
      }, { code: "invalid_input", retryable: false }]
    ] as const
  ) {
    it.effect(`says ${body.code} when ${what}`, () =>
      Effect.gen(function*() {
        const failed = yield* refuse
        assert.deepInclude(failed, { ...body, source: "model" })
        assert.notInclude(JSON.stringify(failed), "secret")
      }).pipe(Effect.provide(failing(fields))))
  }
})
