import * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as AiPrompt from "@effect/ai/Prompt"
import * as AiTool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert, describe, it } from "@effect/vitest"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as LlmLanguageModel from "causeway-mcp/llm/LlmLanguageModel"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

const Quote = Schema.Struct({ company: Schema.NonEmptyString, price: Schema.NumberFromString })

const usage = { inputTokens: 10, outputTokens: 5, cachedInputTokens: 4 }

/** Runs an effect with a `LanguageModel` over a script, and gives the script too. */
const withScript = <A, E>(
  steps: ReadonlyArray<TestLlm.Step>,
  use: (script: TestLlm.Script) => Effect.Effect<A, E, LanguageModel.LanguageModel>,
  settings: LlmLanguageModel.Settings = {}
): Effect.Effect<A, E> =>
  Effect.flatMap(
    TestLlm.make({ steps }),
    (script) => Effect.provide(use(script), LlmLanguageModel.layerWith(settings).pipe(Layer.provide(Llm.layer(script))))
  )

const aiError = <A, R>(self: Effect.Effect<A, AiError.AiError, R>): Effect.Effect<AiError.AiError, A, R> =>
  Effect.flip(self)

describe("LlmLanguageModel.generateText", () => {
  it.effect("gives the text, the usage, and who answered", () =>
    withScript([TestLlm.text("Hello.", { usage })], (script) =>
      Effect.gen(function*() {
        const response = yield* LanguageModel.generateText({ prompt: "Say hello." })
        assert.strictEqual(response.text, "Hello.")
        assert.strictEqual(response.finishReason, "stop")
        assert.deepInclude(response.usage, { ...usage, totalTokens: 15 })
        const finish = response.content.find((part) => part.type === "finish")
        const { attempts, ...metadata } = finish?.metadata.causeway ?? { attempts: [] }
        assert.deepStrictEqual(metadata, { provider: "test", model: "scripted" })
        assert.deepStrictEqual(attempts.map((attempt) => attempt.outcome), ["answered"])
        const about = response.content.find((part) => part.type === "response-metadata")
        assert.deepStrictEqual(about?.modelId, Option.some("scripted"))
        assert.deepStrictEqual((yield* script.requests)[0]?.request.messages, [{ role: "user", text: "Say hello." }])
      })))

  it.effect("sends every role's text, and not what a model thought", () =>
    withScript([TestLlm.text("Fine.")], (script) =>
      Effect.gen(function*() {
        yield* LanguageModel.generateText({
          prompt: [
            { role: "system", content: "Be brief." },
            { role: "user", content: [{ type: "text", text: "One." }, { type: "text", text: "Two." }] },
            { role: "assistant", content: [{ type: "reasoning", text: "Hm." }, { type: "text", text: "Yes." }] },
            { role: "user", content: "And?" }
          ]
        })
        assert.deepStrictEqual((yield* script.requests)[0]?.request.messages, [
          { role: "system", text: "Be brief." },
          { role: "user", text: "One.\nTwo." },
          { role: "assistant", text: "Yes." },
          { role: "user", text: "And?" }
        ])
      })))

  it.effect("sends its settings along, and names the passages that were cited", () =>
    withScript(
      [TestLlm.text("It rose [a].")],
      (script) =>
        Effect.gen(function*() {
          const response = yield* LanguageModel.generateText({ prompt: "Why?" })
          const finish = response.content.find((part) => part.type === "finish")
          assert.deepStrictEqual(finish?.metadata.causeway?.citations, ["a"])
          const [seen] = yield* script.requests
          assert.deepInclude({ ...seen?.request }, { tenant: "t1", temperature: 0 })
        }),
      { tenant: "t1", temperature: 0, context: [{ id: "a", text: "It rose." }] }
    ))

  it.effect("says that an answer was cut off when that is its flaw", () =>
    Effect.gen(function*() {
      const script = yield* TestLlm.make({ steps: [TestLlm.text("It")] })
      const model: Llm.Model = {
        ...script,
        generateText: (request) =>
          Effect.map(script.generateText(request), (answer) => ({ ...answer, flaw: "truncated" }))
      }
      const service = yield* LlmLanguageModel.make(model)
      const response = yield* service.generateText({ prompt: "Why?" })
      assert.strictEqual(response.finishReason, "length")
    }))

  it.effect("refuses files, tool results and an empty prompt before it asks", () =>
    withScript([], (script) =>
      Effect.gen(function*() {
        const result = { type: "tool-result", id: "1", name: "f", isFailure: false, providerExecuted: false, result: 1 }
        const prompts: ReadonlyArray<AiPrompt.RawInput> = [
          [{ role: "user", content: [{ type: "file", mediaType: "image/png", data: "aGk=" }] }],
          [{ role: "tool", content: [{ ...result, type: "tool-result" }] }],
          []
        ]
        const errors = yield* Effect.forEach(prompts, (prompt) => aiError(LanguageModel.generateText({ prompt })))
        assert.deepStrictEqual(errors.map((error) => error._tag), [
          "MalformedInput",
          "MalformedInput",
          "MalformedInput"
        ])
        assert.deepStrictEqual(errors.map((error) => error.description), [
          "The prompt holds a file in a message of the user; only text can be sent.",
          "The prompt holds a tool result in a message of the tool; only text can be sent.",
          "The prompt holds no message."
        ])
        assert.deepStrictEqual(yield* script.requests, [])
      })))

  const tools = Toolkit.make(AiTool.make("look_up", { description: "Looks up", success: Schema.String }))

  it.effect("refuses tools, unless none is to be called", () =>
    withScript([TestLlm.text("Fine."), TestLlm.text("Fine.")], () =>
      Effect.gen(function*() {
        const toolkit = yield* tools.pipe(Effect.provide(tools.toLayer({ look_up: () => Effect.succeed("x") })))
        const error = yield* Effect.flip(LanguageModel.generateText({ prompt: "Why?", toolkit }))
        assert.strictEqual(error._tag, "MalformedInput")
        assert.include(AiError.isAiError(error) ? error.description : "", "calls no tools")
        const response = yield* LanguageModel.generateText({ prompt: "Why?", toolkit, toolChoice: "none" })
        assert.strictEqual(response.text, "Fine.")
        const empty = yield* LanguageModel.generateText({ prompt: "Why?", toolkit: Toolkit.empty })
        assert.strictEqual(empty.text, "Fine.")
      })))

  it.effect("keeps the reason, the retry time and the trail in the error", () =>
    withScript([TestLlm.fail("RateLimited", { retryAfterMs: 2000 })], () =>
      Effect.gen(function*() {
        const error = yield* aiError(LanguageModel.generateText({ prompt: "Why?" }))
        assert.strictEqual(error._tag, "UnknownError")
        assert.match(error.description ?? "", /^RateLimited: test: .*; try again after 2s$/u)
        const behind = Option.getOrThrow(LlmLanguageModel.llmError(error))
        assert.deepStrictEqual([behind.reason, behind.isRetryable, behind.retryAfterMs], ["RateLimited", true, 2000])
      })))

  it.effect("tells whether the request or the answer is to blame", () =>
    Effect.gen(function*() {
      const tags: Record<string, string> = {}
      for (const reason of LlmError.Reason.literals) {
        yield* withScript([TestLlm.fail(reason)], () =>
          Effect.gen(function*() {
            const error = yield* aiError(LanguageModel.generateText({ prompt: "Why?" }))
            tags[reason] = error._tag
            assert.isTrue(Option.isSome(LlmLanguageModel.llmError(error)))
          }))
      }
      const withTag = (tag: string) => Object.keys(tags).filter((reason) => tags[reason] === tag)
      assert.sameMembers(withTag("MalformedInput"), ["RequestRejected", "ContextTooLong", "Unsupported"])
      assert.sameMembers(withTag("MalformedOutput"), ["Malformed", "Degraded"])
      assert.strictEqual(withTag("UnknownError").length, LlmError.Reason.literals.length - 5)
    }))

  it("has no error of ours behind one of another", () => {
    const error = new AiError.UnknownError({ module: "Other", method: "generateText", cause: new Error("x") })
    assert.deepStrictEqual(LlmLanguageModel.llmError(error), Option.none())
  })
})

describe("LlmLanguageModel.generateObject", () => {
  it.effect("asks by the JSON Schema and decodes the answer", () =>
    withScript([TestLlm.object({ company: "Acme", price: "12.5" }, { usage })], (script) =>
      Effect.gen(function*() {
        const response = yield* LanguageModel.generateObject({
          prompt: "Quote.",
          schema: Quote,
          objectName: "a quote/1"
        })
        assert.deepStrictEqual(response.value, { company: "Acme", price: 12.5 })
        assert.strictEqual(response.usage.totalTokens, 15)
        const [seen] = yield* script.requests
        assert.strictEqual(seen?.method, "generateObject")
        assert.deepStrictEqual(seen?.request.schema?.required, ["company", "price"])
        assert.strictEqual(Reflect.get(Object(seen?.request), "schemaName"), "a_quote_1")
      })))

  it.effect("has a chain correct an answer that does not fit", () =>
    Effect.scoped(Effect.gen(function*() {
      const script = yield* TestLlm.make({
        steps: [TestLlm.object({ company: "", price: "?" }), TestLlm.object({ company: "Acme", price: "12.5" })]
      })
      const chain = yield* LlmChain.make([script])
      const service = yield* LlmLanguageModel.make(chain)
      const response = yield* service.generateObject({ prompt: "Quote.", schema: Quote })
      assert.deepStrictEqual(response.value, { company: "Acme", price: 12.5 })
      const second = (yield* script.requests)[1]?.request.messages ?? []
      assert.include(second.at(-1)?.text, "/price")
      const finish = response.content.find((part) => part.type === "finish")
      assert.deepStrictEqual(
        finish?.metadata.causeway?.attempts.map((attempt) => [attempt.outcome, attempt.flaw ?? attempt.cause]),
        [["failed", "schemaMismatch"], ["answered", "repair"]]
      )
    })))

  it.effect("has a chain ask the next model when the first cannot", () =>
    Effect.scoped(Effect.gen(function*() {
      const first = yield* TestLlm.make({ otherwise: () => TestLlm.object("no"), provider: "first" })
      const second = yield* TestLlm.make({
        steps: [TestLlm.object({ company: "Acme", price: "1" })],
        provider: "second"
      })
      const service = yield* LlmLanguageModel.make(yield* LlmChain.make([first, second]))
      const response = yield* service.generateObject({ prompt: "Quote.", schema: Quote })
      assert.strictEqual(response.value.price, 1)
      assert.strictEqual(response.content.find((part) => part.type === "finish")?.metadata.causeway?.provider, "second")
    })))

  it.effect("fails as MalformedOutput when nobody gives what fits", () =>
    Effect.gen(function*() {
      const script = yield* TestLlm.make({ steps: [TestLlm.object({ company: "" })] })
      const service = yield* LlmLanguageModel.make(script)
      const error = yield* Effect.flip(service.generateObject({ prompt: "Quote.", schema: Quote }))
      assert.strictEqual(error._tag, "MalformedOutput")
    }))

  it.effect("refuses a schema that has no JSON Schema", () =>
    withScript([], () =>
      Effect.gen(function*() {
        const schema = Schema.Struct({ at: Schema.declare((value): value is Date => value instanceof Date) })
        const error = yield* Effect.flip(LanguageModel.generateObject({
          prompt: "?",
          schema: Schema.encodedSchema(schema) as unknown as Schema.Schema<{ at: string }, { at: string }>
        }))
        assert.strictEqual(error._tag, "MalformedInput")
        assert.include(AiError.isAiError(error) ? error.description : "", "no JSON Schema")
      })))
})

describe("LlmLanguageModel.streamText", () => {
  it.effect("gives the text as it comes, between its beginning and its end, and the usage", () =>
    withScript([TestLlm.pieces(["Hel", "", "lo."], { usage })], () =>
      Effect.gen(function*() {
        const parts = Chunk.toReadonlyArray(
          yield* Stream.runCollect(LanguageModel.streamText({ prompt: "Say hello." }))
        )
        assert.deepStrictEqual(parts.map((part) => part.type), [
          "text-start",
          "text-delta",
          "text-delta",
          "text-end",
          "response-metadata",
          "finish"
        ])
        assert.strictEqual(parts.map((part) => part.type === "text-delta" ? part.delta : "").join(""), "Hello.")
        const ids = parts.flatMap((part) => "id" in part && typeof part.id === "string" ? [part.id] : [])
        assert.strictEqual(ids.length, 4)
        assert.strictEqual(new Set(ids).size, 1)
        const finish = parts.find((part) => part.type === "finish")
        assert.strictEqual(finish?.usage.outputTokens, 5)
        assert.strictEqual(finish?.metadata.causeway?.model, "scripted")
      })))

  it.effect("fails after what it gave when the stream breaks", () =>
    withScript([TestLlm.fail("StreamBroken", { after: "Hel" })], () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const error = yield* LanguageModel.streamText({ prompt: "Say hello." }).pipe(
          Stream.runForEach((part) => Effect.sync(() => seen.push(part.type))),
          Effect.flip
        )
        assert.deepStrictEqual(seen, ["text-start", "text-delta"])
        assert.strictEqual(error._tag, "UnknownError")
        assert.strictEqual(Option.getOrThrow(LlmLanguageModel.llmError(error)).reason, "StreamBroken")
      })))

  it.effect("refuses a file before it asks", () =>
    withScript([], (script) =>
      Effect.gen(function*() {
        const error = yield* LanguageModel.streamText({
          prompt: [{ role: "user", content: [{ type: "file", mediaType: "text/plain", data: "aGk=" }] }]
        }).pipe(Stream.runDrain, Effect.flip)
        assert.strictEqual(error._tag, "MalformedInput")
        assert.deepStrictEqual(yield* script.requests, [])
      })))
})

describe("LlmLanguageModel.layer", () => {
  it.effect("makes a LanguageModel of the Llm", () =>
    LanguageModel.generateText({ prompt: "Say hello." }).pipe(
      Effect.map((response) => assert.strictEqual(response.text, "Hello.")),
      Effect.provide(LlmLanguageModel.layer.pipe(
        Layer.provide(TestLlm.layer({ steps: [TestLlm.text("Hello.")] }))
      ))
    ))
})
