import { assert, describe, it } from "@effect/vitest"
import * as Calibration from "causeway-mcp/document/Calibration"
import type { Hit } from "causeway-mcp/document/DocumentStore"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"

const hit = (documentId: string, bm25Share: number, cosine = 0): Hit => ({
  passage: { documentId, position: 0, title: "", text: "", indexedAt: "2026-11-22T00:00:00.000Z", metadata: {} },
  score: bm25Share,
  signals: { bm25: bm25Share * 10, bm25Share, cosine }
})

/** Numbers that look like chance and are the same every time. */
const chance = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Questions whose hits are as likely relevant as `likely` says of their BM25 share. */
const questions = (count: number, likely: (share: number) => number, seed = 7): ReadonlyArray<Calibration.Judged> => {
  const next = chance(seed)
  return Array.from({ length: count }, () => {
    const ranking = Array.from({ length: 12 }, (_, n) => hit(`d${n}`, next(), next())).sort((a, b) => b.score - a.score)
    return {
      ranking,
      relevant: new Set(
        ranking.filter(({ signals }) => next() < likely(signals.bm25Share)).map(({ passage }) => passage.documentId)
      )
    }
  })
}

const steep = (share: number) => 1 / (1 + Math.exp(-(8 * share - 5)))

const about = { id: "ours/1", corpus: "ours", fittedOn: "our questions", embedder: "hash" }

const fitted = (count: number): Calibration.Model => {
  const model = Calibration.fit(questions(count, steep), about)
  if (model === undefined) throw new Error("not fitted")
  return model
}

const close = (self: number, that: number, by: number) => assert.closeTo(self, that, by)

describe("Calibration.featuresOf", () => {
  it("gives one number for each feature of each hit, all finite, whatever the signals", () => {
    const any = FastCheck.double()
    FastCheck.assert(FastCheck.property(FastCheck.array(FastCheck.tuple(any, any), { maxLength: 12 }), (signals) => {
      const rows = Calibration.featuresOf(
        signals.map(([bm25Share, cosine]) => ({ signals: { bm25: 0, bm25Share, cosine } }))
      )
      assert.lengthOf(rows, signals.length)
      for (const row of rows) {
        assert.lengthOf(row, Calibration.features.length)
        assert.isTrue(row.every(Number.isFinite))
      }
    }))
  })

  it("tells the lead over the next, how far a hit is behind the best, and bounds both", () => {
    const rows = Calibration.featuresOf([hit("a", 0.9, 0.5), hit("b", 0.85), hit("c", 0.1)])
    const column = (name: string) => rows.map((row) => row[Calibration.features.indexOf(name)] ?? NaN)
    column("gap").forEach((value, n) => close(value, [0.05, 0.1, 0][n] ?? NaN, 1e-12))
    column("behind").forEach((value, n) => close(value, [0, 0.05, 0.4][n] ?? NaN, 1e-12))
    column("logRank").forEach((value, n) => close(value, Math.log(n + 1), 1e-12))
    assert.deepStrictEqual(column("cosine"), [0.5, 0, 0])
  })
})

describe("Calibration.fit", () => {
  it("finds probabilities that come true on other questions", () => {
    const model = fitted(400)
    const held = questions(400, steep, 99).flatMap(Calibration.samplesOf)
    const { auc, brier, ece } = Calibration.measure(model, held)
    assert.isBelow(ece, 0.03)
    assert.isAbove(auc, 0.8)
    assert.isBelow(brier, 0.2)
    close(model.ece, ece, 0.03)
    close(model.auc, auc, 0.03)
    assert.deepInclude(model, { format: 1, questions: 400, features: Calibration.features, ...about })
  })

  it("claims no skill where there is none", () => {
    const model = Calibration.fit(questions(300, () => 0.3), about)
    close(model?.auc ?? 0, 0.5, 0.05)
    assert.isBelow(model?.ece ?? 1, 0.05)
  })

  it("claims no certainty from 20 questions, even when they are told apart without error", () => {
    const model = Calibration.fit(questions(20, (share) => share > 0.8 ? 1 : 0), about)
    if (model === undefined) throw new Error("not fitted")
    assert.isTrue([model.intercept, ...model.weights].every(Number.isFinite))
    const { confidences } = Calibration.assess([hit("a", 1), hit("b", 0.99)], {
      models: [model],
      corpus: "ours",
      embedder: "hash"
    })
    for (const confidence of confidences) assert.isTrue(confidence > 0.5 && confidence < 0.9999)
  })

  it("weighs a signal that never changes nothing", () => {
    const blind = questions(60, steep).map(({ ranking, relevant }) => ({
      relevant,
      ranking: ranking.map((each) => ({ ...each, signals: { ...each.signals, cosine: 0 } }))
    }))
    const model = Calibration.fit(blind, about)
    assert.strictEqual(model?.weights[Calibration.features.indexOf("cosine")], 0)
  })

  it("counts the ten best hits of a question", () => {
    const [question] = questions(1, steep)
    assert.lengthOf(question === undefined ? [] : Calibration.samplesOf(question), 10)
  })

  it("needs 20 questions, and hits of both sorts among them", () => {
    assert.isUndefined(Calibration.fit(questions(19, steep), about))
    assert.isUndefined(Calibration.fit(questions(40, () => 0), about))
    assert.isUndefined(Calibration.fit(questions(40, () => 1), about))
    assert.isUndefined(Calibration.fit([], about))
    assert.isDefined(Calibration.fit(questions(20, steep), about))
  })

  it("leaves out the embedder of a search by words alone", () => {
    const { embedder: _, ...words } = about
    assert.notProperty(Calibration.fit(questions(40, steep), words), "embedder")
  })
})

describe("Calibration.measure", () => {
  const model = { intercept: 0, weights: [1] }
  const sample = (value: number, relevant: boolean) => ({ values: [value], relevant })

  it("agrees with what is worked out by hand", () => {
    // 0.731 twice with one relevant, 0.269 once: |2 × 0.731 - 1| + |0.269 - 0| over 3
    const { auc, brier, ece } = Calibration.measure(model, [sample(1, true), sample(1, false), sample(-1, false)])
    const p = 1 / (1 + Math.exp(-1))
    close(ece, (2 * p - 1 + (1 - p)) / 3, 1e-12)
    close(brier, ((1 - p) ** 2 + p ** 2 + (1 - p) ** 2) / 3, 1e-12)
    close(auc, 0.75, 1e-12)
  })

  it("gives an area of one half when all are relevant, none is, or there is none", () => {
    assert.strictEqual(Calibration.measure(model, [sample(1, true)]).auc, 0.5)
    assert.strictEqual(Calibration.measure(model, [sample(1, false)]).auc, 0.5)
    assert.deepStrictEqual(Calibration.measure(model, []), { ece: 0, auc: 0.5, brier: 0 })
  })
})

describe("Calibration.assess", () => {
  const ranking = [hit("a", 0.9, 0.8), hit("b", 0.2, 0.1)]
  const model = fitted(100)
  const { embedder: _, ...rest } = model
  const words: Calibration.Model = { ...rest, id: "words" }

  it("claims a model for its own corpus and embedder", () => {
    const { calibration, confidences } = Calibration.assess(ranking, {
      models: [words, model],
      corpus: "ours",
      embedder: "hash"
    })
    assert.deepStrictEqual(calibration, { id: "ours/1", fittedOn: "our questions", ece: model.ece })
    assert.isAbove(confidences[0] ?? 0, 0.6)
  })

  for (
    const [what, options] of [
      ["another corpus", { models: [model], corpus: "theirs", embedder: "hash" }],
      ["no corpus", { models: [model], corpus: undefined, embedder: "hash" }],
      ["another embedder", { models: [words], corpus: "ours", embedder: "other" }],
      ["words alone, with a model for vectors", { models: [model], corpus: "ours", embedder: undefined }],
      ["no model at all", { models: [], corpus: "ours", embedder: "hash" }],
      ["a model of other features", { models: [{ ...model, features: ["x"] }], corpus: "ours", embedder: "hash" }]
    ] as const
  ) {
    it(`claims nothing for ${what}, and stays within 0.02 and 0.6`, () => {
      const { calibration, confidences } = Calibration.assess(ranking, options)
      assert.strictEqual(calibration, "uncalibrated")
      assert.lengthOf(confidences, 2)
      for (const confidence of confidences) assert.isTrue(confidence >= 0.02 && confidence <= 0.6)
    })
  }

  it("guesses in the order of a model fitted elsewhere", () => {
    const [best = 0, other = 1] = Calibration.assess(ranking, {
      models: [model],
      corpus: "theirs",
      embedder: "hash"
    }).confidences
    assert.isAbove(best, other)
  })

  it("gives numbers from 0 to 1 for whatever signals and weights", () => {
    const any = FastCheck.double()
    const weight = FastCheck.oneof(any, FastCheck.constantFrom(1.7e308, -1.7e308, Infinity, -Infinity, Number.NaN))
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.tuple(any, any), { maxLength: 6 }),
        FastCheck.array(weight, { maxLength: 7 }),
        weight,
        FastCheck.constantFrom("ours", "theirs"),
        (signals, weights, intercept, corpus) => {
          const { confidences } = Calibration.assess(
            signals.map(([bm25Share, cosine]) => ({ signals: { bm25: 0, bm25Share, cosine } })),
            { models: [{ ...model, weights, intercept }], corpus, embedder: "hash" }
          )
          assert.lengthOf(confidences, signals.length)
          for (const confidence of confidences) assert.isTrue(confidence >= 0 && confidence <= 1, String(confidence))
        }
      ),
      { numRuns: 500 }
    )
  })

  it("gives nothing for nothing", () => {
    assert.deepStrictEqual(
      Calibration.assess([], { models: [model], corpus: "ours", embedder: "hash" }).confidences,
      []
    )
  })
})

describe("Calibration.fromJson", () => {
  const model = fitted(40)
  const text = Schema.encodeSync(Schema.parseJson(Calibration.Model))(model)

  it.effect("reads what was written", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Calibration.fromJson(text), model)
    }))

  for (
    const [what, wrong, words] of [
      ["no JSON", "{", "JSON"],
      ["a list", "[]", "Expected"],
      ["another format", JSON.stringify({ ...model, format: 2 }), "format"],
      ["other features", JSON.stringify({ ...model, features: ["x"], weights: [1] }), "calibrate again"],
      ["too few weights", JSON.stringify({ ...model, weights: [1] }), "weights"],
      ["a weight that is no number", JSON.stringify({ ...model, weights: model.weights.map(() => null) }), "weights"],
      ["a weight beyond all fits", JSON.stringify({ ...model, weights: model.weights.map(() => 1e308) }), "weights"],
      [
        "an intercept beyond all numbers",
        JSON.stringify({ ...model, intercept: 0 }).replace(":0,", ":1e999,"),
        "intercept"
      ],
      ["half a question", JSON.stringify({ ...model, questions: 0.5 }), "questions"],
      ["questions without end", JSON.stringify({ ...model, questions: 7 }).replace(":7,", ":1e999,"), "questions"],
      ["an error above 1", JSON.stringify({ ...model, ece: 2 }), "ece"],
      ["no corpus", JSON.stringify({ ...model, corpus: "" }), "corpus"]
    ] as const
  ) {
    it.effect(`refuses ${what}, and says where`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Calibration.fromJson(wrong))
        assert.include(error.message, words)
      }))
  }
})
