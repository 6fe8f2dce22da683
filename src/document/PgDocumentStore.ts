/**
 * The document store on any Postgres: a server through `@effect/sql-pg`, or
 * PGlite in this process.
 *
 * Words are scored exactly. Vectors are compared one by one by pgvector where
 * the server has it; where it has not, they are stored as `float4[]` and
 * compared in this process: all of a tenant with at most 1,000 passages, of a
 * larger one those that words brought. Needs Postgres 14 or later.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Embedder from "../embedding/Embedder.js"
import * as Chunker from "./Chunker.js"
import type { Document } from "./Document.js"
import type { DocumentStoreError, Outcome, Query } from "./DocumentStore.js"
import { DocumentStore } from "./DocumentStore.js"
import * as Filter from "./internal/Filter.js"
import * as PgFailure from "./internal/PgFailure.js"
import * as PgRead from "./internal/PgRead.js"
import * as PgSchema from "./internal/PgSchema.js"
import * as PgSearch from "./internal/PgSearch.js"
import * as PgTidy from "./internal/PgTidy.js"
import * as PgWrite from "./internal/PgWrite.js"

type Store = Context.Tag.Service<DocumentStore>

/** One transaction takes at most this many documents, and stops taking more at this many characters. */
const batchDocuments = 50
const batchLength = 512 * 1024

const batches = (documents: Iterable<Document>): ReadonlyArray<ReadonlyArray<Document>> => {
  const all: Array<Array<Document>> = []
  let open: Array<Document> = []
  let length = 0
  for (const document of documents) {
    if (open.length === 0) all.push(open)
    open.push(document)
    length += document.text.length
    if (open.length === batchDocuments || length >= batchLength) {
      open = []
      length = 0
    }
  }
  return all
}

/**
 * Opens the store: makes or updates its tables, once for all instances that
 * start together.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Store, DocumentStoreError, SqlClient.SqlClient | Embedder.Embedder> = Effect.gen(
  function*() {
    const sql = yield* SqlClient.SqlClient
    const embedder = yield* Embedder.Embedder
    const { hasAutovacuum, hasVector } = yield* PgSchema.open
    const tidy = hasAutovacuum ? undefined : PgTidy.make()
    const provided = Effect.provideService(SqlClient.SqlClient, sql)

    const embed = (texts: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Float32Array>, DocumentStoreError> =>
      Effect.filterOrFail(
        Effect.mapError(embedder.embed(texts), (error) =>
          error.isRetryable
            ? PgFailure.unavailable("index", error)
            : PgFailure.incompatible("index", error.message)),
        (vectors) =>
          vectors.length === texts.length && vectors.every((vector) => vector.length === embedder.dimensions),
        () =>
          PgFailure.incompatible(
            "index",
            `the embedder ${embedder.id} did not give one vector of ${embedder.dimensions} dimensions per passage`
          )
      )

    /** One transaction; vectors are made before it begins, since a remote model may take seconds. */
    const indexBatch = Effect.fnUntraced(function*(tenant: string, documents: ReadonlyArray<Document>) {
      const ids = documents.map(({ id }) => id)
      const hashes = documents.map((document) => Chunker.fingerprint(document, embedder.id))
      const before = yield* Effect.flatMap(PgRead.embedders, (found) => PgSearch.agree("index", embedder.id, found))
        .pipe(
          Effect.zipRight(PgWrite.tenantOf(tenant)),
          Effect.bindTo("number"),
          Effect.bind("stored", ({ number }) => PgWrite.stored(number, ids)),
          PgFailure.within("index", "30 seconds")
        )
      const outcomes = new Map<string, Outcome>()
      const chunked = documents.flatMap((document, n) => {
        const stored = before.stored.get(document.id)
        const contentHash = hashes[n] ?? ""
        if (stored?.hash !== contentHash) return [{ document, contentHash, chunks: Chunker.chunk(document) }]
        outcomes.set(document.id, { id: document.id, status: "unchanged", passages: stored.passages })
        return []
      })
      if (chunked.length === 0) return { outcomes, written: 0 }
      const vectors = yield* embed(
        chunked.flatMap(({ chunks, document }) => chunks.map(({ text }) => Chunker.embedded(document.title, text)))
      )
      let next = 0
      const entries = chunked.map(({ chunks, ...entry }): PgWrite.Entry => ({
        ...entry,
        passages: chunks.map((chunk) => ({ ...chunk, vector: vectors[next++] ?? new Float32Array() }))
      }))
      const now = yield* Clock.currentTimeMillis
      const options = { embedderId: embedder.id, dimensions: embedder.dimensions, hasVector, now }
      const written = yield* Effect.gen(function*() {
        const given = entries.map(({ document }) => document.id)
        yield* PgWrite.lock(before.number, given)
        yield* Effect.flatMap(PgRead.embedders, (found) => PgSearch.agree("index", embedder.id, found))
        const stored = yield* PgWrite.stored(before.number, given)
        const changed = entries.filter(({ contentHash, document }) => stored.get(document.id)?.hash !== contentHash)
        const replaced = changed.map(({ document }) => document.id).filter((id) => stored.has(id))
        const erased = yield* PgWrite.erase(before.number, replaced)
        const inserted = yield* PgWrite.insert(before.number, changed, options)
        yield* PgWrite.tally(before.number, [erased, inserted])
        return new Set(changed.map(({ document }) => document.id))
      }).pipe(sql.withTransaction, PgFailure.within("index", "1 minute"))
      let count = 0
      for (const { document: { id }, passages } of entries) {
        const isWritten = written.has(id)
        if (isWritten) count += passages.length
        outcomes.set(id, { id, status: isWritten ? "indexed" : "unchanged", passages: passages.length })
      }
      return { outcomes, written: count }
    })

    const index: Store["index"] = Effect.fn("DocumentStore.index")(function*(tenant, documents) {
      const refusals = documents.map((document) =>
        Filter.isStorable(tenant) ? Chunker.check(document) : "the tenant's name holds a NUL or a broken character"
      )
      const accepted = new Map<string, Document>()
      for (const [n, document] of documents.entries()) {
        if (refusals[n] === undefined) accepted.set(document.id, document)
      }
      const outcomes = new Map<string, Outcome>()
      for (const batch of batches(accepted.values())) {
        const done = yield* provided(indexBatch(tenant, batch))
        for (const [id, outcome] of done.outcomes) outcomes.set(id, outcome)
        if (tidy !== undefined) yield* provided(tidy.after(done.written))
      }
      return documents.map(({ id }, n): Outcome => {
        const reason = refusals[n]
        return reason === undefined
          ? outcomes.get(id) ?? { id, status: "unchanged", passages: 0 }
          : { id, status: "refused", reason }
      })
    })

    const removeBatch = (tenant: string, ids: ReadonlyArray<string>): Effect.Effect<number, SqlError> =>
      Effect.gen(function*() {
        const number = yield* PgWrite.findTenant(tenant)
        if (number === undefined) return 0
        yield* PgWrite.lock(number, ids)
        const stored = yield* PgWrite.stored(number, ids)
        yield* PgWrite.tally(number, [yield* PgWrite.erase(number, [...stored.keys()])])
        return stored.size
      }).pipe(sql.withTransaction, provided)

    const remove: Store["remove"] = Effect.fn("DocumentStore.remove")(function*(tenant, ids) {
      if (!Filter.isStorable(tenant)) return 0
      const wanted = [...new Set(ids)].filter(Filter.isStorable)
      let count = 0
      for (let at = 0; at < wanted.length; at += batchDocuments) {
        count += yield* removeBatch(tenant, wanted.slice(at, at + batchDocuments)).pipe(
          PgFailure.within("remove", "1 minute")
        )
      }
      return count
    })

    const search: Store["search"] = Effect.fn("DocumentStore.search")((query: Query) =>
      provided(PgSearch.search(query, embedder, hasVector)).pipe(PgFailure.within("search", "5 seconds"))
    )

    const get: Store["get"] = Effect.fn("DocumentStore.get")((tenant: string, id: string) =>
      Filter.isStorable(tenant) && Filter.isStorable(id)
        ? provided(PgRead.document(tenant, id)).pipe(PgFailure.within("get", "5 seconds"))
        : Effect.succeed([])
    )

    const list: Store["list"] = Effect.fn("DocumentStore.list")((tenant: string, { filter, limit }) => {
      const compiled = Filter.compile(filter)
      return compiled === undefined || !Filter.isStorable(tenant)
        ? Effect.succeed([])
        : PgWrite.findTenant(tenant).pipe(
          Effect.flatMap((number) =>
            number === undefined ? Effect.succeed([]) : PgRead.list(number, compiled, Filter.listLimitOf(limit))
          ),
          provided,
          PgFailure.within("list", "5 seconds")
        )
    })

    const size: Store["size"] = Effect.fn("DocumentStore.size")((tenant: string) =>
      Filter.isStorable(tenant)
        ? provided(PgRead.size(tenant)).pipe(PgFailure.within("size", "5 seconds"))
        : Effect.succeed({ documents: 0, passages: 0 })
    )

    const ping: Store["ping"] = Effect.asVoid(sql`select 1`).pipe(PgFailure.within("ping", "2 seconds"))

    return { index, remove, search, get, list, size, ping }
  }
)

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<DocumentStore, DocumentStoreError, SqlClient.SqlClient | Embedder.Embedder> = Layer
  .effect(DocumentStore, make)
