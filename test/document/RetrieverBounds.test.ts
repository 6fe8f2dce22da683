import { assert, describe, it } from "@effect/vitest"
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"

const now = Date.parse("2026-11-22T00:00:00Z")

const documents: ReadonlyArray<Document> = [
  { id: "old", text: "Copper in old Rome.", publishedAt: "0001-01-01" },
  { id: "future", text: "Copper in a distant future.", publishedAt: "9999-12-31T23:59:59.999Z" },
  { id: "undated", text: "Copper of no date." },
  { id: "prototype", text: "Copper by type.", metadata: { type: "__proto__" } },
  { id: "method", text: "Copper by method.", metadata: { type: "toString" } },
  { id: "number", text: "Copper by number.", metadata: { type: 7 } },
  ...["a", "b", "c"].map((id) => ({ id, text: `Copper, the same as ${id}.` }))
]

const retrieve = (
  options: Retriever.Options,
  stored: ReadonlyArray<Document>,
  request: Partial<Retriever.Request> = {}
) =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    yield* store.index("t", stored)
    const retriever = yield* Retriever.Retriever
    return yield* retriever.retrieve({ tenant: "t", query: "copper", limit: 50, ...request })
  }).pipe(Effect.provide(
    Retriever.layer(options).pipe(Layer.provideMerge(DocumentStore.layerMemory), Layer.provide(Embedder.layerHash))
  ))

const checked = ({ passages }: Retriever.Retrieval): ReadonlyArray<string> => {
  for (const [n, { ageDays, confidence, freshness, score }] of passages.entries()) {
    for (const part of [confidence, freshness, score]) assert.isTrue(part >= 0 && part <= 1, String(part))
    assert.isTrue(Number.isFinite(ageDays) && ageDays >= 0, String(ageDays))
    assert.isAtMost(score, passages[n - 1]?.score ?? 1)
  }
  return passages.map(({ passage }) => passage.documentId)
}

const settings: ReadonlyArray<readonly [string, Retriever.Options]> = [
  ["nothing", {}],
  ["a floor above 1", { floor: 7 }],
  ["a floor below 0", { floor: -7 }],
  ["a half-life of 0", { halfLife: 0 }],
  ["a half-life below 0", { halfLife: -3 }],
  ["a half-life that is no number", { halfLife: Number.NaN }],
  ["a half-life without end", { halfLife: Infinity }],
  ["half-lives by the names of prototypes", { halfLives: { toString: Number.NaN, constructor: -1 } }],
  ["models of a corpus that nothing was fitted on", { corpus: "__proto__" }]
]

describe("Retriever", () => {
  for (const [what, options] of settings) {
    it.effect(`stays between 0 and 1, best first, given ${what}`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now)
        assert.lengthOf(checked(yield* retrieve(options, documents)), documents.length)
        assert.lengthOf(checked(yield* retrieve({ ...options, corpus: "scifact" }, documents)), documents.length)
        for (const [one] of documents.map((document) => [document] as const)) {
          assert.deepStrictEqual(checked(yield* retrieve(options, [one])), [one.id])
        }
        assert.deepStrictEqual(checked(yield* retrieve(options, [])), [])
      }))
  }

  it.effect("counts from the clock for a moment that is none, and up to any that is", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now)
      const usual = checked(yield* retrieve({}, documents))
      for (const odd of [Number.NaN, Infinity, -Infinity]) {
        assert.deepStrictEqual(checked(yield* retrieve({}, documents, { now: odd })), usual)
      }
      for (const far of [-8.64e15, 0, 8.64e15, Number.MAX_VALUE]) {
        assert.lengthOf(checked(yield* retrieve({}, documents, { now: far })), documents.length)
      }
    }))

  it.effect("takes what was indexed before the clock went back for new", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now)
      const { passages } = yield* Effect.gen(function*() {
        const store = yield* DocumentStore.DocumentStore
        yield* store.index("t", [{ id: "a", text: "Copper." }])
        yield* TestClock.setTime(now - 86_400_000)
        const retriever = yield* Retriever.Retriever
        return yield* retriever.retrieve({ tenant: "t", query: "copper", limit: 1 })
      }).pipe(Effect.provide(
        Retriever.layer().pipe(Layer.provideMerge(DocumentStore.layerMemory), Layer.provide(Embedder.layerHash))
      ))
      assert.deepStrictEqual(passages.map(({ ageDays, agedFrom }) => [ageDays, agedFrom]), [[0, "indexed"]])
    }))
})
