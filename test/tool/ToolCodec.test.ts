import { assert, describe, it } from "@effect/vitest"
import { DocumentStoreError, Unavailable } from "causeway-mcp/document/DocumentStore"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCodec from "causeway-mcp/tool/ToolCodec"
import * as ToolError from "causeway-mcp/tool/ToolError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

class IndexBuilding extends Schema.TaggedError<IndexBuilding>()("IndexBuilding", { percent: Schema.Number }) {
  get isRetryable() {
    return true
  }
  override get message() {
    return `The index is being built: ${this.percent} %.`
  }
}

const Find = Tool.make("find_flights", {
  title: "Find flights",
  description: "Finds flights between two airports on a day",
  parameters: {
    from: Schema.String.pipe(Schema.length(3)).annotations({ description: "IATA code", examples: ["ZRH"] }),
    seats: Schema.optional(Schema.Int.pipe(Schema.between(1, 9)).annotations({ description: "Seats wanted" })),
    stops: Schema.optional(Schema.Struct({ most: Schema.Int, via: Schema.Array(Schema.String) }))
  },
  success: Schema.Struct({ found: Schema.Int, on: Schema.DateFromString }),
  failure: IndexBuilding,
  safety: "readOnly"
})

const evidence = <A>(data: A) =>
  Evidence.make({
    data,
    confidence: 0.5,
    sources: [{ id: "a", kind: "web", retrievedAt: "2026-11-22T09:00:00.000Z", cached: false }]
  })

describe("ToolCodec.make", () => {
  it.effect("keeps descriptions, examples and constraints of the parameters", () =>
    Effect.gen(function*() {
      const { description } = yield* ToolCodec.make(Find)
      assert.deepStrictEqual(description.inputSchema, {
        type: "object",
        required: ["from"],
        properties: {
          from: { type: "string", minLength: 3, maxLength: 3, description: "IATA code", examples: ["ZRH"] },
          seats: { type: "integer", minimum: 1, maximum: 9, description: "Seats wanted" },
          stops: {
            type: "object",
            required: ["most", "via"],
            properties: { most: { type: "integer" }, via: { type: "array", items: { type: "string" } } },
            additionalProperties: false
          }
        },
        additionalProperties: false
      })
      assert.strictEqual(description.title, "Find flights")
      assert.deepInclude(description.annotations, { readOnlyHint: true, destructiveHint: false, idempotentHint: true })
    }))

  it.effect("derives the output schema from the evidence envelope", () =>
    Effect.gen(function*() {
      const { description } = yield* ToolCodec.make(Find)
      assert.deepStrictEqual(description.outputSchema?.required, ["data", "confidence", "calibration", "sources"])
    }))

  it.effect("says everything that is wrong with the arguments, with paths", () =>
    Effect.gen(function*() {
      const codec = yield* ToolCodec.make(Find)
      const wrong = codec.decode({ from: "ZURICH", seats: 0, stops: { most: 1.5, via: ["a", 2] }, extra: true })
      assert.isTrue(Either.isLeft(wrong))
      if (Either.isLeft(wrong)) {
        assert.strictEqual(wrong.left.code, "invalid_input")
        const paths = (wrong.left.details as { problems: ReadonlyArray<ToolCodec.Problem> }).problems.map((p) => p.path)
        assert.sameMembers(paths, ["from", "seats", "stops.most", "stops.via.1", "extra"])
        assert.include(wrong.left.message, "find_flights")
      }
    }))

  it.effect("writes the envelope once, as structured content and as text", () =>
    Effect.gen(function*() {
      const codec = yield* ToolCodec.make(Find)
      const result = Either.getOrThrow(codec.encode(evidence({ found: 2, on: new Date("2026-11-23T00:00:00Z") })))
      assert.isFalse(result.isError)
      assert.deepStrictEqual(result.content, [{ type: "text", text: result.structuredJson ?? "" }])
      assert.deepStrictEqual(JSON.parse(result.structuredJson ?? "").data, { found: 2, on: "2026-11-23T00:00:00.000Z" })
    }))

  it.effect("refuses an answer that breaks the tool's own schema", () =>
    Effect.gen(function*() {
      const codec = yield* ToolCodec.make(Find)
      assert.isTrue(Either.isLeft(codec.encode(evidence({ found: 0.5, on: new Date() }))))
      assert.isTrue(Either.isLeft(codec.encode({ found: 1, on: new Date() })))
    }))

  it.effect("gives a failure a sentence, a body and no structured content", () =>
    Effect.gen(function*() {
      const codec = yield* ToolCodec.make(Find)
      const result = yield* Effect.fromNullable(codec.encodeFailure(ToolError.unavailable({
        source: "document-store",
        retryAfter: Duration.seconds(2),
        fallback: { tool: "other", why: "it knows the history" },
        cause: new Error("password=secret")
      })))
      const body = {
        code: "temporarily_unavailable",
        message:
          "Temporarily unavailable: document-store did not answer. Try again shortly, or call other: it knows the history.",
        retryable: true,
        retryAfterMs: 2000,
        source: "document-store",
        fallback: { tool: "other", why: "it knows the history" }
      }
      assert.isTrue(result.isError)
      assert.isUndefined(result.structuredJson)
      assert.deepStrictEqual(result.content, [{ type: "text", text: body.message }, {
        type: "text",
        text: JSON.stringify(body)
      }])
      assert.deepStrictEqual(result._meta, { [ToolCodec.errorMetaKey]: body })
    }))

  it.effect("gives a declared failure its tag as code and its fields as details", () =>
    Effect.gen(function*() {
      const codec = yield* ToolCodec.make(Find)
      const result = yield* Effect.fromNullable(codec.encodeFailure(new IndexBuilding({ percent: 40 })))
      assert.deepStrictEqual(result._meta?.[ToolCodec.errorMetaKey], {
        code: "index_building",
        message: "The index is being built: 40 %.",
        retryable: true,
        details: { _tag: "IndexBuilding", percent: 40 }
      })
    }))

  it.effect("keeps what a declared failure was caused by out of its details", () =>
    Effect.gen(function*() {
      const codec = yield* ToolCodec.make(
        Tool.make("look_up", {
          description: "Looks up what a store holds",
          success: Schema.String,
          failure: DocumentStoreError,
          safety: "readOnly"
        })
      )
      const result = yield* Effect.fromNullable(codec.encodeFailure(
        new DocumentStoreError({
          method: "search",
          reason: new Unavailable({ cause: new Error("password authentication failed") })
        })
      ))
      assert.notInclude(JSON.stringify(result), "password")
      assert.include(JSON.stringify(result), "\\\"method\\\":\\\"search\\\"")
    }))

  it.effect(
    "names no more problems than help, however many there are and however long their names",
    () =>
      Effect.gen(function*() {
        const codec = yield* ToolCodec.make(
          Tool.make("count_items", {
            description: "Counts the items it is given",
            parameters: { items: Schema.Array(Schema.Struct({ x: Schema.optional(Schema.String) })) },
            success: Schema.Int,
            safety: "readOnly"
          })
        )
        const many = codec.decode({ items: Array.from({ length: 60_000 }, () => ({ x: 1 })) })
        const details = Either.isLeft(many) ? many.left.details : undefined
        assert.lengthOf((details as { readonly problems: ReadonlyArray<unknown> }).problems, 100)
        const long = codec.decode({ items: [], ["k".repeat(100_000)]: 1 })
        assert.isBelow(Either.isLeft(long) ? long.left.message.length : Infinity, 2000)
      }),
    10_000
  )

  it.effect("refuses parameters that are no object and schemas without a JSON form", () =>
    Effect.gen(function*() {
      const list = Tool.make("a", {
        description: "d",
        parameters: Schema.Array(Schema.String),
        success: Schema.Null,
        safety: "readOnly"
      })
      assert.include(yield* Effect.flip(ToolCodec.make(list)), "must be a struct")
      const opaque = Tool.make("b", {
        description: "d",
        parameters: { at: Schema.DateFromSelf },
        success: Schema.Null,
        safety: "readOnly"
      })
      assert.include(yield* Effect.flip(ToolCodec.make(opaque)), "no JSON form")
    }))
})

describe("Tool.raw", () => {
  it.effect("hands on structured content without an envelope", () =>
    Effect.gen(function*() {
      const Add = Tool.raw("add", {
        description: "Adds two numbers",
        parameters: { a: Schema.Number, b: Schema.Number },
        success: Schema.Struct({ sum: Schema.Number }),
        safety: "readOnly"
      })
      const codec = yield* ToolCodec.make(Add)
      const result = Either.getOrThrow(codec.encode({ structured: { sum: 3 } }))
      assert.deepStrictEqual(result, {
        _tag: "Complete",
        content: [{ type: "text", text: "{\"sum\":3}" }],
        structuredJson: "{\"sum\":3}",
        isError: false
      })
      const passedOn = Either.getOrThrow(codec.encode({ content: [{ type: "text", text: "no" }], isError: true }))
      assert.deepStrictEqual(passedOn, { _tag: "Complete", content: [{ type: "text", text: "no" }], isError: true })
    }))
})
