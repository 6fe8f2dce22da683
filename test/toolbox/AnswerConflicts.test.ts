import { assert, describe, it } from "@effect/vitest"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Answer from "causeway-mcp/toolbox/Answer"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { answer, finds } from "./harness.js"

const name = "answer_market_question"

type Passage = Parameters<typeof finds>[0][number]

const withTool = (passages: ReadonlyArray<Passage>, says: string) =>
  ToolRegistry.layer(Toolkit.make(Answer.make())).pipe(
    Layer.provide(finds(passages)),
    Layer.provide(TestLlm.layer({ steps: [TestLlm.text(says)] })),
    Layer.provide(SessionStore.layerMemory)
  )

const ask = (passages: ReadonlyArray<Passage>, says: string, args: object = {}) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(Date.parse("2026-11-22T00:00:00Z"))
    return yield* answer<Answer.Data>(name, { question: "What was Acme's revenue and gross margin?", ...args }).pipe(
      Effect.provide(withTool(passages, says))
    )
  })

/** Two accounts of one quarter by one company, as old as each other. */
const report = (text: string, more: Partial<Passage> = {}): Passage => ({
  id: "report",
  text,
  confidence: 0.8,
  publishedAt: "2026-11-12T00:00:00.000Z",
  metadata: { company: "Acme Corp", period: "2026-Q3", type: "filing" },
  ...more
})
const other = (text: string, more: Partial<Passage> = {}): Passage =>
  report(text, { id: "other", confidence: 0.6, ...more })

const base = "Acme Corp reported revenue of $4.2 billion in the third quarter. Gross margin was 41%."
const said = "Revenue was $4.2 billion and the gross margin 41% [report]."
const untouched = 0.8 * 0.9

const conflicting: ReadonlyArray<readonly [string, string]> = [
  ["another amount", "Acme's revenue was $4.6 billion in the third quarter."],
  ["another amount in another scale", "In the third quarter, Acme's revenue was $4,610 million."],
  ["another percentage", "Gross margin was 39 percent in the third quarter."],
  ["another amount of a sentence without a period", "Revenue was $3.9bn."],
  ["another amount under a heading that heads anything", "## Financial highlights\n\nRevenue was $4.6 billion."],
  ["another amount under the heading of its own name", "Revenue\nRevenue was $4.6 billion."],
  [
    "another amount below a headline",
    "Acme Corp beats all that was hoped for in cloud and chips\nRevenue was $4.6 billion."
  ],
  ["another amount of the same quarter by its sign", "Acme reported Q3 2026 revenue of US$4.6bn."]
]

/** Texts that only look as if they said otherwise. */
const harmless: ReadonlyArray<readonly [string, string]> = [
  ["the same in billions", "Revenue was 4.2 billion dollars in the third quarter."],
  ["the same in millions", "Revenue was $4,200 million."],
  ["the same, short", "Revenue was $4.2bn."],
  ["the same without separators", "Revenue was USD 4200000000."],
  ["the same, more exactly", "Revenue was $4,213 million."],
  ["the same percentage in words", "Gross margin was 41 per cent, and 41.3% to be exact."],
  ["another currency", "Revenue was €3.9 billion."],
  ["another unit", "Revenue per employee was $107,000, and 61% of revenue came from services."],
  ["a change", "Revenue grew 12% in the third quarter."],
  ["a change by an amount", "Revenue rose by $0.3 billion in the third quarter."],
  ["points of a percentage", "Gross margin widened by 3 percentage points."],
  ["another quarter", "Revenue was $3.8 billion in the second quarter."],
  ["another year's quarter", "Revenue was $3.6 billion in the third quarter of 2025."],
  ["nine months", "For the nine months ended 30 September, revenue was $11.9 billion."],
  ["a whole year", "For fiscal 2025, revenue was $15.7 billion."],
  ["what it is compared with", "Revenue compared with $3.8 billion a year earlier."],
  ["where it came from", "Gross margin improved from 38%."],
  ["a segment", "Cloud revenue was $1.2 billion in the third quarter."],
  ["a segment named ahead", "In Europe, revenue was $1.1 billion."],
  ["a segment named behind", "Revenue in Europe was $1.1 billion."],
  ["a segment named in the sentence before", "The cloud unit did well. Its revenue was $1.2 billion."],
  ["another margin", "Operating margin was 22%, and the adjusted gross margin 43%."],
  ["a forecast", "Acme expects revenue of $4.5 billion."],
  ["a target", "The target for gross margin is 45%."],
  ["an estimate of others", "Analysts had revenue of $4.4 billion in their models."],
  ["a bound", "Revenue was more than $4 billion."],
  ["a rough number", "Revenue was about $4 billion."],
  ["a range", "Revenue was $4.0-4.5 billion."],
  ["two figures in a row", "Revenue and costs were $4.9 billion and $3.1 billion, respectively."],
  ["what was not so", "Revenue was not $4.9 billion."],
  ["a question", "Was revenue really $4.9 billion?"],
  ["a table", "| Revenue | $4.9 billion | $3.8 billion |"],
  ["a parenthesis", "Revenue was $4.2 billion ($4.9 billion before the sale of a unit)."],
  ["a year", "Revenue of 2026 was discussed on page 17."],
  ["other words for other things", "Acme Corp hired 39 engineers in Ohio and closed 41 stores."],
  ["a country", "US revenue was $1.2 billion in the third quarter."],
  ["a country with its points", "Revenue in the U.S. was $1.2 billion in the third quarter."],
  ["a country named behind", "Gross margin in the USA was 44%."],
  ["the rest", "Other revenue was $0.2 billion in the third quarter."],
  ["a part of the whole", "Same-store revenue was $3.1 billion, and revenue from own brands $0.2 billion."],
  ["a segment in a heading", "Cloud segment\nRevenue was $1.2 billion in the third quarter."],
  ["a segment in a heading by its mark", "## 3. Cloud\n\nGross margin improved. Revenue was $1.2 billion."],
  ["the same in a scale named elsewhere", "Revenue was $4,213 (in millions), cost of revenue $2,486."],
  ["the same, counted in thousands", "In thousands, revenue was $4,200,000."],
  ["a currency nobody reads", "Revenue was NT$130 billion, or R$ 23 billion."],
  ["what was so before", "Before restatement, revenue was $4.5 billion."],
  ["what would be so", "If the sale closes, revenue is $3.9 billion."],
  ["a number with two readings", "Revenue was $4.600."]
]

describe("Answer, when documents contradict each other", () => {
  for (const [what, text] of conflicting) {
    it.effect(`is less sure, and names both, when one gives ${what}`, () =>
      Effect.gen(function*() {
        const { confidence, data } = yield* ask([report(base), other(text)], said)
        assert.deepStrictEqual(data.conflicts, [
          { id: "other", with: "report", publishedAt: "2026-11-12T00:00:00.000Z", why: "contradicts" }
        ])
        assert.include(data.note, "other")
        assert.include(data.note, "report")
        assert.closeTo(confidence, untouched * 0.7, 1e-9)
      }))
  }

  for (const [what, text] of harmless) {
    it.effect(`raises no conflict over ${what}`, () =>
      Effect.gen(function*() {
        // the other one is newer too, which alone makes nothing worse
        for (const publishedAt of ["2026-11-12T00:00:00.000Z", "2026-11-20T00:00:00.000Z"]) {
          const { confidence, data } = yield* ask([report(base), other(text, { publishedAt })], said)
          assert.notProperty(data, "conflicts")
          assert.notProperty(data, "note")
          assert.closeTo(confidence, untouched, 1e-9)
        }
      }))
  }

  it.effect("raises no conflict between companies, periods, or documents of nobody", () =>
    Effect.gen(function*() {
      const text = "Revenue was $4.6 billion in the third quarter."
      for (
        const metadata of [
          { company: "Globex", period: "2026-Q3" },
          { company: "Acme Corp", period: "2025-Q3" },
          { company: "Acme Corp", period: "2026-Q2" },
          { company: "Acme Corp", period: "2024 to 2026" },
          { period: "2026-Q3" }
        ]
      ) {
        const { data } = yield* ask([report(base), other(text, { metadata })], said)
        assert.notProperty(data, "conflicts", JSON.stringify(metadata))
      }
    }))

  it.effect("takes a quarter of no year for that of documents of its time alone, since fiscal years begin when they like", () =>
    Effect.gen(function*() {
      const metadata = { company: "Acme Corp" }
      const texts = (first: string, second: string) =>
        [
          report(`Acme's revenue was $124 billion in the first quarter${first}.`, {
            metadata,
            publishedAt: "2026-01-29T00:00:00.000Z"
          }),
          other(`Revenue was $95 billion in the first quarter${second}.`, {
            metadata,
            publishedAt: "2025-05-01T00:00:00.000Z"
          })
        ] as const
      const told = "Revenue was $124 billion [report] and $95 billion [other]."
      for (const [first, second] of [["", ""], ["", " of 2025"], [" of 2025", ""]] as const) {
        const { data } = yield* ask(texts(first, second), told)
        assert.notProperty(data, "conflicts", `${first}|${second}`)
      }
      const { data } = yield* ask(texts(" of 2025", " of 2025"), told)
      assert.deepStrictEqual(data.conflicts?.map(({ why }) => why), ["contradicts"])
    }))

  it.effect("names a newer document that gives other figures, and prefers it in words", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* ask(
        [report(base), other("Acme restated revenue to $4.1 billion.", { publishedAt: "2026-11-20T00:00:00.000Z" })],
        said
      )
      assert.deepStrictEqual(data.conflicts?.map(({ id, why, with: of }) => ({ id, why, of })), [
        { id: "other", why: "newer-figures", of: "report" }
      ])
      assert.include(data.note, "A newer document (other)")
      assert.include(data.note, "$4.1 billion, not $4.2 billion")
      assert.closeTo(confidence, untouched * 0.7, 1e-9)
    }))

  it.effect("finds no fault when the newer document is the one that is cited", () =>
    Effect.gen(function*() {
      const older = { publishedAt: "2026-11-01T00:00:00.000Z" }
      const { data } = yield* ask([report(base), other("Revenue was $4.6 billion.", older)], said)
      assert.notProperty(data, "conflicts")
    }))

  it.effect("takes figures of no known period for replaced, never for contradicted", () =>
    Effect.gen(function*() {
      const metadata = { company: "Acme Corp" }
      const old = report("Acme has a workforce of 39,000 employees.", { metadata })
      const text = "Acme has a workforce of 41,000 employees."
      const question = { question: "How many employees has Acme?" }
      const told = "Acme has 39,000 employees [report]."
      const newer = yield* ask(
        [old, other(text, { metadata, publishedAt: "2026-11-20T00:00:00.000Z" })],
        told,
        question
      )
      assert.deepStrictEqual(newer.data.conflicts?.map(({ why }) => why), ["newer-figures"])
      const same = yield* ask([old, other(text, { metadata })], told, question)
      assert.notProperty(same.data, "conflicts")
    }))

  it.effect("names a conflict of two cited documents", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* ask(
        [report(base), other("Revenue was $4.6 billion.", { publishedAt: "2026-11-20T00:00:00.000Z" })],
        "Revenue was $4.2 billion [report], or $4.6 billion [other]."
      )
      assert.deepStrictEqual(data.conflicts?.map(({ why }) => why), ["contradicts"])
      assert.closeTo(confidence, ((0.8 + 0.6) / 2) * 0.9 * 0.7, 1e-9)
    }))

  it.effect("names a conflict of documents that are not cited, and is as sure as before", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* ask(
        [
          report("Gross margin was 41%."),
          other("Revenue was $4.6 billion."),
          other("Revenue was $4.4 billion.", { id: "third" })
        ],
        "The gross margin was 41% [report]."
      )
      assert.deepStrictEqual(data.conflicts?.map(({ id, why, with: of }) => ({ id, why, of })), [
        { id: "third", why: "contradicts", of: "other" }
      ])
      assert.closeTo(confidence, untouched, 1e-9)
    }))

  it.effect("leaves out conflicts over what neither question nor answer speaks of", () =>
    Effect.gen(function*() {
      const { data } = yield* ask(
        [report(`${base} Dividend was $0.30.`), other("Dividend was $0.45.")],
        said
      )
      assert.notProperty(data, "conflicts")
    }))

  it.effect("names five conflicts at most, and counts them once", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* ask(
        [
          report(base),
          ...Array.from({ length: 7 }, (_, n) => other(`Revenue was $${n + 5} billion.`, { id: `d${n}` }))
        ],
        said
      )
      assert.lengthOf(data.conflicts ?? [], 5)
      assert.isTrue(data.conflicts?.every((conflict) => conflict.with === "report"))
      assert.closeTo(confidence, untouched * 0.7, 1e-9)
    }))
})

describe("Answer, when what was found is old", () => {
  const news = { company: "Acme Corp", type: "news" }
  const text = "Acme opened a plant in Ohio."
  const told = "Acme opened a plant in Ohio [report]."
  const question = { question: "Which plants has Acme opened?" }
  const daysOld = (days: number) => new Date(Date.parse("2026-11-22T00:00:00Z") - days * 86_400_000).toISOString()
  const old = report(text, { metadata: news, publishedAt: daysOld(13) })

  it.effect("is less sure of what is older than four half-lives of its type, and names it", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* ask([old], told, question)
      assert.deepStrictEqual(data.conflicts, [{ id: "report", publishedAt: daysOld(13), why: "outdated" }])
      assert.include(data.note, "report is old (2026-11-09)")
      assert.closeTo(confidence, untouched * 0.8, 1e-9)
    }))

  const calm: ReadonlyArray<readonly [string, ReadonlyArray<Passage>, object]> = [
    ["it is not that old yet", [{ ...old, publishedAt: daysOld(11) }], question],
    ["its type ages slowly", [{ ...old, metadata: { ...news, type: "filing" } }], question],
    ["something newer was found on the company", [old, { ...old, id: "new", publishedAt: daysOld(2) }], question],
    ["it is not cited", [{ ...old, publishedAt: daysOld(1) }, { ...old, id: "past" }], question],
    ["the question names a year", [old], { question: "Which plants had Acme opened by 2026?" }],
    ["the search was narrowed to a time", [old], { ...question, filters: { until: "2026-11-15" } }],
    ["the search was narrowed to a period", [old], { ...question, filters: { period: "2026-Q3" } }]
  ]
  for (const [why, passages, args] of calm) {
    it.effect(`says nothing of age when ${why}`, () =>
      Effect.gen(function*() {
        const { confidence, data } = yield* ask(passages, told, args)
        assert.notProperty(data, "conflicts")
        assert.closeTo(confidence, untouched, 1e-9)
      }))
  }

  it.effect("finds another company's news no newer", () =>
    Effect.gen(function*() {
      const globex = { ...old, id: "globex", publishedAt: daysOld(1), metadata: { ...news, company: "Globex" } }
      const { data } = yield* ask([old, globex], told, question)
      assert.deepStrictEqual(data.conflicts?.map(({ why }) => why), ["outdated"])
    }))

  it.effect("counts age and contradiction each, and is never surer than the best source", () =>
    Effect.gen(function*() {
      const past = { publishedAt: daysOld(900) }
      const { confidence, data, sources } = yield* ask(
        [report(base, past), other("Revenue was $4.6 billion in the third quarter.", past)],
        said
      )
      assert.deepStrictEqual(data.conflicts?.map(({ why }) => why), ["contradicts", "outdated"])
      assert.closeTo(confidence, untouched * 0.7 * 0.8, 1e-9)
      assert.isAtMost(confidence, Math.max(...sources.map((source) => source.confidence ?? 0)))
    }))
})
