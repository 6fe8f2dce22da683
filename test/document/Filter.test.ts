import { assert, describe, it } from "@effect/vitest"
import type { Metadata } from "causeway-mcp/document/Document"
import * as Filter from "causeway-mcp/document/internal/Filter"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const compiled = (filter: Filter.Filter | undefined) => Either.getOrThrow(Filter.compile(filter))

const sentence = (filter: unknown) =>
  // what a program without types hands in
  Either.match(Filter.compile(filter as Filter.Filter), { onLeft: (reason) => reason, onRight: () => "no reason" })

const passes = (filter: Filter.Filter, metadata: Metadata, publishedAt?: number) => {
  const read = compiled(filter)
  return read !== undefined && Filter.passing(read)({ id: "a", publishedAt, metadata })
}

describe("Filter.compile", () => {
  it("lets everything through when nothing is asked", () => {
    for (const filter of [undefined, {}, { metadata: {} }, { since: undefined }]) {
      const read = compiled(filter)
      assert.isTrue(read !== undefined && Filter.isOpen(read))
    }
  })

  it("lets nothing through when nothing can match: an empty list, a value or a name that no store can hold", () => {
    for (
      const filter of [
        { documentIds: [] },
        { documentIds: ["\0", "\ud800"] },
        { metadata: { k: [] } },
        { metadata: { k: "\0" } },
        { metadata: { k: [Number.NaN, Infinity] } },
        { metadata: { "k\0": 1 } },
        { metadata: { k: { min: 2, max: 1 } } },
        { metadata: { k: 1, l: [] } }
      ]
    ) assert.isUndefined(compiled(filter), JSON.stringify(filter))
  })

  it("names the field that is wrong, and says what to give", () => {
    const date = "is not an ISO 8601 date of the years 1 to 9999, for example 2026-11-22T09:00:00Z"
    for (const wrong of ["", "yesterday", "2026-02-30", "0000-01-01", "10000-01-01", "2026-13", 20_261_122, null]) {
      assert.strictEqual(sentence({ since: wrong }), `since ${date}`)
      assert.strictEqual(sentence({ until: wrong }), `until ${date}`)
    }
    for (const range of [{ min: Number.NaN }, { max: "3" }, { min: null }]) {
      assert.strictEqual(
        sentence({ metadata: { year: range } }),
        "the range for \"year\" is not of numbers: give min, max or both"
      )
    }
    assert.include(sentence({ metadata: { year: { gte: 3 } } }), "\"year\" has no meaning (gte)")
    assert.include(sentence({ metadata: { year: null } }), "\"year\" has no meaning (null)")
    assert.include(sentence({ metadata: "year" }), "metadata is no object")
    assert.include(sentence({ documentIds: "a" }), "documentIds is no list")
    assert.strictEqual(
      sentence({ metdata: { year: 1 } }),
      "a filter has no \"metdata\": give metadata, since, until, documentIds"
    )
  })

  it("names a wrong field also when another lets nothing through", () => {
    assert.match(sentence({ documentIds: [], since: "?" }), /^since/)
    assert.match(sentence({ metadata: { a: [], b: { min: Number.NaN } } }), /"b"/)
  })
})

describe("Filter.passing", () => {
  it("takes both ends of a range in, and numbers alone", () => {
    const within = (range: Filter.Range, value: Metadata[string]) => passes({ metadata: { k: range } }, { k: value })
    for (const value of [1, 1.5, 2]) assert.isTrue(within({ min: 1, max: 2 }, value))
    for (const value of [0.999, 2.001, -1, "1", "1.5", true]) assert.isFalse(within({ min: 1, max: 2 }, value))
    assert.isTrue(within({ min: 1 }, 1e300) && within({ max: 1 }, -1e300) && within({}, 0))
    assert.isTrue(within({ min: -0, max: 0 }, 0) && within({ min: 0 }, -0))
    assert.isTrue(within({ min: -Infinity, max: Infinity }, 0))
    assert.isFalse(within({}, "0"))
    assert.isFalse(passes({ metadata: { other: {} } }, { k: 1 }))
  })

  it("asks for every name, and for type and value alike", () => {
    const facts = { a: 1, b: "1", c: true }
    assert.isTrue(passes({ metadata: { a: [2, 1], b: "1", c: true } }, facts))
    for (
      const metadata of [{ a: "1" }, { b: 1 }, { c: "true" }, { c: 1 }, { a: 1, b: "2" }, { toString: "x" }, {
        constructor: "x"
      }]
    ) {
      assert.isFalse(passes({ metadata }, facts), JSON.stringify(metadata))
    }
  })

  it("takes since in and until out, and no document without a date", () => {
    const [day, next] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 2)]
    const filter = { since: "2026-01-01", until: "2026-01-02T01:00:00+01:00" }
    assert.deepStrictEqual([day - 1, day, next - 1, next, undefined].map((at) => passes(filter, {}, at)), [
      false,
      true,
      true,
      false,
      false
    ])
  })

  it("asks as quickly for one of many values as for one of few", () => {
    const values = Array.from({ length: 200_000 }, (_, n) => `value ${n}`)
    const read = Either.getOrThrow(Filter.compile({ metadata: { a: values } }))
    if (read === undefined) throw new Error("nothing can match")
    const isPassing = Filter.passing(read)
    const before = process.cpuUsage()
    let passed = 0
    for (let n = 0; n < 20_000; n++) {
      if (isPassing({ id: "a", publishedAt: undefined, metadata: { a: `value ${n * 20}` } })) passed++
    }
    assert.strictEqual(passed, 10_000)
    assert.isBelow(process.cpuUsage(before).user / 1_000, 2_000)
  })

  it("is the same as asking for each value of a list, whatever the facts", () => {
    const value = FastCheck.oneof(
      FastCheck.integer({ min: -2, max: 2 }),
      FastCheck.boolean(),
      FastCheck.constantFrom("1", "")
    )
    const facts = FastCheck.dictionary(FastCheck.constantFrom("a", "b", "__proto__", ""), value)
    FastCheck.assert(FastCheck.property(facts, FastCheck.array(value, { maxLength: 4 }), (metadata, values) => {
      assert.strictEqual(
        passes({ metadata: { a: values } }, metadata),
        values.some((value) => passes({ metadata: { a: value } }, metadata))
      )
    }))
  })
})
