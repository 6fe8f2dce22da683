/**
 * The tables of the store on Postgres, and how they come to be.
 *
 * @since 0.1.0
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type { DocumentStoreError } from "../DocumentStore.js"
import * as PgFailure from "./PgFailure.js"

/**
 * Columns compared here and in JavaScript are `collate "C"`, so that both sort
 * alike. There are no foreign keys: every row is written and deleted by this
 * store, under its document's lock, and checks per posting would double the
 * cost of indexing.
 */
const tables = (vector: "vector" | "real[]") => [
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
  // The length stands in every posting, so that scoring reads this index alone.
  `create table causeway_postings (
    tenant integer not null,
    term text collate "C" not null,
    passage bigint not null,
    frequency integer not null,
    length integer not null,
    primary key (tenant, term, passage) include (frequency, length)
  )`
]

const createTables = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const available = yield* sql`select from pg_available_extensions where name = 'vector'`
  if (available.length > 0) {
    // Needs a right that not every role has; a savepoint, so that its refusal leaves the rest alone.
    yield* Effect.ignore(sql.withTransaction(sql`create extension if not exists vector`))
  }
  const types = yield* sql`select where to_regtype('vector') is not null`
  for (const statement of tables(types.length > 0 ? "vector" : "real[]")) yield* sql.unsafe(statement)
})

const migrations = {
  "0001_create_tables": createTables
}

const latest = Object.keys(migrations).length

/** Any number that only this program uses. */
const migrationLock = 727_353_001

/**
 * What the tables can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Abilities {
  /** Whether vectors are pgvector's, so that Postgres itself can compare them. */
  readonly hasVector: boolean
  /** Whether Postgres tidies up after writes by itself. */
  readonly hasAutovacuum: boolean
}

const migrate = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`select pg_advisory_xact_lock(${migrationLock})`
  // The migrator makes this table when reading it fails, but a failure would end the transaction around it.
  yield* sql`create table if not exists causeway_migrations (
    migration_id integer primary key,
    created_at timestamp with time zone not null default now(),
    name text not null
  )`
  const [stored] = yield* sql<{ readonly version: number }>`
    select coalesce(max(migration_id), 0) as version from causeway_migrations`
  if (stored !== undefined && stored.version > latest) {
    return yield* PgFailure.incompatible(
      "open",
      `the store's tables have version ${stored.version} and this program knows ${latest}; update the program`
    )
  }
  yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: "causeway_migrations" })
})

/**
 * Brings the tables to this program's version, once however many instances
 * start together, and says what they can do. Changes go forward only.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open: Effect.Effect<Abilities, DocumentStoreError, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql.withTransaction(migrate)
  const [found] = yield* sql<{ readonly type: string; readonly autovacuum: boolean }>`
    select format_type(atttypid, null) as type,
      current_setting('autovacuum') = 'on' and version() not like '%PGlite%' as autovacuum
    from pg_attribute where attrelid = 'causeway_vectors'::regclass and attname = 'embedding'`
  return { hasVector: found?.type === "vector", hasAutovacuum: found?.autovacuum === true }
}).pipe(PgFailure.within("open", "1 minute"))
