/**
 * Vectors as they are made anew for what is stored: who works on which
 * documents, what they hold, and the exchange.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as PgArray from "./PgArray.js"
import * as PgLock from "./PgLock.js"

type Asked<A> = Effect.Effect<A, SqlError, SqlClient.SqlClient>

/**
 * A document in the order of all.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly tenant: number
  readonly id: string
}

/**
 * A document and its passages, as they were when they were read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Held extends Place {
  readonly title: string
  readonly passages: ReadonlyArray<{ readonly id: string; readonly text: string }>
}

/**
 * Documents that one process works on, so that several share the work without
 * holding a transaction or a connection while they embed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease {
  /**
   * The next documents after a place that need new vectors and nobody works on.
   * `last` is the last one looked at, which another may have been faster to take;
   * absent when there is none after the place.
   */
  readonly take: (
    after: Place | undefined,
    limit: number
  ) => Asked<{ readonly taken: ReadonlyArray<Place>; readonly last: Place | undefined }>
  readonly give: (places: ReadonlyArray<Place>) => Asked<void>
}

/** A batch ends with the document that brings it to this many passages. */
const most = 512

/** What a process that was killed had taken is free after this. */
const duration = "1 minute"

const arrays = (places: ReadonlyArray<Place>) => ({
  tenants: PgArray.text(places.map(({ tenant }) => tenant)),
  ids: PgArray.text(places.map(({ id }) => id))
})

const release = (places: ReadonlyArray<Place>): Asked<void> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const { ids, tenants } = arrays(places)
    yield* sql`
      delete from causeway_reindexing as lease
      using unnest(${tenants}::int[], ${ids}::text[]) as given(tenant, id)
      where lease.tenant = given.tenant and lease.document = given.id`
  })

/**
 * What is still taken when the scope ends is given back.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeLease = (embedderId: string): Effect.Effect<Lease, never, SqlClient.SqlClient | Scope.Scope> =>
  Effect.gen(function*() {
    let held: ReadonlyArray<Place> = []
    yield* Effect.addFinalizer(() =>
      held.length === 0 ? Effect.void : release(held).pipe(
        Effect.interruptible,
        Effect.timeoutOption("5 seconds"),
        // They are free by themselves after a while.
        Effect.ignore
      )
    )
    return {
      give: release,
      take: (after, limit) =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          const { id, tenant } = after ?? { tenant: 0, id: "" }
          const batch = yield* sql<Place & { readonly isTaken: boolean }>`
            with batch as materialized (
              select tenant, id from (
                select tenant, id, sum(passages) over (order by tenant, id) - passages as before from (
                  select tenant, id, passages from causeway_documents as document
                  where (tenant, id) > (${tenant}::int, ${id}) and embedder <> ${embedderId} and not exists (
                    select from causeway_reindexing as taken
                    where taken.tenant = document.tenant and taken.document = document.id and taken.until > now()
                  )
                  order by tenant, id limit ${limit}::int
                ) as next
              ) as counted where before < ${most}
            ), taken as (
              insert into causeway_reindexing as lease (tenant, document, until)
              select tenant, id, now() + ${duration}::interval from batch
              on conflict (tenant, document) do update set until = excluded.until where lease.until <= now()
              returning tenant, document
            )
            select batch.tenant, batch.id, taken.document is not null as "isTaken"
            from batch left join taken on taken.tenant = batch.tenant and taken.document = batch.id
            order by batch.tenant, batch.id`
          held = batch.filter(({ isTaken }) => isTaken)
          return { taken: held, last: batch.at(-1) }
        })
    }
  })

/**
 * What these documents hold; without those that are gone.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (places: ReadonlyArray<Place>): Asked<ReadonlyArray<Held>> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const { ids, tenants } = arrays(places)
    const rows = yield* sql<
      Place & { readonly document: string; readonly title: string; readonly text: string | null }
    >`
      select document.tenant, document.id as document, document.title, passage.id::text as id, passage.text
      from unnest(${tenants}::int[], ${ids}::text[]) with ordinality as given(tenant, id, n)
      join causeway_documents as document on document.tenant = given.tenant and document.id = given.id
      left join causeway_passages as passage on passage.tenant = document.tenant and passage.document = document.id
      order by given.n, passage.position`
    const found = new Map<string, Place & { title: string; passages: Array<{ id: string; text: string }> }>()
    for (const { document, id, tenant, text, title } of rows) {
      const key = `${tenant} ${document}`
      const held = found.get(key) ?? { tenant, id: document, title, passages: [] }
      if (text !== null) held.passages.push({ id, text })
      found.set(key, held)
    }
    return [...found.values()]
  })

/** Which of these documents hold now what they held, and still have another embedder's vectors. */
const unchanged = (tenant: number, documents: ReadonlyArray<Held>, embedderId: string): Asked<ReadonlySet<string>> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql<{ readonly id: string; readonly passages: string }>`
      select document.id, coalesce(string_agg(passage.id::text, ' ' order by passage.position), '') as passages
      from causeway_documents as document
      left join causeway_passages as passage on passage.tenant = document.tenant and passage.document = document.id
      where document.tenant = ${tenant} and document.id = any(${PgArray.text(documents.map(({ id }) => id))}::text[])
        and document.embedder <> ${embedderId}
      group by document.id`
    const now = new Map(rows.map(({ id, passages }) => [id, passages]))
    // A passage's number is never given again: a document that was replaced has others.
    return new Set(
      documents.filter(({ id, passages }) => now.get(id) === passages.map((passage) => passage.id).join(" "))
        .map(({ id }) => id)
    )
  })

/** One statement carries at most this many vectors. */
const slice = 64

/**
 * Gives documents the new vectors, in the order of all their passages, unless
 * they were replaced or removed meanwhile; says how many got them. Runs in a
 * transaction.
 *
 * @since 0.1.0
 * @category combinators
 */
export const replace = (
  documents: ReadonlyArray<Held>,
  vectors: ReadonlyArray<Float32Array>,
  options: { readonly embedderId: string; readonly dimensions: number; readonly hasVector: boolean }
): Asked<number> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const { dimensions, embedderId, hasVector } = options
    let next = 0
    const byTenant = new Map<number, Array<{ held: Held; vectors: ReadonlyArray<Float32Array> }>>()
    for (const held of documents) {
      const own = byTenant.get(held.tenant) ?? []
      own.push({ held, vectors: vectors.slice(next, next += held.passages.length) })
      byTenant.set(held.tenant, own)
    }
    let count = 0
    for (const [tenant, own] of byTenant) {
      yield* PgLock.documents(tenant, own.map(({ held }) => held.id))
      const same = yield* unchanged(tenant, own.map(({ held }) => held), embedderId)
      const replaced = own.filter(({ held }) => same.has(held.id))
      if (replaced.length === 0) continue
      count += replaced.length
      const rows = replaced.flatMap(({ held, vectors }) =>
        held.passages.map(({ id }, n) => ({ id, vector: vectors[n] ?? new Float32Array(dimensions) }))
      )
      for (let at = 0; at < rows.length; at += slice) {
        const cut = rows.slice(at, at + slice)
        yield* sql`
          update causeway_vectors as stored set embedding =
            (${PgArray.floats(cut.map(({ vector }) => vector))}::float4[])[
              (given.n - 1) * ${dimensions}::int + 1 : given.n * ${dimensions}::int
            ]${sql.literal(hasVector ? "::vector" : "")}
          from unnest(${PgArray.text(cut.map(({ id }) => id))}::bigint[]) with ordinality as given(passage, n)
          where stored.tenant = ${tenant} and stored.passage = given.passage`
      }
      yield* sql`
        update causeway_documents
        set hashed_for = coalesce(hashed_for, embedder), embedder = ${embedderId}, dimensions = ${dimensions}::int
        where tenant = ${tenant} and id = any(${PgArray.text(replaced.map(({ held }) => held.id))}::text[])`
    }
    return count
  })

/**
 * How many documents have this embedder's vectors, and how many another's.
 *
 * @since 0.1.0
 * @category combinators
 */
export const count = (embedderId: string): Asked<{ readonly done: number; readonly left: number }> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [found] = yield* sql<{ readonly done: number; readonly left: number }>`
      select count(*) filter (where embedder = ${embedderId})::float8 as done,
        count(*) filter (where embedder <> ${embedderId})::float8 as left
      from causeway_documents`
    return found ?? { done: 0, left: 0 }
  })
