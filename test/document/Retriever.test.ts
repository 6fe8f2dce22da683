import { assert, describe, it } from "@effect/vitest"
import * as Calibration from "causeway-mcp/document/Calibration"
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Reranker from "causeway-mcp/document/Reranker"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"

const now = Date.parse("2026-11-22T00:00:00Z")

const daysAgo = (days: number) => new Date(now - days * 86_400_000).toISOString()

const retrieve = (query: string, more: Partial<Retriever.Request> = {}) =>
  Effect.flatMap(
    Retriever.Retriever,
    (retriever) => retriever.retrieve({ tenant: "t", query, limit: 10, now, ...more })
  )

const index = (...documents: ReadonlyArray<Document>) =>
  Effect.flatMap(DocumentStore.DocumentStore, (store) => store.index("t", documents))

const over = (embedder: Layer.Layer<Embedder.Embedder>, options?: Retriever.Options) =>
  Retriever.layer(options).pipe(Layer.provideMerge(DocumentStore.layerMemory), Layer.provide(embedder))

/** The hash embedder, but queries (texts without a line end) go through `query`. */
const queries = (id: string, query: Embedder.Embedding["embed"]) =>
  Layer.effect(
    Embedder.Embedder,
    Effect.map(Embedder.Embedder, (hash) => ({
      ...hash,
      id,
      embed: (texts: ReadonlyArray<string>) =>
        texts.every((text) => text.includes("\n")) ? hash.embed(texts) : query(texts)
    }))
  ).pipe(Layer.provide(Embedder.layerHash))

const live = over(Embedder.layerHash)

/** The corpus that the package's own models were fitted on. */
const fitted = over(Embedder.layerHash, { corpus: "scifact" })

const note = (id: string, text: string, more: Partial<Document> = {}): Document => ({
  id,
  text,
  title: "Note",
  ...more
})

const ids = (found: Retriever.Retrieval) => found.passages.map(({ passage }) => passage.documentId)

describe("Retriever", () => {
  it.effect("finds by words and by meaning and says on what its confidence was fitted", () =>
    Effect.gen(function*() {
      yield* index(note("a", "Bond yields rose sharply."), note("b", "Foxes sleep."))
      const found = yield* retrieve("bond yields")
      assert.deepStrictEqual(ids(found).slice(0, 1), ["a"])
      assert.isFalse(found.lexicalOnly)
      assert.isTrue(typeof found.calibration === "object" && found.calibration.fittedOn.includes("SciFact"))
      assert.isTrue(typeof found.calibration === "object" && found.calibration.ece < 0.03)
    }).pipe(Effect.provide(fitted)))

  for (const [why, corpus] of [["no corpus is named", undefined], ["the corpus is another", "ours"]] as const) {
    it.effect(`calls no confidence calibrated when ${why}, and keeps it within 0.02 and 0.6`, () =>
      Effect.gen(function*() {
        yield* index(note("a", "Bond yields rose sharply."), note("b", "Foxes sleep under a yield of leaves."))
        const found = yield* retrieve("bond yields rose sharply")
        assert.strictEqual(found.calibration, "uncalibrated")
        assert.lengthOf(found.passages, 2)
        for (const { confidence } of found.passages) assert.isTrue(confidence >= 0.02 && confidence <= 0.6)
        assert.isAbove(found.passages[0]?.confidence ?? 0, 0.4)
      }).pipe(Effect.provide(over(Embedder.layerHash, { corpus }))))
  }

  it.effect("takes a model of its corpus and embedder from the options, before the package's own", () =>
    Effect.gen(function*() {
      yield* index(note("a", "Bond yields rose sharply."))
      const found = yield* retrieve("bond")
      assert.deepStrictEqual(found.calibration, { id: "ours", fittedOn: "our questions", ece: 0.02 })
      assert.closeTo(found.passages[0]?.confidence ?? 0, 0.5, 1e-12)
    }).pipe(Effect.provide(
      Layer.unwrapEffect(
        Effect.map(Embedder.Embedder, (embedder) =>
          over(Embedder.layerHash, {
            corpus: "scifact",
            calibrations: [{
              format: 1,
              id: "ours",
              embedder: embedder.id,
              corpus: "scifact",
              fittedOn: "our questions",
              questions: 100,
              ece: 0.02,
              auc: 0.9,
              features: Calibration.features,
              intercept: 0,
              weights: Calibration.features.map(() => 0)
            }]
          }))
      ).pipe(Layer.provide(Embedder.layerHash))
    )))

  it.effect("marks the query's words in a stretch of each passage", () =>
    Effect.gen(function*() {
      yield* index(note("a", "Foxes sleep. Bond yields rose sharply."))
      const [first] = (yield* retrieve("yield of a bond")).passages
      const { highlights, text } = first?.snippet ?? { highlights: [], text: "" }
      assert.deepStrictEqual(highlights.map(({ end, start }) => text.slice(start, end)), ["Bond", "yields"])
    }).pipe(Effect.provide(live)))

  it.effect("finds nothing in an empty store or for an empty query, without an error", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* retrieve("bond")).passages, [])
      yield* index(note("a", "Text."))
      assert.deepStrictEqual((yield* retrieve("")).passages, [])
    }).pipe(Effect.provide(live)))

  it.effect("puts the newer of two equally relevant passages first and keeps age out of the confidence", () =>
    Effect.gen(function*() {
      yield* index(
        note("old", "Copper prices in 2025 rose.", { publishedAt: daysAgo(400) }),
        note("new", "Copper prices in 2026 rose.", { publishedAt: daysAgo(1) })
      )
      const found = yield* retrieve("copper prices")
      assert.deepStrictEqual(ids(found), ["new", "old"])
      const [newer, older] = found.passages
      assert.closeTo(newer?.ageDays ?? 0, 1, 1e-9)
      assert.closeTo(older?.freshness ?? 0, 0.6 + 0.4 * 2 ** (-400 / 180), 1e-9)
      assert.isAbove(older?.confidence ?? 0, 0.01)
    }).pipe(Effect.provide(live)))

  it.effect("lets news age in days, filings in months, and what has no date from when it was indexed", () =>
    Effect.gen(function*() {
      const dated = (id: string, type: string) =>
        note(id, `Copper ${id} report.`, { publishedAt: daysAgo(90), metadata: { type } })
      yield* index(
        dated("n", "News"),
        dated("f", "filing"),
        dated("p", "product"),
        dated("x", "else")
      )
      yield* TestClock.setTime(now - 18 * 86_400_000)
      yield* index(note("u", "Copper u report."))
      const found = yield* retrieve("copper report")
      const freshness = Object.fromEntries(found.passages.map((each) => [each.passage.documentId, each.freshness]))
      assert.closeTo(freshness["n"] ?? 0, 0.6, 1e-6)
      assert.closeTo(freshness["f"] ?? 0, 0.8, 1e-6)
      assert.closeTo(freshness["p"] ?? 0, 0.6 + 0.4 * 2 ** (-90 / 365), 1e-6)
      assert.closeTo(freshness["x"] ?? 0, 0.6 + 0.4 * 2 ** (-90 / 180), 1e-6)
      assert.closeTo(freshness["u"] ?? 0, 0.6 + 0.4 * 2 ** (-18 / 180), 1e-6)
      const undated = found.passages.find(({ passage }) => passage.documentId === "u")
      assert.closeTo(undated?.ageDays ?? 0, 18, 1e-9)
      assert.strictEqual(undated?.agedFrom, "indexed")
      assert.strictEqual(found.passages.find(({ passage }) => passage.documentId === "n")?.agedFrom, "published")
    }).pipe(Effect.provide(live)))

  it.effect("never lets age alone hide a much better match", () =>
    Effect.gen(function*() {
      yield* index(
        note("old", "Zinc smelter closure in Norway cuts zinc supply.", {
          publishedAt: daysAgo(3000),
          metadata: { type: "news" }
        }),
        note("new", "Zinc was mentioned.", { publishedAt: daysAgo(0), metadata: { type: "news" } })
      )
      assert.deepStrictEqual(ids(yield* retrieve("zinc smelter closure Norway supply")), ["old", "new"])
    }).pipe(Effect.provide(live)))

  it.effect("counts a date to come as today and takes the moment from the clock unless given", () =>
    Effect.gen(function*() {
      yield* index(
        note("a", "Copper.", { publishedAt: "1970-01-11" }),
        note("b", "Copper again.", { publishedAt: "1970-03-01" })
      )
      yield* TestClock.setTime(20 * 86_400_000)
      const found = yield* Effect.flatMap(
        Retriever.Retriever,
        (retriever) => retriever.retrieve({ tenant: "t", query: "copper", limit: 5 })
      )
      const ages = Object.fromEntries(found.passages.map((each) => [each.passage.documentId, each.ageDays]))
      assert.deepStrictEqual(ages, { a: 10, b: 0 })
    }).pipe(Effect.provide(live)))

  it.effect("shows one of several copies, the newest", () =>
    Effect.gen(function*() {
      const text = "The mine in Chile will reopen in March after a strike of two weeks, the owner said on Monday. " +
        "Unions accepted higher wages, shorter shifts and safer tunnels; copper output should recover by summer."
      yield* index(
        note("wire1", text, { publishedAt: daysAgo(3), title: "Mine reopens, Chile copper mine" }),
        note("wire2", text.replace("said", "told us"), { publishedAt: daysAgo(1) }),
        note("undated", text),
        note("other", "Copper mine in Peru stays shut.", { publishedAt: daysAgo(2) })
      )
      assert.deepStrictEqual(ids(yield* retrieve("mine Chile reopen")), ["wire2", "other"])
    }).pipe(Effect.provide(live)))

  it.effect("keeps texts that differ in a number alone", () =>
    Effect.gen(function*() {
      const text = (quarter: number, sum: string) =>
        `In quarter ${quarter} the company reported revenue of ${sum} million from its mining business in Chile and Peru.`
      yield* index(note("q1", text(1, "5.1")), note("q2", text(2, "5.1")), note("q2b", text(2, "5.3")))
      assert.strictEqual((yield* retrieve("revenue mining")).passages.length, 3)
    }).pipe(Effect.provide(live)))

  it.effect("respects limit, filter and tenant", () =>
    Effect.gen(function*() {
      yield* index(
        ...Array.from({ length: 30 }, (_, n) => note(`d${n}`, `Copper note ${n}.`, { metadata: { even: n % 2 === 0 } }))
      )
      assert.strictEqual((yield* retrieve("copper", { limit: 3 })).passages.length, 3)
      const even = yield* retrieve("copper", { limit: 100, filter: { metadata: { even: true } } })
      assert.strictEqual(even.passages.length, 15)
      assert.deepStrictEqual((yield* retrieve("copper", { tenant: "other" })).passages, [])
    }).pipe(Effect.provide(live)))

  it.effect("searches by words alone, and says so, when the embedder fails", () =>
    Effect.gen(function*() {
      yield* index(note("a", "Bond yields rose."))
      const found = yield* retrieve("bond")
      assert.deepStrictEqual(ids(found), ["a"])
      assert.isTrue(found.lexicalOnly)
      assert.strictEqual(found.passages[0]?.signals.cosine, 0)
      assert.isTrue(typeof found.calibration === "object" && found.calibration.fittedOn.includes("SciFact"))
    }).pipe(Effect.provide(
      over(
        queries("causeway-hash-384-v1", () =>
          Effect.fail(new Embedder.EmbedderError({ embedder: "e", description: "down", isRetryable: true }))),
        { corpus: "scifact" }
      )
    )))

  it.effect("gives the embedder no more than half of the time left", () =>
    Effect.gen(function*() {
      yield* index(note("a", "Bond yields rose."))
      const asking = yield* Effect.fork(TimeLimit.within(retrieve("bond"), "200 millis"))
      yield* TestClock.adjust("100 millis")
      assert.isTrue((yield* Fiber.join(asking)).lexicalOnly)
    }).pipe(Effect.provide(over(queries("slow", () => Effect.never)))))

  it.effect("waits for a slow embedder no longer than it may", () =>
    Effect.gen(function*() {
      yield* index(note("a", "Bond yields rose."))
      const asking = yield* Effect.fork(retrieve("bond"))
      yield* TestClock.adjust("300 millis")
      const found = yield* Fiber.join(asking)
      assert.isTrue(found.lexicalOnly)
      assert.deepStrictEqual(ids(found), ["a"])
    }).pipe(Effect.provide(over(queries("slow", () => Effect.never), { embedWithin: "300 millis" }))))

  it.effect("fails when the store does", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(retrieve("bond"))
      assert.strictEqual(error._tag, "DocumentStoreError")
    }).pipe(Effect.provide(
      Retriever.layer().pipe(
        Layer.provide(Embedder.layerHash),
        Layer.provide(Layer.mock(DocumentStore.DocumentStore, {
          ping: Effect.void,
          search: () =>
            new DocumentStore.DocumentStoreError({ method: "search", reason: new DocumentStore.Unavailable() })
        }))
      )
    )))

  it.effect("says uncalibrated, and never more than 0.6, with vectors it was not fitted on", () =>
    Effect.gen(function*() {
      yield* index(
        note("a", "Quokka census of Rottnest island."),
        ...Array.from({ length: 40 }, (_, n) => note(`n${n}`, `Other text ${n}.`))
      )
      const found = yield* retrieve("quokka census Rottnest island")
      assert.strictEqual(found.calibration, "uncalibrated")
      assert.isFalse(found.lexicalOnly)
      for (const { confidence } of found.passages) assert.isTrue(confidence >= 0 && confidence <= 0.6)
      assert.isAbove(found.passages[0]?.confidence ?? 0, 0.3)
    }).pipe(
      Effect.provide(
        over(queries("other-384", (texts) => Effect.succeed(texts.map(() => new Float32Array(384).fill(1)))))
      )
    ))

  it.effect("is surer of a passage with all the words than of one with few, and unsure of a bad best", () =>
    Effect.gen(function*() {
      yield* index(
        note("full", "The central bank raised interest rates to fight inflation."),
        note("part", "Interest in gardening grows."),
        ...Array.from({ length: 60 }, (_, n) => note(`n${n}`, `Filler about topic ${n} and nothing else.`))
      )
      const confidences = new Map(
        (yield* retrieve("central bank interest rates inflation")).passages.map((
          each
        ) => [each.passage.documentId, each.confidence])
      )
      assert.isAbove(confidences.get("full") ?? 0, 0.7)
      assert.isBelow(confidences.get("part") ?? 1, 0.3)
      const [bad] = (yield* retrieve("gardening equipment exports from Patagonia during winter storms")).passages
      assert.isBelow(bad?.confidence ?? 1, 0.5)
      for (const confidence of confidences.values()) assert.isTrue(confidence >= 0 && confidence <= 1)
    }).pipe(Effect.provide(fitted)))

  it.effect("keeps the same words apart when they are of two companies or of two periods", () =>
    Effect.gen(function*() {
      const text = "The board declared no dividend and repurchased no shares during the quarter."
      const of = (id: string, company: string, period: string, days: number) =>
        note(id, text, { title: `${company} ${period}`, metadata: { company, period }, publishedAt: daysAgo(days) })
      yield* index(
        of("a-q2", "Acme", "2026-Q2", 100),
        of("a-q3", "Acme", "2026-Q3", 10),
        of("b-q3", "Brook", "2026-Q3", 1),
        of("b-q3-copy", "Brook", "2026-Q3", 2)
      )
      const found = yield* retrieve("Acme dividend")
      assert.sameMembers([...ids(found)], ["a-q2", "a-q3", "b-q3"])
      assert.strictEqual(ids(found).at(-1), "b-q3")
    }).pipe(Effect.provide(live)))
})

const hit = (id: string, score: number, origin?: DocumentStore.Origin): DocumentStore.Hit => ({
  passage: { documentId: id, position: 0, title: "", text: `Text of ${id}.`, indexedAt: daysAgo(0), metadata: {} },
  score,
  signals: { bm25: score, bm25Share: score, cosine: 0 },
  ...(origin === undefined ? {} : { origin })
})

/** A retriever over a store that always finds these, with a reranker. */
const judgedBy = (
  hits: ReadonlyArray<DocumentStore.Hit>,
  judge: Reranker.Reranker["Type"]["judge"],
  options?: Retriever.Options
) =>
  Retriever.layer(options).pipe(
    Layer.provide(Layer.succeed(Reranker.Reranker, { id: "judge-1", judge })),
    Layer.provide(Layer.mock(DocumentStore.DocumentStore, { ping: Effect.void, search: () => Effect.succeed(hits) })),
    Layer.provide(Embedder.layerHash)
  )

const three = [hit("a", 0.9), hit("b", 0.6), hit("c", 0.3)]

/** How many lines were logged. */
const counting = () => {
  const lines: Array<string> = []
  const layer = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => void lines.push(String(message))))
  return { lines, layer }
}

describe("Retriever, with a reranker", () => {
  it.effect("ranks by what it judged, equal ones as before, and says who judged", () =>
    Effect.gen(function*() {
      const found = yield* retrieve("text")
      assert.deepStrictEqual(ids(found), ["c", "a", "b"])
      assert.strictEqual(found.rerankedBy, "judge-1")
      const scores = found.passages.map(({ score }) => score)
      assert.isTrue(scores.every((score, n) => score <= (scores[n - 1] ?? 1) && score >= 0.5))
    }).pipe(Effect.provide(judgedBy(three, () => Effect.succeed([0.2, 0.2, 0.7])))))

  it.effect("calls nothing calibrated that it judged, and is surer of what it judged well", () =>
    Effect.gen(function*() {
      const found = yield* retrieve("text")
      assert.strictEqual(found.calibration, "uncalibrated")
      const confidence = new Map(found.passages.map((each) => [each.passage.documentId, each.confidence]))
      for (const each of confidence.values()) assert.isTrue(each >= 0.02 && each <= 0.6)
      assert.isAbove(confidence.get("b") ?? 0, confidence.get("a") ?? 1)
    }).pipe(Effect.provide(judgedBy(three, () => Effect.succeed([0, 1, 0]), { corpus: "scifact" }))))

  it.effect("lets age count also for what it judged", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(ids(yield* retrieve("text")), ["new", "old"])
    }).pipe(Effect.provide(judgedBy(
      [["old", 900], ["new", 1]].map(([id, days]) => {
        const found = hit(String(id), 0.5)
        return { ...found, passage: { ...found.passage, publishedAt: daysAgo(Number(days)) } }
      }),
      (_, passages) => Effect.succeed(passages.map(({ text }) => text.includes("old") ? 0.9 : 0.8))
    ))))

  it.effect("judges no more than it is told to, ahead of the rest", () =>
    Effect.gen(function*() {
      const found = yield* retrieve("text")
      assert.deepStrictEqual(ids(found), ["b", "a", "c"])
      assert.isBelow(found.passages[2]?.score ?? 1, 0.5)
    }).pipe(Effect.provide(judgedBy(three, (_, passages) => {
      assert.deepStrictEqual(passages, [{ title: "", text: "Text of a." }, { title: "", text: "Text of b." }])
      return Effect.succeed([0, 0.1])
    }, { rerank: 2 }))))

  it.effect("asks nobody when nothing was found or nothing is to be judged", () =>
    Effect.gen(function*() {
      const never = () => Effect.die("asked")
      const none = yield* Effect.provide(retrieve("text"), judgedBy([], never))
      assert.deepStrictEqual(none.passages, [])
      assert.isUndefined(none.rerankedBy)
      const off = yield* Effect.provide(retrieve("text"), judgedBy(three, never, { rerank: 0 }))
      assert.deepStrictEqual(ids(off), ["a", "b", "c"])
    }))

  const failures: ReadonlyArray<readonly [string, Reranker.Reranker["Type"]["judge"]]> = [
    ["fails", () => new Reranker.RerankerError({ description: "down", isRetryable: true })],
    ["is one number short", () => Effect.succeed([1, 1])],
    ["gives no number", () => Effect.succeed([1, Number.NaN, 1])]
  ]
  for (const [how, judge] of failures) {
    it.effect(`ranks as without when it ${how}, and logs that once`, () => {
      const log = counting()
      return Effect.gen(function*() {
        for (let call = 0; call < 3; call++) {
          const found = yield* retrieve("text")
          assert.deepStrictEqual(ids(found), ["a", "b", "c"])
          assert.isUndefined(found.rerankedBy)
          assert.notStrictEqual(found.calibration, "uncalibrated")
        }
        assert.lengthOf(log.lines, 1)
      }).pipe(Effect.provide(judgedBy(three, judge, { corpus: "scifact" })), Effect.provide(log.layer))
    })
  }

  it.effect("logs each kind of failure once", () => {
    const log = counting()
    let call = 0
    return Effect.gen(function*() {
      for (let n = 0; n < 6; n++) yield* retrieve("text")
      assert.lengthOf(log.lines, 2)
    }).pipe(
      Effect.provide(judgedBy(
        three,
        () => new Reranker.RerankerError({ description: `failure ${call}`, isRetryable: call++ % 2 === 0 })
      )),
      Effect.provide(log.layer)
    )
  })

  it.effect("waits no longer than it may, also for what cannot be interrupted", () =>
    Effect.gen(function*() {
      const asking = yield* Effect.fork(retrieve("text"))
      yield* TestClock.adjust("799 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(asking)))
      yield* TestClock.adjust("1 millis")
      const found = yield* Fiber.join(asking)
      assert.deepStrictEqual(ids(found), ["a", "b", "c"])
      assert.isUndefined(found.rerankedBy)
    }).pipe(
      Effect.provide(judgedBy(three, () => Effect.uninterruptible(Effect.as(Effect.sleep("1 hour"), [1, 1, 1]))))
    ))

  it.effect("gives it half of the time left, and lets it know", () =>
    Effect.gen(function*() {
      const asking = yield* Effect.fork(TimeLimit.within(retrieve("text"), "1 second"))
      yield* TestClock.adjust("500 millis")
      assert.isUndefined((yield* Fiber.join(asking)).rerankedBy)
    }).pipe(Effect.provide(judgedBy(three, () =>
      Effect.flatMap(TimeLimit.remaining, (remaining) => {
        assert.strictEqual(remaining, 500)
        return Effect.never
      })))))

  it.effect("takes judgements beyond 0 and 1 for 0 and 1", () =>
    Effect.gen(function*() {
      const found = yield* retrieve("text")
      assert.deepStrictEqual(ids(found), ["c", "b", "a"])
      for (const { score } of found.passages) assert.isTrue(score >= 0.5 && score <= 1)
    }).pipe(Effect.provide(judgedBy(three, () => Effect.succeed([-3, 0.5, 7])))))
})

describe("Retriever, over several copies of a store", () => {
  it.effect("says which copy answered", () =>
    Effect.gen(function*() {
      const found = yield* retrieve("text")
      assert.deepStrictEqual(found.origin, { region: "west", behindMillis: 40 })
    }).pipe(Effect.provide(judgedBy(
      [hit("a", 1, { region: "west", behindMillis: 40 })],
      () => Effect.succeed([1])
    ))))

  it.effect("gives candidates with the documents that say the same", () =>
    Effect.gen(function*() {
      const text = "The mine in Chile will reopen in March after a strike of two weeks, the owner said on Monday."
      yield* index(note("one", text, { publishedAt: daysAgo(3) }), note("two", text, { publishedAt: daysAgo(1) }))
      const { embedder, ranking } = yield* Retriever.candidates({ tenant: "t", query: "mine in Chile" })
      assert.isString(embedder)
      assert.deepStrictEqual(ranking.map(({ passage }) => passage.documentId), ["two"])
      assert.sameMembers([...(ranking[0]?.copies ?? [])], ["one", "two"])
    }).pipe(Effect.provide(Layer.provideMerge(DocumentStore.layerMemory, Embedder.layerHash))))
})
