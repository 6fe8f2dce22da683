import { assert, describe, it } from "@effect/vitest"
import * as HeaderValue from "causeway-mcp/protocol/HeaderValue"
import type { JsonSchema } from "causeway-mcp/protocol/JsonSchema"
import * as ParameterHeader from "causeway-mcp/protocol/ParameterHeader"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const named = (type: unknown, name: unknown = "Name") => ({ type, "x-mcp-header": name })
const withProperty = (property: unknown): JsonSchema => ({ type: "object", properties: { a: property } })
const problems = (schema: JsonSchema): ReadonlyArray<string> =>
  Either.match(ParameterHeader.collect(schema), { onLeft: (found) => found, onRight: () => [] })

describe("ParameterHeader.collect", () => {
  it("finds properties at any depth, and nothing where none is named", () => {
    const schema = {
      type: "object",
      properties: {
        region: named("string", "Region"),
        place: { type: "object", properties: { "a.b": named("integer", "X-Floor"), lit: named("boolean", "method") } },
        properties: { type: "object", properties: { properties: named("string", "p") } },
        other: { type: "string", default: named("number"), enum: [named("number")], const: named("number") }
      }
    }
    assert.deepStrictEqual(Either.getOrThrow(ParameterHeader.collect(schema)), [
      { path: ["region"], header: "mcp-param-region", type: "string" },
      { path: ["place", "a.b"], header: "mcp-param-x-floor", type: "integer" },
      { path: ["place", "lit"], header: "mcp-param-method", type: "boolean" },
      { path: ["properties", "properties"], header: "mcp-param-p", type: "string" }
    ])
    assert.deepStrictEqual(Either.getOrThrow(ParameterHeader.collect({ type: "object" })), [])
  })

  it("takes a property of the keyword's own name for a property", () => {
    assert.deepStrictEqual(
      Either.getOrThrow(ParameterHeader.collect({ properties: { "x-mcp-header": named("string", "A") } })),
      [{ path: ["x-mcp-header"], header: "mcp-param-a", type: "string" }]
    )
  })

  it("refuses names that are no tokens, and types that have no place in a header", () => {
    for (const name of ["", " ", "a b", "a:b", "é", "a\r\nb", 1, null, true, {}]) {
      assert.match(problems(withProperty(named("string", name))).join(), /of a: must be one or more/u, String(name))
    }
    for (const name of ["a", "X-A", "a.b_c~1", "!#$%&'*+-.^_`|~"]) {
      assert.deepStrictEqual(problems(withProperty(named("string", name))), [], name)
    }
    for (const type of ["number", "object", "array", "null", undefined, ["string"], ["string", "null"]]) {
      assert.match(problems(withProperty(named(type))).join(), /of a: only a string/u, String(type))
    }
  })

  it("refuses a name that stands twice, whatever its case", () => {
    const found = problems({
      properties: { a: named("string", "Tenant"), b: { properties: { c: named("string", "TENANT") } } }
    })
    assert.lengthOf(found, 1)
    assert.include(found[0], "b.c")
  })

  it("refuses what is not reached through properties alone", () => {
    const one = named("string")
    const places: Record<string, JsonSchema> = {
      root: { ...one, type: "object" },
      items: withProperty({ type: "array", items: { properties: { b: one } } }),
      prefixItems: withProperty({ prefixItems: [{}, one] }),
      additionalProperties: { additionalProperties: one },
      patternProperties: { patternProperties: { "^a": one } },
      propertyNames: { propertyNames: one },
      dependentSchemas: { dependentSchemas: { a: { properties: { b: one } } } },
      contains: withProperty({ contains: one }),
      unevaluatedProperties: { unevaluatedProperties: one },
      not: { not: withProperty(one) },
      $defs: { $defs: { a: one } },
      definitions: { definitions: { a: withProperty(one) } }
    }
    for (const key of ["oneOf", "anyOf", "allOf"]) places[key] = { [key]: [{}, withProperty(one)] }
    for (const key of ["if", "then", "else"]) places[key] = { [key]: withProperty(one) }
    for (const [place, schema] of Object.entries(places)) {
      assert.match(problems(schema).join(), /reached through properties alone/u, place)
    }
  })

  it("says everything that is wrong", () => {
    assert.lengthOf(
      problems({ properties: { a: named("number"), b: named("string", "") }, anyOf: [named("string")] }),
      3
    )
  })

  it("gives up on a schema that holds itself", () => {
    const schema: Record<string, unknown> = { type: "object" }
    schema.properties = { a: schema, b: schema }
    assert.include(problems(schema).join(), "too large, or holds itself")
  })
})

describe("ParameterHeader.mismatch", () => {
  const at = (path: ReadonlyArray<string>, type: ParameterHeader.ParameterHeader["type"]) => ({
    path,
    header: "mcp-param-a",
    type
  })
  const check = (type: ParameterHeader.ParameterHeader["type"], value: unknown, header: string | undefined) =>
    ParameterHeader.mismatch([at(["a"], type)], { a: value }, (name) => name === "mcp-param-a" ? header : "other")

  it("follows the table of the specification", () => {
    const table: ReadonlyArray<
      readonly [
        type: ParameterHeader.ParameterHeader["type"],
        value: unknown,
        header: string | undefined,
        fits: boolean
      ]
    > = [
      ["string", "eu", "eu", true],
      ["string", "eu", " eu\t", true],
      ["string", "eu", "EU", false],
      ["string", "eu", undefined, false],
      ["string", "eu", "", false],
      ["string", "", "", true],
      ["string", "", "=?base64??=", true],
      ["string", "", undefined, false],
      ["string", " eu", "=?base64?IGV1?=", true],
      ["string", "Zürich", "=?base64?WsO8cmljaA==?=", true],
      ["string", "Zürich", "Zürich", false],
      ["string", "Hello", "=?base64?SGVsbG8?=", false],
      ["string", "Hello", "=?base64?SGVs!G8=?=", false],
      ["string", "\uFFFD", "=?base64?/w==?=", false],
      ["string", "=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?=", true],
      ["string", "42", "42.0", false],
      ["string", null, undefined, true],
      ["string", undefined, undefined, true],
      ["string", null, "eu", true],
      ["string", undefined, "eu", true],
      ["string", null, "=?base64?!?=", true],
      ["integer", 42, "42", true],
      ["integer", 42, "42.0", true],
      ["integer", 42, "42.000", true],
      ["integer", -7, "-7", true],
      ["integer", 0, "-0", true],
      ["integer", 42, "42.5", false],
      ["integer", 42, "042", false],
      ["integer", 42, "+42", false],
      ["integer", 42, "42.", false],
      ["integer", 42, "0x2a", false],
      ["integer", 1000, "1e3", false],
      ["integer", 42, "4 2", false],
      ["integer", 42, "", false],
      ["integer", 42, undefined, false],
      ["integer", 42, "=?base64?NDI=?=", true],
      ["integer", Number.MAX_SAFE_INTEGER, "9007199254740991", true],
      ["integer", Number.MAX_SAFE_INTEGER + 1, "9007199254740992", false],
      ["integer", Infinity, "1e999", false],
      ["boolean", true, "true", true],
      ["boolean", false, "false", true],
      ["boolean", true, "True", false],
      ["boolean", true, "1", false],
      ["boolean", false, "", false],
      ["boolean", false, undefined, false],
      // An argument of the wrong type is for the schema to refuse, if the header says the same.
      ["integer", "42", "42", true],
      ["integer", 1.5, "1.5", true],
      ["string", 42, "42", true],
      ["string", { a: 1 }, "[object Object]", false],
      ["string", ["eu"], "eu", false]
    ]
    for (const [type, value, header, fits] of table) {
      const found = check(type, value, header)
      assert.strictEqual(found === undefined, fits, `${type} ${JSON.stringify(value)} ${header}: ${found}`)
    }
  })

  it("says which header it is, and not what the argument holds", () => {
    assert.strictEqual(check("string", "secret", undefined), "the header mcp-param-a is missing")
    assert.strictEqual(check("string", "secret", "=?base64?!?="), "the header mcp-param-a cannot be decoded")
    assert.strictEqual(check("string", "secret", "x"), "mcp-param-a differs from the argument a in the body")
  })

  it("finds the argument by own properties only", () => {
    const read = () => undefined
    const deep = [at(["place", "floor"], "integer")]
    assert.isUndefined(ParameterHeader.mismatch(deep, { place: {} }, read))
    assert.isUndefined(ParameterHeader.mismatch(deep, { place: "floor" }, read))
    assert.isUndefined(ParameterHeader.mismatch(deep, { place: [1] }, read))
    assert.isUndefined(ParameterHeader.mismatch(deep, undefined, read))
    assert.isUndefined(ParameterHeader.mismatch([at(["constructor", "name"], "string")], {}, read))
    assert.isDefined(ParameterHeader.mismatch(deep, { place: { floor: 1 } }, read))
  })

  it("accepts every value as a client writes it, and no other value's", () => {
    const value = FastCheck.oneof(
      FastCheck.string({ unit: "grapheme" }),
      FastCheck.maxSafeInteger(),
      FastCheck.boolean()
    )
    const write = (value: string | number | boolean) => HeaderValue.encode(String(value))
    FastCheck.assert(FastCheck.property(value, value, (one, other) => {
      assert.isUndefined(check("string", one, write(one)))
      if (String(one) !== String(other)) assert.isDefined(check("string", one, write(other)))
    }))
  })

  it("never throws, whatever stands in the header and in the body", () => {
    FastCheck.assert(FastCheck.property(FastCheck.anything(), FastCheck.string({ unit: "binary" }), (value, header) => {
      const found = check("integer", value, header)
      assert.isTrue(found === undefined || found.length < 100)
    }))
  })
})
