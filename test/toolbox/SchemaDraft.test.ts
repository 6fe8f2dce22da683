import { assert, describe, it } from "@effect/vitest"
import * as JsonValidator from "causeway-mcp/protocol/JsonValidator"
import * as SchemaDraft from "causeway-mcp/toolbox/SchemaDraft"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"

const schemaOf = (instruction: string) => Option.getOrThrow(SchemaDraft.derive(instruction)).schema
const propertiesOf = (instruction: string) => schemaOf(instruction).properties

describe("SchemaDraft.derive", () => {
  it("reads names and types off a list", () => {
    assert.deepStrictEqual(
      Option.getOrThrow(SchemaDraft.derive(
        "name, price (number), released (date), in stock (yes/no), tags (list of strings)"
      )),
      {
        schema: {
          type: "object",
          properties: {
            name: { type: "string" },
            price: { type: "number" },
            released: { type: "string", format: "date" },
            in_stock: { type: "boolean" },
            tags: { type: "array", items: { type: "string" } }
          },
          required: ["name", "price", "released", "in_stock", "tags"],
          additionalProperties: false
        },
        typed: 0.8
      }
    )
  })

  for (
    const [instruction, names] of [
      ["Extract the name, price and date from the text", ["name", "price", "date"]],
      ["Please give me a JSON object with the fields name and age (integer).", ["name", "age"]],
      ["An invoice with total (amount), lines (list of numbers)", ["total", "lines"]],
      ["- name\n- size (integer)\n- level (one of low, mid or high)", ["name", "size", "level"]],
      ["1. name\n2. size", ["name", "size"]],
      ["Fields: name: string, price: number", ["name", "price"]],
      ["price (number)", ["price"]]
    ] as const
  ) {
    it(`reads ${names.join(", ")} off ${JSON.stringify(instruction)}`, () => {
      assert.deepStrictEqual(Object.keys(propertiesOf(instruction) as object), [...names])
    })
  }

  it("reads choices, optional fields and unknown hints", () => {
    const schema = schemaOf(
      "rating (buy/hold/sell), level (one of low, mid or high), revenue (number, optional), mood (in her words)"
    )
    assert.deepStrictEqual(schema.properties, {
      rating: { type: "string", enum: ["buy", "hold", "sell"] },
      level: { type: "string", enum: ["low", "mid", "high"] },
      revenue: { type: "number" },
      mood: { type: "string", description: "in her words" }
    })
    assert.deepStrictEqual(schema.required, ["rating", "level", "mood"])
  })

  for (
    const instruction of [
      "Summarise this nicely",
      "Make something great, with a lot of style and please consider my dog when you do",
      "name, name",
      "?!",
      "name, 42"
    ]
  ) {
    it(`reads nothing off ${JSON.stringify(instruction)}`, () => {
      assert.isTrue(Option.isNone(SchemaDraft.derive(instruction)))
    })
  }

  it("gives a sound schema or none, for any text", () => {
    const piece = FastCheck.oneof(
      FastCheck.fullUnicodeString({ maxLength: 20 }),
      FastCheck.constantFrom(
        "name",
        "price (number)",
        ", ",
        " and ",
        "(",
        ")",
        ":",
        "constructor",
        "toString",
        "list of ",
        "/"
      )
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(piece, { maxLength: 12 }), (pieces) => {
        const draft = SchemaDraft.derive(pieces.join(""))
        if (Option.isSome(draft)) assert.isTrue(Either.isRight(JsonValidator.make(draft.value.schema)), pieces.join(""))
      })
    )
  })
})
