/**
 * Does after writes what a server does by itself and PGlite does not: mark
 * pages as seen by all and renew the planner's statistics, which halves the
 * time of a search.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/**
 * @since 0.1.0
 * @category models
 */
export interface PgTidy {
  /** To be told of passages that were written; tidies up when they are a quarter of all, and a thousand. */
  readonly after: (written: number) => Effect.Effect<void, never, SqlClient.SqlClient>
}

const tables = ["causeway_postings", "causeway_vectors", "causeway_passages", "causeway_documents", "causeway_changes"]

/** Below this, a search is fast anyway. */
const least = 1_000

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): PgTidy => {
  let due = least
  let pending = 0
  return {
    after: (written) =>
      Effect.gen(function*() {
        pending += written
        if (pending < due) return
        // No table can be tidied inside a transaction, here the caller's own.
        if (Option.isSome(yield* Effect.serviceOption(SqlClient.TransactionConnection))) return
        pending = 0
        const sql = yield* SqlClient.SqlClient
        const [total] = yield* sql<{ readonly passages: number }>`
          select coalesce(sum(passages), 0)::float8 as passages from causeway_tenants`
        due = Math.max(least, (total?.passages ?? 0) / 4)
        for (const table of tables) yield* sql.unsafe(`vacuum (analyze) ${table}`)
      }).pipe(
        // What was written is acknowledged when this is over, so it must be over.
        Effect.disconnect,
        Effect.timeout("30 seconds"),
        Effect.catchAll((error) => Effect.logWarning("The document store could not tidy its tables", error))
      )
  }
}
