/**
 * Searches a copy in this process's memory that follows another store's changes:
 * the speed of memory over what Postgres keeps.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Embedder from "../embedding/Embedder.js"
import type { Document } from "./Document.js"
import type { Outcome } from "./DocumentStore.js"
import { DocumentStore } from "./DocumentStore.js"
import * as MirrorCopies from "./internal/MirrorCopies.js"
import * as MirrorPlace from "./internal/MirrorPlace.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** A tenant with more passages is not copied, its searches go to the store below; 50,000 unless given. */
  readonly maxPassages?: number | undefined
  /**
   * The passages of all copies together: a tenant that does not fit any more is not copied until others are let go;
   * 200,000 unless given. With 384 dimensions 10,000 passages take some 60 MB.
   */
  readonly maxTotalPassages?: number | undefined
  /** How many tenants are copied; 100 unless given. */
  readonly maxTenants?: number | undefined
  /** Tenants that were not asked for this long are let go; 1 hour unless given. */
  readonly idle?: Duration.DurationInput | undefined
  /** Further behind than this, searches go to the store below; 5 seconds unless given. */
  readonly maxBehind?: Duration.DurationInput | undefined
}

type Store = Context.Tag.Service<DocumentStore>

/** How often the store below is asked how far it has come: twice a second, or more often where less may be missed. */
const everyOf = (maxBehind: number): number => Math.max(20, Math.min(500, maxBehind / 4))

/** Whether writing a document that was stored already may have given it another version. */
const isRestamped = (given: number | undefined, held: { readonly version: number | undefined } | undefined): boolean =>
  held === undefined ||
  (given === undefined || held.version === undefined ? given !== held.version : given > held.version)

const make = (options: Options): Effect.Effect<Store, never, DocumentStore | Embedder.Embedder | Scope.Scope> =>
  Effect.gen(function*() {
    const below = yield* DocumentStore
    const embedder = yield* Embedder.Embedder
    const maxBehind = Duration.toMillis(options.maxBehind ?? "5 seconds")
    const fork = yield* FiberSet.makeRuntime()
    const copies = MirrorCopies.make({
      below,
      embedder,
      fork,
      every: everyOf(maxBehind),
      idle: Duration.toMillis(options.idle ?? "1 hour"),
      maxPassages: options.maxPassages ?? 50_000,
      maxTotalPassages: options.maxTotalPassages ?? 200_000,
      maxTenants: options.maxTenants ?? 100
    })

    // What an acknowledgement says may be the doing of an earlier attempt that failed, or of another process: the copy
    // need not have heard of it, whether this write changed anything or not.
    const indexed = (
      tenant: string,
      documents: ReadonlyArray<Document>,
      outcomes: ReadonlyArray<Outcome>
    ): void => {
      const copy = copies.get(tenant)
      const restamped = outcomes.flatMap(({ id, status }, n) =>
        status === "unchanged" && isRestamped(documents[n]?.version, copy?.index.held(id)) ? [id] : []
      )
      if (outcomes.length > 0) copies.wrote(tenant, restamped)
    }

    return DocumentStore.of({
      index: (tenant, documents) =>
        Effect.map(below.index(tenant, documents), (outcomes) => {
          indexed(tenant, documents, outcomes)
          return outcomes
        }),
      remove: (tenant, ids) =>
        Effect.map(below.remove(tenant, ids), (count) => {
          if (ids.length > 0) copies.wrote(tenant, [])
          return count
        }),
      search: (query) =>
        Effect.flatMap(MirrorPlace.now, (now) => {
          const copy = copies.get(query.tenant)
          copy?.searched(now)
          const behind = copy?.place.behind(now)
          if (copy !== undefined && behind !== undefined && behind <= maxBehind) {
            return copy.index.search(query, { region: "memory", behindMillis: Math.round(behind) })
          }
          return Effect.map(below.search(query), (hits) => {
            if (copy === undefined) copies.want(query.tenant, now)
            else copy.passed()
            return hits
          })
        }),
      get: below.get,
      list: below.list,
      size: (tenant) =>
        Effect.map(below.size(tenant), (size) => {
          copies.get(tenant)?.place.heard(size.revision)
          return size
        }),
      // Whoever was told of a change finds it.
      changes: (asked) =>
        Stream.mapChunks(below.changes(asked), (changes) => {
          for (const { revision, tenant } of changes) copies.get(tenant)?.place.heard(revision)
          return changes
        }),
      ping: below.ping
    })
  })

/**
 * A tenant is copied after its first search, in the background, and follows the
 * changes from there; until it is there and whenever it is behind, searches go
 * to the store below. Writes go there, too, and a process sees its own writes;
 * who was told of a change finds it. When the store below
 * is down, searches of copied tenants are still answered, as long as `maxBehind`
 * allows. Vectors are made again by the `Embedder`: put a cache before a remote one.
 *
 * A copy is behind by the time since it was last known to hold all that the store
 * below had acknowledged, for which the store is asked for the tenant's revision
 * twice a second; so an outage counts from its first moment. Hits of the copy say so in their
 * `origin`, whose region is `memory`; those of the store below are as they come.
 * A tenant that is over a limit, or whose documents cannot be read or embedded, is
 * not copied and tried again later.
 *
 * A version that another process raises while the content stays the same is no
 * change, and hits of the copy show it when the document changes. What is written
 * in a transaction of the caller's is found there by the store below alone: search
 * again once it is committed.
 *
 * The store below must read what it tells of, as the laws demand. `PgRegions` reads
 * from replicas, which may not have yet what another process wrote: put this over
 * the primary's store.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  below: Layer.Layer<DocumentStore, E, R>,
  options: Options = {}
): Layer.Layer<DocumentStore, E, R | Embedder.Embedder> =>
  Layer.provide(Layer.scoped(DocumentStore, make(options)), below)
