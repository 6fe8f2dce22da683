import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as LlmRouter from "causeway-mcp/llm/LlmRouter"
import * as TokenEstimate from "causeway-mcp/llm/TokenEstimate"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const classes: ReadonlyArray<Chat.TaskClass> = ["default", "strictJson", "reasoning", "longContextBatch"]

const named = (provider: string) => TestLlm.make({ provider, model: "m", otherwise: () => TestLlm.text(provider) })

const all = Effect.all({
  default: named("default"),
  strictJson: named("strictJson"),
  reasoning: named("reasoning"),
  longContextBatch: named("longContextBatch")
})

const short: Chat.Request = { messages: [{ role: "user", text: "Why?" }] }
const long: Chat.Request = { messages: [{ role: "user", text: "many words ".repeat(40_000) }] }
const schema = { type: "object" } as const

const broken = (model: Llm.Model): Llm.Model => ({
  ...model,
  ping: Effect.fail(new LlmError.LlmError({ reason: "Transient", provider: model.provider, description: "is away" }))
})

describe("LlmRouter", () => {
  it.effect("goes by the class that is declared, whatever the request holds", () =>
    Effect.gen(function*() {
      const router = LlmRouter.make(yield* all)
      for (const task of classes) {
        for (const request of [short, long]) {
          assert.strictEqual((yield* router.generateText({ ...request, task })).text, task)
          assert.strictEqual((yield* router.generateObject({ ...request, task, schema })).provider, task)
        }
      }
    }))

  it.effect("takes a schema for strict JSON, many tokens for long context, and all else for the default", () =>
    Effect.gen(function*() {
      const router = LlmRouter.make(yield* all)
      assert.strictEqual((yield* router.generateText(short)).provider, "default")
      assert.strictEqual((yield* router.generateText(long)).provider, "longContextBatch")
      assert.strictEqual((yield* router.generateObject({ ...short, schema })).provider, "strictJson")
      assert.strictEqual((yield* router.generateObject({ ...long, schema })).provider, "strictJson")
      const done = yield* Stream.runLast(router.streamText(long))
      assert.deepInclude(done, { _tag: "Some" })
    }))

  it("takes a request for long context only above the limit", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.nat(3_000), FastCheck.integer({ min: 1, max: 2_000 }), (words, limit) => {
        const request: Chat.Request = { messages: [{ role: "user", text: "word ".repeat(words) }] }
        assert.strictEqual(
          LlmRouter.byRequest(limit)(request),
          TokenEstimate.ofRequest(request) > limit ? "longContextBatch" : "default"
        )
      })
    )
  })

  it.effect("leaves a class without a model of its own to the default", () =>
    Effect.gen(function*() {
      const { default: standard, reasoning } = yield* all
      const router = LlmRouter.make({ default: standard, reasoning })
      assert.strictEqual((yield* router.generateText({ ...short, task: "strictJson" })).provider, "default")
      assert.strictEqual((yield* router.generateText(long)).provider, "default")
      assert.strictEqual((yield* router.generateText({ ...short, task: "reasoning" })).provider, "reasoning")
    }))

  it.effect("goes by another way to tell when it is given one, and to the default when that names no class", () =>
    Effect.gen(function*() {
      const router = LlmRouter.make(yield* all, {
        classify: (request) => request.tenant === "x" ? "reasoning" : JSON.parse("\"__proto__\"")
      })
      assert.strictEqual((yield* router.generateText({ ...short, tenant: "x" })).provider, "reasoning")
      assert.strictEqual((yield* router.generateText({ ...short, task: "strictJson" })).provider, "default")
    }))

  it.effect("passes the request and the observer on as they are", () =>
    Effect.gen(function*() {
      const { default: standard } = yield* all
      const seen: Array<unknown> = []
      const observer: Llm.Observer = { enter: () => {}, remaining: () => {} }
      const router = LlmRouter.make({
        default: {
          ...standard,
          generateText: (...given) => {
            seen.push(...given)
            return standard.generateText(given[0])
          }
        }
      })
      yield* router.generateText(short, observer)
      assert.strictEqual(seen[0], short)
      assert.strictEqual(seen[1], observer)
    }))

  it.effect("has the names of its models, each once", () =>
    Effect.gen(function*() {
      const { default: standard, reasoning } = yield* all
      const router = LlmRouter.make({ default: standard, strictJson: reasoning, reasoning })
      assert.deepStrictEqual([router.provider, router.model], ["router", "default/m, reasoning/m"])
    }))

  it.effect("can be asked while any of its models can", () =>
    Effect.gen(function*() {
      const { default: standard, reasoning, strictJson } = yield* all
      yield* LlmRouter.make({ default: broken(standard), reasoning }).ping
      const hanging = LlmRouter.make({ default: { ...standard, ping: Effect.never }, reasoning, strictJson }).ping
      yield* hanging
      const late = yield* Effect.fork(
        LlmRouter.make({ default: broken(standard), reasoning: { ...reasoning, ping: Effect.sleep("1 second") } }).ping
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(late)
      const error = yield* Effect.flip(LlmRouter.make({ default: broken(standard), reasoning: broken(reasoning) }).ping)
      assert.strictEqual(error.reason, "Transient")
      const alone = yield* Effect.flip(LlmRouter.make({ default: broken(standard) }).ping)
      assert.strictEqual(alone.provider, "default")
    }))

  it.effect("refuses a limit that is no positive number", () =>
    Effect.gen(function*() {
      const models = yield* all
      for (const longContextTokens of [0, -1, Number.NaN]) {
        assert.throws(() => LlmRouter.make(models, { longContextTokens }), RangeError, "longContextTokens")
      }
    }))
})
