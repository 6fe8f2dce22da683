import { assert, describe, it } from "@effect/vitest"
import * as JsonSchema from "causeway-mcp/protocol/JsonSchema"
import * as Schema from "effect/Schema"

interface Tree {
  readonly label: string
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Schema<Tree> = Schema.Struct({
  label: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree))
}).annotations({ identifier: "Tree" })

describe("JsonSchema.fromSchema", () => {
  it("writes an empty struct as an object without properties", () => {
    assert.deepStrictEqual(JsonSchema.fromSchema(Schema.Struct({})), { type: "object", additionalProperties: false })
  })
  it("describes the encoded side", () => {
    assert.deepStrictEqual(JsonSchema.fromSchema(Schema.NumberFromString).type, "string")
  })
  it("inlines named schemas, keeping what stands beside the reference", () => {
    const Ticker = Schema.String.pipe(Schema.maxLength(5)).annotations({
      identifier: "Ticker",
      description: "a symbol"
    })
    assert.deepStrictEqual(
      JsonSchema.fromSchema(Schema.Struct({ a: Ticker, b: Ticker.annotations({ description: "the other" }) })),
      {
        type: "object",
        required: ["a", "b"],
        properties: {
          a: { type: "string", maxLength: 5, description: "a symbol" },
          b: { type: "string", maxLength: 5, description: "the other" }
        },
        additionalProperties: false
      }
    )
  })
  it("keeps a reference only where a schema holds itself", () => {
    const schema = JsonSchema.fromSchema(Schema.Struct({ root: Tree }))
    assert.deepStrictEqual(schema.$defs, {
      Tree: {
        type: "object",
        required: ["label", "children"],
        properties: { label: { type: "string" }, children: { type: "array", items: { $ref: "#/$defs/Tree" } } },
        additionalProperties: false
      }
    })
  })
  it("writes one literal as const and several as enum", () => {
    assert.deepStrictEqual(JsonSchema.fromSchema(Schema.Literal("a")), { type: "string", const: "a" })
    assert.deepStrictEqual(JsonSchema.fromSchema(Schema.Literal("a", "b")), { type: "string", enum: ["a", "b"] })
  })
  it("drops the names of built-in filters and keeps an author's own words", () => {
    assert.deepStrictEqual(JsonSchema.fromSchema(Schema.NonEmptyString), { type: "string", minLength: 1 })
    assert.deepStrictEqual(
      JsonSchema.fromSchema(Schema.Int.annotations({ title: "Seats", description: "an integer number of seats" })),
      { type: "integer", title: "Seats", description: "an integer number of seats" }
    )
  })
  it("keeps a property that is called like a keyword", () => {
    const schema = JsonSchema.fromSchema(Schema.Struct({ title: Schema.Literal("int"), required: Schema.Boolean }))
    assert.deepStrictEqual(schema.properties, {
      title: { type: "string", const: "int" },
      required: { type: "boolean" }
    })
  })
  it("writes no id and no title for a value of any kind", () => {
    assert.deepStrictEqual(JsonSchema.fromSchema(Schema.Record({ key: Schema.String, value: Schema.Unknown })), {
      type: "object",
      additionalProperties: {}
    })
  })
})
