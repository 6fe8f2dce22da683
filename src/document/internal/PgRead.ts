/**
 * What the store on Postgres reads: the figures a query needs, its candidates,
 * and passages.
 *
 * Postgres chooses the candidates; their scores come from `Fusion`, as
 * everywhere.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import type { Metadata, Passage } from "../Document.js"
import type { Listed } from "../DocumentStore.js"
import * as Moment from "../Moment.js"
import * as Filter from "./Filter.js"
import * as Fusion from "./Fusion.js"
import * as PgArray from "./PgArray.js"

type Read<A> = Effect.Effect<A, SqlError, SqlClient.SqlClient>

/**
 * The embedders whose vectors are stored, whoever's: none, one, or two of many.
 *
 * @since 0.1.0
 * @category models
 */
export interface Embedders {
  readonly first: string | null
  readonly last: string | null
}

/**
 * What a query needs to know of its tenant.
 *
 * @since 0.1.0
 * @category models
 */
export interface Figures extends Embedders {
  /** `null` for a tenant that stored nothing yet. */
  readonly tenant: number | null
  readonly passages: number
  readonly tokens: number
  /** How many passages hold each term, in the terms' order. */
  readonly matching: ReadonlyArray<number>
}

/**
 * @since 0.1.0
 * @category combinators
 */
export const embedders: Read<Embedders> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [found] = yield* sql<Embedders>`
    select min(embedder) as first, max(embedder) as last from causeway_documents`
  return found ?? { first: null, last: null }
})

/**
 * @since 0.1.0
 * @category combinators
 */
export const figures = (tenant: string, terms: ReadonlyArray<string>): Read<Figures> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [found] = yield* sql<Figures>`
      select tenant.id as tenant, coalesce(tenant.passages, 0)::float8 as passages,
        coalesce(tenant.tokens, 0)::float8 as tokens,
        (select min(embedder) from causeway_documents) as first,
        (select max(embedder) from causeway_documents) as last,
        array(
          select (select count(*)::int from causeway_postings where tenant = tenant.id and term = asked.term)
          from unnest(${PgArray.text(terms)}::text[]) with ordinality as asked(term, n) order by asked.n
        ) as matching
      from (select) as nothing left join causeway_tenants as tenant on tenant.name = ${tenant}`
    return found ?? { tenant: null, passages: 0, tokens: 0, matching: [], first: null, last: null }
  })

/**
 * A query as Postgres is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Search {
  readonly tenant: number
  readonly terms: ReadonlyArray<string>
  /** One for each term. */
  readonly weights: ReadonlyArray<number>
  readonly averageLength: number
  /** A unit vector. */
  readonly vector: Float32Array | undefined
  readonly filter: Filter.Compiled
}

/**
 * A passage that an arm may bring, with what its scores are computed from.
 *
 * @since 0.1.0
 * @category models
 */
export interface Candidate {
  readonly id: string
  readonly document: string
  readonly position: number
  readonly length: number
  /** Which terms it holds, counted from 1, and how often each. */
  readonly terms: ReadonlyArray<number> | null
  readonly frequencies: ReadonlyArray<number> | null
  /** With pgvector and a query vector. */
  readonly cosine: number | null
  /** Without pgvector: the vector, as `array_send` gives it. */
  readonly embedding: Uint8Array | null
}

/** Without pgvector, a tenant's or filter's passages up to this many are all compared; of more, those that words bring. */
const comparable = 1_000

const conditions = (sql: SqlClient.SqlClient, tenant: number, filter: Filter.Compiled): Fragment =>
  sql.and([
    sql`document.tenant = ${tenant}`,
    ...filter.metadata.map(([key, values]) =>
      sql`document.metadata @> any(${
        PgArray.text(values.map((value) => JSON.stringify(Object.fromEntries([[key, value]]))))
      }::text[]::jsonb[])`
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

/**
 * The best passages of each arm, ties included as `Fusion` breaks them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const candidates = (search: Search, hasVector: boolean): Read<ReadonlyArray<Candidate>> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const { tenant } = search
    const empty = sql.literal("")
    const isOpen = Filter.isOpen(search.filter)
    const allowed = isOpen ? empty : sql`
      allowed as materialized (
        select passage.id from causeway_documents as document
        join causeway_passages as passage on passage.tenant = document.tenant and passage.document = document.id
        where ${conditions(sql, tenant, search.filter)}
      ),`
    const within = isOpen ? empty : sql`and passage in (select id from allowed)`
    const vector = search.vector === undefined ? undefined : PgArray.floats([search.vector])
    // Both are sorted by score first and joined with what breaks ties after: ties are few, matches may be many.
    const dense = vector === undefined
      ? empty
      : hasVector
      ? sql`union (
          select best.passage from (
            select passage, embedding <#> ${vector}::float4[]::vector as distance
            from causeway_vectors where tenant = ${tenant} ${within}
            order by distance fetch first ${sql.literal(String(Fusion.poolSize))} rows with ties
          ) as best join causeway_passages as passage on passage.id = best.passage
          where best.distance < 0 order by best.distance, passage.document, passage.position
          limit ${Fusion.poolSize}
        )`
      : sql`union (
          select few.passage from (
            select passage, count(*) over () as total from (
              select passage from causeway_vectors where tenant = ${tenant} ${within} limit ${comparable + 1}
            ) as passages
          ) as few where few.total <= ${comparable}
        )`
    return yield* sql<Candidate>`
      with ${allowed}
      matched as materialized (
        select asked.n, asked.weight, posting.passage, posting.frequency, posting.length
        from unnest(${PgArray.text(search.terms)}::text[], ${PgArray.text(search.weights)}::float8[])
          with ordinality as asked(term, weight, n)
        cross join lateral (
          select passage, frequency, length from causeway_postings
          where tenant = ${tenant} and term = asked.term ${within}
        ) as posting
      ),
      chosen as (
        (
          select best.passage from (
            select passage, (1e6::float8 * sum(
              weight * frequency * ${Fusion.k1 + 1}::float8 /
                (frequency + ${Fusion.k1 * (1 - Fusion.b)}::float8 + ${
      Fusion.k1 * Fusion.b / search.averageLength
    }::float8 * length)
            ))::bigint as score
            from matched group by passage
            order by score desc fetch first ${sql.literal(String(Fusion.poolSize))} rows with ties
          ) as best join causeway_passages as passage on passage.id = best.passage
          order by best.score desc, passage.document, passage.position
          limit ${Fusion.poolSize}
        ) ${dense}
      )
      select passage.id::text as id, passage.document, passage.position, passage.tokens as length,
        held.terms, held.frequencies,
        ${
      vector !== undefined && hasVector
        ? sql`-(stored.embedding <#> ${vector}::float4[]::vector)`
        : sql.literal("null::float8")
    } as cosine,
        ${sql.literal(vector === undefined || hasVector ? "null::bytea" : "array_send(stored.embedding)")} as embedding
      from chosen
      join causeway_passages as passage on passage.id = chosen.passage
      join causeway_vectors as stored on stored.tenant = ${tenant} and stored.passage = chosen.passage
      left join (
        select passage, array_agg(n::int) as terms, array_agg(frequency) as frequencies
        from matched where passage in (select passage from chosen) group by passage
      ) as held on held.passage = chosen.passage`
  })

interface PassageRow {
  readonly id: string
  readonly document: string
  readonly position: number
  readonly title: string
  readonly text: string
  readonly uri: string | null
  readonly published: string | null
  readonly indexed: string
  readonly metadata: Metadata
}

const toPassage = (row: PassageRow): Passage => ({
  documentId: row.document,
  position: row.position,
  title: row.title,
  text: row.text,
  ...(row.uri === null ? {} : { uri: row.uri }),
  ...(row.published === null ? {} : { publishedAt: row.published }),
  indexedAt: row.indexed,
  metadata: row.metadata
})

const iso = "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'"

const passageRows = (where: (sql: SqlClient.SqlClient) => Fragment): Read<ReadonlyArray<PassageRow>> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    return yield* sql<PassageRow>`
      select passage.id::text as id, passage.document, passage.position, document.title, passage.text, document.uri,
        to_char(document.published_at at time zone 'UTC', ${sql.literal(iso)}) as published,
        to_char(document.indexed_at at time zone 'UTC', ${sql.literal(iso)}) as indexed, document.metadata
      from causeway_passages as passage
      join causeway_documents as document on document.tenant = passage.tenant and document.id = passage.document
      where ${where(sql)}
      order by passage.position`
  })

/**
 * Passages by the ids that `candidates` gives; one that was replaced since is
 * left out.
 *
 * @since 0.1.0
 * @category combinators
 */
export const passages = (tenant: number, ids: ReadonlyArray<string>): Read<ReadonlyMap<string, Passage>> =>
  Effect.map(
    passageRows((sql) => sql`passage.tenant = ${tenant} and passage.id = any(${PgArray.text(ids)}::bigint[])`),
    (rows) => new Map(rows.map((row) => [row.id, toPassage(row)]))
  )

/**
 * A document's passages in order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const document = (tenant: string, id: string): Read<ReadonlyArray<Passage>> =>
  Effect.map(
    passageRows((sql) =>
      sql`passage.tenant = (select id from causeway_tenants where name = ${tenant}) and passage.document = ${id}`
    ),
    (rows) => rows.map(toPassage)
  )

/**
 * The documents of a tenant that pass a filter, the newest first.
 *
 * @since 0.1.0
 * @category combinators
 */
export const list = (tenant: number, filter: Filter.Compiled, limit: number): Read<ReadonlyArray<Listed>> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql<Omit<Listed, "publishedAt"> & { readonly published: string | null }>`
      select document.id, document.title, document.passages,
        to_char(document.published_at at time zone 'UTC', ${sql.literal(iso)}) as published
      from causeway_documents as document where ${conditions(sql, tenant, filter)}
      order by document.published_at desc nulls last, document.id limit ${limit}`
    return rows.map(({ id, passages, published, title }) => ({
      id,
      title,
      ...(published === null ? {} : { publishedAt: published }),
      passages
    }))
  })

/**
 * @since 0.1.0
 * @category combinators
 */
export const size = (tenant: string): Read<{ readonly documents: number; readonly passages: number }> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [found] = yield* sql<{ readonly documents: number; readonly passages: number }>`
      select tenant.passages::float8 as passages,
        (select count(*) from causeway_documents where tenant = tenant.id)::float8 as documents
      from causeway_tenants as tenant where tenant.name = ${tenant}`
    return found ?? { documents: 0, passages: 0 }
  })
