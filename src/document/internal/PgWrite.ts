/**
 * What the store on Postgres writes: documents with their passages, vectors and
 * postings, and their removal.
 *
 * Every function here runs in a transaction. `PgLock.documents` comes first and
 * the tally of the tenant last, so that writers wait for one another in one
 * order and never in a circle.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Chunker from "../Chunker.js"
import type { Document, Span } from "../Document.js"
import * as Moment from "../Moment.js"
import * as Tokenizer from "../Tokenizer.js"
import * as InvertedIndex from "./InvertedIndex.js"
import * as PgArray from "./PgArray.js"

/**
 * A document made ready to be written.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly document: Document
  readonly contentHash: string
  readonly passages: ReadonlyArray<{
    readonly position: number
    readonly text: string
    readonly span: Span
    readonly vector: Float32Array
  }>
}

/**
 * What is stored of a document.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stored {
  readonly id: string
  readonly hash: string
  /** The embedder whose id the hash holds. */
  readonly hashedFor: string
  readonly passages: number
  readonly version?: number
}

type Written<A> = Effect.Effect<A, SqlError, SqlClient.SqlClient>

/**
 * Where every change is announced as `tenant number:revision`; a wake-up that may
 * be lost, since the change itself is a row.
 *
 * @since 0.1.0
 * @category constants
 */
export const channel = "causeway_changes"

/**
 * One statement carries at most this many passages, some hundred times as many
 * postings: in PGlite it holds the event loop.
 */
const slice = 64

/** How many passages a tenant gained or lost, and how many tokens they hold. */
interface Tally {
  readonly passages: number
  readonly tokens: number
}

/**
 * A document that followers are to hear of.
 *
 * @since 0.1.0
 * @category models
 */
export interface Changed {
  readonly id: string
  readonly isRemoval: boolean
  readonly version?: number | undefined
}

/**
 * The tenant's number, if it ever had a document.
 *
 * @since 0.1.0
 * @category combinators
 */
export const findTenant = (name: string): Written<number | undefined> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [found] = yield* sql<{ readonly id: number }>`select id from causeway_tenants where name = ${name}`
    return found?.id
  })

/**
 * The tenant's number, given at its first document.
 *
 * @since 0.1.0
 * @category combinators
 */
export const tenantOf = (name: string): Written<number> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const found = yield* findTenant(name)
    if (found !== undefined) return found
    // An update of nothing, so that the row of another who was first is given back, too.
    const [made] = yield* sql<{ readonly id: number }>`
      insert into causeway_tenants (name) values (${name})
      on conflict (name) do update set name = excluded.name returning id`
    return made === undefined ? yield* Effect.dieMessage("an insert gave no row back") : made.id
  })

/**
 * What is stored of these documents.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stored = (tenant: number, ids: ReadonlyArray<string>): Written<ReadonlyMap<string, Stored>> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql<Omit<Stored, "version"> & { readonly version: number | null }>`
      select id, content_hash as hash, coalesce(hashed_for, embedder) as "hashedFor", passages, version::float8 as version
      from causeway_documents where tenant = ${tenant} and id = any(${PgArray.text(ids)}::text[])`
    return new Map(
      rows.map(({ version, ...row }): [string, Stored] => [row.id, version === null ? row : { ...row, version }])
    )
  })

/**
 * Deletes locked documents and all that belongs to them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const erase = (tenant: number, ids: ReadonlyArray<string>): Written<Tally> =>
  Effect.gen(function*() {
    if (ids.length === 0) return { passages: 0, tokens: 0 }
    const sql = yield* SqlClient.SqlClient
    const given = PgArray.text(ids)
    const old = yield* sql<
      { readonly id: string; readonly title: string; readonly text: string; readonly tokens: number }
    >`
      select passage.id::text as id, document.title, passage.text, passage.tokens
      from causeway_documents as document
      join causeway_passages as passage on passage.tenant = document.tenant and passage.document = document.id
      where document.tenant = ${tenant} and document.id = any(${given}::text[])`
    for (let at = 0; at < old.length; at += slice) {
      const cut = old.slice(at, at + slice)
      const terms: Array<string> = []
      const passages: Array<string> = []
      for (const { id, text, title } of cut) {
        for (const term of new Set(Tokenizer.tokens(Chunker.embedded(title, text)))) {
          terms.push(term)
          passages.push(id)
        }
      }
      const [deleted] = yield* sql<{ readonly tokens: number }>`
        with deleted as (
          delete from causeway_postings as posting
          using unnest(${PgArray.text(terms)}::text[], ${PgArray.text(passages)}::bigint[]) as gone(term, passage)
          where posting.tenant = ${tenant} and posting.term = gone.term and posting.passage = gone.passage
          returning frequency
        ) select coalesce(sum(frequency), 0)::float8 as tokens from deleted`
      // Written by a program that cut words in another way: looked for passage by passage, which no index helps.
      if (deleted?.tokens !== cut.reduce((sum, { tokens }) => sum + tokens, 0)) {
        yield* sql`
          delete from causeway_postings
          where tenant = ${tenant} and passage = any(${PgArray.text(cut.map(({ id }) => id))}::bigint[])`
      }
    }
    const gone = PgArray.text(old.map(({ id }) => id))
    yield* sql`delete from causeway_vectors where tenant = ${tenant} and passage = any(${gone}::bigint[])`
    yield* sql`delete from causeway_passages where id = any(${gone}::bigint[]) and tenant = ${tenant}`
    yield* sql`delete from causeway_documents where tenant = ${tenant} and id = any(${given}::text[])`
    return { passages: -old.length, tokens: -old.reduce((sum, { tokens }) => sum + tokens, 0) }
  })

interface Row {
  readonly document: string
  readonly position: number
  readonly text: string
  readonly span: Span
  readonly vector: Float32Array
  readonly tokens: ReadonlyArray<string>
}

const insertPassages = (
  tenant: number,
  rows: ReadonlyArray<Row>,
  vectors: { readonly hasVector: boolean; readonly dimensions: number }
): Written<void> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const inserted = yield* sql<{ readonly id: string; readonly document: string; readonly position: number }>`
      insert into causeway_passages (tenant, document, position, text, tokens, span_start, span_end)
      select ${tenant}::int, given.* from unnest(
        ${PgArray.text(rows.map((row) => row.document))}::text[], ${
      PgArray.text(rows.map((row) => row.position))
    }::int[],
        ${PgArray.text(rows.map((row) => row.text))}::text[], ${
      PgArray.text(rows.map((row) => row.tokens.length))
    }::int[],
        ${PgArray.text(rows.map((row) => row.span.start))}::int[], ${
      PgArray.text(rows.map((row) => row.span.end))
    }::int[]
      ) as given
      returning id::text as id, document, position`
    const ids = new Map(inserted.map((row) => [`${row.position} ${row.document}`, row.id]))
    const idOf = (row: Row): string => ids.get(`${row.position} ${row.document}`) ?? ""
    const { dimensions } = vectors
    yield* sql`
      insert into causeway_vectors (tenant, passage, embedding)
      select ${tenant}::int, given.passage,
        (${PgArray.floats(rows.map((row) => row.vector))}::float4[])[
          (given.n - 1) * ${dimensions}::int + 1 : given.n * ${dimensions}::int
        ]${sql.literal(vectors.hasVector ? "::vector" : "")}
      from unnest(${PgArray.text(rows.map(idOf))}::bigint[]) with ordinality as given(passage, n)`
    const terms: Array<string> = []
    const passages: Array<string> = []
    const frequencies: Array<number> = []
    const lengths: Array<number> = []
    for (const row of rows) {
      for (const [term, frequency] of InvertedIndex.frequencies(row.tokens)) {
        terms.push(term)
        passages.push(idOf(row))
        frequencies.push(frequency)
        lengths.push(row.tokens.length)
      }
    }
    yield* sql`
      insert into causeway_postings (tenant, term, passage, frequency, length)
      select ${tenant}::int, given.* from unnest(
        ${PgArray.text(terms)}::text[], ${PgArray.text(passages)}::bigint[],
        ${PgArray.text(frequencies)}::int[], ${PgArray.text(lengths)}::int[]
      ) as given`
  })

/**
 * Writes locked documents, none of which is stored.
 *
 * @since 0.1.0
 * @category combinators
 */
export const insert = (tenant: number, entries: ReadonlyArray<Entry>, options: {
  readonly embedderId: string
  readonly dimensions: number
  readonly hasVector: boolean
  /** Epoch milliseconds. */
  readonly now: number
}): Written<Tally> =>
  Effect.gen(function*() {
    if (entries.length === 0) return { passages: 0, tokens: 0 }
    const sql = yield* SqlClient.SqlClient
    const published = ({ document }: Entry): string | undefined => Moment.normal(document.publishedAt)
    yield* sql`
      insert into causeway_documents
        (tenant, embedder, dimensions, indexed_at, id, title, uri, published_at, metadata, content_hash, passages, version)
      select ${tenant}::int, ${options.embedderId}, ${options.dimensions}::int, ${
      Moment.iso(options.now)
    }::timestamptz, given.*
      from unnest(
        ${PgArray.text(entries.map(({ document }) => document.id))}::text[],
        ${PgArray.text(entries.map(({ document }) => document.title ?? ""))}::text[],
        ${PgArray.text(entries.map(({ document }) => document.uri))}::text[],
        ${PgArray.text(entries.map(published))}::timestamptz[],
        ${PgArray.text(entries.map(({ document }) => JSON.stringify(document.metadata ?? {})))}::jsonb[],
        ${PgArray.text(entries.map(({ contentHash }) => contentHash))}::text[],
        ${PgArray.text(entries.map(({ passages }) => passages.length))}::int[],
        ${PgArray.text(entries.map(({ document }) => document.version))}::bigint[]
      ) as given`
    const rows = entries.flatMap(({ document, passages }) => passages.map((passage) => ({ document, passage })))
    let tokens = 0
    for (let at = 0; at < rows.length; at += slice) {
      const cut = rows.slice(at, at + slice).map(({ document, passage }): Row => ({
        ...passage,
        document: document.id,
        tokens: Tokenizer.tokens(Chunker.embedded(document.title, passage.text))
      }))
      for (const row of cut) tokens += row.tokens.length
      yield* insertPassages(tenant, cut, options)
    }
    return { passages: rows.length, tokens }
  })

/**
 * Gives locked documents another version, and nothing else.
 *
 * @since 0.1.0
 * @category combinators
 */
export const restamp = (
  tenant: number,
  documents: ReadonlyArray<{ readonly id: string; readonly version: number | undefined }>
): Written<void> =>
  Effect.gen(function*() {
    if (documents.length === 0) return
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      update causeway_documents as document set version = given.version
      from unnest(
        ${PgArray.text(documents.map(({ id }) => id))}::text[],
        ${PgArray.text(documents.map(({ version }) => version))}::bigint[]
      ) as given(id, version)
      where document.tenant = ${tenant} and document.id = given.id`
  })

/**
 * Adds to what the tenant holds, numbers its changes and wakes those who follow
 * them; gives the tenant's revision, if anything changed.
 *
 * The last statement of a transaction. The update takes the lock on the tenant's
 * row and the transaction holds it until it has ended, so the next writer of the
 * tenant reads the revision that was committed, and its own numbers become
 * visible later: whoever sees a revision sees all before it, and what is rolled
 * back leaves no gap. That holds as well where the caller's own transaction goes
 * on for long: until it ends, the tenant's other writers wait here, and no one
 * sees a number of it. Tenants are counted apart and do not wait for one another; a
 * caller that writes several in one transaction, in another order than someone
 * else, may be the victim of a deadlock, which Postgres finds.
 *
 * @since 0.1.0
 * @category combinators
 */
export const tally = (
  tenant: number,
  tallies: ReadonlyArray<Tally>,
  changes: ReadonlyArray<Changed>,
  now: number
): Written<number | undefined> =>
  Effect.gen(function*() {
    if (changes.length === 0) return undefined
    const passages = tallies.reduce((sum, tally) => sum + tally.passages, 0)
    const tokens = tallies.reduce((sum, tally) => sum + tally.tokens, 0)
    const sql = yield* SqlClient.SqlClient
    const [told] = yield* sql<{ readonly revision: number }>`
      with tallied as (
        update causeway_tenants set passages = passages + ${passages}::bigint, tokens = tokens + ${tokens}::bigint,
          revision = revision + ${changes.length}::bigint
        where id = ${tenant} returning revision
      ), recorded as (
        insert into causeway_changes (tenant, revision, document, is_removal, version, changed_at)
        select ${tenant}::int, tallied.revision - ${changes.length}::bigint + given.n, given.document, given.is_removal,
          given.version, ${Moment.iso(now)}::timestamptz
        from tallied cross join unnest(
          ${PgArray.text(changes.map(({ id }) => id))}::text[],
          ${PgArray.text(changes.map(({ isRemoval }) => String(isRemoval)))}::boolean[],
          ${PgArray.text(changes.map(({ version }) => version))}::bigint[]
        ) with ordinality as given(document, is_removal, version, n)
      )
      select revision::float8 as revision, pg_notify(${channel}, ${String(tenant)} || ':' || revision) from tallied`
    return told?.revision
  })
