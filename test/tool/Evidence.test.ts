import { assert, describe, it } from "@effect/vitest"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"

const source = (id: string, extra: Partial<Evidence.Source> = {}): Evidence.Source => ({
  id,
  kind: "document-store",
  retrievedAt: "2026-11-22T09:00:00.000Z",
  cached: false,
  ...extra
})

const link = (confidence: number, ...sources: [Evidence.Source, ...Array<Evidence.Source>]) =>
  Evidence.make({ data: confidence, confidence, sources })

describe("Evidence.make", () => {
  it("clamps a computed confidence into [0, 1] and takes NaN for 0", () => {
    assert.deepStrictEqual(
      [1.2, -0.1, Number.NaN, Number.POSITIVE_INFINITY, 0.4].map((n) => link(n, source("a")).confidence),
      [1, 0, 0, 1, 0.4]
    )
  })
  it("says that a confidence is uncalibrated unless told otherwise", () => {
    assert.strictEqual(link(1, source("a")).calibration, "uncalibrated")
  })
  it("is recognised, and a bare record of the same shape is not", () => {
    assert.isTrue(Evidence.isEvidence(link(1, source("a"))))
    assert.isFalse(Evidence.isEvidence({ data: 1, confidence: 1, sources: [source("a")] }))
  })
  it("leaves its type id out of JSON", () => {
    assert.deepStrictEqual(Object.keys(JSON.parse(JSON.stringify(link(1, source("a"))))).sort(), [
      "calibration",
      "confidence",
      "data",
      "sources"
    ])
  })
})

describe("Evidence.combine", () => {
  it("is never surer than the weakest link", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.double({ min: 0, max: 1, noNaN: true }),
        FastCheck.double({ min: 0, max: 1, noNaN: true }),
        (a, b) => {
          const both = Evidence.combine(link(a, source("a")), link(b, source("b")), (x, y) => x + y)
          return both.confidence <= Math.min(a, b) && both.data === a + b
        }
      )
    )
  })
  it("counts a link that rests on a cached source less", () => {
    const both = Evidence.combine(link(0.8, source("a", { cached: true })), link(1, source("b")), () => null)
    assert.closeTo(both.confidence, 0.72, 1e-12)
  })
  it("joins sources without repeats, keeping those of another kind", () => {
    const both = Evidence.combine(
      link(1, source("a"), source("b")),
      link(1, source("a"), source("a", { kind: "model" })),
      () => null
    )
    assert.deepStrictEqual(both.sources.map((s) => `${s.kind}:${s.id}`), [
      "document-store:a",
      "document-store:b",
      "model:a"
    ])
  })
  it("keeps what either side had to do without", () => {
    const left = Evidence.degrade(link(1, source("a")), { reason: "no history", missing: ["session-store"] })
    const right = Evidence.degrade(link(1, source("b")), { reason: "no model", missing: ["model"] })
    assert.deepStrictEqual(Evidence.combine(left, right, () => null).degraded, {
      reason: "no history; no model",
      missing: ["session-store", "model"]
    })
  })
  it("is calibrated only when its weakest link is", () => {
    const calibration = { id: "c1", fittedOn: "test", ece: 0.01 }
    const fitted = Evidence.make({ data: 1, confidence: 0.5, sources: [source("a")], calibration })
    assert.deepStrictEqual(Evidence.combine(fitted, link(0.9, source("b")), () => null).calibration, calibration)
    assert.strictEqual(Evidence.combine(fitted, link(0.2, source("b")), () => null).calibration, "uncalibrated")
  })
})

describe("Evidence.degrade", () => {
  it("lowers the confidence and adds to an earlier note", () => {
    const once = Evidence.degrade(link(0.8, source("a")), { reason: "first", missing: ["x"] })
    const twice = Evidence.degrade(once, { reason: "second", missing: ["x", "y"] }, 0.5)
    assert.strictEqual(twice.confidence, 0.2)
    assert.deepStrictEqual(twice.degraded, { reason: "first; second", missing: ["x", "y"] })
  })
})

describe("Evidence.source", () => {
  it.effect("is stamped by the clock and not cached unless it says so", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.parse("2026-11-22T10:00:00Z"))
      const made = yield* Evidence.source({ id: "a", kind: "web" })
      assert.deepStrictEqual(made, { id: "a", kind: "web", cached: false, retrievedAt: "2026-11-22T10:00:00.000Z" })
      const dated = yield* Evidence.source({ id: "a", kind: "web", publishedAt: "2026-11-20" })
      assert.strictEqual(dated.publishedAt, "2026-11-20T00:00:00.000Z")
      const computed = yield* Evidence.computed("sum", 3)
      assert.deepStrictEqual([computed.confidence, computed.sources[0].kind, computed.data], [1, "computation", 3])
    }))
})

describe("Evidence.envelope", () => {
  const envelope = Evidence.envelope(Schema.Struct({ n: Schema.Number }))
  it("decodes what it encoded", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.record({ n: FastCheck.integer() }), (data) => {
        const encoded = Schema.encodeSync(envelope)(Evidence.make({ data, confidence: 0.5, sources: [source("a")] }))
        assert.deepStrictEqual(Schema.decodeUnknownSync(envelope)(JSON.parse(JSON.stringify(encoded))).data, data)
      }),
      { numRuns: 50 }
    )
  })
  it("refuses an answer without a source, and a date that is none", () => {
    const decode = Schema.decodeUnknownEither(envelope)
    const whole = { data: { n: 1 }, confidence: 0.5, calibration: "uncalibrated", sources: [source("a")] }
    assert.strictEqual(decode(whole)._tag, "Right")
    assert.strictEqual(decode({ ...whole, sources: [] })._tag, "Left")
    assert.strictEqual(decode({ ...whole, confidence: 1.5 })._tag, "Left")
    for (const retrievedAt of ["yesterday", "2026-11-22", "2026-11-22T09:00:00", "2026-02-30T09:00:00Z"]) {
      assert.strictEqual(decode({ ...whole, sources: [source("a", { retrievedAt })] })._tag, "Left", retrievedAt)
    }
  })
})
