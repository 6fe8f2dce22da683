/**
 * What writers of the store on Postgres keep from one another until their
 * transactions end.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TimeLimit from "../../policy/TimeLimit.js"
import * as PgArray from "./PgArray.js"
import * as PgTime from "./PgTime.js"

type Asked<A> = Effect.Effect<A, SqlError, SqlClient.SqlClient>

/**
 * Keeps other writers from these documents, stored or not, until the
 * transaction ends, which waits for the disk even where the server is set not to.
 * The store's own waits for locks no longer than its caller does; one that brings
 * vectors says whose they are, for `areOthersWriting`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const documents = (tenant: number, ids: ReadonlyArray<string>, embedderId?: string): Asked<void> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const transaction = yield* Effect.serviceOption(SqlClient.TransactionConnection)
    const left = yield* TimeLimit.remaining
    const isOwn = Option.exists(transaction, ([, depth]) => depth === 0)
    yield* sql`
      select ${isOwn && Number.isFinite(left) ? PgTime.limited(sql, "lock_timeout", left) : sql.literal("null")},
        pg_advisory_xact_lock(key),
        case when current_setting('synchronous_commit') = 'off' then set_config('synchronous_commit', 'on', true) end,
        ${
      embedderId === undefined
        ? sql.literal("null")
        : sql`pg_advisory_xact_lock_shared('causeway_documents'::regclass::oid::int, hashtext(${embedderId}))`
    }
      from (
        select distinct hashtextextended(id, ${tenant}) as key from unnest(${PgArray.text(ids)}::text[]) as given(id)
        order by key
      ) as keys`
  })

/**
 * Whether transactions are open that bring vectors of another embedder, which
 * nobody sees before they end. One that begins later sees what was committed
 * before it was asked.
 *
 * @since 0.1.0
 * @category combinators
 */
export const areOthersWriting = (embedderId: string): Asked<boolean> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const others = yield* sql`
      select from pg_locks
      where locktype = 'advisory' and granted and objsubid = 2 and classid = 'causeway_documents'::regclass
        and database = (select oid from pg_database where datname = current_database())
        and objid <> (hashtext(${embedderId})::bigint & 4294967295)::oid
      limit 1`
    return others.length > 0
  })

/** Any number that only this program uses. */
const emptyLock = 727_353_004

/**
 * Keeps other writers from an empty store until the transaction ends: two that
 * both find nothing could fill it with the vectors of two embedders.
 *
 * @since 0.1.0
 * @category combinators
 */
export const emptyStore: Asked<void> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`select pg_advisory_xact_lock(${emptyLock})`
})
