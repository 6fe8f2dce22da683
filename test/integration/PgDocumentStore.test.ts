import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as DocumentStoreLaws from "causeway-mcp/testing/DocumentStoreLaws"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Postgres from "./postgres.js"

const Embedding = Embedder.layerHash

const Store = PgDocumentStore.layer.pipe(Layer.provideMerge(Embedding))

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
          assert.deepStrictEqual(yield* store.size("tenant"), { documents: 0, passages: 0 })
        }
        const migrations = yield* Effect.forEach(
          instances,
          ({ sql }) => sql`select migration_id from causeway_migrations`
        )
        assert.deepStrictEqual(migrations, Array.from({ length: 6 }, () => [{ migration_id: 1 }]))
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
        const [counted] = yield* first.sql`
          select (select sum(tenant.passages) from causeway_tenants as tenant)::int as tallied,
            (select sum(tenant.tokens) from causeway_tenants as tenant)::int as tokens,
            (select count(*) from causeway_passages)::int as passages,
            (select count(*) from causeway_vectors)::int as vectors,
            (select count(*) from causeway_documents)::int as documents,
            (select sum(passages) from causeway_documents)::int as claimed,
            (select sum(tokens) from causeway_passages)::int as held,
            (select sum(frequency) from causeway_postings)::int as posted`
        const { documents: stored, passages } = yield* first.store.size("tenant")
        assert.isAtLeast(stored, 60)
        assert.deepStrictEqual(counted, {
          tallied: passages,
          passages,
          vectors: passages,
          claimed: passages,
          documents: stored,
          tokens: counted?.["tokens"],
          held: counted?.["tokens"],
          posted: counted?.["tokens"]
        })
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
