/**
 * Compares a tenant's vectors with a query's in this process, where Postgres
 * cannot: page by page, so that no statement is long and others get a turn.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Filter from "./Filter.js"
import * as Fusion from "./Fusion.js"
import * as PgArray from "./PgArray.js"
import type * as PgCandidates from "./PgCandidates.js"
import * as PgFilter from "./PgFilter.js"

/** So many take some 40 milliseconds to be read and compared. */
const pageSize = 1_000

interface Row {
  readonly id: string
  readonly document: string
  readonly position: number
  readonly embedding: Uint8Array
}

interface Compared {
  readonly id: string
  readonly documentId: string
  readonly position: number
  readonly cosine: number
}

const best = (compared: ReadonlyArray<Compared>): Array<Compared> =>
  [...compared].sort((a, b) => b.cosine - a.cosine || Fusion.byIdentity(a, b)).slice(0, Fusion.poolSize)

/**
 * The passages of the vectors' pool, by id, those alone that pass the filter.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (
  { filter, tenant, vector }: Pick<PgCandidates.Search, "tenant" | "filter" | "vector">,
  /** Run before each statement. */
  before: Effect.Effect<void, SqlError, SqlClient.SqlClient>
): Effect.Effect<ReadonlyArray<string>, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    if (vector === undefined) return []
    const sql = yield* SqlClient.SqlClient
    const passing = Filter.isOpen(filter)
      ? sql.literal("")
      : sql`join causeway_documents as document
          on document.id = held.document and ${PgFilter.conditions(sql, tenant, filter)}`
    let pool: Array<Compared> = []
    let after = "0"
    for (;;) {
      yield* before
      const page = yield* sql<Row>`
        select stored.passage::text as id, held.document, held.position, array_send(stored.embedding) as embedding
        from causeway_vectors as stored join causeway_passages as held on held.id = stored.passage ${passing}
        where stored.tenant = ${tenant} and stored.passage > ${after}::bigint
        order by stored.passage limit ${pageSize}`
      for (const { document, embedding, id, position } of page) {
        const cosine = PgArray.dot(vector, embedding)
        if (cosine > 0) pool.push({ id, documentId: document, position, cosine })
      }
      pool = best(pool)
      const last = page.at(-1)
      if (last === undefined || page.length < pageSize) return pool.map(({ id }) => id)
      after = last.id
    }
  })
