import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Chunker from "causeway-mcp/document/Chunker"
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgSchema from "causeway-mcp/document/internal/PgSchema"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Tokenizer from "causeway-mcp/document/Tokenizer"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Postgres from "./postgres.js"

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`Migrations on a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("migrations on a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

const Store = PgDocumentStore.layer().pipe(Layer.provideMerge(Embedder.layerHash))

const instance = (database: string, username?: string) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const context = yield* Layer.build(Store.pipe(Layer.provideMerge(Layer.fresh(server.client(database, username)))))
    return { store: Context.get(context, DocumentStore.DocumentStore), sql: Context.get(context, SqlClient.SqlClient) }
  })

/** A client alone, that opens no store. */
const client = (database: string) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    return Context.get(yield* Layer.build(Layer.fresh(server.client(database))), SqlClient.SqlClient)
  })

/** The tables as the versions before made them. They are history: nothing here may be changed, only added. */
const history = [
  (vector: string) => [
    "create table causeway_migrations (migration_id integer primary key, " +
    "created_at timestamp with time zone not null default now(), name text not null)",
    `create table causeway_tenants (
      id integer generated always as identity primary key,
      name text collate "C" not null unique,
      passages bigint not null default 0,
      tokens bigint not null default 0
    )`,
    `create table causeway_documents (
      tenant integer not null,
      id text collate "C" not null,
      title text not null,
      uri text,
      published_at timestamptz,
      indexed_at timestamptz not null,
      metadata jsonb not null,
      content_hash text not null,
      embedder text collate "C" not null,
      dimensions integer not null,
      passages integer not null,
      primary key (tenant, id)
    )`,
    "create index causeway_documents_embedder on causeway_documents (embedder)",
    "create index causeway_documents_published_at on causeway_documents (tenant, published_at)",
    "create index causeway_documents_metadata on causeway_documents using gin (metadata jsonb_path_ops)",
    `create table causeway_passages (
      id bigint generated always as identity primary key,
      tenant integer not null,
      document text collate "C" not null,
      position integer not null,
      text text not null,
      tokens integer not null,
      unique (tenant, document, position)
    )`,
    `create table causeway_vectors (
      tenant integer not null,
      passage bigint not null,
      embedding ${vector} not null,
      primary key (tenant, passage)
    )`,
    `create table causeway_postings (
      tenant integer not null,
      term text collate "C" not null,
      passage bigint not null,
      frequency integer not null,
      length integer not null,
      primary key (tenant, term, passage) include (frequency, length)
    )`,
    "insert into causeway_migrations (migration_id, name) values (1, 'create_tables')"
  ],
  () => [
    "alter table causeway_documents add column version bigint",
    "alter table causeway_passages add column span_start integer, add column span_end integer",
    "alter table causeway_tenants add column revision bigint not null default 0, " +
    "add column trimmed bigint not null default 0",
    `create table causeway_changes (
      tenant integer not null,
      revision bigint not null,
      document text collate "C" not null,
      is_removal boolean not null,
      version bigint,
      changed_at timestamptz not null,
      primary key (tenant, revision)
    )`,
    "create index causeway_changes_changed_at on causeway_changes (changed_at)",
    "drop index causeway_documents_published_at",
    "create index causeway_documents_published_at on causeway_documents (tenant, published_at desc nulls last, id)",
    "alter table causeway_passages drop constraint causeway_passages_pkey, " +
    "add primary key (id) include (document, position, tokens), " +
    "drop constraint causeway_passages_tenant_document_position_key, " +
    "add unique (tenant, document, position) include (id)",
    "insert into causeway_migrations (migration_id, name) values (2, 'record_changes')"
  ]
]

const old: ReadonlyArray<Document> = Array.from({ length: 12 }, (_, n) => ({
  id: `d${n}`,
  title: n % 2 === 0 ? `Report ${n}` : undefined,
  text: `Herons were seen in year ${n}, and bonds rose. `.repeat(1 + n),
  metadata: { year: n },
  ...(n % 3 === 0 ? { publishedAt: `2025-01-${10 + n}` } : {})
}))

/** A database of a version, with documents written as that version wrote them: one passage each. */
const database = (version: number) =>
  Effect.gen(function*() {
    const { createDatabase } = yield* Postgres.Server
    const name = yield* createDatabase
    const sql = yield* client(name)
    const embedder = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
    yield* Effect.ignore(sql`create extension vector`)
    const [found] = yield* sql<{ readonly type: string | null }>`select to_regtype('vector')::text as type`
    const vector = found?.type ?? "real[]"
    for (const statements of history.slice(0, version)) {
      for (const statement of statements(vector)) yield* sql.unsafe(statement)
    }
    const [tenant] = yield* sql<
      { readonly id: number }
    >`insert into causeway_tenants (name) values ('tenant') returning id`
    const owner = tenant?.id ?? 0
    for (const document of old) {
      const [chunk, ...others] = Chunker.chunk(document)
      assert.lengthOf(others, 0)
      const whole = Chunker.embedded(document.title, chunk?.text ?? "")
      const tokens = Tokenizer.tokens(whole)
      const [embedding] = yield* embedder.embed([whole])
      yield* sql`
        insert into causeway_documents
          (tenant, id, title, published_at, indexed_at, metadata, content_hash, embedder, dimensions, passages)
        values (${owner}, ${document.id}, ${document.title ?? ""}, ${document.publishedAt ?? null}, '2025-02-01Z',
          ${JSON.stringify(document.metadata)}, ${Chunker.fingerprint(document, embedder.id)}, ${embedder.id},
          ${embedder.dimensions}, 1)`
      const [passage] = yield* sql<{ readonly id: string }>`
        insert into causeway_passages (tenant, document, position, text, tokens)
        values (${owner}, ${document.id}, 0, ${chunk?.text ?? ""}, ${tokens.length}) returning id`
      const id = passage?.id ?? ""
      yield* sql`
        insert into causeway_vectors (tenant, passage, embedding)
        values (${owner}, ${id}, ${`{${(embedding ?? []).join(",")}}`}::real[]::${sql.literal(vector)})`
      const counted = new Map<string, number>()
      for (const token of tokens) counted.set(token, (counted.get(token) ?? 0) + 1)
      for (const [term, frequency] of counted) {
        yield* sql`insert into causeway_postings values (${owner}, ${term}, ${id}, ${frequency}, ${tokens.length})`
      }
      yield* sql`
        update causeway_tenants set passages = passages + 1, tokens = tokens + ${tokens.length} where id = ${owner}`
    }
    return { name, sql }
  })

const versionOf = (sql: SqlClient.SqlClient) =>
  Effect.map(
    sql<{ readonly version: number }>`select max(migration_id) as version from causeway_migrations`,
    ([row]) => row?.version
  )

/** Everything that tables are made of. */
const shape = (sql: SqlClient.SqlClient) =>
  Effect.all([
    sql`
      select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
      where table_schema = 'public' order by table_name, column_name`,
    sql`select tablename, indexname, indexdef from pg_indexes where schemaname = 'public' order by indexname`
  ])

for (const { bin, name } of Postgres.found) {
  layer(Postgres.layer(bin), { timeout: "60 seconds" })(`migrations on ${name}`, (it) => {
    for (const version of [1, 2]) {
      it.scoped(`keep what version ${version} stored, and serve it`, () =>
        Effect.gen(function*() {
          const before = yield* database(version)
          const { sql, store } = yield* instance(before.name)
          assert.deepStrictEqual(yield* store.size("tenant"), { documents: 12, passages: 12, revision: 0 })
          const [passage] = yield* store.get("tenant", "d3")
          assert.deepStrictEqual(passage, {
            documentId: "d3",
            position: 0,
            title: "",
            text: (old[3]?.text ?? "").trim(),
            publishedAt: "2025-01-13T00:00:00.000Z",
            indexedAt: "2025-02-01T00:00:00.000Z",
            metadata: { year: 3 }
          })
          const embedder = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
          const [vector] = yield* embedder.embed([Chunker.embedded(undefined, old[3]?.text ?? "")])
          const hits = yield* store.search({ tenant: "tenant", text: "herons", vector, limit: 20 })
          assert.lengthOf(hits, 12)
          assert.strictEqual(hits.find(({ signals }) => signals.cosine > 0.999)?.passage.documentId, "d3")
          assert.deepStrictEqual(
            (yield* store.list("tenant", { limit: 2 })).map(({ id }) => id),
            ["d9", "d6"]
          )
          const again = yield* store.index("tenant", old)
          assert.deepStrictEqual(new Set(again.map(({ status }) => status)), new Set(["unchanged"]))
          yield* store.index("tenant", [{ ...old[3], id: "d3", text: "Storks." }])
          assert.strictEqual(yield* store.remove("tenant", old.filter(({ id }) => id !== "d3").map(({ id }) => id)), 11)
          assert.deepStrictEqual(yield* store.size("tenant"), { documents: 1, passages: 1, revision: 12 })
          assert.deepStrictEqual(yield* sql`select distinct term from causeway_postings`, [{ term: "stork" }])
          assert.lengthOf(yield* sql`select from causeway_vectors`, 1)
        }))

      it.scoped(`bring version ${version} to what a new database has`, () =>
        Effect.gen(function*() {
          const { createDatabase } = yield* Postgres.Server
          const before = yield* database(version)
          const [upgraded, fresh] = yield* Effect.all([
            Effect.flatMap(instance(before.name), ({ sql }) => shape(sql)),
            Effect.flatMap(Effect.flatMap(createDatabase, (name) => instance(name)), ({ sql }) => shape(sql))
          ])
          assert.deepStrictEqual(upgraded, fresh)
        }))
    }

    it.scoped("run once when four instances open an old database together", () =>
      Effect.gen(function*() {
        const before = yield* database(1)
        const instances = yield* Effect.all([1, 2, 3, 4].map(() => instance(before.name)), { concurrency: "unbounded" })
        for (const { store } of instances) assert.strictEqual((yield* store.size("tenant")).documents, 12)
        const applied = yield* before.sql<{ readonly count: number }>`
          select count(*)::int as count from causeway_migrations group by migration_id`
        assert.isTrue(applied.every(({ count }) => count === 1))
      }))

    it.scoped("leave nothing behind when one fails half way, and go on when the obstacle is gone", () =>
      Effect.gen(function*() {
        const before = yield* database(1)
        yield* before.sql`create table causeway_changes (in_the_way integer)`
        const shapeBefore = yield* shape(before.sql)
        const error = yield* Effect.flip(instance(before.name))
        assert.instanceOf(error, DocumentStore.DocumentStoreError)
        assert.strictEqual(error.message, "DocumentStore.open: the document store did not answer")
        assert.deepStrictEqual(yield* shape(before.sql), shapeBefore)
        assert.strictEqual(yield* versionOf(before.sql), 1)
        yield* before.sql`drop table causeway_changes`
        const { store } = yield* instance(before.name)
        assert.strictEqual((yield* store.size("tenant")).documents, 12)
      }))

    it.scoped("leave nothing behind in an empty database either", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const name = yield* createDatabase
        const sql = yield* client(name)
        yield* sql`create view causeway_postings as select 1 as in_the_way`
        yield* Effect.flip(instance(name))
        const tables = yield* sql`select tablename from pg_tables where schemaname = 'public'`
        assert.deepStrictEqual(tables, [])
      }))

    it.scoped("refuse tables of a newer program, however many ask, and leave them as they are", () =>
      Effect.gen(function*() {
        const before = yield* database(1)
        yield* before.sql`insert into causeway_migrations (migration_id, name) values (99, 'from_the_future')`
        const shapeBefore = yield* shape(before.sql)
        const errors = yield* Effect.all([1, 2, 3, 4].map(() => Effect.flip(instance(before.name))), {
          concurrency: "unbounded"
        })
        for (const error of errors) {
          assert.include(error.message, "version 99")
          assert.isTrue(error instanceof DocumentStore.DocumentStoreError && !error.isRetryable)
        }
        assert.deepStrictEqual(yield* shape(before.sql), shapeBefore)
      }))

    it.scoped("are not needed by a role that may read and write the tables and make none", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const name = yield* createDatabase
        const { sql } = yield* instance(name)
        const role = `writer_${name}`
        yield* sql.unsafe(`create role ${role} login`)
        yield* sql.unsafe(`revoke create on schema public from public, ${role}`)
        yield* sql.unsafe(`grant select, insert, update, delete on all tables in schema public to ${role}`)
        const { store } = yield* instance(name, role)
        yield* store.index("tenant", old)
        assert.lengthOf(yield* store.search({ tenant: "tenant", text: "herons", limit: 20 }), 12)
      }))

    it.scoped("make plain arrays of vectors for a role that may not install pgvector", () =>
      Effect.gen(function*() {
        const { createDatabase } = yield* Postgres.Server
        const name = yield* createDatabase
        const sql = yield* client(name)
        const role = `maker_${name}`
        yield* sql.unsafe(`create role ${role} login`)
        yield* sql.unsafe(`grant usage, create on schema public to ${role}`)
        const { sql: own } = yield* instance(name, role)
        const abilities = yield* Effect.provideService(PgSchema.open, SqlClient.SqlClient, own)
        assert.isFalse(abilities.hasVector)
        assert.isTrue(abilities.hasAutovacuum)
        assert.isFalse(abilities.isEmbedded)
      }))
  })
}
