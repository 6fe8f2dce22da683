/**
 * The half of the store on Postgres that reads, which is all that a replica can
 * do.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Embedding } from "../../embedding/Embedder.js"
import type { DocumentStore, DocumentStoreError, Place, Query } from "../DocumentStore.js"
import * as Moment from "../Moment.js"
import * as Filter from "./Filter.js"
import * as PgFailure from "./PgFailure.js"
import * as PgRead from "./PgRead.js"
import * as PgSchema from "./PgSchema.js"
import * as PgSearch from "./PgSearch.js"
import * as PgWrite from "./PgWrite.js"

/**
 * @since 0.1.0
 * @category models
 */
export type PgReader = Pick<Context.Tag.Service<DocumentStore>, "search" | "get" | "list" | "size" | "ping">

/** The place after which a list goes on, or what is wrong with it. */
const placeOf = (after: Place | undefined): Either.Either<PgRead.Place | undefined, string> => {
  if (after === undefined) return Either.right(undefined)
  const publishedAt = after.publishedAt === undefined ? undefined : Moment.millis(after.publishedAt)
  if (after.publishedAt !== undefined && publishedAt === undefined) {
    return Either.left("after.publishedAt is not an ISO 8601 date: give the last document of the list before")
  }
  return Filter.isStorable(after.id)
    ? Either.right({ id: after.id, publishedAt })
    : Either.left("after.id cannot be a document's: give the last document of the list before")
}

/**
 * Reads tables that are as this program knows them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (sql: SqlClient.SqlClient, embedder: Embedding, hasVector: boolean): PgReader => {
  const provided = Effect.provideService(SqlClient.SqlClient, sql)
  const { search } = PgSearch.make(embedder, hasVector)

  return {
    search: Effect.fn("DocumentStore.search")((query: Query) =>
      provided(search(query)).pipe(PgFailure.within("search", "5 seconds"))
    ),
    get: Effect.fn("DocumentStore.get")((tenant: string, id: string) =>
      Filter.isStorable(tenant) && Filter.isStorable(id)
        ? provided(PgRead.document(tenant, id)).pipe(PgFailure.within("get", "5 seconds"))
        : Effect.succeed([])
    ),
    list: Effect.fn("DocumentStore.list")((tenant: string, { after, filter, limit }) => {
      const read = Filter.compile(filter)
      if (Either.isLeft(read)) return PgFailure.invalid("list", read.left)
      const place = placeOf(after)
      if (Either.isLeft(place)) return PgFailure.invalid("list", place.left)
      const compiled = read.right
      return compiled === undefined || !Filter.isStorable(tenant)
        ? Effect.succeed([])
        : PgWrite.findTenant(tenant).pipe(
          Effect.flatMap((number) =>
            number === undefined
              ? Effect.succeed([])
              : PgRead.list(number, compiled, Filter.listLimitOf(limit), place.right)
          ),
          provided,
          PgFailure.within("list", "5 seconds")
        )
    }),
    size: Effect.fn("DocumentStore.size")((tenant: string) =>
      Filter.isStorable(tenant)
        ? provided(PgRead.size(tenant)).pipe(PgFailure.within("size", "5 seconds"))
        : Effect.succeed({ documents: 0, passages: 0, revision: 0 })
    ),
    ping: Effect.asVoid(sql`select 1`).pipe(PgFailure.within("ping", "2 seconds"))
  }
}

/**
 * Looks whether the tables are as this program knows them, and changes nothing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = (
  embedder: Embedding
): Effect.Effect<PgReader, DocumentStoreError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const { hasVector } = yield* PgSchema.inspect
    return make(yield* SqlClient.SqlClient, embedder, hasVector)
  })
