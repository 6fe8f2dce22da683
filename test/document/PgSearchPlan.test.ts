import { assert, describe, it } from "@effect/vitest"
import * as Fusion from "causeway-mcp/document/internal/Fusion"
import type * as PgFigures from "causeway-mcp/document/internal/PgFigures"
import * as PgPlan from "causeway-mcp/document/internal/PgPlan"

const figures = (matching: ReadonlyArray<number>, other: Partial<PgFigures.Figures> = {}): PgFigures.Figures => ({
  tenant: 1,
  passages: 100_000,
  tokens: 10_000_000,
  matching,
  first: "embedder",
  last: "embedder",
  allowed: undefined,
  index: undefined,
  ...other
})

const weightsOf = (figures: PgFigures.Figures) => figures.matching.map((count) => Fusion.idf(figures.passages, count))

const plan = (figures: PgFigures.Figures, options: Partial<Parameters<typeof PgPlan.make>[2]> = {}) =>
  PgPlan.make(figures, weightsOf(figures), { hasQueryVector: true, hasVector: true, isOwn: true, ...options })

const none: PgPlan.Arm = { count: 0, lowest: Number.POSITIVE_INFINITY, edge: 0 }

const full = (edge: number): PgPlan.Arm => ({ count: PgPlan.armSize, lowest: edge / 2, edge })

describe("PgPlan", () => {
  it("leaves out words that nothing holds and puts the rarest first", () => {
    assert.deepStrictEqual(plan(figures([40_000, 0, 300, 40_000])).terms, [2, 0, 3])
  })

  it("reads a common word only for the passages that a rare one brings", () => {
    const asked = figures([40_000, 300])
    const { bound, essential } = plan(asked)
    assert.strictEqual(essential, 1)
    assert.closeTo(bound, Fusion.ceiling(weightsOf(asked).slice(0, 1)), 1e-9)
  })

  it("reads all where the rare words bring too few passages to fill the pool", () => {
    assert.strictEqual(plan(figures([40_000, 150])).essential, 2)
  })

  it("reads all where looking up would cost more", () => {
    assert.strictEqual(plan(figures([3_000, 2_900])).essential, 2)
  })

  it("accepts what was left out when it cannot reach the pool, and reads more when it can", () => {
    const asked = figures([40_000, 20_000, 400])
    const first = { ...plan(asked), essential: 1, bound: Fusion.ceiling(weightsOf(asked).slice(0, 2)) }
    assert.isUndefined(PgPlan.revise(first, asked, weightsOf(asked), full(first.bound + 0.1), none))
    const second = PgPlan.revise(first, asked, weightsOf(asked), full(first.bound - 0.1), none)
    assert.isAbove(second?.essential ?? 0, 1)
    assert.isBelow(second?.bound ?? Number.POSITIVE_INFINITY, first.bound - 0.1)
    // An equal score may belong to a passage that sorts before.
    assert.isDefined(PgPlan.revise(first, asked, weightsOf(asked), full(first.bound), none))
    // Too few to fill the pool say nothing about those left out.
    const third = PgPlan.revise(first, asked, weightsOf(asked), { count: 90, lowest: 1, edge: 0 }, none)
    assert.strictEqual(third?.essential, 3)
  })

  it("has Postgres tell equal scores apart when more are equal than an arm brings", () => {
    const asked = figures([50_000, 40, 30, 20, 10, 9, 8, 7, 6])
    const first = plan(asked)
    assert.isFalse(first.hasTies)
    const tied: PgPlan.Arm = { count: PgPlan.armSize, lowest: 1, edge: 1 }
    const second = PgPlan.revise(first, asked, weightsOf(asked), tied, none)
    assert.isTrue(second?.hasTies)
    assert.isFalse(second?.hasEqualVectors)
    if (second !== undefined) assert.isUndefined(PgPlan.revise(second, asked, weightsOf(asked), tied, none))
    assert.isTrue(
      PgPlan.revise(first, asked, weightsOf(asked), none, { count: PgPlan.armSize, lowest: 0.5, edge: 0.5 })
        ?.hasEqualVectors
    )
    // What is not above 0 is no candidate.
    assert.isUndefined(
      PgPlan.revise(first, asked, weightsOf(asked), none, { count: PgPlan.armSize, lowest: 0, edge: 0 })
    )
  })

  it("uses the index for a tenant that has most of the vectors, and never in the caller's transaction", () => {
    const index = { precision: "vector", size: 100_000 } as const
    assert.deepStrictEqual(plan(figures([5], { index })).dense, { _tag: "Index", precision: "vector" })
    assert.deepStrictEqual(plan(figures([5], { index }), { isOwn: false }).dense, { _tag: "Exact" })
    assert.deepStrictEqual(plan(figures([5], { index, passages: 20_000 })).dense, { _tag: "Exact" })
    assert.deepStrictEqual(plan(figures([5], { index, allowed: 4_000 })).dense, { _tag: "Exact" })
    assert.deepStrictEqual(plan(figures([5], { index, allowed: Number.POSITIVE_INFINITY })).dense._tag, "Index")
    assert.deepStrictEqual(plan(figures([5], { index }), { hasQueryVector: false }).dense, { _tag: "None" })
  })

  it("compares one by one when the index gave up before it had enough", () => {
    const asked = figures([5], { index: { precision: "halfvec", size: 100_000 } })
    const first = plan(asked)
    const dense: PgPlan.Arm = { count: Fusion.poolSize - 1, lowest: 0.1, edge: 0 }
    assert.deepStrictEqual(PgPlan.revise(first, asked, weightsOf(asked), none, dense)?.dense, { _tag: "Exact" })
    assert.isUndefined(
      PgPlan.revise(first, asked, weightsOf(asked), none, { count: PgPlan.armSize, lowest: 0.1, edge: 0.1 })
    )
  })

  it("compares up to 1,000 passages here where Postgres cannot", () => {
    const options = { hasVector: false }
    assert.strictEqual(plan(figures([5], { passages: 1_000 }), options).dense._tag, "Here")
    assert.strictEqual(plan(figures([5], { passages: 1_001 }), options).dense._tag, "None")
    assert.strictEqual(plan(figures([5], { allowed: 900 }), options).dense._tag, "Here")
    assert.strictEqual(plan(figures([5], { allowed: Number.POSITIVE_INFINITY }), options).dense._tag, "None")
  })
})
