/**
 * The table of changes as it is read, and how it is kept from growing for ever.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { Change } from "../DocumentStore.js"
import * as Moment from "../Moment.js"
import * as PgArray from "./PgArray.js"

type Read<A> = Effect.Effect<A, SqlError, SqlClient.SqlClient>

/**
 * How far a tenant's changes go.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reach {
  readonly tenant: number
  readonly revision: number
}

/**
 * How many changes one statement reads.
 *
 * @since 0.1.0
 * @category constants
 */
export const pageSize = 500

/**
 * How far the changes of these tenants go, or of all.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reaches = (tenants: ReadonlyArray<number> | "all"): Read<ReadonlyArray<Reach>> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    return yield* sql<Reach>`
      select id as tenant, revision::float8 as revision from causeway_tenants
      where ${tenants === "all" ? sql`true` : sql`id = any(${PgArray.text(tenants)}::int[])`}`
  })

/**
 * A tenant by name: its number and revision. `newest` is the highest number of
 * any tenant; numbers only rise.
 *
 * @since 0.1.0
 * @category combinators
 */
export const find = (name: string): Read<{ readonly reach: Reach | undefined; readonly newest: number }> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [found] = yield* sql<
      { readonly tenant: number | null; readonly revision: number | null; readonly newest: number }
    >`
      select tenant.id as tenant, tenant.revision::float8 as revision,
        coalesce((select max(id) from causeway_tenants), 0) as newest
      from (select) as nothing left join causeway_tenants as tenant on tenant.name = ${name}`
    const { newest = 0, revision = null, tenant = null } = found ?? {}
    return { reach: tenant === null || revision === null ? undefined : { tenant, revision }, newest }
  })

/**
 * The next changes after a revision, or the oldest revision after which there
 * are any: when some that should come next are no longer there, or the revision
 * itself never was, as in a database that was restored from a copy. `Absent` when
 * there is no such tenant: its first write is not committed, or it never was.
 *
 * @since 0.1.0
 * @category models
 */
export type Page =
  | { readonly _tag: "Changes"; readonly changes: ReadonlyArray<Change> }
  | { readonly _tag: "Gone"; readonly oldest: number }
  | { readonly _tag: "Absent" }

interface Row {
  readonly name: string
  readonly trimmed: number
  readonly latest: number
  readonly revision: number | null
  readonly document: string
  readonly isRemoval: boolean
  readonly version: number | null
  readonly changedAt: string
}

/**
 * One page of a tenant's changes, in order. One statement, so that what was
 * trimmed and what is left are seen at one moment.
 *
 * @since 0.1.0
 * @category combinators
 */
export const page = (tenant: number, after: number): Read<Page> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql<Row>`
      select tenant.name, tenant.trimmed::float8 as trimmed, tenant.revision::float8 as latest,
        change.revision::float8 as revision, change.document, change.is_removal as "isRemoval",
        change.version::float8 as version,
        to_char(change.changed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "changedAt"
      from causeway_tenants as tenant
      left join lateral (
        select * from causeway_changes where tenant = tenant.id and revision > ${after}::bigint
        order by revision limit ${pageSize}
      ) as change on true
      where tenant.id = ${tenant}
      order by change.revision`
    const [first] = rows
    if (first === undefined) return { _tag: "Absent" }
    const isThere = after >= first.trimmed &&
      (first.revision === null ? after === first.latest : first.revision === after + 1)
    if (!isThere) return { _tag: "Gone", oldest: first.trimmed }
    const changes = rows.flatMap((row): ReadonlyArray<Change> =>
      row.revision === null ? [] : [{
        tenant: row.name,
        revision: row.revision,
        documentId: row.document,
        kind: row.isRemoval ? "removed" : "indexed",
        ...(row.version === null ? {} : { version: row.version }),
        changedAt: row.changedAt
      }]
    )
    return { _tag: "Changes", changes }
  })

/** One transaction forgets at most this many, since the tenant's writers wait for it. */
const slice = 2_000

/**
 * Forgets changes made before `before` (epoch milliseconds), a slice per
 * transaction; only those before which none is younger, since a follower
 * cannot skip.
 *
 * @since 0.1.0
 * @category combinators
 */
export const trim = (before: number): Read<void> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const moment = Moment.iso(before)
    const due = yield* sql<{ readonly tenant: number }>`
      select distinct tenant from causeway_changes where changed_at < ${moment}::timestamptz order by tenant`
    for (const { tenant } of due) {
      let isMore = true
      while (isMore) {
        const [done] = yield* sql<{ readonly count: number }>`
          with locked as (
            select id, trimmed from causeway_tenants where id = ${tenant} for update skip locked
          ), bound as (
            select id, least(
              trimmed + ${slice}::bigint,
              coalesce((
                select revision - 1 from causeway_changes
                where tenant = id and changed_at >= ${moment}::timestamptz
                  -- no further than this slice may go: the tenant's writers wait
                  and revision between trimmed + 1 and trimmed + ${slice}::bigint
                order by revision limit 1
              ), (select max(revision) from causeway_changes where tenant = id), trimmed)
            ) as upto from locked
          ), forgotten as (
            delete from causeway_changes using bound
            where tenant = bound.id and revision <= bound.upto returning revision
          ), remembered as (
            update causeway_tenants as tenant set trimmed = bound.upto from bound
            where tenant.id = bound.id and tenant.trimmed < bound.upto
          )
          select count(*)::int as count from forgotten`
        isMore = done !== undefined && done.count >= slice
      }
    }
  })
