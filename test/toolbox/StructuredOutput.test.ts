import { assert, describe, it } from "@effect/vitest"
import * as ExtractiveLlm from "causeway-mcp/provider/ExtractiveLlm"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as StructuredOutput from "causeway-mcp/toolbox/StructuredOutput"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { answer, call, failure } from "./harness.js"

const name = "generate_structured_output"
const tools = ToolRegistry.layer(Toolkit.make(StructuredOutput.make()))

const scripted = (...steps: ReadonlyArray<TestLlm.Step>) => Layer.provideMerge(tools, TestLlm.layer({ steps }))
const extractive = Layer.provide(tools, ExtractiveLlm.layer)

const schema = {
  type: "object",
  properties: { company: { type: "string" }, revenue: { type: "number", description: "in billions of dollars" } },
  required: ["company", "revenue"],
  additionalProperties: false
}
const text = "company: Acme Corp\nrevenue: 4.2\nReported on Tuesday."
const instruction = "Extract company and revenue (number)"

describe("StructuredOutput, given a text", () => {
  it.effect("extracts a value that fits the schema, as sure as the text bears it out", () =>
    Effect.gen(function*() {
      const { calibration, confidence, data, sources } = yield* answer<StructuredOutput.Data>(name, {
        instruction,
        text,
        schema
      })
      assert.deepStrictEqual(data.value, { company: "Acme Corp", revenue: 4.2 })
      assert.deepStrictEqual(data.schema, schema)
      assert.closeTo(confidence, 0.85, 1e-9)
      assert.strictEqual(calibration, "uncalibrated")
      assert.deepStrictEqual(sources.map(({ id, kind }) => ({ id, kind })), [
        { id: "text", kind: "user-input" },
        { id: "schema", kind: "user-input" },
        { id: "scripted", kind: "model" }
      ])
      const script = yield* TestLlm.TestLlm
      const [request] = yield* script.requests
      assert.strictEqual(request?.request.task, "strictJson")
      assert.deepStrictEqual(request?.request.schema, schema)
      assert.deepStrictEqual(request?.request.context?.map((passage) => passage.text), [text])
    }).pipe(Effect.provide(scripted(TestLlm.object({ company: "Acme Corp", revenue: 4.2 })))))

  it.effect("is less sure of values that do not stand in the text", () =>
    Effect.gen(function*() {
      const { confidence } = yield* answer<StructuredOutput.Data>(name, { instruction, text, schema })
      assert.closeTo(confidence, 0.85 * 0.65, 1e-9)
    }).pipe(Effect.provide(scripted(TestLlm.object({ company: "acme  corp", revenue: 9.9 })))))

  it.effect("sends what is wrong back once", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* answer<StructuredOutput.Data>(name, { instruction, text, schema })
      assert.deepStrictEqual(data.value, { company: "Acme Corp", revenue: 4.2 })
      assert.closeTo(confidence, 0.85 * 0.9, 1e-9)
      const script = yield* TestLlm.TestLlm
      const requests = yield* script.requests
      assert.lengthOf(requests, 2)
      const last = requests[1]?.request.messages.at(-1)?.text
      assert.include(last, "/revenue")
      assert.include(requests[1]?.request.messages.at(-2)?.text, "four")
    }).pipe(
      Effect.provide(scripted(
        TestLlm.object({ company: "Acme Corp", revenue: "four" }),
        TestLlm.object({ company: "Acme Corp", revenue: 4.2 })
      ))
    ))

  it.effect("gives up after one repair and lists what is wrong", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { instruction, text, schema })
      assert.deepInclude(body, { code: "degraded_only", source: "model", retryable: false })
      assert.include(body.message, "/revenue")
      assert.deepStrictEqual(body.details, {
        problems: [{ path: "/revenue", message: "Instance type \"string\" is invalid. Expected \"number\"." }]
      })
    }).pipe(
      Effect.provide(scripted(
        TestLlm.object({ company: "Acme Corp", revenue: "four" }),
        TestLlm.object({ company: "Acme Corp", revenue: "4" })
      ))
    ))

  it.effect("bounds the value", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { instruction, text, schema: { type: "object" } })
      assert.strictEqual(body.code, "degraded_only")
      assert.include(body.message, "256 KiB")
    }).pipe(
      Effect.provide(scripted(
        TestLlm.object({ a: "x".repeat(300_000) }),
        TestLlm.object({ a: "x".repeat(300_000) })
      ))
    ))

  it.effect("makes the schema first when none is given", () =>
    Effect.gen(function*() {
      const { confidence, data, sources } = yield* answer<StructuredOutput.Data>(name, { instruction, text })
      assert.deepStrictEqual(data, { schema, value: { company: "Acme Corp", revenue: 4.2 } })
      assert.strictEqual(confidence, 0.7)
      assert.deepStrictEqual(sources.map((source) => source.id), ["text", "instruction", "scripted"])
    }).pipe(
      Effect.provide(scripted(TestLlm.object(schema), TestLlm.object({ company: "Acme Corp", revenue: 4.2 })))
    ))

  for (const reason of ["Transient", "RateLimited", "TimedOut"] as const) {
    it.effect(`is temporarily unavailable when the model fails as ${reason}`, () =>
      Effect.gen(function*() {
        const body = yield* failure(name, { instruction, text, schema })
        assert.deepInclude(body, {
          code: "temporarily_unavailable",
          source: "model",
          retryable: true,
          retryAfterMs: 1200
        })
        assert.notInclude(JSON.stringify(body), "scripted")
      }).pipe(Effect.provide(scripted(TestLlm.fail(reason, { retryAfterMs: 1200 })))))
  }

  for (
    const [reason, code] of [
      ["AuthRejected", "degraded_only"],
      ["ContentBlocked", "degraded_only"],
      ["ContextTooLong", "invalid_input"],
      ["QuotaExhausted", "budget_exceeded"]
    ] as const
  ) {
    it.effect(`says ${code} when the model fails as ${reason}`, () =>
      Effect.gen(function*() {
        const body = yield* failure(name, { instruction, text, schema })
        assert.deepInclude(body, { code, source: "model", retryable: false })
      }).pipe(Effect.provide(scripted(TestLlm.fail(reason)))))
  }

  it.effect("names the properties that nobody can extract", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { instruction, text, schema })
      assert.deepInclude(body, { code: "degraded_only", retryable: false })
      assert.include(body.message, "company, revenue")
    }).pipe(Effect.provide(scripted(TestLlm.fail("Unsupported")))))

  it.effect("interrupts the model with the call", () =>
    Effect.gen(function*() {
      const script = yield* TestLlm.TestLlm
      const fiber = yield* Effect.fork(call(name, { instruction, text, schema }))
      yield* Effect.repeat(Effect.zipRight(Effect.yieldNow(), script.requests), {
        until: (requests) => requests.length === 1
      })
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* script.interrupted, 1)
    }).pipe(Effect.provide(scripted(TestLlm.hang))))

  it.effect("ends with the deadline of the call", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(failure(name, { instruction, text, schema }))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).code, "timed_out")
    }).pipe(Effect.provide(scripted(TestLlm.hang))))

  it.effect("reports how far it has come", () =>
    Effect.gen(function*() {
      const { progress } = yield* call(name, { instruction, text, schema })
      assert.deepStrictEqual(progress.map((update) => [update.progress, update.total]), [[0, 2], [1, 2]])
    }).pipe(Effect.provide(scripted(TestLlm.object({ company: "Acme Corp", revenue: 4.2 })))))
})

describe("StructuredOutput, given no text", () => {
  it.effect("returns a schema that the model made", () =>
    Effect.gen(function*() {
      const { confidence, data, sources } = yield* answer<StructuredOutput.Data>(name, { instruction })
      assert.deepStrictEqual(data, { schema })
      assert.strictEqual(confidence, 0.7)
      assert.deepStrictEqual(sources.map((source) => source.kind), ["user-input", "model"])
    }).pipe(Effect.provide(scripted(TestLlm.object(schema)))))

  it.effect("has a schema that is not usable made again, once", () =>
    Effect.gen(function*() {
      const { data } = yield* answer<StructuredOutput.Data>(name, { instruction })
      assert.deepStrictEqual(data.schema, schema)
    }).pipe(
      Effect.provide(scripted(
        TestLlm.object({ type: "object", properties: { a: { $ref: "https://example.com/a" } } }),
        TestLlm.object(schema)
      ))
    ))

  it.effect("says so when the model makes no usable schema", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { instruction })
      assert.deepInclude(body, { code: "degraded_only", source: "model" })
    }).pipe(Effect.provide(scripted(TestLlm.object({ type: "string" }), TestLlm.text("no")))))

  it.effect("returns the caller's own schema, checked", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* answer<StructuredOutput.Data>(name, { instruction, schema })
      assert.deepStrictEqual(data, { schema })
      assert.strictEqual(confidence, 1)
    }).pipe(Effect.provide(scripted())))

  it.effect("refuses a schema that is not usable and says where", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, {
        instruction,
        schema: { type: "object", properties: { a: { type: "text" }, b: { $ref: "http://169.254.169.254/" } } }
      })
      assert.strictEqual(body.code, "invalid_input")
      assert.include(body.message, "/schema/properties/a/type")
      assert.include(body.message, "/schema/properties/b/$ref")
    }).pipe(Effect.provide(scripted())))

  it.effect("refuses a schema that is no object", () =>
    Effect.gen(function*() {
      for (const wrong of [[], "x", 1, null]) {
        assert.include((yield* failure(name, { instruction, schema: wrong })).message, "schema: not a JSON object")
      }
    }).pipe(Effect.provide(scripted())))

  it.effect("is temporarily unavailable when the model is", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { instruction })
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "model" })
    }).pipe(Effect.provide(scripted(TestLlm.fail("Transient")))))
})

describe("StructuredOutput, without a generating model", () => {
  it.effect("reads the schema off an instruction that lists its fields", () =>
    Effect.gen(function*() {
      const { confidence, data, sources } = yield* answer<StructuredOutput.Data>(name, {
        instruction: "name, price (number), released (date), in stock (yes/no), tags (list of strings)"
      })
      assert.deepStrictEqual(Object.keys(data.schema.properties as object), [
        "name",
        "price",
        "released",
        "in_stock",
        "tags"
      ])
      assert.closeTo(confidence, 0.82, 1e-9)
      assert.deepStrictEqual(sources.map((source) => source.kind), ["user-input", "computation"])
    }).pipe(Effect.provide(extractive)))

  it.effect("tells how to write an instruction that can be read", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { instruction: "Make it nice" })
      assert.strictEqual(body.code, "invalid_input")
      assert.include(body.message, "price (number)")
    }).pipe(Effect.provide(extractive)))

  it.effect("extracts what the text states, and 0.9 is as sure as it gets", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* answer<StructuredOutput.Data>(name, { instruction, text, schema })
      assert.deepStrictEqual(data.value, { company: "Acme Corp", revenue: 4.2 })
      assert.closeTo(confidence, 0.9, 1e-9)
    }).pipe(Effect.provide(extractive)))

  it.effect("takes no value from the instruction itself", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, {
        instruction: "company: string, revenue: number",
        text: "Nothing of the kind stands here."
      })
      assert.deepInclude(body, { code: "degraded_only", source: "model" })
      assert.deepStrictEqual(body.details, { missing: ["company", "revenue"] })
    }).pipe(Effect.provide(extractive)))
})
