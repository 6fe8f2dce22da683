import { assert, describe, it } from "@effect/vitest"
import * as StringFields from "causeway-mcp/catalog/StringFields"
import * as Schema from "effect/Schema"

const Size = { Small: "s", Large: "l" } as const

const Level = { Low: 0, High: 1 } as const

describe("StringFields.literals", () => {
  it("gives the strings that each field may be written as, and none where there are others", () => {
    const literals = StringFields.literals({
      tone: Schema.Literal("warm", "cold"),
      maybe: Schema.optional(Schema.Union(Schema.Literal("a"), Schema.Literal("b", "c"))),
      usual: Schema.Literal("x").pipe(Schema.optionalWith({ default: () => "x" as const })),
      size: Schema.Enums(Size),
      level: Schema.Enums(Level),
      mixed: Schema.Literal("one", 2),
      open: Schema.Union(Schema.Literal("a"), Schema.String),
      number: Schema.NumberFromString
    })
    assert.deepStrictEqual(Object.fromEntries(literals), {
      tone: ["warm", "cold"],
      maybe: ["a", "b", "c"],
      usual: ["x"],
      size: ["s", "l"],
      level: [],
      mixed: [],
      open: [],
      number: []
    })
  })
})
