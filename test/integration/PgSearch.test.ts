import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgVectorIndex from "causeway-mcp/document/internal/PgVectorIndex"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Zipf from "../document/zipf.js"
import * as Postgres from "./postgres.js"

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`Search on a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("search on a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

/** Whether pgvector is installed beside a server, as Debian does it or as others do. */
const hasVector = ({ bin }: { readonly bin: string }): boolean =>
  [
    Path.join(bin, "../../../../share/postgresql", Path.basename(Path.dirname(bin))),
    Path.join(bin, "../share/postgresql"),
    Path.join(bin, "../share")
  ].some((share) => Fs.existsSync(Path.join(share, "extension/vector.control")))

const dimensions = 16

/** Vectors are put into the database directly; a query brings its own. */
const Small = Layer.succeed(Embedder.Embedder, {
  id: "small-16",
  dimensions,
  embed: (texts) => Effect.succeed(texts.map(() => new Float32Array(dimensions)))
})

const storeOn = (database: string, options?: PgDocumentStore.Options) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const context = yield* Layer.build(
      PgDocumentStore.layer(options).pipe(
        Layer.provideMerge(Layer.fresh(server.client(database))),
        Layer.provide(Small)
      )
    )
    return { store: Context.get(context, DocumentStore.DocumentStore), sql: Context.get(context, SqlClient.SqlClient) }
  })

/** So many passages around a hundred points, one in a document, half of them before 2026. */
const fill = (sql: SqlClient.SqlClient, count: number, tenant = "tenant") =>
  sql.withTransaction(Effect.gen(function*() {
    yield* sql`select setseed(0.5)`
    const [owner] = yield* sql<{ readonly id: number }>`
      insert into causeway_tenants (name, passages, tokens) values (${tenant}, ${count}, ${count}) returning id`
    const id = owner?.id ?? 0
    yield* sql`
      insert into causeway_documents
        (tenant, id, title, published_at, indexed_at, metadata, content_hash, embedder, dimensions, passages)
      select ${id}::int, 'd' || n, '', case when n % 2 = 0 then '2025-06-01' else '2026-06-01' end::timestamptz, now(),
        jsonb_build_object('n', n), n::text, 'small-16', ${dimensions}::int, 1
      from generate_series(1, ${count}::int) as n`
    yield* sql`
      insert into causeway_passages (tenant, document, position, text, tokens)
      select ${id}::int, 'd' || n, 0, 'A note.', 1 from generate_series(1, ${count}::int) as n`
    yield* sql`
      insert into causeway_vectors (tenant, passage, embedding)
      select passage.tenant, passage.id, l2_normalize((
        select array_agg(sin(k * (1 + passage.id % 100)) + 0.3 * (random() - 0.5) + 0 * passage.id order by k)
        from generate_series(1, ${dimensions}::int) as k
      )::real[]::vector)
      from causeway_passages as passage where passage.tenant = ${id}`
  }))

const queryVector = (seed: number) =>
  Float32Array.from({ length: dimensions }, (_, k) => Math.sin((k + 1) * (1 + seed)) + 0.1 * Math.cos(seed * 31 * k))

const until = <A, E, R>(effect: Effect.Effect<A, E, R>, predicate: (value: A) => boolean) =>
  Effect.repeat(effect, { until: predicate })

const state = (sql: SqlClient.SqlClient, name: string) =>
  Effect.map(
    sql<{ readonly oid: number; readonly isValid: boolean; readonly scans: number }>`
      select indexrelid::int as oid, indisvalid as "isValid",
        coalesce(pg_stat_get_numscans(indexrelid), 0)::int as scans
      from pg_index where indexrelid = to_regclass(${name})`,
    ([row]) => row
  )

const isUsed = (sql: SqlClient.SqlClient, name: string, before: number) =>
  until(
    Effect.zipRight(sql`select pg_stat_clear_snapshot()`, state(sql, name)),
    (index) => (index?.scans ?? 0) > before
  )

const name = PgVectorIndex.nameOf(dimensions, "vector")

/** The index, once its builder is done with it. */
const built = (sql: SqlClient.SqlClient, name: string) =>
  Effect.zipLeft(
    until(state(sql, name), (index) => index?.isValid === true),
    until(
      sql`
        select from pg_locks where locktype = 'advisory'
          and database = (select oid from pg_database where datname = current_database())`,
      (locks) => locks.length === 0
    )
  )

/** So few and short vectors are read faster without an index, as Postgres knows. A plan that must not be seems worth compiling. */
const preferIndexes = (sql: SqlClient.SqlClient, database: string) =>
  Effect.forEach(["enable_seqscan", "jit"], (setting) => sql.unsafe(`alter database ${database} set ${setting} = off`))

/** A transaction that others wait for until it is told to end. */
const open = (sql: SqlClient.SqlClient) =>
  Effect.gen(function*() {
    const isOpen = yield* Deferred.make<void>()
    const isOver = yield* Deferred.make<void>()
    const fiber = yield* Effect.fork(sql.withTransaction(Effect.gen(function*() {
      yield* sql`lock table causeway_vectors in row exclusive mode`
      yield* Deferred.succeed(isOpen, undefined)
      yield* Deferred.await(isOver)
    })))
    yield* Deferred.await(isOpen)
    return Effect.zipRight(Deferred.succeed(isOver, undefined), Fiber.join(fiber))
  })

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
          // Without pgvector, so many passages are found by words alone.
          const asks = server.startsWith("PostgreSQL 15") && seed % 3 !== 2 ? [words] : [words, { ...words, vector }]
          for (const ask of asks) {
            const brief = (hits: ReadonlyArray<DocumentStore.Hit>) =>
              hits.map(({ passage, signals }) => [passage.documentId, signals.bm25])
            assert.deepStrictEqual(brief(yield* store.search(ask)), brief(yield* memory.search(ask)), text)
          }
        }
      }), 60_000)

    it.scoped("is ended when its time is over, and leaves nothing running", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const database = yield* createDatabase
        const { sql, store } = yield* storeOn(database)
        yield* store.index("tenant", [{ id: "a", text: "Herons." }])
        const holding = yield* Effect.fork(sql.withTransaction(
          Effect.zipRight(sql`lock table causeway_passages in access exclusive mode`, Effect.never)
        ))
        yield* until(
          sql`select from pg_locks where relation = 'causeway_passages'::regclass and mode = 'AccessExclusiveLock'`,
          (locks) => locks.length > 0
        )
        const search = store.search({ tenant: "tenant", text: "herons", limit: 1 })
        const asked = yield* Effect.fork(Effect.flip(TimeLimit.within(search, "2 seconds")))
        const waiting = sql`
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
        yield* until(waiting, (rows) => rows.length > 0)
        yield* TestClock.adjust("2 seconds")
        const error = yield* Fiber.join(asked)
        assert.strictEqual(error.reason._tag, "Unavailable")
        yield* until(waiting, (rows) => rows.length === 0)
        yield* Fiber.interrupt(holding)
        assert.strictEqual((yield* search).length, 1)
      }))
  })
}

for (const { bin, name: server } of Postgres.found.filter(hasVector)) {
  layer(Postgres.layer(bin), { timeout: "60 seconds" })(`the index on vectors on ${server}`, (it) => {
    it.scoped(
      "is built once by instances that start together, and then answers searches",
      () =>
        Effect.gen(function*() {
          const { createDatabase } = yield* Postgres.Server
          const database = yield* createDatabase
          const exact = yield* storeOn(database, { indexFrom: Number.POSITIVE_INFINITY })
          yield* fill(exact.sql, 8_000)
          const few = yield* Effect.forEach(
            [1, 2, 3],
            (seed) => exact.store.search({ tenant: "tenant", text: "", vector: queryVector(seed), limit: 10 })
          )
          assert.isUndefined(yield* state(exact.sql, name))
          yield* preferIndexes(exact.sql, database)
          yield* Effect.all([1, 2, 3, 4].map(() => storeOn(database, { indexFrom: 5_000 })), {
            concurrency: "unbounded"
          })
          const { scans = 0 } = (yield* built(exact.sql, name)) ?? {}
          yield* Effect.scoped(Effect.gen(function*() {
            const { store } = yield* storeOn(database)
            for (const [n, seed] of [1, 2, 3].entries()) {
              const vector = queryVector(seed)
              const expected = few[n]?.map(({ passage }) => passage.documentId) ?? []
              const hits = yield* store.search({ tenant: "tenant", text: "", vector, limit: 10 })
              const shared = hits.filter(({ passage }) => expected.includes(passage.documentId))
              assert.isAtLeast(shared.length, 9)
              // Half of the passages pass, and none may be lost for that.
              const filter = { since: "2026-01-01" }
              const later = yield* store.search({ tenant: "tenant", text: "", vector, limit: 100, filter })
              assert.strictEqual(later.length, 100)
              assert.isTrue(later.every(({ passage }) => passage.publishedAt?.startsWith("2026-06") === true))
            }
          }))
          // A session counts what it used when it ends.
          yield* isUsed(exact.sql, name, scans + 5)
          const indexes = yield* exact.sql`
          select from pg_index where indrelid = 'causeway_vectors'::regclass and indisvalid and not indisprimary`
          assert.strictEqual(indexes.length, 1)
        }),
      60_000
    )

    it.scoped(
      "is left to whoever builds it, and built anew when its builder was killed",
      () =>
        Effect.gen(function*() {
          const { createDatabase } = yield* Postgres.Server
          const database = yield* createDatabase
          const { sql } = yield* storeOn(database, { indexFrom: Number.POSITIVE_INFINITY })
          yield* fill(sql, 1_000)
          const release = yield* open(sql)
          // Waits for the open transaction before it begins.
          yield* storeOn(database, { indexFrom: 500 })
          const begun = yield* until(state(sql, name), (index) => index !== undefined)
          assert.isFalse(begun?.isValid)
          const second = yield* storeOn(database, { indexFrom: 500 })
          yield* second.store.ping
          // It has looked when it has asked for the lock that the builder holds.
          yield* until(
            sql`
            select from pg_stat_activity where datname = current_database() and query like '%pg_try_advisory_lock%'
              and state = 'idle'`,
            (asked) => asked.length > 0
          )
          assert.strictEqual((yield* state(sql, name))?.oid, begun?.oid)
          yield* sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and query like 'create index concurrently%'`
          yield* until(
            sql`select from pg_stat_activity where datname = current_database() and query like 'create index concurrently%'`,
            (building) => building.length === 0
          )
          yield* release
          assert.isFalse((yield* state(sql, name))?.isValid)
          yield* storeOn(database, { indexFrom: 500 })
          const anew = yield* built(sql, name)
          assert.notStrictEqual(anew?.oid, begun?.oid)
        }),
      60_000
    )

    it.scoped("is not relied on when it gives up before it has enough", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const database = yield* createDatabase
        const exact = yield* storeOn(database, { indexFrom: Number.POSITIVE_INFINITY })
        yield* fill(exact.sql, 8_000)
        yield* preferIndexes(exact.sql, database)
        yield* exact.sql.unsafe(`alter database ${database} set hnsw.max_scan_tuples = 1`)
        yield* exact.sql.unsafe(`alter database ${database} set hnsw.scan_mem_multiplier = 1`)
        const vector = queryVector(5)
        // All that the index finds first is filtered out.
        yield* exact.sql`
          update causeway_documents set published_at = null where id in (
            select document from causeway_vectors join causeway_passages on id = passage
            order by embedding <#> ${`[${vector.join(",")}]`}::vector limit 2000
          )`
        const ask = { tenant: "tenant", text: "", vector, limit: 100, filter: { since: "2000-01-01" } }
        const ids = (each: typeof exact.store) =>
          Effect.map(each.search(ask), (hits) => hits.map(({ passage }) => passage.documentId))
        const expected = yield* ids(exact.store)
        assert.lengthOf(expected, 100)
        const { sql, store } = yield* storeOn(database, { indexFrom: 5_000, halfPrecision: true })
        const half = PgVectorIndex.nameOf(dimensions, "halfvec")
        yield* built(sql, half)
        assert.deepStrictEqual(yield* ids(store), expected)
      }), 60_000)

    it.scoped("is for the vectors of its own dimensions alone, so that others can be stored", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const database = yield* createDatabase
        const { sql } = yield* storeOn(database, { indexFrom: Number.POSITIVE_INFINITY })
        yield* fill(sql, 600)
        yield* storeOn(database, { indexFrom: 500 })
        yield* built(sql, name)
        yield* sql`insert into causeway_vectors (tenant, passage, embedding) values (9, 1, '[1,0]')`
      }))
  })
}
