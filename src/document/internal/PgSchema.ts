/**
 * The tables of the store on Postgres, and how they come to be.
 *
 * @since 0.1.0
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { DocumentStoreError } from "../DocumentStore.js"
import * as PgFailure from "./PgFailure.js"
import * as RegionOutage from "./RegionOutage.js"

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

/**
 * Versions of documents, where passages stand, and the tenant's changes. A change
 * is numbered while its tenant's row is locked, and that lock is held until
 * the transaction ends: what is visible has no gaps before it.
 */
const recordChanges = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`alter table causeway_documents add column version bigint`
  yield* sql`alter table causeway_passages add column span_start integer, add column span_end integer`
  yield* sql`
    alter table causeway_tenants
      add column revision bigint not null default 0,
      -- changes up to this one are no longer kept
      add column trimmed bigint not null default 0`
  yield* sql`
    create table causeway_changes (
      tenant integer not null,
      revision bigint not null,
      document text collate "C" not null,
      is_removal boolean not null,
      version bigint,
      changed_at timestamptz not null,
      primary key (tenant, revision)
    )`
  yield* sql`create index causeway_changes_changed_at on causeway_changes (changed_at)`
  // In the order of a list, which is read page by page.
  yield* sql`drop index causeway_documents_published_at`
  yield* sql`
    create index causeway_documents_published_at on causeway_documents (tenant, published_at desc nulls last, id)`
  // A search looks at hundreds of passages and gives a few: these indexes spare it the texts of the others.
  yield* sql`
    alter table causeway_passages
      drop constraint causeway_passages_pkey,
      add primary key (id) include (document, position, tokens),
      drop constraint causeway_passages_tenant_document_position_key,
      add unique (tenant, document, position) include (id)`
})

/**
 * New vectors for what is stored. A content hash holds the id of the embedder
 * that was used when the document came in, which stays when another replaces its
 * vectors: `null` while it is the same. Several processes share the work by
 * taking documents for a time.
 */
const allowReindexing = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`alter table causeway_documents add column hashed_for text collate "C"`
  yield* sql`
    create table causeway_reindexing (
      tenant integer not null,
      document text collate "C" not null,
      until timestamptz not null,
      primary key (tenant, document)
    )`
})

const migrations = {
  "0001_create_tables": createTables,
  "0002_record_changes": recordChanges,
  "0003_allow_reindexing": allowReindexing
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
  /** Whether this is PGlite, which has one session. */
  readonly isEmbedded: boolean
}

/** The version of the tables; 0 when there are none. */
const version = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [table] = yield* sql<{ readonly exists: boolean }>`
    select to_regclass('causeway_migrations') is not null as exists`
  if (table?.exists !== true) return 0
  const [stored] = yield* sql<{ readonly version: number }>`
    select coalesce(max(migration_id), 0) as version from causeway_migrations`
  return stored?.version ?? 0
})

/** That version, unless a newer program made the tables. */
const known = Effect.filterOrFail(
  version,
  (stored) => stored <= latest,
  (stored) =>
    PgFailure.incompatible(
      "open",
      `the store's tables have version ${stored} and this program knows ${latest}; update the program`
    )
)

/** Tables are changed when nobody holds them: ten attempts in half a minute, each waiting two seconds at most. */
const whenFree = Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(9))

/** A lock that was not to be had in time, or a circle of those who wait. */
const isHeld = (error: DocumentStoreError): boolean => ["55P03", "40P01"].includes(RegionOutage.codeOf(error) ?? "")

const migrate = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`select pg_advisory_xact_lock(${migrationLock})`
  // A newer program may have been faster.
  yield* known
  // Whoever comes to a table after us waits for us, and we for those who read it now: a backup may take hours.
  yield* sql`select set_config('lock_timeout', '2s', true)`
  // The migrator makes this table when reading it fails, but a failure would end the transaction around it.
  yield* sql`create table if not exists causeway_migrations (
    migration_id integer primary key,
    created_at timestamp with time zone not null default now(),
    name text not null
  )`
  yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: "causeway_migrations" })
})

/** A role without rights is not a server that does not answer: trying again does not help. */
const withRights = Effect.mapError((error: DocumentStoreError) =>
  RegionOutage.codeOf(error) === "42501"
    ? PgFailure.incompatible(
      "open",
      "the database role lacks a right: grant it select, insert, update and delete on the tables whose names begin " +
        "with causeway_, and create on their schema to a role that shall make or update them"
    )
    : error
)

const abilities = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [found] = yield* sql<{ readonly type: string; readonly autovacuum: boolean; readonly embedded: boolean }>`
    select format_type(atttypid, null) as type, current_setting('autovacuum') = 'on' as autovacuum,
      version() like '%PGlite%' as embedded
    from pg_attribute where attrelid = 'causeway_vectors'::regclass and attname = 'embedding'`
  const isEmbedded = found?.embedded === true
  return { hasVector: found?.type === "vector", hasAutovacuum: found?.autovacuum === true && !isEmbedded, isEmbedded }
})

/**
 * Brings the tables to this program's version, once however many instances
 * start together, and says what they can do. Changes go forward only, and wait
 * half a minute for whoever holds the tables before they fail as `Unavailable`. A role
 * that may read and write the tables but make none can open those of this version.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open: Effect.Effect<Abilities, DocumentStoreError, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  if ((yield* known) < latest) {
    yield* sql.withTransaction(migrate).pipe(
      PgFailure.within("open", "1 minute"),
      Effect.retry({ schedule: whenFree, while: isHeld })
    )
  }
  return yield* abilities
}).pipe(PgFailure.within("open", "1 minute"), withRights)

/**
 * What the tables of a copy that can only be read can do; fails as `Incompatible`
 * unless they have this program's version.
 *
 * @since 0.1.0
 * @category constructors
 */
export const inspect: Effect.Effect<Abilities, DocumentStoreError, SqlClient.SqlClient> = Effect.gen(function*() {
  const stored = yield* version
  if (stored !== latest) {
    return yield* PgFailure.incompatible(
      "open",
      `the copy's tables have version ${stored} and this program knows ${latest}; ` +
        (stored < latest ? "the copy has yet to replay their change" : "update the program")
    )
  }
  return yield* abilities
}).pipe(PgFailure.within("open", "10 seconds"), withRights)
