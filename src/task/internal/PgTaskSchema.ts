/**
 * The table of the store on Postgres, and how it comes to be.
 *
 * @since 0.1.0
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type { TaskStoreError } from "../TaskStore.js"
import * as PgTaskFailure from "./PgTaskFailure.js"

/**
 * Times are milliseconds since the epoch by the `Clock` of the instances.
 * `text` holds JSON where it may hold what `jsonb` refuses, such as `\u0000`; the
 * two columns that statements look into are made of JSON strings inside JSON.
 */
const statements = [
  `create table causeway_tasks (
    id text collate "C" primary key,
    owner text collate "C" not null,
    tool text not null,
    arguments text,
    memo text not null,
    status text not null,
    run integer not null,
    requests text not null,
    open jsonb not null,
    answers jsonb not null,
    outcome text,
    created_at bigint not null,
    updated_at bigint not null,
    expires_at bigint,
    lease_until bigint,
    poll_interval integer not null
  )`,
  "create index causeway_tasks_expires_at on causeway_tasks (expires_at)"
]

const createTable = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  for (const statement of statements) yield* sql.unsafe(statement)
})

const migrations = {
  "0001_create_tasks": createTable
}

const latest = Object.keys(migrations).length

/** Any number that only this program uses, and for this only. */
const migrationLock = 727_353_002

const migrate = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`select pg_advisory_xact_lock(${migrationLock})`
  // The migrator makes this table when reading it fails, but a failure would end the transaction around it.
  yield* sql`create table if not exists causeway_task_migrations (
    migration_id integer primary key,
    created_at timestamp with time zone not null default now(),
    name text not null
  )`
  const [stored] = yield* sql<{ readonly version: number }>`
    select coalesce(max(migration_id), 0) as version from causeway_task_migrations`
  if (stored !== undefined && stored.version > latest) {
    return yield* PgTaskFailure.incompatible(
      "open",
      `the table of tasks has version ${stored.version} and this program knows ${latest}; update the program`
    )
  }
  yield* Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: "causeway_task_migrations" })
})

/**
 * Brings the table to this program's version, once however many instances start
 * together. Changes go forward only.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open: Effect.Effect<void, TaskStoreError, SqlClient.SqlClient> = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql.withTransaction(migrate)
).pipe(PgTaskFailure.within("open", "1 minute"))
