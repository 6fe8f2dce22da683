/**
 * What is measured on servers of Postgres alone: following changes, and the
 * index on vectors.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as PgListener from "causeway-mcp/document/PgListener"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Postgres from "../../integration/postgres.js"
import * as Figures from "./figures.js"
import * as Search from "./search.js"

/**
 * A store that builds no index on vectors by itself.
 *
 * @since 0.1.0
 */
export const Store = PgDocumentStore.layer({ indexFrom: Number.POSITIVE_INFINITY })

/**
 * What a server does by itself within a minute.
 *
 * @since 0.1.0
 */
export const tidy = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`vacuum (analyze)`)

/**
 * Whether the server has pgvector as its name in the table says.
 *
 * @since 0.1.0
 */
export const vectorVersion = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [found] = yield* sql<{ readonly version: string }>`
    select extversion as version from pg_extension where extname = 'vector'`
  return found?.version
})

const unmeasured = 20

/**
 * Documents one after the other; a follower with connections of its own is told
 * of each.
 *
 * @since 0.1.0
 */
export const feed = (database: string, count: number, report: Figures.Report) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const writer = yield* DocumentStore.DocumentStore
    const url = Redacted.make(`postgres://postgres@127.0.0.1:${server.process.port}/${database}`)
    const other = yield* Layer.build(
      Layer.fresh(Layer.provide(Store, Layer.merge(server.client(database), PgListener.layer({ url }))))
    )
    const follower = Context.get(other, DocumentStore.DocumentStore)
    yield* writer.index("followed", [{ id: "first", text: "The first of all." }])
    const seen = yield* Queue.unbounded<readonly [id: string, at: number]>()
    yield* Effect.forkScoped(
      Stream.runForEach(
        follower.changes({ tenant: "followed", after: 1 }),
        ({ documentId }) => Queue.offer(seen, [documentId, performance.now()])
      )
    )
    const times: Array<number> = []
    let early = 0
    for (let n = 0; n < count + unmeasured; n++) {
      const id = `followed-${n}`
      yield* writer.index("followed", [{ id, text: `What is said in note ${n} is followed.` }])
      const acknowledged = performance.now()
      const [told, at] = yield* Effect.timeout(Queue.take(seen), "10 seconds")
      if (told !== id) throw new Error(`${told} was told of instead of ${id}`)
      if (n < unmeasured) continue
      times.push(Math.max(0, at - acknowledged))
      if (at < acknowledged) early++
    }
    report(Figures.ofTimes("change at a follower, after acknowledgement", times, {
      ...(early === 0 ? {} : { note: `${early} of ${count} were told of before they were acknowledged` })
    }))
  }).pipe(Effect.scoped)

/**
 * Builds the index on vectors, and searches again.
 *
 * @since 0.1.0
 */
export const indexed = (settings: Search.Settings) =>
  Effect.gen(function*() {
    const { report } = settings
    const sql = yield* SqlClient.SqlClient
    const { dimensions } = yield* Embedder.Embedder
    const name = `causeway_vectors_hnsw_${dimensions}`
    const exact = yield* Search.best(settings)
    const isBuilt = sql<{ readonly isBuilt: boolean }>`
      select exists (select from pg_index where indexrelid = to_regclass(${name}) and indisvalid)
        and exists (select from pg_statistic_ext where stxname = 'causeway_vectors_dimensions') as "isBuilt"`
    const build = Effect.scoped(Effect.zipRight(
      Layer.build(PgDocumentStore.layer({ indexFrom: 1 })),
      Effect.repeat(isBuilt, {
        until: ([state]) => state?.isBuilt === true,
        schedule: Schedule.spaced("100 millis")
      })
    ))
    const [millis] = yield* Figures.timed(build)
    report({ name: "HNSW: built in", unit: "ms", value: millis })
    // It was begun when the index was there, and may not have come to its end.
    yield* sql`analyze causeway_vectors`
    const [size] = yield* sql<{ readonly bytes: number }>`select pg_relation_size(${name})::float8 as bytes`
    report({ name: "HNSW: size", unit: "MB", value: (size?.bytes ?? 0) / 1_048_576 })
    const found = yield* Search.best(settings)
    for (const arm of ["vector", "both"] as const) {
      const expected = exact[arm].flat().length
      const same = found[arm].reduce((sum, ids, n) => sum + ids.filter((id) => exact[arm][n]?.includes(id)).length, 0)
      const by = arm === "vector" ? "by the vector" : "hybrid"
      report({ name: `HNSW: of the ten best ${by}, found`, unit: "%", value: 100 * same / expected })
    }
    yield* Search.search(settings, "HNSW: ")
  })
