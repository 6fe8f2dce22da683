/**
 * One document store over a primary Postgres and its read replicas: writes go to
 * the primary, reads to the nearest copy that is fresh enough.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Embedder from "../embedding/Embedder.js"
import { DocumentStore } from "./DocumentStore.js"
import type { DocumentStoreError } from "./DocumentStore.js"
import * as PgFailure from "./internal/PgFailure.js"
import * as PgReader from "./internal/PgReader.js"
import type * as RegionMonitor from "./internal/RegionMonitor.js"
import * as RegionPlace from "./internal/RegionPlace.js"
import * as RegionStore from "./internal/RegionStore.js"
import * as PgDocumentStore from "./PgDocumentStore.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Region<E> {
  /** Stands in results, for example `eu-west`. */
  readonly name: string
  readonly client: Layer.Layer<SqlClient.SqlClient, E>
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<E> extends PgDocumentStore.Options {
  readonly primary: Region<E>
  /** In order of preference: the nearest first. The primary is the last resort of every read unless it stands here by name. */
  readonly replicas: ReadonlyArray<Region<E>>
  /** A replica further behind is passed over while the primary can be read; 5 seconds unless given. */
  readonly maxBehind?: Duration.DurationInput | undefined
  /** How often each copy's place in the log is read; 500 milliseconds unless given. */
  readonly checkEvery?: Duration.DurationInput | undefined
  /** How long a read waits for a replica to reach what the reader wrote before it goes to the primary; 50 milliseconds unless given. */
  readonly catchUp?: Duration.DurationInput | undefined
  /** The longest one region may take to answer before the next is asked; a third of the time left, 1 second at most, unless given. */
  readonly readTimeout?: Duration.DurationInput | undefined
}

/**
 * What is known of one copy.
 *
 * @since 0.1.0
 * @category models
 */
export interface Status {
  readonly region: string
  readonly role: "primary" | "replica"
  /** Whether reads go there now; a copy that is down or behind returns by itself. */
  readonly state: "serving" | "behind" | "down"
  /** Absent while it is not known. */
  readonly behindMillis?: number | undefined
  /** What somebody has to look after: a replica that was promoted, a primary that is one no more. */
  readonly note?: string | undefined
  /** Since when it is in this state, ISO 8601. */
  readonly since: string
}

/**
 * @since 0.1.0
 * @category tags
 */
export class PgRegions extends Context.Tag("causeway/PgRegions")<PgRegions, {
  readonly status: Effect.Effect<ReadonlyArray<Status>>
  /**
   * Where the primary's log stands after this process's last write of a tenant
   * (`pg_lsn` as text); `undefined` when it wrote nothing. To be handed on with
   * whatever tells another process of the write.
   */
  readonly token: (tenant: string) => Effect.Effect<string | undefined>
  /** Runs an effect whose reads see at least what the token names, besides what this process wrote itself. A text that is no token is ignored. */
  readonly after: (token: string) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}>() {}

/** How long a server may take to say where it stands. */
const probing = Duration.seconds(1)

type Store = Context.Tag.Service<DocumentStore>

/** Every client takes the transaction that the fiber is in for its own: one of these never is. */
const apart = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(
    effect,
    (context: Context.Context<R>) =>
      // It is there or not, whatever the type says; nothing requires it.
      Context.omit(SqlClient.TransactionConnection)(
        context as Context.Context<R | SqlClient.TransactionConnection>
      ) as Context.Context<R>
  )

const readingApart = (reader: PgReader.PgReader): PgReader.PgReader => ({
  search: (query) => apart(reader.search(query)),
  get: (tenant, id) => apart(reader.get(tenant, id)),
  list: (tenant, options) => apart(reader.list(tenant, options)),
  size: (tenant) => apart(reader.size(tenant)),
  ping: apart(reader.ping)
})

const writingApart = (store: Store): Store => ({
  ...readingApart(store),
  index: (tenant, documents) => apart(store.index(tenant, documents)),
  remove: (tenant, ids) => apart(store.remove(tenant, ids)),
  changes: store.changes
})

/**
 * A copy answers when it is up, no further behind than `maxBehind`, and has what
 * this process wrote for the tenant; the next is asked when it does not answer
 * in time. While there is no primary, copies further behind answer as well, the
 * least first, but never without what the tenant wrote. Behind is measured by
 * places in the log, never by a replica's own clock. The regions are opened in
 * the background: the layer builds although some, or all, are down. Hits carry
 * the region and its age. `changes` come from the primary. The clients are its
 * own: it takes no part in a transaction of the caller's.
 *
 * Nothing here makes a replica the primary: when that was done, writes go on
 * once `primary` reaches the new one.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E>(
  options: Options<E>
): Layer.Layer<DocumentStore | PgRegions, DocumentStoreError, Embedder.Embedder> =>
  Layer.scopedContext(Effect.gen(function*() {
    const embedder = yield* Embedder.Embedder
    const sourceOf = ({ client, name }: Region<E>): RegionMonitor.Source => ({
      name,
      connect: Effect.map(Layer.build(client), (built): RegionMonitor.Connection => {
        const provided = Effect.provide(Context.add(built, Embedder.Embedder, embedder))
        return {
          place: apart(RegionPlace.read.pipe(PgFailure.within("ping", probing), provided)),
          reader: Effect.map(provided(PgReader.open(embedder)), readingApart),
          store: Effect.map(provided(PgDocumentStore.make(options)), writingApart)
        }
      }).pipe(Effect.mapError((error) => PgFailure.unavailable("open", error)))
    })
    const { regions, store } = yield* RegionStore.make(
      sourceOf(options.primary),
      options.replicas.map(sourceOf),
      options
    )
    return Context.make(DocumentStore, store).pipe(Context.add(PgRegions, regions))
  }))
