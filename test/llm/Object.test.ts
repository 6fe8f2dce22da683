import { assert, describe, it } from "@effect/vitest"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import type { Problem } from "causeway-mcp/protocol/JsonValidator"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const request = { messages: [{ role: "user", text: "Quote Acme." }] } as const

class Known extends Context.Tag("Known")<Known, ReadonlySet<string>>() {}

/** What `validate` says of each value, as the model is handed it. */
const told = <A, I, R>(
  schema: Schema.Schema<A, I, R>,
  answer: unknown,
  values: ReadonlyArray<unknown>
) =>
  Effect.gen(function*() {
    const found: Array<ReadonlyArray<Problem> | undefined> = []
    const script = yield* TestLlm.make({ steps: [TestLlm.object(answer)] })
    const model: Llm.Model = {
      ...script,
      generateObject: (request) => {
        for (const value of values) found.push(request.validate?.(value))
        return script.generateObject(request)
      }
    }
    yield* Llm.object(model, request, schema)
    return found
  })

describe("Llm.object", () => {
  const Order = Schema.Struct({
    id: Schema.NonEmptyString,
    lines: Schema.Array(Schema.Struct({ "a/b~c": Schema.NumberFromString }))
  })

  it.effect("hands the model what the whole schema finds wrong, by JSON Pointer", () =>
    Effect.gen(function*() {
      const fits = { id: "1", lines: [{ "a/b~c": "2" }] }
      const [fine, wrong, none] = yield* told(Order, fits, [fits, { id: "", lines: [{ "a/b~c": "x" }] }, "text"])
      assert.deepStrictEqual(fine, [])
      assert.deepStrictEqual(wrong?.map((problem) => problem.path), ["/id", "/lines/0/a~1b~0c"])
      assert.deepStrictEqual(none?.map((problem) => problem.path), [""])
    }))

  it.effect("bounds what it says of a value that is wrong everywhere", () =>
    Effect.gen(function*() {
      const key = "k".repeat(10_000)
      const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`${key}${n}`, "x".repeat(10_000)]))
      const [problems] = yield* told(Schema.Record({ key: Schema.String, value: Schema.Number }), {}, [many])
      assert.strictEqual(problems?.length, 20)
      assert.isAtMost(Math.max(...(problems ?? []).map(({ message, path }) => message.length + path.length)), 500)
    }))

  it.effect("leaves to the decoding what takes a service or time to find out", () =>
    Effect.gen(function*() {
      const Ours = Schema.String.pipe(
        Schema.filterEffect((name) => Effect.map(Known, (known) => known.has(name)))
      )
      const Slow = Schema.String.pipe(
        Schema.filterEffect((name) => Effect.promise(() => Promise.resolve(name === "Acme")))
      )
      assert.deepStrictEqual(yield* told(Ours, "Acme", ["Nobody"]), [[]])
      assert.deepStrictEqual(yield* told(Slow, "Acme", ["Nobody"]), [[]])
    }).pipe(Effect.provideService(Known, new Set(["Acme"]))))

  it.effect("hands on the same function for the same schema, so that equal calls can be joined", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const script = yield* TestLlm.make({ otherwise: () => TestLlm.object({ id: "1", lines: [] }) })
      const model: Llm.Model = {
        ...script,
        generateObject: (request) => {
          seen.push(request.validate)
          return script.generateObject(request)
        }
      }
      yield* Llm.object(model, request, Order)
      yield* Llm.object(model, request, Order)
      assert.isFunction(seen[0])
      assert.strictEqual(seen[0], seen[1])
    }))

  it.effect("leaves a defect of the schema to the decoding", () =>
    Effect.gen(function*() {
      const Broken = Schema.String.pipe(Schema.filter((name) => {
        if (name === "bad") throw new Error("broken")
        return true
      }))
      assert.deepStrictEqual(yield* told(Broken, "good", ["bad"]), [[]])
    }))

  it.effect("has a chain repair an answer that only the schema itself finds wrong", () =>
    Effect.scoped(Effect.gen(function*() {
      const Even = Schema.Struct({ n: Schema.Number.pipe(Schema.filter((n) => n % 2 === 0 || "must be even")) })
      const script = yield* TestLlm.make({ steps: [TestLlm.object({ n: 3 }), TestLlm.object({ n: 4 })] })
      const answer = yield* Llm.object(yield* LlmChain.make([script]), request, Even)
      assert.deepStrictEqual(answer.value, { n: 4 })
      assert.deepStrictEqual(answer.attempts.map((attempt) => attempt.cause), [undefined, "repair"])
      assert.include((yield* script.requests)[1]?.request.messages.at(-1)?.text, "must be even")
    })))
})
