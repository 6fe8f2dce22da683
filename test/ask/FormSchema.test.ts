import { assert, describe, it } from "@effect/vitest"
import * as FormSchema from "causeway-mcp/ask/internal/FormSchema"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

const fieldOf = (schema: Schema.Schema.All): unknown =>
  (FormSchema.fromSchema(Schema.Struct({ field: Schema.asSchema(schema as typeof Schema.Unknown) })).properties as {
    readonly field: unknown
  }).field

const Colour = Schema.Union(
  Schema.Literal("r").annotations({ title: "Red" }),
  Schema.Literal("g").annotations({ title: "Green", description: "is not shown" }),
  Schema.Literal("b")
)

describe("FormSchema.fromSchema", () => {
  it("has the fields, and names those that must be filled in", () => {
    const schema = Schema.Struct({
      a: Schema.String,
      b: Schema.optional(Schema.Number),
      c: Schema.optionalWith(Schema.Boolean, { default: () => true }),
      d: Schema.propertySignature(Schema.Int).pipe(Schema.fromKey("D"))
    }).annotations({ identifier: "Whole", title: "is not shown", description: "is not shown" })
    assert.deepStrictEqual(FormSchema.fromSchema(schema), {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "number" }, c: { type: "boolean" }, D: { type: "integer" } },
      required: ["a", "D"]
    })
  })
  it("has nothing to fill in for an empty struct", () => {
    assert.deepStrictEqual(FormSchema.fromSchema(Schema.Struct({})), { type: "object", properties: {} })
  })
  it("keeps of a string what a form can show", () => {
    const Text = Schema.String.pipe(Schema.minLength(2), Schema.maxLength(9), Schema.pattern(/^a/u))
    assert.deepStrictEqual(
      fieldOf(Text.annotations({ title: "T", description: "D", default: "ab", examples: ["ac"] })),
      {
        type: "string",
        title: "T",
        description: "D",
        default: "ab",
        minLength: 2,
        maxLength: 9
      }
    )
    for (const format of ["email", "uri", "date", "date-time"]) {
      assert.deepStrictEqual(fieldOf(Schema.String.annotations({ jsonSchema: { format } })), { type: "string", format })
    }
    assert.deepStrictEqual(fieldOf(Schema.UUID.annotations({ description: "An id" })), {
      type: "string",
      description: "An id"
    })
  })
  it("shows the encoded side, and no words of Effect's own about it", () => {
    assert.deepStrictEqual(fieldOf(Schema.DateFromString), { type: "string" })
    assert.deepStrictEqual(fieldOf(Schema.Trim), { type: "string" })
    assert.deepStrictEqual(fieldOf(Schema.NumberFromString.annotations({ title: "Size" })), {
      type: "string",
      title: "Size"
    })
  })
  it("keeps the limits of numbers, and for integers those that exclude themselves", () => {
    assert.deepStrictEqual(fieldOf(Schema.Number.pipe(Schema.between(-0.5, 1.5)).annotations({ default: 0.5 })), {
      type: "number",
      default: 0.5,
      minimum: -0.5,
      maximum: 1.5
    })
    assert.deepStrictEqual(fieldOf(Schema.Number.pipe(Schema.positive())), { type: "number" })
    assert.deepStrictEqual(fieldOf(Schema.Int.pipe(Schema.positive(), Schema.lessThan(10))), {
      type: "integer",
      minimum: 1,
      maximum: 9
    })
    assert.deepStrictEqual(
      fieldOf(Schema.Int.pipe(Schema.greaterThanOrEqualTo(3), Schema.greaterThan(3.5), Schema.between(0, 8))),
      { type: "integer", minimum: 4, maximum: 8 }
    )
  })
  it("keeps the narrowest of several limits", () => {
    assert.deepStrictEqual(fieldOf(Schema.String.pipe(Schema.minLength(5), Schema.minLength(2))), {
      type: "string",
      minLength: 5
    })
    assert.deepStrictEqual(fieldOf(Schema.Number.pipe(Schema.lessThanOrEqualTo(6), Schema.lessThanOrEqualTo(8))), {
      type: "number",
      maximum: 6
    })
  })
  it("shows a boolean with its default", () => {
    assert.deepStrictEqual(fieldOf(Schema.Boolean.annotations({ title: "Sure?", default: false })), {
      type: "boolean",
      title: "Sure?",
      default: false
    })
  })
  it("shows literals as an enum, a single one too", () => {
    assert.deepStrictEqual(fieldOf(Schema.Literal("a", "b").annotations({ title: "T", default: "b" })), {
      type: "string",
      title: "T",
      default: "b",
      enum: ["a", "b"]
    })
    assert.deepStrictEqual(fieldOf(Schema.Literal("a").annotations({ title: "T" })), {
      type: "string",
      title: "T",
      enum: ["a"]
    })
    assert.deepStrictEqual(fieldOf(Schema.Union(Schema.Literal("a"), Schema.Literal("b"))), {
      type: "string",
      enum: ["a", "b"]
    })
  })
  it("shows titled literals with their titles, optional ones too", () => {
    const expected = {
      type: "string",
      title: "Colour",
      default: "g",
      oneOf: [{ const: "r", title: "Red" }, { const: "g", title: "Green" }, { const: "b", title: "b" }]
    }
    assert.deepStrictEqual(fieldOf(Colour.annotations({ title: "Colour", default: "g" })), expected)
    const optional = Schema.Struct({
      field: Schema.optional(Colour.annotations({ title: "Colour", default: "g" }))
    })
    assert.deepStrictEqual(FormSchema.fromSchema(optional), { type: "object", properties: { field: expected } })
  })
  it("shows an enumeration with its names", () => {
    const Size = { Small: "s", Large: "l" } as const
    assert.deepStrictEqual(fieldOf(Schema.Enums(Size)), {
      type: "string",
      oneOf: [{ const: "s", title: "Small" }, { const: "l", title: "Large" }]
    })
  })
  it("shows an array of literals as a choice of several", () => {
    assert.deepStrictEqual(
      fieldOf(
        Schema.Array(Schema.Literal("a", "b")).pipe(Schema.minItems(1), Schema.maxItems(2)).annotations({
          title: "T",
          default: ["a"]
        })
      ),
      {
        type: "array",
        title: "T",
        default: ["a"],
        items: { type: "string", enum: ["a", "b"] },
        minItems: 1,
        maxItems: 2
      }
    )
    assert.deepStrictEqual(fieldOf(Schema.Array(Schema.Literal("a"))), {
      type: "array",
      items: { type: "string", enum: ["a"] }
    })
    assert.deepStrictEqual(fieldOf(Schema.Array(Colour)), {
      type: "array",
      items: { anyOf: [{ const: "r", title: "Red" }, { const: "g", title: "Green" }, { const: "b", title: "b" }] }
    })
  })
  it("refuses a field of any other kind, by name", () => {
    const refused: ReadonlyArray<readonly [Schema.Schema.All, RegExp]> = [
      [Schema.Struct({ a: Schema.String }), /the field "field", because it is an object\./u],
      [
        Schema.Array(Schema.String),
        /the field "field", because it is an array of anything but strings to choose from\./u
      ],
      [Schema.Tuple(Schema.Literal("a")), /the field "field", because it is an array/u],
      [Schema.Literal(1, 2), /the field "field", because its choices are not all strings\./u],
      [Schema.Literal(true), /the field "field", because its choices are not all strings\./u],
      [Schema.NullOr(Schema.String), /the field "field", because it is of no one kind\./u],
      [Schema.Union(Schema.String, Schema.Number), /the field "field", because it is of no one kind\./u],
      [Schema.Literal("a", null), /the field "field", because it is of no one kind\./u],
      [Schema.Unknown, /the field "field", because it is of no one kind\./u],
      [Schema.DateFromSelf, /has a part that JSON cannot hold/u]
    ]
    for (const [schema, reason] of refused) {
      assert.throws(() => fieldOf(schema), reason)
      assert.throws(() => fieldOf(schema), /A form has fields of these kinds only: a string, a number, an integer/u)
    }
  })
  it("refuses whatever is not a struct", () => {
    const schemas: ReadonlyArray<Schema.Schema.All> = [
      Schema.String,
      Schema.Record({ key: Schema.String, value: Schema.String }),
      Schema.Record({ key: Schema.TemplateLiteral("a", Schema.String), value: Schema.String }),
      Schema.Union(Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String }))
    ]
    for (const schema of schemas) {
      assert.throws(() => FormSchema.fromSchema(schema), /The schema of a form must be a struct/u)
    }
  })
  it("is derived once per schema", () => {
    const schema = Schema.Struct({ a: Schema.String })
    assert.strictEqual(FormSchema.fromSchema(schema), FormSchema.fromSchema(schema))
  })
})

describe("FormSchema.decoder", () => {
  const decoded = <A, I>(schema: Schema.Schema<A, I>, value: unknown) =>
    Effect.runSync(Effect.either(FormSchema.decoder(schema)(value)))

  it("decodes, and leaves out what the schema does not name", () => {
    const schema = Schema.Struct({ day: Schema.DateFromString, seats: Schema.optional(Schema.Int) })
    assert.deepStrictEqual(
      decoded(schema, { day: "2026-11-22", more: 1 }),
      Either.right({ day: new Date("2026-11-22") })
    )
  })
  it("says in short what does not fit", () => {
    const schema = Schema.Struct({
      a: Schema.Int,
      b: Schema.optional(Schema.Boolean),
      c: Schema.Literal("x", "y"),
      d: Schema.String
    })
    assert.deepStrictEqual(
      decoded(schema, { a: 1, b: "yes", c: "x", d: "" }),
      Either.left("b: Expected boolean, actual \"yes\"")
    )
    const long = Either.flip(decoded(schema, { a: "1".repeat(10_000), b: 1, c: "z", d: 1 }))
    assert.isTrue(Either.isRight(long) && long.right.length < 700 && long.right.split("; ").length <= 3)
    assert.deepStrictEqual(decoded(schema, 7).pipe(Either.isLeft), true)
  })
  it("is compiled once per schema", () => {
    const schema = Schema.Struct({ a: Schema.String })
    assert.strictEqual(FormSchema.decoder(schema), FormSchema.decoder(schema))
  })
})
