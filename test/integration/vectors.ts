/**
 * A store of short vectors that are put into the database directly, and what is
 * seen of the index on them.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgVectorIndex from "causeway-mcp/document/internal/PgVectorIndex"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Postgres from "./postgres.js"

/** Whether pgvector is installed beside a server, as Debian does it or as others do. */
export const hasVector = ({ bin }: { readonly bin: string }): boolean =>
  [
    Path.join(bin, "../../../../share/postgresql", Path.basename(Path.dirname(bin))),
    Path.join(bin, "../share/postgresql"),
    Path.join(bin, "../share")
  ].some((share) => Fs.existsSync(Path.join(share, "extension/vector.control")))

export const dimensions = 16

/** Vectors are put into the database directly; a query brings its own. */
export const Small = Layer.succeed(Embedder.Embedder, {
  id: "small-16",
  dimensions,
  embed: (texts) => Effect.succeed(texts.map(() => new Float32Array(dimensions)))
})

export const storeOn = (database: string, options?: PgDocumentStore.Options) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const context = yield* Layer.build(
      PgDocumentStore.layer(options).pipe(
        Layer.provideMerge(Layer.fresh(server.client(database))),
        Layer.provide(Small)
      )
    )
    return { store: Context.get(context, DocumentStore.DocumentStore), sql: Context.get(context, SqlClient.SqlClient) }
  })

/** So many passages around a hundred points, one in a document, half of them before 2026. */
export const fill = (sql: SqlClient.SqlClient, count: number, tenant = "tenant") =>
  sql.withTransaction(Effect.gen(function*() {
    yield* sql`select setseed(0.5)`
    const [owner] = yield* sql<{ readonly id: number }>`
      insert into causeway_tenants (name, passages, tokens) values (${tenant}, ${count}, ${count}) returning id`
    const id = owner?.id ?? 0
    yield* sql`
      insert into causeway_documents
        (tenant, id, title, published_at, indexed_at, metadata, content_hash, embedder, dimensions, passages)
      select ${id}::int, 'd' || n, '', case when n % 2 = 0 then '2025-06-01' else '2026-06-01' end::timestamptz, now(),
        jsonb_build_object('n', n), n::text, 'small-16', ${dimensions}::int, 1
      from generate_series(1, ${count}::int) as n`
    yield* sql`
      insert into causeway_passages (tenant, document, position, text, tokens)
      select ${id}::int, 'd' || n, 0, 'A note.', 1 from generate_series(1, ${count}::int) as n`
    yield* sql`
      insert into causeway_vectors (tenant, passage, embedding)
      select passage.tenant, passage.id, l2_normalize((
        select array_agg(sin(k * (1 + passage.id % 100)) + 0.3 * (random() - 0.5) + 0 * passage.id order by k)
        from generate_series(1, ${dimensions}::int) as k
      )::real[]::vector)
      from causeway_passages as passage where passage.tenant = ${id}`
  }))

export const queryVector = (seed: number) =>
  Float32Array.from({ length: dimensions }, (_, k) => Math.sin((k + 1) * (1 + seed)) + 0.1 * Math.cos(seed * 31 * k))

export const until = <A, E, R>(effect: Effect.Effect<A, E, R>, predicate: (value: A) => boolean) =>
  Effect.repeat(effect, { until: predicate })

export const state = (sql: SqlClient.SqlClient, name: string) =>
  Effect.map(
    sql<{ readonly oid: number; readonly isValid: boolean; readonly scans: number }>`
      select indexrelid::int as oid, indisvalid as "isValid",
        coalesce(pg_stat_get_numscans(indexrelid), 0)::int as scans
      from pg_index where indexrelid = to_regclass(${name})`,
    ([row]) => row
  )

export const isUsed = (sql: SqlClient.SqlClient, name: string, before: number) =>
  until(
    Effect.zipRight(sql`select pg_stat_clear_snapshot()`, state(sql, name)),
    (index) => (index?.scans ?? 0) > before
  )

export const name = PgVectorIndex.nameOf(dimensions, "vector")

/** The index, once its builder is done with it. */
export const built = (sql: SqlClient.SqlClient, name: string) =>
  Effect.zipLeft(
    until(state(sql, name), (index) => index?.isValid === true),
    until(
      sql`
        select from pg_locks where locktype = 'advisory'
          and database = (select oid from pg_database where datname = current_database())`,
      (locks) => locks.length === 0
    )
  )

/** So few and short vectors are read faster without an index, as Postgres knows. A plan that must not be seems worth compiling. */
export const preferIndexes = (sql: SqlClient.SqlClient, database: string) =>
  Effect.forEach(["enable_seqscan", "jit"], (setting) => sql.unsafe(`alter database ${database} set ${setting} = off`))

/** A transaction that others wait for until it is told to end. */
export const open = (sql: SqlClient.SqlClient) =>
  Effect.gen(function*() {
    const isOpen = yield* Deferred.make<void>()
    const isOver = yield* Deferred.make<void>()
    const fiber = yield* Effect.fork(sql.withTransaction(Effect.gen(function*() {
      yield* sql`lock table causeway_vectors in row exclusive mode`
      yield* Deferred.succeed(isOpen, undefined)
      yield* Deferred.await(isOver)
    })))
    yield* Deferred.await(isOpen)
    return Effect.zipRight(Deferred.succeed(isOver, undefined), Fiber.join(fiber))
  })
