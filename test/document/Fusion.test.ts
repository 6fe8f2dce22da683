import { assert, describe, it } from "@effect/vitest"
import * as Fusion from "causeway-mcp/document/internal/Fusion"
import * as FastCheck from "effect/FastCheck"

const candidate = (documentId: string, bm25: number, cosine: number, position = 0) => ({
  documentId,
  position,
  bm25,
  cosine
})

const options = { lexicalWeight: 0.7, ceiling: 10, limit: 100 }

const ranked = (candidates: ReadonlyArray<Fusion.Candidate>, more: Partial<typeof options> = {}) =>
  Fusion.fuse(candidates, { ...options, ...more }).map((
    fused
  ) => [fused.candidate.documentId, Number(fused.score.toFixed(6))])

describe("Fusion.fuse", () => {
  it("mixes both arms by their weight, each brought to 0 to 1", () => {
    assert.deepStrictEqual(ranked([candidate("a", 4, 0.2), candidate("b", 2, 0.6), candidate("c", 0, 0.4)]), [
      ["a", 0.7],
      ["b", 0.65],
      ["c", 0.15]
    ])
  })

  it("leaves the arm that saw something alone with the score", () => {
    assert.deepStrictEqual(ranked([candidate("a", 4, 0), candidate("b", 2, 0)]), [["a", 1], ["b", 0.5]])
    assert.deepStrictEqual(ranked([candidate("a", 0, 0.5), candidate("b", 0, 0.25)]), [["a", 1], ["b", 0]])
  })

  it("finds a single candidate, and two that are equal, fully", () => {
    assert.deepStrictEqual(ranked([candidate("a", 1, 0.1)]), [["a", 1]])
    assert.deepStrictEqual(ranked([candidate("b", 1, 0.1), candidate("a", 1, 0.1)]), [["a", 1], ["b", 1]])
  })

  it("drops what neither arm sees", () => {
    assert.deepStrictEqual(ranked([candidate("a", 0, 0), candidate("b", 0, -0.3), candidate("c", 1, -0.3)]), [["c", 1]])
  })

  it("breaks ties by document id and position", () => {
    const fused = Fusion.fuse([candidate("b", 1, 0, 0), candidate("a", 1, 0, 1), candidate("a", 1, 0, 0)], options)
    assert.deepStrictEqual(fused.map((each) => [each.candidate.documentId, each.candidate.position]), [
      ["a", 0],
      ["a", 1],
      ["b", 0]
    ])
  })

  it("reports the share of the ceiling, at most 1", () => {
    const [a] = Fusion.fuse([candidate("a", 4, 0)], options)
    assert.deepStrictEqual(a?.signals, { bm25: 4, bm25Share: 0.4, cosine: 0 })
    const [b] = Fusion.fuse([candidate("a", 4, 0)], { ...options, ceiling: 3 })
    assert.strictEqual(b?.signals.bm25Share, 1)
  })

  it("keeps scores between 0 and 1 in falling order, whatever the arms saw", () => {
    const value = FastCheck.oneof(FastCheck.double({ min: -1, max: 1 }), FastCheck.constantFrom(0, Number.NaN))
    const bm25 = FastCheck.double({ min: 0, max: 50, noNaN: true })
    FastCheck.assert(FastCheck.property(
      FastCheck.array(FastCheck.tuple(bm25, value), { maxLength: 30 }),
      FastCheck.double({ min: 0, max: 1, noNaN: true }),
      (pairs, lexicalWeight) => {
        const fused = Fusion.fuse(pairs.map(([b, c], n) => candidate(`d${n}`, b, c)), { ...options, lexicalWeight })
        for (const [n, { score, signals }] of fused.entries()) {
          assert.isTrue(score >= 0 && score <= 1 + 1e-9 && score <= (fused[n - 1]?.score ?? 2), String(score))
          assert.isTrue(Number.isFinite(signals.cosine))
        }
      }
    ))
  })

  it("makes a limit fit 1 to 100", () => {
    assert.deepStrictEqual([0, -1, Number.NaN, 1, 7.9, 100, 101, Infinity].map(Fusion.limitOf), [
      1,
      1,
      1,
      1,
      7,
      100,
      100,
      100
    ])
  })
})

describe("BM25", () => {
  it("gives the figures of the formula", () => {
    assert.closeTo(Fusion.idf(10, 2), Math.log(1 + 8.5 / 2.5), 1e-12)
    assert.closeTo(Fusion.termScore(2, 3, 50, 100), 2 * 3 * 1.9 / (3 + 0.9 * (0.5 + 0.5 * 0.5)), 1e-12)
    assert.closeTo(Fusion.ceiling([1, 2]), 5.7, 1e-12)
  })

  it("never exceeds its ceiling and grows with frequency, not with length", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.integer({ min: 1, max: 1000 }),
      FastCheck.integer({ min: 1, max: 1000 }),
      (frequency, length) => {
        const score = Fusion.termScore(3, frequency, length, 100)
        assert.isTrue(score > 0 && score <= Fusion.ceiling([3]))
        assert.isAbove(Fusion.termScore(3, frequency + 1, length, 100), score)
        assert.isBelow(Fusion.termScore(3, frequency, length + 1, 100), score)
      }
    ))
  })
})
