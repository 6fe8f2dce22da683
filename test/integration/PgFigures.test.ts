import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Fusion from "causeway-mcp/document/internal/Fusion"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Consistency from "./consistency.js"
import * as Postgres from "./postgres.js"

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`Figures of a search: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("figures of a search", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

type Store = Context.Tag.Service<DocumentStore.DocumentStore>

const instance = (database: string) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const context = yield* Layer.build(
      PgDocumentStore.layer().pipe(
        Layer.provideMerge(Layer.fresh(server.client(database))),
        Layer.provide(Embedder.layerHash)
      )
    )
    return { store: Context.get(context, DocumentStore.DocumentStore), sql: Context.get(context, SqlClient.SqlClient) }
  })

/** What the words alone give the best passage. */
const share = (store: Store, tenant: string, text: string) =>
  Effect.map(store.search({ tenant, text, limit: 1 }), ([hit]) => hit?.signals.bm25 ?? 0)

/** The same, where of so many passages of two words so many have the one that is asked for. */
const expected = (passages: number, matching: number): number =>
  Fusion.termScore(Fusion.idf(passages, matching), 1, 2, 2)

const tables = ["tenants", "documents", "passages", "vectors", "postings", "changes"]

for (const { bin, name: server } of Postgres.found) {
  layer(Postgres.layer(bin), { timeout: "60 seconds", excludeTestServices: true })(`figures on ${server}`, (it) => {
    it.scoped("are those of one committed state, while others write, undo and search", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const database = yield* createDatabase
        const instances = yield* Effect.all([instance(database), instance(database)])
        const tenants = ["a", "b", "c"]
        const states = new Map(tenants.map((tenant) => [tenant, new Set<number>()]))
        const rounds = 40
        const isWriting = new Set(tenants)
        const writer = (tenant: string, n: number) =>
          Effect.gen(function*() {
            const { sql, store } = instances[n % 2] ?? (yield* Effect.dieMessage("no instance"))
            const known = states.get(tenant)
            // What holds the word: every second, then every third, and so on, so that tenants differ.
            let matching = 0
            for (let round = 1; round <= rounds; round++) {
              const isMatching = round % (2 + n) === 0
              if (isMatching) matching++
              known?.add(expected(round, matching))
              const word = isMatching ? "heron" : "stork"
              yield* store.index(tenant, [{ id: `d${round}`, text: `${word} vole` }])
              if (round % 5 === 0) {
                yield* Effect.exit(sql.withTransaction(
                  Effect.zipRight(store.index(tenant, [{ id: "undone", text: "heron vole" }]), Effect.fail("undone"))
                ))
              }
            }
            isWriting.delete(tenant)
          })
        const searcher = (n: number) =>
          Effect.gen(function*() {
            let searches = 0
            for (let at = n; isWriting.size > 0; at++) {
              const tenant = tenants[at % 3] ?? ""
              const { store } = instances[at % 2] ?? (yield* Effect.dieMessage("no instance"))
              const bm25 = yield* share(store, tenant, "heron")
              if (bm25 === 0) continue
              searches++
              const isKnown = [...states.get(tenant) ?? []].some((value) => Math.abs(value - bm25) < 1e-9)
              assert.isTrue(isKnown, `${tenant}: ${bm25} is the figure of no state`)
            }
            return searches
          })
        const searching = yield* Effect.fork(Effect.all([0, 1, 2, 3].map(searcher), { concurrency: "unbounded" }))
        yield* Effect.raceFirst(
          Effect.all(tenants.map(writer), { concurrency: "unbounded" }),
          Effect.zipRight(Fiber.join(searching), Effect.never)
        )
        const counts = yield* Fiber.join(searching)
        assert.isTrue(counts.every((count) => count > 10))
        for (const [n, tenant] of tenants.entries()) {
          for (const { store } of instances) {
            assert.closeTo(
              yield* share(store, tenant, "heron"),
              expected(rounds, Math.floor(rounds / (2 + n))),
              1e-9
            )
          }
        }
      }))

    it.scoped("are counted anew for a tenant that was removed and made again by hand, alike in size", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const { sql, store } = yield* instance(yield* createDatabase)
        yield* store.index("t", [{ id: "a", text: "heron vole" }, { id: "b", text: "stork vole" }])
        assert.closeTo(yield* share(store, "t", "heron"), expected(2, 1), 1e-9)
        for (const table of tables) yield* sql.unsafe(`truncate causeway_${table} restart identity`)
        yield* store.index("t", [{ id: "a", text: "heron vole" }, { id: "b", text: "heron vole" }])
        assert.closeTo(yield* share(store, "t", "heron"), expected(2, 2), 1e-9)
      }))

    it.scoped("are kept for so many tenants and words, and right when they are not", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const { store } = yield* instance(yield* createDatabase)
        const tenants = Array.from({ length: 40 }, (_, n) => `t${n}`)
        for (const [n, tenant] of tenants.entries()) {
          yield* store.index(
            tenant,
            Array.from({ length: 3 + n % 3 }, (_, m) => ({ id: `d${m}`, text: m < 2 ? "heron vole" : "stork vole" }))
          )
        }
        for (let turn = 0; turn < 2; turn++) {
          for (const [n, tenant] of tenants.entries()) {
            const crowd = Array.from({ length: 500 }, (_, m) => `w${turn}x${m}`).join(" ")
            if (n % 10 === 0) { for (const _ of [1, 2, 3, 4, 5]) yield* share(store, tenant, `heron ${crowd}`) }
            assert.closeTo(yield* share(store, tenant, "heron"), expected(3 + n % 3, 2), 1e-9)
          }
        }
      }))

    it.scoped("leave nothing behind of a document that a program wrote which cut words in another way", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const { sql, store } = yield* instance(yield* createDatabase)
        yield* store.index("t", [{ id: "a", text: "heron vole" }, { id: "b", text: "heron stork" }])
        yield* sql`update causeway_postings set term = term || 's' where term in ('heron', 'vole')`
        yield* store.index("t", [{ id: "a", text: "heron ibex" }])
        yield* Consistency.check(sql)
        yield* store.remove("t", ["b"])
        yield* Consistency.check(sql)
        assert.deepStrictEqual(yield* sql`select term from causeway_postings order by term`, [
          { term: "heron" },
          { term: "ibex" }
        ])
      }))

    it.scoped("are none of a tenant whose passages have no word that counts", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const { store } = yield* instance(yield* createDatabase)
        yield* store.index("t", [{ id: "a", text: "To be or not to be." }])
        const vector = new Float32Array(384).fill(1)
        assert.deepStrictEqual(yield* store.search({ tenant: "t", text: "heron", limit: 3 }), [])
        assert.isAtMost((yield* store.search({ tenant: "t", text: "heron", vector, limit: 3 })).length, 1)
      }))
  })
}
