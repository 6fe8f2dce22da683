import { assert, describe, it } from "@effect/vitest"
import * as CachingLlm from "causeway-mcp/llm/CachingLlm"
import type * as Chat from "causeway-mcp/llm/Chat"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as ResponseCache from "causeway-mcp/llm/ResponseCache"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const request: Chat.Request = { messages: [{ role: "user", text: "Why?" }], temperature: 0 }

const schema = { type: "object" } as const

const scripted = (...steps: ReadonlyArray<TestLlm.Step>) =>
  Effect.gen(function*() {
    const script = yield* TestLlm.make({ steps })
    const cache = yield* ResponseCache.memory()
    return { script, cache, model: CachingLlm.make(script, cache) }
  })

const asked = (script: TestLlm.Script) => Effect.map(script.requests, (requests) => requests.length)

/** A model that gives every answer with these fields added. */
const adorned = (script: TestLlm.Script, fields: Partial<Chat.Provenance>): Llm.Model => ({
  ...script,
  generateText: (request) => Effect.map(script.generateText(request), (answer) => ({ ...answer, ...fields }))
})

describe("CachingLlm", () => {
  it.effect("answers an equal question from the cache: free, without attempts, by whoever answered first", () =>
    Effect.gen(function*() {
      const { model, script } = yield* scripted(TestLlm.text("because", { usage: { inputTokens: 9, outputTokens: 3 } }))
      const first = yield* model.generateText(request)
      assert.isUndefined(first.isCached)
      assert.strictEqual(first.usage.inputTokens, 9)
      assert.deepStrictEqual(yield* model.generateText(request), {
        text: "because",
        citations: [],
        provider: "test",
        model: "scripted",
        usage: { inputTokens: 0, outputTokens: 0 },
        cost: { certainty: "exact", usd: 0 },
        attempts: [],
        isCached: true
      })
      assert.strictEqual(yield* asked(script), 1)
    }))

  it.effect("asks each time unless the temperature is 0 in so many words", () =>
    Effect.gen(function*() {
      const { model, script } = yield* scripted(TestLlm.text("1"), TestLlm.text("2"), TestLlm.text("3"))
      for (const temperature of [undefined, undefined, 1]) {
        yield* model.generateText({ ...request, temperature })
      }
      assert.strictEqual(yield* asked(script), 3)
    }))

  it.effect("never gives one tenant what another was answered", () =>
    Effect.gen(function*() {
      const { model } = yield* scripted(TestLlm.text("for a"), TestLlm.text("for b"))
      assert.strictEqual((yield* model.generateText({ ...request, tenant: "a" })).text, "for a")
      assert.strictEqual((yield* model.generateText({ ...request, tenant: "b" })).text, "for b")
    }))

  it.effect("keeps no failure", () =>
    Effect.gen(function*() {
      const { model } = yield* scripted(TestLlm.fail("Transient"), TestLlm.text("because"))
      assert.strictEqual((yield* Effect.flip(model.generateText(request))).reason, "Transient")
      assert.strictEqual((yield* model.generateText(request)).text, "because")
    }))

  it.effect("keeps no answer with a flaw, and none that came from a cache below", () =>
    Effect.gen(function*() {
      for (const fields of [{ flaw: "refusal" as const }, { isCached: true }]) {
        const { cache, script } = yield* scripted(TestLlm.text("1"), TestLlm.text("2"))
        const model = CachingLlm.make(adorned(script, fields), cache)
        yield* model.generateText(request)
        assert.strictEqual((yield* model.generateText(request)).text, "2")
      }
    }))

  it.effect("forgets with the cache", () =>
    Effect.gen(function*() {
      const { model } = yield* scripted(TestLlm.text("old"), TestLlm.text("new"))
      yield* model.generateText(request)
      yield* TestClock.adjust("12 minutes")
      assert.strictEqual((yield* model.generateText(request)).text, "new")
    }))

  it.effect("keeps values by schema, and gives each caller a value of its own", () =>
    Effect.gen(function*() {
      const { model, script } = yield* scripted(TestLlm.object({ a: [1] }), TestLlm.object({ a: [2] }))
      yield* model.generateObject({ ...request, schema })
      const second = yield* model.generateObject({ ...request, schema })
      assert.isTrue(second.isCached)
      Object.assign(Object(second.value), { a: "changed" })
      assert.deepStrictEqual((yield* model.generateObject({ ...request, schema })).value, { a: [1] })
      yield* model.generateObject({ ...request, schema: { type: "object", required: ["a"] } })
      assert.strictEqual(yield* asked(script), 2)
    }))

  it.effect("neither keeps nor takes a value that the request's own check finds wrong", () =>
    Effect.gen(function*() {
      const { model, script } = yield* scripted(TestLlm.object(1), TestLlm.object(2), TestLlm.object(3))
      const only = (right: number) => (value: unknown) => value === right ? [] : [{ path: "", message: "wrong" }]
      yield* model.generateObject({ ...request, schema, validate: only(2) })
      assert.strictEqual((yield* model.generateObject({ ...request, schema })).value, 2)
      assert.strictEqual((yield* model.generateObject({ ...request, schema, validate: only(3) })).value, 3)
      assert.strictEqual((yield* model.generateObject({ ...request, schema, validate: only(3) })).value, 3)
      assert.strictEqual(yield* asked(script), 3)
    }))

  it.effect("keeps a stream that is done, and gives it as one text to streams alone", () =>
    Effect.gen(function*() {
      const { model, script } = yield* scripted(TestLlm.text("because"), TestLlm.text("judged"))
      const first = Chunk.toReadonlyArray(yield* Stream.runCollect(model.streamText(request)))
      assert.deepStrictEqual(first.map((delta) => delta._tag), ["Text", "Done"])
      const second = Chunk.toReadonlyArray(yield* Stream.runCollect(model.streamText(request)))
      assert.deepStrictEqual(second[0], { _tag: "Text", text: "because" })
      assert.isTrue(second[1]?._tag === "Done" && second[1].answer.isCached)
      assert.strictEqual(yield* asked(script), 1)
      assert.strictEqual((yield* model.generateText(request)).text, "judged")
    }))

  it.effect("keeps no stream that broke or was left", () =>
    Effect.gen(function*() {
      const { model, script } = yield* scripted(
        TestLlm.fail("StreamBroken", { after: "be" }),
        TestLlm.text("because"),
        TestLlm.text("because")
      )
      yield* Effect.flip(Stream.runDrain(model.streamText(request)))
      yield* Stream.runDrain(Stream.take(model.streamText(request), 1))
      assert.isUndefined((yield* model.generateText(request)).isCached)
      assert.strictEqual(yield* asked(script), 3)
    }))

  it.effect("asks the model when the cache holds an answer of another kind", () =>
    Effect.gen(function*() {
      const { script } = yield* scripted(TestLlm.text("because"), TestLlm.object(1))
      const provenance = { provider: "x", model: "x", usage: {}, attempts: [] }
      const holding = (answer: ResponseCache.Answer): ResponseCache.ResponseCache => ({
        get: () => Effect.succeedSome(answer),
        set: () => Effect.void
      })
      const values = CachingLlm.make(script, holding({ ...provenance, value: 5 }))
      assert.strictEqual((yield* values.generateText(request)).text, "because")
      assert.strictEqual((yield* values.generateObject({ ...request, schema })).value, 5)
      const texts = CachingLlm.make(script, holding({ ...provenance, text: "kept", citations: [] }))
      assert.strictEqual((yield* texts.generateObject({ ...request, schema })).value, 1)
      assert.strictEqual((yield* texts.generateText(request)).text, "kept")
    }))

  it.effect("is the model in all else", () =>
    Effect.gen(function*() {
      const { cache, script } = yield* scripted()
      const model = CachingLlm.make({ ...script, traits: { contextTokens: 5 } }, cache)
      assert.deepStrictEqual([model.provider, model.model, model.traits], ["test", "scripted", { contextTokens: 5 }])
      yield* model.ping
    }))
})
