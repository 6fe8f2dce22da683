import { assert, describe, it } from "@effect/vitest"
import * as JsonText from "causeway-mcp/llm/JsonText"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"

const parsesTo = (text: string, value: unknown) =>
  assert.deepStrictEqual(JsonText.parse(text), Option.some(value), text)
const isNone = (text: string) => assert.deepStrictEqual(JsonText.parse(text), Option.none(), text)

describe("JsonText.parse", () => {
  it("finds the value in a fence, behind a byte order mark, between sentences", () => {
    const value = { a: "}{" }
    parsesTo("```json\n{\"a\":\"}{\"}\n```", value)
    parsesTo("\uFEFF {\"a\":\"}{\"} ", value)
    parsesTo("Here you are: {\"a\":\"}{\"}. Anything else?", value)
  })

  it("prefers the longest value over a citation before it", () => {
    parsesTo("As [1] says: {\"price\": 12.5}", { price: 12.5 })
    parsesTo("As [1, 2] and [3] say: {price: 12.5}", { price: 12.5 })
  })

  it("finds the value behind many citations", () => {
    parsesTo(`${"So it is [1]. ".repeat(50)}{"price": 12.5}`, { price: 12.5 })
  })

  it("gives the longer of two objects, and the first of two that are as long", () => {
    parsesTo("{\"a\": 1}\n{\"a\": 1, \"b\": 2}", { a: 1, b: 2 })
    parsesTo("{\"a\": 1}\n{\"a\": 2}", { a: 1 })
  })

  it("prefers an object that is JSON over a longer one that is not", () => {
    parsesTo("In JavaScript {price: 12.5, currency: 'EUR'}, as JSON {\"price\": 12.5}", { price: 12.5 })
  })

  it("gives nothing for prose and spaces", () => {
    for (const text of ["I cannot do that.", "     ", "", "Use [brackets] or {braces}.", "[see above, page 3]"]) {
      isNone(text)
    }
  })

  it("gives nothing for a value that the end of the text cuts off, nor for its parts", () => {
    const cut = [
      "{\"a\": [1, 2",
      "{\"a\": {\"b\": 1}, \"c\": [1,",
      "[{\"a\": 1}, {\"a\":",
      "{'a': {'b': 1}, 'c'",
      "{\"a\": \"it goes on",
      "As [1] says: {\"price\": 12.5, \"currency\": \"E",
      "{\"a\": 1, /* and",
      "{\"a\": 1 // the last"
    ]
    for (const text of cut) isNone(text)
    assert.deepStrictEqual(JsonText.parse("{\"a\": 1, \"b\": 2}. Note [3,"), Option.some({ a: 1, b: 2 }))
  })

  it("gives back every value that it is given as JSON, unmended", () => {
    FastCheck.assert(FastCheck.property(FastCheck.jsonValue(), FastCheck.nat(4), (value, indent) => {
      const json = JSON.stringify(value, null, indent)
      assert.deepStrictEqual(JsonText.mend(json), Option.some({ value: JSON.parse(json), isMended: false }))
    }))
  })

  it("keeps `__proto__` as data, mended or not", () => {
    for (const text of ["{\"__proto__\": {\"admin\": true}}", "{__proto__: {admin: true,}}"]) {
      const value = Option.getOrThrow(JsonText.parse(text))
      assert.isObject(value)
      assert.deepStrictEqual(Object.keys(Object(value)), ["__proto__"])
      assert.isUndefined(Reflect.get(Object(value), "admin"))
    }
  })

  it("refuses what is deeper than 128 levels", () => {
    const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`
    assert.isTrue(Option.isSome(JsonText.parse(nested(128))))
    isNone(nested(129))
    isNone(nested(10_000))
    isNone(`{a: ${nested(10_000)}}`)
  })
})

describe("JsonText.mend", () => {
  const mends = (text: string, value: unknown) =>
    assert.deepStrictEqual(JsonText.mend(text), Option.some({ value, isMended: true }), text)

  it("drops comments and a comma before the closing bracket", () => {
    mends("{\n  // the price\n  \"price\": 12.5, # in EUR\n  /* and\n more */ \"tags\": [\"a\", \"b\",],\n}", {
      price: 12.5,
      tags: ["a", "b"]
    })
    mends("{\"url\": \"https://x.test/#a\", /* \" */ \"b\": 1}", { url: "https://x.test/#a", b: 1 })
  })

  it("reads names without quotes and other quotes", () => {
    mends("{name: 'Acme', 'it''s': 1}".replace("''s", "s"), { name: "Acme", its: 1 })
    mends("{'name': 'Acme}', 'note': 'it's fine', 'open': '{'}", { name: "Acme}", note: "it's fine", open: "{" })
    mends("{“name”: “Acme”, “note”: “says ‘no’”}", { name: "Acme", note: "says ‘no’" })
    mends("{‘name’: ‘it’s fine’, `b`: `c`, größe-2: 1, 1: 2}", { name: "it’s fine", b: "c", "größe-2": 1, "1": 2 })
  })

  it("reads the literals of Python and JavaScript, and what is no number as null", () => {
    mends("{'a': True, 'b': False, 'c': None, 'd': undefined}", { a: true, b: false, c: null, d: null })
    mends("[NaN, Infinity, -Infinity, -NaN, 1e999]", [null, null, null, null, null])
    mends("{a: +1.5, b: .5, c: 5., d: -2e3}", { a: 1.5, b: 0.5, c: 5, d: -2000 })
  })

  it("reads texts with line breaks, with quotes nobody escaped, with escapes JSON does not know", () => {
    mends("{\"a\": \"one\ntwo\tthree\"}", { a: "one\ntwo\tthree" })
    mends("{\"a\": \"she said \"no\" to it\", \"b\": 1}", { a: "she said \"no\" to it", b: 1 })
    mends("{\"a\": \"\\d+ snake\\_case it\\'s \\u00e9\\n\\\\ \\\"q\\\"\",}", { a: "\\d+ snake_case it's é\n\\ \"q\"" })
  })

  it("reads JSON that was escaped once too often", () => {
    mends("{\\\"a\\\": \\\"b\\\\n\\\", \\n \\\"c\\\": [1]}", { a: "b\n", c: [1] })
    mends("The result: {\\\"a\\\": 1}.", { a: 1 })
    mends("The result: \"{\\\"a\\\": 1}\"", { a: 1 })
  })

  it("reads a JSON text that holds JSON only where a schema wants an object or a list", () => {
    const twice = JSON.stringify("{\"a\": 1}")
    const read = (schema: { readonly type: unknown }) => JsonText.mend(twice, schema)
    assert.deepStrictEqual(JsonText.mend(twice), Option.some({ value: "{\"a\": 1}", isMended: false }))
    assert.deepStrictEqual(read({ type: "string" }), Option.some({ value: "{\"a\": 1}", isMended: false }))
    assert.deepStrictEqual(read({ type: ["object", "string"] }), Option.some({ value: "{\"a\": 1}", isMended: false }))
    assert.deepStrictEqual(read({ type: "object" }), Option.some({ value: { a: 1 }, isMended: true }))
    assert.deepStrictEqual(
      JsonText.mend(JSON.stringify("```\n{a: 1}\n```"), { type: ["object", "array"] }),
      Option.some({ value: { a: 1 }, isMended: true })
    )
    assert.deepStrictEqual(
      JsonText.mend("\"I cannot do that.\"", { type: "object" }),
      Option.some({ value: "I cannot do that.", isMended: false })
    )
  })

  it("makes nothing up: no member, no comma, no quote, no bracket", () => {
    const wrong = [
      "{\"a\": }",
      "{\"a\": 1 \"b\": 2}",
      "[\"a\" \"b\"]",
      "[1, , 2]",
      "[1, 2, ...]",
      "{\"a\": foo}",
      "{\"a\" 1}",
      "{,}",
      "[007]",
      "{\"a\": 12.5%}",
      "{\"a\": \"x\"]",
      "{\"a\": constructor}"
    ]
    for (const text of wrong) isNone(text)
  })

  it("reads a value written in another style as the one that was meant", () => {
    const style = (value: unknown): string => {
      if (value === null) return "None"
      if (typeof value === "boolean") return value ? "True" : "False"
      if (typeof value === "string") return `'${JSON.stringify(value).slice(1, -1).replaceAll("'", "\\'")}'`
      if (Array.isArray(value)) return `[${value.map((one) => `${style(one)},`).join(" # next\n")}]`
      if (typeof value === "object") {
        return `{ // fields\n${Object.entries(value).map(([key, one]) => `${style(key)}: ${style(one)},`).join("\n")}}`
      }
      return JSON.stringify(value)
    }
    const containers = FastCheck.jsonValue().filter((value) => typeof value === "object" && value !== null)
    FastCheck.assert(FastCheck.property(containers, (value) => {
      const json: unknown = JSON.parse(JSON.stringify(value))
      assert.deepStrictEqual(JsonText.parse(style(value)), Option.some(json))
    }))
  })

  it("never throws and never gives what JSON cannot hold", () => {
    const sign = FastCheck.constantFrom(..."{}[],:'\"`“” \n\\/*#a1-.u".split(""))
    FastCheck.assert(
      FastCheck.property(FastCheck.array(sign, { maxLength: 60 }), (signs) => {
        const found = JsonText.parse(signs.join(""))
        if (Option.isSome(found)) assert.isDefined(JSON.stringify(found.value))
      }),
      { numRuns: 2000 }
    )
  })

  it("stays quick on a megabyte of anything", () => {
    const hostile = [
      "{[",
      "[",
      "[x] ",
      "{\"a\":",
      "{'a': '",
      "{a:[",
      "{\\",
      "[\"a\" ",
      "{a:1,",
      "['",
      "/*",
      "[/*",
      "{a // ",
      "[1]",
      "[' ",
      "{}["
    ]
    for (const piece of hostile) {
      const startedAt = performance.now()
      JsonText.parse(piece.repeat(Math.ceil(1_000_000 / piece.length)))
      assert.isBelow(performance.now() - startedAt, 2000, piece)
    }
  })
})
