import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgVectorIndex from "causeway-mcp/document/internal/PgVectorIndex"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Postgres from "./postgres.js"
import * as Vectors from "./vectors.js"

const servers = Postgres.found.filter(Vectors.hasVector)

if (servers.length === 0) {
  const missing = "no PostgreSQL with pgvector found: install it or set PG_BIN"
  process.stderr.write(`The index on vectors: skipped, ${missing}\n`)
  describe("the index on vectors", () => {
    it("finds a server to test", (test) => test.skip(missing))
  })
}

for (const { bin, name: server } of servers) {
  layer(Postgres.layer(bin), { timeout: "60 seconds" })(`the index on vectors on ${server}`, (it) => {
    it.scoped(
      "is built once by instances that start together, and then answers searches",
      () =>
        Effect.gen(function*() {
          const { createDatabase } = yield* Postgres.Server
          const database = yield* createDatabase
          const exact = yield* Vectors.storeOn(database, { indexFrom: Number.POSITIVE_INFINITY })
          yield* Vectors.fill(exact.sql, 8_000)
          const few = yield* Effect.forEach(
            [1, 2, 3],
            (seed) => exact.store.search({ tenant: "tenant", text: "", vector: Vectors.queryVector(seed), limit: 10 })
          )
          assert.isUndefined(yield* Vectors.state(exact.sql, Vectors.name))
          yield* Vectors.preferIndexes(exact.sql, database)
          yield* Effect.all([1, 2, 3, 4].map(() => Vectors.storeOn(database, { indexFrom: 5_000 })), {
            concurrency: "unbounded"
          })
          const { scans = 0 } = (yield* Vectors.built(exact.sql, Vectors.name)) ?? {}
          yield* Effect.scoped(Effect.gen(function*() {
            const { store } = yield* Vectors.storeOn(database)
            for (const [n, seed] of [1, 2, 3].entries()) {
              const vector = Vectors.queryVector(seed)
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
          yield* Vectors.isUsed(exact.sql, Vectors.name, scans + 5)
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
          const { sql } = yield* Vectors.storeOn(database, { indexFrom: Number.POSITIVE_INFINITY })
          yield* Vectors.fill(sql, 1_000)
          const release = yield* Vectors.open(sql)
          // Waits for the open transaction before it begins.
          yield* Vectors.storeOn(database, { indexFrom: 500 })
          const begun = yield* Vectors.until(Vectors.state(sql, Vectors.name), (index) => index !== undefined)
          assert.isFalse(begun?.isValid)
          const second = yield* Vectors.storeOn(database, { indexFrom: 500 })
          yield* second.store.ping
          // It has looked when it has asked for the lock that the builder holds.
          yield* Vectors.until(
            sql`
            select from pg_stat_activity where datname = current_database() and query like '%pg_try_advisory_lock%'
              and state = 'idle'`,
            (asked) => asked.length > 0
          )
          assert.strictEqual((yield* Vectors.state(sql, Vectors.name))?.oid, begun?.oid)
          yield* sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and query like 'create index concurrently%'`
          yield* Vectors.until(
            sql`select from pg_stat_activity where datname = current_database() and query like 'create index concurrently%'`,
            (building) => building.length === 0
          )
          yield* release
          assert.isFalse((yield* Vectors.state(sql, Vectors.name))?.isValid)
          yield* Vectors.storeOn(database, { indexFrom: 500 })
          const anew = yield* Vectors.built(sql, Vectors.name)
          assert.notStrictEqual(anew?.oid, begun?.oid)
        }),
      60_000
    )

    it.scoped("is not relied on when it gives up before it has enough", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const database = yield* createDatabase
        const exact = yield* Vectors.storeOn(database, { indexFrom: Number.POSITIVE_INFINITY })
        yield* Vectors.fill(exact.sql, 8_000)
        yield* Vectors.preferIndexes(exact.sql, database)
        yield* exact.sql.unsafe(`alter database ${database} set hnsw.max_scan_tuples = 1`)
        yield* exact.sql.unsafe(`alter database ${database} set hnsw.scan_mem_multiplier = 1`)
        const vector = Vectors.queryVector(5)
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
        const { sql, store } = yield* Vectors.storeOn(database, { indexFrom: 5_000, halfPrecision: true })
        const half = PgVectorIndex.nameOf(Vectors.dimensions, "halfvec")
        yield* Vectors.built(sql, half)
        assert.deepStrictEqual(yield* ids(store), expected)
      }), 60_000)

    it.scoped("is for the vectors of its own dimensions alone, so that others can be stored", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const database = yield* createDatabase
        const { sql } = yield* Vectors.storeOn(database, { indexFrom: Number.POSITIVE_INFINITY })
        yield* Vectors.fill(sql, 600)
        yield* Vectors.storeOn(database, { indexFrom: 500 })
        yield* Vectors.built(sql, Vectors.name)
        yield* sql`insert into causeway_vectors (tenant, passage, embedding) values (9, 1, '[1,0]')`
      }))
  })

  layer(Postgres.layer(bin), { timeout: "60 seconds", excludeTestServices: true })(
    `building the index on vectors on ${server}`,
    (it) => {
      const none = { indexFrom: Number.POSITIVE_INFINITY }

      /** A database of so many vectors, and a client that has nothing to do with the stores on it. */
      const filled = (count: number) =>
        Effect.gen(function*() {
          const { createDatabase } = yield* Postgres.Server
          const database = yield* createDatabase
          const { sql } = yield* Vectors.storeOn(database, none)
          yield* Vectors.fill(sql, count)
          return { database, sql }
        })

      const soon = Schedule.spaced("10 millis")

      const isBuilt = (sql: SqlClient.SqlClient, name: string) =>
        Effect.repeat(Vectors.state(sql, name), { until: (index) => index?.isValid === true, schedule: soon }).pipe(
          Effect.timeout("20 seconds")
        )

      const isBegun = (sql: SqlClient.SqlClient) =>
        Effect.repeat(Vectors.state(sql, Vectors.name), { until: (index) => index !== undefined, schedule: soon }).pipe(
          Effect.timeout("20 seconds")
        )

      const poolOf = (maxConnections: number, database: string) =>
        Effect.map(Postgres.Server, ({ process }) =>
          PgClient.layer({
            host: "127.0.0.1",
            port: process.port,
            username: "postgres",
            database,
            maxConnections
          }))

      it.scoped("is not done over the only connection of a pool, and says so", () =>
        Effect.gen(function*() {
          const { database, sql } = yield* filled(600)
          const release = yield* Vectors.open(sql)
          const said: Array<string> = []
          const logger = Logger.make(({ message }) => void said.push(String(message)))
          const context = yield* Layer.build(
            PgDocumentStore.layer({ indexFrom: 500 }).pipe(
              Layer.provide(yield* poolOf(1, database)),
              Layer.provide(Vectors.Small)
            )
          ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
          const store = Context.get(context, DocumentStore.DocumentStore)
          yield* Effect.repeat(Effect.sync(() => said), { until: (lines) => lines.length > 0, schedule: soon }).pipe(
            Effect.timeoutOption("3 seconds")
          )
          yield* TimeLimit.within(store.ping, "1 second")
          assert.isUndefined(yield* Vectors.state(sql, Vectors.name))
          assert.lengthOf(said.filter((line) => line.includes("one connection")), 1)
          yield* release
        }))

      it.scoped("ends with the store, leaves nothing running and is taken up by the next", () =>
        Effect.gen(function*() {
          const { database, sql } = yield* filled(600)
          const release = yield* Vectors.open(sql)
          const scope = yield* Scope.make()
          yield* Scope.extend(Vectors.storeOn(database, { indexFrom: 500 }), scope)
          yield* isBegun(sql)
          // What the planner needs to know is known before there is an index.
          assert.lengthOf(yield* sql`select from pg_statistic_ext where stxname = 'causeway_vectors_dimensions'`, 1)
          const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
          assert.isBelow(Duration.toMillis(took), 3_000)
          const sessions = sql`
            select from pg_stat_activity
            where datname = current_database() and query ilike 'create index%' and state = 'active'`
          assert.lengthOf(yield* sessions, 0)
          assert.isFalse((yield* Vectors.state(sql, Vectors.name))?.isValid)
          yield* release
          yield* Vectors.storeOn(database, { indexFrom: 500 })
          yield* isBuilt(sql, Vectors.name)
        }))

      it.scoped("waits for as long as it takes whatever limits its role has, and gives every setting back", () =>
        Effect.gen(function*() {
          const { database, sql } = yield* filled(600)
          const release = yield* Vectors.open(sql)
          const client = yield* Layer.build(yield* poolOf(2, database))
          const pool = Context.get(client, SqlClient.SqlClient)
          const both = <A, E>(effect: Effect.Effect<A, E>) =>
            Effect.gen(function*() {
              const isReady = yield* Effect.makeLatch()
              let waiting = 0
              const meet = Effect.zipRight(
                Effect.suspend(() => ++waiting === 2 ? isReady.open : Effect.void),
                isReady.await
              )
              return yield* Effect.all([1, 2].map(() => pool.withTransaction(Effect.zipRight(meet, effect))), {
                concurrency: 2
              })
            })
          const settings = ["statement_timeout", "lock_timeout", "maintenance_work_mem"] as const
          yield* both(Effect.forEach(settings, (name, n) => pool.unsafe(`set ${name} = ${n === 2 ? 12345 : 300}`)))
          const current = both(Effect.forEach(settings, (name) => pool.unsafe(`show ${name}`)))
          const before = yield* current
          yield* Layer.build(
            PgDocumentStore.layer({ indexFrom: 500 }).pipe(
              Layer.provide(Layer.succeedContext(client)),
              Layer.provide(Vectors.Small)
            )
          )
          yield* isBegun(sql)
          yield* Effect.sleep("800 millis")
          yield* release
          yield* isBuilt(sql, Vectors.name)
          yield* Effect.repeat(
            sql`select from pg_locks where locktype = 'advisory' and database = (
              select oid from pg_database where datname = current_database())`,
            { until: (locks) => locks.length === 0, schedule: soon }
          )
          assert.deepStrictEqual(yield* current, before)
        }))

      it.scoped("puts the one index in the other's place when half the digits are to be kept, or all again", () =>
        Effect.gen(function*() {
          const { database, sql } = yield* filled(600)
          const half = PgVectorIndex.nameOf(Vectors.dimensions, "halfvec")
          const isGone = (name: string) =>
            Effect.repeat(Vectors.state(sql, name), { until: (index) => index === undefined, schedule: soon }).pipe(
              Effect.timeout("10 seconds")
            )
          const found = Effect.gen(function*() {
            const { store } = yield* Vectors.storeOn(database, none)
            const hits = yield* store.search({ tenant: "tenant", text: "", vector: Vectors.queryVector(2), limit: 50 })
            return hits.map(({ passage }) => passage.documentId)
          })
          const exact = yield* found
          for (const halfPrecision of [false, true, false]) {
            yield* Effect.scoped(Effect.gen(function*() {
              yield* Vectors.storeOn(database, { indexFrom: 500, halfPrecision })
              yield* isBuilt(sql, halfPrecision ? half : Vectors.name)
              yield* isGone(halfPrecision ? Vectors.name : half)
            }))
            assert.deepStrictEqual(yield* found, exact)
          }
        }))

      it.scoped("drops the index of an embedder's vectors when there are none any more, and not before", () =>
        Effect.gen(function*() {
          const { database, sql } = yield* filled(600)
          yield* Effect.scoped(Effect.zipRight(
            Vectors.storeOn(database, { indexFrom: 500 }),
            isBuilt(sql, Vectors.name)
          ))
          const other = Layer.succeed(Embedder.Embedder, {
            id: "small-8",
            dimensions: 8,
            embed: (texts) => Effect.succeed(texts.map(() => new Float32Array(8)))
          })
          const eight = PgVectorIndex.nameOf(8, "vector")
          const { client } = yield* Postgres.Server
          const open = Layer.build(
            PgDocumentStore.layer({ indexFrom: 500 }).pipe(
              Layer.provide(Layer.fresh(client(database))),
              Layer.provide(other)
            )
          )
          const change = (where: string) =>
            Effect.zipRight(
              sql.unsafe(`update causeway_vectors set embedding = subvector(embedding, 1, 8)
                where vector_dims(embedding) = 16 and passage ${where}`),
              sql.unsafe(`update causeway_documents set dimensions = 8, embedder = 'small-8' where id in (
                select document from causeway_passages where id ${where})`)
            )
          yield* change("% 2 = 0")
          yield* Effect.scoped(Effect.zipRight(open, isBuilt(sql, eight)))
          assert.isTrue((yield* Vectors.state(sql, Vectors.name))?.isValid)
          yield* change("> 0")
          yield* open
          yield* Effect.repeat(Vectors.state(sql, Vectors.name), {
            until: (index) => index === undefined,
            schedule: soon
          }).pipe(Effect.timeout("10 seconds"))
          assert.isTrue((yield* Vectors.state(sql, eight))?.isValid)
        }))
    }
  )
}
