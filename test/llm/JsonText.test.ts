import { assert, describe, it } from "@effect/vitest"
import * as JsonText from "causeway-mcp/llm/JsonText"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"

describe("JsonText.parse", () => {
  it("finds the value in a fence, behind a byte order mark, between sentences", () => {
    const value = Option.some({ a: "}{" })
    assert.deepStrictEqual(JsonText.parse("```json\n{\"a\":\"}{\"}\n```"), value)
    assert.deepStrictEqual(JsonText.parse("\uFEFF {\"a\":\"}{\"} "), value)
    assert.deepStrictEqual(JsonText.parse("Here you are: {\"a\":\"}{\"}. Anything else?"), value)
  })

  it("prefers the longest value over a citation before it", () => {
    assert.deepStrictEqual(JsonText.parse("As [1] says: {\"price\": 12.5}"), Option.some({ price: 12.5 }))
  })

  it("gives nothing for prose, cut-off JSON and spaces", () => {
    for (const text of ["I cannot do that.", "{\"a\": [1, 2", "     ", "", "{a: 1}"]) {
      assert.deepStrictEqual(JsonText.parse(text), Option.none(), text)
    }
  })

  it("gives back every value that it is given as JSON", () => {
    FastCheck.assert(FastCheck.property(FastCheck.jsonValue(), (value) => {
      assert.deepStrictEqual(JsonText.parse(JSON.stringify(value)), Option.some(JSON.parse(JSON.stringify(value))))
    }))
  })

  it("stays quick on a megabyte of openings", () => {
    const startedAt = performance.now()
    assert.deepStrictEqual(JsonText.parse("{[".repeat(500_000)), Option.none())
    assert.isBelow(performance.now() - startedAt, 2000)
  })
})
