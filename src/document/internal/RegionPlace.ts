/**
 * Where a Postgres server stands in the log of all changes: how far the primary
 * has written it, how far a replica has replayed it.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * @since 0.1.0
 * @category models
 */
export interface Place {
  /** A primary's last byte written, or a replica's last byte replayed. */
  readonly lsn: bigint
  /** The log begins a new timeline when a replica is promoted; places of two timelines cannot be compared. */
  readonly timeline: number
  /** Whether the server replays another's log, as a replica does. */
  readonly isRecovering: boolean
  /** When the server was asked, and when it had answered: milliseconds of a clock that does not jump. */
  readonly askedAt: number
  readonly toldAt: number
}

const shape = /^([0-9a-f]{1,8})\/([0-9a-f]{1,8})$/i

/**
 * Reads a `pg_lsn` written as text, for example `16/B374D848`; `undefined` when
 * it is none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse = (text: string): bigint | undefined => {
  const match = shape.exec(text)
  return match === null ? undefined : (BigInt(`0x${match[1]}`) << 32n) + BigInt(`0x${match[2]}`)
}

/**
 * The form that `parse` reads.
 *
 * @since 0.1.0
 * @category combinators
 */
export const format = (lsn: bigint): string =>
  `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase()

/**
 * Milliseconds of a clock that does not jump with the date.
 *
 * @since 0.1.0
 * @category accessors
 */
export const now: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/**
 * A primary whose last record fills a page says that it stands behind the header
 * of the next one, which is not written yet; a replica that has replayed that
 * record says the end of the page. Without this an idle primary would seem ahead
 * of its replicas for ever.
 */
const withoutHeader = (lsn: bigint, offset: number | null): bigint =>
  offset === 40 ? lsn - 40n : offset !== null && offset % 8192 === 24 ? lsn - 24n : lsn

interface Row {
  readonly recovering: boolean
  readonly lsn: string | null
  readonly timeline: number
  readonly within: number | null
}

/**
 * Asks a server where it stands; `undefined` while it cannot say, before it has
 * replayed anything. The timeline of a replica is known at once to a role that
 * may read statistics (`pg_monitor`), to others after its next restart point.
 *
 * @since 0.1.0
 * @category constructors
 */
export const read: Effect.Effect<Place | undefined, SqlError, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const askedAt = yield* now
  const [row] = yield* sql<Row>`
    select place.recovering, place.lsn::text as lsn,
      case when place.recovering then greatest(
        (select timeline_id from pg_control_checkpoint()),
        (select min_recovery_end_timeline from pg_control_recovery()),
        (select received_tli from pg_stat_wal_receiver)
      ) else ('x' || left(pg_walfile_name(place.lsn), 8))::bit(32)::int end as timeline,
      case when not place.recovering then (pg_walfile_name_offset(place.lsn)).file_offset end as within
    from (
      select role.recovering,
        case when role.recovering then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end as lsn
      from (select pg_is_in_recovery() as recovering offset 0) as role offset 0
    ) as place`
  const toldAt = yield* now
  const lsn = row?.lsn === null || row === undefined ? undefined : parse(row.lsn)
  return lsn === undefined || row === undefined ? undefined : {
    lsn: withoutHeader(lsn, row.within),
    timeline: row.timeline,
    isRecovering: row.recovering,
    askedAt,
    toldAt
  }
})
