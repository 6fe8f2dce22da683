/**
 * One store made of a primary and its copies, whatever they are reached by.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TimeLimit from "../../policy/TimeLimit.js"
import { DocumentStore } from "../DocumentStore.js"
import type { DocumentStoreError } from "../DocumentStore.js"
import * as PgFailure from "./PgFailure.js"
import * as RegionMonitor from "./RegionMonitor.js"
import * as RegionOutage from "./RegionOutage.js"
import * as RegionPlace from "./RegionPlace.js"
import * as RegionReads from "./RegionReads.js"
import * as RegionTokens from "./RegionTokens.js"

type Store = Context.Tag.Service<DocumentStore>

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly maxBehind?: Duration.DurationInput | undefined
  readonly checkEvery?: Duration.DurationInput | undefined
  readonly catchUp?: Duration.DurationInput | undefined
  readonly readTimeout?: Duration.DurationInput | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RegionStore {
  readonly store: Store
  readonly regions: {
    readonly status: Effect.Effect<ReadonlyArray<RegionMonitor.Status>>
    readonly token: (tenant: string) => Effect.Effect<string | undefined>
    readonly after: (token: string) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
}

/** How long what is asked at the start waits for a region to open. */
const patience = Duration.seconds(2)

/**
 * Replicas in order of preference; where the primary's name stands among them,
 * the primary is preferred there.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  primary: RegionMonitor.Source,
  replicas: ReadonlyArray<RegionMonitor.Source>,
  options: Options = {}
): Effect.Effect<RegionStore, never, Scope.Scope> =>
  Effect.gen(function*() {
    const monitor = yield* RegionMonitor.make(primary, replicas.filter(({ name }) => name !== primary.name), {
      checkEvery: Duration.toMillis(options.checkEvery ?? "500 millis"),
      maxBehind: Duration.toMillis(options.maxBehind ?? "5 seconds")
    })
    const { status, tokens, wrote } = monitor
    const copies = [monitor.primary, ...monitor.replicas]
    const named = replicas.flatMap(({ name }) => copies.filter((copy) => copy.name === name))
    const read = yield* RegionReads.make(monitor, [...new Set([...named, monitor.primary])], {
      catchUp: Duration.toMillis(options.catchUp ?? "50 millis"),
      readTimeout: options.readTimeout === undefined ? undefined : Duration.toMillis(options.readTimeout),
      patience: Duration.toMillis(patience)
    })

    const write = <A>(
      method: "index" | "remove",
      tenant: string,
      ask: (store: Store) => Effect.Effect<A, DocumentStoreError>
    ): Effect.Effect<A, DocumentStoreError> =>
      Effect.gen(function*() {
        const store = yield* Effect.timeoutFail(monitor.store, {
          duration: Duration.min(patience, yield* TimeLimit.remaining),
          onTimeout: () => PgFailure.unavailable(method)
        })
        const answer = yield* Effect.tapError(
          ask(store),
          (error) => RegionOutage.isOutage(error) ? Effect.map(RegionPlace.now, monitor.primary.failed) : Effect.void
        )
        const at = yield* RegionPlace.now
        const place = yield* wrote
        tokens.wrote(tenant, place === undefined || place.isRecovering ? "unknown" : place.lsn, at)
        return answer
      })

    return {
      store: DocumentStore.of({
        index: (tenant, documents) => write("index", tenant, (open) => open.index(tenant, documents)),
        remove: (tenant, ids) => write("remove", tenant, (open) => open.remove(tenant, ids)),
        search: (query) =>
          Effect.map(
            read("search", query.tenant, (open) => open.search(query)),
            ({ answer, origin }) => answer.map((hit) => ({ ...hit, origin }))
          ),
        get: (tenant, id) => Effect.map(read("get", tenant, (open) => open.get(tenant, id)), ({ answer }) => answer),
        list: (tenant, asked) =>
          Effect.map(read("list", tenant, (open) => open.list(tenant, asked)), ({ answer }) => answer),
        size: (tenant) => Effect.map(read("size", tenant, (open) => open.size(tenant)), ({ answer }) => answer),
        changes: (asked) => Stream.unwrap(Effect.map(monitor.store, (open) => open.changes(asked))),
        ping: Effect.asVoid(read("ping", undefined, (open) => open.ping))
      }),
      regions: {
        status,
        token: (tenant) =>
          Effect.sync(() => {
            const need = tokens.need(tenant)
            return typeof need === "bigint" ? RegionPlace.format(need) : undefined
          }),
        after: (token) => (self) => {
          const need = RegionPlace.parse(token)
          return need === undefined
            ? self
            : Effect.locallyWith(self, RegionReads.after, (outer) => RegionTokens.both(outer, need))
        }
      }
    }
  })
