/**
 * Has Postgres itself end the statements of a transaction in time, so that
 * none of them holds a connection longer than its caller waits.
 *
 * The driver ends a statement over another connection of its pool; where all
 * are busy there is none, and a connection would stay taken for seconds.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as TimeLimit from "../../policy/TimeLimit.js"

/** So much earlier than the caller, who then needs nobody to end it. */
const margin = (left: number): number => Math.min(100, left / 10)

const longest = 2 ** 31 - 1

/** When less than this share is left of what was set, it is set anew. */
const share = 0.8

/** In milliseconds: at least one, since none at all would be no limit, and at most what a setting holds. */
const limitOf = (left: number): number => Math.min(longest, Math.max(1, Math.ceil(left - margin(left))))

/**
 * Sets a limit for the rest of the transaction, as SQL. A shorter one of the
 * server or the role stands.
 *
 * @since 0.1.0
 * @category combinators
 */
export const limited = (
  sql: SqlClient.SqlClient,
  setting: "statement_timeout" | "lock_timeout",
  left: number
): Fragment =>
  sql`set_config(${setting}, least(
    nullif(1000 * extract(epoch from current_setting(${setting})::interval), 0), ${limitOf(left)}::numeric
  )::int::text, true)`

/**
 * To be run before each statement of one transaction that only reads: limits it
 * to what is left by `TimeLimit`, unless what was set before still fits. One
 * that writes must not be ended so: a COMMIT that waits for a replica would be
 * taken for done.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Effect.Effect<void, SqlError, SqlClient.SqlClient> => {
  let limit = Number.POSITIVE_INFINITY
  return Effect.gen(function*() {
    const left = yield* TimeLimit.remaining
    if (!Number.isFinite(left) || left >= limit * share) return
    const sql = yield* SqlClient.SqlClient
    yield* sql`select ${limited(sql, "statement_timeout", left)}`
    limit = left
  })
}
