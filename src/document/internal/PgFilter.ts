/**
 * A filter as Postgres is asked.
 *
 * @since 0.1.0
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { Fragment } from "@effect/sql/Statement"
import * as Moment from "../Moment.js"
import type * as Filter from "./Filter.js"
import * as PgArray from "./PgArray.js"

/** A fact that is no number is no match, and none is too large for `numeric`: no value stored can make this fail. */
const within = (sql: SqlClient.SqlClient, key: string, min: number, max: number): Fragment =>
  sql`case when jsonb_typeof(document.metadata -> ${key}::text) = 'number'
    then (document.metadata ->> ${key}::text)::numeric between ${String(min)}::numeric and ${String(max)}::numeric
    else false end`

/**
 * What a row of `causeway_documents as document` must fulfil; `tenant` is SQL or
 * the tenant's number.
 *
 * @since 0.1.0
 * @category combinators
 */
export const conditions = (
  sql: SqlClient.SqlClient,
  tenant: number | Fragment,
  filter: Filter.Compiled
): Fragment =>
  sql.and([
    sql`document.tenant = ${tenant}`,
    ...filter.metadata.map(([key, test]) =>
      test._tag === "OneOf"
        // by containment, which the index on metadata answers
        ? sql`document.metadata @> any(${
          PgArray.text(test.values.map((value) => JSON.stringify(Object.fromEntries([[key, value]]))))
        }::text[]::jsonb[])`
        : within(sql, key, test.min, test.max)
    ),
    ...(filter.since === undefined
      ? []
      : [sql`document.published_at >= ${Moment.iso(filter.since)}::timestamptz`]),
    ...(filter.until === undefined
      ? []
      : [sql`document.published_at < ${Moment.iso(filter.until)}::timestamptz`]),
    ...(filter.documentIds === undefined
      ? []
      : [sql`document.id = any(${PgArray.text([...filter.documentIds])}::text[])`])
  ])
