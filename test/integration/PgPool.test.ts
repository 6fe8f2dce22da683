import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Postgres from "./postgres.js"

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`The pool of a store: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("the pool of a store", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

/** A store whose pool has so many connections, and a client that has nothing to do with it. */
const storeOn = (maxConnections: number) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const database = yield* server.createDatabase
    const pool = PgClient.layer({
      host: "127.0.0.1",
      port: server.process.port,
      username: "postgres",
      database,
      maxConnections,
      applicationName: "pool"
    })
    const context = yield* Layer.build(
      PgDocumentStore.layer().pipe(Layer.provideMerge(pool), Layer.provide(Embedder.layerHash))
    )
    const other = Context.get(yield* Layer.build(Layer.fresh(server.client(database))), SqlClient.SqlClient)
    const store = Context.get(context, DocumentStore.DocumentStore)
    yield* store.index("tenant", [{ id: "a", text: "Herons." }])
    return { store, sql: Context.get(context, SqlClient.SqlClient), other }
  })

/** Keeps everyone from a table until the fiber is interrupted. */
const locked = (sql: SqlClient.SqlClient, table: string) =>
  Effect.gen(function*() {
    const isHeld = yield* Deferred.make<void>()
    const fiber = yield* Effect.fork(sql.withTransaction(
      sql.unsafe(`lock table ${table} in access exclusive mode`).pipe(
        Effect.zipRight(Deferred.succeed(isHeld, undefined)),
        Effect.zipRight(Effect.never)
      )
    ))
    yield* Deferred.await(isHeld)
    return fiber
  })

const search = { tenant: "tenant", text: "herons", limit: 1 }

const waiting = (sql: SqlClient.SqlClient) =>
  sql`select from pg_stat_activity where application_name = 'pool' and wait_event_type = 'Lock'`

const tables = ["causeway_postings", "causeway_passages"]

for (const { bin, name: server } of Postgres.found) {
  layer(Postgres.layer(bin), { timeout: "60 seconds", excludeTestServices: true })(`the pool on ${server}`, (it) => {
    for (const table of tables) {
      it.scoped(`has its connections back when searches that wait for ${table} are over, and nothing runs on`, () =>
        Effect.gen(function*() {
          const { other, sql, store } = yield* storeOn(2)
          const holder = yield* locked(other, table)
          const searches = yield* Effect.forEach(
            [1, 2],
            () => Effect.fork(Effect.flip(TimeLimit.within(store.search(search), "700 millis")))
          )
          yield* Effect.repeat(waiting(other), { until: (rows) => rows.length === 2 })
          const began = performance.now()
          for (const fiber of searches) {
            const error = yield* Fiber.join(fiber)
            assert.strictEqual(error.reason._tag, "Unavailable")
          }
          // The driver ends a statement over another connection of the pool, and there is none.
          yield* TimeLimit.within(store.ping, "1 second")
          assert.isBelow(performance.now() - began, 1_700)
          yield* Effect.repeat(waiting(other), {
            until: (rows) => rows.length === 0,
            schedule: Schedule.spaced("5 millis")
          }).pipe(Effect.timeout("1 second"))
          const settings = yield* Effect.forEach(
            [1, 2, 3, 4],
            () => sql`select current_setting('statement_timeout') as limit, current_setting('jit') as jit`,
            {
              concurrency: "unbounded"
            }
          )
          assert.deepStrictEqual(settings.flat().map(({ limit }) => limit), ["0", "0", "0", "0"])
          yield* Fiber.interrupt(holder)
          assert.strictEqual((yield* store.search(search)).length, 1)
        }))
    }

    it.scoped("has its connections back when writers are over that wait for a document, and writes none of it", () =>
      Effect.gen(function*() {
        const { other, store } = yield* storeOn(2)
        const isHeld = yield* Deferred.make<void>()
        const holder = yield* Effect.fork(other.withTransaction(
          other`select pg_advisory_xact_lock(hashtextextended('a', id)) from causeway_tenants`.pipe(
            Effect.zipRight(Deferred.succeed(isHeld, undefined)),
            Effect.zipRight(Effect.never)
          )
        ))
        yield* Deferred.await(isHeld)
        const writers = yield* Effect.forEach(
          [store.index("tenant", [{ id: "a", text: "Storks." }]), store.remove("tenant", ["a"])],
          (write: Effect.Effect<unknown, DocumentStore.DocumentStoreError>) =>
            Effect.fork(Effect.flip(TimeLimit.within(write, "700 millis")))
        )
        yield* Effect.repeat(waiting(other), { until: (rows) => rows.length === 2 })
        for (const fiber of writers) assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "Unavailable")
        yield* TimeLimit.within(store.ping, "1 second")
        yield* Fiber.interrupt(holder)
        assert.strictEqual((yield* store.get("tenant", "a"))[0]?.text, "Herons.")
        assert.deepStrictEqual(yield* store.index("tenant", [{ id: "a", text: "Herons." }]), [
          { id: "a", status: "unchanged", passages: 1 }
        ])
      }))

    it.scoped("bounds what waits for it by its own time, and does what comes after", () =>
      Effect.gen(function*() {
        const { other, store } = yield* storeOn(2)
        const holder = yield* locked(other, "causeway_postings")
        const searches = yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => Effect.fork(Effect.flip(store.search(search))))
        yield* Effect.repeat(waiting(other), { until: (rows) => rows.length === 2 })
        const asks: ReadonlyArray<Effect.Effect<unknown, DocumentStore.DocumentStoreError>> = [
          store.ping,
          store.get("tenant", "a"),
          store.size("tenant"),
          store.list("tenant", { limit: 1 }),
          store.index("tenant", [{ id: "b", text: "Storks." }]),
          store.remove("tenant", ["a"])
        ]
        yield* Effect.forEach(asks, (ask) =>
          Effect.gen(function*() {
            const began = performance.now()
            const error = yield* Effect.flip(TimeLimit.within(ask, "300 millis"))
            assert.strictEqual(error.reason._tag, "Unavailable")
            assert.isBelow(performance.now() - began, 900)
          }), { concurrency: "unbounded" })
        yield* Fiber.interrupt(holder)
        yield* Fiber.interruptAll(searches)
        // What was given up in the queue did nothing.
        assert.strictEqual((yield* store.search(search)).length, 1)
        assert.strictEqual((yield* store.size("tenant")).documents, 1)
        assert.strictEqual((yield* store.index("tenant", [{ id: "b", text: "Storks." }]))[0]?.status, "indexed")
      }))

    it.scoped("keeps the limit that its role has where that is shorter, and leaves it as it was", () =>
      Effect.gen(function*() {
        const { other, sql, store } = yield* storeOn(1)
        yield* sql`set statement_timeout = '400ms'`
        const holder = yield* locked(other, "causeway_passages")
        const began = performance.now()
        const error = yield* Effect.flip(store.search(search))
        assert.strictEqual(error.reason._tag, "Unavailable")
        assert.isBelow(performance.now() - began, 2_000)
        assert.deepStrictEqual(yield* sql`select current_setting('statement_timeout') as limit`, [{ limit: "400ms" }])
        yield* Fiber.interrupt(holder)
        assert.strictEqual((yield* store.search(search)).length, 1)
      }))
  })
}
