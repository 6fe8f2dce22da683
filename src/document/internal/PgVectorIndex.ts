/**
 * Builds and watches over the HNSW index on the vectors.
 *
 * A search finds out by itself whether the index can be used, so that every
 * instance and every replica uses it as soon as it is there.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as PgArray from "./PgArray.js"

/**
 * Whether the index keeps numbers as they are, or half their digits.
 *
 * @since 0.1.0
 * @category models
 */
export type Precision = "vector" | "halfvec"

/**
 * The index's name. Vectors of other dimensions are in another index.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nameOf = (dimensions: number, precision: Precision): string =>
  `causeway_vectors_hnsw_${dimensions}${precision === "halfvec" ? "_half" : ""}`

/**
 * @since 0.1.0
 * @category combinators
 */
export const typeOf = (dimensions: number, precision: Precision): string => `${precision}(${dimensions})`

/**
 * What the index is on, as SQL over a column `embedding`, which has no
 * dimensions of its own.
 *
 * @since 0.1.0
 * @category combinators
 */
export const expressionOf = (dimensions: number, precision: Precision): string =>
  `(embedding::${typeOf(dimensions, precision)})`

/**
 * Which rows are in the index. Others cannot be cast, and while a store changes
 * its embedder there are some.
 *
 * @since 0.1.0
 * @category combinators
 */
export const predicateOf = (dimensions: number): string => `vector_dims(embedding) = ${dimensions}`

/**
 * @since 0.1.0
 * @category models
 */
export interface PgVectorIndex {
  /** To be told of passages that were written: when there may be enough of them, the index is built in the background. */
  readonly after: (written: number) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly dimensions: number
  readonly indexFrom: number
  readonly halfPrecision: boolean
  readonly hasVector: boolean
  readonly isEmbedded: boolean
}

/** The most dimensions that pgvector indexes. */
const most = { vector: 2_000, halfvec: 4_000 }

/** How long to wait before looking again: for a failure to pass, or for an index that someone removed. */
const interval = "1 minute"

/** Any number that only this program uses. */
const buildLock = 727_353_003

/** Kibibytes that a build may take to keep its graph in memory, where it is built many times faster. */
const mostMemory = 512 * 1024

/** What a vector takes there besides its numbers: its neighbours. */
const overhead = 400

type Asked<A> = Effect.Effect<A, SqlError, SqlClient.SqlClient>

interface State {
  /** `null` when there is no index. */
  readonly isValid: boolean | null
  readonly isUnderWay: boolean
  readonly passages: number
}

const look = (name: string): Asked<State> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [state] = yield* sql<State>`
      select (select indisvalid from pg_index where indexrelid = to_regclass(${name})) as "isValid",
        exists (
          select from pg_stat_progress_create_index
          where datname = current_database() and relid = 'causeway_vectors'::regclass
        ) as "isUnderWay",
        (select coalesce(sum(passages), 0) from causeway_tenants)::float8 as passages`
    return state ?? { isValid: null, isUnderWay: false, passages: 0 }
  })

/** Iterative scans, without which a filtered search would find too little, came with 0.8. */
const isRecent: Asked<boolean> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [found] = yield* sql<{ readonly isRecent: boolean }>`
    select (string_to_array(extversion, '.'))[1:2]::int[] >= array[0, 8] as "isRecent"
    from pg_extension where extname = 'vector'`
  return found?.isRecent === true
})

/** Limits that a build must not be ended by, however long others' transactions are open; not all servers know all. */
const limits = ["statement_timeout", "lock_timeout", "transaction_timeout"]

/**
 * Runs statements one by one on a connection of their own, with settings that
 * end with them, unless another session holds the lock.
 */
const alone = <A>(effect: Asked<A>): Asked<A | undefined> =>
  Effect.scoped(Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const connection = yield* sql.reserve
    const here = Effect.provideService(SqlClient.TransactionConnection, [connection, 0] as const)
    // Whoever has the connection next finds it as it was, also where that is not as the server would set it.
    const settings = Effect.acquireRelease(
      sql<{ readonly name: string; readonly value: string }>`
        select name, setting || coalesce(unit, '') as value from pg_settings
        where name = any(${PgArray.text([...limits, "maintenance_work_mem"])}::text[])`,
      (before) =>
        Effect.ignore(sql`
          select set_config(given.name, given.value, false)
          from unnest(${PgArray.text(before.map(({ name }) => name))}::text[], ${
          PgArray.text(before.map(({ value }) => value))
        }::text[]) as given(name, value)`)
    )
    // The lock is the session's: were it a transaction's, the build would wait for it.
    const locked = Effect.acquireRelease(
      Effect.map(
        sql<{ readonly isMine: boolean }>`select pg_try_advisory_lock(${buildLock}) as "isMine"`,
        ([row]) => row?.isMine === true
      ),
      (isMine) => isMine ? Effect.ignore(sql`select pg_advisory_unlock(${buildLock})`) : Effect.void
    )
    const unlimited = sql`
      select set_config(name, '0', false) from pg_settings where name = any(${PgArray.text(limits)}::text[])`
    return yield* here(Effect.flatMap(locked, (isMine) =>
      isMine
        ? Effect.zipRight(Effect.zipRight(settings, unlimited), effect)
        : Effect.succeed(undefined)))
  }))

/** Whether a client says that it has but one connection, which a build would keep from all others. */
const isSole = (sql: SqlClient.SqlClient): boolean =>
  "config" in sql && typeof sql.config === "object" && sql.config !== null && "maxConnections" in sql.config &&
  sql.config.maxConnections === 1

/**
 * Drops the indexes that this one is in the place of: of the other precision,
 * and of dimensions that no vector has any more.
 */
const dropOthers = (name: string, dimensions: number): Asked<void> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const others = yield* sql<{ readonly name: string }>`
      select name from (
        select class.relname as name, substring(class.relname from '^causeway_vectors_hnsw_([0-9]+)(?:_half)?$')::int as size
        from pg_index join pg_class as class on class.oid = indexrelid
        where indrelid = 'causeway_vectors'::regclass
      ) as found
      where name <> ${name} and size is not null
        and (size = ${dimensions}::int or not exists (select from causeway_documents where dimensions = size))`
    for (const other of others) yield* sql.unsafe(`drop index concurrently if exists ${other.name}`)
  })

const build = (name: string, precision: Precision, { dimensions, indexFrom }: Options): Asked<boolean> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const { isUnderWay, isValid, passages } = yield* look(name)
    if (isValid === true || isUnderWay || passages < indexFrom) return false
    if (isValid === false) yield* sql.unsafe(`drop index concurrently if exists ${name}`)
    // Without them Postgres takes few rows to fulfil what nearly all do, and reads those instead of the index; first,
    // since nobody makes up for them once there is an index.
    yield* sql`create statistics if not exists causeway_vectors_dimensions on (vector_dims(embedding)) from causeway_vectors`
    yield* sql`analyze causeway_vectors`
    const bytes = passages * (dimensions * (precision === "vector" ? 4 : 2) + overhead)
    yield* sql`
      select set_config('maintenance_work_mem', greatest(
        (select setting::bigint from pg_settings where name = 'maintenance_work_mem'),
        ${Math.min(mostMemory, Math.ceil(bytes / 1024))}::bigint
      ) || 'kB', false)`
    yield* sql.unsafe(
      `create index concurrently ${name} on causeway_vectors using hnsw ` +
        `(${expressionOf(dimensions, precision)} ${precision}_ip_ops) with (m = 16, ef_construction = 64) ` +
        `where ${predicateOf(dimensions)}`
    )
    return true
  })

/**
 * Looks whether the index is there, and builds it when there are passages
 * enough: concurrently, by one instance of all that start together, with what
 * a crash left unfinished removed first. A failure is logged and tried again
 * later; searches stay exact until then. Without pgvector 0.8, on PGlite, with a
 * client of one connection, and for vectors of more than 4,000 dimensions there
 * is none; of more than 2,000 it always has half the digits.
 *
 * Once in its life, when its own index is there, it drops those that nobody
 * needs any more. Not more often: instances that are told different things would
 * build and drop for ever.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<PgVectorIndex, never, SqlClient.SqlClient | Scope.Scope> =>
  Effect.gen(function*() {
    const { dimensions, hasVector, indexFrom, isEmbedded } = options
    if (!hasVector || isEmbedded || !Number.isFinite(indexFrom) || dimensions > most.halfvec) {
      return { after: () => Effect.void }
    }
    const sql = yield* SqlClient.SqlClient
    const precision = options.halfPrecision || dimensions > most.vector ? "halfvec" : "vector"
    const name = nameOf(dimensions, precision)
    const isDue = Effect.unsafeMakeLatch(true)
    let pending = 0
    let isTidy = false
    let said = ""

    /** It looks every minute; what does not change is said once. */
    const warn = (message: string, cause: Cause.Cause<unknown> = Cause.empty): Effect.Effect<void> =>
      Effect.suspend(() => {
        const words = `${message}: ${Cause.pretty(cause, { renderErrorCause: true })}`
        if (words === said) return Effect.void
        said = words
        return Cause.isEmpty(cause) ? Effect.logWarning(message) : Effect.logWarning(message, cause)
      })

    const tidy = Effect.suspend(() => {
      if (isTidy) return Effect.void
      isTidy = true
      return Effect.ignoreLogged(dropOthers(name, dimensions))
    })

    const step = Effect.gen(function*() {
      const { isValid, passages } = yield* look(name)
      if (isValid !== true && passages < indexFrom) return
      if (isSole(sql)) {
        if (isValid === true) return
        return yield* warn(
          "The document store's vectors get no index, since its client has but one connection: give it two or more"
        )
      }
      if (isValid === true) return isTidy ? undefined : yield* alone(tidy)
      if (!(yield* isRecent)) {
        return yield* warn("The document store's vectors have no index: it needs pgvector 0.8 or later")
      }
      const [duration, isBuilt] = yield* Effect.timed(alone(
        Effect.tap(build(name, precision, options), (isBuilt) => isBuilt ? tidy : Effect.void)
      ))
      if (isBuilt === true) {
        said = ""
        yield* Effect.logInfo(`The document store's vectors have an index now; it took ${Duration.format(duration)}`)
      }
    })

    const guarded = Effect.flatMap(Effect.exit(step), (exit) =>
      Exit.isFailure(exit) && !Exit.isInterrupted(exit)
        ? warn("The document store could not index its vectors and will try again", exit.cause)
        : Effect.void)

    yield* isDue.await.pipe(
      Effect.timeoutOption(interval),
      Effect.zipRight(isDue.close),
      Effect.zipRight(guarded),
      Effect.forever,
      // A transaction that the layer may be built in ends before this does.
      Effect.mapInputContext((_: Context.Context<never>) => Context.make(SqlClient.SqlClient, sql)),
      Effect.forkScoped
    )

    return {
      after: (written) =>
        Effect.suspend(() => {
          pending += written
          if (pending < indexFrom / 20) return Effect.void
          pending = 0
          return isDue.open
        })
    }
  })
