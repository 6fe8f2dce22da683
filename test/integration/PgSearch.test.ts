import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Zipf from "../document/zipf.js"
import * as Postgres from "./postgres.js"
import * as Vectors from "./vectors.js"

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`Search on a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("search on a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

for (const { bin, name: server } of Postgres.found) {
  layer(Postgres.layer(bin), { timeout: "60 seconds" })(`search on ${server}`, (it) => {
    it.scoped("finds what the store in memory finds, in the same order", () =>
      Effect.gen(function*() {
        const { createDatabase, client } = yield* Postgres.Server
        const database = yield* createDatabase
        const context = yield* Layer.build(
          PgDocumentStore.layer().pipe(
            Layer.provideMerge(Embedder.layerHash),
            Layer.provide(Layer.fresh(client(database)))
          )
        )
        const store = Context.get(context, DocumentStore.DocumentStore)
        const embedder = Context.get(context, Embedder.Embedder)
        const memory = Context.get(
          yield* Layer.build(DocumentStore.layerMemory.pipe(Layer.provide(Embedder.layerHash))),
          DocumentStore.DocumentStore
        )
        for (const each of [store, memory]) yield* each.index("tenant", Zipf.documents(1_500))
        for (let seed = 0; seed < 40; seed++) {
          const text = Zipf.question(seed)
          const [vector] = yield* embedder.embed([text])
          const filter = [undefined, { metadata: { group: { min: 1 } } }, { metadata: { group: 3 } }][seed % 3]
          const words = { tenant: "tenant", text, limit: 100, filter }
          // Without pgvector, so many passages are compared only when words bring none.
          const isPartial = server.startsWith("PostgreSQL 15") && seed % 3 !== 2
          const asks = isPartial ? [words] : [words, { ...words, vector }]
          for (const ask of asks) {
            const brief = (hits: ReadonlyArray<DocumentStore.Hit>) =>
              hits.map(({ passage, signals }) => [passage.documentId, signals.bm25])
            assert.deepStrictEqual(brief(yield* store.search(ask)), brief(yield* memory.search(ask)), text)
          }
          // The last bit of a cosine may differ, and with it who of two equals comes first.
          const alone = { ...words, text: "", vector }
          const [found, expected] = [yield* store.search(alone), yield* memory.search(alone)]
          assert.strictEqual(found.length, expected.length)
          for (const [n, { signals }] of found.entries()) {
            assert.closeTo(signals.cosine, expected[n]?.signals.cosine ?? 0, 1e-6, text)
          }
        }
      }), 60_000)

    it.scoped("goes by the vector where no word is known, and says so when it cannot", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const { sql, store } = yield* Vectors.storeOn(yield* createDatabase, { indexFrom: Number.POSITIVE_INFINITY })
        yield* store.index("tenant", [{ id: "a", text: "Herons." }])
        yield* sql`
          update causeway_vectors set embedding = (
            select array_agg(case when k = 1 then 1 else 0 end order by k) from generate_series(1, 16) as k
          )::real[]`
        const vector = Float32Array.from({ length: 16 }, (_, n) => n === 0 ? 1 : 0)
        const [none] = yield* sql<{ readonly none: boolean }>`
          select to_regtype('vector') is null as none`
        const ask = { tenant: "tenant", text: "", vector, limit: 1 }
        const unknown = { ...ask, text: "storks" }
        for (const [passages, isAnswered] of [[1, true], [20_000, true], [20_001, none?.none !== true]] as const) {
          yield* sql`update causeway_tenants set passages = ${passages}`
          const hits = (yield* store.search(unknown)).map(({ signals }) => signals.cosine)
          assert.deepStrictEqual(hits, isAnswered ? [1] : [])
          const alone = yield* Effect.either(store.search(ask))
          if (isAnswered) assert.strictEqual(alone._tag, "Right")
          else if (alone._tag === "Right") assert.fail("it was answered")
          else {
            assert.strictEqual(alone.left.reason._tag, "Incompatible")
            assert.include(alone.left.message, "pgvector")
          }
        }
      }))

    it.scoped("is ended when its time is over, and leaves nothing running", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const database = yield* createDatabase
        const { sql, store } = yield* Vectors.storeOn(database)
        yield* store.index("tenant", [{ id: "a", text: "Herons." }])
        const holding = yield* Effect.fork(sql.withTransaction(
          Effect.zipRight(sql`lock table causeway_passages in access exclusive mode`, Effect.never)
        ))
        yield* Vectors.until(
          sql`select from pg_locks where relation = 'causeway_passages'::regclass and mode = 'AccessExclusiveLock'`,
          (locks) => locks.length > 0
        )
        const search = store.search({ tenant: "tenant", text: "herons", limit: 1 })
        const asked = yield* Effect.fork(Effect.flip(TimeLimit.within(search, "2 seconds")))
        const waiting = sql`
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
        yield* Vectors.until(waiting, (rows) => rows.length > 0)
        yield* TestClock.adjust("2 seconds")
        const error = yield* Fiber.join(asked)
        assert.strictEqual(error.reason._tag, "Unavailable")
        yield* Vectors.until(waiting, (rows) => rows.length === 0)
        yield* Fiber.interrupt(holding)
        assert.strictEqual((yield* search).length, 1)
      }))
  })
}
