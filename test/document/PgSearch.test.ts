import * as SqlClient from "@effect/sql/SqlClient"
import { assert, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Filter from "causeway-mcp/document/internal/Filter"
import * as Fusion from "causeway-mcp/document/internal/Fusion"
import * as PgFigures from "causeway-mcp/document/internal/PgFigures"
import * as PgFilter from "causeway-mcp/document/internal/PgFilter"
import * as PgPlan from "causeway-mcp/document/internal/PgPlan"
import * as PgSearch from "causeway-mcp/document/internal/PgSearch"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Directory from "./directory.js"
import * as Zipf from "./zipf.js"

const Client = Layer.unwrapScoped(Effect.map(Directory.prepared, (dataDir) => Pglite.layer({ dataDir })))

const Store = PgDocumentStore.layer().pipe(Layer.provideMerge(Layer.merge(Client, Embedder.layerHash)))

const tenant = "tenant"
const documents = Zipf.documents(1_600)

/** Both hold the same; the one on Postgres comes first. */
const Filled = Layer.scopedContext(Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore
  const memory = Context.get(yield* Layer.build(DocumentStore.layerMemory), DocumentStore.DocumentStore)
  for (const each of [store, memory]) {
    yield* each.index(tenant, documents)
    yield* each.index(tenant, documents.slice(0, 40).map((document) => ({ ...document, text: `${document.text} w1` })))
    yield* each.remove(tenant, documents.slice(40, 60).map(({ id }) => id))
  }
  return Context.make(Both, { store, memory })
})).pipe(Layer.provideMerge(Store))

class Both extends Context.Tag("test/Both")<Both, {
  readonly store: Context.Tag.Service<DocumentStore.DocumentStore>
  readonly memory: Context.Tag.Service<DocumentStore.DocumentStore>
}>() {}

/** Leaves all but a few, most of them, a few and none. */
const filters: ReadonlyArray<DocumentStore.Filter | undefined> = [
  undefined,
  { metadata: { group: { min: 1 } } },
  { metadata: { group: [0, 1, 2, 3, 4, 5, 6, 7, 8] } },
  { metadata: { group: 3 } },
  { metadata: { group: 11 } }
]

layer(Filled, { timeout: "60 seconds" })("search on Postgres", (it) => {
  it.effect(
    "finds what the store in memory finds, with the same words' scores, however common the words are",
    () =>
      Effect.gen(function*() {
        const { memory, store } = yield* Both
        const embedder = yield* Embedder.Embedder
        for (let seed = 0; seed < 60; seed++) {
          const text = Zipf.question(seed)
          const [vector] = yield* embedder.embed([text])
          const query = { tenant, text, limit: 100, filter: filters[seed % filters.length] }
          for (const ask of seed % 3 === 0 ? [query] : [query, { ...query, vector }]) {
            const found = yield* store.search(ask)
            const expected = yield* memory.search(ask)
            assert.deepStrictEqual(
              found.map((
                { passage, signals }
              ) => [passage.documentId, passage.position, signals.bm25, signals.bm25Share]),
              expected.map((
                { passage, signals }
              ) => [passage.documentId, passage.position, signals.bm25, signals.bm25Share]),
              `seed ${seed}: ${text}`
            )
          }
        }
      }),
    120_000
  )

  it.effect("finds the same candidates whichever way it begins", () =>
    Effect.gen(function*() {
      const figures = PgFigures.make()
      const embedder = yield* Embedder.Embedder
      let pruned = 0
      for (let seed = 100; seed < 120; seed++) {
        const filter = Either.getOrThrow(Filter.compile(filters[seed % 4]))
        if (filter === undefined) return assert.fail("a filter that nothing passes")
        const text = Zipf.question(seed)
        const [vector] = yield* embedder.embed([text])
        const terms = text.split(" ")
        const { dimensions } = embedder
        const read = yield* figures.read({ tenant, terms, filter, isOwn: false, dimensions })
        const weights = terms.map((_, n) => Fusion.idf(read.passages, read.matching[n] ?? 0))
        const search = {
          tenant: read.tenant ?? 0,
          terms,
          weights,
          averageLength: read.tokens / read.passages,
          vector,
          filter
        }
        const plan = PgPlan.make(read, weights, { hasQueryVector: true, hasVector: true, isOwn: false })
        const whole: PgPlan.Plan = {
          ...plan,
          essential: plan.terms.length,
          bound: 0,
          hasTies: true,
          hasEqualVectors: true,
          isNarrow: false
        }
        const quick = { ...whole, hasTies: false, hasEqualVectors: false }
        const expected = yield* PgSearch.pool(search, read, whole)
        const isOpen = Filter.isOpen(filter)
        const ways: ReadonlyArray<PgPlan.Plan> = [
          { ...quick, isCommon: true },
          { ...quick, hasTies: true, isNarrow: !isOpen },
          { ...quick, filtering: isOpen ? "none" : "named" },
          { ...quick, filtering: isOpen ? "none" : "looked at" },
          ...[...new Set([1, 2, 4, plan.terms.length - 1])].filter((essential) =>
            essential > 0 && essential < plan.terms.length
          ).map((essential) => ({
            ...quick,
            essential,
            bound: Fusion.ceiling(plan.terms.slice(essential).map((n) => weights[n] ?? 0))
          }))
        ]
        for (const way of ways) {
          const found = yield* PgSearch.pool(search, read, way)
          if (found.plan.essential < found.plan.terms.length) pruned++
          const sorted = ({ candidates }: typeof found) =>
            candidates.map(({ bm25, cosine, id }) => [id, bm25, cosine]).sort()
          assert.deepStrictEqual(sorted(found), sorted(expected), `seed ${seed}: ${JSON.stringify(way)}`)
        }
      }
      assert.isAbove(pruned, 5)
    }), 120_000)

  it.effect("counts words once as long as nothing changes, and anew when something did", () =>
    Effect.gen(function*() {
      const { store } = yield* Both
      const sql = yield* SqlClient.SqlClient
      yield* store.index("counted", [{ id: "a", text: "heron" }, { id: "b", text: "stork" }])
      const share = Effect.map(
        store.search({ tenant: "counted", text: "heron", limit: 1 }),
        (hits) => hits[0]?.signals.bm25
      )
      const before = yield* share
      assert.strictEqual(yield* share, before)
      yield* store.index("counted", [{ id: "c", text: "heron" }])
      const after = yield* share
      assert.isBelow(after ?? 0, before ?? 0)
      // What a transaction saw that came to nothing is not remembered.
      yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
        yield* store.index("counted", [{ id: "d", text: "heron" }])
        assert.isBelow((yield* share) ?? 0, after ?? 0)
        return yield* Effect.fail("undone")
      })))
      assert.strictEqual(yield* share, after)
    }))

  it.effect("reads a list page by page as the store in memory does, with versions", () =>
    Effect.gen(function*() {
      const { memory, store } = yield* Both
      const dated = Array.from({ length: 90 }, (_, n) => ({
        id: `d${n * 7 % 90}`,
        text: "A note.",
        metadata: { odd: n % 2 },
        ...(n % 5 === 0 ? {} : { publishedAt: `2026-0${1 + n % 4}-01` }),
        ...(n % 3 === 0 ? { version: n } : {})
      }))
      for (const each of [store, memory]) yield* each.index("dated", dated)
      for (const filter of [undefined, { metadata: { odd: 1 } }, { since: "2026-02-01" }]) {
        const pages = (each: typeof store) =>
          Effect.iterate(
            { all: [] as ReadonlyArray<DocumentStore.Listed>, isOver: false },
            {
              while: ({ isOver }) => !isOver,
              body: ({ all }) =>
                Effect.map(each.list("dated", { filter, limit: 7, after: all.at(-1) }), (page) => ({
                  all: [...all, ...page],
                  isOver: page.length < 7
                }))
            }
          )
        const { all } = yield* pages(store)
        assert.deepStrictEqual(all, (yield* pages(memory)).all)
        assert.deepStrictEqual(all, yield* store.list("dated", { filter, limit: 1_000 }))
      }
      const [first] = yield* store.get("dated", "d0")
      assert.deepStrictEqual(first?.span, { start: 0, end: 7 })
      assert.strictEqual(first?.version, dated.find(({ id }) => id === "d0")?.version)
      for (const after of [{ id: "d1", publishedAt: "yesterday" }, { id: "\0" }]) {
        const error = yield* Effect.flip(store.list("dated", { limit: 7, after }))
        assert.strictEqual(error.reason._tag, "Invalid")
      }
    }))

  it.effect("filters by ranges and hostile names as the store in memory does, and fails for no value stored", () =>
    Effect.gen(function*() {
      const { memory, store } = yield* Both
      const sql = yield* SqlClient.SqlClient
      const names = ["n", "a'b\"c", "$.x", "{}", "__proto__", "constructor", "x->>'y'", "", "a.b"]
      const values = [0, -0, 5e-324, 1e308, -1.5, 0.1, 2 ** 53, "NaN", "1e400", "Infinity", "5", true]
      const hostile = names.flatMap((name, n) =>
        values.map((value, m) => ({
          id: `${n}-${m}`,
          text: "A note.",
          metadata: Object.fromEntries([[name, value]])
        }))
      )
      for (const each of [store, memory]) yield* each.index("hostile", hostile)
      // No program of ours writes such a number.
      yield* sql`
        update causeway_documents set metadata = '{"n": 1e400}'
        where id = '0-11' and tenant = (select id from causeway_tenants where name = 'hostile')`
      const conditions: ReadonlyArray<DocumentStore.Condition> = [
        {},
        { min: 0 },
        { max: 0 },
        { min: 0.1, max: 0.1 },
        { min: 5e-324, max: 5e-324 },
        { min: 1e308 },
        { max: -1.5 },
        { min: 2 ** 53, max: 2 ** 53 },
        "NaN",
        "5",
        5,
        true,
        ["1e400", 0.1]
      ]
      for (const name of names) {
        for (const condition of conditions) {
          const filter = { metadata: Object.fromEntries([[name, condition]]) }
          const list = (each: typeof store) =>
            Effect.map(
              each.list("hostile", { filter, limit: 1_000 }),
              (listed) => listed.map(({ id }) => id).filter((id) => id !== "0-11")
            )
          assert.deepStrictEqual(
            yield* list(store),
            yield* list(memory),
            `${JSON.stringify(name)} ${JSON.stringify(condition)}`
          )
        }
      }
      const tooLarge = yield* store.list("hostile", { filter: { metadata: { n: { min: 1.7e308 } } }, limit: 10 })
      assert.deepStrictEqual(tooLarge.map(({ id }) => id), ["0-11"])
    }))

  it.effect("answers an equality from the index on metadata, and a list from the one on dates", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`vacuum (analyze) causeway_documents`
      const filter = Either.getOrThrow(Filter.compile({ metadata: { serial: 77 } }))
      if (filter === undefined) return assert.fail("a filter that nothing passes")
      const [owner] = yield* sql<{ readonly id: number }>`select id from causeway_tenants where name = ${tenant}`
      const conditions = PgFilter.conditions(sql, owner?.id ?? 0, filter)
      const plan = yield* sql`explain select id from causeway_documents as document where ${conditions}`
      assert.include(JSON.stringify(plan), "causeway_documents_metadata")
      const page = yield* sql`
        explain select id from causeway_documents where tenant = ${owner?.id ?? 0} and published_at < now()
        order by published_at desc nulls last, id limit 10`
      assert.include(JSON.stringify(page), "using causeway_documents_published_at")
      assert.notInclude(JSON.stringify(page), "Sort")
    }))
})
