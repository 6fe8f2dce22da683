/**
 * What a search asks Postgres first: the settings of its transaction, and the
 * figures that the rest is decided by.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Filter from "./Filter.js"
import * as PgArray from "./PgArray.js"
import * as PgFilter from "./PgFilter.js"
import type * as PgRead from "./PgRead.js"
import * as PgVectorIndex from "./PgVectorIndex.js"

/**
 * What a query needs to know of its tenant.
 *
 * @since 0.1.0
 * @category models
 */
export interface Figures extends PgRead.Embedders {
  /** `null` for a tenant that stored nothing yet. */
  readonly tenant: number | null
  readonly passages: number
  readonly tokens: number
  /** How many passages hold each term, in the terms' order. */
  readonly matching: ReadonlyArray<number>
  /** How many passages the filter leaves; `undefined` without a filter, `Infinity` when they are too many to name. */
  readonly allowed: number | undefined
  /** The index on the vectors that can be used, if any, and how many vectors are in it. */
  readonly index: { readonly precision: PgVectorIndex.Precision; readonly size: number } | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Asked {
  readonly tenant: string
  readonly terms: ReadonlyArray<string>
  readonly filter: Filter.Compiled
  readonly dimensions: number
  /**
   * Whether this is in a transaction that is the search's own, which then gets
   * its settings.
   */
  readonly isOwn: boolean
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PgFigures {
  readonly read: (asked: Asked) => Effect.Effect<Figures, SqlError, SqlClient.SqlClient>
}

/** What was counted in one state of a tenant. */
interface Counted {
  readonly state: string
  readonly matching: Map<string, number>
}

/** So many tenants and words of each are remembered: some megabytes at most. */
const mostTenants = 32
const mostTerms = 2_048

/** A filter that leaves up to this many documents is answered by naming its passages, whatever it says. */
const namable = 1_000

/** How many candidates the index looks at before it answers, and again each time it must look further. */
const searchWidth = 400

interface Row extends PgRead.Embedders {
  readonly tenant: number | null
  readonly passages: number
  readonly tokens: number
  /** Another one whenever the tenant's row was written: also in a database that was restored, or made again. */
  readonly state: string | null
  readonly matching: ReadonlyArray<number | null>
  readonly documents: number
  readonly allowed: number
  readonly most: number
  readonly full: number | null
  readonly half: number | null
}

/**
 * Counting a word reads all its postings, so counts are kept for as long as the
 * tenant stays as it is. Every change of a tenant's postings writes its row in
 * the same transaction, and what the caller's own transaction sees is neither
 * used nor kept.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (): PgFigures => {
  const tenants = new Map<string, Counted>()

  const remember = (name: string, row: Row, terms: ReadonlyArray<string>, matching: ReadonlyArray<number>): void => {
    const { state } = row
    if (state === null) return
    const before = tenants.get(name)
    const counted = before?.state === state ? before : { state, matching: new Map<string, number>() }
    if (counted.matching.size + terms.length > mostTerms) counted.matching.clear()
    for (const [n, term] of terms.entries()) counted.matching.set(term, matching[n] ?? 0)
    // last in the order of use
    tenants.delete(name)
    tenants.set(name, counted)
    for (const other of tenants.keys()) {
      if (tenants.size <= mostTenants) break
      tenants.delete(other)
    }
  }

  return {
    read: ({ dimensions, filter, isOwn, tenant, terms }) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const counted = isOwn ? tenants.get(tenant) : undefined
        const known = terms.map((term) => counted?.matching.get(term))
        const isOpen = Filter.isOpen(filter)
        const settings = isOwn
          // Compiling a plan takes longer than a search may.
          ? sql`concat(
              set_config('jit', 'off', true),
              case when indexes.full is not null or indexes.half is not null then concat(
                set_config('hnsw.iterative_scan', 'strict_order', true),
                set_config('hnsw.ef_search', ${String(searchWidth)}, true)
              ) end
            )`
          : sql.literal("null")
        const index = (precision: PgVectorIndex.Precision) =>
          sql`(
            select greatest(class.reltuples, 0) from pg_index as found join pg_class as class on class.oid = found.indexrelid
            where found.indexrelid = (select to_regclass(${
            PgVectorIndex.nameOf(dimensions, precision)
          })) and found.indisvalid
          )::float8`
        const allowed = isOpen
          ? sql.literal("select 0::float8 as documents, 0::float8 as passages")
          : sql`
            select count(*)::float8 as documents, coalesce(sum(counted.passages), 0)::float8 as passages from (
              select document.passages from causeway_documents as document
              where ${PgFilter.conditions(sql, sql.literal("tenant.id"), filter)}
              limit most.documents + 1
            ) as counted`
        const [row] = yield* sql<Row>`
          select ${settings} as settings,
            tenant.id as tenant, coalesce(tenant.passages, 0)::float8 as passages,
            coalesce(tenant.tokens, 0)::float8 as tokens, tenant.revision || ' ' || tenant.xmin as state,
            (select min(embedder) from causeway_documents) as first,
            (select max(embedder) from causeway_documents) as last,
            array(
              select case
                when asked.known is not null and tenant.revision || ' ' || tenant.xmin = ${counted?.state ?? null}
                then null
                else (select count(*)::int from causeway_postings where tenant = tenant.id and term = asked.term)
              end
              from unnest(${PgArray.text(terms)}::text[], ${PgArray.text(known)}::int[])
                with ordinality as asked(term, known, n) order by asked.n
            ) as matching,
            allowed.documents, allowed.passages as allowed, most.documents as most, indexes.full, indexes.half
          from (select ${index("vector")} as full, ${index("halfvec")} as half offset 0) as indexes
          left join causeway_tenants as tenant on tenant.name = ${tenant}
          cross join lateral (
            select greatest(${namable}, 30 * sqrt(coalesce(tenant.passages, 0)))::int as documents
          ) as most
          cross join lateral (${allowed}) as allowed`
        if (row === undefined) {
          return {
            tenant: null,
            passages: 0,
            tokens: 0,
            matching: [],
            first: null,
            last: null,
            allowed: 0,
            index: undefined
          }
        }
        const matching = row.matching.map((count, n) => count ?? known[n] ?? 0)
        if (isOwn) remember(tenant, row, terms, matching)
        const { first, full, half, last, passages, tokens } = row
        return {
          tenant: row.tenant,
          passages,
          tokens,
          matching,
          first,
          last,
          allowed: isOpen
            ? undefined
            : row.documents <= row.most && row.allowed <= 2 * row.most
            ? row.allowed
            : Number.POSITIVE_INFINITY,
          index: full !== null
            ? { precision: "vector", size: full }
            : half !== null
            ? { precision: "halfvec", size: half }
            : undefined
        }
      })
  }
}
