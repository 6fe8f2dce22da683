/**
 * What a document store promises about what it makes of what it found: scores,
 * signals and order.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Hit } from "../../document/DocumentStore.js"
import type { Law } from "./Law.js"
import { law, long, note, zoo } from "./Law.js"

const brief = (hits: ReadonlyArray<Hit>) =>
  hits.map(({ passage, score, signals }) => [passage.documentId, passage.position, score, signals])

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("weighs a rare word over a common one", ({ ids, index }) =>
    Effect.gen(function*() {
      yield* index(
        ...Array.from({ length: 20 }, (_, n) => note(`c${n}`, `A common report, number ${n}.`)),
        note("rare", "A peculiar narwhal, number 20.")
      )
      assert.equal((yield* ids("common narwhal"))[0], "rare")
    })),

  law(
    "reports a cosine of 1 for the passage whose vector was given, also when scaled",
    ({ index, search, vector }) =>
      Effect.gen(function*() {
        yield* index(note("d", "Grain prices fell.", { title: "Harvest" }))
        const exact = yield* vector("Harvest\nGrain prices fell.")
        for (const scale of [1, 3]) {
          const [hit] = yield* search("grain", { vector: exact.map((value) => value * scale) })
          assert.ok(hit !== undefined && Math.abs(hit.signals.cosine - 1) < 1e-3, `cosine ${hit?.signals.cosine}`)
        }
      })
  ),

  law(
    "reports the cosine also of passages that words alone brought",
    ({ index, search, vector }) =>
      Effect.gen(function*() {
        yield* index(...zoo)
        const hits = yield* search("bond", { vector: yield* vector("bond yields") })
        const words = hits.filter((hit) => hit.signals.bm25 > 0)
        assert.equal(words.length, 3)
        assert.ok(words.every((hit) => hit.signals.cosine !== 0))
      })
  ),

  law(
    "keeps scores and shares between 0 and 1, best first, with the best share at the best match",
    ({ index, search, vector }) =>
      Effect.gen(function*() {
        yield* index(...zoo, ...Array.from({ length: 30 }, (_, n) => note(`n${n}`, `Bond note ${n} on yields.`)))
        const hits = yield* search("bond yields decision", { vector: yield* vector("bond yields decision"), limit: 30 })
        assert.equal(hits.length, 30)
        for (const [n, { score, signals }] of hits.entries()) {
          assert.ok(score >= 0 && score <= 1 && score <= (hits[n - 1]?.score ?? 1))
          assert.ok(signals.bm25 >= 0 && signals.bm25Share >= 0 && signals.bm25Share <= 1)
          assert.ok(signals.cosine >= -1.0001 && signals.cosine <= 1.0001)
        }
        assert.equal(hits[0]?.passage.documentId, "bond")
      })
  ),

  law("lowers the share of a passage that lacks words of the query", ({ index, search }) =>
    Effect.gen(function*() {
      yield* index(...zoo)
      const share = (hits: ReadonlyArray<Hit>) => hits[0]?.signals.bm25Share ?? 0
      assert.ok(share(yield* search("central bank decision")) > 2 * share(yield* search("central walrus igloo tundra")))
    })),

  law("lowers the share alike for each word that nothing holds", ({ index, search }) =>
    Effect.gen(function*() {
      yield* index(...zoo)
      const inverse = (text: string) =>
        Effect.map(search(text), ([hit]) => {
          assert.equal(hit?.passage.documentId, "bond")
          return 1 / (hit?.signals.bm25Share ?? 0)
        })
      const none = yield* inverse("central")
      const one = yield* inverse("central walrus")
      const three = yield* inverse("central walrus igloo tundra")
      assert.ok(one > none + 0.1 && Math.abs(three - one - 2 * (one - none)) < 1e-3, `${none}, ${one}, ${three}`)
    })),

  law("puts a short passage before a long one that holds the word as often, and more often before once", ({
    ids,
    index
  }) =>
    Effect.gen(function*() {
      const filler = "Other matters are spoken of at length in it, as everybody knows. "
      yield* index(
        note("a-long", `A heron. ${filler.repeat(8)}`),
        note("b-short", "A heron stood there."),
        note("c-twice", "A heron saw a heron there.")
      )
      assert.deepEqual(yield* ids("heron"), ["c-twice", "b-short", "a-long"])
    })),

  law(
    "weighs words by what is stored now, and of one tenant alone",
    ({ index, search, store, tenant }) =>
      Effect.gen(function*() {
        const fresh = `${tenant}-fresh`
        const left = [
          ...zoo,
          note("long", long("bond", 3), { title: "On yields" }),
          note("fox", "A fox after all, and a bond.")
        ]
        yield* index(
          ...Array.from({ length: 30 }, (_, n) => note(`gone${n}`, `Bond yields and foxes ${n}. ${"fox ".repeat(n)}`))
        )
        yield* index(...zoo, note("long", "Bond. Bond. Bond."))
        yield* index(...left)
        yield* store.remove(tenant, Array.from({ length: 30 }, (_, n) => `gone${n}`))
        yield* store.index(`${tenant}-loud`, Array.from({ length: 40 }, (_, n) => note(`x${n}`, "Yields, yields.")))
        yield* store.index(fresh, left)
        for (const text of ["bond yields", "fox", "bond2 decision", "unicorn bond"]) {
          const [mine, theirs] = [yield* search(text), yield* store.search({ tenant: fresh, text, limit: 10 })]
          assert.ok(mine.length > 0)
          assert.deepEqual(mine.map(({ passage }) => passage.text), theirs.map(({ passage }) => passage.text))
          for (const [n, { signals }] of mine.entries()) {
            const other = theirs[n]?.signals
            assert.ok(other !== undefined && Math.abs(signals.bm25 - other.bm25) < 1e-4, `${text}: ${signals.bm25}`)
            assert.ok(Math.abs(signals.bm25Share - other.bm25Share) < 1e-4, `${text}: ${signals.bm25Share}`)
          }
        }
      })
  ),

  law(
    "forgets the vectors of what is replaced or removed",
    ({ ids, index, search, store, tenant, vector }) =>
      Effect.gen(function*() {
        yield* index(note("d", "Grain prices fell."), note("f", "Sugar was sold."), note("e", "Grain prices fell."))
        const old = yield* vector("Grain prices fell.")
        yield* index(note("d", "The moon landing."))
        yield* store.remove(tenant, ["f"])
        yield* index(note("g", "Sugar was bought."), note("f", "Cocoa."))
        for (const text of ["Grain prices fell.", "The moon landing.", "Sugar was bought.", "Cocoa."]) {
          const [nearest] = yield* search("", { vector: yield* vector(text) })
          assert.equal(nearest?.passage.text, text)
          assert.ok(nearest.signals.cosine > 0.999, `${nearest.signals.cosine}`)
        }
        const hits = yield* search("grain moon", { vector: old })
        const cosine = (id: string) => hits.find(({ passage }) => passage.documentId === id)?.signals.cosine ?? 0
        assert.ok(cosine("e") > 0.99 && cosine("d") < 0.5, `${cosine("d")}, ${cosine("e")}`)
        yield* store.remove(tenant, ["e", "d", "f", "g"])
        assert.deepEqual(yield* ids("", { vector: old }), [])
      })
  ),

  law(
    "breaks ties by document id among hundreds that are equal",
    ({ ids, index, search, vector }) =>
      Effect.gen(function*() {
        const names = Array.from({ length: 320 }, (_, n) => `d${(n * 97) % 320}`)
        yield* index(
          ...names.map((id) => note(id, "The very same heron.", { metadata: { even: Number(id.slice(1)) % 2 === 0 } }))
        )
        const first = [...names].sort().slice(0, 100)
        assert.deepEqual(yield* ids("heron", { limit: 100 }), first)
        const exact = yield* vector("The very same heron.")
        assert.deepEqual(yield* ids("heron", { limit: 100, vector: exact }), first)
        const hits = yield* search("heron", { limit: 100, filter: { metadata: { even: true } } })
        assert.deepEqual(
          hits.map(({ passage }) => passage.documentId),
          names.filter((id) => Number(id.slice(1)) % 2 === 0).sort().slice(0, 100)
        )
      })
  ),

  law(
    "puts the nearer of two passages first whose words are equally good",
    ({ ids, index, vector }) =>
      Effect.gen(function*() {
        yield* index(note("a", "Heron and barley."), note("b", "Heron and copper."))
        assert.deepEqual(yield* ids("heron"), ["a", "b"])
        assert.deepEqual(yield* ids("heron", { vector: yield* vector("Heron and copper.") }), ["b", "a"])
        assert.deepEqual(yield* ids("heron", { vector: yield* vector("Heron and barley.") }), ["a", "b"])
      })
  ),

  law(
    "breaks ties by document id, then position, and repeats itself exactly",
    ({ index, search, store, tenant, vector }) =>
      Effect.gen(function*() {
        yield* index(...["b", "d", "a", "c"].map((id) => note(id, "The very same heron.")))
        const query = { vector: yield* vector("heron") }
        const hits = yield* search("heron", query)
        assert.deepEqual(hits.map((hit) => hit.passage.documentId), ["a", "b", "c", "d"])
        const odd = ["b", "B", "_", "a b", "é", "10", "9", "z", "日本", "Z", "ab"]
        yield* index(...odd.map((id) => note(id, "Another ibis, the same.")))
        assert.deepEqual(
          (yield* search("ibis")).slice(0, 10).map((hit) => hit.passage.documentId),
          [...odd].sort().slice(0, 10)
        )
        yield* store.remove(tenant, odd)
        yield* index(...["b", "d", "a", "c"].map((id) => note(id, "The very same heron.")))
        assert.deepEqual(brief(yield* search("heron", query)), brief(hits))
        yield* index(note("a", "Something else."), note("e", "The very same heron."))
        yield* index(note("a", "The very same heron."))
        assert.deepEqual((yield* search("heron", query)).map((hit) => hit.passage.documentId), [
          "a",
          "b",
          "c",
          "d",
          "e"
        ])
      })
  ),

  law(
    "reports the cosine also of a passage that hundreds are nearer than",
    ({ index, search, vector }) =>
      Effect.gen(function*() {
        const words = "grain prices fell again this week"
        yield* index(
          note("far", `A walrus. ${words.slice(0, 18)} and other matters.`),
          ...Array.from({ length: 230 }, (_, n) => note(`d${n}`, words))
        )
        const hits = yield* search("walrus", { vector: yield* vector(words), limit: 100 })
        const [far] = hits.filter(({ passage }) => passage.documentId === "far")
        assert.ok(far !== undefined && far.signals.bm25 > 0)
        assert.ok(far.signals.cosine > 0.1 && far.signals.cosine < 0.99, `${far.signals.cosine}`)
      })
  )
]
