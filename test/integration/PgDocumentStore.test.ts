import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as DocumentStoreLaws from "causeway-mcp/testing/DocumentStoreLaws"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestServices from "effect/TestServices"
import * as Consistency from "./consistency.js"
import * as Postgres from "./postgres.js"

const Embedding = Embedder.layerHash

const Store = PgDocumentStore.layer().pipe(Layer.provideMerge(Embedding))

/** A store of its own, as another process would have one. */
const instance = (database: string, username?: string) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const context = yield* Layer.build(Store.pipe(Layer.provideMerge(Layer.fresh(server.client(database, username)))))
    return {
      store: yield* Effect.provide(DocumentStore.DocumentStore, context),
      sql: yield* Effect.provide(SqlClient.SqlClient, context)
    }
  })

const documents = (count: number, generation: number) =>
  Array.from({ length: count }, (_, n) => ({
    id: `document-${n}`,
    text: `Document ${n}, written anew ${generation} times, is about herons. `.repeat(1 + n % 40)
  }))

const shuffled = <A>(values: ReadonlyArray<A>, seed: number): ReadonlyArray<A> =>
  values.map((value, n) => ({ value, key: (n * 7_919 + seed * 104_729) % 10_007 }))
    .sort((a, b) => a.key - b.key).map(({ value }) => value)

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`PgDocumentStore on a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("PgDocumentStore on a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

for (const { bin, name } of Postgres.found) {
  const Server = Postgres.layer(bin)

  layer(Server, { timeout: "60 seconds" })(`PgDocumentStore.layer on ${name}`, (it) => {
    it.layer(Store.pipe(Layer.provide(Layer.unwrapEffect(Effect.map(Postgres.Server, ({ empty }) => empty)))))((it) => {
      for (const { check, name } of DocumentStoreLaws.laws) it.effect(name, () => check)
    })

    it.scoped("makes its tables once when many instances open an empty database together", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const instances = yield* Effect.all(Array.from({ length: 6 }, () => instance(database)), {
          concurrency: "unbounded"
        })
        for (const { store } of instances) {
          assert.deepStrictEqual(yield* store.size("tenant"), { documents: 0, passages: 0, revision: 0 })
        }
        const [first] = instances
        assert.isDefined(first)
        if (first === undefined) return
        const migrations = yield* first.sql<{ readonly id: number }>`
          select migration_id as id from causeway_migrations order by migration_id`
        assert.deepStrictEqual(migrations.map(({ id }) => id), migrations.map((_, n) => n + 1))
        assert.isNotEmpty(migrations)
      }))

    it.scoped("does without pgvector for a role that may not install it", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create role limited login`
          yield* sql`grant usage, create on schema public to limited`
        }).pipe(Effect.provide(server.client(database)))
        const { sql, store } = yield* instance(database, "limited")
        assert.deepStrictEqual(yield* sql`select from pg_extension where extname = 'vector'`, [])
        yield* store.index("tenant", [{ id: "a", text: "The fund bought bonds." }, { id: "b", text: "A heron." }])
        const [vector] = yield* Effect.flatMap(Embedder.Embedder, ({ embed }) => embed(["The fund bought bonds."]))
          .pipe(
            Effect.provide(Embedding)
          )
        const [hit] = yield* store.search({ tenant: "tenant", text: "", vector, limit: 1 })
        assert.strictEqual(hit?.passage.documentId, "a")
        assert.closeTo(hit?.signals.cosine ?? 0, 1, 1e-6)
      }))

    it.scoped("neither doubles nor deadlocks when instances write the same documents at once", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const instances = yield* Effect.all(Array.from({ length: 4 }, () => instance(database)))
        for (let generation = 0; generation < 3; generation++) {
          const outcomes = yield* Effect.forEach(
            instances,
            ({ store }, n) => store.index("tenant", shuffled(documents(120, generation), n)),
            { concurrency: "unbounded" }
          )
          const indexed = outcomes.flat().filter(({ status }) => status === "indexed")
          assert.strictEqual(indexed.length, 120)
          assert.isTrue(outcomes.flat().every(({ status }) => status !== "refused"))
        }
        yield* Effect.all([
          ...instances.map(({ store }, n) => store.index("tenant", shuffled(documents(120, 3), n))),
          ...instances.map(({ store }) => store.remove("tenant", documents(60, 0).map(({ id }) => id)))
        ], { concurrency: "unbounded", discard: true })
        const [first] = instances
        assert.isDefined(first)
        if (first === undefined) return
        assert.isAtLeast((yield* first.store.size("tenant")).documents, 60)
        yield* Consistency.check(first.sql)
      }))

    it.scoped("lets one embedder alone into an empty database, whoever begins at once", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const first = yield* instance(database)
        const renamed = Layer.map(Embedding, (context) => {
          const embedder = Context.get(context, Embedder.Embedder)
          return Context.make(Embedder.Embedder, { ...embedder, id: "another" })
        })
        const second = Context.get(
          yield* Layer.build(
            PgDocumentStore.layer().pipe(
              Layer.provide(renamed),
              Layer.provide(Layer.fresh(server.client(database)))
            )
          ),
          DocumentStore.DocumentStore
        )
        const isWritten = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const holding = yield* Effect.fork(first.sql.withTransaction(
          first.store.index("north", documents(1, 0)).pipe(
            Effect.zipLeft(Deferred.succeed(isWritten, undefined)),
            Effect.zipLeft(Deferred.await(goOn))
          )
        ))
        yield* Deferred.await(isWritten)
        const other = yield* Effect.fork(Effect.either(second.index("south", documents(1, 0))))
        const waits = first.sql`select from pg_stat_activity where wait_event_type = 'Lock'`
        yield* Effect.raceFirst(Effect.repeat(waits, { until: (rows) => rows.length > 0 }), Fiber.await(other))
        yield* Deferred.succeed(goOn, undefined)
        assert.strictEqual((yield* Fiber.join(holding))[0]?.status, "indexed")
        const outcome = yield* Fiber.join(other)
        assert.strictEqual(outcome._tag === "Left" ? outcome.left.reason._tag : outcome._tag, "Incompatible")
        assert.strictEqual((yield* first.store.index("south", documents(1, 0)))[0]?.status, "indexed")
      }))

    it.scoped("says that its role lacks a right, instead of seeming to be away", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`do $$ begin create role stranger login; exception when duplicate_object then null; end $$`
          yield* sql`revoke create on schema public from public`
        }).pipe(Effect.provide(server.client(database)))
        const error = yield* Effect.flip(Effect.asVoid(instance(database, "stranger")))
        assert.match(error.message, /role.*right.*grant/)
        yield* instance(database)
        const again = yield* Effect.flip(Effect.asVoid(instance(database, "stranger")))
        assert.match(again.message, /role.*right.*grant/)
      }))

    it.scoped("updates tables without keeping readers waiting behind whoever holds them", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const old = yield* instance(database)
        yield* old.store.index("t", documents(1, 0))
        // As the program before this one left them.
        yield* old.sql`drop table causeway_reindexing`
        yield* old.sql`alter table causeway_documents drop column hashed_for`
        yield* old.sql`delete from causeway_migrations where migration_id = 3`
        const isReading = yield* Deferred.make<void>()
        const isOver = yield* Deferred.make<void>()
        const holder = yield* Effect.fork(old.sql.withTransaction(
          old.sql`select from causeway_documents`.pipe(
            Effect.zipRight(Deferred.succeed(isReading, undefined)),
            Effect.zipRight(Deferred.await(isOver))
          )
        ))
        yield* Deferred.await(isReading)
        const opening = yield* Effect.fork(TestServices.provideLive(instance(database)))
        const waits = old.sql`select from pg_stat_activity where wait_event_type = 'Lock'`
        yield* Effect.repeat(waits, { until: (rows) => rows.length > 0 })
        assert.strictEqual((yield* old.store.get("t", "document-0")).length, 1)
        yield* Deferred.succeed(isOver, undefined)
        yield* Fiber.join(holder)
        const updated = yield* Fiber.join(opening)
        assert.strictEqual((yield* updated.store.index("t", documents(1, 0)))[0]?.status, "unchanged")
      }))

    it.scoped("does everything over a single connection", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const single = PgClient.layer({
          host: "127.0.0.1",
          port: server.process.port,
          username: "postgres",
          database,
          maxConnections: 1
        })
        const context = yield* Layer.build(Store.pipe(Layer.provideMerge(single)))
        const store = Context.get(context, DocumentStore.DocumentStore)
        const sql = Context.get(context, SqlClient.SqlClient)
        const following = yield* Effect.fork(
          Stream.runCollect(Stream.take(store.changes({ tenant: "t", after: 0 }), 80))
        )
        yield* Effect.all([
          ...Array.from({ length: 20 }, (_, n) => store.index("t", [{ id: `a-${n}`, text: "A heron." }])),
          ...Array.from({ length: 20 }, () => store.search({ tenant: "t", text: "heron", limit: 3 }))
        ], { concurrency: "unbounded", discard: true })
        yield* sql.withTransaction(store.index("t", documents(60, 0)))
        assert.strictEqual(yield* store.remove("t", ["a-0", "none"]), 1)
        yield* Fiber.join(following).pipe(Effect.timeout("20 seconds"))
        yield* Consistency.check(sql)
      }))

    it.scoped("keeps a batch whole: a connection lost on the way leaves nothing, as a typed error", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const writer = yield* instance(database)
        const other = yield* instance(database)
        yield* writer.store.index("tenant", documents(1, 0))
        const isLocked = yield* Deferred.make<void>()
        const blocker = yield* other.sql.withTransaction(Effect.gen(function*() {
          yield* other.sql`select from causeway_tenants for update`
          yield* Deferred.succeed(isLocked, undefined)
          return yield* Effect.never
        })).pipe(Effect.fork)
        yield* Deferred.await(isLocked)
        const writing = yield* Effect.fork(Effect.either(writer.store.index("tenant", documents(40, 1))))
        const terminate = other.sql<{ readonly done: boolean }>`
          select pg_terminate_backend(pid) as done from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`
        yield* Effect.repeat(terminate, { until: (rows) => rows.length > 0 })
        const result = yield* Fiber.join(writing)
        yield* Fiber.interrupt(blocker)
        assert.strictEqual(result._tag, "Left")
        if (result._tag === "Left") {
          assert.strictEqual(result.left.reason._tag, "Unavailable")
          assert.isTrue(result.left.isRetryable)
        }
        assert.strictEqual((yield* writer.store.size("tenant")).documents, 1)
        assert.strictEqual((yield* writer.store.index("tenant", documents(40, 1))).length, 40)
        assert.strictEqual((yield* writer.store.size("tenant")).documents, 40)
      }))

    it.scoped("writes a batch again whose COMMIT met a conflict, and gives up on any other failure of it", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const { sql, store } = yield* instance(yield* server.createDatabase)
        // A sequence counts attempts, whatever becomes of their transactions.
        yield* sql`create sequence attempts`
        yield* sql.unsafe(`create function fail() returns trigger language plpgsql as $$ begin
          if new.id like 'broken%' then raise exception 'broken' using errcode = 'data_exception'; end if;
          if nextval('attempts') <= 2 then raise exception 'conflict' using errcode = 'serialization_failure'; end if;
          return null;
        end $$`)
        yield* sql`create constraint trigger fail after insert on causeway_documents
          deferrable initially deferred for each row execute function fail()`
        // It pauses between attempts.
        const [outcome] = yield* TestServices.provideLive(store.index("tenant", documents(1, 0)))
        assert.strictEqual(outcome?.status, "indexed")
        assert.deepStrictEqual(yield* sql`select last_value::int as n from attempts`, [{ n: 3 }])
        const error = yield* Effect.flip(store.index("tenant", [{ id: "broken", text: "A heron." }]))
        assert.strictEqual(error.reason._tag, "Unavailable")
        assert.notInclude(error.message, "broken")
        assert.deepStrictEqual(yield* store.size("tenant"), { documents: 1, passages: 1, revision: 1 })
        yield* Consistency.check(sql)
      }))

    it.scoped("writes a batch again that was the victim of a deadlock", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const writer = yield* instance(database)
        const other = yield* instance(database)
        yield* writer.store.index("tenant", documents(1, 0))
        const isLocked = yield* Deferred.make<void>()
        const circle = yield* other.sql.withTransaction(Effect.gen(function*() {
          yield* other.sql`set local deadlock_timeout = '1min'`
          yield* other.sql`select from causeway_tenants for update`
          yield* Deferred.succeed(isLocked, undefined)
          // Within a transaction, what is seen of others stays as it was.
          const blocked = Effect.zipRight(
            other.sql`select pg_stat_clear_snapshot()`,
            other.sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
          )
          yield* Effect.repeat(blocked, { until: (rows) => rows.length > 0 })
          yield* other.sql`
            select pg_advisory_xact_lock(hashtextextended('document-0', id)) from causeway_tenants`
        })).pipe(Effect.fork)
        yield* Deferred.await(isLocked)
        const [outcome] = yield* TestServices.provideLive(writer.store.index("tenant", documents(1, 1)))
        yield* Fiber.join(circle)
        assert.strictEqual(outcome?.status, "indexed")
        assert.strictEqual((yield* writer.store.size("tenant")).revision, 2)
        yield* Consistency.check(writer.sql)
      }))

    it.scoped("writes what was stored when it was judged and is no longer when it is locked", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const writer = yield* instance(database)
        const other = yield* instance(database)
        const document = { id: "document-0", text: "A heron.", version: 1 }
        yield* writer.store.index("tenant", [document])
        const isWritten = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const replacing = yield* other.sql.withTransaction(
          other.store.index("tenant", [{ ...document, text: "A stork.", version: 2 }]).pipe(
            Effect.zipRight(Deferred.succeed(isWritten, undefined)),
            Effect.zipRight(Deferred.await(goOn))
          )
        ).pipe(Effect.fork)
        yield* Deferred.await(isWritten)
        // The content is stored: only its version is to be raised, until the other's transaction ends.
        const writing = yield* Effect.fork(writer.store.index("tenant", [{ ...document, version: 3 }]))
        const blocked = other.sql`
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
        yield* Effect.repeat(blocked, { until: (rows) => rows.length > 0 })
        yield* Deferred.succeed(goOn, undefined)
        yield* Fiber.join(replacing)
        assert.deepStrictEqual(yield* Fiber.join(writing), [{ id: "document-0", status: "indexed", passages: 1 }])
        const [passage] = yield* writer.store.get("tenant", "document-0")
        assert.deepStrictEqual([passage?.text, passage?.version], ["A heron.", 3])
        yield* Consistency.check(writer.sql)
      }))

    it.scoped("waits for the disk where the server is set not to", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const { sql, store } = yield* instance(yield* server.createDatabase)
        const settings = yield* sql.withTransaction(Effect.gen(function*() {
          yield* sql`set local synchronous_commit = off`
          yield* store.index("tenant", documents(1, 0))
          return yield* sql`select current_setting('synchronous_commit') as setting`
        }))
        assert.deepStrictEqual(settings, [{ setting: "on" }])
      }))
  })

  layer(Server, { timeout: "60 seconds" })(`PgDocumentStore.layer when ${name} goes away`, (it) => {
    it.scoped("answers every question with a typed error, soon", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const { store } = yield* instance(yield* server.createDatabase)
        yield* store.index("tenant", documents(1, 0))
        yield* server.stop
        const questions: ReadonlyArray<Effect.Effect<unknown, DocumentStore.DocumentStoreError>> = [
          store.ping,
          store.size("tenant"),
          store.get("tenant", "document-0"),
          store.search({ tenant: "tenant", text: "herons", limit: 5 }),
          store.index("tenant", documents(2, 0)),
          store.remove("tenant", ["document-0"])
        ]
        for (const question of questions) {
          const error = yield* Effect.flip(question)
          assert.strictEqual(error.reason._tag, "Unavailable")
          assert.include(error.message, "the document store did not answer")
        }
      }))
  })
}
