/**
 * What a document store promises about lists: their order, and a walk through
 * all of it page by page.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Document } from "../../document/Document.js"
import type { Filter, Listed, Place } from "../../document/DocumentStore.js"
import type { Bench, Law } from "./Law.js"
import { invalid, law, long, note } from "./Law.js"

/** Names that a locale sorts otherwise than their code units. */
const names = [
  "a",
  "B",
  "c",
  "A",
  "b",
  "C",
  "_",
  "-",
  " ",
  "ä",
  "z",
  "Z",
  "é",
  "e",
  "10",
  "9",
  "1",
  "日本",
  "a b",
  "a-b",
  "ab"
]

const dates = ["2026-05-01", "2026-05-01T00:00:00Z", "2026-04-30T23:59:59.999Z", "1969-07-20", "0001-01-01", undefined]

const corpus: ReadonlyArray<Document> = names.flatMap((name, n) =>
  [0, 1, 2].map((m) => {
    const publishedAt = dates[(n * 3 + m) % dates.length]
    return note(`${name}${m}`, `Text of ${name}.`, {
      ...(publishedAt === undefined ? {} : { publishedAt }),
      metadata: { even: (n + m) % 2 === 0 }
    })
  })
)

const moment = ({ publishedAt }: { readonly publishedAt?: string | undefined }): number =>
  publishedAt === undefined ? -Infinity : Date.parse(publishedAt)

/** The order that is promised: the newest first, the undated last, those of one date by id. */
const inOrder = (documents: ReadonlyArray<Document>): ReadonlyArray<string> =>
  [...documents]
    .sort((a, b) => moment(a) === moment(b) ? (a.id < b.id ? -1 : 1) : moment(b) - moment(a))
    .map(({ id }) => id)

/** Walks through a list to its end; `between` is done after every page. */
const walk = (
  { store, tenant }: Bench,
  limit: number,
  options: {
    readonly filter?: Filter
    readonly between?: (page: ReadonlyArray<Listed>) => Effect.Effect<void, unknown>
  } = {}
) =>
  Effect.gen(function*() {
    const all: Array<string> = []
    let after: Place | undefined
    for (;;) {
      const page: ReadonlyArray<Listed> = yield* store.list(tenant, { limit, filter: options.filter, after })
      assert.ok(page.length <= limit && all.length <= 1_000)
      all.push(...page.map(({ id }) => id))
      after = page.at(-1)
      if (after === undefined) return all
      if (options.between !== undefined) yield* options.between(page)
    }
  })

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law(
    "lists documents by filter, whatever they say: the newest first, the undated last, ties by id",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(
          note("b", "The of and.", { publishedAt: "2026-01-01", metadata: { kind: "x" } }),
          note("a", long("gnu", 3), {
            title: "Gnus",
            publishedAt: "2026-01-01T00:00:00Z",
            version: 3,
            metadata: { kind: "x" }
          }),
          note("undated", "A yak.", { metadata: { kind: "x" } }),
          note("new", "An ibex.", { publishedAt: "2026-05-01", metadata: { kind: "y" } })
        )
        const passages = (yield* store.get(tenant, "a")).length
        assert.deepEqual(yield* store.list(tenant, { limit: 10, filter: { metadata: { kind: "x" } } }), [
          { id: "a", title: "Gnus", publishedAt: "2026-01-01T00:00:00.000Z", passages, version: 3 },
          { id: "b", title: "", publishedAt: "2026-01-01T00:00:00.000Z", passages: 1 },
          { id: "undated", title: "", passages: 1 }
        ])
        const ids = (options: Parameters<typeof store.list>[1]) =>
          Effect.map(store.list(tenant, options), (listed) => listed.map(({ id }) => id))
        assert.deepEqual(yield* ids({ limit: 10 }), ["new", "a", "b", "undated"])
        assert.deepEqual(yield* ids({ limit: 2.5 }), ["new", "a"])
        assert.deepEqual(yield* ids({ limit: -1 }), ["new"])
        assert.deepEqual(yield* ids({ limit: 10, filter: { until: "2026-05-01" } }), ["a", "b"])
        assert.deepEqual(yield* ids({ limit: 10, filter: { documentIds: ["b", "?"] } }), ["b"])
        assert.deepEqual(yield* ids({ limit: 10, filter: { documentIds: [] } }), [])
        yield* index(note("new", "Replaced."))
        assert.deepEqual(yield* ids({ limit: 10 }), ["a", "b", "new", "undated"])
        yield* store.remove(tenant, ["a"])
        assert.deepEqual(yield* ids({ limit: 10 }), ["b", "new", "undated"])
        assert.deepEqual(yield* store.list(`${tenant}-other`, { limit: 10 }), [])
      })
  ),

  law(
    "walks through everything exactly once and in order, whatever the length of its pages",
    (bench) =>
      Effect.gen(function*() {
        yield* bench.index(...corpus)
        const expected = inOrder(corpus)
        for (const limit of [1, 7, 1000]) assert.deepEqual(yield* walk(bench, limit), expected, `limit ${limit}`)
        const even = corpus.filter(({ metadata }) => metadata?.["even"] === true)
        assert.deepEqual(yield* walk(bench, 4, { filter: { metadata: { even: true } } }), inOrder(even))
        const dated = corpus.filter((document) => moment(document) >= Date.parse("2026-01-01"))
        assert.deepEqual(yield* walk(bench, 5, { filter: { since: "2026-01-01" } }), inOrder(dated))
      })
  ),

  law(
    "gives what stayed exactly once in a walk during which other documents come, change and go",
    (bench) =>
      Effect.gen(function*() {
        const { index, store, tenant } = bench
        yield* index(...corpus)
        const fleeting = new Set(corpus.filter((_, n) => n % 4 === 0).map(({ id }) => id))
        let turn = 0
        const walked = yield* walk(bench, 7, {
          between: (page) =>
            Effect.gen(function*() {
              turn++
              const last = page.at(-1)?.id ?? ""
              // the place itself may go, and others behind it and before it
              yield* store.remove(tenant, [...fleeting].filter((id) => id === last || id.endsWith(String(turn % 3))))
              yield* index(
                note(`new${turn}`, "Before all.", { publishedAt: "2027-01-01" }),
                ...corpus.filter(({ id }) => id === "B1" || id === "e2").map((document) => ({
                  ...document,
                  text: `Turn ${turn}.`
                })),
                ...(turn === 1 ? [note("zz", "Behind all.")] : [])
              )
            })
        })
        const lasting = corpus.filter(({ id }) => !fleeting.has(id))
        const ids = new Set(lasting.map(({ id }) => id))
        assert.deepEqual(walked.filter((id) => ids.has(id)), inOrder(lasting))
        assert.equal(new Set(walked).size, walked.length)
        assert.ok(walked.includes("zz") && !walked.includes("new1"))
      })
  ),

  law(
    "goes on after a place where no document is, and reads its date in any form",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(
          note("b", "Text.", { publishedAt: "2026-01-02" }),
          note("d", "Text.", { publishedAt: "2026-01-02T00:00:00Z" }),
          note("a", "Text.", { publishedAt: "2026-01-01" }),
          note("m", "Text."),
          note("x", "Text.")
        )
        const after = (place: Place) =>
          Effect.map(store.list(tenant, { limit: 10, after: place }), (listed) => listed.map(({ id }) => id).join(""))
        assert.equal(yield* after({ id: "", publishedAt: "9999-12-31" }), "bdamx")
        assert.equal(yield* after({ id: "c", publishedAt: "2026-01-02" }), "damx")
        assert.equal(yield* after({ id: "b", publishedAt: "2026-01-02T01:00:00+01:00" }), "damx")
        assert.equal(yield* after({ id: "", publishedAt: "2026-01-02" }), "bdamx")
        assert.equal(yield* after({ id: "z", publishedAt: "2026-01-01T12:00" }), "amx")
        assert.equal(yield* after({ id: "z", publishedAt: "0001-01-01" }), "mx")
        assert.equal(yield* after({ id: "m" }), "x")
        assert.equal(yield* after({ id: "x" }), "")
      })
  ),

  law(
    "fails as invalid for a place whose date is none, or whose id no document can have",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(note("a", "Text."))
        const places: ReadonlyArray<Place> = [
          ...["yesterday", "", "2026-02-30", "10000-01-01"].map((publishedAt) => ({ id: "a", publishedAt })),
          { id: "b\0" },
          { id: "b\ud83d", publishedAt: "2026-01-01" }
        ]
        for (const after of places) yield* invalid(store.list(tenant, { limit: 5, after }), "list", "after")
      })
  ),

  law(
    "gives at most a thousand, and one for a limit that is none",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        yield* index(...Array.from({ length: 1050 }, (_, n) => note(`d${n}`, "Text.")))
        for (
          const [limit, count] of [[1e9, 1000], [Infinity, 1000], [0, 1], [-5, 1], [Number.NaN, 1], [3.9, 3]] as const
        ) {
          assert.equal((yield* store.list(tenant, { limit })).length, count, `limit ${limit}`)
        }
      })
  )
]
