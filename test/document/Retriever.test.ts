import { assert, describe, it } from "@effect/vitest"
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
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

  it.effect("lets news age in days, filings in months, and what has no date not at all", () =>
    Effect.gen(function*() {
      const dated = (id: string, type: string) =>
        note(id, `Copper ${id} report.`, { publishedAt: daysAgo(90), metadata: { type } })
      yield* index(
        dated("n", "News"),
        dated("f", "filing"),
        dated("p", "product"),
        dated("x", "else"),
        note("u", "Copper u report.")
      )
      const found = yield* retrieve("copper report")
      const freshness = Object.fromEntries(found.passages.map((each) => [each.passage.documentId, each.freshness]))
      assert.closeTo(freshness["n"] ?? 0, 0.6, 1e-6)
      assert.closeTo(freshness["f"] ?? 0, 0.8, 1e-6)
      assert.closeTo(freshness["p"] ?? 0, 0.6 + 0.4 * 2 ** (-90 / 365), 1e-6)
      assert.closeTo(freshness["x"] ?? 0, 0.6 + 0.4 * 2 ** (-90 / 180), 1e-6)
      assert.strictEqual(freshness["u"], 1)
      assert.isUndefined(found.passages.find(({ passage }) => passage.documentId === "u")?.ageDays)
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
      assert.isTrue(typeof found.calibration === "object" && found.calibration.id === "logistic-1/words")
    }).pipe(Effect.provide(over(queries("causeway-hash-384-v1", () =>
      Effect.fail(new Embedder.EmbedderError({ embedder: "e", description: "down", isRetryable: true })))))))

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
    }).pipe(Effect.provide(live)))

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
