/**
 * The document store on any Postgres: a server through `@effect/sql-pg`, or
 * PGlite in this process.
 *
 * Words are scored exactly. Vectors are compared one by one by pgvector where
 * the server has it; where it has not, they are stored as `float4[]` and
 * compared in this process: all of a tenant with at most 1,000 passages, of a
 * larger one those that words brought. Where words bring none, up to 20,000 are
 * compared, which takes most of a second; a search by a vector alone among more
 * fails as `Incompatible`. Needs Postgres 14 or later.
 *
 * Inside the caller's own transaction the store writes as part of it. A write
 * there that collides with another's fails as `Unavailable`, with Postgres'
 * error as its cause (40001, 40P01 or, at REPEATABLE READ and above, 23505): what
 * the transaction saw is out of date, so it is the whole of it that must be run
 * again, not the write. The store's own transactions are.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Embedder from "../embedding/Embedder.js"
import * as Chunker from "./Chunker.js"
import type { Document } from "./Document.js"
import type { DocumentStoreError, Outcome } from "./DocumentStore.js"
import { DocumentStore } from "./DocumentStore.js"
import * as Filter from "./internal/Filter.js"
import * as PassageVectors from "./internal/PassageVectors.js"
import * as PgChanges from "./internal/PgChanges.js"
import * as PgIngestion from "./internal/PgIngestion.js"
import * as PgReader from "./internal/PgReader.js"
import * as PgSchema from "./internal/PgSchema.js"
import * as PgTidy from "./internal/PgTidy.js"
import * as PgVectorIndex from "./internal/PgVectorIndex.js"
import * as Versions from "./internal/Versions.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /**
   * When the whole table has this many passages, an HNSW index on the vectors is
   * built in the background, and vectors are compared approximately from then
   * on; 20,000 unless given, `Infinity` for never. On PGlite never: building would
   * hold up everything else.
   */
  readonly indexFrom?: number | undefined
  /** Whether that index keeps half the digits of every number: half as large, as good in practice; not unless given. */
  readonly halfPrecision?: boolean | undefined
  /** How long changes are kept for those who follow them; 7 days unless given. */
  readonly keepChanges?: Duration.DurationInput | undefined
  /** How often followers look for changes without being woken; 1 second unless given. */
  readonly pollEvery?: Duration.DurationInput | undefined
}

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
 * start together. What it does in the background ends with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Store, DocumentStoreError, SqlClient.SqlClient | Embedder.Embedder | Scope.Scope> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const embedder = yield* Embedder.Embedder
    const { hasAutovacuum, hasVector, isEmbedded } = yield* PgSchema.open
    const vectors = PassageVectors.make(embedder)
    const tidy = hasAutovacuum ? undefined : PgTidy.make()
    const vectorIndex = yield* PgVectorIndex.make({
      dimensions: embedder.dimensions,
      indexFrom: options.indexFrom ?? 20_000,
      halfPrecision: options.halfPrecision ?? false,
      hasVector,
      isEmbedded
    })
    const changes = yield* PgChanges.make({
      keepChanges: options.keepChanges ?? "7 days",
      pollEvery: options.pollEvery ?? "1 second"
    })
    const provided = Effect.provideService(SqlClient.SqlClient, sql)

    /** What is to be done once a transaction has ended. */
    const finish = Effect.fnUntraced(function*<A>(done: PgIngestion.Done<A>) {
      if (done.revision !== undefined) changes.reached(done.tenant, done.revision)
      if (tidy !== undefined) yield* tidy.after(done.written)
      yield* vectorIndex.after(done.written)
      return done.result
    })

    const index: Store["index"] = Effect.fn("DocumentStore.index")(function*(tenant, documents) {
      const nameless = Chunker.checkTenant(tenant)
      const refusals = documents.map((document) => nameless ?? Chunker.check(document))
      const accepted = Versions.winners(documents.filter((_, n) => refusals[n] === undefined))
      const outcomes = new Map<string, Outcome>()
      for (const batch of batches(accepted.values())) {
        const done = yield* PgIngestion.index(tenant, batch, { embedder, vectors, hasVector }).pipe(
          Effect.flatMap(finish),
          provided
        )
        for (const [id, outcome] of done) outcomes.set(id, outcome)
      }
      return documents.map(({ id }, n): Outcome => {
        const reason = refusals[n]
        return reason === undefined
          ? outcomes.get(id) ?? { id, status: "unchanged", passages: 0 }
          : { id, status: "refused", reason }
      })
    })

    const remove: Store["remove"] = Effect.fn("DocumentStore.remove")(function*(tenant, ids) {
      if (!Filter.isStorable(tenant)) return 0
      const wanted = [...new Set(ids)].filter(Filter.isStorable)
      let count = 0
      for (let at = 0; at < wanted.length; at += batchDocuments) {
        count += yield* PgIngestion.remove(tenant, wanted.slice(at, at + batchDocuments)).pipe(
          Effect.flatMap(finish),
          provided
        )
      }
      return count
    })

    return { ...PgReader.make(sql, embedder, hasVector), index, remove, changes: changes.follow }
  })

/**
 * With `PgListener` in its context, followers of changes are woken at once;
 * without it they look every `pollEvery`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: Options
): Layer.Layer<DocumentStore, DocumentStoreError, SqlClient.SqlClient | Embedder.Embedder> =>
  Layer.scoped(DocumentStore, make(options))
