import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import { DocumentStoreError, Unavailable } from "causeway-mcp/document/DocumentStore"
import type { JsonSchema } from "causeway-mcp/protocol/JsonSchema"
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

const problemsOf = (decoded: Either.Either<unknown, ToolError.ToolError>): ReadonlyArray<ToolCodec.Problem> =>
  Either.isRight(decoded)
    ? []
    : (decoded.left.details as { readonly problems: ReadonlyArray<ToolCodec.Problem> }).problems

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

  it.effect("names no more problems than help, and only the first of large arguments", () =>
    Effect.gen(function*() {
      const codec = yield* ToolCodec.make(
        Tool.make("count_items", {
          description: "Counts the items it is given",
          parameters: {
            items: Schema.Array(Schema.Struct({ x: Schema.optional(Schema.String) })),
            note: Schema.optional(Schema.String)
          },
          success: Schema.Int,
          safety: "readOnly"
        })
      )
      const items = (count: number) => Array.from({ length: count }, () => ({ x: 1 }))
      const some = problemsOf(codec.decode({ items: items(600) }))
      assert.lengthOf(some, 100)
      assert.deepStrictEqual(some[99], { path: "items.99.x", message: "Expected string, actual 1" })
      assert.deepStrictEqual(problemsOf(codec.decode({ items: items(60_000) })), [
        { path: "items.0.x", message: "Expected string, actual 1" }
      ])
      assert.deepStrictEqual(problemsOf(codec.decode({ items: "x".repeat(1_000_000), more: 1 })), [
        { path: "more", message: "is unexpected, expected: \"items\" | \"note\"" }
      ])
      assert.deepStrictEqual(problemsOf(codec.decode({ items: [], note: items(60_000) })), [
        { path: "note", message: "Expected string" }
      ])
      assert.deepStrictEqual(problemsOf(codec.decode({ note: "x".repeat(1_000_000) })), [
        { path: "items", message: "is missing" }
      ])
      const long = codec.decode({ items: [], ["k".repeat(100_000)]: 1 })
      assert.isBelow(Either.isLeft(long) ? long.left.message.length : Infinity, 2000)
      const large = codec.decode({ items: items(60_000) })
      assert.include(Either.isLeft(large) ? large.left.message : "", "There may be more")
    }))

  it.effect("looks at few of many unknown names", () =>
    Effect.gen(function*() {
      const codec = yield* ToolCodec.make(Find)
      let looks = 0
      const wide = new Proxy(Object.fromEntries(Array.from({ length: 90_000 }, (_, index) => [`k${index}`, index])), {
        get: (target, key) => {
          looks++
          return Reflect.get(target, key)
        }
      })
      assert.deepStrictEqual(problemsOf(codec.decode(wide)).map(({ path }) => path), ["k0"])
      assert.isBelow(looks, 5000)
    }))

  it.effect("refuses arguments that are nested without end", () =>
    Effect.gen(function*() {
      interface Tree {
        readonly children: ReadonlyArray<Tree>
      }
      const Tree: Schema.Schema<Tree> = Schema.Struct({ children: Schema.Array(Schema.suspend(() => Tree)) })
        .annotations({ identifier: "Tree" })
      const codec = yield* ToolCodec.make(Tool.make("plant_tree", {
        description: "Plants the tree it is given",
        parameters: { root: Tree },
        success: Schema.Int,
        safety: "readOnly"
      }))
      const deep = (levels: number): Tree => {
        let tree: Tree = { children: [] }
        for (let level = 0; level < levels; level++) tree = { children: [tree] }
        return tree
      }
      assert.isTrue(Either.isRight(codec.decode({ root: deep(50) })))
      assert.deepStrictEqual(problemsOf(codec.decode({ root: deep(100_000) })), [
        { path: "", message: "are nested too deeply" }
      ])
    }))

  it.effect("does not let a name set the prototype of what it decodes", () =>
    Effect.gen(function*() {
      const open = (parameters: Schema.Struct.Fields) =>
        ToolCodec.make(Tool.make("keep_labels", {
          description: "Keeps the labels it is given",
          // The fields of this test need no services.
          parameters: parameters as { readonly labels: typeof Schema.Unknown },
          success: Schema.Int,
          safety: "readOnly"
        }))
      const Labels = Schema.Record({ key: Schema.String, value: Schema.Unknown })
      const hostile = JSON.parse("{\"labels\":{\"__proto__\":{\"isAdmin\":true}}}")
      for (
        const labels of [
          Labels,
          Schema.optional(Schema.Union(Schema.Null, Labels)),
          Schema.suspend(() => Labels).annotations({ identifier: "Labels" }),
          Schema.Record({ key: Schema.String, value: Schema.Struct({ isAdmin: Schema.Boolean }) })
        ]
      ) {
        const codec = yield* open({ labels })
        assert.deepStrictEqual(problemsOf(codec.decode(hostile)), [
          { path: "__proto__", message: "is not allowed as a name" }
        ])
      }
      const codec = yield* open({ labels: Labels })
      assert.deepStrictEqual(Either.getOrThrow(codec.decode({ labels: { a: 1 } })), { labels: { a: 1 } })
      const closed = yield* open({ labels: Schema.Struct({ a: Schema.Int }) })
      assert.deepStrictEqual(problemsOf(closed.decode(hostile)).map(({ path }) => path), [
        "labels.__proto__",
        "labels.a"
      ])
      const inert = yield* open({ labels: Schema.Unknown })
      const kept = Either.getOrThrow(inert.decode(hostile)) as { readonly labels: object }
      assert.strictEqual(Object.getPrototypeOf(kept.labels), Object.prototype)
    }))

  it.effect("says that the user declined or dismissed a question", () =>
    Effect.gen(function*() {
      const codec = yield* ToolCodec.make(Find)
      for (const how of ["declined", "cancelled"] as const) {
        const result = codec.encodeFailure(new Ask.NotAnswered({ how, message: "No answer." }))
        assert.deepStrictEqual(result?._meta?.[ToolCodec.errorMetaKey], {
          code: how,
          message: "No answer.",
          retryable: false
        })
      }
    }))

  it.effect("writes the names of headers into the schema it lists", () =>
    Effect.gen(function*() {
      const tool = (headers: { readonly [parameter: string]: string }) =>
        ToolCodec.make(Tool.make("find_stations", {
          description: "Finds stations in a region",
          parameters: {
            region: Schema.String,
            page: Schema.Struct({ "number": Schema.optional(Schema.Int) }),
            price: Schema.Number
          },
          headers,
          success: Schema.Int,
          safety: "readOnly"
        }))
      const codec = yield* tool({ region: "Region", "page.number": "Page" })
      assert.deepStrictEqual(codec.headers, [
        { path: ["region"], header: "mcp-param-region", type: "string" },
        { path: ["page", "number"], header: "mcp-param-page", type: "integer" }
      ])
      assert.deepStrictEqual(codec.description.inputSchema.properties, {
        region: { type: "string", "x-mcp-header": "Region" },
        page: {
          type: "object",
          properties: { number: { type: "integer", "x-mcp-header": "Page" } },
          additionalProperties: false
        },
        price: { type: "number" }
      })
      assert.isUndefined((yield* tool({})).headers)
      const wrong = (headers: { readonly [parameter: string]: string }) =>
        Effect.map(Effect.flip(tool(headers)), (problems) => problems.join("; "))
      assert.include(yield* wrong({ regoin: "Region" }), "there is no parameter regoin")
      assert.include(yield* wrong({ toString: "Region" }), "there is no parameter toString")
      assert.include(yield* wrong({ price: "Price" }), "only a string, an integer or a boolean")
      assert.include(yield* wrong({ page: "Page" }), "only a string, an integer or a boolean")
      assert.include(yield* wrong({ region: "a b" }), "must be one or more letters")
      assert.include(yield* wrong({ region: "X", "page.number": "x" }), "stands twice")
    }))

  it.effect("refuses parameters that are no object and schemas without a JSON form", () =>
    Effect.gen(function*() {
      const list = Tool.make("a", {
        description: "d",
        parameters: Schema.Array(Schema.String),
        success: Schema.Null,
        safety: "readOnly"
      })
      assert.include((yield* Effect.flip(ToolCodec.make(list))).join(), "must be a struct")
      const opaque = Tool.make("b", {
        description: "d",
        parameters: { at: Schema.DateFromSelf },
        success: Schema.Null,
        safety: "readOnly"
      })
      assert.include((yield* Effect.flip(ToolCodec.make(opaque))).join(), "no JSON form")
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

  const foreign = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $comment: "kept",
    type: "object",
    $defs: { city: { $anchor: "city", type: "string", minLength: 2 } },
    properties: {
      from: { $ref: "#city" },
      to: { $ref: "#/$defs/city" },
      at: { type: "array", prefixItems: [{ type: "integer" }], items: false }
    },
    required: ["from"],
    allOf: [{ if: { required: ["to"] }, then: { required: ["at"] }, else: { maxProperties: 1 } }],
    additionalProperties: false,
    examples: [{ from: "ZRH" }]
  }
  const passOn = (options: { readonly inputSchema?: JsonSchema; readonly outputSchema?: JsonSchema }) =>
    ToolCodec.make(Tool.raw("pass_on", {
      description: "Hands a call on to another server",
      safety: "effectful",
      inputSchema: foreign,
      ...options
    }))

  it.effect("lists a foreign schema as it is, and checks arguments against it", () =>
    Effect.gen(function*() {
      const before = JSON.stringify(foreign)
      const codec = yield* passOn({})
      assert.strictEqual(codec.description.inputSchema, foreign)
      assert.strictEqual(JSON.stringify(foreign), before)
      const fits = { from: "ZRH", to: "GVA", at: [1] }
      assert.strictEqual(Either.getOrThrow(codec.decode(fits)), fits)
      const wrong = codec.decode({ from: "Z", to: "GVA", more: 1 })
      assert.isTrue(Either.isLeft(wrong))
      if (Either.isLeft(wrong)) {
        assert.strictEqual(wrong.left.code, "invalid_input")
        assert.include(wrong.left.message, "The arguments of pass_on do not fit.")
      }
      assert.sameMembers([...new Set(problemsOf(wrong).map(({ path }) => path))], ["from", "more", ""])
      assert.deepStrictEqual(problemsOf(codec.decode({ from: "ZRH", to: "GVA", at: ["x"] })).map((_) => _.path), [
        "at.0"
      ])
      assert.isTrue(Either.isLeft(codec.decode(undefined)))
    }))

  it.effect("refuses a foreign schema that it cannot check, with everything that is wrong", () =>
    Effect.gen(function*() {
      const wrong = (inputSchema: JsonSchema) =>
        Effect.map(Effect.flip(passOn({ inputSchema })), (problems) => problems.join("; "))
      assert.include(yield* wrong({ type: "array" }), "inputSchema: its root must have the type object")
      assert.include(yield* wrong({}), "inputSchema: its root must have the type object")
      assert.include(
        yield* wrong({ type: "object", properties: { a: { $ref: "https://example.com/a.json" } } }),
        "inputSchema/properties/a/$ref: must point into this schema"
      )
      assert.include(
        yield* wrong({ type: "object", $schema: "http://json-schema.org/draft-04/schema#" }),
        "inputSchema/$schema: must be draft 2020-12"
      )
      assert.include(
        yield* wrong({ type: "object", properties: { a: { pattern: "(a+)+$" } } }),
        "inputSchema/properties/a/pattern"
      )
      assert.include(
        yield* wrong({ type: "object", properties: { a: { items: { type: "string", "x-mcp-header": "A" } } } }),
        "only a property reached through properties alone"
      )
      let deep: JsonSchema = { type: "string" }
      for (let level = 0; level < 100; level++) deep = { properties: { a: deep } }
      assert.include(yield* wrong({ type: "object", ...deep }), "levels deep")
    }))

  it.effect("mirrors what a foreign schema names headers for", () =>
    Effect.gen(function*() {
      const codec = yield* passOn({
        inputSchema: { type: "object", properties: { on: { type: "boolean", "x-mcp-header": "On" } } }
      })
      assert.deepStrictEqual(codec.headers, [{ path: ["on"], header: "mcp-param-on", type: "boolean" }])
    }))

  it.effect("reads draft-07 as far as it means the same", () =>
    Effect.gen(function*() {
      const $schema = "http://json-schema.org/draft-07/schema#"
      const codec = yield* passOn({
        inputSchema: {
          $schema,
          type: "object",
          definitions: { n: { type: "number" } },
          properties: { n: { $ref: "#/definitions/n", maximum: 3 } }
        }
      })
      assert.isTrue(Either.isRight(codec.decode({ n: 5 })))
      assert.isTrue(Either.isLeft(codec.decode({ n: "5" })))
      for (const changed of [{ items: [{ type: "number" }] }, { dependencies: {} }]) {
        const problems = yield* Effect.flip(passOn({
          inputSchema: { $schema, type: "object", properties: { n: changed } }
        }))
        assert.include(problems.join(), "inputSchema/properties/n/")
      }
    }))

  it.effect("checks foreign structured content, of any root", () =>
    Effect.gen(function*() {
      const outputSchema = { type: "array", items: { type: "integer" } }
      const codec = yield* passOn({ outputSchema })
      assert.strictEqual(codec.description.outputSchema, outputSchema)
      assert.strictEqual(Either.getOrThrow(codec.encode({ structured: [1, 2] })).structuredJson, "[1,2]")
      const content = [{ type: "text", text: "two" }] as const
      assert.deepStrictEqual(Either.getOrThrow(codec.encode({ structured: [2], content })).content, content)
      for (const answer of [{ structured: ["x"] }, { content }, { structured: undefined }]) {
        assert.isTrue(Either.isLeft(codec.encode(answer)), JSON.stringify(answer))
      }
      assert.isTrue(Either.getOrThrow(codec.encode({ content, isError: true })).isError)
      assert.include((yield* Effect.flip(passOn({ outputSchema: { $ref: "#/nowhere" } }))).join(), "outputSchema/$ref")
    }))
})
