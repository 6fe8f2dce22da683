import { assert, describe, it } from "@effect/vitest"
import * as JsonBounds from "causeway-mcp/protocol/JsonBounds"
import * as FastCheck from "effect/FastCheck"

const wide = 1e9

const isWithin = (text: string, bounds: Partial<JsonBounds.Bounds>): boolean =>
  JsonBounds.check(text, { maxDepth: wide, maxNodes: wide, maxStringLength: wide, ...bounds }) === undefined

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth)

interface Measure {
  readonly depth: number
  readonly nodes: number
  readonly longest: number
}

/** The measure by the book, for comparison. */
const measure = (value: unknown): Measure => {
  if (typeof value === "string") return { depth: 0, nodes: 1, longest: value.length }
  if (typeof value !== "object" || value === null) return { depth: 0, nodes: 1, longest: 0 }
  const keys = Array.isArray(value) ? [] : Object.keys(value)
  return Object.values(value).map(measure).reduce((whole: Measure, part: Measure) => ({
    depth: Math.max(whole.depth, part.depth + 1),
    nodes: whole.nodes + part.nodes,
    longest: Math.max(whole.longest, part.longest)
  }), { depth: 1, nodes: 1, longest: Math.max(0, ...keys.map((key) => key.length)) })
}

const character = FastCheck.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code))

describe("JsonBounds.check", () => {
  it("accepts the deepest nesting and refuses one level more", () => {
    assert.isTrue(isWithin(nested(128), { maxDepth: 128 }))
    assert.isFalse(isWithin(nested(129), { maxDepth: 128 }))
    assert.isFalse(isWithin(`${"{\"a\":".repeat(129)}1${"}".repeat(129)}`, { maxDepth: 128 }))
    assert.isFalse(isWithin("[{\"a\":".repeat(65), { maxDepth: 128 }))
    assert.isFalse(isWithin("[".repeat(1_000_000), { maxDepth: 128 }))
  })

  it("does not count brackets in strings", () => {
    assert.isTrue(isWithin(JSON.stringify({ a: "[{".repeat(1000) }), { maxDepth: 128 }))
    assert.isTrue(isWithin(JSON.stringify({ a: `\\"${"[".repeat(1000)}`, b: "\\" }), { maxDepth: 128 }))
    assert.isFalse(isWithin(`[${JSON.stringify("\\")},${nested(128)}]`, { maxDepth: 128 }))
  })

  it("accepts any number of things side by side when only depth is bounded", () => {
    assert.isTrue(isWithin(JSON.stringify(Array.from({ length: 5000 }, () => [{}])), { maxDepth: 128 }))
  })

  it("accepts as many values as are allowed and refuses one more", () => {
    const many = (count: number): string => JSON.stringify(Array.from({ length: count }, () => 1))
    assert.isTrue(isWithin(many(99), { maxNodes: 100 }))
    assert.isFalse(isWithin(many(100), { maxNodes: 100 }))
    assert.isTrue(isWithin("[ [ ] , { } ]", { maxNodes: 3 }))
    assert.isFalse(isWithin("[ [ ] , { } ]", { maxNodes: 2 }))
    assert.isTrue(isWithin("1", { maxNodes: 1 }))
  })

  it("does not count commas in strings", () => {
    assert.isTrue(isWithin(JSON.stringify([",".repeat(1000)]), { maxNodes: 2 }))
  })

  it("accepts the longest string and refuses one character more, as a value and as a key", () => {
    for (
      const longest of ["x".repeat(64), "\u0000".repeat(64), "\\".repeat(64), "\"\n".repeat(32), "\u{1f600}".repeat(32)]
    ) {
      for (const make of [(text: string): object => ({ a: text }), (text: string): object => ({ [text]: 1 })]) {
        assert.isTrue(isWithin(JSON.stringify(make(longest)), { maxStringLength: 64 }))
        assert.isFalse(isWithin(JSON.stringify(make(`${longest}x`)), { maxStringLength: 64 }))
      }
    }
  })

  it("says which bound a text exceeds", () => {
    const bounds: JsonBounds.Bounds = { maxDepth: 2, maxNodes: 3, maxStringLength: 4 }
    assert.strictEqual(JsonBounds.check("[[[]]]", bounds), "the message nests too deeply: over 2 levels")
    assert.strictEqual(JsonBounds.check("[1,2,3]", bounds), "the message has too many values: over 3")
    assert.strictEqual(JsonBounds.check("\"abcde\"", bounds), "the message has a string of over 4 characters")
    assert.isUndefined(JsonBounds.check("[[],1]", bounds))
  })

  it("takes an ordinary message by default and no megabyte of brackets, values or one string", () => {
    const { defaults } = JsonBounds
    const message = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "m", params: { text: "x".repeat(100_000) } })
    assert.isUndefined(JsonBounds.check(message, defaults))
    assert.isString(JsonBounds.check(nested(129), defaults))
    assert.isString(JsonBounds.check(JSON.stringify(Array.from({ length: 100_000 }, () => 0)), defaults))
    assert.isString(JsonBounds.check(JSON.stringify("x".repeat(1024 * 1024 + 1)), defaults))
    assert.isUndefined(JsonBounds.check(JSON.stringify("x".repeat(1024 * 1024)), defaults))
  })

  it("agrees with the measure of any parsed value, however it is spaced", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.jsonValue({ maxDepth: 5, stringUnit: character }),
        FastCheck.constantFrom(undefined, "\t", "  "),
        FastCheck.nat({ max: 5 }),
        FastCheck.integer({ min: 1, max: 30 }),
        FastCheck.nat({ max: 12 }),
        (value, space, maxDepth, maxNodes, maxStringLength) => {
          const text = JSON.stringify(value, undefined, space)
          const { depth, longest, nodes } = measure(JSON.parse(text))
          assert.strictEqual(isWithin(text, { maxDepth }), depth <= maxDepth, "depth")
          assert.strictEqual(isWithin(text, { maxNodes }), nodes <= maxNodes, "nodes")
          assert.strictEqual(isWithin(text, { maxStringLength }), longest <= maxStringLength, "strings")
          assert.strictEqual(
            isWithin(text, { maxDepth, maxNodes, maxStringLength }),
            depth <= maxDepth && nodes <= maxNodes && longest <= maxStringLength,
            "all"
          )
        }
      ),
      { numRuns: 1000 }
    )
  })

  it("never throws, whatever the text", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.string({ unit: FastCheck.constantFrom("[", "]", "{", "}", "\"", "\\", "u", ",", ":", " ", "1") }),
        (text) => {
          const refusal = JsonBounds.check(text, { maxDepth: 3, maxNodes: 5, maxStringLength: 4 })
          assert.isTrue(refusal === undefined || refusal.startsWith("the message "))
        }
      ),
      { numRuns: 1000 }
    )
  })

  it("takes a time linear in the text", () => {
    const time = (text: string): number => {
      const start = performance.now()
      isWithin(text, { maxDepth: 128, maxStringLength: 100 })
      return performance.now() - start
    }
    // A quadratic scan of a megabyte of escaped quotes would take minutes.
    for (const filling of ["\\\"", "\\\\", "[],", "\"\",", " ", "\\u0041"]) {
      assert.isBelow(time(`[${"[],".repeat(200)}"${filling.repeat(300_000)}"]`), 2000)
      assert.isBelow(time(`[${"[],".repeat(200)}${filling.repeat(300_000)}]`), 2000)
    }
  })
})

describe("JsonBounds.isAmbiguous", () => {
  const isAmbiguous = (text: string): boolean => JsonBounds.isAmbiguous(text, JSON.parse(text))
  const json = FastCheck.jsonValue({ maxDepth: 6 })

  it("takes no JSON for ambiguous that names nothing twice, however it is written", () => {
    FastCheck.assert(
      FastCheck.property(
        json,
        FastCheck.constantFrom(undefined, 1, "\t"),
        (value, space) => !isAmbiguous(JSON.stringify(value, null, space))
      )
    )
  })

  for (const level of [1, 2, 3]) {
    it(`finds a name that stands twice ${level} levels down, whatever is around it`, () => {
      FastCheck.assert(
        FastCheck.property(json, json, FastCheck.string(), FastCheck.boolean(), (first, second, name, isArray) => {
          const key = JSON.stringify(name)
          const twice = `{${key}:${JSON.stringify(first)} , ${key}\n:${JSON.stringify(second)}}`
          const wrapped = Array.from({ length: level - 1 }).reduce<string>(
            (inner) => (isArray ? `[1,${inner}]` : `{"a,{":"\\"}","b":${inner}}`),
            twice
          )
          return isAmbiguous(wrapped)
        })
      )
    })
  }

  it("finds one that is written with escapes, and one that stands a thousand times", () => {
    assert.isTrue(isAmbiguous(`{"a":1,"\\u0061":2}`))
    assert.isTrue(isAmbiguous(`{${Array.from({ length: 1000 }, () => `"a":1`).join()}}`))
  })

  it("looks no deeper than three levels", () => {
    assert.isFalse(isAmbiguous(`[[[{"a":1,"a":2}]]]`))
  })
})
