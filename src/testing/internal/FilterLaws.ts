/**
 * What a document store promises about filters, alike in searches and in lists.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Condition, Filter } from "../../document/DocumentStore.js"
import type { Law } from "./Law.js"
import { invalid, law, note, zoo } from "./Law.js"

const sorted = (ids: ReadonlyArray<string>) => [...ids].sort()

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law(
    "filters by one metadata value, any of several, and all keys together",
    ({ ids, index }) =>
      Effect.gen(function*() {
        yield* index(...zoo)
        const by = (metadata: { readonly [key: string]: string | ReadonlyArray<string | number> }) =>
          Effect.map(ids("bond fox", { filter: { metadata } }), sorted)
        assert.deepEqual(yield* by({ kind: "news" }), ["bond", "fund"])
        assert.deepEqual(yield* by({ kind: ["news", "fable"] }), ["bond", "fox", "fund"])
        assert.deepEqual(yield* by({ kind: ["news", "fable"], year: [2020, 2025] }), ["fox", "fund"])
        assert.deepEqual(yield* by({ kind: "News" }), [])
        assert.deepEqual(yield* by({ absent: "news" }), [])
        assert.deepEqual(yield* by({ kind: [] }), [])
      })
  ),

  law("keeps numbers and booleans apart from strings in filters", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(...zoo)
      const by = (metadata: { readonly [key: string]: string | number | boolean | ReadonlyArray<number | string> }) =>
        ids("bond", { filter: { metadata } })
      assert.deepEqual(yield* by({ year: 2026 }), ["bond"])
      assert.deepEqual(yield* by({ year: "2026" }), ["text"])
      assert.deepEqual(sorted(yield* by({ year: [2026, "2026"] })), ["bond", "text"])
      assert.deepEqual(sorted(yield* by({ real: true })), ["bond", "fund"])
      assert.deepEqual(yield* by({ real: "true" }), ["text"])
      assert.deepEqual(yield* by({ real: 1 }), [])
      assert.deepEqual(yield* by({ year: Number.NaN }), [])
    })),

  law(
    "filters by date: since counts in, until counts out, undated never matches",
    ({ ids, index }) =>
      Effect.gen(function*() {
        yield* index(
          note("old", "A stork.", { publishedAt: "2025-12-31T23:59:59Z" }),
          note("new", "A stork.", { publishedAt: "2026-01-01" }),
          note("zone", "A stork.", { publishedAt: "2026-01-01T03:00:00+02:00" }),
          note("undated", "A stork.")
        )
        const by = (filter: { readonly since?: string; readonly until?: string }) => ids("stork", { filter })
        assert.deepEqual(yield* by({ since: "2026-01-01T00:00:00Z" }), ["new", "zone"])
        assert.deepEqual(yield* by({ until: "2026-01-01T00:00:00Z" }), ["old"])
        assert.deepEqual(yield* by({ since: "2026-01-01T00:30:00Z", until: "2027" }), ["zone"])
        assert.deepEqual(yield* by({ since: "2026-01-01T01:00:00.001Z" }), [])
        assert.deepEqual(yield* by({ since: "2027", until: "2026" }), [])
        assert.deepEqual((yield* by({ since: "0001-01-01", until: "9999-12-31" })).length, 3)
        assert.equal((yield* ids("stork")).length, 4)
      })
  ),

  law("filters by document ids and finds nothing among none", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(...zoo)
      assert.deepEqual(sorted(yield* ids("bond", { filter: { documentIds: ["bond", "text", "fox", "?"] } })), [
        "bond",
        "text"
      ])
      assert.deepEqual(yield* ids("bond", { filter: { documentIds: [] } }), [])
      assert.equal((yield* ids("bond", { filter: {} })).length, 3)
    })),

  law(
    "fills the limit under a filter that lets few through, by words and by vector",
    ({ ids, index, vector }) =>
      Effect.gen(function*() {
        yield* index(...Array.from({ length: 400 }, (_, n) =>
          note(`d${n}`, `Plover report ${n}, ${n % 40 === 39 ? "long winded and off the point" : "plover"}.`, {
            metadata: { few: n % 40 === 39 }
          })))
        const filter = { metadata: { few: true } }
        const query = yield* vector("plover plover")
        const passing = Array.from({ length: 10 }, (_, n) =>
          `d${40 * n + 39}`).sort()
        for (const [text, vector] of [["plover", undefined], ["", query], ["plover", query]] as const) {
          const found = yield* ids(text, { filter, vector })
          assert.deepEqual(sorted(found), passing)
          const named = yield* ids(text, { filter: { documentIds: passing }, vector })
          assert.deepEqual(named, found)
        }
      })
  ),

  law(
    "filters by a range of numbers, both ends in, and never matches what is no number",
    ({ ids, index }) =>
      Effect.gen(function*() {
        const values: ReadonlyArray<readonly [string, string | number | boolean]> = [
          ["a", -1e300],
          ["b", -2.5],
          ["c", 0],
          ["d", 1],
          ["e", 1.000001],
          ["f", 2 ** 53 - 1],
          ["g", 1e300],
          ["h", "1"],
          ["i", true],
          ["j", "text"]
        ]
        yield* index(
          ...values.map(([id, n]) => note(id, "A plover.", { metadata: { n } })),
          note("k", "A plover.", { metadata: { other: 1 } })
        )
        const by = (n: Condition) =>
          Effect.map(ids("plover", { filter: { metadata: { n } }, limit: 20 }), (found) => sorted(found).join(""))
        assert.equal(yield* by({}), "abcdefg")
        assert.equal(yield* by({ min: -Infinity, max: Infinity }), "abcdefg")
        assert.equal(yield* by({ min: 0, max: 1 }), "cd")
        assert.equal(yield* by({ min: -0, max: 0 }), "c")
        assert.equal(yield* by({ min: 1 }), "defg")
        assert.equal(yield* by({ max: -2.5 }), "ab")
        assert.equal(yield* by({ min: 1.0000001, max: 1.00001 }), "e")
        assert.equal(yield* by({ min: 2 ** 53 - 1, max: 2 ** 53 - 1 }), "f")
        assert.equal(yield* by({ min: 2 ** 53 }), "g")
        assert.equal(yield* by({ min: 1e300 }), "g")
        assert.equal(yield* by({ min: 2, max: 1 }), "")
        assert.equal(yield* by([0, 1, "1", 7]), "cdh")
      })
  ),

  law(
    "sees what a document became since the same filter was asked last",
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        const filters: ReadonlyArray<Filter> = [
          { metadata: { kind: "x" } },
          { metadata: { n: { min: 1, max: 2 } } },
          { since: "2026-01-01" },
          { documentIds: ["a", "b"], metadata: { kind: ["x"] } }
        ]
        const asked = Effect.forEach(filters, (filter) => Effect.map(ids("crane", { filter }), (all) => all.join("")))
        const inside = { metadata: { kind: "x", n: 1 }, publishedAt: "2026-05-01" }
        const outside = { metadata: { kind: "y", n: 3 }, publishedAt: "2025-05-01" }
        yield* index(note("a", "A crane.", inside), note("b", "A crane.", outside))
        assert.deepEqual(yield* asked, ["a", "a", "a", "a"])
        yield* index(note("a", "A crane.", outside), note("b", "A crane.", inside))
        assert.deepEqual(yield* asked, ["b", "b", "b", "b"])
        yield* store.remove(tenant, ["b"])
        assert.deepEqual(yield* asked, ["", "", "", ""])
        yield* index(note("c", "A crane.", inside))
        assert.deepEqual(yield* asked, ["c", "c", "c", ""])
      })
  ),

  law("tells filters apart that differ in one end alone", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(...[1, 2, 3].map((n) => note(`d${n}`, "A teal.", { publishedAt: `2026-0${n}-15`, metadata: { n } })))
      const count = (filter: Filter) => Effect.map(ids("teal", { filter }), (found) => found.length)
      const since = "2026-01-01"
      const counts = yield* Effect.forEach([
        { since, until: "2026-02-01" },
        { since, until: "2026-03-01" },
        { since },
        { since: "2026-02-01" },
        { until: "2026-02-01" },
        { metadata: { n: { min: 1, max: 1 } } },
        { metadata: { n: { min: 1, max: 2 } } },
        { metadata: { n: { min: 1 } } },
        { metadata: { n: { max: 1 } } },
        { metadata: { n: 1 } },
        { metadata: { n: [1, 3] } }
      ], count)
      assert.deepEqual(counts, [1, 2, 3, 2, 1, 1, 2, 3, 1, 1, 2])
    })),

  law("narrows by all of a filter's fields together", ({ ids, index }) =>
    Effect.gen(function*() {
      const dates = ["2026-01-01", "2026-02-01", "2026-03-01"]
      yield* index(...dates.flatMap((publishedAt, month) =>
        ["x", "y"].map((kind) =>
          note(`${kind}${month}`, "A crane.", { publishedAt, metadata: { kind, month, "odd key.$[0]": kind } })
        )
      ))
      const filter: Filter = {
        metadata: { kind: "x", month: { min: 0, max: 1 }, "odd key.$[0]": ["x", "z"] },
        since: "2026-01-15",
        until: "2026-03-01",
        documentIds: ["x0", "x1", "y1", "x2"]
      }
      assert.deepEqual(yield* ids("crane", { filter }), ["x1"])
      assert.deepEqual(yield* ids("crane", { filter: { ...filter, until: "2026-01-20" } }), [])
    })),

  law(
    "matches nothing by the name of a fact that no document has",
    ({ ids, index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(...zoo)
        for (
          const key of ["absent", "Kind", "kind ", "toString", "__proto__", "constructor", "", "kind'; --", "$.kind"]
        ) {
          for (const condition of ["news", {}, [true, 1, ""], { min: 0 }]) {
            const filter: Filter = { metadata: Object.fromEntries([[key, condition]]) }
            assert.deepEqual(yield* ids("bond", { filter }), [], key)
            assert.deepEqual(yield* store.list(tenant, { limit: 5, filter }), [], key)
          }
        }
      })
  ),

  law(
    "fails as invalid, by the field's name, for a date or a range that is none, also for a tenant that owns nothing",
    ({ index, search, store, tenant }) =>
      Effect.gen(function*() {
        // what a program without types hands in
        const odd = (filter: unknown): Filter => filter as Filter
        const wrong: ReadonlyArray<readonly [named: string, Filter]> = [
          ...["not a date", "", "2026-02-30", "0000-01-01", "10000-01-01", "2026-13", "1/2/2026", "2026-01-01'"]
            .flatMap(
              (date) => [["since", { since: date }] as const, ["until", { until: date }] as const]
            ),
          ["\"n\"", { metadata: { n: { min: Number.NaN } } }],
          ["\"n\"", odd({ metadata: { n: { max: "1; drop table" } } })],
          ["\"n\"", odd({ metadata: { n: null } })],
          ["\"n\"", odd({ metadata: { n: { gte: 1 } } })],
          ["documentIds", odd({ documentIds: "a" })],
          ["\"metdata\"", odd({ metdata: { kind: "news" } })]
        ]
        for (const isEmpty of [true, false]) {
          if (!isEmpty) yield* index(...zoo)
          for (const [named, filter] of wrong) {
            yield* invalid(search("bond", { filter }), "search", named)
            yield* invalid(store.list(tenant, { limit: 5, filter }), "list", named)
          }
        }
        assert.equal((yield* search("bond")).length, 3)
      })
  ),

  law(
    "takes hundreds of ids and values in a filter",
    ({ ids, index }) =>
      Effect.gen(function*() {
        yield* index(...Array.from({ length: 20 }, (_, n) => note(`d${n}`, "A swan.", { metadata: { n } })))
        const many = Array.from({ length: 2000 }, (_, n) => n * 2)
        const found = yield* ids("swan", {
          limit: 100,
          filter: { documentIds: many.map((n) => `d${n}`), metadata: { n: [...many, ...many.map(String)] } }
        })
        assert.equal(found.length, 10)
      })
  )
]
