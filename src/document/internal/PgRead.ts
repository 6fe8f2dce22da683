/**
 * What the store on Postgres reads as it is stored: passages, documents and how
 * many there are.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import type { Metadata, Passage } from "../Document.js"
import type { Listed, Size } from "../DocumentStore.js"
import * as Moment from "../Moment.js"
import type * as Filter from "./Filter.js"
import * as PgArray from "./PgArray.js"
import * as PgFilter from "./PgFilter.js"

type Read<A> = Effect.Effect<A, SqlError, SqlClient.SqlClient>

/**
 * The embedders whose vectors are stored, whoever's: none, one, or two of many.
 *
 * @since 0.1.0
 * @category models
 */
export interface Embedders {
  readonly first: string | null
  readonly last: string | null
}

/**
 * @since 0.1.0
 * @category combinators
 */
export const embedders: Read<Embedders> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [found] = yield* sql<Embedders>`
    select min(embedder) as first, max(embedder) as last from causeway_documents`
  return found ?? { first: null, last: null }
})

interface PassageRow {
  readonly id: string
  readonly document: string
  readonly position: number
  readonly title: string
  readonly text: string
  readonly uri: string | null
  readonly published: string | null
  readonly indexed: string
  readonly metadata: Metadata
  readonly version: number | null
  readonly start: number | null
  readonly end: number | null
}

const toPassage = (row: PassageRow): Passage => ({
  documentId: row.document,
  position: row.position,
  title: row.title,
  text: row.text,
  ...(row.uri === null ? {} : { uri: row.uri }),
  ...(row.published === null ? {} : { publishedAt: row.published }),
  indexedAt: row.indexed,
  ...(row.version === null ? {} : { version: row.version }),
  ...(row.start === null || row.end === null ? {} : { span: { start: row.start, end: row.end } }),
  metadata: row.metadata
})

const iso = "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'"

const passageRows = (where: (sql: SqlClient.SqlClient) => Fragment): Read<ReadonlyArray<PassageRow>> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    return yield* sql<PassageRow>`
      select passage.id::text as id, passage.document, passage.position, document.title, passage.text, document.uri,
        to_char(document.published_at at time zone 'UTC', ${sql.literal(iso)}) as published,
        to_char(document.indexed_at at time zone 'UTC', ${sql.literal(iso)}) as indexed, document.metadata,
        document.version::float8 as version, passage.span_start as start, passage.span_end as end
      from causeway_passages as passage
      join causeway_documents as document on document.tenant = passage.tenant and document.id = passage.document
      where ${where(sql)}
      order by passage.position`
  })

/**
 * Passages by the ids that `candidates` gives; one that was replaced since is
 * left out.
 *
 * @since 0.1.0
 * @category combinators
 */
export const passages = (tenant: number, ids: ReadonlyArray<string>): Read<ReadonlyMap<string, Passage>> =>
  Effect.map(
    passageRows((sql) => sql`passage.tenant = ${tenant} and passage.id = any(${PgArray.text(ids)}::bigint[])`),
    (rows) => new Map(rows.map((row) => [row.id, toPassage(row)]))
  )

/**
 * A document's passages in order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const document = (tenant: string, id: string): Read<ReadonlyArray<Passage>> =>
  Effect.map(
    passageRows((sql) =>
      sql`passage.tenant = (select id from causeway_tenants where name = ${tenant}) and passage.document = ${id}`
    ),
    (rows) => rows.map(toPassage)
  )

/**
 * Where a list goes on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly id: string
  /** Epoch milliseconds; absent for a document without a date. */
  readonly publishedAt?: number | undefined
}

/** Each a stretch of the index on dates, read in its order and no further than needed. */
const stretches = (sql: SqlClient.SqlClient, after: Place | undefined): ReadonlyArray<Fragment> => {
  const undated = sql`document.published_at is null`
  if (after === undefined) return [sql`document.published_at is not null`, undated]
  const isLater = sql`document.id > ${after.id}`
  if (after.publishedAt === undefined) return [sql`${undated} and ${isLater}`]
  const moment = sql`${Moment.iso(after.publishedAt)}::timestamptz`
  return [sql`document.published_at = ${moment} and ${isLater}`, sql`document.published_at < ${moment}`, undated]
}

/**
 * The documents of a tenant that pass a filter, the newest first, from the one
 * after a place.
 *
 * @since 0.1.0
 * @category combinators
 */
export const list = (
  tenant: number,
  filter: Filter.Compiled,
  limit: number,
  after?: Place | undefined
): Read<ReadonlyArray<Listed>> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const pages = stretches(sql, after).map((stretch) =>
      sql`(
        select id, title, passages, version, published_at from causeway_documents as document
        where ${PgFilter.conditions(sql, tenant, filter)} and ${stretch}
        order by published_at desc nulls last, id limit ${limit}
      )`
    )
    const rows = yield* sql<
      Omit<Listed, "publishedAt" | "version"> & { readonly published: string | null; readonly version: number | null }
    >`
      select id, title, passages, version::float8 as version,
        to_char(published_at at time zone 'UTC', ${sql.literal(iso)}) as published
      from (${sql.join(" union all ", false)(pages)}) as document
      order by published_at desc nulls last, id limit ${limit}`
    return rows.map(({ id, passages, published, title, version }) => ({
      id,
      title,
      ...(published === null ? {} : { publishedAt: published }),
      passages,
      ...(version === null ? {} : { version })
    }))
  })

/**
 * @since 0.1.0
 * @category combinators
 */
export const size = (tenant: string): Read<Size> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [found] = yield* sql<Size>`
      select tenant.passages::float8 as passages, tenant.revision::float8 as revision,
        (select count(*) from causeway_documents where tenant = tenant.id)::float8 as documents
      from causeway_tenants as tenant where tenant.name = ${tenant}`
    return found ?? { documents: 0, passages: 0, revision: 0 }
  })
