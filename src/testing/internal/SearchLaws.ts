/**
 * What a document store promises about finding: words, vectors, limits and
 * order.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import assert from "node:assert/strict"
import type { Hit } from "../../document/DocumentStore.js"
import type { Law } from "./Law.js"
import { law, long, note, zoo } from "./Law.js"

const sorted = (ids: ReadonlyArray<string>) => [...ids].sort()

const brief = (hits: ReadonlyArray<Hit>) =>
  hits.map(({ passage, score, signals }) => [passage.documentId, passage.position, score, signals])

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("finds by a word, whatever its case, plural or possessive", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(...zoo)
      for (const query of ["BONDS", "bond's", "Bond", "ｂｏｎｄ"]) {
        assert.deepEqual(sorted(yield* ids(query)), ["bond", "fund", "text"])
      }
      assert.deepEqual(yield* ids("foxes yield"), yield* ids("yield foxes"))
      assert.deepEqual(yield* ids("central"), ["bond"])
    })),

  law(
    "finds any of the words and puts the passage with more of them first",
    ({ ids, index }) =>
      Effect.gen(function*() {
        yield* index(...zoo)
        const found = yield* ids("fund shares unicorn lazy")
        assert.equal(found[0], "fund")
        assert.deepEqual(sorted(found), ["fox", "fund"])
      })
  ),

  law("finds words of the title in every passage", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(note("d", long("topic", 3), { title: "Wolverine census" }), note("e", "Unrelated."))
      const found = yield* ids("wolverine")
      assert.ok(found.length >= 2 && found.every((id) => id === "d"))
    })),

  law("finds numbers, percentages, tickers and filing names as written", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(
        note("rate", "Inflation came to 3.5% in May."),
        note("sum", "Costs of 1,234.5 million."),
        note("tick", "We hold $AAPL."),
        note("form", "See the 10-K for details."),
        note("none", "Plain words: 3, 5, 10.")
      )
      assert.deepEqual(yield* ids("3.5%"), ["rate"])
      assert.deepEqual(yield* ids("1234.5"), ["sum"])
      assert.deepEqual(yield* ids("aapl"), ["tick"])
      assert.deepEqual(yield* ids("10-k"), ["form"])
      assert.deepEqual(yield* ids("10K"), ["form"])
    })),

  law("finds text in other scripts", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(
        note("ja", "日本銀行は金利を引き上げた。"),
        note("ru", "Центральный банк повысил ставку."),
        note("de", "Der Café-Umsatz stieg."),
        note("he", "הבנק המרכזי")
      )
      assert.deepEqual(yield* ids("金利"), ["ja"])
      assert.deepEqual(yield* ids("БАНК"), ["ru"])
      assert.deepEqual(yield* ids("cafe"), ["de"])
      assert.deepEqual(yield* ids("המרכזי"), ["he"])
    })),

  law("finds by vector where no word is shared", ({ ids, index, vector }) =>
    Effect.gen(function*() {
      yield* index(...zoo)
      const exact = yield* vector("The fund bought bonds and sold shares.")
      assert.equal((yield* ids("", { vector: exact }))[0], "fund")
      assert.equal((yield* ids("unicorn", { vector: exact }))[0], "fund")
    })),

  law(
    "searches by words alone without a vector, and for a zero vector",
    ({ ids, index, search, vector }) =>
      Effect.gen(function*() {
        yield* index(...zoo)
        const hits = yield* search("bond")
        assert.ok(hits.length === 3 && hits.every((hit) => hit.signals.cosine === 0))
        const zero = (yield* vector("x")).map(() => 0)
        assert.deepEqual(yield* ids("bond", { vector: zero }), hits.map((hit) => hit.passage.documentId))
        assert.deepEqual(yield* ids("", { vector: zero }), [])
      })
  ),

  law(
    "refuses a vector of other dimensions as incompatible, and answers the next question",
    ({ ids, index, search, vector }) =>
      Effect.gen(function*() {
        yield* index(...zoo)
        const exact = yield* vector("bond")
        for (const dimensions of [0, 7, exact.length - 1, exact.length + 1]) {
          const result = yield* Effect.either(search("bond", { vector: new Float32Array(dimensions).fill(1) }))
          assert.ok(Either.isLeft(result), `${dimensions} dimensions`)
          assert.equal(result.left.reason._tag, "Incompatible")
          assert.equal(result.left.method, "search")
          assert.equal(result.left.isRetryable, false)
          assert.ok(result.left.message.includes(String(dimensions)), result.left.message)
        }
        assert.equal((yield* ids("bond", { vector: exact })).length > 2, true)
      })
  ),

  law(
    "searches by words alone for a vector that is not of finite numbers",
    ({ ids, index, search, vector }) =>
      Effect.gen(function*() {
        yield* index(...zoo)
        const plain = brief(yield* search("bond"))
        const exact = yield* vector("bond")
        for (const wrong of [Number.NaN, Infinity, -Infinity]) {
          for (const odd of [exact.map(() => wrong), exact.map((value, n) => n === 3 ? wrong : value)]) {
            assert.deepEqual(brief(yield* search("bond", { vector: odd })), plain, String(wrong))
            assert.deepEqual(yield* ids("", { vector: odd }), [])
          }
        }
        const largest = yield* search("bond", { vector: exact.map((value) => Math.sign(value) * 3.4e38) })
        assert.ok(largest.every(({ score, signals }) => score >= 0 && score <= 1 && Math.abs(signals.cosine) <= 1.001))
      })
  ),

  law("finds nothing for an empty query, stop words or punctuation", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(...zoo)
      for (const query of ["", "   ", "the of and", "?!…", "\0", "' \" ; --", "\ud83d"]) {
        assert.deepEqual(yield* ids(query), [], JSON.stringify(query))
      }
    })),

  law("takes a hostile query for words", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(...zoo)
      for (
        const query of [
          "central'; drop table documents; --",
          "central & | ! ( ) :* <-> \\",
          "central\0",
          "central \ud83d",
          "__proto__ constructor central hasOwnProperty",
          "🦜 central 🏝️",
          "%central% _ $1 ${x}"
        ]
      ) assert.deepEqual(yield* ids(query), ["bond"], query)
    })),

  law("answers a query of ten thousand words and one of a megabyte", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(...zoo)
      const filler = Array.from({ length: 10_000 }, (_, n) => `filler${n}`).join(" ")
      assert.deepEqual(yield* ids(`central ${filler}`), ["bond"])
      assert.deepEqual(yield* ids(`central ${"a".repeat(1_000_000)}`), ["bond"])
    })),

  law("respects the limit, and makes one out of range fit 1 to 100", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(...Array.from({ length: 120 }, (_, n) => note(`d${n}`, `Heron number ${n}.`)))
      for (
        const [limit, count] of [[1, 1], [7, 7], [100, 100], [1000, 100], [0, 1], [-5, 1], [2.9, 2], [Infinity, 100], [
          Number.NaN,
          1
        ]] as const
      ) {
        assert.equal((yield* ids("heron", { limit })).length, count, `limit ${limit}`)
      }
    }))
]
