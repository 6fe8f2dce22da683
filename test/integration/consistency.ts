/**
 * Whether everything that the store on Postgres keeps of its documents fits
 * together.
 *
 * @since 0.1.0
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

/**
 * Compares documents, passages, vectors, postings, tallies and changes in one
 * statement, so that others may go on writing.
 */
export const check = (sql: SqlClient.SqlClient): Effect.Effect<void, SqlError> =>
  Effect.gen(function*() {
    const [found = {}] = yield* sql<{ readonly [name: string]: number }>`
      select (select coalesce(sum(passages), 0) from causeway_tenants)::int as passages,
        (select count(*) from causeway_passages)::int as passage_rows,
        (select count(*) from causeway_vectors)::int as vector_rows,
        (select count(distinct (tenant, passage)) from causeway_vectors)::int as vectors,
        (select coalesce(sum(passages), 0) from causeway_documents)::int as claimed,
        (select coalesce(sum(tokens), 0) from causeway_tenants)::int as tokens,
        (select coalesce(sum(tokens), 0) from causeway_passages)::int as held,
        (select coalesce(sum(frequency), 0) from causeway_postings)::int as posted,
        (select coalesce(sum(revision), 0) from causeway_tenants)::int as revisions,
        (select coalesce(sum(trimmed), 0) from causeway_tenants)::int as trimmed,
        (select count(*) from causeway_changes)::int as changes,
        (select count(*) from causeway_passages as passage where not exists (
          select from causeway_documents as document
          where document.tenant = passage.tenant and document.id = passage.document
        ))::int as orphans`
    const { passages = -1, revisions = -1, tokens = -1, trimmed = -1 } = found
    assert.deepStrictEqual(found, {
      passages,
      passage_rows: passages,
      vector_rows: passages,
      vectors: passages,
      claimed: passages,
      tokens,
      held: tokens,
      posted: tokens,
      revisions,
      trimmed,
      changes: revisions - trimmed,
      orphans: 0
    })
  })
