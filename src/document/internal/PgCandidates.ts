/**
 * The candidates of a search, as a plan says they are found.
 *
 * Postgres chooses them; their scores come from `Fusion`, as everywhere.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import type * as Filter from "./Filter.js"
import * as Fusion from "./Fusion.js"
import * as PgArray from "./PgArray.js"
import * as PgFilter from "./PgFilter.js"
import * as PgPlan from "./PgPlan.js"
import * as PgVectorIndex from "./PgVectorIndex.js"

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
  /** Of each term it holds its place in the query, from 0, times `placeUnit`, plus how often. */
  readonly terms: ReadonlyArray<number> | null
  /** BM25 but for the last digits, when words brought it. */
  readonly brought: number | null
  /** Whether vectors brought it. */
  readonly isCompared: boolean
  /** With pgvector and a query vector. */
  readonly cosine: number | null
  /** Without pgvector: the vector, as `array_send` gives it. */
  readonly embedding: Uint8Array | null
}

/**
 * More often than this, less one, a word does not count: no passage that `Chunker` cuts comes near.
 *
 * @since 0.1.0
 * @category configuration
 */
export const placeUnit = 0x10000

/** The parts of the statement. */
interface Parts {
  readonly sql: SqlClient.SqlClient
  readonly search: Search
  readonly plan: PgPlan.Plan
  readonly embedding: Fragment
}

/** The terms of a plan from one to before another, as rows of `asked`: term, weight, place in the query. */
const asked = ({ plan, search, sql }: Parts, from: number, to: number): Fragment => {
  const terms = plan.terms.slice(from, to)
  return sql`unnest(${PgArray.text(terms.map((n) => search.terms[n]))}::text[], ${
    PgArray.text(terms.map((n) => search.weights[n]))
  }::float8[], ${PgArray.text(terms)}::int[]) as asked(term, weight, n)`
}

const postings = ({ search, sql }: Parts, only: Fragment): Fragment =>
  sql`cross join lateral (
    select passage, frequency, length from causeway_postings
    where tenant = ${search.tenant} and term = asked.term ${only}
  ) as posting`

const score = ({ search, sql }: Parts): Fragment =>
  sql`sum(
    asked.weight * posting.frequency * ${Fusion.k1 + 1}::float8 / (
      posting.frequency + ${Fusion.k1 * (1 - Fusion.b)}::float8
        + ${Fusion.k1 * Fusion.b / search.averageLength}::float8 * posting.length
    )
  )`

/** Passages of a set: each looked up, or each found looked for. Neither must become a join, which would lose the order. */
const among = (sql: SqlClient.SqlClient, set: Fragment, isLookedUp: boolean): Fragment =>
  isLookedUp ? sql`and passage = any(array(${set}))` : sql`and (passage in (${set})) is not false`

/** Whether a passage passes the filter. A value, not a condition on rows: that would become a join as well. */
const passes = ({ plan, search, sql }: Parts, passage: Fragment): Fragment =>
  plan.filtering !== "looked at" ? sql.literal("true") : sql`(
    select true from causeway_passages as held
    join causeway_documents as document on document.id = held.document
    where held.id = ${passage} and ${PgFilter.conditions(sql, search.tenant, search.filter)}
  )`

const named = ({ plan, search, sql }: Parts): ReadonlyArray<Fragment> =>
  plan.filtering !== "named" ? [] : [sql`allowed as materialized (
    select held.id from causeway_documents as document
    -- document by document: the other way would read the texts of all
    cross join lateral (
      select id from causeway_passages where tenant = document.tenant and document = document.id offset 0
    ) as held
    where ${PgFilter.conditions(sql, search.tenant, search.filter)}
  )`]

const onlyNamed = ({ plan, sql }: Parts, isLookedUp: boolean): Fragment =>
  plan.filtering !== "named" ? sql.literal("") : among(sql, sql.literal("select id from allowed"), isLookedUp)

/**
 * The best rows of a query for `passage` and `score`: a few more than the pool
 * holds, by score alone; or the pool itself, where those that are equal by
 * `place` are told apart, which takes looking up each of them.
 */
const best = (parts: Parts, rows: Fragment, ties: { readonly place: string; readonly areTold: boolean }): Fragment => {
  const { plan, sql } = parts
  const order = sql.literal(ties.areTold ? "order by place desc" : "order by score desc")
  const found = ties.areTold
    ? sql`select found.passage, found.score, ${sql.literal(ties.place)} as place from (${rows}) as found`
    : rows
  const ranked = plan.filtering === "looked at"
    ? sql`
      select ranked.* from (select * from (${found}) as sorted ${order} offset 0) as ranked
      where ${passes(parts, sql.literal("ranked.passage"))}`
    : found
  return ties.areTold
    ? sql`
      select edge.passage, edge.score
      from (${ranked} ${order} fetch first ${sql.literal(String(Fusion.poolSize))} rows with ties) as edge
      join causeway_passages as held on held.id = edge.passage
      order by edge.place desc, held.document, held.position limit ${sql.literal(String(Fusion.poolSize))}`
    : sql`${ranked} ${order} limit ${sql.literal(String(PgPlan.armSize))}`
}

/** What the words bring, as `lexical`. */
const lexical = (parts: Parts): ReadonlyArray<Fragment> => {
  const { plan, sql } = parts
  const count = plan.terms.length
  if (count === 0) return [sql.literal("lexical as (select 0::bigint as passage, 0::float8 as score where false)")]
  const read = sql`select posting.passage, ${score(parts)} as score from ${asked(parts, 0, plan.essential)}
    ${postings(parts, onlyNamed(parts, plan.isNarrow))} group by posting.passage`
  // Rounded, so that what Postgres adds up in another order is still equal.
  const ties = { place: "(1e6::float8 * found.score)::bigint", areTold: plan.hasTies }
  if (plan.essential === count) return [sql`lexical as (${best(parts, read, ties)})`]
  // Of passages that a filter may still take away, none says what the pool's edge is.
  const contends = plan.filtering === "none"
    ? sql`where score >= coalesce(
        (select score from partial order by score desc offset ${Fusion.poolSize - 1} limit 1), 0
      ) - ${plan.bound + 1e-6}::float8`
    : sql.literal("")
  const rest = sql`select posting.passage, ${score(parts)} as score from ${asked(parts, plan.essential, count)}
    ${postings(parts, among(sql, sql.literal("select passage from contending"), true))} group by posting.passage`
  const sums = sql`select contending.passage, contending.score + coalesce(more.score, 0) as score
    from contending left join (${rest}) as more on more.passage = contending.passage`
  return [
    sql`partial as materialized (${read})`,
    sql`contending as materialized (select passage, score from partial ${contends})`,
    sql`lexical as (${best(parts, sums, ties)})`
  ]
}

/** What the vectors bring, as `dense`. */
const dense = (parts: Parts): Fragment => {
  const { embedding, plan, search, sql } = parts
  const tenant = sql`tenant = ${search.tenant} ${onlyNamed(parts, true)}`
  switch (plan.dense._tag) {
    case "None":
    case "Pages":
      return sql.literal("dense as (select 0::bigint as passage, 0::float8 as score where false)")
    case "Given":
      return sql`dense as (
        select passage, null::float8 as score from unnest(${
        PgArray.text(plan.dense.passages)
      }::bigint[]) as given(passage)
      )`
    case "Here":
      return sql`dense as (select passage, null::float8 as score from causeway_vectors where ${tenant})`
    case "Exact": {
      const rows =
        sql`select passage, inner_product(embedding, ${embedding}) as score from causeway_vectors where ${tenant}`
      return sql`dense as (${best(parts, rows, { place: "found.score", areTold: plan.hasEqualVectors })})`
    }
    case "Index": {
      const { precision } = plan.dense
      const dimensions = search.vector?.length ?? 0
      const type = PgVectorIndex.typeOf(dimensions, precision)
      return sql`dense as (
        select passage, null::float8 as score from causeway_vectors
        where ${tenant} and ${sql.literal(PgVectorIndex.predicateOf(dimensions))}
          and ${passes(parts, sql.literal("causeway_vectors.passage"))}
        order by ${sql.literal(PgVectorIndex.expressionOf(dimensions, precision))} <#> ${embedding}::${
        sql.literal(type)
      }
        limit ${sql.literal(String(PgPlan.armSize))}
      )`
    }
  }
}

/**
 * The best passages of each arm.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (
  search: Search,
  plan: PgPlan.Plan
): Effect.Effect<ReadonlyArray<Candidate>, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const hasVector = plan.dense._tag === "Exact" || plan.dense._tag === "Index"
    const embedding = hasVector && search.vector !== undefined
      ? sql`${PgArray.floats([search.vector])}::float4[]::vector`
      : sql.literal("null")
    const parts: Parts = { sql, search, plan, embedding }
    const stored = (value: Fragment) =>
      sql`(select ${value} from causeway_vectors where tenant = ${search.tenant} and passage = chosen.passage)`
    const ctes = [...named(parts), ...lexical(parts), dense(parts)]
    const isComparedHere = search.vector !== undefined && !hasVector
    return yield* sql<Candidate>`
      with ${sql.csv(ctes)}, chosen as materialized (
        select passage, max(brought) as brought, max(cosine) as cosine, bool_or(is_compared) as is_compared from (
          select passage, score as brought, null::float8 as cosine, false as is_compared from lexical
          union all select passage, null, score, true from dense
        ) as arms group by passage
      )
      select passage.id::text as id, passage.document, passage.position, passage.tokens as length,
        held.terms, chosen.brought, chosen.is_compared as "isCompared",
        ${
      hasVector
        ? sql`coalesce(chosen.cosine, ${stored(sql`inner_product(embedding, ${embedding})`)})`
        : sql.literal("null::float8")
    } as cosine,
        ${isComparedHere ? stored(sql.literal("array_send(embedding)")) : sql.literal("null::bytea")} as embedding
      from chosen
      join causeway_passages as passage on passage.id = chosen.passage
      left join (
        select posting.passage, array_agg(
          asked.n * ${sql.literal(String(placeUnit))} + least(posting.frequency, ${sql.literal(String(placeUnit - 1))})
        ) as terms
        from ${asked(parts, 0, plan.terms.length)}
        ${postings(parts, among(sql, sql.literal("select passage from chosen"), plan.isCommon))}
        group by posting.passage
      ) as held on held.passage = chosen.passage`
  })
